//! The kernel that runs and the newest one of its kind (patch-baselines.md 11).

use super::facts::Facts;
use crate::patch::inventory::{Inventory, Kernel, Package};
use crate::patch::version::{DebianVersion, Evr};
use std::cmp::Ordering;

/// An installed kernel.
struct Installed<'a> {
    /// What `uname -r` says of it.
    release: String,
    /// Kernels of one kind replace each other: `amd64` and `cloud-amd64` do not, nor do `kernel` and `kernel6.12`.
    kind: String,
    package: &'a Package,
}

pub(super) fn kernel(inventory: &Inventory, facts: &Facts) -> Kernel {
    let kernels: Vec<Installed> = inventory.installed.iter().filter_map(installed).collect();
    // An image that does not run has no kind that is its own, unless it has only one.
    let of_running = facts.running.as_deref().map(|running| kernels.iter().find(|kernel| kernel.release == running));
    let kind = match of_running {
        Some(found) => found.map(|kernel| &kernel.kind),
        None => kernels.first().map(|kernel| &kernel.kind).filter(|kind| kernels.iter().all(|it| it.kind == **kind)),
    };
    let same = kernels.iter().filter(|kernel| Some(&kernel.kind) == kind);
    let newest = same.max_by(|a, b| compare(a.package, b.package)).map(|kernel| kernel.release.clone());
    Kernel { running: facts.running.clone(), newest, default_entry: facts.default_entry.clone() }
}

fn installed(package: &Package) -> Option<Installed<'_>> {
    if let Some(release) = package.name.strip_prefix("linux-image-") {
        let release = release.strip_prefix("unsigned-").unwrap_or(release);
        // Others are packages that pull in the newest.
        let numbered = release.starts_with(|c: char| c.is_ascii_digit());
        let kind = release.split('-').filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
        let kind = kind.collect::<Vec<_>>().join("-");
        return numbered.then(|| Installed { release: release.to_owned(), kind, package });
    }
    let full = format!("{}-{}", package.upstream(), package.release());
    let name = package.name.as_str();
    let release = match name {
        "kernel-default" => format!("{}-default", full.rsplit_once('.').map_or(full.as_str(), |(rest, _)| rest)),
        _ if is_red_hat(name) => format!("{full}.{}", package.arch),
        _ => return None,
    };
    // The parts of one kernel are one kind.
    let kind = name.strip_suffix("-core").unwrap_or(name).to_owned();
    Some(Installed { release, kind, package })
}

/// `kernel`, `kernel-core`, `kernel6.12`, `kernel-uek…`; `kernel-rt` and `kernel-64k` have another form of `uname -r`.
fn is_red_hat(name: &str) -> bool {
    let numbered = name.strip_prefix("kernel").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let plain = !name.contains('-');
    matches!(name, "kernel" | "kernel-core" | "kernel-uek" | "kernel-uek-core") || (numbered && plain)
}

fn compare(a: &Package, b: &Package) -> Ordering {
    if a.name.starts_with("linux-image-") {
        return a.version.parse::<DebianVersion>().ok().cmp(&b.version.parse().ok());
    }
    a.version.parse::<Evr>().ok().cmp(&b.version.parse::<Evr>().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(installed: &[(&str, &str)], running: Option<&str>) -> Option<String> {
        let package = |(name, version): &(&str, &str)| Package {
            name: (*name).into(),
            arch: "x86_64".into(),
            version: (*version).into(),
            ..Package::default()
        };
        let inventory = Inventory { installed: installed.iter().map(package).collect(), ..Inventory::default() };
        let running = running.map(|running| format!("running-kernel {running}\n"));
        kernel(&inventory, &Facts::read(&running.unwrap_or_default())).newest
    }

    #[test]
    fn kernels_of_the_same_kind_are_compared() {
        let debian = [
            ("linux-image-6.1.0-9-cloud-amd64", "6.1.27-1"),
            ("linux-image-6.1.0-25-cloud-amd64", "6.1.106-3"),
            ("linux-image-6.1.0-26-amd64", "6.1.112-1"),
            ("linux-image-cloud-amd64", "6.1.112-1"),
        ];
        assert_eq!(
            newest(&debian, Some("6.1.0-9-cloud-amd64")).as_deref(),
            Some("6.1.0-25-cloud-amd64"),
            "by version, not as text"
        );
        assert_eq!(newest(&debian, None), None, "two kinds, and neither runs");
        assert_eq!(newest(&debian, Some("5.4.0-host")), None);
        assert_eq!(newest(&debian[..2], None).as_deref(), Some("6.1.0-25-cloud-amd64"));
    }

    #[test]
    fn streams_of_amazon_linux_are_kinds_of_their_own() {
        let amazon = [
            ("kernel", "6.1.134-150.224.amzn2023"),
            ("kernel", "6.1.134-152.225.amzn2023"),
            ("kernel6.12", "6.12.20-23.97.amzn2023"),
            ("kernel-headers", "6.99-1"),
        ];
        let running = "6.1.134-150.224.amzn2023.x86_64";
        assert_eq!(newest(&amazon, Some(running)).as_deref(), Some("6.1.134-152.225.amzn2023.x86_64"));
        assert_eq!(
            newest(&amazon, Some("6.12.20-23.97.amzn2023.x86_64")).as_deref(),
            Some("6.12.20-23.97.amzn2023.x86_64")
        );
    }

    #[test]
    fn suse_drops_the_last_number() {
        let suse = [("kernel-default", "6.4.0-150600.23.17.1"), ("kernel-default", "6.4.0-150600.23.25.1")];
        assert_eq!(newest(&suse, None).as_deref(), Some("6.4.0-150600.23.25-default"));
    }
}
