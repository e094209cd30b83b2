//! Roots made by mmdebstrap.

use super::mirror;
use crate::sandbox::host;
use crate::sandbox::launch::{self, SharedTarget};
use crate::sandbox::mode::{Mode, program};
use crate::sandbox::probe;
use crate::sandbox::tree;
use crate::sandbox::wire::{Operation, Request, Setup};
use crate::sandbox::{Exit, Line, SandboxError, environment};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapSpec {
    /// Code name of the release, such as `bookworm`.
    pub release: String,
    /// Packages beyond the minimal set.
    pub packages: Vec<String>,
    /// Package mirror; `None` is the one this machine uses.
    pub mirror: Option<String>,
    /// Architecture, in the words of Debian (`amd64`) or of the machine (`x86_64`).
    pub architecture: String,
    /// The folder to make; it appears whole or not at all. If it is there already, nothing is done.
    pub destination: PathBuf,
}

/// Lines of output kept for an error message.
const KEPT_LINES: usize = 20;

/// A minimal root with the packages of a small server and all downloads, with room to spare.
const NEEDED_MIB: u64 = 1536;

/// Where Debian keeps the keys of its archive, on this machine and in every root.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Makes a root filesystem of a Debian release from its release pocket only, so that there is something to patch. The
/// sources written into it name the update and security suites as well, as in a real image.
///
/// It works in namespaces of its own: when this process ends, however it does, so does the work. A half-made root is
/// never at `destination`; should this process be killed, [`sweep`](super::sweep) of its parent folder removes it.
///
/// # Errors
/// [`SandboxError::Program`] when mmdebstrap is missing, [`SandboxError::Bootstrap`] with the last lines of its output.
pub fn bootstrap(spec: &BootstrapSpec, on_line: &mut dyn FnMut(Line)) -> Result<(), SandboxError> {
    let destination = super::absolute(&spec.destination)?;
    if destination.exists() {
        return Ok(());
    }
    let mmdebstrap = tools()?;
    let mode = probe::probe(destination.parent().unwrap_or(&destination))?;
    let partial = partial_name(&destination)?;
    let lock = super::claim(&partial)?;
    let result = enough_space(&partial).and_then(|()| {
        make(spec, &mode, &mmdebstrap, &partial, on_line)?;
        publish(&partial.join("root"), &destination)
    });
    let removed = super::remove(&partial);
    drop(lock);
    result.and(removed)
}

fn tools() -> Result<PathBuf, SandboxError> {
    let missing = |name: &str, purpose: &str| SandboxError::Program {
        program: name.into(),
        purpose: purpose.into(),
        mend: "sudo apt-get install -y mmdebstrap debian-archive-keyring".into(),
        without: "a recipe whose local parent is a folder, and init, lint, render and plan".into(),
    };
    let found =
        program("mmdebstrap").ok_or_else(|| missing("mmdebstrap", "it makes the parent image of Debian recipes"))?;
    if !Path::new(KEYRING).exists() {
        return Err(missing("debian-archive-keyring", "it proves that packages come from Debian"));
    }
    Ok(found)
}

fn partial_name(destination: &Path) -> Result<PathBuf, SandboxError> {
    let (Some(parent), Some(name)) = (destination.parent(), destination.file_name()) else {
        return Err(SandboxError::Spec(format!("{} cannot be the folder of a root", destination.display())));
    };
    let name = format!(".{}{}{}", name.to_string_lossy(), super::sweep::PARTIAL, std::process::id());
    Ok(parent.join(name))
}

fn enough_space(folder: &Path) -> Result<(), SandboxError> {
    let space = nix::sys::statvfs::statvfs(folder)
        .map_err(|errno| SandboxError::file("cannot see the free space of", folder)(errno.into()))?;
    // The field types differ between architectures.
    #[expect(clippy::useless_conversion, reason = "u64 on this one, u32 elsewhere")]
    let free_mib = u64::from(space.blocks_available()).saturating_mul(u64::from(space.fragment_size())) >> 20;
    if free_mib >= NEEDED_MIB {
        return Ok(());
    }
    // A full disk otherwise shows up as the strangest errors of dpkg.
    Err(SandboxError::Space { path: folder.to_owned(), free_mib, needed_mib: NEEDED_MIB })
}

fn make(
    spec: &BootstrapSpec,
    mode: &Mode,
    mmdebstrap: &Path,
    partial: &Path,
    on_line: &mut dyn FnMut(Line),
) -> Result<(), SandboxError> {
    let mirror = spec.mirror.clone().or_else(|| mirror::of_this_machine(mmdebstrap)).ok_or_else(|| {
        SandboxError::Spec(
            "no mirror of Debian is known on this machine; name one as `mirror` of the local environment".into(),
        )
    })?;
    let temporary = partial.join("tmp");
    fs::create_dir_all(&temporary).map_err(SandboxError::file("cannot make the folder", &temporary))?;
    let root = partial.join("root");
    let mut variables = environment();
    // On the same file system as the root, and emptied with it; root's own home may not be ours to read.
    for name in ["TMPDIR", "HOME"] {
        variables.insert(name.to_owned(), temporary.to_string_lossy().into_owned());
    }
    let request = Request::Command {
        argv: arguments(spec, mmdebstrap, &mirror, &root),
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
        mirror: mirror.clone(),
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
    complete(mode, root, sources(&spec.release, &mirror))
}

fn arguments(spec: &BootstrapSpec, mmdebstrap: &Path, mirror: &str, root: &Path) -> Vec<String> {
    let architecture = match spec.architecture.as_str() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut arguments = vec![
        mmdebstrap.display().to_string(),
        // We are root in the namespace it runs in, and it leaves out what that cannot do.
        "--mode=root".into(),
        "--variant=minbase".into(),
        "--format=directory".into(),
        // It would be refused, and said so on every run; no package of Debian needs it.
        "--skip=chroot/mount/sys".into(),
        format!("--architectures={architecture}"),
    ];
    if !spec.packages.is_empty() {
        arguments.push(format!("--include={}", spec.packages.join(",")));
    }
    for (name, value) in host::acquire_settings() {
        arguments.push(format!("--aptopt={name} \"{value}\""));
    }
    arguments.extend([
        spec.release.clone(),
        root.display().to_string(),
        format!("deb [signed-by={KEYRING}] {mirror} {} main", spec.release),
    ]);
    arguments
}

/// The sources a real image has: all pockets, of which the release alone was installed from.
fn sources(release: &str, mirror: &str) -> String {
    let stanza = |mirror: &str, suites: &str| {
        format!("Types: deb\nURIs: {mirror}\nSuites: {suites}\nComponents: main\nSigned-By: {KEYRING}\n")
    };
    if ["sid", "unstable"].contains(&release) {
        return stanza(mirror, release);
    }
    let main = stanza(mirror, &format!("{release} {release}-updates"));
    format!("{main}\n{}", stanza(&mirror::security(mirror), &format!("{release}-security")))
}

fn complete(mode: &Mode, root: PathBuf, sources: String) -> Result<(), SandboxError> {
    if mode.has_foreign_files() {
        return launch::operate(mode, Operation::Finish { root, sources });
    }
    finish(&root, &sources)
}

/// Gives a fresh root the sources of a real image and takes away what is this machine's or would be stale.
pub(in crate::sandbox) fn finish(root: &Path, sources: &str) -> Result<(), SandboxError> {
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
    let path = folder.join("debian.sources");
    fs::write(&path, sources).map_err(SandboxError::file("cannot write", &path))
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
            architecture: "x86_64".into(),
            destination: "/x".into(),
        }
    }

    #[test]
    fn roots_are_made_from_the_release_pocket_only() {
        let arguments =
            arguments(&spec(), Path::new("/usr/bin/mmdebstrap"), "http://m.example/debian", Path::new("/r"));
        assert!(arguments.contains(&"--architectures=amd64".to_owned()));
        assert!(arguments.contains(&"--include=cron,git".to_owned()));
        let last = arguments.last().unwrap();
        assert!(last.ends_with("http://m.example/debian bookworm main"), "{last}");
    }

    #[test]
    fn the_sources_of_a_root_name_all_pockets() {
        let text = sources("bookworm", "http://m.example/debian");
        assert!(text.contains("URIs: http://m.example/debian\nSuites: bookworm bookworm-updates\n"), "{text}");
        assert!(text.contains("URIs: http://m.example/debian-security\nSuites: bookworm-security\n"), "{text}");
        assert_eq!(sources("sid", "http://m.example/debian").matches("Types:").count(), 1);
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
        for path in ["etc/apt/sources.list.d", "etc/apt/apt.conf.d", "var/cache/apt/archives", "run"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        finish(root, "Types: deb\n").unwrap();
        assert_eq!(fs::read_to_string(root.join("etc/apt/sources.list.d/debian.sources")).unwrap(), "Types: deb\n");
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
