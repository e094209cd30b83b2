//! The codes of this room that are not rules.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about `E0xx`. The rules themselves are in [`super::rules`].
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "E001",
        title: "not executable on Linux",
        explanation: "The document is valid and works on AWS on a Windows instance, but a step of it uses an action module that \
            exists on Windows only, and the runner works on Linux. The document is refused as a whole, because a build in which \
            a step was skipped would prove nothing.",
    },
    Entry {
        code: "E002",
        title: "a component document that cannot be looked at",
        explanation: "A CloudFormation template or a Terraform configuration has a component whose document is not a text that \
            stands in the file: it is put together by functions such as `Fn::Join`, `yamlencode` or `templatefile`, decided by \
            a directive, read from another file, or the file is larger than 1 MiB. Nothing was checked there, which is not the \
            same as nothing found. Write the document as a block, `Data: |` or `Data: !Sub |` in a template and `data = <<-EOT` \
            in a configuration, or keep it in a file of its own and check that file. What `${Name}` stands for is not known \
            either: nothing is reported that would depend on it.",
    },
    Entry {
        code: "E003",
        title: "an action module that is blocked",
        explanation: "Whoever started this execution forbade an action module that a step of the document uses. The document \
            is refused as a whole before anything runs; a document that another one executes is refused when its turn comes, \
            and the step that executes it fails.",
    },
];
