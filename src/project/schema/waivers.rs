//! The schema of waivers.

use super::{described, file, mapping, text};
use crate::project::gates::NAMES;
use crate::project::waivers::DATE_PATTERN;
use serde_json::{Value, json};

/// The schema of `waivers.yaml` and `waivers/*.yaml`.
pub fn waivers() -> Value {
    let words = || json!({ "type": "string", "pattern": r"\S" });
    let waiver = mapping(
        &["gate", "finding", "owner", "reason", "expires"],
        [
            ("gate", described("The gate that found it.", json!({ "enum": NAMES }))),
            ("finding", described("A CVE id, the name of a patch or of a package, the name of a rule.", words())),
            ("recipe", described("Only in images of this recipe.", text())),
            ("package", described("Only in this package.", text())),
            ("version", described("Only in this version.", text())),
            ("owner", described("Who answers for it.", words())),
            ("reason", described("Why it is accepted.", words())),
            (
                "expires",
                described(
                    "The last day on which it counts, in UTC.",
                    json!({ "type": "string", "pattern": DATE_PATTERN }),
                ),
            ),
        ],
    );
    let list = json!({ "type": "array", "items": waiver });
    file(
        "amiforge waivers",
        "Findings of gates that somebody answers for, for a while.",
        mapping(&["waivers"], [("waivers", described("The waivers.", list))]),
    )
}
