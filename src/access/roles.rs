//! Roles besides the caller's: of build instances, of targets, and those that Image Builder itself assumes
//! (image-builder.md 9.3 and 18).

use super::document::{Policy, Statement};
use super::policy::{ec2_principal, in_targets};
use super::scope::Site;
use super::verb::Verb;
use crate::project::Location;
use serde::Serialize;
use serde_json::json;

/// The service-linked role of Image Builder (image-builder.md 18).
pub const SERVICE_ROLE: &str = "AWSServiceRoleForImageBuilder";

/// The role that Image Builder assumes in accounts it distributes to; exactly this name (image-builder.md 9.3).
pub const DISTRIBUTION_ROLE: &str = "EC2ImageBuilderDistributionCrossAccountRole";

/// The managed policies that the role of a build instance needs (image-builder.md 18). The first does not contain the
/// second.
pub const INSTANCE_POLICIES: [&str; 2] = ["EC2InstanceProfileForImageBuilder", "AmazonSSMManagedInstanceCore"];

/// The managed policy of the role for custom workflows (image-builder.md 18).
const EXECUTION_POLICY: &str = "EC2ImageBuilderExecutionPolicy";

/// The managed policy of [`DISTRIBUTION_ROLE`] (image-builder.md 9.3).
const DISTRIBUTION_POLICY: &str = "Ec2ImageBuilderCrossAccountDistributionAccess";

/// A role: who may assume it, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Who may assume it.
    pub trust: Policy,
    /// Names of AWS's managed policies that belong to it.
    pub managed_policies: Vec<String>,
    /// What it needs besides; may allow nothing.
    pub policy: Policy,
    /// What a person has to know.
    pub notes: Vec<String>,
}

/// The role in the instance profile of build instances.
#[must_use]
pub fn instance(site: &Site) -> Role {
    let mut statements = Vec::new();
    if let Some(objects) = site.log_objects() {
        statements.push(Statement::allow("BuildLogs", vec!["s3:PutObject".to_owned()], vec![objects]));
    }
    let lists: Vec<String> =
        site.objects.iter().map(|object| format!("arn:{}:s3:::{object}", site.partition())).collect();
    if !lists.is_empty() {
        statements.push(Statement::allow("OverrideLists", vec!["s3:GetObject".to_owned()], lists));
    }
    Role {
        name: site.instance_role.clone(),
        trust: service(ec2_principal(site)),
        managed_policies: INSTANCE_POLICIES.map(str::to_owned).to_vec(),
        policy: Policy::new(statements),
        notes: vec![
            format!("the role belongs into an instance profile named `{}`", site.profile),
            "components that fetch objects, parameters or secrets need `s3:GetObject`, `ssm:GetParameter` or \
             `secretsmanager:GetSecretValue` on them besides; amiforge does not look into the scripts of components"
                .to_owned(),
        ],
    }
}

/// The role that is assumed in targets of another account.
#[must_use]
pub fn target(site: &Site, verbs: &[Verb], arn: &str, places: &[Location]) -> Role {
    // Not the home role: roles of targets are assumed with the credentials one starts with.
    let home = format!("arn:{}:iam::{}:root", site.partition(), site.home.account);
    Role {
        name: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        trust: Policy::new(vec![Statement::trust("Home", json!({ "AWS": home }))]),
        managed_policies: vec![],
        policy: in_targets(site, verbs, places),
        notes: vec![
            "the trust names the whole home account, where IAM decides who may assume the role; name a principal to \
             narrow it; credentials that belong to a third account need that one instead"
                .to_owned(),
            "a launch template that names an instance profile is tried with it: add `iam:PassRole` on its role"
                .to_owned(),
            "an AMI that is encrypted with a key of the home account also needs that key shared with this account"
                .to_owned(),
        ],
    }
}

/// The role that custom workflows run with.
#[must_use]
pub fn execution(site: &Site) -> Role {
    let passed = site.home.role_arn(&site.instance_role);
    let condition = json!({ "StringEquals": { "iam:PassedToService": ec2_principal(site) } });
    let pass = Statement::allow("InstanceRole", vec!["iam:PassRole".to_owned()], vec![passed]).when(Some(condition));
    Role {
        name: format!("{}-workflows", site.project),
        trust: service("imagebuilder.amazonaws.com"),
        managed_policies: vec![EXECUTION_POLICY.to_owned()],
        policy: Policy::new(vec![pass]),
        notes: vec![
            format!(
                "{EXECUTION_POLICY} exists since June 2026; what it contains is not known here, so the statement \
                     above may repeat a part of it"
            ),
            "needed only for custom workflows and for log groups or parameters outside the standard prefixes"
                .to_owned(),
        ],
    }
}

/// The role that Image Builder assumes in accounts that it distributes to.
#[must_use]
pub fn distribution(site: &Site) -> Role {
    let home = format!("arn:{}:iam::{}:root", site.partition(), site.home.account);
    Role {
        name: DISTRIBUTION_ROLE.to_owned(),
        trust: Policy::new(vec![Statement::trust("Home", json!({ "AWS": home }))]),
        managed_policies: vec![DISTRIBUTION_POLICY.to_owned()],
        policy: Policy::new(vec![]),
        notes: vec![
            "encrypted AMIs need `kms:Encrypt`, `kms:Decrypt`, `kms:ReEncrypt*`, `kms:GenerateDataKey*`, \
             `kms:DescribeKey`, `kms:CreateGrant`, `kms:ListGrants` and `kms:RevokeGrant` on the keys of both Regions \
             besides, and key policies that allow this account"
                .to_owned(),
        ],
    }
}

fn service(name: &str) -> Policy {
    Policy::new(vec![Statement::trust("Service", json!({ "Service": name }))])
}
