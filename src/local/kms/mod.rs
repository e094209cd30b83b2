//! Key Management Service: keys that sign, their names, who may use them, and what becomes of them.
//!
//! | part | what it has |
//! |---|---|
//! | `key`, `find` | the record of a key; which one a request means |
//! | `policy` | whom a key's policy lets in |
//! | `material` | the cryptography |
//! | `create`, `aliases`, `lifecycle`, `policies`, `signing` | the operations |

mod aliases;
mod create;
mod find;
mod key;
mod lifecycle;
mod material;
mod policies;
mod policy;
mod signing;

use super::input::{Dialect, Input};
use super::wire::{Operation, ServiceError};
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CancelKeyDeletion", lifecycle::cancel_deletion),
    ("CreateAlias", aliases::create),
    ("CreateKey", create::create),
    ("DeleteAlias", aliases::delete),
    ("DescribeKey", create::describe),
    ("DisableKey", lifecycle::disable),
    ("EnableKey", lifecycle::enable),
    ("GetKeyPolicy", policies::get),
    ("GetPublicKey", signing::public_key),
    ("ListAliases", aliases::list),
    ("PutKeyPolicy", policies::put),
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
