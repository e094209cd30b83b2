//! Names of keys.

use super::super::Local;
use super::super::paging;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::key::{Key, arn};
use super::{find, input, managed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Kind of [`Alias`] documents; the id is the name with `alias/` before it.
const ALIAS: &str = "kms-alias";
/// Names that begin like this are AWS's own.
const RESERVED: &str = "alias/aws/";

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alias {
    /// Id of the key.
    pub target: String,
    /// Seconds since 1970.
    created_at: i64,
    updated_at: i64,
}

impl Alias {
    pub(super) fn get(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Option<Self>, ServiceError> {
        if name == managed::ALIAS {
            return Ok(Some(Self::managed(scope)));
        }
        Ok(tx.get(scope, ALIAS, name)?)
    }

    /// The name of the key that AWS manages.
    fn managed(scope: &Scope) -> Self {
        Self { target: managed::id(scope), created_at: managed::MADE_AT, updated_at: managed::MADE_AT }
    }
}

/// Refuses a name that is AWS's own.
fn not_reserved(name: &str, operation: &str) -> Result<(), ServiceError> {
    if !name.starts_with(RESERVED) {
        return Ok(());
    }
    let text = format!("{operation}: aliases that begin with {RESERVED} are reserved.");
    Err(ServiceError::client("ValidationException", text))
}

/// A name that may be given.
fn checked(name: &str) -> Result<(), ServiceError> {
    let refused = |code: &str, text: String| Err(ServiceError::client(code, text));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return refused("ValidationException", format!("Invalid identifier: alias `{name}` must begin with alias/."));
    };
    not_reserved(name, "CreateAlias")?;
    if rest.chars().all(allowed) && name.len() <= 256 {
        return Ok(());
    }
    refused("InvalidAliasNameException", format!("Alias {name} contains invalid characters for an alias."))
}

fn missing(scope: &Scope, name: &str) -> ServiceError {
    let text = format!("Alias {} is not found.", arn(scope, name));
    ServiceError::client("NotFoundException", text)
}

/// `CreateAlias`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (name, target) = (input.required("AliasName")?, input.required("TargetKeyId")?);
    checked(name)?;
    local.store.write(|tx| {
        let key = find::own(tx, caller, target, "CreateAlias")?;
        key.not_pending()?;
        if Alias::get(tx, &caller.scope, name)?.is_some() {
            let text = format!("An alias with the name {} already exists", arn(&caller.scope, name));
            return Err(ServiceError::client("AlreadyExistsException", text));
        }
        let now = caller.now.unix_timestamp();
        let alias = Alias { target: key.id, created_at: now, updated_at: now };
        Ok(tx.put(&caller.scope, ALIAS, name, &alias)?)
    })?;
    Ok(json!({}))
}

/// `UpdateAlias`: gives the name to another key of the same kind.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (name, target) = (input.required("AliasName")?, input.required("TargetKeyId")?);
    not_reserved(name, "UpdateAlias")?;
    local.store.write(|tx| {
        let key = find::own(tx, caller, target, "UpdateAlias")?;
        key.not_pending()?;
        let alias = Alias::get(tx, &caller.scope, name)?.ok_or_else(|| missing(&caller.scope, name))?;
        let before = Key::get(tx, &caller.scope, &alias.target, caller.now)?;
        if before.is_some_and(|before| before.spec.usage() != key.spec.usage()) {
            let text = format!("The key usage of {} is another one than that of the alias's current key.", key.arn());
            return Err(ServiceError::client("ValidationException", text));
        }
        let alias = Alias { target: key.id, updated_at: caller.now.unix_timestamp(), ..alias };
        Ok(tx.put(&caller.scope, ALIAS, name, &alias)?)
    })?;
    Ok(json!({}))
}

/// `DeleteAlias`.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("AliasName")?;
    not_reserved(name, "DeleteAlias")?;
    local.store.write(|tx| {
        let deleted = tx.delete(&caller.scope, ALIAS, name)?;
        if deleted { Ok(()) } else { Err(missing(&caller.scope, name)) }
    })?;
    Ok(json!({}))
}

/// `ListAliases`: those of the account and Region, or of one key.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let size = input.page_size("Limit", 1..=1000, 50)?;
    let of = input.text("KeyId")?;
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let key = of.map(|name| find::own(tx, caller, name, "ListAliases")).transpose()?;
        let mut aliases: Vec<(String, Alias)> = tx.list(scope, ALIAS, "")?;
        aliases.push((managed::ALIAS.to_owned(), Alias::managed(scope)));
        aliases.sort_by(|(one, _), (other, _)| one.cmp(other));
        let wanted = |alias: &Alias| key.as_ref().is_none_or(|key| key.id == alias.target);
        Ok::<_, ServiceError>(aliases.into_iter().filter(|(_, alias)| wanted(alias)).collect::<Vec<_>>())
    })?;
    let entry = |(name, alias): (String, Alias)| {
        let row = json!({
            "AliasName": name, "AliasArn": arn(scope, &name), "TargetKeyId": alias.target,
            "CreationDate": alias.created_at, "LastUpdatedDate": alias.updated_at,
        });
        (name, row)
    };
    let (aliases, next) = paging::page(&input, "ListAliases", size, rows.into_iter().map(entry).collect())?;
    Ok(json!({ "Aliases": aliases, "Truncated": next.is_some(), "NextMarker": next }))
}
