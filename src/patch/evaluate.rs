//! A baseline applied to an inventory: which approved versions are missing.

use super::baseline::{Baseline, FilterKey, OperatingSystem};
use super::inventory::Inventory;
use super::outcome::{Counts, PatchItem};
use super::version::VersionError;
use super::{apt, glob};

/// What a baseline says about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// One item per installed package, sorted by name and architecture.
    pub items: Vec<PatchItem>,
    /// How many items are in which state, and how many approved packages are not installed.
    pub counts: Counts,
}

/// Why a baseline says nothing about an image. Each of these would otherwise look like "nothing is missing".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Only APT systems are evaluated here; the others by Patch Manager itself, on an instance.
    #[error(
        "amiforge does not evaluate {operating_system} baselines itself (only DEBIAN, UBUNTU and RASPBIAN); \
         validate the image in an AWS environment, where Patch Manager does it"
    )]
    Unsupported {
        /// Operating system of the baseline.
        operating_system: OperatingSystem,
    },
    /// The baseline brings package sources of its own, which the inventory does not know.
    #[error(
        "baseline {baseline} replaces the package sources (`Sources`), and the inventory was taken with the image's own; \
         remove `Sources` or validate the image in an AWS environment"
    )]
    OwnSources {
        /// Name of the baseline.
        baseline: String,
    },
    /// The baseline is for another system.
    #[error(
        "baseline {baseline} is for {operating_system}, the image is `{os_id}`; give the recipe a baseline for its system"
    )]
    OperatingSystem {
        /// Name of the baseline.
        baseline: String,
        /// Its operating system.
        operating_system: OperatingSystem,
        /// `ID` of the image's os-release.
        os_id: String,
    },
    /// No rule of the baseline is for this product.
    #[error(
        "no rule of baseline {baseline} is for product `{product}`; it would approve nothing, so nothing could be missing"
    )]
    Product {
        /// Name of the baseline.
        baseline: String,
        /// The image's product.
        product: String,
    },
    /// Nothing is installed.
    #[error("the inventory has no installed package; nothing was looked at")]
    NothingInstalled,
    /// No package index was read.
    #[error(
        "the inventory has no package source; without one nothing can be missing or not (run `apt-get update` first)"
    )]
    NoSources,
    /// No trusted source belongs to the release of the image.
    #[error(
        "none of the {sources} package sources is trusted and belongs to release `{codename}` of the image; check its \
         sources.list and the signatures of its Release files"
    )]
    NoTrustedSource {
        /// Codename of the image's release.
        codename: String,
        /// How many sources there are.
        sources: usize,
    },
    /// The baseline approves security updates only, and no source has any.
    #[error(
        "baseline {baseline} approves security updates only, and none of the {sources} package sources is a trusted security \
         suite of release `{codename}`; add the security suite to the image's sources"
    )]
    NoSecuritySource {
        /// Name of the baseline.
        baseline: String,
        /// Codename of the image's release.
        codename: String,
        /// How many sources there are.
        sources: usize,
    },
    /// A version cannot be compared.
    #[error("package {package}: {source}")]
    Version {
        /// `name:arch`.
        package: String,
        /// What is wrong with it.
        source: VersionError,
    },
}

/// Applies `baseline` to `inventory`. `product` is what `PRODUCT` filters are compared with, for example `Debian12`.
///
/// The rules are those of patch-baselines.md 4.5. No date is ever looked at: Patch Manager ignores approval delays on
/// APT systems.
pub fn evaluate(baseline: &Baseline, inventory: &Inventory, product: &str) -> Result<Evaluation, EvaluateError> {
    check_system(baseline, inventory)?;
    check_product(baseline, product)?;
    check_sources(baseline, inventory)?;
    apt::evaluate(baseline, inventory, product)
}

/// The baseline is one for the image's system.
fn check_system(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
    let operating_system = baseline.operating_system;
    let os_id = match operating_system {
        OperatingSystem::Debian => "debian",
        OperatingSystem::Ubuntu => "ubuntu",
        OperatingSystem::Raspbian => "raspbian",
        _ => return Err(EvaluateError::Unsupported { operating_system }),
    };
    let name = baseline.name.clone();
    if inventory.os_id != os_id {
        return Err(EvaluateError::OperatingSystem {
            baseline: name,
            operating_system,
            os_id: inventory.os_id.clone(),
        });
    }
    if baseline.sources.is_empty() { Ok(()) } else { Err(EvaluateError::OwnSources { baseline: name }) }
}

/// Some rule can apply to the product. (A list of approved patches applies to every product.)
fn check_product(baseline: &Baseline, product: &str) -> Result<(), EvaluateError> {
    let for_product = |filters: &[super::Filter]| {
        filters.iter().filter(|filter| filter.key == FilterKey::Product).all(|filter| accepts(&filter.values, product))
    };
    let global = for_product(&baseline.global_filters);
    if (global && baseline.rules.iter().any(|rule| for_product(&rule.filters))) || !baseline.approved.is_empty() {
        return Ok(());
    }
    Err(EvaluateError::Product { baseline: baseline.name.clone(), product: product.to_owned() })
}

/// There is something to compare the installed packages with.
fn check_sources(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
    if inventory.installed.is_empty() {
        return Err(EvaluateError::NothingInstalled);
    }
    if inventory.sources.is_empty() {
        return Err(EvaluateError::NoSources);
    }
    let codename = inventory.os_codename.clone();
    let sources = inventory.sources.len();
    let own: Vec<_> = inventory.sources.iter().filter(|s| s.trusted && s.belongs_to(&codename)).collect();
    if own.is_empty() {
        return Err(EvaluateError::NoTrustedSource { codename, sources });
    }
    if !baseline.approves_non_security() && !own.iter().any(|source| source.is_security()) {
        return Err(EvaluateError::NoSecuritySource { baseline: baseline.name.clone(), codename, sources });
    }
    Ok(())
}

/// Whether one of a filter's values is the attribute, or `*`. Compared without regard to case.
pub(super) fn accepts(values: &[String], attribute: &str) -> bool {
    values.iter().any(|value| value == "*" || value.to_lowercase() == attribute.to_lowercase())
}

/// Whether a list of approved or rejected patches names a package version: the forms of patch-baselines.md 2.2, with
/// wildcards.
pub(super) fn listed(list: &[String], name: &str, arch: &str, version: &str) -> bool {
    if list.is_empty() {
        return false;
    }
    let forms = [
        name.to_owned(),
        version.to_owned(),
        format!("{name}.{arch}"),
        format!("{name}-{version}"),
        format!("{arch}:{version}"),
        format!("{name}.{arch}:{version}"),
    ];
    list.iter().any(|pattern| forms.iter().any(|form| glob::matches(pattern, form)))
}
