//! A mirror of Ubuntu's shape, signed with keys of its own, from which mmdebstrap makes a root: one package that holds all
//! of a root cloned from this machine, because what makes a system of packages is not what is tested with it.

use super::archive::{Entry, ar, tar_gz};
use super::root::clone_from_host;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the parts lie.
pub struct Mirror {
    /// Its address for apt.
    pub address: String,
    /// The folder, to be bound into instances.
    pub folder: PathBuf,
    /// The keys it is signed with, and keys of somebody else.
    pub keys: PathBuf,
    pub other_keys: PathBuf,
}

/// The release it has, and its architecture in the words of Debian.
const CODE: &str = "noble";
const ARCHITECTURE: &str = super::image::ARCHITECTURE;

/// Makes it below a folder. The tools are those of mmdebstrap itself: gpg and tar.
pub fn write(base: &Path) -> Mirror {
    let folder = base.join("ubuntu");
    fs::create_dir_all(folder.join("pool")).unwrap();
    let deb = folder.join("pool/apt.deb");
    let sum = package(base, &deb);
    let size = fs::metadata(&deb).unwrap().len();
    let index = format!("{}Filename: pool/apt.deb\nSize: {size}\nSHA256: {sum}\n\n", control());
    let keyring = |name: &str| {
        let home = base.join(name);
        fs::create_dir_all(&home).unwrap();
        run(Command::new("chmod").arg("700").arg(&home));
        gpg(&home, &["--passphrase", "", "--quick-generate-key", name, "default", "default", "never"]);
        let keys = base.join(format!("{name}.gpg"));
        gpg(&home, &["--output", keys.to_str().unwrap(), "--export"]);
        (home, keys)
    };
    let (home, keys) = keyring("fixture");
    let (other, other_keys) = keyring("somebody-else");
    suite(&folder, &home, CODE, &index);
    suite(&folder, &home, &format!("{CODE}-updates"), "");
    suite(&folder, &home, &format!("{CODE}-security"), "");
    for home in [home, other] {
        // Otherwise its agent stays behind as a process.
        run(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]));
    }
    Mirror { address: format!("file:{}", folder.display()), folder, keys, other_keys }
}

fn control() -> String {
    format!(
        "Package: apt\nVersion: 1\nArchitecture: {ARCHITECTURE}\nEssential: yes\nPriority: required\nSection: admin\n\
         Maintainer: Fixture <fixture@localhost>\nDescription: a whole system\n"
    )
}

/// Writes the package; returns its SHA-256.
fn package(base: &Path, deb: &Path) -> String {
    let tree = base.join("tree");
    clone_from_host(&tree, &[]);
    let os = "ID=ubuntu\nNAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n";
    fs::write(tree.join("usr/lib/os-release"), os).unwrap();
    let data = base.join("data.tar");
    run(Command::new("tar")
        .args(["--owner=0", "--group=0", "--exclude=./var/lib/dpkg", "--exclude=./etc/apt/sources.list.d", "-cf"])
        .arg(&data)
        .arg("-C")
        .arg(&tree)
        .arg("."));
    let control = tar_gz(&[Entry::file("control", 0o644, control())]);
    let bytes = fs::read(&data).unwrap();
    fs::write(deb, ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), ("data.tar", &bytes)])).unwrap();
    fs::remove_file(data).unwrap();
    fs::remove_dir_all(tree).unwrap();
    sum(deb)
}

fn suite(folder: &Path, home: &Path, suite: &str, main: &str) {
    let dists = folder.join("dists").join(suite);
    let mut sums = String::new();
    for (component, text) in [("main", main), ("universe", "")] {
        let path = format!("{component}/binary-{ARCHITECTURE}/Packages");
        fs::create_dir_all(dists.join(&path).parent().unwrap()).unwrap();
        fs::write(dists.join(&path), text).unwrap();
        let _ = writeln!(sums, " {} {} {path}", sum(&dists.join(&path)), text.len());
    }
    let release = format!(
        "Origin: Ubuntu\nLabel: Ubuntu\nSuite: {suite}\nVersion: 24.04\nCodename: {CODE}\nDate: Thu, 25 Apr 2024 15:10:33 UTC\n\
         Architectures: {ARCHITECTURE}\nComponents: main universe\nDescription: Fixture\nSHA256:\n{sums}"
    );
    let path = dists.join("Release");
    fs::write(&path, release).unwrap();
    let signed = dists.join("InRelease");
    gpg(home, &["--output", signed.to_str().unwrap(), "--clear-sign", path.to_str().unwrap()]);
}

/// By the program: these are large, and the tests' own code is not compiled for speed.
fn sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn gpg(home: &Path, arguments: &[&str]) {
    run(Command::new("gpg").arg("--homedir").arg(home).args(["--batch", "--quiet", "--yes"]).args(arguments));
}

fn run(command: &mut Command) {
    super::rpm::run(command);
}
