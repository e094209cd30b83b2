//! What is said about a document.

use crate::evidence::canonical::hex_sha256;
use crate::evidence::{Evidence, digest};
use serde_json::{Value, json};

/// `payloadType` of the envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// `_type` of the statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of the statement.
pub const PREDICATE: &str = "urn:amiforge:evidence:1";

/// A statement that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// The statement as it will stand in the envelope.
    pub(super) payload: String,
}

impl Unsigned {
    /// The statement about a document, given by the bytes of its file and the file's name.
    #[must_use]
    pub fn about(evidence: &Evidence, file: &[u8], name: &str) -> Self {
        Self { payload: statement(evidence, file, name).to_string() }
    }

    /// What is signed of it.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        encoding(PAYLOAD_TYPE, self.payload.as_bytes())
    }
}

/// DSSE's pre-authentication encoding, which is what is signed.
pub(super) fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Whether a statement is about this document.
pub(super) fn is_about(said: &Value, evidence: &Evidence, file: &[u8]) -> Result<(), String> {
    let wanted = statement(evidence, file, "");
    for pointer in ["/_type", "/predicateType", "/predicate/evidence", "/predicate/image"] {
        let (is, want) = (said.pointer(pointer), wanted.pointer(pointer));
        if is != want {
            let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            return Err(format!("its {pointer} is {}, not {}", show(is), show(want)));
        }
    }
    let digest = &wanted["subject"][0]["digest"]["sha256"];
    match said["subject"].as_array().map(Vec::as_slice) {
        Some([subject]) if subject["digest"]["sha256"] == *digest => Ok(()),
        _ => Err(format!("its subject is not the one file with the SHA-256 {digest}")),
    }
}

fn statement(evidence: &Evidence, file: &[u8], name: &str) -> Value {
    let candidate = &evidence.candidate;
    let bytes = hex_sha256(file);
    json!({
        "_type": STATEMENT,
        "subject": [{ "name": name, "digest": { "sha256": bytes } }],
        "predicateType": PREDICATE,
        "predicate": {
            "evidence": { "schema": evidence.schema, "digest": digest(evidence), "collectedAt": evidence.collected_at },
            "image": { "account": candidate.account, "region": candidate.region, "ami": candidate.ami },
            "provenance": provenance(evidence),
        },
    })
}

/// How the image was built, as far as the evidence knows, in the form of SLSA provenance v1.
fn provenance(evidence: &Evidence) -> Value {
    let candidate = &evidence.candidate;
    let images = evidence.ancestry.iter().flat_map(|ancestry| &ancestry.images);
    let dependencies: Vec<Value> = images
        .map(|image| json!({ "uri": format!("urn:aws:ec2:image:{}", image.ami), "name": image.name, "annotations": { "owner": image.owner } }))
        .collect();
    json!({
        "buildDefinition": {
            "buildType": "urn:amiforge:image-builder:1",
            "externalParameters": {
                "project": candidate.project, "recipe": candidate.recipe, "arch": candidate.arch,
                "fingerprint": candidate.fingerprint,
            },
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": { "id": format!("urn:aws:imagebuilder:{}:{}", candidate.region, candidate.account) },
            "metadata": { "invocationId": candidate.image_arn, "finishedOn": candidate.created_at },
        },
    })
}
