//! One file per verb: its arguments, one call into the library, what it prints.

pub mod baseline;
pub mod cache;
pub mod component;
pub mod diff;
pub mod explain;
pub mod init;
pub mod lint;
pub mod render;
pub mod schema;
pub mod shell;
pub mod test;
pub mod why;

#[cfg(feature = "aws")]
pub mod build;
#[cfg(feature = "aws")]
pub mod channels;
#[cfg(feature = "aws")]
pub mod local;
#[cfg(feature = "aws")]
pub mod logs;
#[cfg(feature = "aws")]
pub mod plan;
#[cfg(feature = "aws")]
pub mod promote;
#[cfg(feature = "aws")]
pub mod publish;
#[cfg(feature = "aws")]
pub mod resolve;
#[cfg(feature = "aws")]
pub mod rollback;
#[cfg(feature = "aws")]
pub mod run;
#[cfg(feature = "aws")]
pub mod validate;
