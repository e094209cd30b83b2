//! The root and the package repository that all tests of this binary share.

use crate::support::{repo, root};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

pub struct Fixture {
    /// A root with version 1 of the repository's packages.
    pub root: PathBuf,
    pub repo: repo::Repo,
    _folder: tempfile::TempDir,
}

/// Made at first use.
pub fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for the fixture");
        let repo = repo::write(&folder.path().join("repo"));
        let root = folder.path().join("root");
        root::clone_from_host(&root, &[]);
        repo.install_first_versions(&root);
        repo.use_in(&root);
        let release =
            format!("ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME={}\n", repo::RELEASE);
        let path = root.join("usr/lib/os-release");
        fs::write(&path, release).expect("os-release");
        Fixture { root, repo, _folder: folder }
    })
}

/// The packages that the default baseline wants newer: those of the security suite.
pub fn security_packages() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        repo::UPGRADES.iter().filter(|(.., suite)| suite.ends_with("-security")).map(|(name, ..)| *name).collect();
    names.sort_unstable();
    names
}
