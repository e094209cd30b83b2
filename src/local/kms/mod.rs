//! Key Management Service: keys that sign or that others encrypt with, their names, who may use them, and what becomes of them.
//!
//! | part | what it has |
//! |---|---|
//! | `key`, `find` | the record of a key; which one a request means |
//! | `managed` | the key that AWS manages for EBS |
//! | `principal`, `policy`, `grant` | who somebody is; whom a key's policy lets in; whom a grant does |
//! | `asked` | what EC2 asks of keys |
//! | `material` | the cryptography |
//! | `create`, `aliases`, `grants`, `lifecycle`, `policies`, `signing` | the operations |

mod aliases;
mod asked;
mod create;
mod find;
mod grant;
mod grants;
mod key;
mod lifecycle;
mod managed;
mod material;
mod policies;
mod policy;
mod principal;
mod signing;

pub(super) use asked::{Purpose, usable};
pub(super) use managed::{ALIAS as EBS_ALIAS, arn_in as ebs_key};
pub(super) use principal::Principal;

use super::input::{Dialect, Input};
use super::wire::{Operation, ServiceError};
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CancelKeyDeletion", lifecycle::cancel_deletion),
    ("CreateAlias", aliases::create),
    ("CreateGrant", grants::create),
    ("CreateKey", create::create),
    ("DeleteAlias", aliases::delete),
    ("DescribeKey", create::describe),
    ("DisableKey", lifecycle::disable),
    ("EnableKey", lifecycle::enable),
    ("GetKeyPolicy", policies::get),
    ("GetPublicKey", signing::public_key),
    ("ListAliases", aliases::list),
    ("ListGrants", grants::list),
    ("ListRetirableGrants", grants::list_retirable),
    ("PutKeyPolicy", policies::put),
    ("RetireGrant", grants::retire),
    ("RevokeGrant", grants::revoke),
    ("ScheduleKeyDeletion", lifecycle::schedule_deletion),
    ("Sign", signing::sign),
    ("UpdateAlias", aliases::update),
    ("Verify", signing::verify),
];

/// A request in the service's words.
fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::Kms, request)
}

/// The error for a wish that the service can fulfil and the local environment cannot.
fn lacks(what: &str) -> ServiceError {
    ServiceError::client("UnsupportedOperationException", format!("{what} is not in the local environment."))
}

/// The answer to a dry run that would have succeeded.
fn dry() -> ServiceError {
    let text = "The request would have succeeded, but the DryRun option is set.";
    ServiceError::client("DryRunOperationException", text)
}
