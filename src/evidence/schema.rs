//! The JSON Schema of an evidence document, for whoever reads one without amiforge. Draft-07, as the other schemas.

use super::SCHEMA;
use crate::component::DIALECT;
use serde_json::{Map, Value, json};

/// The schema of `amiforge.evidence/4`.
#[must_use]
pub fn schema() -> Value {
    let mut schema = object(
        &["schema", "candidate", "collected_at", "packages", "image"],
        [
            ("schema", said("The version of this document.", json!({ "const": SCHEMA }))),
            ("candidate", candidate()),
            ("collected_at", said("When it was collected.", time())),
            ("os", or_null(system())),
            ("packages", said("Packages installed on a fresh instance.", list(&package()))),
            ("inventory", said("Digest of the inventory that lies beside the evidence.", or_null(digest()))),
            ("changes", said("What the build changed.", json!({ "type": ["object", "null"] }))),
            ("patches", or_null(patches())),
            ("evaluation", or_null(evaluation())),
            ("tests", or_null(tests())),
            ("image", image()),
            ("ancestry", or_null(ancestry())),
            ("used_kib", said("What the files take, in KiB.", json!({ "type": ["integer", "null"], "minimum": 0 }))),
            ("vulnerabilities", said("What scanners have found, one after the other.", list(&vulnerabilities()))),
            ("hygiene", or_null(hygiene())),
            ("commands", said("What became of the project's own commands.", list(&command()))),
        ],
    );
    for (key, value) in [
        ("$schema", DIALECT),
        ("title", "amiforge evidence"),
        (
            "description",
            "Everything known about one candidate. Its digest, the SHA-256 of the JSON with sorted keys and no spaces, \
                         stands on the AMI in the tag amiforge:evidence.",
        ),
    ] {
        schema[key] = value.into();
    }
    schema
}

fn object<const N: usize>(required: &[&str], properties: [(&str, Value); N]) -> Value {
    let properties: Map<String, Value> = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn said(summary: &str, mut schema: Value) -> Value {
    schema["description"] = summary.into();
    schema
}

fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"].clone(), "null"]);
    schema
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe_text() -> Value {
    json!({ "type": ["string", "null"] })
}

/// RFC 3339; what cannot be read as a time is kept as it was, and the gates refuse it.
fn time() -> Value {
    json!({ "type": "string" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn digest() -> Value {
    json!({ "type": "string" })
}

fn candidate() -> Value {
    let schema = object(
        &["project", "recipe", "arch", "account", "region", "ami", "created_at"],
        [
            ("project", text()),
            ("recipe", text()),
            ("arch", text()),
            ("account", text()),
            ("region", text()),
            ("ami", text()),
            ("image_arn", said("Image build version ARN.", maybe_text())),
            ("image_version", said("For example 1.0.3/1.", maybe_text())),
            ("fingerprint", said("Fingerprint of what went into it.", maybe_text())),
            ("created_at", said("Creation time of the AMI.", time())),
        ],
    );
    said("Which image it is about.", schema)
}

fn system() -> Value {
    said(
        "The system in the image, by its os-release.",
        object(&["id", "version"], [("id", text()), ("version", text())]),
    )
}

fn package() -> Value {
    object(&["name", "arch", "version"], [("name", text()), ("arch", text()), ("version", text())])
}

fn counts() -> Value {
    let names = [
        "installed",
        "installed_other",
        "installed_pending_reboot",
        "installed_rejected",
        "missing",
        "failed",
        "not_applicable",
    ];
    let mut properties: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), count())).collect();
    properties.insert("available_security_update".to_owned(), count());
    json!({ "type": "object", "properties": properties, "required": names })
}

fn patches() -> Value {
    let states = crate::patch::State::ALL.map(|state| serde_json::to_value(state).unwrap_or_default());
    let item = json!({
        "type": "object",
        "properties": {
            "name": text(), "arch": text(), "installed": text(), "available": maybe_text(), "state": { "enum": states },
            "classification": text(), "severity": text(), "level": text(),
        },
        "required": ["name", "arch", "installed", "state", "classification", "level"],
    });
    let notice = object(
        &["cves"],
        [
            ("released", said("Since when there has been a newer version.", maybe_text())),
            ("level", said("Compliance level of the rule that approved it.", maybe_text())),
            ("cves", list(&text())),
        ],
    );
    let schema = object(
        &["baseline", "expected_baseline", "baseline_id", "scanned_at", "counts", "open"],
        [
            ("baseline", text()),
            ("expected_baseline", text()),
            ("baseline_id", text()),
            ("baseline_digest", maybe_text()),
            ("scanned_at", time()),
            ("counts", counts()),
            ("open", said("Every patch that is not simply installed.", list(&item))),
            ("notices", json!({ "type": "object", "additionalProperties": notice })),
        ],
    );
    said("The result of AWS-RunPatchBaseline (Scan) on a fresh instance.", schema)
}

fn evaluation() -> Value {
    let schema = object(
        &["baseline", "open", "differences", "notes"],
        [
            ("baseline", text()),
            ("counts", or_null(counts())),
            ("open", list(&text())),
            ("differences", list(&text())),
            ("notes", list(&text())),
            ("failed", maybe_text()),
        ],
    );
    said("What amiforge itself makes of baseline and inventory.", schema)
}

fn tests() -> Value {
    let unreal =
        json!({ "type": "object", "properties": { "name": text(), "why": text() }, "required": ["name", "why"] });
    let case = object(
        &["name", "passed", "executed_steps", "failed_steps", "skipped_steps", "message"],
        [
            ("name", text()),
            ("passed", flag()),
            ("executed_steps", count()),
            ("failed_steps", count()),
            ("skipped_steps", count()),
            ("message", text()),
            ("steps", said("What became of each step.", json!({ "type": ["array", "null"], "items": test_step() }))),
        ],
    );
    let schema = object(
        &["passed", "executed_steps", "failed_steps", "message"],
        [
            ("passed", flag()),
            ("executed_steps", count()),
            ("failed_steps", count()),
            ("skipped_steps", count()),
            ("not_real", list(&unreal)),
            ("message", text()),
            ("cases", list(&case)),
        ],
    );
    said("What the test phase said.", schema)
}

fn test_step() -> Value {
    object(
        &["component", "phase", "step", "outcome"],
        [
            ("component", text()),
            ("phase", text()),
            ("step", text()),
            ("outcome", json!({ "enum": ["passed", "failed", "skipped", "unknown"] })),
            ("message", text()),
        ],
    )
}

fn image() -> Value {
    let volume = object(
        &["device", "encrypted"],
        [
            ("device", text()),
            ("gib", or_null(count())),
            ("encrypted", flag()),
            ("kind", maybe_text()),
            ("snapshot", maybe_text()),
        ],
    );
    let schema = object(
        &["name", "state", "owner", "imds_v2", "encrypted", "public", "architecture", "ena", "root_device", "volumes"],
        [
            ("name", text()),
            ("state", text()),
            ("owner", text()),
            ("imds_v2", said("Whether its instances require IMDSv2.", flag())),
            ("encrypted", said("Whether it has volumes, all of them encrypted.", flag())),
            ("public", flag()),
            ("architecture", text()),
            ("ena", flag()),
            ("boot_mode", maybe_text()),
            ("shared_with", said("Accounts that may launch it besides the owner.", or_null(list(&text())))),
            ("root_device", text()),
            ("volumes", list(&volume)),
        ],
    );
    said("Attributes of the AMI.", schema)
}

fn ancestry() -> Value {
    let image = object(
        &["ami", "seen"],
        [
            ("ami", text()),
            ("seen", said("Whether it is there and may be looked at.", flag())),
            ("owner", text()),
            ("owner_alias", maybe_text()),
            ("name", text()),
            ("created_at", time()),
        ],
    );
    said("The images it descends from, the nearest first.", object(&["images"], [("images", list(&image))]))
}

fn vulnerabilities() -> Value {
    let fix = said("Whether there is a version without it.", json!({ "enum": ["unknown", "none", "available"] }));
    let finding = object(
        &["id", "severity"],
        [
            ("id", text()),
            ("severity", text()),
            ("title", said("What else the scanner calls it.", maybe_text())),
            ("package", text()),
            ("version", maybe_text()),
            ("fix", fix),
            ("fixed_in", maybe_text()),
            ("paths", list(&text())),
            ("first_seen", maybe_text()),
        ],
    );
    let schema = object(
        &["scanned_at", "source", "findings"],
        [
            ("scanned_at", time()),
            ("source", said("image-builder, ec2 or inspector.", text())),
            ("failed", said("Why the scan came to nothing.", maybe_text())),
            ("findings", list(&finding)),
        ],
    );
    said("Findings of one scanner.", schema)
}

fn hygiene() -> Value {
    let failed = object(&["rule", "why"], [("rule", text()), ("why", text())]);
    let finding = object(
        &["rule", "severity", "path", "why"],
        [("rule", text()), ("severity", text()), ("path", text()), ("why", text())],
    );
    let schema = object(
        &["version", "looked_at", "rules", "findings"],
        [
            ("version", said("Version of the rules.", count())),
            ("looked_at", time()),
            ("rules", said("Rules that were looked at to their end.", list(&text()))),
            ("failed", said("Rules that were not.", list(&failed))),
            ("findings", list(&finding)),
        ],
    );
    said("What the image carries that it should not.", schema)
}

fn command() -> Value {
    object(
        &["name", "digest", "last_lines", "milliseconds", "ended_at"],
        [
            ("name", text()),
            ("digest", digest()),
            ("exit", json!({ "type": ["integer", "null"], "minimum": i32::MIN, "maximum": i32::MAX })),
            ("failed", text()),
            ("last_lines", list(&text())),
            ("milliseconds", json!({ "type": "integer", "minimum": 0 })),
            ("ended_at", time()),
        ],
    )
}
