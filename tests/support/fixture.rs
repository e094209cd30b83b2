//! A parent image with security updates waiting: the cloned root with version 1 of the synthetic packages, and package
//! sources that point at the synthetic repository only.

use super::{repo, root};
use std::fs;
use std::path::{Path, PathBuf};

/// What a scan of the parent must find missing.
pub const MISSING: &[&str] = &["amifix-lib", "amifix-web", "amifix-conf", "amifix-docs", "linux-image-fix"];

/// Where the parts lie.
pub struct Parent {
    pub root: PathBuf,
    pub repository: PathBuf,
}

/// Makes the parent under `base`.
pub fn parent(base: &Path) -> Parent {
    parent_with(base, &[])
}

/// The same, with more packages of this machine.
pub fn parent_with(base: &Path, packages: &[&str]) -> Parent {
    let parent = Parent { root: base.join("root"), repository: base.join("repository") };
    root::clone_from_host(&parent.root, packages);
    let repository = repo::write(&parent.repository);
    repository.make_outdated(&parent.root);
    // A scan believes only suites of the image's own release; this image is of the synthetic one.
    let os = parent.root.join("usr/lib/os-release");
    let text = fs::read_to_string(&os).expect("os-release");
    let renamed = text.lines().map(|line| {
        if line.starts_with("VERSION_CODENAME=") {
            format!("VERSION_CODENAME={}", repo::RELEASE)
        } else {
            line.to_owned()
        }
    });
    fs::write(&os, renamed.map(|line| line + "\n").collect::<String>()).expect("os-release");
    parent
}
