//! The record of a grant, and what it opens.

use super::super::random;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::key::Key;
use super::policy::{self, Verdict};
use super::principal::{Principal, root};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Kind of [`Grant`] documents, which are where their key is; the id is `KEY:GRANT`.
const GRANT: &str = "kms-grant";
/// Hexadecimal digits of an id.
const DIGITS: usize = 64;
/// Operations to which constraints do not apply.
const UNCONSTRAINED: [&str; 2] = ["DescribeKey", "RetireGrant"];

/// A grant: somebody may do something with a key, whatever its policy says, unless that denies it.
///
/// Nothing is encrypted here, so that nobody names an encryption context: a grant with constraints opens nothing but what they
/// do not apply to (`DescribeKey`, `RetireGrant`), and with that nothing for EC2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) id: String,
    /// Id of the key.
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) grantee: String,
    pub(super) retiring: Option<String>,
    pub(super) operations: Vec<String>,
    /// As given; null: none.
    pub(super) constraints: Value,
    /// The account that has made it.
    pub(super) issuer: String,
    /// Seconds since 1970.
    pub(super) created_at: i64,
}

impl Grant {
    /// All of a key, by their ids.
    pub(super) fn of_key(tx: &Transaction<'_>, key: &Key) -> Result<Vec<Self>, StoreError> {
        let all = tx.list::<Self>(&key.scope(), GRANT, &format!("{}:", key.id))?;
        Ok(all.into_iter().map(|(_, grant)| grant).collect())
    }

    /// One of a key.
    ///
    /// # Errors
    /// When there is none of that id.
    pub(super) fn find(tx: &Transaction<'_>, scope: &Scope, key: &str, id: &str) -> Result<Self, ServiceError> {
        if id.len() != DIGITS || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let text = format!("The grant ID {id} is not valid.");
            return Err(ServiceError::client("InvalidGrantIdException", text));
        }
        let missing = || ServiceError::client("NotFoundException", format!("Grant ID {id} not found"));
        tx.get(scope, GRANT, &format!("{key}:{id}"))?.ok_or_else(missing)
    }

    /// All of a Region, each with the place of its key.
    pub(super) fn all(tx: &Transaction<'_>, region: &str) -> Result<Vec<(Scope, Self)>, StoreError> {
        let mut found = Vec::new();
        for scope in tx.scopes(GRANT)?.into_iter().filter(|scope| scope.region == region) {
            let all = tx.list::<Self>(&scope, GRANT, "")?;
            found.extend(all.into_iter().map(|(_, grant)| (scope.clone(), grant)));
        }
        Ok(found)
    }

    /// An id for a new one.
    pub(super) fn new_id() -> Result<String, ServiceError> {
        random::hex(DIGITS)
    }

    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, GRANT, &format!("{}:{}", self.key, self.id), self)
    }

    pub(super) fn delete(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.delete(scope, GRANT, &format!("{}:{}", self.key, self.id)).map(drop)
    }

    /// Whether it lets somebody do an operation.
    pub(super) fn opens(&self, who: &Principal, operation: &str) -> bool {
        self.operations.iter().any(|one| one == operation)
            && (self.constraints.is_null() || UNCONSTRAINED.contains(&operation))
            && who.is(&self.grantee)
    }

    /// Whether somebody may retire it: who is named for it, the grantee when it may, and the account that has made it.
    pub(super) fn is_retired_by(&self, who: &Principal) -> bool {
        who.account() == self.issuer
            || self.retiring.as_deref().is_some_and(|retiring| who.is(retiring))
            || self.opens(who, "RetireGrant")
    }

    /// Whether both are the answer to the same request.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let sorted = |grant: &Self| {
            let mut operations = grant.operations.clone();
            operations.sort();
            operations
        };
        sorted(self) == sorted(other)
            && (&self.name, &self.grantee, &self.retiring) == (&other.name, &other.grantee, &other.retiring)
            && (&self.constraints, &self.issuer) == (&other.constraints, &other.issuer)
    }

    /// `GrantListEntry`.
    pub(super) fn entry(&self, scope: &Scope) -> Value {
        let mut entry = json!({
            "KeyId": super::key::arn(scope, &format!("key/{}", self.key)),
            "GrantId": self.id,
            "CreationDate": self.created_at,
            "GranteePrincipal": self.grantee,
            "IssuingAccount": root(&self.issuer),
            "Operations": self.operations,
        });
        if let Some(name) = &self.name {
            entry["Name"] = json!(name);
        }
        if let Some(retiring) = &self.retiring {
            entry["RetiringPrincipal"] = json!(retiring);
        }
        if !self.constraints.is_null() {
            entry["Constraints"] = self.constraints.clone();
        }
        entry
    }
}

/// What a grant token says: where a grant is. Another one is given out each time.
pub(super) struct Token {
    pub(super) scope: Scope,
    pub(super) key: String,
    pub(super) grant: String,
}

impl Token {
    /// A new token of a grant.
    pub(super) fn of(scope: &Scope, grant: &Grant) -> Result<String, ServiceError> {
        let Scope { account, region } = scope;
        Ok(URL_SAFE_NO_PAD.encode(format!("{account}:{region}:{}:{}:{}", grant.key, grant.id, random::hex(32)?)))
    }

    /// Reads one.
    ///
    /// # Errors
    /// What was never given out.
    pub(super) fn read(text: &str) -> Result<Self, ServiceError> {
        let invalid = || ServiceError::client("InvalidGrantTokenException", "The grant token is not valid.");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let said = String::from_utf8(bytes).map_err(|_| invalid())?;
        let parts: Vec<&str> = said.split(':').collect();
        let [account, region, key, grant, _] = parts[..] else { return Err(invalid()) };
        let scope = Scope { account: account.to_owned(), region: region.to_owned() };
        Ok(Self { scope, key: key.to_owned(), grant: grant.to_owned() })
    }
}

/// Whether somebody may do an operation with a key: its policy or a grant says so, and its policy does not deny it.
pub(super) fn permits(tx: &Transaction<'_>, key: &Key, who: &Principal, operation: &str) -> Result<bool, StoreError> {
    Ok(match policy::verdict(&key.policy, who, operation) {
        Verdict::Allowed => true,
        Verdict::Denied => false,
        Verdict::Silent => Grant::of_key(tx, key)?.iter().any(|grant| grant.opens(who, operation)),
    })
}
