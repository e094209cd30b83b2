//! Signing and what belongs to it. The operations take messages; a digest made by the caller is not signed here (see the
//! differences in [`crate::local`]).

use super::super::Local;
use super::super::input::Input;
use super::super::wire::{Caller, ServiceError};
use super::key::Key;
use super::material::Spec;
use super::{dry, find, input};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Most bytes of a message that is signed as it is.
const LONGEST: usize = 4096;
/// Most bytes of a signature (the model's `CiphertextType`).
const LONGEST_SIGNATURE: usize = 6144;
/// Every algorithm of the service's model.
const ALGORITHMS: [&str; 13] = [
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_256",
    "ECDSA_SHA_384",
    "ECDSA_SHA_512",
    "SM2DSA",
    "ML_DSA_SHAKE_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
];

/// What `Sign` and `Verify` have in common.
struct Asked<'a> {
    name: &'a str,
    message: Vec<u8>,
    kind: &'a str,
    algorithm: &'a str,
    dry: bool,
}

impl<'a> Asked<'a> {
    fn parse(input: &Input<'a>) -> Result<Self, ServiceError> {
        let asked = Self {
            name: input.required("KeyId")?,
            message: blob(input, "Message", LONGEST)?,
            kind: input.one_of("MessageType", &["RAW", "DIGEST", "EXTERNAL_MU"])?.unwrap_or("RAW"),
            algorithm: match input.one_of("SigningAlgorithm", &ALGORITHMS)? {
                Some(algorithm) => algorithm,
                None => return Err(input.missing("SigningAlgorithm")),
            },
            dry: input.flag("DryRun")?.unwrap_or(false),
        };
        Ok(asked)
    }

    /// The key, if it can do what is asked for.
    fn key(&self, local: &Local, caller: &Caller, operation: &str) -> Result<Key, ServiceError> {
        let key = local.store.read(|tx| find::key(tx, caller, self.name, operation))?;
        key.usable()?;
        let refused = |text: String| Err(ServiceError::client("InvalidKeyUsageException", text));
        if key.spec == Spec::Symmetric {
            return refused(format!(
                "{} key usage is {} which is not valid for {operation}.",
                key.arn(),
                key.spec.usage()
            ));
        }
        if !key.spec.algorithms().contains(&self.algorithm) {
            return refused(format!("Algorithm {} is incompatible with key spec {}.", self.algorithm, key.spec.name()));
        }
        self.mode(key.spec)?;
        if self.dry {
            return Err(dry());
        }
        Ok(key)
    }

    /// Refuses what cannot be signed in that way.
    fn mode(&self, spec: Spec) -> Result<(), ServiceError> {
        let invalid = |text: String| Err(ServiceError::client("ValidationException", text));
        match (self.algorithm, self.kind) {
            ("ED25519_PH_SHA_512", "RAW") | ("ED25519_SHA_512", "DIGEST") | (_, "EXTERNAL_MU") => {
                invalid(format!("MessageType {} is incompatible with the algorithm {}.", self.kind, self.algorithm))
            }
            ("ECDSA_SHA_256", "DIGEST") if self.message.len() != 32 => {
                invalid(format!("Digest is invalid length for algorithm {}.", self.algorithm))
            }
            // Real cryptography or none: the library that is used here hashes by itself.
            (_, "DIGEST") => invalid(format!(
                "The signature of a digest by a key of {} is not in the local environment.",
                spec.name()
            )),
            _ => Ok(()),
        }
    }
}

/// A member with bytes, of which there must be at least one.
fn blob(input: &Input<'_>, name: &str, longest: usize) -> Result<Vec<u8>, ServiceError> {
    let text = input.required(name)?;
    let bytes = STANDARD.decode(text).map_err(|error| {
        ServiceError::client("SerializationException", format!("The member {name} is not base64: {error}"))
    })?;
    if (1..=longest).contains(&bytes.len()) {
        return Ok(bytes);
    }
    Err(input.invalid(name, &format!("It has {} bytes; allowed are 1 to {longest}.", bytes.len())))
}

/// `GetPublicKey`.
pub(super) fn public_key(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("KeyId")?;
    let key = local.store.read(|tx| find::key(tx, caller, name, "GetPublicKey"))?;
    key.usable()?;
    if key.spec == Spec::Symmetric {
        let text = format!("{} is a symmetric key, which has no public key.", key.arn());
        return Err(ServiceError::client("UnsupportedOperationException", text));
    }
    Ok(json!({
        "KeyId": key.arn(),
        "PublicKey": STANDARD.encode(key.spec.public(&key.material)?),
        "CustomerMasterKeySpec": key.spec.name(),
        "KeySpec": key.spec.name(),
        "KeyUsage": key.spec.usage(),
        "SigningAlgorithms": key.spec.algorithms(),
    }))
}

/// `Sign`.
pub(super) fn sign(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked::parse(&input(request))?;
    let key = asked.key(local, caller, "Sign")?;
    let signature = key.spec.sign(&key.material, &asked.message)?;
    Ok(json!({
        "KeyId": key.arn(), "Signature": STANDARD.encode(signature), "SigningAlgorithm": asked.algorithm,
    }))
}

/// `Verify`. A signature that is not the key's is an error.
pub(super) fn verify(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let asked = Asked::parse(&input)?;
    let signature = blob(&input, "Signature", LONGEST_SIGNATURE)?;
    let key = asked.key(local, caller, "Verify")?;
    if !key.spec.verify(&key.material, &asked.message, &signature)? {
        let text = "The signature is not that of this key over this message.";
        return Err(ServiceError::client("KMSInvalidSignatureException", text));
    }
    Ok(json!({ "KeyId": key.arn(), "SignatureValid": true, "SigningAlgorithm": asked.algorithm }))
}
