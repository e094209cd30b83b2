//! The schema of `amiforge.yaml`.

use super::{default, described, duration, file, mapping, matching, name, or_nothing, text, texts};
use crate::project::canary::{CHECKS, PLACES};
use crate::project::environment_settings::{BUCKET, EVIDENCE_PREFIX, GRANTEES, PREFIX, ROLE};
use crate::project::settings::{
    APPROVALS, DISTRIBUTES, INSTANCE_PROFILE, KMS_KEY, LONGEST_TAG, OVERRIDES, RESERVED_TAGS,
};
use crate::project::windows::{DAY, WINDOW};
use serde_json::{Value, json};

/// What `approval` says.
const APPROVAL: &str =
    "Whether a person must approve; by-another: one who has neither built it nor brought it to the channel before.";

/// The schema of `amiforge.yaml`.
pub fn project() -> Value {
    let schema = mapping(
        &["project"],
        [
            ("project", described("Name of the project; resource names begin with it.", matching(name(false)))),
            ("environments", environments()),
            ("channels", channels()),
            ("tags", tags()),
            ("gates", super::gates::of_project()),
            ("signing", signing()),
        ],
    );
    file("amiforge project", "The settings of an amiforge project: where it works, and how releases move.", schema)
}

fn environments() -> Value {
    let local = mapping(
        &[],
        [
            ("mirror", described("Package sources for root filesystems made on this machine.", text())),
            ("bind", described("Folders that instances see read-only, relative to the project.", texts(&text()))),
            ("targets", targets()),
            ("distribute", distribute()),
            ("evidence", evidence()),
            ("encryption", encryption()),
        ],
    );
    let local = described("This machine; needs no account.", or_nothing(local));
    described(
        "Where work runs. `local` is always there.",
        json!({
            "type": ["object", "null"],
            "properties": { "local": local },
            "propertyNames": { "pattern": name(false) },
            "additionalProperties": aws(),
        }),
    )
}

fn account() -> Value {
    described("Twelve digits, in quotes.", matching("^[0-9]{12}$"))
}

fn region() -> Value {
    matching("^[a-z]{2,}(-[a-z]+)+-[0-9]+$")
}

fn role() -> Value {
    described("Role to assume.", text())
}

fn aws() -> Value {
    let home = mapping(
        &["account", "region"],
        [("account", account()), ("region", described("For example us-east-1.", region())), ("role", role())],
    );
    let schema = mapping(
        &["home"],
        [
            ("home", described("Where images are built.", home)),
            ("infrastructure", infrastructure()),
            ("targets", targets()),
            ("distribution", distribution()),
            ("distribute", distribute()),
            ("evidence", evidence()),
            ("encryption", encryption()),
        ],
    );
    described("AWS accounts and Regions.", schema)
}

fn evidence() -> Value {
    let schema = mapping(
        &["bucket"],
        [
            ("bucket", described("The bucket.", matching(BUCKET))),
            ("prefix", described("What keys begin with.", default(EVIDENCE_PREFIX, matching(PREFIX)))),
            ("region", described("The bucket's Region; the home Region when absent.", region())),
            (
                "kms_key",
                described("Key that objects are encrypted with; the bucket's default when absent.", matching(KMS_KEY)),
            ),
        ],
    );
    described("Where evidence is kept in S3, besides the project.", schema)
}

fn encryption() -> Value {
    let keys = json!({ "type": ["object", "null"], "additionalProperties": matching(KMS_KEY) });
    let grantee = json!({ "anyOf": [{ "enum": GRANTEES }, matching(ROLE)] });
    let grants = json!({ "type": "array", "uniqueItems": true, "items": grantee, "default": ["account"] });
    let schema = mapping(
        &[],
        [
            ("kms_keys", described("Key by Region: of the root volume at home, of copies elsewhere.", keys)),
            (
                "grants",
                described("Who gets a grant on an image's key, in every account that launches or copies it.", grants),
            ),
        ],
    );
    described("What images are encrypted with, and to whom promotions open the keys.", or_nothing(schema))
}

fn targets() -> Value {
    let regions = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": region() });
    let target = mapping(
        &["account", "regions"],
        [("account", account()), ("role", role()), ("regions", described("Regions of the account.", regions))],
    );
    let targets = json!({ "type": "array", "minItems": 1, "items": target });
    described("Where a promotion moves pointers; the home when not given.", targets)
}

fn distribute() -> Value {
    let how = default("share", json!({ "enum": DISTRIBUTES }));
    described("Whether target accounts are let launch the home account's images, or get copies of their own.", how)
}

fn infrastructure() -> Value {
    let profile = default(INSTANCE_PROFILE, text());
    let mut schema = mapping(
        &[],
        [
            ("instance_types", described("Instance types to build on, the preferred one first.", texts(&text()))),
            ("instance_profile", described("Instance profile of the build instance.", profile)),
            ("subnet", described("Subnet to build in; needs `security_groups`.", text())),
            ("security_groups", described("Security groups of the build instance; need `subnet`.", texts(&text()))),
            ("log_bucket", described("Bucket for the logs of builds.", text())),
            ("document_bucket", described("Bucket for documents of more than 16,000 characters.", text())),
            ("execution_role", described("Role of Image Builder for custom workflows.", text())),
            (
                "hourly_cost",
                described(
                    "What an hour of a build instance costs, for the estimates of `plan`.",
                    matching("^[0-9]{1,6}(\\.[0-9]{1,6})?$"),
                ),
            ),
        ],
    );
    schema["if"] = json!({ "required": ["subnet"] });
    schema["then"] = json!({ "required": ["security_groups"], "properties": { "security_groups": { "minItems": 1 } } });
    schema["else"] = json!({ "properties": { "security_groups": { "maxItems": 0 } } });
    described("What images are built on.", or_nothing(schema))
}

fn distribution() -> Value {
    let unique = |items: Value| json!({ "type": "array", "uniqueItems": true, "items": items });
    let keys = json!({ "type": ["object", "null"], "additionalProperties": text() });
    let schema = mapping(
        &[],
        [
            ("regions", described("Regions that get a copy beside the home Region.", unique(region()))),
            ("accounts", described("Accounts that may launch the image.", unique(account()))),
            ("kms_keys", described("Keys that the copies are encrypted with, by Region.", keys)),
        ],
    );
    described("What builds do with finished images by themselves, before they are approved.", or_nothing(schema))
}

fn channels() -> Value {
    let mut channel = mapping(
        &[],
        [
            ("after", described("The channel a release must be in first; one that stands before this one.", text())),
            ("soak", described("How long it must have been there.", duration())),
            ("approval", described(APPROVAL, default("none", json!({ "enum": APPROVALS })))),
            ("windows", described("When it takes releases, in UTC.", texts(&matching(WINDOW)))),
            ("freezes", freezes()),
            ("canary", canary()),
            ("override", described("What --override may do.", default("allowed", json!({ "enum": OVERRIDES })))),
            ("refresh", super::refresh::refresh()),
        ],
    );
    channel["dependencies"] = json!({ "soak": ["after"] });
    channel["if"] = json!({ "required": ["approval"], "properties": { "approval": { "const": "by-another" } } });
    channel["then"] = json!({ "required": ["after"] });
    described(
        "Named pointers to releases, in the order in which a release moves through them.",
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": name(false) },
            "additionalProperties": or_nothing(channel),
        }),
    )
}

fn canary() -> Value {
    let regions = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": region() });
    let places = json!({ "anyOf": [{ "enum": PLACES }, regions] });
    let mut schema = mapping(
        &[],
        [
            ("places", described("Where: `all`, `home`, or a list of Regions.", default("all", places))),
            ("check", described("What is waited for.", default("running", json!({ "enum": CHECKS })))),
            ("timeout", described("How long.", default("10m", duration()))),
            ("instance_type", described("Instead of the launch template's.", text())),
            ("subnet", described("Instead of the launch template's; needs `places: home`.", text())),
        ],
    );
    schema["if"] = json!({ "required": ["subnet"] });
    schema["then"] = json!({ "required": ["places"], "properties": { "places": { "const": "home" } } });
    described(
        "Whether a real instance of the staged launch template version is launched before anything is moved.",
        json!({ "anyOf": [{ "type": "boolean" }, schema] }),
    )
}

fn signing() -> Value {
    let trusted = json!({ "type": "array", "minItems": 1, "items": text() });
    let keys = json!({ "type": "array", "minItems": 1, "items": matching(KMS_KEY) });
    let mut schema = mapping(
        &[],
        [
            ("key", described("File with the Ed25519 private key that signs evidence, in PEM.", text())),
            (
                "trusted",
                described("Files with public keys; evidence then counts only when one has signed it.", trusted),
            ),
            ("kms", described("Key in KMS that signs instead: its id, its ARN, or an alias.", matching(KMS_KEY))),
            ("trusted_kms", described("Keys in KMS that are trusted as the files of `trusted` are.", keys)),
        ],
    );
    schema["not"] = json!({ "type": "object", "required": ["key", "kms"] });
    described("How evidence is signed, and whose signature is demanded.", or_nothing(schema))
}

fn freezes() -> Value {
    let day = |text: &str| described(text, matching(DAY));
    let freeze = mapping(
        &["from", "to", "reason"],
        [
            ("from", day("First day, for example 2026-12-20.")),
            ("to", day("Last day.")),
            ("reason", described("Why nothing moves.", text())),
        ],
    );
    described("Days on which it takes no release.", json!({ "type": "array", "items": freeze }))
}

fn tags() -> Value {
    let (key, value) = LONGEST_TAG;
    let reserved = format!("^({})", RESERVED_TAGS.join("|"));
    described(
        "Tags of every resource.",
        json!({
            "type": ["object", "null"],
            "propertyNames": { "minLength": 1, "maxLength": key, "not": { "pattern": reserved } },
            "additionalProperties": { "type": "string", "maxLength": value },
        }),
    )
}
