//! A small Debian root cloned from the packages of this machine: no network, no package manager, about a second.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

const DPKG: &str = "/var/lib/dpkg";

/// What scripts of packages have made on this machine and the clone needs as well.
const GENERATED: [&str; 10] = [
    "/etc/nsswitch.conf",
    "/etc/ca-certificates.conf",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/profile",
    "/etc/shells",
    "/etc/pam.d/common-account",
    "/etc/pam.d/common-auth",
    "/etc/pam.d/common-password",
    "/etc/pam.d/common-session",
    "/etc/pam.d/common-session-noninteractive",
];

/// Folders that programs expect and no package ships.
const FOLDERS: [(&str, u32); 21] = [
    ("boot", 0o755),
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("srv", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("var/tmp", 0o1777),
    ("root", 0o700),
    ("etc/apt/sources.list.d", 0o755),
    ("etc/alternatives", 0o755),
    ("var/cache/debconf", 0o755),
    ("var/cache/apt/archives/partial", 0o755),
    ("var/lib/apt/lists/partial", 0o755),
    ("var/lib/dpkg/updates", 0o755),
    ("var/lib/dpkg/parts", 0o755),
    ("var/log/apt", 0o755),
];

/// Clones the essential packages, apt, ca-certificates, `extra`, and all they depend on into `root`, which is made.
/// As an ordinary user everything belongs to that user, and files it cannot read are left out.
pub fn clone_from_host(root: &Path, extra: &[&str]) {
    let database = Database::read();
    let packages = database.closure(extra);
    fs::create_dir_all(root).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    merged_folders(root);
    let mut copier = Copier { root: root.to_owned(), links: BTreeMap::new(), owner: nix::unistd::geteuid().is_root() };
    for package in &packages {
        for path in files_of(package) {
            copier.copy(Path::new(&path));
        }
    }
    for path in GENERATED {
        copier.copy(Path::new(path));
    }
    for (folder, mode) in FOLDERS {
        let path = root.join(folder);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    users(root);
    alternatives(root);
    database.write(root, &packages);
}

/// `/bin` and its like are links to `/usr` on a merged system: they come first, or files would go astray.
fn merged_folders(root: &Path) {
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            let target = target.strip_prefix("/").unwrap_or(&target);
            fs::create_dir_all(root.join(target)).unwrap();
            symlink(target, root.join(name)).unwrap();
        }
    }
}

/// The installed packages of this machine.
struct Database {
    stanzas: BTreeMap<String, String>,
    /// Name of something provided → who provides it.
    providers: BTreeMap<String, String>,
}

impl Database {
    fn read() -> Self {
        let text = fs::read_to_string(format!("{DPKG}/status")).expect("these tests need a Debian or Ubuntu machine");
        let native = native_architecture();
        let mut database = Self { stanzas: BTreeMap::new(), providers: BTreeMap::new() };
        for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let own = [native.as_str(), "all"].contains(&field(stanza, "Architecture").unwrap_or_default().as_str());
            if field(stanza, "Status").as_deref() != Some("install ok installed") || !own {
                continue;
            }
            let name = field(stanza, "Package").unwrap();
            for provided in names(&field(stanza, "Provides").unwrap_or_default()) {
                database.providers.insert(provided[0].clone(), name.clone());
            }
            database.stanzas.insert(name, stanza.trim().to_owned());
        }
        database
    }

    fn closure(&self, extra: &[&str]) -> BTreeSet<String> {
        let essential = self.stanzas.iter().filter(|(_, stanza)| field(stanza, "Essential").as_deref() == Some("yes"));
        let mut pending: Vec<String> = essential.map(|(name, _)| name.clone()).collect();
        pending.extend(["apt", "ca-certificates"].iter().chain(extra).map(|name| (*name).to_owned()));
        let mut chosen = BTreeSet::new();
        while let Some(name) = pending.pop() {
            let stanza = self.stanzas.get(&name).unwrap_or_else(|| panic!("{name} is not installed on this machine"));
            if !chosen.insert(name) {
                continue;
            }
            for key in ["Pre-Depends", "Depends"] {
                for alternatives in names(&field(stanza, key).unwrap_or_default()) {
                    let real = alternatives.iter().find(|name| self.stanzas.contains_key(*name));
                    let found = real.or_else(|| alternatives.iter().find_map(|name| self.providers.get(name)));
                    pending.extend(found.cloned());
                }
            }
        }
        chosen
    }

    /// A database with the chosen packages and their whole stanzas: with less than that, apt takes an installed
    /// version for another than the same one of a repository.
    fn write(&self, root: &Path, packages: &BTreeSet<String>) {
        let folder = root.join("var/lib/dpkg");
        fs::create_dir_all(folder.join("info")).unwrap();
        fs::create_dir_all(folder.join("triggers")).unwrap();
        let status: String = packages.iter().map(|name| format!("{}\n\n", self.stanzas[name])).collect();
        fs::write(folder.join("status"), status).unwrap();
        for empty in ["available", "diversions", "statoverride", "triggers/Unincorp", "triggers/Lock", "lock"] {
            fs::write(folder.join(empty), "").unwrap();
        }
        fs::write(folder.join("arch"), native_architecture() + "\n").unwrap();
        fs::copy(format!("{DPKG}/info/format"), folder.join("info/format")).unwrap();
        for path in packages.iter().flat_map(|name| info_files(name)) {
            fs::copy(&path, folder.join("info").join(path.file_name().unwrap())).unwrap();
        }
        let interests = fs::read_to_string(format!("{DPKG}/triggers/File")).unwrap_or_default();
        let ours = interests.lines().filter(|line| {
            let owner = line.rsplit(' ').next().unwrap_or_default();
            packages.contains(owner.split(['/', ':']).next().unwrap_or_default())
        });
        let ours: String = ours.map(|line| format!("{line}\n")).collect();
        fs::write(folder.join("triggers/File"), ours).unwrap();
    }
}

/// What a package has installed, in its own order.
fn files_of(package: &str) -> Vec<String> {
    let path = info_files(package).into_iter().find(|path| path.extension().is_some_and(|end| end == "list"));
    let text = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn native_architecture() -> String {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
    .to_owned()
}

/// Control files of a package, with or without the architecture in their names.
fn info_files(package: &str) -> Vec<PathBuf> {
    let prefixes = [format!("{package}."), format!("{package}:{}.", native_architecture())];
    let ends = [
        "list",
        "md5sums",
        "conffiles",
        "preinst",
        "postinst",
        "prerm",
        "postrm",
        "triggers",
        "shlibs",
        "symbols",
        "config",
        "templates",
    ];
    let paths = prefixes.iter().flat_map(|prefix| ends.iter().map(move |end| format!("{DPKG}/info/{prefix}{end}")));
    paths.map(PathBuf::from).filter(|path| path.exists()).collect()
}

/// The first line of a field, or all of a short one.
fn field(stanza: &str, key: &str) -> Option<String> {
    stanza.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned()))
}

/// `a (>= 1) | b, c:any` → `[[a, b], [c]]`.
fn names(relations: &str) -> Vec<Vec<String>> {
    let name = |relation: &str| relation.trim().split([' ', '(', ':']).next().unwrap_or_default().to_owned();
    let clauses = relations.split(',').filter(|clause| !clause.trim().is_empty());
    clauses.map(|clause| clause.split('|').map(name).collect()).collect()
}

struct Copier {
    root: PathBuf,
    /// Files with several names: inode → the first copy.
    links: BTreeMap<(u64, u64), PathBuf>,
    owner: bool,
}

impl Copier {
    fn copy(&mut self, path: &Path) {
        let target = self.root.join(path.strip_prefix("/").unwrap());
        let Ok(metadata) = fs::symlink_metadata(path) else { return };
        if target.exists() && path != Path::new("/") && !metadata.is_dir() {
            return;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).unwrap();
        }
        let made = if metadata.is_dir() { make_folder(&target) } else { self.file(path, &target, &metadata) };
        if made && self.owner {
            lchown(&target, Some(metadata.uid()), Some(metadata.gid())).unwrap();
        }
        if made && !metadata.is_symlink() {
            // After the owner: a change of owner takes set-user-id bits away.
            fs::set_permissions(&target, fs::Permissions::from_mode(metadata.mode() & 0o7777)).unwrap();
        }
    }

    fn file(&mut self, path: &Path, target: &Path, metadata: &Metadata) -> bool {
        let identity = (metadata.dev(), metadata.ino());
        if let Some(first) = self.links.get(&identity) {
            fs::hard_link(first, target).unwrap();
            return false;
        }
        if metadata.is_symlink() {
            match symlink(fs::read_link(path).unwrap(), target) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return false,
                done => done.unwrap(),
            }
        } else if let Err(error) = fs::copy(path, target) {
            assert!(!self.owner && error.kind() == ErrorKind::PermissionDenied, "{}: {error}", path.display());
            return false;
        }
        if metadata.nlink() > 1 {
            self.links.insert(identity, target.to_owned());
        }
        true
    }
}

fn make_folder(target: &Path) -> bool {
    // `/lib` and its like are links here.
    fs::create_dir_all(target).unwrap();
    !fs::symlink_metadata(target).unwrap().is_symlink()
}

/// The system's users and groups, without those of people, and without a password for anyone.
fn users(root: &Path) {
    let system = |text: String| -> String {
        let keep = |line: &&str| {
            let number = line.split(':').nth(2).and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
            number < 1000 || number == 65_534
        };
        text.lines().filter(keep).map(|line| format!("{line}\n")).collect()
    };
    let write = |name: &str, mode: u32, text: &str| {
        let path = root.join("etc").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, shadow, rest) in [("passwd", "shadow", ":*:19000:0:99999:7:::"), ("group", "gshadow", ":*::")] {
        let text = system(fs::read_to_string(Path::new("/etc").join(name)).unwrap());
        let locked: String =
            text.lines().map(|line| format!("{}{rest}\n", line.split(':').next().unwrap_or_default())).collect();
        write(name, 0o644, &text);
        write(shadow, 0o640, &locked);
    }
}

/// Links of update-alternatives (awk, which, pager …) whose target has been cloned.
fn alternatives(root: &Path) {
    let database = root.join("var/lib/dpkg/alternatives");
    fs::create_dir_all(&database).unwrap();
    for entry in fs::read_dir(format!("{DPKG}/alternatives")).into_iter().flatten().flatten() {
        let master = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let mut lines = text.lines().skip(1);
        let mut pairs = vec![(master.clone(), lines.next().unwrap_or_default().to_owned())];
        while let (Some(name), Some(link)) = (lines.next().filter(|name| !name.is_empty()), lines.next()) {
            pairs.push((name.to_owned(), link.to_owned()));
        }
        let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        // What this machine has chosen may be a package that was not cloned (gawk, where somebody installed it): then
        // the first of the other choices that was.
        let choices: Vec<PathBuf> = lines.filter(|line| line.starts_with("/usr/bin/")).map(PathBuf::from).collect();
        for (name, link) in pairs {
            let Ok(chosen) = fs::read_link(Path::new("/etc/alternatives").join(&name)) else { continue };
            let other = choices.iter().find(|path| name == master && inside(path).exists());
            let target = if inside(&chosen).exists() { chosen } else { other.cloned().unwrap_or(chosen) };
            let (choice, link) = (root.join("etc/alternatives").join(&name), inside(Path::new(&link)));
            if inside(&target).exists() && link.parent().is_some_and(Path::is_dir) {
                let _ = symlink(&target, choice);
                let _ = symlink(Path::new("/etc/alternatives").join(&name), link);
                let _ = fs::copy(entry.path(), database.join(&master));
            }
        }
    }
}
