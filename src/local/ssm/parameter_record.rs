//! Parameters in the store.

use super::super::Local;
use super::super::input::compact;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{ServiceError, user};
use super::epoch;
use super::names::{self, Reference, Selector};
use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use time::OffsetDateTime;

/// Kind of [`Parameter`] documents; the id is the name.
const KIND: &str = "ssm-parameter";
/// Versions that are kept of a parameter.
pub(super) const MAX_VERSIONS: usize = 100;

/// A parameter with its history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// `String`, `StringList` or `SecureString`.
    pub(super) kind: String,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first; never empty.
    pub(super) versions: Vec<Version>,
}

/// One version of a parameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) value: String,
    /// `text` or `aws:ec2:image`.
    pub(super) data_type: String,
    pub(super) tier: String,
    pub(super) description: String,
    pub(super) allowed_pattern: String,
    pub(super) labels: Vec<String>,
    /// The key of a `SecureString`, as it was given; else empty.
    #[serde(default)]
    pub(super) key_id: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) modified_at: OffsetDateTime,
    pub(super) modified_by: String,
}

impl Parameter {
    /// The parameter of that name, public or the caller's own.
    pub(super) fn get(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Option<Self>, StoreError> {
        tx.get(&names::home(scope, name), KIND, name)
    }

    /// The caller's parameter for a change.
    ///
    /// # Errors
    /// That it does not exist, or is a public one.
    pub(super) fn own(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Self, ServiceError> {
        if name.starts_with("/aws/") {
            let text = format!("No access to reserved parameter name: {name}.");
            return Err(ServiceError::client("AccessDeniedException", text));
        }
        Self::get(tx, scope, name)?.ok_or_else(|| not_found(name))
    }

    /// Hands over the parameters whose name starts with `prefix` (the caller's own, or public ones under `/aws/`) in the order of
    /// their names, from the one that follows `after`, until `take` has enough.
    pub(super) fn each(
        tx: &Transaction<'_>,
        scope: &Scope,
        prefix: &str,
        after: Option<&str>,
        mut take: impl FnMut(Self) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        tx.each(&names::home(scope, prefix), KIND, prefix, after, |_, parameter| take(parameter))
    }

    /// Writes it.
    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(&names::home(scope, &self.name), KIND, &self.name, self)
    }

    /// Removes it.
    pub(super) fn delete(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<bool, StoreError> {
        tx.delete(scope, KIND, name)
    }

    /// The newest version; none only if the document was written by something else.
    pub(super) fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// The selected version.
    ///
    /// # Errors
    /// That there is none.
    pub(super) fn select(&self, selector: &Selector) -> Result<&Version, ServiceError> {
        let found = match selector {
            Selector::Latest => self.latest(),
            Selector::Number(number) => self.versions.iter().find(|version| version.number == *number),
            Selector::Label(label) => self.versions.iter().find(|version| version.labels.contains(label)),
        };
        found.ok_or_else(|| {
            let what = match selector {
                Selector::Latest => "a version".to_owned(),
                Selector::Number(number) => format!("version {number}"),
                Selector::Label(label) => format!("a version with the label {label}"),
            };
            let text =
                format!("Systems Manager could not find {what} of {}. Verify the version and try again.", self.name);
            ServiceError::client("ParameterVersionNotFound", text)
        })
    }

    /// The value as the caller may see it: of a `SecureString`, only with decryption.
    pub(super) fn shown_value(&self, version: &Version, decrypt: bool) -> String {
        if self.kind != "SecureString" || decrypt {
            return version.value.clone();
        }
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&version.value))
    }

    /// As `GetParameter` and its relatives answer it.
    pub(super) fn render(&self, scope: &Scope, version: &Version, selector: &Selector, decrypt: bool) -> Value {
        let selector = match selector {
            Selector::Latest => None,
            Selector::Number(number) => Some(format!(":{number}")),
            Selector::Label(label) => Some(format!(":{label}")),
        };
        compact(json!({
            "ARN": names::arn(scope, &self.name),
            "DataType": version.data_type,
            "LastModifiedDate": epoch(version.modified_at),
            "Name": self.name,
            "Selector": selector,
            "Type": self.kind,
            "Value": self.shown_value(version, decrypt),
            "Version": version.number,
        }))
    }

    /// Everything but the value, as `DescribeParameters` and the history show it.
    pub(super) fn metadata(&self, version: &Version) -> Value {
        compact(json!({
            "AllowedPattern": version.allowed_pattern,
            "DataType": version.data_type,
            "Description": version.description,
            "KeyId": version.key_id,
            "LastModifiedDate": epoch(version.modified_at),
            "LastModifiedUser": version.modified_by,
            "Name": self.name,
            "Policies": [],
            "Tier": version.tier,
            "Type": self.kind,
            "Version": version.number,
        }))
    }
}

/// The error for a parameter that does not exist.
pub(super) fn not_found(name: &str) -> ServiceError {
    ServiceError::client("ParameterNotFound", format!("Parameter {name} not found."))
}

/// The parameter and version that a reference means.
///
/// # Errors
/// That there is none.
pub(super) fn find(
    tx: &Transaction<'_>,
    scope: &Scope,
    reference: &Reference,
) -> Result<(Parameter, Version), ServiceError> {
    let parameter = Parameter::get(tx, scope, &reference.name)?.ok_or_else(|| not_found(&reference.name))?;
    let version = parameter.select(&reference.selector)?.clone();
    Ok((parameter, version))
}

/// The value of `name`, `name:version` or `name:label`, as `resolve:ssm:` and `ssm:` references mean it.
///
/// # Errors
/// `ParameterNotFound` or `ParameterVersionNotFound`.
pub(crate) fn parameter_value(tx: &Transaction<'_>, scope: &Scope, reference: &str) -> Result<String, ServiceError> {
    Ok(find(tx, scope, &Reference::parse(reference))?.1.value)
}

/// Publishes a parameter that belongs to no account, such as `/aws/service/debian/release/12/latest/amd64`, with the id
/// of an AMI. A new version only when the value changes.
///
/// # Errors
/// When the state cannot be written.
pub(crate) fn put_public_parameter(local: &Local, region: &str, name: &str, value: &str) -> Result<(), StoreError> {
    let scope = Scope { account: "*".to_owned(), region: region.to_owned() };
    local.store.write(|tx| {
        let existing: Option<Parameter> = tx.get(&scope, KIND, name)?;
        if existing.as_ref().and_then(Parameter::latest).is_some_and(|latest| latest.value == value) {
            return Ok(());
        }
        let mut parameter = existing.unwrap_or_else(|| Parameter {
            name: name.to_owned(),
            kind: "String".to_owned(),
            tags: BTreeMap::new(),
            versions: Vec::new(),
        });
        parameter.versions.push(Version {
            number: parameter.latest().map_or(1, |latest| latest.number + 1),
            value: value.to_owned(),
            data_type: "aws:ec2:image".to_owned(),
            tier: "Standard".to_owned(),
            description: String::new(),
            allowed_pattern: String::new(),
            labels: Vec::new(),
            key_id: String::new(),
            modified_at: local.config.clock.now(),
            modified_by: user("aws"),
        });
        let surplus = parameter.versions.len().saturating_sub(MAX_VERSIONS);
        parameter.versions.drain(..surplus);
        tx.put(&scope, KIND, name, &parameter)
    })
}
