use super::environment::EnvironmentConfig;
use super::policy::{Gates, ProjectGates};
use super::waivers::Waiver;
use crate::component::rules::Levels;
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use crate::patch::{self, Baseline};
use crate::render::Memory;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A checked project: everything in it has been read and located.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder with `amiforge.yaml`.
    pub root: PathBuf,
    /// `project:`, the prefix of resource names.
    pub name: String,
    /// Environments by name; `local` is always there.
    pub environments: BTreeMap<String, EnvironmentConfig>,
    /// Channels in order.
    pub channels: Vec<Channel>,
    /// Tags put on every resource.
    pub tags: BTreeMap<String, String>,
    /// How strict the linter is.
    pub lint: LintConfig,
    /// Gates for all recipes; those of a recipe have them in already.
    pub gates: ProjectGates,
    /// Accepted findings.
    pub waivers: Vec<Waiver>,
    /// Which key signs evidence, and whose signature is demanded.
    pub signing: Signing,
    /// Recipes by name.
    pub recipes: BTreeMap<String, Recipe>,
    /// Component sources by name: the project's own shadow the built-in ones.
    pub components: BTreeMap<String, ComponentSource>,
    /// Pieces that templates include with `{{> name}}`, by name; the project's own shadow the built-in ones.
    pub partials: BTreeMap<String, Arc<SourceFile>>,
    /// Workflow documents, by what they are for and their name.
    pub workflows: BTreeMap<(WorkflowKind, String), Arc<SourceFile>>,
    /// Patch baselines of `baselines/` by name (JSON or YAML text as read).
    pub baselines: BTreeMap<String, Arc<SourceFile>>,
    /// What is doubtful but not refused; errors never get this far.
    pub warnings: Vec<Diagnostic>,
    /// What rendering has worked out about these files. It is asked by their texts, so that it need not be cleared when the
    /// project is changed.
    pub(crate) memory: Arc<Memory>,
}

impl Project {
    /// The patch baseline of that name: one of `baselines/`, or one of AWS's. Files were checked when the project was read.
    #[must_use]
    pub fn baseline(&self, name: &str) -> Option<Baseline> {
        match self.baselines.get(name) {
            Some(source) => patch::parse_baseline(source).ok(),
            None => patch::predefined(name),
        }
    }

    /// The name that Systems Manager knows a recipe's baseline by: a file's name need not be the one in it.
    #[must_use]
    pub fn baseline_name(&self, name: &str) -> String {
        self.baseline(name).map_or_else(|| name.to_owned(), |baseline| baseline.name)
    }
}

/// `lint:`, how strict the linter is and what it has to know.
#[derive(Debug, Clone, PartialEq)]
pub struct LintConfig {
    /// What differs from the levels that rules have by themselves.
    pub levels: Levels,
    /// Findings at or above this fail.
    pub fail_on: Severity,
    /// Accounts whose buckets components may use, besides those of the environments.
    pub accounts: Vec<String>,
    /// An awstoe is pinned that is too old for `env:`, `context:` and `aws:imds:`.
    pub old_awstoe: bool,
}

impl Default for LintConfig {
    fn default() -> Self {
        Self { levels: Levels::default(), fail_on: Severity::Error, accounts: vec![], old_awstoe: false }
    }
}

/// How evidence is signed. Paths are relative to the project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signing {
    /// File with the Ed25519 private key.
    pub key: Option<PathBuf>,
    /// Key in KMS that signs instead: an id, an ARN or an alias.
    pub kms: Option<String>,
    /// Files with public keys; when they or `trusted_kms` are not empty, evidence counts only with a signature of one of them.
    pub trusted: Vec<PathBuf>,
    /// Keys in KMS, whose public halves are trusted as KMS has them.
    pub trusted_kms: Vec<String>,
}

impl Signing {
    /// Whether evidence has to be signed.
    #[must_use]
    pub fn is_demanded(&self) -> bool {
        !(self.trusted.is_empty() && self.trusted_kms.is_empty())
    }
}

/// A named pointer to a release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Channel {
    /// Name.
    pub name: String,
    /// The channel a release must be in first.
    pub after: Option<String>,
    /// How long it must have been there.
    pub soak: Option<Duration>,
    /// Whether a person must approve.
    pub approval_required: bool,
    /// Whether that person must be another one than who brought the release to the channel before.
    pub approval_by_another: bool,
    /// When it takes releases; always when there are none.
    pub windows: Vec<super::Window>,
    /// Days on which it takes none.
    pub freezes: Vec<super::Freeze>,
    /// Whether `--override` is refused.
    pub override_forbidden: bool,
    /// A real instance is launched in proving, as this says.
    pub canary: Option<super::Canary>,
    /// How Auto Scaling groups are refreshed, when that is asked for.
    pub refresh: super::Refresh,
}

/// One recipe.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// `name:`; the same as the file's stem.
    pub name: String,
    /// `os:`.
    pub os: Os,
    /// CPU architectures to build for.
    pub architectures: Vec<Arch>,
    /// major and minor by hand; the patch number follows the fingerprint.
    pub version: (u32, u32),
    /// What to start from.
    pub parent: Parent,
    /// Components of the build stage, in order; hooks that are components stand around the patch component.
    pub build: Vec<ComponentUse>,
    /// Components of the test stage, in order.
    pub test: Vec<ComponentUse>,
    /// Baseline name: predefined, or one of `baselines/`.
    pub baseline: String,
    /// `patch_overrides:`; its entries, or where they come from, are parameters of the patch component.
    pub patch_overrides: Option<PatchOverrides>,
    /// Root volume.
    pub root_volume: RootVolume,
    /// Gate policy.
    pub gates: Gates,
    /// Workflows that take the place of the service's own; empty: those of the service.
    pub workflows: Vec<WorkflowUse>,
    /// A pipeline of Image Builder for this recipe.
    pub pipeline: Option<Pipeline>,
    /// What a promotion moves; templates with `{{ name }}`, `{{ arch }}`, `{{ channel }}`.
    pub promote: Promote,
    /// The file.
    pub source: Arc<SourceFile>,
    /// Where the recipe's name stands.
    pub span: Span,
}

/// What a workflow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "Image Builder's own nouns")]
pub enum WorkflowKind {
    Build,
    Test,
    Distribution,
}

impl WorkflowKind {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Build, Self::Test, Self::Distribution];

    /// The word in references, folders and ARNs.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Distribution => "distribution",
        }
    }

    /// The service's word for the type.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Build => "BUILD",
            Self::Test => "TEST",
            Self::Distribution => "DISTRIBUTION",
        }
    }
}

/// A workflow in a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowUse {
    /// What it is for.
    pub kind: WorkflowKind,
    /// Its name.
    pub name: String,
    /// Whether it is one of AWS.
    pub managed: bool,
    /// Parameters, as the service takes them.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Test workflows that run at the same time.
    pub parallel_group: Option<String>,
    /// Whether the image may become available though this test workflow failed.
    pub continue_on_failure: bool,
    /// Where it stands.
    pub span: Span,
}

/// A pipeline of Image Builder: builds without amiforge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// When it starts; only by hand when absent.
    pub schedule: Option<Schedule>,
    /// Whether it starts by itself.
    pub enabled: bool,
}

/// When a pipeline starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// `cron(…)` or `rate(…)`.
    pub expression: String,
    /// IANA name; UTC when absent.
    pub timezone: Option<String>,
    /// Under which condition.
    pub start: StartCondition,
    /// Failed runs in a row after which the service disables the pipeline.
    pub disable_after: Option<u32>,
}

/// When a scheduled run takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartCondition {
    /// Only if a component or the parent image has a newer version.
    WhenUpdated,
    /// Every time.
    Always,
}

/// Operating systems amiforge knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names say it")]
pub enum Os {
    Debian12,
    Debian13,
    Ubuntu2404,
    AmazonLinux2023,
    Rhel9,
    Sles15,
    WindowsServer2022,
}

/// CPU architecture in EC2's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names say it")]
pub enum Arch {
    X86_64,
    Arm64,
}

/// The parent image.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// How AWS finds it.
    pub reference: ParentReference,
    /// How the local environment makes it; absent: cannot be built locally.
    pub local: Option<LocalParent>,
}

/// How AWS finds a parent image.
#[derive(Debug, Clone, PartialEq)]
pub enum ParentReference {
    /// A public or own SSM parameter; already rendered for one architecture in `render`.
    Ssm(String),
    /// An AMI id.
    Ami(String),
    /// An Image Builder image ARN; with `x` for the newest version.
    Image(String),
    /// The newest AMI whose name fits a pattern. Whoever may use any name is no parent: the owner is part of it.
    Named {
        /// With `*` and `?`.
        pattern: String,
        /// An account, or `self`, `amazon`, `aws-marketplace`.
        owner: String,
    },
    /// An image of another recipe of the project.
    Recipe {
        /// Its name.
        recipe: String,
        /// The channel whose release is meant; the newest image of the project's files when absent.
        channel: Option<String>,
        /// Where it is named.
        span: Span,
    },
}

/// How the local environment makes a parent image; paths are relative to the project.
pub use crate::sandbox::root::Source as LocalParent;

/// A component in a recipe, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentUse {
    /// Component name.
    pub name: String,
    /// Parameters, as text.
    pub parameters: BTreeMap<String, String>,
    /// Where it stands.
    pub span: Span,
    /// Whether it stands under `hooks` and not in a list.
    pub hook: bool,
}

/// An install override list: exactly what is to be updated, whatever the baseline and the scope say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchOverrides {
    /// A file of the project, an https URL or an `s3://` one.
    pub from: String,
    /// Where it is named.
    pub span: Span,
}

/// A component document or a Handlebars template of one.
#[derive(Debug, Clone)]
pub struct ComponentSource {
    /// Name.
    pub name: String,
    /// Whether the text is a Handlebars template (`*.yaml.hbs` in `templates/`).
    pub template: bool,
    /// The file (for built-ins, a name like `<built-in>/components/boots.yaml`).
    pub source: Arc<SourceFile>,
}

/// Root volume of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "names say it")]
pub struct RootVolume {
    pub size_gib: u32,
    pub volume_type: String,
    pub encrypted: bool,
}

/// What a promotion moves: in every place every launch template, then every parameter. There is at least one of both together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promote {
    /// Names of launch templates, in the recipe's order.
    pub launch_templates: Vec<PointerName>,
    /// Names of parameters, in the recipe's order. The first is what `resolve` reads.
    pub parameters: Vec<PointerName>,
}

/// The name of a pointer as the recipe has it: a small template, such as `{{ name }}-{{ channel }}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointerName {
    /// The template.
    pub text: String,
    /// Where it stands in the recipe's file; empty for the usual one, which stands nowhere.
    pub span: Span,
}

impl From<&str> for PointerName {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), span: Span::default() }
    }
}
