//! Which key a request means, and whether its caller may use it.

use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::aliases::Alias;
use super::key::{Key, arn};
use super::policy;

/// Where a reference leads: account and Region, and `key/ID` or `alias/NAME`.
struct Reference {
    scope: Scope,
    resource: String,
}

impl Reference {
    /// Reads an id, an ARN, the name of an alias or its ARN.
    fn parse(caller: &Caller, name: &str) -> Result<Self, ServiceError> {
        let here = |resource: String| Self { scope: caller.scope.clone(), resource };
        if name.starts_with("alias/") {
            return Ok(here(name.to_owned()));
        }
        if !name.starts_with("arn:") {
            return if is_id(name) { Ok(here(format!("key/{name}"))) } else { Err(invalid("keyId", name)) };
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let [_, _, "kms", region, account, resource] = parts[..] else { return Err(invalid("arn", name)) };
        if region != caller.scope.region {
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
    fn key(&self, tx: &Transaction<'_>, caller: &Caller) -> Result<Option<Key>, ServiceError> {
        if let Some(id) = self.resource.strip_prefix("key/") {
            return Key::get(tx, &self.scope, id, caller.now);
        }
        let alias = Alias::get(tx, &self.scope, &self.resource)?;
        alias.map_or(Ok(None), |alias| Key::get(tx, &self.scope, &alias.target, caller.now))
    }

    /// The error when there is none.
    fn missing(&self) -> ServiceError {
        let arn = arn(&self.scope, &self.resource);
        let text = match self.resource.starts_with("alias/") {
            true => format!("Alias {arn} is not found."),
            false => format!("Key '{arn}' does not exist"),
        };
        ServiceError::client("NotFoundException", text)
    }
}

/// The key that a request means, if its caller may do that with it: one of the caller's account, or of another whose
/// policy lets the caller in. What is not there in another account looks like what is forbidden.
pub(super) fn key(tx: &Transaction<'_>, caller: &Caller, name: &str, operation: &str) -> Result<Key, ServiceError> {
    let reference = Reference::parse(caller, name)?;
    let foreign = reference.scope.account != caller.scope.account;
    let key = reference.key(tx, caller)?;
    match key {
        Some(key) if policy::allows(&key.policy, caller, operation) => Ok(key),
        None if !foreign => Err(reference.missing()),
        _ => Err(denied(caller, &arn(&reference.scope, &reference.resource), operation)),
    }
}

/// The key that a request means, for operations that work in the caller's account only; by id or ARN, not by an alias.
pub(super) fn own(tx: &Transaction<'_>, caller: &Caller, name: &str, operation: &str) -> Result<Key, ServiceError> {
    let reference = Reference::parse(caller, name)?;
    if reference.resource.starts_with("alias/") {
        return Err(invalid("keyId", name));
    }
    if reference.scope.account != caller.scope.account {
        return Err(denied(caller, name, operation));
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

fn denied(caller: &Caller, arn: &str, operation: &str) -> ServiceError {
    let who = caller.principal();
    let text = format!(
        "User: {who} is not authorized to perform: kms:{operation} on resource: {arn} because the resource does not exist in \
         this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    );
    ServiceError::client("AccessDeniedException", text)
}
