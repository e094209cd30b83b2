//! The inventory of a Debian-like system from the texts of its own files: os-release, dpkg's status, apt's lists.

mod lists;
pub(super) mod os_release;
mod preferences;
mod reader;
mod release;
mod sources;
mod stanza;
mod status;

pub use preferences::{Pin, PinError, holds, pins};
pub use reader::Reader;
pub use release::{Release, ReleaseError, ReleaseProblem};
pub use sources::trusted_prefixes;

use super::inventory::Inventory;

/// The files of a Debian-like system that tell its patch state.
#[derive(Debug, Clone, Default)]
pub struct DebianFiles {
    /// `/etc/os-release` (or `/usr/lib/os-release`).
    pub os_release: String,
    /// `/var/lib/dpkg/status`.
    pub status: String,
    /// The files of `/var/lib/apt/lists`. Only `InRelease`, `Release`, `Release.gpg` and `Packages` files are looked
    /// at; of `Release.gpg` only that it is there.
    pub lists: Vec<ListFile>,
    /// Prefixes of list file names whose sources are declared `[trusted=yes]`: [`trusted_prefixes`] makes them.
    pub trusted: Vec<String>,
}

/// One file of `/var/lib/apt/lists`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFile {
    /// File name without folder, for example `mirror.example_debian_dists_bookworm_main_binary-amd64_Packages`; a
    /// compression suffix (`.lz4`) may still be there.
    pub name: String,
    /// The content, decompressed.
    pub bytes: Vec<u8>,
}

/// Why there is no inventory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// os-release does not say which system it is.
    #[error("os-release has no {field}, so it is unknown which system this is; look at /etc/os-release in the image")]
    OsRelease {
        /// The field.
        field: &'static str,
    },
    /// dpkg's status could not be understood.
    #[error("/var/lib/dpkg/status: package `{package}` has no {field}; the package database is damaged")]
    Status {
        /// The package; `?` when not even its name is there.
        package: String,
        /// The missing field.
        field: &'static str,
    },
    /// A line is no field: the file is truncated or something else.
    #[error(
        "{file} is damaged: `{line}` is not a field; read it again, or run `apt-get update` when it is a package list"
    )]
    Damaged {
        /// The file.
        file: String,
        /// The beginning of the line.
        line: String,
    },
    /// Nothing is installed: an empty or a wrong status file.
    #[error("/var/lib/dpkg/status lists no installed package; nothing can be said about an image without packages")]
    NothingInstalled,
    /// Packages whose installation did not finish.
    #[error(
        "{} not completely installed: {}; run `dpkg --configure -a` and `apt-get --fix-broken install` in the build",
        if packages.len() == 1 { "a package is" } else { "packages are" },
        packages.join(", ")
    )]
    Unfinished {
        /// `name:arch (state)`, sorted.
        packages: Vec<String>,
    },
    /// A list file is still compressed.
    #[error("the package list {name} is still compressed; decompress it first (`/usr/lib/apt/apt-helper cat-file`)")]
    Compressed {
        /// File name.
        name: String,
    },
    /// A Release file cannot be used.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A Release file was valid once.
    #[error("{release} was valid until {until} only; run `apt-get update`, or look whether the mirror still is one")]
    Expired {
        /// File name of the Release file.
        release: String,
        /// Its last moment.
        until: String,
    },
    /// A package index is not the one its Release file tells of: truncated, changed, or of another day.
    #[error(
        "the package list {name} has {found} and not {expected} as its Release file says; run `apt-get update` again"
    )]
    IndexDiffers {
        /// File name.
        name: String,
        /// Size or checksum found.
        found: String,
        /// Size or checksum in the Release file.
        expected: String,
    },
    /// A record of an index could not be understood.
    #[error("the package list {name}: a record of package `{package}` has no {field}; run `apt-get update` again")]
    Record {
        /// File name.
        name: String,
        /// The package; `?` when not even its name is there.
        package: String,
        /// The missing field.
        field: &'static str,
    },
    /// There is no package index at all.
    #[error(
        "there is no package index in /var/lib/apt/lists, so nothing can be missing or not; run `apt-get update` first"
    )]
    NoSources,
    /// The Release file of a security suite is there, its package index is not.
    #[error("{release} is there but no package index of that suite; run `apt-get update` again")]
    IndexMissing {
        /// File name of the Release file.
        release: String,
    },
}

/// The inventory from all files at once. [`Reader`] does the same with one list file in memory at a time.
pub fn inventory(files: &DebianFiles) -> Result<Inventory, InventoryError> {
    let mut reader = Reader::new(&files.os_release, &files.status)?;
    for prefix in &files.trusted {
        reader.declare_trusted(prefix.clone());
    }
    // By name, so that the order of a directory listing does not show in the result.
    let mut lists: Vec<&ListFile> = files.lists.iter().collect();
    lists.sort_by(|a, b| a.name.cmp(&b.name));
    for list in lists {
        reader.add(&list.name, &list.bytes)?;
    }
    reader.finish()
}
