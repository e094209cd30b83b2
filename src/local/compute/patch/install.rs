//! `Operation=Install`: the missing versions, with the real package manager.

use super::baseline::Applicable;
use super::scan::{self, ScanError};
use super::{change, title};
use crate::local::compute::command::Capture;
use crate::local::compute::state::Live;
use crate::patch::{PatchItem, State, Summary};
use std::collections::BTreeSet;
use std::time::Duration;

/// What an install did.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) evaluation: Summary,
    /// `name.arch:version` of what is there now and was missing before.
    pub(super) titles: BTreeSet<String>,
}

/// Installs what `before` says is missing and evaluates again. Whatever is still missing has failed: an install report
/// knows no missing patch (patch-baselines.md 5.1).
pub(super) fn install(
    live: &Live,
    applicable: &Applicable,
    before: Summary,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
) -> Result<Installed, ScanError> {
    let missing: Vec<&PatchItem> = before.items.iter().filter(|item| item.state == State::Missing).collect();
    if missing.is_empty() {
        return Ok(Installed { evaluation: before, titles: BTreeSet::new() });
    }
    let wanted: BTreeSet<String> = missing.iter().map(|item| title(item)).collect();
    let exit = scan::run(live, &command(&missing), timeout, out, err, &mut |_| ())?;
    if exit != crate::sandbox::Exit::Code(0) {
        err.line(&format!("apt-get install ended with {exit:?}"));
    }
    let mut evaluation = scan::evaluate(live, applicable)?;
    for item in &mut evaluation.items {
        if item.state == State::Missing {
            change(item, &mut evaluation.counts, State::Failed);
        }
    }
    let present = evaluation.items.iter().filter(|item| item.state != State::Failed).map(title);
    let titles = present.filter(|title| wanted.contains(title)).collect();
    Ok(Installed { evaluation, titles })
}

/// Exact versions, only of what is installed. Names and versions of Debian packages contain nothing that a shell reads.
fn command(missing: &[&PatchItem]) -> String {
    let packages: Vec<String> = missing
        .iter()
        .map(|item| match &item.available {
            Some(version) => format!("{}:{}={version}", item.name, item.arch),
            None => format!("{}:{}", item.name, item.arch),
        })
        .collect();
    format!(
        "exec apt-get install --yes --only-upgrade -o Dpkg::Options::=--force-confdef \
         -o Dpkg::Options::=--force-confold -- {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::item;
    use super::*;

    #[test]
    fn exact_versions_are_installed() {
        let command = command(&[&item("bash", State::Missing), &item("libc6", State::Missing)]);
        assert!(command.ends_with("-- bash:amd64=1.1 libc6:amd64=1.1"), "{command}");
    }
}
