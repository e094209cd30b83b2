//! The root and the package repository that all tests of this binary share.

use crate::support::{fixture, repo, root};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub struct Fixture {
    /// Where it lies.
    pub base: PathBuf,
    /// A root with version 1 of the repository's packages.
    pub root: PathBuf,
    pub repository: PathBuf,
}

static FIXTURE: OnceLock<Fixture> = OnceLock::new();

/// Made at first use.
pub fn fixture() -> &'static Fixture {
    FIXTURE.get_or_init(|| {
        // On the build's own disk: roots are too big for some /tmp. Removed by `remove`: statics are not dropped.
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let place = if is_writable(place) { place.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("local-compute-").tempdir_in(place);
        let base = folder.expect("a folder for the fixture").keep();
        let fixture::Parent { root, repository } = fixture::parent(&base);
        write_release(&root);
        let fixture = Fixture { base, root, repository };
        std::fs::write(fixture.root.join(fixture.marker()), "").expect("the marker");
        fixture
    })
}

/// The same system on every machine, whatever that machine itself is.
fn write_release(root: &Path) {
    let release =
        format!("ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME={}\n", repo::RELEASE);
    std::fs::write(root.join("usr/lib/os-release"), release).expect("os-release");
}

/// A root with systemd, made at first use, beside the other.
pub fn system_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let folder = fixture().base.join("system");
        root::clone_from_host(&folder, &["systemd", "systemd-sysv", "dbus"]);
        write_release(&folder);
        folder
    })
}

impl Fixture {
    /// A file, relative to the root, that only the instances of this test run have.
    pub fn marker(&self) -> PathBuf {
        Path::new("etc").join(self.base.file_name().expect("a name"))
    }
}

fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

/// In a child process: the fixture that its parent has made.
pub fn adopt(base: &Path) {
    let fixture = Fixture { base: base.to_owned(), root: base.join("root"), repository: base.join("repository") };
    assert!(FIXTURE.set(fixture).is_ok(), "nothing was made before");
}

/// Removes it, if it was made.
pub fn remove() {
    if let Some(fixture) = FIXTURE.get() {
        std::fs::remove_dir_all(&fixture.base).expect("the fixture can be removed");
    }
}

/// The packages that the default baseline wants newer: those of the security suite.
pub fn security_packages() -> Vec<&'static str> {
    let mut names = fixture::MISSING.to_vec();
    names.sort_unstable();
    assert!(names.iter().all(|name| repo::UPGRADES.iter().any(|(upgraded, ..)| upgraded == name)));
    names
}
