//! Roots made by mmdebstrap.

use super::mirror;
use super::release::{Distribution, Release};
use crate::sandbox::host;
use crate::sandbox::launch::{self, SharedTarget};
use crate::sandbox::mode::{Mode, program};
use crate::sandbox::probe;
use crate::sandbox::tree;
use crate::sandbox::wire::{Operation, Request, Setup};
use crate::sandbox::{Exit, Line, SandboxError, environment};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapSpec {
    /// The release of Debian or Ubuntu, by code name (`bookworm`) or name (`debian-12`).
    pub release: String,
    /// Packages beyond the minimal set.
    pub packages: Vec<String>,
    /// Package mirror; `None` is the one this machine uses.
    pub mirror: Option<String>,
    /// The keys of a mirror that is signed with its own; `None` is the distribution's, which this machine must have.
    pub keyring: Option<PathBuf>,
    /// Architecture, in the words of Debian (`amd64`) or of the machine (`x86_64`).
    pub architecture: String,
    /// The folder to make; it appears whole or not at all. If it is there already, nothing is done.
    pub destination: PathBuf,
}

/// Lines of output kept for an error message.
const KEPT_LINES: usize = 20;

/// A minimal root with the packages of a small server and all downloads, with room to spare.
const NEEDED_MIB: u64 = 1536;

/// Where the keys of a mirror that is signed with its own go in a root.
const OWN_KEYRING: &str = "/usr/share/keyrings/amiforge-mirror.gpg";

/// The package sources of a finished root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Sources {
    /// Name of the file in `/etc/apt/sources.list.d`.
    file: String,
    text: String,
    /// Keys that the root does not have by itself, to be kept at [`OWN_KEYRING`].
    keys: Option<Vec<u8>>,
}

/// Makes a root filesystem of a release from its release pocket only, so that there is something to patch. The
/// sources written into it name the update and security suites as well, as in a real image.
///
/// It works in namespaces of its own: when this process ends, however it does, so does the work. A half-made root is
/// never at `destination`; should this process be killed, [`sweep`](super::sweep) of its parent folder removes it.
///
/// # Errors
/// [`SandboxError::Program`] when mmdebstrap or the keys of the archive are missing, [`SandboxError::Bootstrap`] with the
/// last lines of its output.
pub fn bootstrap(spec: &BootstrapSpec, on_line: &mut dyn FnMut(Line)) -> Result<(), SandboxError> {
    let destination = super::absolute(&spec.destination)?;
    if destination.exists() {
        return Ok(());
    }
    let made = Made::of(spec)?;
    let mode = probe::probe(destination.parent().unwrap_or(&destination))?;
    let partial = partial_name(&destination)?;
    let lock = super::claim(&partial)?;
    let result = enough_space(&partial).and_then(|()| {
        make(spec, &made, &mode, &partial, on_line)?;
        publish(&partial.join("root"), &destination)
    });
    let removed = super::remove(&partial);
    drop(lock);
    result.and(removed)
}

/// The program that would make it, when nothing is missing for that.
pub(super) fn equipped(spec: &BootstrapSpec) -> Result<PathBuf, SandboxError> {
    Made::of(spec).map(|made| made.mmdebstrap)
}

/// What it is made with: everything that can be missing has been looked for.
struct Made {
    release: &'static Release,
    mmdebstrap: PathBuf,
    mirror: String,
    /// In the words of Debian.
    architecture: String,
    keyring: PathBuf,
    keys: Option<Vec<u8>>,
}

impl Made {
    fn of(spec: &BootstrapSpec) -> Result<Self, SandboxError> {
        let release = Release::find(&spec.release).ok_or_else(|| {
            let known: Vec<&str> = Release::names().collect();
            let text = format!("no release `{}` is known; known are {}", spec.release, known.join(", "));
            SandboxError::Spec(text)
        })?;
        let distribution = release.distribution;
        let mmdebstrap = program("mmdebstrap").ok_or_else(|| {
            let purpose = "it makes roots of Debian and Ubuntu releases";
            let mend = format!("sudo apt-get install -y mmdebstrap {}", distribution.keyring_package);
            missing("mmdebstrap", purpose, mend)
        })?;
        let (keyring, keys) = keys(spec, distribution)?;
        let architecture = match spec.architecture.as_str() {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let archive = distribution.archive(architecture);
        let mirror = spec.mirror.clone().or_else(|| mirror::of_this_machine(&mmdebstrap, archive)).ok_or_else(|| {
            SandboxError::Spec(format!(
                "no mirror of {} is known on this machine; name one as `mirror`, in `parent.local` of the recipe or behind \
                 `@` ({}@MIRROR)",
                distribution.name, release.name
            ))
        })?;
        Ok(Self { release, mmdebstrap, mirror, architecture: architecture.to_owned(), keyring, keys })
    }
}

fn missing(name: &str, purpose: &str, mend: String) -> SandboxError {
    SandboxError::Program {
        program: name.into(),
        purpose: purpose.into(),
        mend,
        without: "a root that is an image (oci:, image:), a tar or a folder, and init, lint, render and plan".into(),
    }
}

/// Where the keys are, and their bytes if the root will not have them by itself.
fn keys(spec: &BootstrapSpec, distribution: &Distribution) -> Result<(PathBuf, Option<Vec<u8>>), SandboxError> {
    if let Some(path) = &spec.keyring {
        let path = super::absolute(path)?;
        let bytes = fs::read(&path).map_err(SandboxError::file("cannot read the keys of the mirror in", &path))?;
        return Ok((path, Some(bytes)));
    }
    if Path::new(distribution.keyring).exists() {
        return Ok((distribution.keyring.into(), None));
    }
    let purpose = format!("it proves that packages come from {}", distribution.name);
    Err(missing(distribution.keyring_package, &purpose, distribution.keyring_mend.to_owned()))
}

fn partial_name(destination: &Path) -> Result<PathBuf, SandboxError> {
    let (Some(parent), Some(name)) = (destination.parent(), destination.file_name()) else {
        return Err(SandboxError::Spec(format!("{} cannot be the folder of a root", destination.display())));
    };
    let name = format!(".{}{}{}", name.to_string_lossy(), super::sweep::PARTIAL, std::process::id());
    Ok(parent.join(name))
}

fn enough_space(folder: &Path) -> Result<(), SandboxError> {
    let free_mib = super::free_bytes(folder)? >> 20;
    if free_mib >= NEEDED_MIB {
        return Ok(());
    }
    // A full disk otherwise shows up as the strangest errors of dpkg.
    Err(SandboxError::Space { path: folder.to_owned(), free_mib, needed_mib: NEEDED_MIB })
}

fn make(
    spec: &BootstrapSpec,
    made: &Made,
    mode: &Mode,
    partial: &Path,
    on_line: &mut dyn FnMut(Line),
) -> Result<(), SandboxError> {
    let temporary = partial.join("tmp");
    fs::create_dir_all(&temporary).map_err(SandboxError::file("cannot make the folder", &temporary))?;
    let root = partial.join("root");
    let mut variables = environment();
    // On the same file system as the root, and emptied with it; root's own home may not be ours to read.
    for name in ["TMPDIR", "HOME"] {
        variables.insert(name.to_owned(), temporary.to_string_lossy().into_owned());
    }
    let request = Request::Command {
        argv: [arguments(spec, made, &root), in_mode(mode)].concat(),
        environment: variables,
        directory: "/".into(),
        timeout_ms: None,
    };
    let mut last_lines = VecDeque::new();
    let mut chain = launch::launch(mode, Setup::Workshop, &[], &SharedTarget::default(), &mut |_, _| Ok(Vec::new()))
        .map_err(probe::explain)?;
    let exit = chain.perform(&request, &[], &mut |line| {
        let (Line::Out(text) | Line::Err(text)) = &line;
        last_lines.push_back(text.clone());
        if last_lines.len() > KEPT_LINES {
            last_lines.pop_front();
        }
        on_line(line);
        None
    });
    chain.end();
    let failed = |reason: String| SandboxError::Bootstrap {
        release: spec.release.clone(),
        mirror: made.mirror.clone(),
        reason,
        last_lines: last_lines.into(),
    };
    match exit? {
        Exit::Code(0) => {}
        Exit::Code(code) => return Err(failed(format!("mmdebstrap ended with exit code {code}"))),
        Exit::Signal(signal) => return Err(failed(format!("mmdebstrap was ended by signal {signal}"))),
        Exit::TimedOut => return Err(failed("mmdebstrap took too long".into())),
        // There is no machine around it that could.
        Exit::Restarted => return Err(SandboxError::Gone),
    }
    complete(mode, root, sources(made))
}

fn arguments(spec: &BootstrapSpec, made: &Made, root: &Path) -> Vec<String> {
    let mut arguments = vec![
        made.mmdebstrap.display().to_string(),
        // We are root in the namespace it runs in, and it leaves out what that cannot do.
        "--mode=root".into(),
        "--variant=minbase".into(),
        "--format=directory".into(),
        // It would be refused, and said so on every run; no package of Debian needs it.
        "--skip=chroot/mount/sys".into(),
        format!("--architectures={}", made.architecture),
    ];
    if !spec.packages.is_empty() {
        arguments.push(format!("--include={}", spec.packages.join(",")));
    }
    for (name, value) in host::acquire_settings() {
        arguments.push(format!("--aptopt={name} \"{value}\""));
    }
    let Made { release, keyring, .. } = made;
    // apt leaves packages of a folder where they are, and inside of the new root they are not.
    let mirror = made.mirror.strip_prefix("file:").map_or_else(|| made.mirror.clone(), |path| format!("copy:{path}"));
    arguments.extend([
        release.code.to_owned(),
        root.display().to_string(),
        format!("deb [signed-by={}] {mirror} {} {}", keyring.display(), release.code, release.distribution.components),
    ]);
    arguments
}

/// What mmdebstrap has to do otherwise where there is only one id: its terminals would belong to the group `tty`, which does
/// not exist then. It gets this machine's devices instead.
fn in_mode(mode: &Mode) -> Vec<String> {
    if !matches!(mode, Mode::OneId(_)) {
        return Vec::new();
    }
    vec![
        "--skip=chroot/mount/dev".into(),
        "--extract-hook=mount --rbind /dev \"$1/dev\"".into(),
        "--customize-hook=umount --lazy \"$1/dev\"".into(),
    ]
}

/// The sources a real image has: all pockets, of which the release alone was installed from.
fn sources(made: &Made) -> Sources {
    let Made { release, mirror, keys, .. } = made;
    let distribution = release.distribution;
    let keyring = if keys.is_some() { OWN_KEYRING } else { distribution.keyring };
    let stanza = |mirror: &str, suites: &str| {
        let components = distribution.components;
        format!("Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: {components}\nSigned-By: {keyring}\n")
    };
    let code = release.code;
    let text = if release.is_rolling() {
        stanza(mirror, code)
    } else if distribution.security_apart {
        let main = stanza(mirror, &format!("{code} {code}-updates"));
        format!("{main}\n{}", stanza(&mirror::security(mirror), &format!("{code}-security")))
    } else {
        stanza(mirror, &format!("{code} {code}-updates {code}-security"))
    };
    Sources { file: format!("{}.sources", distribution.name.to_lowercase()), text, keys: keys.clone() }
}

fn complete(mode: &Mode, root: PathBuf, sources: Sources) -> Result<(), SandboxError> {
    if mode.has_foreign_files() {
        return launch::operate(mode, Operation::Finish { root, sources });
    }
    finish(&root, &sources)
}

/// Gives a fresh root the sources of a real image and takes away what is this machine's or would be stale.
pub(in crate::sandbox) fn finish(root: &Path, sources: &Sources) -> Result<(), SandboxError> {
    let stale = [
        "etc/apt/sources.list",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/hostname",
        "etc/resolv.conf",
        "var/cache/apt/pkgcache.bin",
        "var/cache/apt/srcpkgcache.bin",
    ];
    for path in stale {
        tree::remove(&root.join(path))?;
    }
    for folder in ["var/lib/apt/lists", "var/cache/apt/archives", "tmp", "run"] {
        let folder = root.join(folder);
        tree::empty(&folder).map_err(SandboxError::file("cannot empty", &folder))?;
    }
    let folder = root.join("etc/apt/sources.list.d");
    tree::empty(&folder).map_err(SandboxError::file("cannot empty", &folder))?;
    let path = folder.join(&sources.file);
    fs::write(&path, &sources.text).map_err(SandboxError::file("cannot write", &path))?;
    let Some(keys) = &sources.keys else { return Ok(()) };
    let path = root.join(OWN_KEYRING.trim_start_matches('/'));
    fs::write(&path, keys).map_err(SandboxError::file("cannot write", &path))
}

/// Moves a finished root to its place. Should another process have been faster, its root is as good as ours.
fn publish(root: &Path, destination: &Path) -> Result<(), SandboxError> {
    // It is kept for long and used often, and took its time: what a power cut leaves must be whole.
    tree::write_out(root).map_err(SandboxError::file("cannot write out", root))?;
    match fs::rename(root, destination) {
        Err(_) if destination.join("etc").is_dir() => Ok(()),
        result => result.map_err(SandboxError::file("cannot move the root to", destination)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> BootstrapSpec {
        BootstrapSpec {
            release: "bookworm".into(),
            packages: vec!["cron".into(), "git".into()],
            mirror: None,
            keyring: None,
            architecture: "x86_64".into(),
            destination: "/x".into(),
        }
    }

    fn made(release: &str, mirror: &str) -> Made {
        let release = Release::find(release).unwrap();
        Made {
            release,
            mmdebstrap: "/usr/bin/mmdebstrap".into(),
            mirror: mirror.into(),
            architecture: "amd64".into(),
            keyring: release.distribution.keyring.into(),
            keys: None,
        }
    }

    #[test]
    fn roots_are_made_from_the_release_pocket_only() {
        let made = made("bookworm", "http://m.example/debian");
        let arguments = arguments(&spec(), &made, Path::new("/r"));
        assert!(arguments.contains(&"--architectures=amd64".to_owned()));
        assert!(arguments.contains(&"--include=cron,git".to_owned()));
        assert_eq!(
            arguments[arguments.len() - 3..],
            [
                "bookworm",
                "/r",
                "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.example/debian bookworm main"
            ]
        );
    }

    #[test]
    fn packages_of_a_folder_are_copied_into_the_root() {
        let made = made("bookworm", "file:/srv/debian");
        let arguments = arguments(&spec(), &made, Path::new("/r"));
        assert!(arguments.last().unwrap().ends_with("] copy:/srv/debian bookworm main"), "{arguments:?}");
        assert!(sources(&made).text.contains("URIs: file:/srv/debian\n"));
    }

    #[test]
    fn a_release_of_ubuntu_has_its_own_keys_and_parts_of_the_archive() {
        let made = made("ubuntu-24.04", "http://m.example/ubuntu");
        let arguments = arguments(&spec(), &made, Path::new("/r"));
        assert_eq!(
            arguments[arguments.len() - 3..],
            [
                "noble",
                "/r",
                "deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] http://m.example/ubuntu noble main universe"
            ]
        );
        let sources = sources(&made);
        assert_eq!(sources.file, "ubuntu.sources");
        assert_eq!(
            sources.text,
            "Types: deb\nURIs: http://m.example/ubuntu\nSuites: noble noble-updates noble-security\nComponents: main \
             universe\nSigned-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
        );
    }

    #[test]
    fn the_sources_of_a_root_name_all_pockets() {
        let text = sources(&made("debian-12", "http://m.example/debian")).text;
        assert!(text.contains("URIs: http://m.example/debian\nSuites: bookworm bookworm-updates\n"), "{text}");
        assert!(text.contains("URIs: http://m.example/debian-security\nSuites: bookworm-security\n"), "{text}");
        assert_eq!(sources(&made("sid", "http://m.example/debian")).text.matches("Types:").count(), 1);
    }

    #[test]
    fn keys_that_are_missing_are_named_with_the_command_that_brings_them() {
        let absent = Distribution { keyring: "/nonexistent/keys.gpg", ..*Release::find("noble").unwrap().distribution };
        let text = keys(&spec(), &absent).unwrap_err().to_string();
        assert!(text.contains("ubuntu-keyring is not installed: it proves that packages come from Ubuntu"), "{text}");
        assert!(text.contains("mend it with: sudo apt-get install -y ubuntu-keyring"), "{text}");
        let own = BootstrapSpec { keyring: Some("/nonexistent/own.gpg".into()), ..spec() };
        assert!(keys(&own, &absent).unwrap_err().to_string().contains("/nonexistent/own.gpg"));
    }

    #[test]
    fn an_unknown_release_is_refused_with_the_known_ones() {
        let spec = BootstrapSpec { release: "woody".into(), ..spec() };
        let text = Made::of(&spec).err().unwrap().to_string();
        assert!(text.contains("`woody`") && text.contains("debian-12, debian-13"), "{text}");
    }

    #[test]
    fn a_finished_root_has_nothing_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["etc/hostname", "etc/resolv.conf", "etc/apt/sources.list", "var/lib/apt/lists/x", "tmp/y"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "of the host").unwrap();
        }
        for path in
            ["etc/apt/sources.list.d", "etc/apt/apt.conf.d", "var/cache/apt/archives", "run", "usr/share/keyrings"]
        {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        let sources =
            Sources { file: "debian.sources".into(), text: "Types: deb\n".into(), keys: Some(b"keys".to_vec()) };
        finish(root, &sources).unwrap();
        assert_eq!(fs::read_to_string(root.join("etc/apt/sources.list.d/debian.sources")).unwrap(), "Types: deb\n");
        assert_eq!(fs::read(root.join("usr/share/keyrings/amiforge-mirror.gpg")).unwrap(), b"keys");
        for path in ["etc/hostname", "etc/resolv.conf", "etc/apt/sources.list", "var/lib/apt/lists/x", "tmp/y"] {
            assert!(!root.join(path).exists(), "{path}");
        }
    }

    #[test]
    fn a_root_that_is_there_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let spec = BootstrapSpec { destination: folder.path().to_owned(), release: "nonexistent".into(), ..spec() };
        bootstrap(&spec, &mut |_| panic!("nothing should be done")).unwrap();
    }
}
