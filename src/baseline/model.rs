//! What is wanted of a baseline in accounts, what is there, and what is to be done about it.

use crate::patch::{Baseline, BaselineDiff, OperatingSystem};
use crate::project::Location;
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema of the result of `baseline publish` as a document.
pub const PUBLISH_SCHEMA: &str = "amiforge.baseline-publish/1";

/// A baseline as it shall be in every target.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// What the project calls it.
    pub name: String,
    /// What it shall be.
    pub definition: Definition,
    /// Tags it shall carry.
    pub tags: BTreeMap<String, String>,
}

/// What a baseline shall be.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A baseline of the account, with this content.
    Own(Baseline),
    /// One that AWS owns: it is there already and can only be registered.
    Predefined(Baseline),
}

impl Desired {
    /// The definition.
    #[must_use]
    pub fn baseline(&self) -> &Baseline {
        match &self.definition {
            Definition::Own(baseline) | Definition::Predefined(baseline) => baseline,
        }
    }
}

/// What shall be done beside creating and updating.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wishes {
    /// Register as the default of the operating system.
    pub default: bool,
    /// Register for these patch groups.
    pub groups: Vec<String>,
    /// A patch group may be taken from another baseline.
    pub replace_group: bool,
    /// A baseline of the same name that carries no tags of ours may be taken over.
    pub adopt: bool,
}

/// What one place has that matters for one baseline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Baselines of that name and operating system: the account's, or AWS's when a predefined one is meant.
    pub found: Vec<Found>,
    /// The default of the operating system, when it matters.
    pub default: Option<Registered>,
    /// What is registered for the patch groups that matter.
    pub groups: BTreeMap<String, Registered>,
}

/// A baseline that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id; an ARN for one of AWS's.
    pub id: String,
    /// Its content; absent when amiforge cannot read it.
    pub baseline: Option<Baseline>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A baseline that is registered for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Step {
    /// Create the baseline.
    Create,
    /// Replace the content of the baseline.
    Update {
        /// From what is there to what shall be; absent when what is there cannot be read.
        difference: Option<BaselineDiff>,
    },
    /// Put tags on the baseline.
    Tag {
        /// Those that are missing or have another value.
        tags: BTreeMap<String, String>,
    },
    /// Make it the default of its operating system.
    Default {
        /// What is the default now.
        replaces: Option<Registered>,
    },
    /// Register it for a patch group.
    Group {
        /// The group.
        group: String,
        /// What is registered for it now.
        replaces: Option<Registered>,
    },
}

impl Step {
    /// Whether it changes what instances are patched by without their owners having changed anything.
    #[must_use]
    pub fn takes_over(&self) -> bool {
        match self {
            Self::Default { .. } => true,
            Self::Group { replaces, .. } => replaces.is_some(),
            Self::Create | Self::Update { .. } | Self::Tag { .. } => false,
        }
    }
}

/// How it went with one baseline in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was to be done.
    Unchanged,
    /// It is planned and not done.
    Planned,
    /// All of it is done.
    Done,
    /// It could not be planned or carried out; what was done stays and is found by the next run.
    Failed,
}

/// The result of `baseline publish`.
#[derive(Debug, Clone, Serialize)]
pub struct Publication {
    /// [`PUBLISH_SCHEMA`].
    pub schema: &'static str,
    /// The environment.
    pub environment: String,
    /// Whether it is only a plan: nothing was done.
    pub planned: bool,
    /// One for each baseline in each place.
    pub rows: Vec<PublishedRow>,
}

/// One baseline in one place.
#[derive(Debug, Clone, Serialize)]
pub struct PublishedRow {
    /// What the account calls the baseline.
    pub baseline: String,
    /// Its operating system.
    pub operating_system: OperatingSystem,
    /// Account and Region.
    #[serde(flatten)]
    pub location: Location,
    /// Its id there; absent before it is created.
    pub id: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// What was planned.
    pub steps: Vec<Step>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of that error (DESIGN section 9).
    #[serde(skip)]
    pub exit_code: u8,
    /// What to do about the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Publication {
    /// Whether something is to be done, or was.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.rows.iter().any(|row| !row.steps.is_empty())
    }

    /// The rows that failed.
    pub fn failed(&self) -> impl Iterator<Item = &PublishedRow> {
        self.rows.iter().filter(|row| row.outcome == Outcome::Failed)
    }

    /// DESIGN section 9: 0 when nothing failed, 9 when something failed and something else is done, else, and for a plan,
    /// what the first failure says.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let settled = |row: &PublishedRow| matches!(row.outcome, Outcome::Done | Outcome::Unchanged);
        match self.failed().next() {
            None => 0,
            Some(_) if !self.planned && self.rows.iter().any(settled) => 9,
            Some(first) => first.exit_code,
        }
    }
}
