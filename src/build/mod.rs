//! Starts and follows image builds; finds the reason of a failure.
//!
//! [`ensure`] gives back an image with the plan's fingerprint: one that is there, one that is being built (joined), or
//! a new one. A program that dies in between loses nothing: the next one finds the same build by its fingerprint.

#[cfg(feature = "aws")]
mod approve;
#[cfg(feature = "aws")]
mod awstoe;
#[cfg(feature = "aws")]
mod cancel;
#[cfg(feature = "aws")]
mod collect;
#[cfg(feature = "aws")]
mod error;
#[cfg(feature = "aws")]
mod explain;
#[cfg(feature = "aws")]
mod follow;
#[cfg(feature = "aws")]
mod history;
#[cfg(feature = "aws")]
mod keep;
#[cfg(feature = "aws")]
mod locate;
mod phase;
#[cfg(feature = "aws")]
mod start;
#[cfg(feature = "aws")]
mod status;
#[cfg(feature = "aws")]
mod steps;
#[cfg(feature = "aws")]
mod tested;
pub mod why;

#[cfg(feature = "aws")]
pub use approve::{Answer, WaitingStep, approve};
#[cfg(feature = "aws")]
pub use cancel::{Cancelled, cancel, cancel_all};
#[cfg(feature = "aws")]
pub use collect::collect;
#[cfg(feature = "aws")]
pub use error::{BuildError, Failure};
#[cfg(feature = "aws")]
pub use history::usual;
#[cfg(feature = "aws")]
pub use keep::{Kept, Reap, kept, reap};
#[cfg(feature = "aws")]
pub use locate::{Candidates, Located, locate};
pub use phase::Phase;
#[cfg(feature = "aws")]
pub use start::{Begun, BuildOptions, Built, begin, ensure, find, finish};
#[cfg(feature = "aws")]
pub use status::{BuildNow, BuildPast, Standing, in_flight, newest, standing};
#[cfg(feature = "aws")]
pub use tested::add_steps;
