//! The signed statement, and whether it can be believed.

use super::key::text;
use super::statement::{PAYLOAD_TYPE, encoding, is_about};
use super::{PublicKey, SignError, Unsigned};
use crate::evidence::Evidence;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

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
    /// Which key is said to have made it. DSSE takes it as a hint; here it has to be true as well.
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// The envelope of a statement that was signed.
pub(super) fn sealed(unsigned: &Unsigned, key: &str, signature: &[u8]) -> String {
    let envelope = Envelope {
        payload: STANDARD.encode(&unsigned.payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![Signature { keyid: key.to_owned(), sig: STANDARD.encode(signature) }],
    };
    // Texts only: this cannot fail.
    serde_json::to_string_pretty(&envelope).unwrap_or_default() + "\n"
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
    let read = text(path).map_err(|error| match error {
        SignError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            SignError::Unsigned { path: path.to_owned() }
        }
        error => error,
    });
    let envelope: Envelope = serde_json::from_str(&read?).map_err(|error| unreadable(error.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(unreadable(format!("its payload is `{}`", envelope.payload_type)));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| unreadable(error.to_string()))?;
    let signed = encoding(&envelope.payload_type, &payload);
    let has_signed = |key: &&PublicKey| {
        let own = envelope.signatures.iter().filter(|one| one.keyid == key.id);
        let mut made = own.filter_map(|one| STANDARD.decode(&one.sig).ok());
        made.any(|signature| key.has_signed(&signed, &signature))
    };
    let untrusted = || SignError::Untrusted { path: path.to_owned(), keys: trusted.len() };
    let key = trusted.iter().find(has_signed).ok_or_else(untrusted)?;
    // Only what is signed is read.
    let said: Value = serde_json::from_slice(&payload).map_err(|error| unreadable(error.to_string()))?;
    let other = |reason: String| SignError::Other { path: path.to_owned(), reason };
    is_about(&said, evidence, file).map_err(other)?;
    Ok(key)
}
