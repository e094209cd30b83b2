//! One file per verb: its arguments, one call into the library, what it prints.

pub mod build;
pub mod channels;
pub mod explain;
pub mod init;
pub mod lint;
pub mod local;
pub mod plan;
pub mod promote;
pub mod publish;
pub mod render;
pub mod resolve;
pub mod rollback;
pub mod run;
pub mod validate;
