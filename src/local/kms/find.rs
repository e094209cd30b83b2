//! Which key a request means, and whether its caller may use it.

use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::aliases::Alias;
use super::grant;
use super::key::{Key, arn};
use super::principal::Principal;
use time::OffsetDateTime;

/// Where a reference leads: account and Region, and `key/ID` or `alias/NAME`.
struct Reference {
    scope: Scope,
    resource: String,
}

impl Reference {
    /// Reads an id, an ARN, the name of an alias or its ARN; in the account and Region of who asks.
    fn parse(from: &Scope, name: &str) -> Result<Self, ServiceError> {
        let here = |resource: String| Self { scope: from.clone(), resource };
        if name.starts_with("alias/") {
            return Ok(here(name.to_owned()));
        }
        if !name.starts_with("arn:") {
            return if is_id(name) { Ok(here(format!("key/{name}"))) } else { Err(invalid("keyId", name)) };
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let [_, _, "kms", region, account, resource] = parts[..] else { return Err(invalid("arn", name)) };
        if region != from.region {
            return Err(invalid("arn", region));
        }
        let scope = Scope { account: account.to_owned(), region: region.to_owned() };
        match resource.split_once('/') {
            Some(("key", id)) if is_id(id) => Ok(Self { scope, resource: resource.to_owned() }),
            Some(("alias", _)) => Ok(Self { scope, resource: resource.to_owned() }),
            _ => Err(invalid("arn", name)),
        }
    }

    /// The key, when there is one.
    fn key(&self, tx: &Transaction<'_>, now: OffsetDateTime) -> Result<Option<Key>, ServiceError> {
        if let Some(id) = self.resource.strip_prefix("key/") {
            return Key::get(tx, &self.scope, id, now);
        }
        let alias = Alias::get(tx, &self.scope, &self.resource)?;
        alias.map_or(Ok(None), |alias| Key::get(tx, &self.scope, &alias.target, now))
    }

    /// The error when there is none.
    fn missing(&self) -> ServiceError {
        let arn = arn(&self.scope, &self.resource);
        let text = if self.resource.starts_with("alias/") {
            format!("Alias {arn} is not found.")
        } else {
            format!("Key '{arn}' does not exist")
        };
        ServiceError::client("NotFoundException", text)
    }
}

/// The key that a request means, if its caller may do that with it: its policy or a grant lets the caller in, whose account may
/// be another one.
pub(super) fn key(tx: &Transaction<'_>, caller: &Caller, name: &str, operation: &str) -> Result<Key, ServiceError> {
    permitted(tx, (&Principal::of(caller), caller.now), name, &[operation])
}

/// The key that somebody means who may do all of that with it. What is not there in another account looks like what is forbidden.
pub(super) fn permitted(
    tx: &Transaction<'_>,
    (who, now): (&Principal, OffsetDateTime),
    name: &str,
    operations: &[&str],
) -> Result<Key, ServiceError> {
    let reference = Reference::parse(&who.scope, name)?;
    let foreign = reference.scope.account != who.scope.account;
    let key = reference.key(tx, now)?;
    if key.is_none() && !foreign {
        return Err(reference.missing());
    }
    for operation in operations {
        let permitted = match &key {
            Some(key) => grant::permits(tx, key, who, operation)?,
            None => false,
        };
        if !permitted {
            return Err(denied(who, &arn(&reference.scope, &reference.resource), operation));
        }
    }
    key.ok_or_else(|| reference.missing())
}

/// The same for operations that take no alias.
pub(super) fn by_id(tx: &Transaction<'_>, caller: &Caller, name: &str, operation: &str) -> Result<Key, ServiceError> {
    if Reference::parse(&caller.scope, name)?.resource.starts_with("alias/") {
        return Err(invalid("keyId", name));
    }
    key(tx, caller, name, operation)
}

/// Where a key is that is named by its ARN, and its id. Whether there is one is not looked up.
pub(super) fn by_arn(from: &Scope, name: &str) -> Result<(Scope, String), ServiceError> {
    let not_one = || ServiceError::client("InvalidArnException", format!("{name} is not the ARN of a key."));
    if !name.starts_with("arn:") {
        return Err(not_one());
    }
    let Reference { scope, resource } = Reference::parse(from, name)?;
    let id = resource.strip_prefix("key/").ok_or_else(not_one)?;
    Ok((scope, id.to_owned()))
}

/// The key that a request means, for operations that work in the caller's account only; by id or ARN, not by an alias.
pub(super) fn own(tx: &Transaction<'_>, caller: &Caller, name: &str, operation: &str) -> Result<Key, ServiceError> {
    let reference = Reference::parse(&caller.scope, name)?;
    if reference.resource.starts_with("alias/") {
        return Err(invalid("keyId", name));
    }
    if reference.scope.account != caller.scope.account {
        return Err(denied(&Principal::of(caller), name, operation));
    }
    key(tx, caller, name, operation)
}

fn is_id(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    let fits = |(part, length): (&&str, &usize)| part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts.len() == lengths.len() && parts.iter().zip(&lengths).all(fits)
}

fn invalid(what: &str, name: &str) -> ServiceError {
    let name = if what == "keyId" { format!("'{name}'") } else { name.to_owned() };
    ServiceError::client("NotFoundException", format!("Invalid {what} {name}"))
}

/// The error for what somebody may not do.
pub(super) fn denied(who: &Principal, arn: &str, operation: &str) -> ServiceError {
    let who = who.arn();
    let text = format!(
        "User: {who} is not authorized to perform: kms:{operation} on resource: {arn} because the resource does not exist in \
         this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    );
    ServiceError::client("AccessDeniedException", text)
}
