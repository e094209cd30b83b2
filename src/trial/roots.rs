//! Where the roots of instances come from, and having each of them made once.

use super::error::TrialError;
use super::stop::Stop;
use crate::project::Os;
use crate::sandbox::root::{self, Cache, FORMS, Obtained, Source};
use crate::sandbox::{Line, SandboxError};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Packages of a root that no recipe describes: what every vendor's image has and tests look for.
const USUAL: [&str; 5] = ["ca-certificates", "iproute2", "procps", "systemd", "systemd-sysv"];

/// The image of a registry that stands for a system whose vendor publishes one to everybody.
const IMAGES: [(Os, &str); 1] = [(Os::AmazonLinux2023, "amazonlinux:2023")];

/// How long a wait for a root goes on before it looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);

/// The root of an operating system that no recipe describes.
///
/// # Errors
/// For systems that cannot be made here.
pub(super) fn of(os: Os) -> Result<Source, TrialError> {
    let packages = USUAL.map(str::to_owned).to_vec();
    let release = Source::Bootstrap { release: os.name().to_owned(), packages, mirror: None };
    if release.check().is_ok() {
        return Ok(release);
    }
    let image = IMAGES.into_iter().find(|(known, _)| *known == os);
    let source = image.map(|(_, reference)| Source::Oci { reference: reference.to_owned() });
    source.ok_or_else(|| TrialError::Root {
        root: os.name().to_owned(),
        reason: "no recipe of the project says how this machine makes it, and its vendor publishes none to everybody"
            .to_owned(),
        next: format!("name one: --root {0}=oci:REFERENCE, or --root {0}=dir:FOLDER", os.name()),
    })
}

/// What a recipe says, with paths of the project made absolute.
pub(super) fn of_parent(parent: &Source, project: &Path) -> Source {
    // Only an empty path or a current folder that is gone cannot be made absolute; who makes the root says so.
    parent.within(&std::path::absolute(project).unwrap_or_else(|_| project.to_owned()))
}

/// Reads what stands behind `--root`: a source, or just a folder with a root file system.
///
/// # Errors
/// When it is none, there is no such file or folder, or no system in the folder.
pub(super) fn parse(text: &str, here: &Path) -> Result<Source, TrialError> {
    let refused =
        |reason: String, next: &str| TrialError::Root { root: text.to_owned(), reason, next: next.to_owned() };
    let folder = here.join(text);
    let source = match text.parse::<Source>() {
        Ok(source) => source,
        Err(_) if folder.is_dir() => Source::Directory { path: PathBuf::from(text) },
        Err(_) if !text.contains(':') => {
            return Err(refused("there is no such folder".to_owned(), &format!("{FORMS}; or name a folder")));
        }
        Err(error) => return Err(refused(error.why, &error.next)),
    };
    let here = std::path::absolute(here).map_err(TrialError::io("found", here))?;
    let source = source.within(&here);
    if let Source::Directory { path } | Source::Tar { path } | Source::Image { path, .. } = &source
        && !path.exists()
    {
        return Err(refused(format!("there is no {}", path.display()), FORMS));
    }
    if let Source::Directory { path } = &source
        && os_release(path).is_none()
    {
        let next = "name a folder that holds an unpacked system, with etc/os-release in it";
        return Err(refused("it has neither etc/os-release nor usr/lib/os-release".to_owned(), next));
    }
    Ok(source)
}

/// The operating system in it, as far as it can be known without making it.
pub(super) fn system(source: &Source) -> Option<Os> {
    match source {
        Source::Bootstrap { release, .. } => {
            Os::all().into_iter().find(|os| os.name() == release || os.release() == Some(release))
        }
        Source::Oci { reference } => IMAGES.into_iter().find(|(_, known)| reference.ends_with(known)).map(|(os, _)| os),
        Source::Directory { path } => os_of(&os_release(path)?),
        Source::Tar { .. } | Source::Image { .. } => None,
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

/// The roots of one run. Cheap to clone; what was obtained stays in use until the last clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Roots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cache: Cache,
    mirror: Option<String>,
    made: Mutex<BTreeMap<Source, Made>>,
    bell: Condvar,
}

/// `None` while it is being made.
type Made = Option<Result<Arc<Obtained>, Arc<SandboxError>>>;

impl Roots {
    pub(super) fn new(cache: PathBuf, mirror: Option<String>) -> Self {
        Self(Arc::new(Shared { cache: Cache::new(cache), mirror, made: Mutex::default(), bell: Condvar::new() }))
    }

    /// A root; made by whoever asks first, and waited for by all others.
    ///
    /// It is made by a thread of its own, because nothing can stop its program half-way: who is told to stop goes without
    /// it, and the next start of amiforge sweeps what this process leaves.
    pub(super) fn obtain(
        &self,
        source: &Source,
        stop: &Stop,
        on_line: impl FnMut(String) + Send + 'static,
    ) -> Result<Arc<Obtained>, RootError> {
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
            let source = roots.complete(&wanted);
            let result = root::obtain(&source, &roots.0.cache, &mut |line| match line {
                Line::Out(line) | Line::Err(line) => on_line(line),
            });
            roots.finish(&wanted, result);
        });
        if let Err(error) = spawned {
            self.finish(source, Err(SandboxError::Spec(format!("no thread can be had to make the root: {error}"))));
        }
    }

    /// The mirror of the local environment is one of Debian.
    fn complete(&self, source: &Source) -> Source {
        match source {
            Source::Bootstrap { release, packages, mirror: None } if source.is_debian() => Source::Bootstrap {
                release: release.clone(),
                packages: packages.clone(),
                mirror: self.0.mirror.clone(),
            },
            other => other.clone(),
        }
    }

    fn finish(&self, source: &Source, result: Result<Obtained, SandboxError>) {
        self.made().insert(source.clone(), Some(result.map(Arc::new).map_err(Arc::new)));
        self.0.bell.notify_all();
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<Source, Made>> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine's architecture in EC2's spelling.
pub(super) fn machine() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { std::env::consts::ARCH }
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
        assert!(parse("absent", folder.path()).is_err());
        assert!(parse("tar:absent", folder.path()).is_err() && parse("oci:", folder.path()).is_err());
        let error = parse(".", folder.path()).unwrap_err();
        assert!(error.to_string().contains("os-release"), "{error}");
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/os-release"), "ID=debian\nVERSION_ID=13\n").unwrap();
        assert_eq!(system(&parse(".", folder.path()).unwrap()), Some(Os::Debian13));
    }

    #[test]
    fn who_is_told_to_stop_does_not_wait() {
        let roots = Roots::new("/nonexistent".into(), None);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/os-release"), "ID=debian\n").unwrap();
        let source = Source::Directory { path: folder.path().to_owned() };
        let stop = Stop::default();
        assert_eq!(roots.obtain(&source, &stop, |_| ()).unwrap().path, folder.path());
        stop.stop();
        assert!(matches!(roots.obtain(&source, &stop, |_| ()), Err(RootError::Stopped)));
    }

    #[test]
    fn every_system_has_a_root_or_says_how_to_name_one() {
        assert!(matches!(of(Os::Debian12).unwrap(), Source::Bootstrap { release, .. } if release == "debian-12"));
        assert_eq!(of(Os::AmazonLinux2023).unwrap().to_string(), "oci:amazonlinux:2023");
        assert_eq!(system(&of(Os::AmazonLinux2023).unwrap()), Some(Os::AmazonLinux2023));
        assert_eq!(system(&of(Os::Ubuntu2404).unwrap()), Some(Os::Ubuntu2404));
        let next = of(Os::Rhel9).unwrap_err().next().join(" ");
        assert!(next.contains("--root rhel-9=oci:REFERENCE"), "{next}");
    }
}
