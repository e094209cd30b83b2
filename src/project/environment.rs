//! Where work runs: this machine, or accounts and Regions.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Home Region of the local environment.
pub const LOCAL_REGION: &str = "us-east-1";

/// Where work runs.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a project has a handful of them, and every room reads them")]
pub enum EnvironmentConfig {
    /// This machine.
    Local(LocalConfig),
    /// AWS accounts and Regions.
    Aws(AwsConfig),
}

/// The local environment's settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocalConfig {
    /// Package mirror of Debian for `bootstrap` roots, overriding the host's; a recipe's own `mirror` comes first.
    pub mirror: Option<String>,
    /// Folders of this machine that instances see read-only at the same place, for example a `file:` package
    /// repository; relative to the project.
    pub bind: Vec<PathBuf>,
    /// Launch template and parameter targets; the home account and Region when there are none.
    pub targets: Vec<Target>,
    /// How targets come by an image.
    pub distribute: Distribute,
    /// Where evidence is kept besides the project.
    pub evidence: Option<EvidenceBucket>,
    /// What images are encrypted with, and to whom promotions open keys.
    pub encryption: Encryption,
}

/// Where in S3 evidence is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceBucket {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with, without a slash at its end.
    pub prefix: String,
    /// The bucket's Region; the home Region when absent.
    pub region: Option<String>,
    /// Key in KMS that objects are encrypted with; the bucket's default when absent.
    pub kms_key: Option<String>,
}

/// A named set of AWS accounts and Regions.
#[derive(Debug, Clone, PartialEq)]
pub struct AwsConfig {
    /// Where images are built.
    pub home: Location,
    /// Role to assume, if any.
    pub role: Option<String>,
    /// Instance types, in order of preference.
    pub instance_types: Vec<String>,
    /// Instance profile name.
    pub instance_profile: Option<String>,
    /// Subnet.
    pub subnet: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Bucket for build logs.
    pub log_bucket: Option<String>,
    /// Launch template and parameter targets.
    pub targets: Vec<Target>,
    /// Role that Image Builder takes for custom workflows: a name or an ARN.
    pub execution_role: Option<String>,
    /// Bucket for documents that are too long for a call.
    pub document_bucket: Option<String>,
    /// Where builds leave images beyond the home Region.
    pub distribution: Option<Distribution>,
    /// How targets come by an image.
    pub distribute: Distribute,
    /// What an hour of a build instance costs, in whatever currency: amiforge knows no prices.
    pub hourly_cost: Option<f64>,
    /// Where evidence is kept besides the project.
    pub evidence: Option<EvidenceBucket>,
    /// What images are encrypted with, and to whom promotions open keys.
    pub encryption: Encryption,
}

impl AwsConfig {
    /// An environment of which only the home is known.
    #[must_use]
    pub fn at(home: Location) -> Self {
        Self {
            home,
            role: None,
            instance_types: vec![],
            instance_profile: None,
            subnet: None,
            security_groups: vec![],
            log_bucket: None,
            targets: vec![],
            execution_role: None,
            document_bucket: None,
            distribution: None,
            distribute: Distribute::Share,
            hourly_cost: None,
            evidence: None,
            encryption: Encryption::default(),
        }
    }
}

/// How a promotion brings an image to the accounts of its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribute {
    /// The home account has one image per Region, and lets the accounts launch it.
    #[default]
    Share,
    /// Every account gets a copy of its own.
    Copy,
}

impl EnvironmentConfig {
    /// How targets come by an image.
    #[must_use]
    pub fn distribute(&self) -> Distribute {
        match self {
            Self::Local(local) => local.distribute,
            Self::Aws(aws) => aws.distribute,
        }
    }

    /// Where evidence is kept besides the project, if anywhere.
    #[must_use]
    pub fn evidence(&self) -> Option<&EvidenceBucket> {
        match self {
            Self::Local(local) => local.evidence.as_ref(),
            Self::Aws(aws) => aws.evidence.as_ref(),
        }
    }

    /// Region in which images are built.
    #[must_use]
    pub fn home_region(&self) -> &str {
        match self {
            Self::Local(_) => LOCAL_REGION,
            Self::Aws(aws) => &aws.home.region,
        }
    }

    /// What images are encrypted with, and to whom promotions open keys.
    #[must_use]
    pub const fn encryption(&self) -> &Encryption {
        match self {
            Self::Local(local) => &local.encryption,
            Self::Aws(aws) => &aws.encryption,
        }
    }

    /// The key that images in a Region are encrypted with, if one is named: here, or for what builds distribute.
    #[must_use]
    pub fn kms_key(&self, region: &str) -> Option<&str> {
        let distributed = || match self {
            Self::Local(_) => None,
            Self::Aws(aws) => aws.distribution.as_ref()?.kms_keys.get(region),
        };
        self.encryption().kms_keys.get(region).or_else(distributed).map(String::as_str)
    }
}

/// What a build does with a finished image by itself, before anything is approved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    /// Regions that get a copy beside the home Region, so that a promotion need not wait for one.
    pub regions: Vec<String>,
    /// Accounts that may launch the image.
    pub accounts: Vec<String>,
    /// Key that copies are encrypted with, by Region; a Region's default key when absent.
    pub kms_keys: BTreeMap<String, String>,
}

/// What images are encrypted with, and to whom promotions open customer-managed keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Key by Region, as an alias, an id or an ARN: in the home Region that of the root volume that is built, elsewhere that of
    /// a promotion's copies. The account's default one when absent.
    pub kms_keys: BTreeMap<String, String>,
    /// Who gets a grant on the key of an image, in every account that is to launch or copy it. Nobody when the keys' own
    /// policies let them in.
    pub grants: Vec<Grantee>,
}

impl Default for Encryption {
    fn default() -> Self {
        Self { kms_keys: BTreeMap::new(), grants: vec![Grantee::Account] }
    }
}

/// Who may be given a grant, in whatever account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// The account itself: its identities whose IAM policies allow it.
    Account,
    /// The service-linked role with which Auto Scaling launches instances.
    AutoScaling,
    /// A role, by its path and name.
    Role(String),
}

/// The service-linked role of Auto Scaling, by path and name (general knowledge of AWS).
const AUTO_SCALING: &str = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";

impl Grantee {
    /// Its ARN in an account.
    #[must_use]
    pub fn arn(&self, place: &Location) -> String {
        match self {
            Self::Account => format!("arn:{}:iam::{}:root", place.partition(), place.account),
            Self::AutoScaling => place.role_arn(AUTO_SCALING),
            Self::Role(role) => place.role_arn(role),
        }
    }
}

/// One account and Region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Location {
    /// Twelve digits.
    pub account: String,
    /// For example `us-east-1`.
    pub region: String,
}

impl Location {
    /// The ARN partition that the Region belongs to.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        if self.region.starts_with("cn-") {
            "aws-cn"
        } else if self.region.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }

    /// The ARN of a role of the account that is given by its name; an ARN is taken as it is.
    #[must_use]
    pub fn role_arn(&self, role: &str) -> String {
        if role.starts_with("arn:") {
            return role.to_owned();
        }
        format!("arn:{}:iam::{}:role/{role}", self.partition(), self.account)
    }
}

/// Where a promotion moves pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Account and Region.
    pub location: Location,
    /// Role to assume there.
    pub role: Option<String>,
}
