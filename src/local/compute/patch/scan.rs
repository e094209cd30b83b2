//! What a baseline says about an instance as it is.

use super::baseline::Applicable;
use crate::local::compute::command::{Capture, shell};
use crate::local::compute::state::Live;
use crate::patch::collect::{self, CollectError, Refresh, Scope};
use crate::patch::debian::{InventoryError, Reader, trusted_prefixes};
use crate::patch::{Context, EvaluateError, Inventory, PlanError, Reboot};
use crate::sandbox::{self, Exit, Job, Line, SandboxError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no result. None of these is ever taken for "nothing is missing".
#[derive(Debug, thiserror::Error)]
pub(in crate::local::compute) enum ScanError {
    /// A package index could not be fetched.
    #[error("the package indexes could not be refreshed: {0}")]
    Update(String),
    /// The instance or the time ended.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The step took too long.
    #[error("the time limit of the step was reached")]
    TimedOut,
    /// A file of the instance.
    #[error("{path} of the instance cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// The files say nothing usable.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The collector did not come to its end.
    #[error("the inventory could not be taken: {0}")]
    Collector(String),
    /// What it says is not usable.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The baseline says nothing about this inventory.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// What has to be installed cannot be told.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The whole refresh must succeed: apt by itself is content when an old index is left (`Error-Mode`, apt 2.1 and later;
/// older ones ignore the setting, for them the output is looked at).
const UPDATE: &str = "exec apt-get update -o APT::Update::Error-Mode=any";

/// Refreshes the package indexes from the instance's sources. (Of RPM systems the collector does that by itself.)
pub(super) fn refresh(
    live: &Live,
    applicable: &Applicable,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
) -> Result<(), ScanError> {
    if !applicable.baseline.operating_system.is_apt() {
        return Ok(());
    }
    let mut complaints = Vec::new();
    let exit = run(live, UPDATE, timeout, out, err, &mut |line| {
        if is_complaint(line) {
            complaints.push(line.to_owned());
        }
    })?;
    if exit == Exit::Code(0) && complaints.is_empty() {
        return Ok(());
    }
    let said = complaints.first().cloned().unwrap_or_else(|| format!("apt-get update ended with {exit:?}"));
    Err(ScanError::Update(said))
}

/// Lines with which apt says that an index is missing, old or not to be trusted.
fn is_complaint(line: &str) -> bool {
    ["Err:", "E: ", "W: Failed to fetch", "W: Some index files failed", "W: GPG error", "W: The repository"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Runs a shell command in the instance; its lines go to the captures and to `each`.
pub(super) fn run(
    live: &Live,
    command: &str,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
    each: &mut dyn FnMut(&str),
) -> Result<Exit, ScanError> {
    let job = shell(command.to_owned(), "/".to_owned(), timeout);
    let exit = live.run(&job, &mut |line| match line {
        Line::Out(line) => {
            each(&line);
            out.line(&line);
        }
        Line::Err(line) => {
            each(&line);
            err.line(&line);
        }
    })?;
    if exit == Exit::TimedOut { Err(ScanError::TimedOut) } else { Ok(exit) }
}

/// What is in the instance now.
pub(super) fn taken(live: &Live, applicable: &Applicable) -> Result<Inventory, ScanError> {
    if applicable.baseline.operating_system.is_apt() { inventory(&live.root()) } else { collected(live) }
}

/// By the collector, as on every other machine. What waits for a restart the local environment knows better: its restarts
/// are not those of the machine.
pub(in crate::local::compute) fn collected(live: &Live) -> Result<Inventory, ScanError> {
    let job = Job::Command {
        argv: vec!["/bin/sh".to_owned(), "-s".to_owned()],
        environment: sandbox::environment(),
        directory: "/".to_owned(),
        stdin: collect::collector(Scope::Whole, Refresh::Anew).into_bytes(),
        timeout: None,
    };
    let (mut text, mut last) = (String::new(), String::new());
    let exit = live.run(&job, &mut |line| match line {
        Line::Out(line) => {
            text.push_str(&line);
            text.push('\n');
        }
        Line::Err(line) => last = line,
    })?;
    if exit != Exit::Code(0) {
        return Err(ScanError::Collector(format!("{exit:?}: {last}")));
    }
    Ok(Inventory { reboot: Reboot::default(), ..collect::read(&text)? })
}

/// What the evaluation depends on besides baseline and inventory.
pub(super) fn context(applicable: &Applicable) -> Context {
    let context = Context::new(applicable.now);
    match &applicable.product {
        Some(product) => context.product(product.as_str()),
        None => context,
    }
}

/// The inventory of the system below `root`, read file by file.
pub(super) fn inventory(root: &Path) -> Result<Inventory, ScanError> {
    let os_release = text(root, "etc/os-release").or_else(|_| text(root, "usr/lib/os-release"))?;
    let mut reader = Reader::new(&os_release, &text(root, "var/lib/dpkg/status")?)?;
    for (name, text) in sources(root)? {
        for prefix in trusted_prefixes(&name, &text) {
            reader.declare_trusted(prefix);
        }
    }
    for name in names(root, "var/lib/apt/lists")? {
        let path = format!("var/lib/apt/lists/{name}");
        reader.add(&name, &bytes(root, &path)?)?;
    }
    Ok(reader.finish()?)
}

/// apt's lists of sources: name and text.
fn sources(root: &Path) -> Result<Vec<(String, String)>, ScanError> {
    let mut found = Vec::new();
    match text(root, "etc/apt/sources.list") {
        Ok(text) => found.push(("sources.list".to_owned(), text)),
        Err(ScanError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for name in names(root, "etc/apt/sources.list.d")? {
        let content = text(root, &format!("etc/apt/sources.list.d/{name}"))?;
        found.push((name, content));
    }
    Ok(found)
}

fn bytes(root: &Path, path: &str) -> Result<Vec<u8>, ScanError> {
    fs::read(root.join(path)).map_err(|source| ScanError::Read { path: Path::new("/").join(path), source })
}

fn text(root: &Path, path: &str) -> Result<String, ScanError> {
    // A maintainer's name in another encoding must not end the scan.
    Ok(String::from_utf8_lossy(&bytes(root, path)?).into_owned())
}

/// The names of the plain files of a folder, sorted; none when there is no such folder.
fn names(root: &Path, path: &str) -> Result<Vec<String>, ScanError> {
    let wrong = |source| ScanError::Read { path: Path::new("/").join(path), source };
    let entries = match fs::read_dir(root.join(path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(wrong)?;
        if entry.path().is_file() && entry.file_name() != "lock" {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_apt_are_recognised() {
        for line in [
            "Err:1 http://mirror bookworm InRelease",
            "E: The repository 'x' is not signed.",
            "W: Failed to fetch http://mirror  Connection refused",
            "W: Some index files failed to download. They have been ignored, or old ones used instead.",
            "W: GPG error: http://mirror bookworm InRelease: NO_PUBKEY",
        ] {
            assert!(is_complaint(line), "{line}");
        }
        for line in [
            "Get:1 http://mirror bookworm InRelease",
            "Reading package lists...",
            "W: Target Packages is configured multiple times",
        ] {
            assert!(!is_complaint(line), "{line}");
        }
    }

    #[test]
    fn a_root_without_a_package_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/os-release"), "ID=debian\nVERSION_ID=12\n").unwrap();
        let error = inventory(folder.path()).unwrap_err();
        assert!(error.to_string().contains("/var/lib/dpkg/status"), "{error}");
    }
}
