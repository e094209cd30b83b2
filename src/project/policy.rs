//! What the gates ask for: once for the project, refined by recipes.

use std::collections::BTreeMap;
use std::time::Duration;

/// Gate policy; an absent gate is not evaluated, at least one must be present.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gates {
    /// Patch compliance.
    pub patches: Option<PatchGate>,
    /// Vulnerabilities.
    pub vulnerabilities: Option<VulnerabilityGate>,
    /// Image attributes.
    pub image: Option<ImageGate>,
    /// Tests must have run and passed.
    pub tests: Option<TestGate>,
    /// Packages that must and must not be there.
    pub packages: Option<PackageGate>,
    /// How large the image may be, and how much larger than the promoted one.
    pub size: Option<SizeGate>,
    /// The candidate is at most this old.
    pub max_age: Option<Duration>,
    /// Where the image comes from.
    pub parent: Option<ParentGate>,
    /// What the image must not carry.
    pub hygiene: Option<HygieneGate>,
    /// Commands of the project's own, by name.
    pub commands: BTreeMap<String, CommandGate>,
    /// How old evidence may be, as the policy says it: [`Gates::valid_within`] is what holds.
    pub validated_within: Option<Duration>,
    /// Gates whose findings no waiver accepts.
    pub unwaivable: Vec<&'static str>,
}

impl Gates {
    /// How old evidence may be as a whole, whatever gate looks at it: what the policy says, else as old as the oldest scan that it
    /// allows, and a day when it asks for none.
    #[must_use]
    pub fn valid_within(&self) -> Duration {
        let patches = self.patches.as_ref().map(|gate| gate.scanned_within);
        let vulnerabilities = self.vulnerabilities.as_ref().map(|gate| gate.scanned_within);
        self.validated_within.or_else(|| patches.max(vulnerabilities)).unwrap_or(Duration::from_hours(24))
    }
}

/// The gates of `amiforge.yaml`, and which of them hold for every recipe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectGates {
    /// What every recipe starts from; absent: each recipe has its own gates only, or the usual ones.
    pub gates: Option<Gates>,
    /// Gates that recipes may make stricter and not weaker.
    pub required: Vec<&'static str>,
    /// Whether findings of required gates can be waived.
    pub waivable: bool,
}

/// How bad something is, in the words of vendors, scanners and baselines. What nobody has rated counts as worse than
/// everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "names say it")]
pub enum Rating {
    Informational,
    Low,
    Medium,
    High,
    Critical,
    /// Not rated, or rated with a word that is not known.
    Unrated,
}

impl Rating {
    /// Those that a policy can name, the mildest first.
    pub const NAMED: [&'static str; 5] = ["low", "medium", "high", "critical", "unrated"];

    /// By the word of a vendor, a scanner or a baseline.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word.to_lowercase().as_str() {
            "informational" | "negligible" | "unimportant" => Self::Informational,
            "low" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => Self::Unrated,
        }
    }

    /// The word in policies and verdicts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
            Self::Unrated => "unrated",
        }
    }
}

/// Limits on a patch scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchGate {
    /// How many patches may be missing.
    pub missing: u32,
    /// How many rejected ones may be installed.
    pub rejected: u32,
    /// How many missing patches there may be of this rating or a worse one.
    pub levels: BTreeMap<Rating, u32>,
    /// For how long after its release a patch of this rating, or a milder one, may be missing.
    pub grace: BTreeMap<Rating, Duration>,
    /// The scan is at most this old.
    pub scanned_within: Duration,
}

/// What the tests must have been.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestGate {
    /// Names of facts that must have been real where the tests ran, such as `kernel`. On AWS all of them are; on this
    /// machine a sandbox has the host's kernel.
    pub real: Vec<String>,
    /// How many steps may have been skipped, since what was skipped has not passed; any number when absent.
    pub max_skipped: Option<u32>,
    /// Test components that must have run and passed, in whole or one step of them.
    pub required: Vec<TestName>,
}

/// A test component, or one of its steps, as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestName {
    /// Name of the component.
    pub component: String,
    /// Name of the step; all of them when absent.
    pub step: Option<String>,
}

impl TestName {
    /// `component` or `component/step`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.split_once('/') {
            Some((component, step)) => Self { component: component.to_owned(), step: Some(step.to_owned()) },
            None => Self { component: text.to_owned(), step: None },
        }
    }
}

impl std::fmt::Display for TestName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{}/{step}", self.component),
            None => f.write_str(&self.component),
        }
    }
}

/// Limits on vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VulnerabilityGate {
    /// Findings above this severity fail: `low`, `medium`, `high` or `none` (nothing allowed).
    pub max_severity: String,
    /// Findings without a fix are left out.
    pub with_fix_only: bool,
    /// Findings that the promoted image has as well are left out.
    pub only_new: bool,
    /// The scan is at most this old.
    pub scanned_within: Duration,
    /// Each of these scanners must have looked; when none is named, one that has is enough.
    pub scanned_by: Vec<Scanner>,
}

/// Who looks for vulnerabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scanner {
    /// Image Builder, which has Amazon Inspector look at its test instance.
    ImageBuilder,
    /// What EC2 shows of Amazon Inspector's newest scan of the AMI, whoever asked for it.
    Ec2,
    /// A scan of the AMI by Amazon Inspector, which `validate` asks for when there is none that is new enough. It costs money.
    Inspector,
}

impl Scanner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ImageBuilder, Self::Ec2, Self::Inspector];

    /// The word in policies and evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ImageBuilder => "image-builder",
            Self::Ec2 => "ec2",
            Self::Inspector => "inspector",
        }
    }

    /// By its word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scanner| scanner.word() == word)
    }
}

/// What the image must not carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HygieneGate {
    /// Rules whose findings are accepted.
    pub allow: Vec<String>,
}

/// Required image attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGate {
    /// Instances require version 2 of the metadata service.
    pub imds_v2: bool,
    /// Every volume is encrypted.
    pub encrypted: bool,
    /// Enhanced networking (ENA) is supported.
    pub ena: bool,
    /// Nobody but the owner and the accounts named may launch it; not looked at when absent.
    pub accounts: Option<Vec<String>>,
    /// The boot modes it may have; any when empty.
    pub boot_modes: Vec<String>,
    /// Largest root volume, in GiB.
    pub max_root_gib: Option<u32>,
    /// Most volumes.
    pub max_volumes: Option<u32>,
}

impl ImageGate {
    /// Whether it looks at anything.
    #[must_use]
    pub fn looks_at_something(&self) -> bool {
        self.imds_v2
            || self.encrypted
            || self.ena
            || self.accounts.is_some()
            || !self.boot_modes.is_empty()
            || self.max_root_gib.is_some()
            || self.max_volumes.is_some()
    }
}

/// Packages that must and must not be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageGate {
    /// Each of these is installed, in a version of the range.
    pub must_have: Vec<PackageRule>,
    /// None of these is installed in a version of the range. Names may have wildcards.
    pub must_not_have: Vec<PackageRule>,
}

/// A package, and which of its versions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRule {
    /// Name.
    pub name: String,
    /// All of these hold for the versions that are meant; every version when empty.
    pub versions: Vec<VersionBound>,
}

/// One end of a range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionBound {
    /// How the version relates to the other one.
    pub relation: Relation,
    /// The other one.
    pub version: String,
}

/// How two versions relate, in the package manager's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "names say it")]
pub enum Relation {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Relation {
    /// As written, the longer ones first.
    pub const SIGNS: [(&'static str, Self); 5] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
    ];

    /// Whether an order is meant.
    #[must_use]
    pub const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl std::fmt::Display for VersionBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = Relation::SIGNS.iter().find(|(_, relation)| *relation == self.relation).map_or("", |(sign, _)| sign);
        write!(f, "{sign} {}", self.version)
    }
}

/// How large the image may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SizeGate {
    /// Most that its files may take, in MiB.
    pub max_mib: Option<u32>,
    /// How many per cent more they may take than those of the promoted image.
    pub max_growth: Option<u32>,
}

/// Where the image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParentGate {
    /// Who may own the images it descends from: accounts, aliases such as `amazon`, or `self`; anybody when empty.
    pub owners: Vec<String>,
    /// How old the parent image may be, at the time the candidate was made.
    pub max_age: Option<Duration>,
}

/// A command that decides by its exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandGate {
    /// Program and arguments; with `shell` one text for `sh -c`.
    pub run: Vec<String>,
    /// Whether a shell reads it.
    pub shell: bool,
    /// How long it may take.
    pub timeout: Duration,
}

impl PatchGate {
    /// How many missing patches there may be that are rated like this or worse, by `levels` alone: the smallest limit for
    /// this rating or a milder one, since those count the worse ones, too.
    #[must_use]
    pub fn limit(&self, rating: Rating) -> Option<u32> {
        self.levels.range(..=rating).map(|(_, limit)| *limit).min()
    }

    /// How long a patch of this rating may be missing after its release: what worse ones are given, it is given, too.
    #[must_use]
    pub fn grace_of(&self, rating: Rating) -> Option<Duration> {
        self.grace.range(rating..).map(|(_, time)| *time).max()
    }
}

impl CommandGate {
    /// `sha256:` and the digest of what is run: an outcome belongs to the command as it was written then.
    #[must_use]
    pub fn digest(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        let text = serde_json::json!([self.run, self.shell, millis]).to_string();
        Sha256::digest(text).iter().fold("sha256:".to_owned(), |digest, byte| format!("{digest}{byte:02x}"))
    }
}
