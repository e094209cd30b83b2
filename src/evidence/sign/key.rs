//! Keys: those that sign, from files, and those that are trusted.

use super::{SignError, Unsigned, envelope};
use crate::evidence::canonical::hex_sha256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm,
};
use std::fmt;
use std::path::{Path, PathBuf};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256 with SHA-256; signatures are DER.
    P256,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Ed25519, Self::P256];

    /// What precedes the key itself in a `SubjectPublicKeyInfo` (RFC 8410, RFC 5480).
    const fn head(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
            Self::P256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
        }
    }

    /// Bytes of the key itself; on P-256 an uncompressed point.
    const fn length(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::P256 => 65,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
        }
    }
}

/// Where a key is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// KMS: its ARN.
    Kms(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Kms(arn) => f.write_str(arn),
        }
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
    /// How it signs.
    pub algorithm: Algorithm,
    bytes: Vec<u8>,
    /// Hexadecimal SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: String,
    /// Where it is from.
    pub from: KeySource,
}

impl PrivateKey {
    /// Reads a PKCS#8 key, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no such key.
    pub fn read(path: &Path) -> Result<Self, SignError> {
        let no_key = || SignError::Key { path: path.to_owned(), kind: "private", wanted: "Ed25519" };
        let der = pem(&text(path)?, "PRIVATE KEY").ok_or_else(no_key)?;
        // OpenSSL leaves the public half out, so there is nothing to compare it with.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| no_key())?;
        Ok(Self { pair })
    }

    /// Hexadecimal SHA-256 of the `SubjectPublicKeyInfo` of its public half.
    #[must_use]
    pub fn id(&self) -> String {
        hex_sha256(&[Algorithm::Ed25519.head(), self.pair.public_key().as_ref()].concat())
    }

    /// Signs a statement; the envelope.
    #[must_use]
    pub fn sign(&self, unsigned: &Unsigned) -> String {
        envelope::sealed(unsigned, &self.id(), self.raw(&unsigned.message()).as_slice())
    }

    pub(super) fn raw(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl PublicKey {
    /// Reads a public key of Ed25519 or P-256, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// When the file cannot be read or holds no such key.
    pub fn read(path: &Path) -> Result<Self, SignError> {
        let found = pem(&text(path)?, "PUBLIC KEY").and_then(|der| Self::of(&der, KeySource::File(path.to_owned())));
        found.ok_or_else(|| SignError::Key { path: path.to_owned(), kind: "public", wanted: "Ed25519 or P-256" })
    }

    /// The key in a `SubjectPublicKeyInfo`; nothing when it is one that cannot be used.
    pub(super) fn of(der: &[u8], from: KeySource) -> Option<Self> {
        let fits = |algorithm: &Algorithm| {
            der.strip_prefix(algorithm.head()).filter(|bytes| bytes.len() == algorithm.length()).map(<[u8]>::to_vec)
        };
        let (algorithm, bytes) = Algorithm::ALL.into_iter().find_map(|one| Some((one, fits(&one)?)))?;
        Some(Self { algorithm, bytes, id: hex_sha256(der), from })
    }

    /// Whether this key has made the signature over the message.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm.verification(), &self.bytes).verify(message, signature).is_ok()
    }
}

pub(super) fn text(path: &Path) -> Result<String, SignError> {
    std::fs::read_to_string(path).map_err(|source| SignError::Io { path: path.to_owned(), source })
}

/// The bytes of the first block with this label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}
