//! `M`: modules and scripts of Windows.

mod msi;
mod registry;

use super::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "M015",
        name: "registry-value",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "SetRegistry writes to HKEY_CURRENT_USER, or a DWORD or QWORD that is no whole number in its range.",
        why: "Components run as SYSTEM, so the current user is SYSTEM, and no user of the image ever sees what is written \
            there. A DWORD is a whole number of 32 bits, a QWORD one of 64; an example in the AWS documentation sets a DWORD \
            to 1.1, which cannot be right. Section 9.5.",
        example: "- name: SetVersion\n  action: SetRegistry\n  inputs:\n    - path: HKCU:\\Software\\Acme\n      name: Version\n      value: \"1.1\"\n      type: DWORD",
        instead: "- name: SetVersion\n  action: SetRegistry\n  inputs:\n    - path: HKLM:\\Software\\Acme\n      name: Version\n      value: \"1.1\"\n      type: SZ",
        supersedes: &[],
        check: Check::Document(registry::value),
    },
    Rule {
        id: "M016",
        name: "registry-path",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "The path of SetRegistry does not begin with a hive.",
        why: "A path begins with the full name of a hive, such as HKEY_LOCAL_MACHINE, or with its short name and a colon, \
            such as HKLM:. The other forms that Windows programs use are not known here. Section 9.5.",
        example: "- name: SetVersion\n  action: SetRegistry\n  inputs:\n    - path: HKLM\\Software\\Acme\n      name: Version\n      value: \"1.1\"\n      type: SZ",
        instead: "- name: SetVersion\n  action: SetRegistry\n  inputs:\n    - path: HKLM:\\Software\\Acme\n      name: Version\n      value: \"1.1\"\n      type: SZ",
        supersedes: &["M015"],
        check: Check::Document(registry::path),
    },
    Rule {
        id: "M023",
        name: "unsigned-installer",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "InstallMSI accepts a package without a valid signature.",
        why: "The installer runs as SYSTEM. With `allowUnsignedInstaller` or `ignoreAuthenticodeSignatureErrors`, one that \
            was changed is installed as well. A package whose content is fixed by a SHA256 or SHA512 sum in the same document \
            may do without a signature, and is not reported. Section 9.4.",
        example: "- name: InstallApp\n  action: InstallMSI\n  inputs:\n    path: C:\\app.msi\n    allowUnsignedInstaller: true",
        instead: "- name: InstallApp\n  action: InstallMSI\n  inputs:\n    path: C:\\app.msi",
        supersedes: &[],
        check: Check::Document(msi::unsigned),
    },
    Rule {
        id: "M024",
        name: "fixed-msi-property",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "`properties` sets REBOOT, REINSTALLMODE or REINSTALL.",
        why: "InstallMSI and UninstallMSI set these three themselves and refuse others. Restarts are a matter of the input \
            `reboot`. Section 9.4.",
        example: "- name: InstallApp\n  action: InstallMSI\n  inputs:\n    path: C:\\app.msi\n    properties:\n      REBOOT: Force",
        instead: "- name: InstallApp\n  action: InstallMSI\n  inputs:\n    path: C:\\app.msi\n    reboot: Force",
        supersedes: &[],
        check: Check::Document(msi::fixed_property),
    },
];
