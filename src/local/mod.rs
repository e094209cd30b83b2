//! The local environment: the AWS operations amiforge uses, served from this machine.
//!
//! # Differences from AWS
//!
//! (The list is kept where each operation is implemented and summed up here.)

pub mod compute;
pub mod records;
pub mod store;
pub mod wire;

use crate::clock::Clock;
use crate::event::Events;
use std::path::PathBuf;

/// The account of calls whose credentials name none.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The home Region of the local environment.
pub const DEFAULT_REGION: &str = "us-east-1";

/// How to open the local environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of its state (database, layers, instances); created when absent.
    pub state: PathBuf,
    /// Folder of parent roots, shared by projects; created when absent.
    pub cache: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Where progress of builds goes.
    pub events: Events,
    /// Package mirror for bootstrapped parents; the host's when absent.
    pub mirror: Option<String>,
    /// Host folders visible read-only in instances.
    pub bind: Vec<PathBuf>,
}

/// Why the local environment could not work.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Its state.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A parent image could not be made.
    #[error("the parent image could not be made: {0}")]
    Parent(String),
    /// The sandbox cannot work here.
    #[error("{0}")]
    Sandbox(String),
}

/// The local environment of one project, in this process.
#[derive(Debug)]
pub struct Local {
    pub(crate) config: Config,
    pub(crate) store: store::Store,
    pub(crate) compute: compute::Compute,
}
