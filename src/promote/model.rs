//! Releases, and what a promotion is made of.

use crate::gate::Verdict;
use crate::project::{AwsConfig, CanaryCheck, EnvironmentConfig, Location, Project};
use serde::{Deserialize, Serialize};

/// Schema of [`Release`].
pub(super) const RELEASE_SCHEMA: &str = "amiforge.release/2";
/// Schema of [`Plan`] as journal.
pub(super) const JOURNAL_SCHEMA: &str = "amiforge.journal/3";
/// Schema of [`Lock`].
pub(super) const LOCK_SCHEMA: &str = "amiforge.lock/1";

/// What a channel points to: the document in the channel's parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the words of DESIGN section 2")]
pub struct Release {
    /// Always `amiforge.release/2`; what an older version wrote is read as that.
    pub schema: String,
    /// The promotion that made it.
    pub id: String,
    pub project: String,
    pub recipe: String,
    pub arch: String,
    pub channel: String,
    /// AMI id in the home Region: what identifies the release.
    pub ami: String,
    /// Image build version ARN.
    pub image_arn: Option<String>,
    /// For example `1.0.3/1`.
    pub image_version: Option<String>,
    /// Digest of the evidence it was approved by.
    pub evidence: String,
    /// Where its pointers stand.
    pub targets: Vec<Placed>,
    /// Targets that it does not stand in, with `--quorum`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// RFC 3339.
    pub promoted_at: String,
    /// Who: host and process.
    pub by: String,
    /// Who, as AWS knows the caller: an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Why.
    pub reason: String,
    /// Why rules of the channel were passed over, and which did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
    /// Who went on with it after it was cut off, one after the other: the caller as AWS knows it, else host and process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed_by: Vec<String>,
    /// The channel is empty since then: this release was taken out of it, and nothing came in its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// The release before this one, without those before it: they are in the parameter's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Box<Release>>,
}

impl Release {
    /// Whether it is called so: by its AMI id at home, its image version or the promotion's id.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.ami == name || self.id == name || self.image_version.as_deref() == Some(name)
    }

    /// Who: the caller as AWS knows it, else host and process.
    #[must_use]
    pub fn who(&self) -> &str {
        self.caller.as_deref().unwrap_or(&self.by)
    }
}

/// A release at one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct Placed {
    pub account: String,
    pub region: String,
    /// AMI id there.
    pub ami: String,
    /// In the recipe's order.
    pub launch_templates: Vec<TemplatePointer>,
    /// In the recipe's order.
    pub parameters: Vec<ParameterPointer>,
}

/// A target that a promotion did without: its pointers are where they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct LeftOut {
    pub account: String,
    pub region: String,
    /// Why.
    pub reason: String,
}

/// A launch template whose default version was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct TemplatePointer {
    pub name: String,
    pub id: String,
    /// The default version now.
    pub version: i64,
    /// The default version before; absent when the template was made.
    pub previous: Option<i64>,
}

/// A parameter of type `aws:ec2:image` that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct ParameterPointer {
    pub name: String,
    /// The parameter's version.
    pub version: i64,
}

/// Which channel is to be moved, by whom and why.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The project: its name and channels.
    pub project: &'a Project,
    /// Recipe name.
    pub recipe: &'a str,
    /// `x86_64` or `arm64`.
    pub arch: &'a str,
    /// Channel name.
    pub channel: &'a str,
    /// Names of the launch templates, filled in: every place has all of them.
    pub launch_templates: Vec<String>,
    /// Names of the parameters, filled in: every place has all of them.
    pub parameters: Vec<String>,
    /// Why, for the record.
    pub reason: String,
    /// Who: host and process id, as text. Must differ between processes.
    pub holder: String,
    /// Targets that must be proven for the others to be left out; absent: every one must be.
    pub quorum: Option<usize>,
    /// Who, as AWS knows the caller: an ARN.
    pub caller: Option<String>,
    /// Why the channel's rules are passed over. Evidence and gates never are.
    pub override_reason: Option<String>,
}

/// An image to promote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Release")]
pub struct Candidate {
    /// AMI id in the home Region.
    pub ami: String,
    pub image_arn: Option<String>,
    pub image_version: Option<String>,
}

/// The judgement a promotion rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Digest of the evidence: must be the one in the AMI's tag.
    pub digest: String,
    /// The gates' verdicts on it, as of now.
    pub verdicts: Vec<Verdict>,
}

/// How an account comes by the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is the image that was built.
    Built,
    /// Another account's image of the same Region is copied, or the home Region's is.
    Copied,
    /// Image Builder has distributed it there by itself.
    Distributed,
}

/// One image of the release: in one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supply {
    /// The account that owns it.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// AMI id there; absent until the copy is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami: Option<String>,
    /// How it comes there.
    pub how: How,
    /// Accounts that may launch it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launched_by: Vec<String>,
    /// Accounts that copy it, and need its snapshots for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied_by: Vec<String>,
    /// Key that a copy is encrypted with; the account's default one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

impl Supply {
    /// Account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location { account: self.account.clone(), region: self.region.clone() }
    }
}

/// How an instance is launched that proves that a release can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// What is waited for.
    pub check: CanaryCheck,
    /// How long, in seconds.
    pub timeout: u64,
    /// Instead of the launch template's instance type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Instead of the launch template's subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
}

/// One place's part of a promotion, with everything needed to undo it: one account and Region, with all pointers in it. They
/// go to the same image, and what is to be proven of it is proven once, so they are one target and are left out together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct Move {
    pub account: String,
    pub region: String,
    /// Its image: an index into [`Plan::supplies`].
    pub supply: usize,
    pub launch_templates: Vec<TemplateMove>,
    pub parameters: Vec<ParameterMove>,
    /// Instance type to prove launchability with when the launch template names none.
    pub instance_type: String,
    /// Whether instances are really launched here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub canary: bool,
}

/// A launch template whose default is to be moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct TemplateMove {
    pub name: String,
    /// Absent: there is no such launch template yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TemplateBefore>,
}

/// A parameter that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct ParameterMove {
    pub name: String,
    /// Its value; absent: there is no such parameter yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl Move {
    /// Account and Region.
    #[must_use]
    pub fn location(&self) -> Location {
        Location { account: self.account.clone(), region: self.region.clone() }
    }

    /// `account/Region`.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.location())
    }
}

/// `account/Region`.
pub(super) fn place(location: &Location) -> String {
    format!("{}/{}", location.account, location.region)
}

/// The launch template as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct TemplateBefore {
    pub id: String,
    /// Its default version: what new versions are based on, and what is put back.
    pub default_version: i64,
}

/// A promotion as data; also the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always `amiforge.journal/3`; what an older version wrote is read as that.
    pub schema: String,
    /// The release to be, without targets and previous release.
    pub release: Release,
    /// The release before, without the one before it.
    pub previous: Option<Release>,
    /// Digest that the AMI's tag must show; absent for a rollback, which an image that was validated again since must not
    /// stand in the way of.
    pub evidence_tag: Option<String>,
    /// The images: the one in the home account and Region first.
    pub supplies: Vec<Supply>,
    /// One per target.
    pub moves: Vec<Move>,
    /// How instances are launched in proving, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// As in the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<usize>,
    /// Targets that could not be looked at, with a quorum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The image that the channel points at now, at home; for who asks what would be done.
    #[serde(skip)]
    pub from: Option<String>,
    /// The channel's record as it was, to the letter. Not in the journal, which has no room for it: `resume` reads it
    /// from the record itself, which is the last to change.
    #[serde(skip)]
    pub(super) record_before: Option<String>,
}

/// What planning leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The channel is at that release, and every pointer too.
    Nothing(Box<Release>),
    /// This is to be done.
    Go(Box<Plan>),
}

/// What a promotion or rollback led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Promotion {
    /// Always `amiforge.promotion/1`.
    pub schema: &'static str,
    /// Whether anything was moved.
    pub changed: bool,
    /// The channel.
    pub channel: String,
    /// What it points to now.
    pub release: Release,
    /// What became of Auto Scaling groups, with `--refresh`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refreshes: Vec<super::refresh::Refreshed>,
}

impl Promotion {
    /// Whether targets were left out.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.release.left_out.is_empty()
    }
}

impl Promotion {
    pub(super) fn unchanged(release: Release) -> Self {
        Self { changed: false, ..Self::moved(release) }
    }

    pub(super) fn moved(release: Release) -> Self {
        Self {
            schema: "amiforge.promotion/1",
            changed: true,
            channel: release.channel.clone(),
            release,
            refreshes: vec![],
        }
    }
}

/// The document in a lock's parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    pub(super) schema: String,
    /// The promotion that holds it.
    pub(super) id: String,
    pub(super) holder: String,
    /// RFC 3339.
    pub(super) since: String,
    /// RFC 3339: from then on it may be taken over.
    pub(super) expires: String,
    /// Parameters that the journal has beside its own, to be removed with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) journal_parts: usize,
    /// Who has gone on with it after it was cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) again: Vec<Again>,
}

/// Somebody who goes on with what another process has begun. The plan stays as it is in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// The caller as AWS knows it, else host and process.
    pub(super) by: String,
    /// Why rules are passed over that do not hold any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) overridden: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// An instance type of the architecture, for a dry run.
pub(super) fn instance_type(config: &EnvironmentConfig, arch: &str) -> String {
    let configured = match config {
        EnvironmentConfig::Aws(AwsConfig { instance_types, .. }) => instance_types.first().cloned(),
        EnvironmentConfig::Local(_) => None,
    };
    configured.unwrap_or_else(|| if arch == "arm64" { "t4g.micro" } else { "t3.micro" }.to_owned())
}
