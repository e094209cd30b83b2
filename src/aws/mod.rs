//! Clients per account and Region, retry classification, tags, waiting.
//!
//! Every effect on a cloud goes through the SDK clients that [`Cloud`] hands out. The local environment is reached
//! with the same clients: their HTTP client hands requests to [`crate::local`] in this process. This is the only
//! room that knows of `local`.

mod caller;
mod cloud;
mod connector;
mod duty;
mod error;
mod fault;
mod identity;
mod local;
mod looks;
mod outside;
mod pace;
mod parent;
mod retry;
pub mod tags;
pub(crate) mod temporary;
pub mod wait;

#[cfg(test)]
pub(crate) use cloud::testing;
/// Attempts per call, for tests that let all of them fail.
#[cfg(test)]
pub(crate) const ATTEMPTS: u64 = identity::ATTEMPTS as u64;
pub use caller::caller;
pub use cloud::{Cloud, Options};
pub use duty::{Duties, Duty, Left};
pub use error::{AwsError, CallError};
pub use fault::{ServiceFault, describe};
pub(crate) use looks::{Follow, Glance};
pub use outside::Sdk;
pub use pace::READING;
