//! Keys that never leave KMS: what is signed goes there, and their public halves are asked for whenever they are needed.

use super::{Algorithm, KeySource, PublicKey, SignError, Unsigned, envelope};
use crate::aws::{CallError, Cloud};
use crate::evidence::EvidenceError;
use crate::project::Location;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use sha2::{Digest as _, Sha256};

/// Most bytes of a message that `Sign` takes; of a longer one the digest goes there (model: `PlaintextType`).
const LONGEST: usize = 4096;
/// What a signature is tried with. Nobody gets to see it.
const TRIAL: &[u8] = b"amiforge";
/// How KMS says that a call that was not to be done would have been done.
const WOULD: &str = "DryRunOperationException";

/// A key as the project names it: an id, an ARN, or an alias.
#[derive(Debug, Clone)]
pub struct KmsKey {
    name: String,
    place: Location,
    client: aws_sdk_kms::Client,
}

impl KmsKey {
    /// The key of that name. An ARN says its Region; the others are of the home Region. Calls are those of the home account,
    /// whosever the key is.
    #[must_use]
    pub fn of(cloud: &Cloud, name: &str) -> Self {
        let home = cloud.home();
        let region = name.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        let place = Location {
            account: home.account.clone(),
            region: region.filter(|region| !region.is_empty()).unwrap_or(&home.region).to_owned(),
        };
        Self { name: name.to_owned(), client: cloud.kms(&place), place }
    }

    /// Its public half, as KMS has it now.
    ///
    /// # Errors
    /// When KMS does not answer with one: the key is not there, not usable, not for us, or of a kind that cannot be used.
    pub async fn public(&self) -> Result<PublicKey, EvidenceError> {
        let answer = self.client.get_public_key().key_id(&self.name).send().await;
        let answer = answer.map_err(CallError::of("GetPublicKey", &self.place)).map_err(|error| self.fault(error))?;
        let unusable = |reason: String| SignError::KmsKey { key: self.name.clone(), reason };
        let id = answer.key_id().unwrap_or_default();
        // An ARN names one key for ever: nothing else is taken for it.
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        if id.is_empty() || (self.name.contains(":key/") && last(id) != last(&self.name)) {
            return Err(unusable(format!("KMS answered with another one, `{id}`")).into());
        }
        if let Some(usage) = answer.key_usage().filter(|usage| **usage != KeyUsageType::SignVerify) {
            return Err(unusable(format!("it is for {}", usage.as_str())).into());
        }
        let der = answer.public_key().map(Blob::as_ref).unwrap_or_default();
        let spec = answer.key_spec().map_or("unknown", |spec| spec.as_str());
        let key = PublicKey::of(der, KeySource::Kms(id.to_owned()));
        let wrong = || unusable(format!("its spec is {spec}; ECC_NIST_P256 and ECC_NIST_EDWARDS25519 can be used"));
        Ok(key.ok_or_else(wrong)?)
    }

    fn fault(&self, source: CallError) -> EvidenceError {
        EvidenceError::Kms { key: self.name.clone(), source }
    }
}

/// A key in KMS that signs.
#[derive(Debug, Clone)]
pub struct KmsSigner {
    key: KmsKey,
    public: PublicKey,
}

impl KmsSigner {
    /// Makes sure that the key is there, and that it would sign for us.
    ///
    /// # Errors
    /// See [`KmsKey::public`]; when it would not sign.
    pub async fn open(key: KmsKey) -> Result<Self, EvidenceError> {
        let signer = Self { public: key.public().await?, key };
        match signer.call(TRIAL.to_vec(), MessageType::Raw, true).await {
            Err(EvidenceError::Kms { source, .. }) if source.fault.is(&[WOULD]) => Ok(signer),
            // A KMS of others may not know trials.
            Ok(_) => Ok(signer),
            Err(error) => Err(error),
        }
    }

    /// Signs a statement; the envelope.
    ///
    /// # Errors
    /// When KMS does not sign, or what it answers is no signature of the key.
    pub async fn sign(&self, unsigned: &Unsigned) -> Result<String, EvidenceError> {
        let message = unsigned.message();
        let unusable = |reason: String| SignError::KmsKey { key: self.key.name.clone(), reason };
        let signature = match (message.len() > LONGEST, self.public.algorithm) {
            (false, _) => self.call(message.clone(), MessageType::Raw, false).await?,
            (true, Algorithm::P256) => self.call(Sha256::digest(&message).to_vec(), MessageType::Digest, false).await?,
            (true, Algorithm::Ed25519) => {
                let text = "the statement is longer than the 4096 bytes that KMS signs with Ed25519; a key on P-256 has no such limit";
                return Err(unusable(text.to_owned()).into());
            }
        };
        if !self.public.has_signed(&message, &signature) {
            return Err(unusable("what KMS has made is no signature of its public key".to_owned()).into());
        }
        Ok(envelope::sealed(unsigned, &self.public.id, &signature))
    }

    async fn call(&self, message: Vec<u8>, kind: MessageType, dry: bool) -> Result<Vec<u8>, EvidenceError> {
        // The very key whose public half is known, wherever an alias leads by now.
        let name = match &self.public.from {
            KeySource::Kms(arn) => arn.as_str(),
            KeySource::File(_) => self.key.name.as_str(),
        };
        let algorithm = match self.public.algorithm {
            Algorithm::P256 => SigningAlgorithmSpec::EcdsaSha256,
            Algorithm::Ed25519 => SigningAlgorithmSpec::Ed25519Sha512,
        };
        let call = self.key.client.sign().key_id(name).message(Blob::new(message)).message_type(kind);
        let answer = call.signing_algorithm(algorithm).set_dry_run(dry.then_some(true)).send().await;
        let answer = answer.map_err(CallError::of("Sign", &self.key.place)).map_err(|error| self.key.fault(error))?;
        Ok(answer.signature().map(|signature| signature.as_ref().to_vec()).unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "kms_tests.rs"]
mod tests;
