//! Evidence signed: an in-toto statement about the document, in a DSSE envelope, with an Ed25519 key.
//!
//! Nothing here is amiforge's own invention, so that others can check it: the envelope is DSSE v1 (payload type
//! `application/vnd.in-toto+json`), the payload an in-toto Statement v1 whose subject is the evidence file, by the SHA-256
//! of its bytes; keys are PEM files as OpenSSL writes them. The predicate names the image, the digest that stands on it,
//! and how it was built, in the words of SLSA's provenance.

use super::canonical::hex_sha256;
use super::{Evidence, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// `payloadType` of the envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// `_type` of the statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of the statement.
pub const PREDICATE: &str = "urn:amiforge:evidence:1";
/// What precedes the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why something cannot be signed, or is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A file.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No key of the kind.
    #[error("{} is no Ed25519 {kind} key in PEM", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        kind: &'static str,
    },
    /// The envelope cannot be read.
    #[error("{} is no signed statement about evidence: {reason}", path.display())]
    Envelope {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nobody who is trusted has signed.
    #[error("{} is not signed by any of the {keys} trusted keys", path.display())]
    Untrusted {
        /// The envelope.
        path: PathBuf,
        /// How many keys there are.
        keys: usize,
    },
    /// What was signed is something else.
    #[error("{} is signed for something else: {reason}", path.display())]
    Other {
        /// The envelope.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
}

impl SignError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        Some(match self {
            Self::Io { .. } => "run `amiforge validate` again with `signing.key` in amiforge.yaml".to_owned(),
            Self::Key { kind: "private", .. } => {
                "make one: openssl genpkey -algorithm ed25519 -out evidence.pem".to_owned()
            }
            Self::Key { .. } => "make it from the private one: openssl pkey -in evidence.pem -pubout".to_owned(),
            Self::Untrusted { .. } => "ask who signed it, or run `amiforge validate` again".to_owned(),
            Self::Envelope { .. } | Self::Other { .. } => "run `amiforge validate` again".to_owned(),
        })
    }
}

/// A key that signs.
#[derive(Debug)]
pub struct PrivateKey {
    pair: Ed25519KeyPair,
}

/// A key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: Vec<u8>,
    /// Hexadecimal SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: String,
    /// The file it is from.
    pub path: PathBuf,
}

impl PrivateKey {
    /// Reads a PKCS#8 key, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no such key.
    pub fn read(path: &Path) -> Result<Self, SignError> {
        let no_key = || SignError::Key { path: path.to_owned(), kind: "private" };
        let der = pem(&text(path)?, "PRIVATE KEY").ok_or_else(no_key)?;
        // OpenSSL leaves the public half out, so there is nothing to compare it with.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| no_key())?;
        Ok(Self { pair })
    }

    /// Hexadecimal SHA-256 of the `SubjectPublicKeyInfo` of its public half.
    #[must_use]
    pub fn id(&self) -> String {
        key_id(self.pair.public_key().as_ref())
    }

    /// Signs the statement about a document, given by the bytes of its file.
    #[must_use]
    pub fn sign(&self, evidence: &Evidence, file: &[u8], name: &str) -> String {
        let payload = statement(evidence, file, name).to_string();
        let signature = self.pair.sign(&encoding(PAYLOAD_TYPE, payload.as_bytes()));
        let envelope = Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: self.id(), sig: STANDARD.encode(signature) }],
        };
        // Texts only: this cannot fail.
        serde_json::to_string_pretty(&envelope).unwrap_or_default() + "\n"
    }
}

impl PublicKey {
    /// Reads a public key, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no such key.
    pub fn read(path: &Path) -> Result<Self, SignError> {
        let der = pem(&text(path)?, "PUBLIC KEY");
        let bytes = der.as_deref().and_then(|der| der.strip_prefix(&SPKI)).filter(|bytes| bytes.len() == 32);
        let bytes = bytes.ok_or_else(|| SignError::Key { path: path.to_owned(), kind: "public" })?.to_vec();
        Ok(Self { id: key_id(&bytes), bytes, path: path.to_owned() })
    }
}

/// A DSSE envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    /// Only a hint, as DSSE has it; which key has signed is tried.
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// Checks that a trusted key has signed exactly this document, and returns the key.
///
/// # Errors
/// When the envelope cannot be read, nobody who is trusted has signed it, or it is about something else.
pub fn verify<'a>(
    path: &Path,
    evidence: &Evidence,
    file: &[u8],
    trusted: &'a [PublicKey],
) -> Result<&'a PublicKey, SignError> {
    let unreadable = |reason: String| SignError::Envelope { path: path.to_owned(), reason };
    let envelope: Envelope = serde_json::from_str(&text(path)?).map_err(|error| unreadable(error.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(unreadable(format!("its payload is `{}`", envelope.payload_type)));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| unreadable(error.to_string()))?;
    let signed = encoding(&envelope.payload_type, &payload);
    let signatures: Vec<Vec<u8>> =
        envelope.signatures.iter().filter_map(|signature| STANDARD.decode(&signature.sig).ok()).collect();
    let has_signed = |key: &&PublicKey| {
        let key = UnparsedPublicKey::new(&ED25519, &key.bytes);
        signatures.iter().any(|signature| key.verify(&signed, signature).is_ok())
    };
    let untrusted = || SignError::Untrusted { path: path.to_owned(), keys: trusted.len() };
    let key = trusted.iter().find(has_signed).ok_or_else(untrusted)?;
    // Only what is signed is read.
    let said: Value = serde_json::from_slice(&payload).map_err(|error| unreadable(error.to_string()))?;
    let other = |reason: String| SignError::Other { path: path.to_owned(), reason };
    about(&said, evidence, file).map_err(other)?;
    Ok(key)
}

/// Whether a statement is about this document.
fn about(said: &Value, evidence: &Evidence, file: &[u8]) -> Result<(), String> {
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

/// What is said about a document.
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

/// DSSE's pre-authentication encoding, which is what is signed.
fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn key_id(bytes: &[u8]) -> String {
    hex_sha256(&[&SPKI[..], bytes].concat())
}

fn text(path: &Path) -> Result<String, SignError> {
    std::fs::read_to_string(path).map_err(|source| SignError::Io { path: path.to_owned(), source })
}

/// The bytes of the first block with this label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
