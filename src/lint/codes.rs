//! The codes of this room.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about `U0xx`.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "U001",
        title: "an allowance that allows nothing",
        explanation: "`# amiforge: allow[RULE] reason` stands where the rule reports nothing. It may have been left behind when \
            the fault was mended; it would hide the next one. Remove it; `amiforge lint --fix` does.",
    },
    Entry {
        code: "U002",
        title: "an allowance that is not understood",
        explanation: "A comment that begins with `amiforge:` has to be `allow[RULE, …] reason` or `allow-file[RULE, …] reason`, \
            with ids or names of rules and a reason. Behind something it counts for that line, alone in a line for what \
            begins in the next one, `allow-file` for the whole file. What the service refuses cannot be allowed.",
    },
];
