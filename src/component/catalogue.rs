//! The codes of this room that are not rules.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about `E0xx`. The rules themselves are in [`super::rules`].
pub const ENTRIES: &[Entry] = &[Entry {
    code: "E001",
    title: "not executed locally yet",
    explanation: "The document is valid and works on AWS, but the runner of the local environment cannot execute this part \
        yet. It is refused as a whole, because a build in which a step was skipped would prove nothing.",
}];
