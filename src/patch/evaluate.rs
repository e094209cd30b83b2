//! A baseline applied to an inventory: which approved versions are missing.

use super::baseline::{Baseline, Family, FilterKey, OperatingSystem};
use super::evaluation::{EVALUATION_SCHEMA, Evaluation, Operation, Patch, Tally};
use super::inventory::Inventory;
use super::outcome::State;
use super::policy::Policy;
use super::settings::Settings;
use super::version::VersionError;
use super::{apt, pending, rpms};
use time::OffsetDateTime;

/// What an evaluation depends on besides baseline and inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The moment it is evaluated for. Nothing here reads a clock.
    pub now: OffsetDateTime,
    /// What `PRODUCT` filters are compared with, for example `Debian12`. SSM Agent decides what a node's product is
    /// called, and for many systems that is UNCONFIRMED (patch-baselines.md 14.2); without it every such filter passes,
    /// and a note says so.
    pub product: Option<String>,
    /// Which operation is imitated.
    pub operation: Operation,
    /// What is assumed where the sources contradict each other.
    pub settings: Settings,
}

impl Context {
    /// A scan at that moment, of an unknown product, with the recommended settings.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self { now, product: None, operation: Operation::Scan, settings: Settings::default() }
    }

    /// For that product.
    #[must_use]
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.product = Some(product.into());
        self
    }
}

/// Why a baseline says nothing about an image. Each of these would otherwise look like "nothing is missing".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Windows and macOS are evaluated by the service and by the system itself: their states are taken from a scan
    /// ([`super::from_scan`]) and never made up.
    #[error(
        "amiforge does not evaluate {operating_system} baselines itself; validate the image in an AWS environment, where \
         Patch Manager does it"
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
    /// A source that is configured could not be read.
    #[error(
        "the package source {name} could not be read ({why}), so what it offers is unknown; take the inventory again when \
         it can"
    )]
    SourceUnread {
        /// Its id.
        name: String,
        /// What went wrong.
        why: String,
    },
    /// The sources were read and are empty.
    #[error(
        "the {sources} package sources offer nothing at all, so nothing could be missing; the release may be at its end of \
         life, or its repositories moved"
    )]
    NothingOffered {
        /// How many sources there are.
        sources: usize,
    },
    /// No installed package is in any source.
    #[error("no installed package is in any of the package sources: they are not those of this system")]
    UnrelatedSources,
    /// The baseline approves only what is in a notice, and no source has any.
    #[error(
        "baseline {baseline} approves only packages that an update notice lists, and none of the {sources} package sources \
         has notices; add a repository with updateinfo, or set EnableNonSecurity"
    )]
    NoNotices {
        /// Name of the baseline.
        baseline: String,
        /// How many sources there are.
        sources: usize,
    },
    /// Amazon Linux 2023 read at the release it is locked to, where it is nearly always fully patched.
    #[error(
        "the repository {id} was read at release {release}; Patch Manager looks at the latest one whatever the image is \
         locked to. Take the inventory with --releasever=latest"
    )]
    LockedRelease {
        /// Id of the repository.
        id: String,
        /// The release.
        release: String,
    },
    /// A version cannot be compared.
    #[error("package {package}: `{version}` is not an RPM version")]
    RpmVersion {
        /// `name.arch`.
        package: String,
        /// The text.
        version: String,
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

/// Applies `baseline` to `inventory`: the rules of patch-baselines.md 4.4 (RPM), 4.5 (APT) and 4.6 (SUSE).
///
/// Dates do not count on APT systems: Patch Manager ignores approval delays there.
pub fn evaluate(baseline: &Baseline, inventory: &Inventory, context: &Context) -> Result<Evaluation, EvaluateError> {
    check_system(baseline, inventory)?;
    if let Some(product) = &context.product {
        check_product(baseline, product)?;
    }
    check_sources(baseline, inventory)?;
    let policy = Policy::new(baseline, context);
    let rpms::Found { mut patches, not_applicable } = match policy.family {
        Family::Apt => apt::evaluate(&policy, &inventory.with_offers_in_place())?,
        // These read both forms of offers alike.
        _ => rpms::evaluate(&policy, inventory)?,
    };
    patches.sort_by(|a, b| (&a.name, &a.arch, &a.installed).cmp(&(&b.name, &b.arch, &b.installed)));
    pending::mark(&mut patches, inventory, context);
    pending::name_holds(&mut patches, inventory);
    if context.operation == Operation::Install {
        patches.iter_mut().for_each(fail);
    }
    let mut notes = vec![];
    policy.notes(&mut notes);
    pending::notes(baseline, inventory, &mut notes);
    if inventory.partial {
        notes.push(
            "what is not installed was left out of the inventory, so nothing is counted as not applicable".to_owned(),
        );
    }
    Ok(assemble(baseline, context, patches, not_applicable, notes))
}

/// After an installation nothing is missing: it has failed (patch-baselines.md 5.1).
fn fail(patch: &mut Patch) {
    if patch.state == State::Missing {
        patch.state = State::Failed;
        patch.reasons.push(super::Why::StillMissing.into());
    }
}

pub(super) fn assemble(
    baseline: &Baseline,
    context: &Context,
    patches: Vec<Patch>,
    not_applicable: usize,
    notes: Vec<String>,
) -> Evaluation {
    let available_open = baseline.available_security_updates == Some(super::AvailableSecurityUpdates::NonCompliant);
    let Tally { counts, open, levels } = Tally::of(&patches, not_applicable, available_open);
    Evaluation {
        schema: EVALUATION_SCHEMA.to_owned(),
        baseline: baseline.name.clone(),
        operating_system: baseline.operating_system,
        product: context.product.clone(),
        now: context.now,
        operation: context.operation,
        settings: context.settings,
        patches,
        counts,
        open,
        levels,
        notes,
    }
}

/// The baseline is one for the image's system.
fn check_system(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
    let operating_system = baseline.operating_system;
    if matches!(operating_system.family(), Family::Windows | Family::MacOs) {
        return Err(EvaluateError::Unsupported { operating_system });
    }
    let name = baseline.name.clone();
    if OperatingSystem::of_image(&inventory.os_id, &inventory.os_version) != Some(operating_system) {
        let os_id = format!("{} {}", inventory.os_id, inventory.os_version).trim_end().to_owned();
        return Err(EvaluateError::OperatingSystem { baseline: name, operating_system, os_id });
    }
    if baseline.sources.is_empty() { Ok(()) } else { Err(EvaluateError::OwnSources { baseline: name }) }
}

/// Some rule can apply to the product. (A list of approved patches applies to every product.)
fn check_product(baseline: &Baseline, product: &str) -> Result<(), EvaluateError> {
    let accepts = |values: &[String]| values.iter().any(|value| value == "*" || value.eq_ignore_ascii_case(product));
    let for_product = |filters: &[super::Filter]| {
        filters.iter().filter(|filter| filter.key == FilterKey::Product).all(|filter| accepts(&filter.values))
    };
    let global = for_product(&baseline.global_filters);
    if (global && baseline.rules.iter().any(|rule| for_product(&rule.filters))) || !baseline.approved.is_empty() {
        return Ok(());
    }
    Err(EvaluateError::Product { baseline: baseline.name.clone(), product: product.to_owned() })
}

/// There is something to compare the installed packages with.
fn check_sources(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
    if inventory.installed.iter().all(|package| package.name == "gpg-pubkey") {
        return Err(EvaluateError::NothingInstalled);
    }
    if inventory.sources.is_empty() {
        return Err(EvaluateError::NoSources);
    }
    if let Some(unread) = inventory.unread.first() {
        return Err(EvaluateError::SourceUnread { name: unread.name.clone(), why: unread.why.clone() });
    }
    let sources = inventory.sources.len();
    if inventory.offered.is_empty() && inventory.others.iter().all(|group| group.packages.is_empty()) {
        return Err(EvaluateError::NothingOffered { sources });
    }
    if baseline.operating_system.is_apt() { apt_sources(baseline, inventory) } else { rpm_sources(baseline, inventory) }
}

/// A trusted source of the release is there, and one with security updates when nothing else is approved.
fn apt_sources(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
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

/// Notices are there when nothing else is approved, and Amazon Linux 2023 was read at its latest release.
fn rpm_sources(baseline: &Baseline, inventory: &Inventory) -> Result<(), EvaluateError> {
    let sources = inventory.sources.len();
    let known = inventory.sources.iter().any(|source| source.notices > 0);
    if !baseline.approves_non_security() && !known && !inventory.advisories.iter().any(super::Advisory::in_force) {
        return Err(EvaluateError::NoNotices { baseline: baseline.name.clone(), sources });
    }
    let locked = inventory.sources.iter().find(|source| !source.release.is_empty() && source.release != "latest");
    match locked.filter(|_| baseline.operating_system == OperatingSystem::AmazonLinux2023) {
        Some(source) => Err(EvaluateError::LockedRelease { id: source.id.clone(), release: source.release.clone() }),
        None => Ok(()),
    }
}
