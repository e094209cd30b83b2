//! The inventory of the instance, the packages of its parent, and the difference.

use super::instance::Running;
use super::site::Site;
use super::transport::{fetch, gunzip};
use crate::event::Stage;
use crate::evidence::error::EvidenceError;
use crate::evidence::model::InstalledPackage;
use crate::patch::collect::{self, Refresh, Scope};
use crate::patch::{DiffError, Inventory, Package, PackageDiff, package_diff};
use std::collections::BTreeSet;

/// Sorted, each once.
pub(super) type Packages = Vec<InstalledPackage>;

/// Prints the list that our patch component wrote before it patched; nothing when the image has none.
const BEFORE: &str = r#"list=/usr/share/amiforge/packages-before.tsv.gz
if [ -e "$list" ]; then cat "$list"; fi"#;

/// Prints what the files on the root file system take, in KiB; nothing without `du`.
const USED: &str = "if command -v du >/dev/null; then du -skx / 2>/dev/null | cut -f1; fi";

/// What the files of the image take, in KiB; nothing when that cannot be measured, which the gate on it will say.
pub(super) async fn used_kib(site: &Site, instance: &Running) -> Result<Option<u64>, EvidenceError> {
    let measured = match fetch(site, instance, "the size of the files", USED).await {
        Err(error @ (EvidenceError::Command { .. } | EvidenceError::CommandTimeout { .. })) => {
            site.events.note(Stage::Validate, error.to_string());
            return Ok(None);
        }
        other => other?.unwrap_or_default(),
    };
    Ok(String::from_utf8_lossy(&measured).trim().parse().ok())
}

/// What is installed and what is offered of it. The package lists are as new as those of the scan before.
pub(super) async fn taken(site: &Site, instance: &Running, scope: Scope) -> Result<Inventory, EvidenceError> {
    let script = collect::collector(scope, Refresh::IfOld);
    let data = fetch(site, instance, "the inventory", &script).await?.unwrap_or_default();
    let unusable = |reason: String| EvidenceError::Inventory { instance: instance.id().to_owned(), reason };
    // A maintainer's name in another encoding must not end it.
    collect::read(&String::from_utf8_lossy(&data)).map_err(|error| unusable(error.to_string()))
}

/// The packages that were there before the build patched; nothing when the image did not record them.
pub(super) async fn before(site: &Site, instance: &Running) -> Result<Option<Packages>, EvidenceError> {
    let Some(packed) = fetch(site, instance, "the list of packages from before patching", BEFORE).await? else {
        return Ok(None);
    };
    let data =
        gunzip(&packed).map_err(|reason| EvidenceError::Transport { instance: instance.id().to_owned(), reason })?;
    read(instance, &data).map(Some)
}

fn read(instance: &Running, data: &[u8]) -> Result<Packages, EvidenceError> {
    parse(data).map_err(|reason| EvidenceError::Transport { instance: instance.id().to_owned(), reason })
}

/// Reads lines of `name<TAB>arch<TAB>version`.
fn parse(data: &[u8]) -> Result<Packages, String> {
    let text = std::str::from_utf8(data).map_err(|_| "it is not text".to_owned())?;
    let mut packages = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let [name, arch, version] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("line {} is not a package: `{line}`", index + 1));
        };
        if name.is_empty() || version.is_empty() {
            return Err(format!("line {} lacks a name or a version", index + 1));
        }
        let part = |text: &str| text.to_owned();
        packages.insert(InstalledPackage { name: part(name), arch: part(arch), version: part(version) });
    }
    if packages.is_empty() {
        return Err("it has no package".to_owned());
    }
    Ok(packages.into_iter().collect())
}

/// The packages of an inventory.
pub(super) fn packages(inventory: &Inventory) -> Packages {
    let package = |package: &Package| InstalledPackage {
        name: package.name.clone(),
        arch: package.arch.clone(),
        version: package.version.clone(),
    };
    inventory.installed.iter().map(package).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the build changed. The notices are those that the sources have now.
pub(super) fn changes(before: &[InstalledPackage], after: &Inventory) -> Result<PackageDiff, DiffError> {
    let package = |package: &InstalledPackage| Package {
        name: package.name.clone(),
        arch: package.arch.clone(),
        version: package.version.clone(),
        ..Package::default()
    };
    let installed = before.iter().map(package).collect();
    let before = Inventory { os_id: after.os_id.clone(), installed, ..Inventory::default() };
    package_diff(&before, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> Packages {
        parse(text.replace(' ', "\t").as_bytes()).unwrap()
    }

    #[test]
    fn changes_name_what_was_patched() {
        let before = packages("bash amd64 1\ncurl amd64 1\nold all 1\n");
        let after = Inventory {
            os_id: "debian".into(),
            installed: packages("bash amd64 2\ncurl amd64 1\nnew all 1\n")
                .into_iter()
                .map(|p| Package { name: p.name, arch: p.arch, version: p.version, ..Package::default() })
                .collect(),
            ..Inventory::default()
        };
        let diff = changes(&before, &after).unwrap();
        let names = |rows: &[crate::patch::PackageRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(&diff.upgraded), names(&diff.added), names(&diff.removed)),
            (vec!["bash".into()], vec!["new".into()], vec!["old".into()])
        );
        assert_eq!(super::packages(&after).len(), 3);
    }

    #[test]
    fn what_is_no_list_of_packages_is_an_error() {
        assert!(parse(b"").unwrap_err().contains("no package"));
        assert!(parse(b"bash\tamd64\n").unwrap_err().contains("line 1"));
        assert!(parse(b"bash\tamd64\t1\n\tamd64\t1\n").unwrap_err().contains("line 2"));
        assert!(parse(&[0xff, 0xfe]).is_err());
    }
}
