//! The record of a key.

use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::managed;
use super::material::Spec;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Kind of [`Key`] documents; the id is the key id.
pub(super) const KEY: &str = "kms-key";

/// A key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::local) struct Key {
    /// A UUID.
    pub id: String,
    /// Account of the owner.
    pub account: String,
    /// Region.
    pub region: String,
    pub spec: Spec,
    pub description: String,
    pub enabled: bool,
    /// Seconds since 1970.
    pub created_at: i64,
    /// From when on it is gone, in seconds since 1970, and over how many days that was announced.
    pub deletion: Option<(i64, i64)>,
    /// Its policy, as given.
    pub policy: String,
    pub tags: BTreeMap<String, String>,
    /// The private key: PKCS#8 in base64; empty for keys that never sign.
    pub material: String,
}

impl Key {
    /// The key of that id, unless its time is over.
    pub(super) fn get(
        tx: &Transaction<'_>,
        scope: &Scope,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<Option<Self>, ServiceError> {
        if id == managed::id(scope) {
            return Ok(Some(managed::key(scope)));
        }
        let key: Option<Self> = tx.get(scope, KEY, id)?;
        Ok(key.filter(|key| key.deletion.is_none_or(|(at, _)| now.unix_timestamp() < at)))
    }

    /// Writes it.
    pub(super) fn put(&self, tx: &Transaction<'_>) -> Result<(), ServiceError> {
        Ok(tx.put(&self.scope(), KEY, &self.id, self)?)
    }

    /// Where it is.
    pub(super) fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), region: self.region.clone() }
    }

    /// Its ARN.
    pub(in crate::local) fn arn(&self) -> String {
        arn(&self.scope(), &format!("key/{}", self.id))
    }

    fn state(&self) -> &'static str {
        match (self.deletion, self.enabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Enabled",
            (None, false) => "Disabled",
        }
    }

    /// Refuses a key that cannot be used as it is.
    pub(super) fn usable(&self) -> Result<(), ServiceError> {
        self.not_pending()?;
        if self.enabled {
            return Ok(());
        }
        Err(ServiceError::client("DisabledException", format!("{} is disabled.", self.arn())))
    }

    /// Refuses a key that is to be deleted.
    pub(super) fn not_pending(&self) -> Result<(), ServiceError> {
        if self.deletion.is_none() {
            return Ok(());
        }
        Err(ServiceError::client("KMSInvalidStateException", format!("{} is pending deletion.", self.arn())))
    }

    /// `KeyMetadata`.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": self.account,
            "KeyId": self.id,
            "Arn": self.arn(),
            "CreationDate": self.created_at,
            "Enabled": self.state() == "Enabled",
            "Description": self.description,
            "KeyUsage": self.spec.usage(),
            "KeyState": self.state(),
            "Origin": "AWS_KMS",
            "KeyManager": if self.id == managed::id(&self.scope()) { "AWS" } else { "CUSTOMER" },
            "CustomerMasterKeySpec": self.spec.name(),
            "KeySpec": self.spec.name(),
            "MultiRegion": false,
        });
        match self.spec.algorithms() {
            [] => metadata["EncryptionAlgorithms"] = json!(["SYMMETRIC_DEFAULT"]),
            algorithms => metadata["SigningAlgorithms"] = json!(algorithms),
        }
        if let Some((at, _)) = self.deletion {
            metadata["DeletionDate"] = json!(at);
        }
        metadata
    }
}

/// An ARN of the service.
pub(super) fn arn(scope: &Scope, resource: &str) -> String {
    format!("arn:aws:kms:{}:{}:{resource}", scope.region, scope.account)
}
