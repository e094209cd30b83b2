//! The local environment: the AWS operations amiforge uses, served from this machine.
//!
//! # Differences from AWS
//!
//! (The list is kept where each operation is implemented and summed up here.)

pub mod store;
pub mod wire;
