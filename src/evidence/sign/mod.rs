//! Evidence signed: an in-toto statement about the document, in a DSSE envelope, with a key in a file or in KMS.
//!
//! Nothing here is amiforge's own invention, so that others can check it: the envelope is DSSE v1 (payload type
//! `application/vnd.in-toto+json`), the payload an in-toto Statement v1 whose subject is the evidence file, by the SHA-256
//! of its bytes; public keys are PEM files as OpenSSL writes them. The predicate names the image, the digest that stands on
//! it, and how it was built, in the words of SLSA's provenance.
//!
//! | part | what it has |
//! |---|---|
//! | `statement` | what is said about a document, and what of that is signed |
//! | `key` | keys: those that sign, from files, and those that are trusted |
//! | `envelope` | the signed statement, and whether it can be believed |
//! | [`kms`] | keys that never leave KMS |

mod envelope;
mod key;
#[cfg(feature = "aws")]
pub mod kms;
mod statement;

pub use envelope::verify;
pub use key::{Algorithm, KeySource, PrivateKey, PublicKey};
pub use statement::{PAYLOAD_TYPE, PREDICATE, Unsigned};

use std::path::PathBuf;

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
    /// There is no envelope.
    #[error("{} is not there: nobody has signed the evidence", path.display())]
    Unsigned {
        /// Where it would be.
        path: PathBuf,
    },
    /// No key of the kind.
    #[error("{} is no {kind} key that can be used: it has to be {wanted} in PEM", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        kind: &'static str,
        /// Which algorithms would do.
        wanted: &'static str,
    },
    /// A key in KMS that does not do.
    #[error("the KMS key {key} cannot be used for evidence: {reason}")]
    KmsKey {
        /// As it is named in the project.
        key: String,
        /// Why.
        reason: String,
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
            Self::Io { .. } => "look whether the file is there, and the path in `signing` of amiforge.yaml".to_owned(),
            Self::Unsigned { .. } => "run `amiforge validate` again with `signing` in amiforge.yaml".to_owned(),
            Self::Key { kind: "private", .. } => {
                "make one: openssl genpkey -algorithm ed25519 -out evidence.pem".to_owned()
            }
            Self::Key { .. } => "make it from the private one: openssl pkey -in evidence.pem -pubout".to_owned(),
            Self::KmsKey { .. } => {
                "make one: aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256".to_owned()
            }
            Self::Untrusted { .. } => "ask who signed it, or run `amiforge validate` again".to_owned(),
            Self::Envelope { .. } | Self::Other { .. } => "run `amiforge validate` again".to_owned(),
        })
    }

    /// Whether it says something about the signature. Otherwise nobody knows: a key or a file could not be had.
    #[must_use]
    pub fn is_of_the_evidence(&self) -> bool {
        match self {
            Self::Unsigned { .. } | Self::Envelope { .. } | Self::Untrusted { .. } | Self::Other { .. } => true,
            Self::Io { .. } | Self::Key { .. } | Self::KmsKey { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
