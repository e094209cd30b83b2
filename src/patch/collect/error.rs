//! Why there is no inventory.

use crate::patch::debian::{InventoryError, PinError};
use crate::patch::rpm::{InstalledError, LockError, MetadataError, RepositoryError};

/// Why there is no inventory. Never taken for one in which nothing is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// It is something else.
    #[error("this is no inventory of the collector: it begins with `{0}`")]
    Foreign(String),
    /// The end is missing.
    #[error("the inventory was cut off: {found} sections came, and its end did not")]
    Cut {
        /// Sections that came.
        found: usize,
    },
    /// The end counts other sections than came.
    #[error("the inventory lost something on its way: {found} sections came of {expected}")]
    Lost {
        /// Sections that came.
        found: usize,
        /// As the end says.
        expected: String,
    },
    /// A part that is always there.
    #[error("the inventory has no {0}: the collector did not get that far, or the system is none that it knows")]
    Missing(&'static str),
    /// os-release does not say which system it is.
    #[error("os-release has no {0}, so it is unknown which system this is; look at /etc/os-release in the image")]
    OsRelease(&'static str),
    /// The head of a section.
    #[error("the section `{0}` of the inventory cannot be understood")]
    Section(String),
    /// The sources could not be read at all.
    #[error("the package sources could not be read: {0}")]
    Unread(String),
    /// The files of an APT system say nothing usable.
    #[error(transparent)]
    Apt(#[from] InventoryError),
    /// Pins that cannot be understood.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// What rpm lists says nothing usable.
    #[error(transparent)]
    Installed(#[from] InstalledError),
    /// Repositories that cannot be understood.
    #[error(transparent)]
    Repositories(#[from] RepositoryError),
    /// Metadata of a repository is damaged.
    #[error("repository {id}: {source}")]
    Metadata {
        /// Id of the repository.
        id: String,
        /// What is wrong.
        source: Box<MetadataError>,
    },
    /// Locks that cannot be understood.
    #[error(transparent)]
    Locks(#[from] LockError),
}
