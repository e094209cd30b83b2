//! Starts and follows image builds; finds the reason of a failure.
//!
//! [`ensure`] gives back an image with the plan's fingerprint: one that is there, one that is being built (joined), or
//! a new one. A program that dies in between loses nothing: the next one finds the same build by its fingerprint.

#[cfg(feature = "aws")]
mod awstoe;
#[cfg(feature = "aws")]
mod collect;
#[cfg(feature = "aws")]
mod error;
#[cfg(feature = "aws")]
mod explain;
#[cfg(feature = "aws")]
mod follow;
#[cfg(feature = "aws")]
mod locate;
mod phase;
#[cfg(feature = "aws")]
mod start;
pub mod why;

#[cfg(feature = "aws")]
pub use collect::collect;
#[cfg(feature = "aws")]
pub use error::{BuildError, Failure};
#[cfg(feature = "aws")]
pub use locate::{Candidates, Located, locate};
pub use phase::Phase;
#[cfg(feature = "aws")]
pub use start::{BuildOptions, Built, cancel, ensure, find};
