//! The cryptography of keys that sign.

use super::super::wire::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde::{Deserialize, Serialize};

/// What precedes the point of a key on P-256 in a `SubjectPublicKeyInfo` (RFC 5480).
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same of a key of Ed25519 (RFC 8410).
const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::local) enum Spec {
    #[serde(rename = "ECC_NIST_P256")]
    P256,
    #[serde(rename = "ECC_NIST_EDWARDS25519")]
    Ed25519,
    /// It encrypts; here it is a name that others refer to.
    #[serde(rename = "SYMMETRIC_DEFAULT")]
    Symmetric,
}

impl Spec {
    /// Those that the local environment has.
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::Ed25519, Self::Symmetric];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "ECC_NIST_P256",
            Self::Ed25519 => "ECC_NIST_EDWARDS25519",
            Self::Symmetric => "SYMMETRIC_DEFAULT",
        }
    }

    /// The one thing that such a key is used for here.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::P256 | Self::Ed25519 => "SIGN_VERIFY",
            Self::Symmetric => "ENCRYPT_DECRYPT",
        }
    }

    /// The algorithms with which it signs; none: it does not.
    pub(super) const fn algorithms(self) -> &'static [&'static str] {
        match self {
            Self::P256 => &["ECDSA_SHA_256"],
            Self::Ed25519 => &["ED25519_SHA_512", "ED25519_PH_SHA_512"],
            Self::Symmetric => &[],
        }
    }

    /// A new private key: PKCS#8 in base64, empty when it does not sign.
    pub(super) fn generate(self) -> Result<String, ServiceError> {
        let random = SystemRandom::new();
        let made = match self {
            Self::P256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random),
            Self::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            Self::Symmetric => return Ok(String::new()),
        };
        made.map(|document| STANDARD.encode(document.as_ref())).map_err(|_| broken("no key can be made"))
    }

    /// The public half as a `SubjectPublicKeyInfo`.
    pub(super) fn public(self, material: &str) -> Result<Vec<u8>, ServiceError> {
        Ok(match self {
            Self::P256 => [&P256_HEAD[..], self.point(material)?.as_slice()].concat(),
            Self::Ed25519 => [&ED25519_HEAD[..], self.point(material)?.as_slice()].concat(),
            Self::Symmetric => return Err(broken("a symmetric key has no public half")),
        })
    }

    fn point(self, material: &str) -> Result<Vec<u8>, ServiceError> {
        Ok(match self {
            Self::P256 => ecdsa(material)?.public_key().as_ref().to_vec(),
            _ => ed25519(material)?.public_key().as_ref().to_vec(),
        })
    }

    /// Signs a message.
    pub(super) fn sign(self, material: &str, message: &[u8]) -> Result<Vec<u8>, ServiceError> {
        Ok(match self {
            Self::P256 => {
                let signed = ecdsa(material)?.sign(&SystemRandom::new(), message);
                signed.map_err(|_| broken("the key does not sign"))?.as_ref().to_vec()
            }
            Self::Ed25519 => ed25519(material)?.sign(message).as_ref().to_vec(),
            Self::Symmetric => return Err(broken("a symmetric key does not sign")),
        })
    }

    /// Whether a signature is the key's of a message.
    pub(super) fn verify(self, material: &str, message: &[u8], given: &[u8]) -> Result<bool, ServiceError> {
        let algorithm: &dyn signature::VerificationAlgorithm = match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::Ed25519 => &ED25519,
            Self::Symmetric => return Err(broken("a symmetric key does not sign")),
        };
        let key = signature::UnparsedPublicKey::new(algorithm, self.point(material)?);
        Ok(key.verify(message, given).is_ok())
    }
}

fn bytes(material: &str) -> Result<Vec<u8>, ServiceError> {
    STANDARD.decode(material).map_err(|error| broken(&error.to_string()))
}

fn ecdsa(material: &str) -> Result<EcdsaKeyPair, ServiceError> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &bytes(material)?, &SystemRandom::new());
    pair.map_err(|error| broken(&error.to_string()))
}

fn ed25519(material: &str) -> Result<Ed25519KeyPair, ServiceError> {
    Ed25519KeyPair::from_pkcs8(&bytes(material)?).map_err(|error| broken(&error.to_string()))
}

/// A record that cannot be what this program has written.
fn broken(why: &str) -> ServiceError {
    ServiceError::new(500, "KMSInternalException", format!("The key cannot be used: {why}"))
}
