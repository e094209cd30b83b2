//! Starts and follows image builds; finds the reason of a failure.
//!
//! [`ensure`] gives back an image with the plan's fingerprint: one that is there, one that is being built (joined), or
//! a new one. A program that dies in between loses nothing: the next one finds the same build by its fingerprint.

mod awstoe;
mod error;
mod explain;
mod follow;
mod start;

pub use error::{BuildError, Failure, Phase};
pub use start::{BuildOptions, Built, cancel, ensure, find};
