//! What an evaluation found: patches with their reasons, counters, notes.

use super::baseline::{Level, OperatingSystem};
use super::outcome::{Counts, PatchItem, State};
use super::reason::Reason;
use super::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The schema of an evaluation as a document.
pub const EVALUATION_SCHEMA: &str = "amiforge.patch-evaluation/1";

/// Which operation of AWS-RunPatchBaseline is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// What is approved and not there is `Missing`.
    #[default]
    Scan,
    /// An installation was attempted before: what is not there has `Failed` (patch-baselines.md 5.1).
    Install,
}

/// What a baseline says about an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// [`EVALUATION_SCHEMA`].
    pub schema: String,
    /// Name of the baseline.
    pub baseline: String,
    /// Its operating system.
    pub operating_system: OperatingSystem,
    /// What `PRODUCT` filters were compared with; absent when it was not known.
    pub product: Option<String>,
    /// The moment it was evaluated for.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
    /// Which operation was imitated.
    pub operation: Operation,
    /// What was assumed where the sources contradict each other.
    pub settings: Settings,
    /// One item per installed package (RPM: per name and architecture), sorted by name, architecture and version.
    pub patches: Vec<Patch>,
    /// How many patches are in which state, and how many approved packages are not installed.
    pub counts: Counts,
    /// The non-compliant patches, counted as `DescribeInstancePatchStates` does.
    pub open: OpenCounts,
    /// Patches by compliance level. Levels nobody has are left out.
    pub levels: BTreeMap<Level, LevelCounts>,
    /// What a reader of the result has to know.
    pub notes: Vec<String>,
}

/// What a baseline says about one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Version that is installed; of several the highest.
    pub installed: String,
    /// Highest approved version when it is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<String>,
    /// State.
    pub state: State,
    /// Classification of the version that decided; empty when none did.
    pub classification: String,
    /// Severity of the version that decided; on APT systems its priority (patch-baselines.md 5.5).
    pub severity: String,
    /// Compliance level with which it was approved; `UNSPECIFIED` when it was not.
    pub level: Level,
    /// When the installed version was installed, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<i64>,
    /// Of a missing patch: the notices about versions after the installed one, up to the approved one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<String>,
    /// Of a missing patch: the CVEs of these notices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
    /// Why it has this state.
    pub reasons: Vec<Reason>,
}

/// Counters of non-compliant patches (patch-baselines.md 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCounts {
    /// `CriticalNonCompliantCount`: by the baseline's level, not by the vendor's severity.
    pub critical: u32,
    /// `SecurityNonCompliantCount`: by classification. One patch may be in this and the one before.
    pub security: u32,
    /// `OtherNonCompliantCount`: in neither of the two.
    pub other: u32,
}

/// Patches of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelCounts {
    /// In a compliant state.
    pub compliant: u32,
    /// In a state that makes the image non-compliant.
    pub non_compliant: u32,
}

/// An evaluation as the service keeps it: without reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// One item per patch.
    pub items: Vec<PatchItem>,
    /// How many items are in which state, and how many approved packages are not installed.
    pub counts: Counts,
}

impl Patch {
    /// `name.arch`, the service's `KBId` (patch-baselines.md 5.5).
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}.{}", self.name, self.arch)
    }

    /// `name.arch:version`, the service's `Title`: the wanted version of what is missing, the installed one else.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}:{}", self.id(), self.available.as_ref().unwrap_or(&self.installed))
    }

    /// The state and the chain of reasons, as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        format!("{} {} is {}: {}.", self.id(), self.installed, self.state.as_str(), reasons.join("; "))
    }

    /// The item without reasons.
    #[must_use]
    pub fn item(&self) -> PatchItem {
        PatchItem {
            name: self.name.clone(),
            arch: self.arch.clone(),
            installed: self.installed.clone(),
            available: self.available.clone(),
            state: self.state,
            classification: self.classification.clone(),
            severity: self.severity.clone(),
            level: self.level.to_string(),
        }
    }
}

impl Evaluation {
    /// Whether every patch is in a compliant state. `AvailableSecurityUpdate` is counted as the baseline says, through
    /// [`Evaluation::open`].
    #[must_use]
    pub fn compliant(&self) -> bool {
        let OpenCounts { critical, security, other } = self.open;
        critical == 0 && security == 0 && other == 0
    }

    /// The highest level of a non-compliant patch (patch-baselines.md 5.6); nothing when all are compliant.
    #[must_use]
    pub fn severity(&self) -> Option<Level> {
        self.levels.iter().filter(|(_, counts)| counts.non_compliant > 0).map(|(level, _)| *level).max()
    }

    /// Patches that are approved and not there.
    pub fn outstanding(&self) -> impl Iterator<Item = &Patch> {
        self.patches.iter().filter(|patch| matches!(patch.state, State::Missing | State::Failed))
    }

    /// What the service keeps of it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary { items: self.patches.iter().map(Patch::item).collect(), counts: self.counts }
    }
}

/// Counts patches; `not_applicable` is added by who counted those.
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) open: OpenCounts,
    pub(super) levels: BTreeMap<Level, LevelCounts>,
}

impl Tally {
    /// `available_security_open` tells whether `AvailableSecurityUpdate` makes an image non-compliant (5.3).
    pub(super) fn of(patches: &[Patch], not_applicable: usize, available_security_open: bool) -> Self {
        let mut tally = Self { counts: Counts::default(), open: OpenCounts::default(), levels: BTreeMap::new() };
        for patch in patches {
            tally.counts.add(patch.state);
            let available = patch.state == State::AvailableSecurityUpdate;
            let level = tally.levels.entry(patch.level).or_default();
            if patch.state.is_non_compliant() || (available && available_security_open) {
                level.non_compliant = level.non_compliant.saturating_add(1);
                tally.open.add(patch, available);
            } else {
                level.compliant = level.compliant.saturating_add(1);
            }
        }
        tally.counts.not_applicable =
            tally.counts.not_applicable.saturating_add(u32::try_from(not_applicable).unwrap_or(u32::MAX));
        tally
    }
}

impl OpenCounts {
    /// `available`: never critical, always security (patch-baselines.md 5.3).
    fn add(&mut self, patch: &Patch, available: bool) {
        let critical = patch.level == Level::Critical && !available;
        let security = available || patch.classification.eq_ignore_ascii_case("Security");
        self.critical += u32::from(critical);
        self.security += u32::from(security);
        self.other += u32::from(!critical && !security);
    }
}
