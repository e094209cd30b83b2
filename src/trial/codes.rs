//! The codes of this room, and what `amiforge explain` says about them.

use crate::diagnostic::catalogue::Entry;

/// A step failed.
pub(super) const STEP: &str = "E010";
/// A run came to no result.
pub(super) const BROKEN: &str = "E011";
/// Something that had to be real was not.
pub(super) const NOT_REAL: &str = "E012";

/// The entries of the E01x codes.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: STEP,
        title: "a step failed in a test",
        explanation: "`amiforge test` ran the document in a fresh instance, as Image Builder would, and a step of it failed: \
            the same step would fail the image. The message has the exit code or what the action said, the excerpt is the \
            step, the lines below it are the last that it wrote. `amiforge test … --keep` leaves the instance as it is and \
            `amiforge shell NAME` enters it.",
    },
    Entry {
        code: BROKEN,
        title: "a test came to no result",
        explanation: "The documents could not be run to their end: the root could not be made, the instance did not start or \
            ended by itself, the time limit was reached, steps were left over. What was not run has not passed. The message \
            says which.",
    },
    Entry {
        code: NOT_REAL,
        title: "something that was required was not real",
        explanation: "`--require FACT` makes a test fail whose instance lacked what is named, such as kernel or init. \
            Without it such things are reported as skipped, with the reason. An instance on this machine has the machine's \
            kernel; it has its own process 1 where the image has systemd.",
    },
];
