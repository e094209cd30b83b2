//! A parent image with security updates waiting: the cloned root, version 1 of the fixture packages, and package sources
//! that point at the fixture repository only.

use super::{repo, root};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What a scan of the parent must find missing.
pub const MISSING: &[&str] = &["fix-alpha", "fix-beta", "fix-kernel"];

/// Where the parts lie.
pub struct Parent {
    pub root: PathBuf,
    pub repository: PathBuf,
}

/// Makes the parent under `base`.
pub fn parent(base: &Path) -> Parent {
    let parent = Parent { root: base.join("root"), repository: base.join("repository") };
    repo::write(&parent.repository);
    root::clone_from_host(&parent.root, &[]);
    install(&parent.root, repo::RELEASE);
    for stale in ["etc/apt/sources.list", "etc/apt/sources.list.d/debian.sources"] {
        let _ = fs::remove_file(parent.root.join(stale));
    }
    fs::write(parent.root.join("etc/apt/sources.list"), repo::sources(&parent.repository)).expect("sources.list");
    parent
}

/// Puts versions into the root as dpkg would have.
fn install(root: &Path, versions: &[repo::Version]) {
    let status = root.join("var/lib/dpkg/status");
    let mut database = fs::read_to_string(&status).expect("dpkg's status");
    for version in versions {
        let control = repo::control(version);
        let _ = writeln!(database, "{}", control.replacen("Version:", "Status: install ok installed\nVersion:", 1));
        let mut list = "/.\n/usr\n/usr/share\n".to_owned();
        for (path, content) in repo::files(version) {
            let target = root.join(&path);
            let folder = target.parent().expect("a folder");
            fs::create_dir_all(folder).expect("a folder of a package");
            fs::write(&target, content).expect("a file of a package");
            let _ = writeln!(list, "/{}\n/{path}", Path::new(&path).parent().expect("a folder").display());
        }
        let info = root.join("var/lib/dpkg/info");
        fs::write(info.join(format!("{}.list", version.package)), list).expect("a file list");
        // dpkg --audit wants the file to be there; empty means that nothing is verified.
        fs::write(info.join(format!("{}.md5sums", version.package)), "").expect("an md5sums file");
    }
    fs::write(status, database).expect("dpkg's status");
}
