//! `M`: modules that work on files.

pub(super) mod edits;
mod overwrite;
pub(super) mod paths;
mod permissions;
mod temporary;
#[cfg(test)]
pub(super) mod testing;
mod wildcard;

use super::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "M010",
        name: "permissions",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "Permissions are written as a number, or let everyone write.",
        why: "The input is text, and AWSTOE reads the digits as they are written. Other readers of YAML make a number of \
            digits without quotes: to YAML 1.1, `0644` is 420, and a tool that writes the document again writes `420`. \
            What everyone may write to, any user and any broken service of the image may change. Folders with the sticky \
            bit, such as \"1777\", are fine. Section 9.3.",
        example: "- name: Configure\n  action: CreateFile\n  inputs:\n    - path: /etc/app.conf\n      permissions: 0666",
        instead: "- name: Configure\n  action: CreateFile\n  inputs:\n    - path: /etc/app.conf\n      permissions: \"0644\"",
        supersedes: &[],
        check: Check::Document(permissions::permissions),
    },
    Rule {
        id: "M011",
        name: "unix-rights-on-windows",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A file or folder is given an owner, a group or permissions on Windows.",
        why: "CreateFile and CreateFolder refuse `owner`, `group` and `permissions` on Windows; the step fails before it \
            writes anything. Section 9.3.",
        example: "- name: Configure # on Windows\n  action: CreateFile\n  inputs:\n    - path: C:\\app\\app.ini\n      permissions: \"0644\"",
        instead: "- name: Configure # on Windows\n  action: CreateFile\n  inputs:\n    - path: C:\\app\\app.ini",
        supersedes: &[],
        check: Check::Document(permissions::on_windows),
    },
    Rule {
        id: "M013",
        name: "lost-in-tmp",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A file is put below /tmp or /var/tmp, and nothing else in the build uses it.",
        why: "Before the image is made, Image Builder wipes /var/tmp. On Amazon Linux 2023 and others, /tmp is in memory \
            and never part of the image; elsewhere it is emptied when the machine starts. A file that is meant to stay is \
            lost there, and only in the image. Files that other steps use or delete are fine. Section 12.",
        example: "- name: Configure\n  action: CreateFile\n  inputs:\n    - path: /tmp/app.conf\n      content: debug=false",
        instead: "- name: Configure\n  action: CreateFile\n  inputs:\n    - path: /etc/app.conf\n      content: debug=false",
        supersedes: &[],
        check: Check::Document(temporary::temporary),
    },
    Rule {
        id: "M020",
        name: "misplaced-wildcard",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A wildcard stands in the name of a folder, or leads to a destination that is no folder.",
        why: "`*` is accepted only after the last separator of a path. Where it matches several files, the destination must \
            end with a separator; without one the step works as long as there is one match, and fails with the second. \
            That half is inferred, because how many there are is known only when the step runs. Section 9.3.",
        example: "- name: CollectLogs\n  action: CopyFile\n  inputs:\n    - source: /opt/*/app.log\n      destination: /var/log/app.log",
        instead: "- name: CollectLogs\n  action: CopyFile\n  inputs:\n    - source: /opt/app/*.log\n      destination: /var/log/app/",
        supersedes: &[],
        check: Check::Document(wildcard::wildcard),
    },
    Rule {
        id: "M021",
        name: "unquoted-asterisk",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A value begins with `*` and is not in quotes.",
        why: "YAML reads `*log` as an alias: a reference to a value that is marked `&log` elsewhere. There is none, so the \
            document cannot be read, and there is nothing to go on with: that is why this is an error. Examples in the AWS \
            documentation have this fault. Section 9.3.",
        example: "- name: ListLogs\n  action: ListFiles\n  inputs:\n    - path: /var/log/app\n      fileNamePattern: *log",
        instead: "- name: ListLogs\n  action: ListFiles\n  inputs:\n    - path: /var/log/app\n      fileNamePattern: '*log'",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "M022",
        name: "folder-overwrite",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A folder that may exist is created, copied or moved with `overwrite` at true.",
        why: "`overwrite` is true unless it is given, and the documentation says that an existing folder is then truncated \
            or overwritten. Whether its files are kept, merged or gone is not said. Say `overwrite: false` to have the step \
            fail instead, or guard it with `if: {not: {folderExists: …}}`. Section 9.3.",
        example: "- name: MakeFolder\n  action: CreateFolder\n  inputs:\n    - path: /opt/app",
        instead: "- name: MakeFolder\n  action: CreateFolder\n  inputs:\n    - path: /opt/app\n      overwrite: false",
        supersedes: &[],
        check: Check::Document(overwrite::overwrite),
    },
];
