//! A minimal Debian root cloned from the host's own dpkg database, in about a second.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Packages no root can do without here, beside those that are Essential.
const WANTED: &[&str] = &["apt", "gzip", "ca-certificates"];

/// Files that maintainer scripts make and no package lists.
const MADE_BY_SCRIPTS: &[&str] =
    &["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/alternatives", "etc/ld.so.cache", "etc/nsswitch.conf", "etc/shells"];

/// Clones Essential packages, apt and `extra` with all they depend on into `root`.
pub fn clone_from_host(root: &Path, extra: &[&str]) {
    let status = fs::read_to_string("/var/lib/dpkg/status").expect("a Debian host");
    let packages = installed(&status);
    let chosen = closure(&packages, extra);
    fs::create_dir_all(root).expect("the root's folder");
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(name)).expect("a folder of /usr");
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).expect("the merged-usr link");
    }
    copy_files(root, &chosen, &packages);
    write_database(root, &chosen, &packages);
    for folder in ["dev", "proc", "sys", "run", "tmp", "root", "var/tmp", "etc/apt/sources.list.d", "var/lib/apt/lists/partial"] {
        fs::create_dir_all(root.join(folder)).expect("a folder of the root");
    }
    Command::new("chmod").arg("1777").args([root.join("tmp"), root.join("var/tmp")]).status().expect("chmod");
    fs::write(root.join("etc/machine-id"), "").expect("machine-id");
    fs::write(root.join("etc/hostname"), "fixture\n").expect("hostname");
}

/// Stanzas of installed packages by name.
fn installed(status: &str) -> BTreeMap<&str, &str> {
    let stanzas = status.split("\n\n").filter(|stanza| stanza.contains("Status: install ok installed"));
    stanzas.filter_map(|stanza| Some((field(stanza, "Package")?, stanza))).collect()
}

pub fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn closure<'a>(packages: &BTreeMap<&'a str, &'a str>, extra: &[&'a str]) -> BTreeSet<&'a str> {
    let provided: BTreeMap<&str, &str> = packages
        .iter()
        .flat_map(|(name, stanza)| {
            let provides = field(stanza, "Provides").unwrap_or("");
            provides.split(',').filter_map(|word| Some((word.split_whitespace().next()?, *name)))
        })
        .collect();
    let essential = packages.iter().filter(|(_, stanza)| field(stanza, "Essential") == Some("yes")).map(|(name, _)| *name);
    let mut pending: Vec<&str> = essential.chain(WANTED.iter().copied()).chain(extra.iter().copied()).collect();
    let mut chosen = BTreeSet::new();
    while let Some(name) = pending.pop() {
        let Some((name, stanza)) = packages.get_key_value(name) else {
            assert!(!extra.contains(&name), "the host does not have `{name}`");
            continue;
        };
        if !chosen.insert(*name) {
            continue;
        }
        for key in ["Depends", "Pre-Depends"] {
            for group in field(stanza, key).unwrap_or("").split(',') {
                let alternatives = group.split('|').filter_map(|one| one.split([' ', '(', ':']).find(|word| !word.is_empty()));
                let found = alternatives.filter_map(|one| packages.get_key_value(one).map(|(n, _)| *n).or(provided.get(one).copied())).next();
                pending.extend(found);
            }
        }
    }
    chosen
}

fn info_name(package: &str, stanza: &str) -> String {
    let arch = field(stanza, "Architecture").unwrap_or("all");
    let qualified = format!("{package}:{arch}");
    if Path::new(&format!("/var/lib/dpkg/info/{qualified}.list")).exists() { qualified } else { package.to_owned() }
}

fn copy_files(root: &Path, chosen: &BTreeSet<&str>, packages: &BTreeMap<&str, &str>) {
    let mut files = BTreeSet::new();
    for package in chosen {
        let list = format!("/var/lib/dpkg/info/{}.list", info_name(package, packages[package]));
        let list = fs::read_to_string(list).expect("a package's file list");
        files.extend(list.lines().filter(|line| line.len() > 1 && *line != "/.").map(under_usr));
    }
    files.extend(MADE_BY_SCRIPTS.iter().map(|file| (*file).to_owned()));
    // What /etc/alternatives serves hangs on links in /usr/bin that no package lists.
    for entry in fs::read_dir("/usr/bin").expect("/usr/bin").flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if target.starts_with("/etc/alternatives") && fs::canonicalize(entry.path()).is_ok_and(|real| files.contains(&real.display().to_string()[1..])) {
            files.insert(entry.path().display().to_string()[1..].to_owned());
        }
    }
    let present: Vec<String> = files.into_iter().filter(|file| Path::new("/").join(file).symlink_metadata().is_ok()).collect();
    let mut pack = Command::new("tar")
        .args(["-C", "/", "--no-recursion", "--null", "--files-from=-", "-cf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tar");
    let mut names = pack.stdin.take().expect("tar's input");
    let unpack = Command::new("tar")
        .args(["--no-overwrite-dir", "--keep-directory-symlink", "-xpf", "-", "-C"])
        .arg(root)
        .stdin(pack.stdout.take().expect("tar's output"))
        .spawn()
        .expect("tar");
    let list = present.iter().flat_map(|file| file.bytes().chain([0])).collect::<Vec<u8>>();
    names.write_all(&list).expect("tar reads its list");
    drop(names);
    assert!(unpack.wait_with_output().expect("tar ends").status.success(), "the files could not be copied");
    assert!(pack.wait().expect("tar ends").success(), "the files could not be read");
    // etc/alternatives was copied as a folder only: --no-recursion.
    let status = Command::new("cp").args(["-a", "/etc/alternatives", "/etc/pam.d", "/etc/security"]).arg(root.join("etc")).status();
    assert!(status.is_ok(), "cp is there");
}

/// A path of a file list, relative, as it is called where /bin, /sbin and /lib are links into /usr.
fn under_usr(path: &str) -> String {
    let path = path.trim_start_matches('/');
    match path.split('/').next() {
        Some("bin" | "sbin" | "lib" | "lib64") => format!("usr/{path}"),
        _ => path.to_owned(),
    }
}

fn write_database(root: &Path, chosen: &BTreeSet<&str>, packages: &BTreeMap<&str, &str>) {
    let dpkg = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers", "parts"] {
        fs::create_dir_all(dpkg.join(folder)).expect("a folder of dpkg");
    }
    let stanzas: String = chosen.iter().map(|name| format!("{}\n\n", packages[name].trim_end())).collect();
    fs::write(dpkg.join("status"), stanzas).expect("dpkg's status");
    fs::write(dpkg.join("available"), "").expect("dpkg's available");
    for file in ["diversions", "statoverride"] {
        fs::write(dpkg.join(file), "").expect("a file of dpkg");
    }
    Command::new("cp").args(["-a", "/var/lib/dpkg/alternatives"]).arg(&dpkg).status().expect("cp");
    let names: BTreeSet<String> = chosen.iter().map(|name| info_name(name, packages[name])).collect();
    fs::write(dpkg.join("info/format"), "1\n").expect("dpkg's format");
    for entry in fs::read_dir("/var/lib/dpkg/info").expect("dpkg's info").flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.rsplit_once('.').is_some_and(|(stem, _)| names.contains(stem)) {
            fs::copy(entry.path(), dpkg.join("info").join(file)).expect("an info file");
        }
    }
}
