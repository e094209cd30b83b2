//! What RPM systems say about themselves and what their repositories offer: readers of bytes, without any I/O of their
//! own (patch-baselines.md 10.1 and 10.2).
//!
//! ```text
//!  repomd.xml ─► Repomd ─► Data ─ checked ─► decompressed ─┬─► Packages   (primary: what is offered)
//!                                                          └─► Advisories (updateinfo: why)
//!  rpm -qa ─► installed     *.repo ─► repositories     versionlock.list, dnf.conf, zypper's locks ─► locks
//! ```
//!
//! The two lists can have a hundred megabytes of XML: they are iterators, and one record is in memory at a time. None of
//! the readers takes something damaged for something empty: see [`MetadataError`].

mod checksum;
mod decompress;
mod error;
mod ini;
mod installed;
mod locks;
mod primary;
mod repomd;
mod repos;
mod stamp;
mod updateinfo;
mod xml;

pub use checksum::{Checked, Checksum};
pub use decompress::{Codec, Decompressed, decompressed};
pub use error::{MetadataError, Problem};
pub use installed::{
    InstalledError, InstalledPackage, ORIGIN_FORMAT, QUERY_FORMAT, QUERY_FORMAT_WITHOUT_MODULES, installed, origins,
};
pub use locks::{Lock, LockError, LockKind, dnf_excludes, versionlock, zypper_locks};
pub use primary::{AvailablePackage, Packages, Size};
pub use repomd::{Data, Repomd};
pub use repos::{Repository, RepositoryError, Variables, repositories};
pub use stamp::Stamp;
pub use updateinfo::{AdvisedPackage, Advisories, Advisory, Module, Reference};
