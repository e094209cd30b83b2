//! The schema of `gates`, in recipes and in `amiforge.yaml`.

use super::{default, described, duration, flag, mapping, matching, name, number, or_nothing, text, texts};
use crate::project::gates::{
    self, BOOT_MODES, COUNT, FACTS, NAMES, PACKAGE, PATCHES, PER_CENT, SEVERITIES, SIZES, TEST_NAME, rules, scanners,
};
use crate::project::parent::OWNERS;
use crate::project::policy::Rating;
use serde_json::{Map, Value, json};

/// `gates` of a recipe.
pub(super) fn of_recipe() -> Value {
    let without =
        described("Gates of amiforge.yaml that do not hold for this recipe.", texts(&json!({ "enum": NAMES })));
    let mut schema = mapping(&[], all());
    schema["properties"]["without"] = without;
    schema["properties"]["validated_within"] = validated();
    schema["minProperties"] = 1.into();
    let summary = "What a candidate must pass before it is promoted, on top of the gates of amiforge.yaml. Without any there, \
                   only the gates that stand here are evaluated.";
    described(summary, schema)
}

/// `gates` of `amiforge.yaml`.
pub(super) fn of_project() -> Value {
    let mut schema = mapping(&[], all());
    let required = texts(&json!({ "enum": NAMES }));
    schema["properties"]["required"] = described("Gates that recipes may not weaken.", required);
    schema["properties"]["validated_within"] = validated();
    schema["properties"]["waivable"] = described("Whether findings of required gates can be waived.", flag(true));
    schema["anyOf"] = NAMES.iter().map(|name| json!({ "required": [name] })).collect();
    described("What every candidate of the project must pass; recipes refine it.", schema)
}

fn all() -> [(&'static str, Value); 10] {
    let tests = json!({ "anyOf": [{ "const": "required" }, tested()] });
    let age = mapping(&["max"], [("max", described("How old the candidate may be.", duration()))]);
    [
        ("patches", described("Patch compliance.", or_nothing(patches()))),
        ("vulnerabilities", described("Findings of a vulnerability scan.", or_nothing(vulnerabilities()))),
        ("image", described("Attributes of the image.", or_nothing(image()))),
        ("tests", described("Tests must have run and passed.", tests)),
        ("packages", described("Packages that must and must not be there.", packages())),
        ("size", described("How large the image may be.", size())),
        ("age", described("Age of the candidate.", age)),
        ("parent", described("Where the image comes from.", parent())),
        ("hygiene", described("What the image must not carry.", hygiene())),
        ("commands", described("Commands that decide by their exit status, by name.", commands())),
    ]
}

fn validated() -> Value {
    let summary = "How old the evidence may be, whatever gate looks at it. Without it as old as the oldest scan that the gates allow, and \
                   24 hours when they ask for none.";
    described(summary, duration())
}

fn within(summary: &str) -> Value {
    described(summary, default("24h", duration()))
}

/// A mapping from ratings to something.
fn by_rating(summary: &str, value: &Value) -> Value {
    let properties: Map<String, Value> =
        Rating::NAMED.iter().map(|name| ((*name).to_owned(), described(&rated(name), value.clone()))).collect();
    described(summary, json!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false }))
}

fn rated(name: &str) -> String {
    if name == "unrated" {
        "For patches that nobody has rated.".to_owned()
    } else {
        format!("For patches rated {name}.")
    }
}

fn patches() -> Value {
    let usual = gates::patches_default();
    let count = |summary: &str, most: u32| described(summary, default(most, number(PATCHES)));
    mapping(
        &[],
        [
            ("missing", count("How many approved patches may be missing.", usual.missing)),
            ("rejected", count("How many rejected patches may be installed.", usual.rejected)),
            (
                "levels",
                by_rating("How many missing patches there may be of this rating or a worse one.", &number(PATCHES)),
            ),
            ("grace", by_rating("How long after its release a patch of this rating may be missing.", &duration())),
            ("scanned_within", within("How old the scan may be.")),
        ],
    )
}

fn vulnerabilities() -> Value {
    let severity = default("medium", json!({ "enum": SEVERITIES }));
    mapping(
        &[],
        [
            ("max_severity", described("Findings above this severity fail.", severity)),
            ("with_fix_only", described("Whether findings without a fix are left out.", flag(false))),
            ("only_new", described("Whether findings that the promoted image has, too, are left out.", flag(false))),
            ("scanned_within", within("How old the scan may be.")),
            ("scanned_by", described("Who must have scanned it; each of them, when there are several.", scanned_by())),
        ],
    )
}

fn scanned_by() -> Value {
    let list = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "enum": scanners() } });
    json!({ "anyOf": [{ "enum": scanners() }, list] })
}

fn hygiene() -> Value {
    let allow = described("Rules whose findings are accepted.", texts(&json!({ "enum": rules() })));
    let mut some = mapping(&[], [("allow", allow)]);
    some["minProperties"] = 1.into();
    json!({ "anyOf": [{ "const": "required" }, some] })
}

fn image() -> Value {
    let accounts = texts(&matching("^[0-9]{12}$"));
    let mut image = mapping(
        &[],
        [
            ("imds_v2", described("Whether the image must require IMDSv2.", flag(true))),
            ("encrypted", described("Whether the image must be encrypted.", flag(true))),
            ("ena", described("Whether the image must support ENA.", flag(false))),
            ("accounts", described("Accounts that may launch it besides the owner; nobody else may.", accounts)),
            ("boot_modes", described("Boot modes it may have.", texts(&json!({ "enum": BOOT_MODES })))),
            ("max_root_gib", described("Largest root volume, in GiB.", number(SIZES))),
            ("max_volumes", described("Most volumes.", number(COUNT))),
        ],
    );
    let nothing = json!({ "imds_v2": { "const": false }, "encrypted": { "const": false } });
    image["if"] = json!({ "required": ["imds_v2", "encrypted"], "properties": nothing });
    image["then"] = json!({ "minProperties": 3 });
    image
}

fn tested() -> Value {
    let facts = json!({ "type": "array", "minItems": 1, "items": { "enum": FACTS } });
    let mut schema = mapping(
        &[],
        [
            ("real", described("What must be real where the tests run.", facts)),
            ("max_skipped", described("How many steps may have been skipped.", number(COUNT))),
            (
                "required",
                described(
                    "Test components, or steps of them (`COMPONENT/STEP`), that must have run and passed.",
                    json!({ "type": "array", "minItems": 1, "items": matching(TEST_NAME) }),
                ),
            ),
        ],
    );
    schema["minProperties"] = 1.into();
    schema
}

fn packages() -> Value {
    let rules = || texts(&matching(PACKAGE));
    let mut schema = mapping(
        &[],
        [
            ("must_have", described("Packages that must be there, with a range of versions or not.", rules())),
            ("must_not_have", described("Packages that must not be there; names may have wildcards.", rules())),
        ],
    );
    let some = || described("At least one rule.", json!({ "minItems": 1 }));
    let one = |key: &str| json!({ "required": [key], "properties": { key: some() } });
    schema["anyOf"] = json!([one("must_have"), one("must_not_have")]);
    schema
}

fn size() -> Value {
    let growth = "How many per cent larger its files may be than those of the promoted image.";
    let mut schema = mapping(
        &[],
        [
            ("max_mib", described("Most that its files may take, in MiB.", number(SIZES))),
            ("max_growth", described(growth, number(PER_CENT))),
        ],
    );
    schema["minProperties"] = 1.into();
    schema
}

fn parent() -> Value {
    let owner = matching(format!("^([0-9]{{12}}|{})$", OWNERS.join("|")));
    let owners = json!({ "type": "array", "minItems": 1, "items": owner });
    let mut schema = mapping(
        &[],
        [
            ("owners", described("Who may own the images it descends from: accounts, `self` or aliases.", owners)),
            ("max_age", described("How old the parent may have been when the candidate was made.", duration())),
        ],
    );
    schema["minProperties"] = 1.into();
    schema
}

fn commands() -> Value {
    let run = json!({ "type": "array", "minItems": 1, "items": text() });
    let mut command = mapping(
        &[],
        [
            ("run", described("Program and arguments.", run)),
            ("shell", described("A text that a shell reads.", json!({ "type": "string", "minLength": 1 }))),
            ("timeout", described("How long it may take.", default("5m", duration()))),
        ],
    );
    command["oneOf"] = json!([{ "required": ["run"] }, { "required": ["shell"] }]);
    json!({
        "type": "object", "minProperties": 1, "propertyNames": { "pattern": name(false) }, "additionalProperties": command,
    })
}
