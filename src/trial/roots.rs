//! Where the roots of instances come from, and having each of them made once.
//!
//! Everything that knows how a root is made is behind [`Source::parse`] and [`make`].

use super::error::TrialError;
use super::stop::Stop;
use crate::project::LocalParent;
use crate::project::Os;
use crate::sandbox::root::{self, BootstrapSpec};
use crate::sandbox::{Line, SandboxError};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a root is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A Debian release, made by mmdebstrap from its release pocket only.
    Bootstrap {
        /// For example `bookworm`.
        release: String,
        /// Packages on top of the minimal set.
        packages: Vec<String>,
    },
    /// An unpacked root file system on this machine, used where it is and never written to.
    Folder(PathBuf),
}

/// Packages of a root that no recipe describes: what every vendor's image has and tests look for.
const USUAL: [&str; 5] = ["ca-certificates", "iproute2", "procps", "systemd", "systemd-sysv"];

/// Part of the key of a bootstrapped root; the same as the local environment's, which shares the roots.
const ROOT_RECIPE: u32 = 1;

/// How long a wait for a root goes on before it looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);

impl Source {
    /// The root of an operating system that no recipe describes.
    ///
    /// # Errors
    /// For systems that cannot be made here.
    pub(super) fn of(os: Os) -> Result<Self, TrialError> {
        let release = os.release().ok_or_else(|| TrialError::Root {
            root: os.name().to_owned(),
            reason: "no recipe of the project says how this machine makes it, and it is no Debian".to_owned(),
            next: format!("name a folder with an unpacked system: --root {}=FOLDER", os.name()),
        })?;
        Ok(Self::Bootstrap { release: release.to_owned(), packages: USUAL.map(str::to_owned).to_vec() })
    }

    /// What a recipe says.
    pub(super) fn of_parent(parent: &LocalParent, project: &Path) -> Self {
        match parent {
            LocalParent::Bootstrap { release, packages } => {
                Self::Bootstrap { release: release.clone(), packages: packages.clone() }
            }
            LocalParent::Directory { path } => {
                let path = project.join(path);
                // Only an empty path or a current folder that is gone cannot be made absolute; the instance says so.
                Self::Folder(std::path::absolute(&path).unwrap_or(path))
            }
        }
    }

    /// Reads what stands behind `--root`: a folder with a root file system.
    ///
    /// # Errors
    /// When there is no such folder, or no system in it.
    pub(super) fn parse(text: &str, here: &Path) -> Result<Self, TrialError> {
        let path = here.join(text);
        let refused = |reason: &str| TrialError::Root {
            root: text.to_owned(),
            reason: reason.to_owned(),
            next: "name a folder that holds an unpacked system, with etc/os-release in it".to_owned(),
        };
        if !path.is_dir() {
            return Err(refused("there is no such folder"));
        }
        if os_release(&path).is_none() {
            return Err(refused("it has neither etc/os-release nor usr/lib/os-release"));
        }
        let full = std::path::absolute(&path).map_err(TrialError::io("found", &path))?;
        Ok(Self::Folder(full))
    }

    /// What a report says about it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Bootstrap { release, packages } => {
                format!("{release} from the release pocket with {} packages more", packages.len())
            }
            Self::Folder(path) => format!("the folder {}", path.display()),
        }
    }

    /// The operating system in it, as far as it can be known without making it.
    pub(super) fn os(&self) -> Option<Os> {
        match self {
            Self::Bootstrap { release, .. } => Os::all().into_iter().find(|os| os.release() == Some(release)),
            Self::Folder(path) => os_of(&os_release(path)?),
        }
    }
}

fn os_release(root: &Path) -> Option<String> {
    ["etc/os-release", "usr/lib/os-release"].iter().find_map(|file| fs::read_to_string(root.join(file)).ok())
}

/// The system that an os-release(5) is of.
fn os_of(release: &str) -> Option<Os> {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let (id, version) = (value("ID"), value("VERSION_ID"));
    let major = version.split('.').next().unwrap_or_default();
    let name = match id.as_str() {
        "debian" => format!("debian-{major}"),
        "ubuntu" => format!("ubuntu-{version}"),
        "amzn" => format!("amazon-linux-{major}"),
        "rhel" | "rocky" | "almalinux" | "centos" => format!("rhel-{major}"),
        "sles" => format!("sles-{major}"),
        _ => return None,
    };
    Os::parse(&name)
}

/// Why there is no root.
#[derive(Debug, Clone)]
pub(super) enum RootError {
    /// Nobody waits for it any more.
    Stopped,
    /// It could not be made.
    Failed(Arc<SandboxError>),
}

/// The roots of one run. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Roots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cache: PathBuf,
    mirror: Option<String>,
    made: Mutex<BTreeMap<Source, Made>>,
    bell: Condvar,
}

/// `None` while it is being made.
type Made = Option<Result<Vec<PathBuf>, Arc<SandboxError>>>;

impl Roots {
    pub(super) fn new(cache: PathBuf, mirror: Option<String>) -> Self {
        Self(Arc::new(Shared { cache, mirror, made: Mutex::default(), bell: Condvar::new() }))
    }

    /// The layers of a root, topmost first; made by whoever asks first, and waited for by all others.
    ///
    /// It is made by a thread of its own, because nothing can stop its program half-way: who is told to stop goes without
    /// it, and the next start of amiforge sweeps what this process leaves.
    pub(super) fn obtain(
        &self,
        source: &Source,
        stop: &Stop,
        on_line: impl FnMut(String) + Send + 'static,
    ) -> Result<Vec<PathBuf>, RootError> {
        let mut made = self.made();
        if !made.contains_key(source) {
            made.insert(source.clone(), None);
            drop(made);
            self.begin(source, on_line);
            made = self.made();
        }
        loop {
            if stop.is_stopped() {
                return Err(RootError::Stopped);
            }
            if let Some(Some(result)) = made.get(source) {
                return result.clone().map_err(RootError::Failed);
            }
            made = self.0.bell.wait_timeout(made, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn begin(&self, source: &Source, mut on_line: impl FnMut(String) + Send + 'static) {
        let (roots, wanted) = (self.clone(), source.clone());
        let spawned = std::thread::Builder::new().name("trial-root".to_owned()).spawn(move || {
            let result = make(&wanted, &roots.0.cache, roots.0.mirror.as_deref(), &mut |line| match line {
                Line::Out(line) | Line::Err(line) => on_line(line),
            });
            roots.finish(&wanted, result);
        });
        if let Err(error) = spawned {
            self.finish(source, Err(SandboxError::Spec(format!("no thread can be had to make the root: {error}"))));
        }
    }

    fn finish(&self, source: &Source, result: Result<Vec<PathBuf>, SandboxError>) {
        self.made().insert(source.clone(), Some(result.map_err(Arc::new)));
        self.0.bell.notify_all();
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<Source, Made>> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a root, or finds it in the cache.
fn make(
    source: &Source,
    cache: &Path,
    mirror: Option<&str>,
    on_line: &mut dyn FnMut(Line),
) -> Result<Vec<PathBuf>, SandboxError> {
    let (release, packages) = match source {
        Source::Folder(path) => return Ok(vec![path.clone()]),
        Source::Bootstrap { release, packages } => (release, packages),
    };
    let mut packages = packages.clone();
    packages.sort();
    packages.dedup();
    let arch = machine();
    let folder = cache.join("roots").join(key(&json!([ROOT_RECIPE, release, packages, mirror, arch]).to_string()));
    let parent = folder.parent().unwrap_or(cache);
    let failed =
        |what: &str, path: &Path, source| SandboxError::File { action: what.to_owned(), path: path.to_owned(), source };
    fs::create_dir_all(parent).map_err(|error| failed("cannot make the folder", parent, error))?;
    root::sweep(parent)?;
    // Held while the root is made: another process that wants it waits here instead of making it, too.
    let path = folder.with_extension("lock");
    let lock = File::options().create(true).append(true).open(&path);
    let lock = lock.and_then(|file| file.lock().map(|()| file)).map_err(|error| failed("cannot lock", &path, error))?;
    root::bootstrap(
        &BootstrapSpec {
            release: release.clone(),
            packages,
            mirror: mirror.map(str::to_owned),
            architecture: arch.to_owned(),
            destination: folder.clone(),
        },
        on_line,
    )?;
    drop(lock);
    Ok(vec![folder])
}

/// The machine's architecture in EC2's spelling.
pub(super) fn machine() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { std::env::consts::ARCH }
}

fn key(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(text.len().to_le_bytes());
    hash.update(text);
    let mut hex = String::new();
    for byte in hash.finalize().iter().take(16) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_known_by_their_os_release() {
        let cases = [
            ("ID=debian\nVERSION_ID=\"12\"\n", Some(Os::Debian12)),
            ("ID=ubuntu\nVERSION_ID=\"24.04\"\n", Some(Os::Ubuntu2404)),
            ("ID=\"amzn\"\nVERSION_ID=\"2023\"\n", Some(Os::AmazonLinux2023)),
            ("ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", Some(Os::Rhel9)),
            ("ID=arch\n", None),
            ("", None),
        ];
        for (text, os) in cases {
            assert_eq!(os_of(text), os, "{text}");
        }
    }

    #[test]
    fn a_folder_without_a_system_is_no_root() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::parse("absent", folder.path()).is_err());
        let error = Source::parse(".", folder.path()).unwrap_err();
        assert!(error.to_string().contains("os-release"), "{error}");
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/os-release"), "ID=debian\nVERSION_ID=13\n").unwrap();
        assert_eq!(Source::parse(".", folder.path()).unwrap().os(), Some(Os::Debian13));
    }

    #[test]
    fn who_is_told_to_stop_does_not_wait() {
        let roots = Roots::new("/nonexistent".into(), None);
        let source = Source::Folder("/x".into());
        let stop = Stop::default();
        assert_eq!(roots.obtain(&source, &stop, |_| ()).unwrap(), [PathBuf::from("/x")]);
        stop.stop();
        assert!(matches!(roots.obtain(&source, &stop, |_| ()), Err(RootError::Stopped)));
    }
}
