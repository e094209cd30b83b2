//! Rows of the table become statements: one per kind of resource, narrowed to the site.

use super::document::{Policy, Statement};
use super::need::{At, Need, On};
use super::roles::SERVICE_ROLE;
use super::scope::Site;
use super::table::needs;
use super::verb::Verb;
use crate::project::{EvidenceBucket, Location};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The tag by which resources of the project are known: [`tags::PROJECT`](crate::aws::tags::PROJECT).
const PROJECT_TAG: &str = "amiforge:project";

/// What the credentials need that make the calls of these verbs: at home, and in the targets that they reach without
/// another role.
#[must_use]
pub fn caller(site: &Site, verbs: &[Verb]) -> Policy {
    let near = site.near();
    let places = |at| if at == At::Home { vec![site.home.clone()] } else { near.clone() };
    Policy::new(statements(site, verbs, places))
}

/// What a person has to know about [`caller`].
#[must_use]
pub fn caller_notes(site: &Site) -> Vec<String> {
    let mut notes = vec![
        format!(
            "the role of instance profile `{}` is taken to be `{}`; --instance-role names another one",
            site.profile, site.instance_role
        ),
        format!(
            "launch templates, instances and AMIs are allowed by their tag {PROJECT_TAG}={}; a launch template that \
             somebody else has made needs it before a promotion can move it",
            site.project
        ),
    ];
    if let Some(role) = &site.home_role {
        notes.push(format!(
            "this is for the role `{role}`, which is assumed at home; the credentials you start with need only the \
             statement Assumed, and the role does not need that one"
        ));
    }
    if site.log_bucket.is_none() && site.evidence.is_none() {
        notes.push("no `log_bucket` in the environment: nothing is allowed in S3".to_owned());
    }
    notes
}

/// What a role needs that is assumed in these targets.
pub(super) fn in_targets(site: &Site, verbs: &[Verb], targets: &[Location]) -> Policy {
    let places = |at| if at == At::Targets { targets.to_vec() } else { vec![] };
    Policy::new(statements(site, verbs, places))
}

/// The part of a policy that allows some of its actions: what is missing, to be added as it stands. `wanted` names
/// statements and actions.
#[must_use]
pub fn only(policy: &Policy, wanted: &BTreeSet<(String, String)>) -> Policy {
    let part = |statement: &Statement| {
        let named = |action: &&String| wanted.contains(&(statement.sid.clone(), (*action).clone()));
        let action: Vec<String> = statement.action.iter().filter(named).cloned().collect();
        (!action.is_empty()).then(|| statement.of(action))
    };
    Policy::new(policy.statement.iter().filter_map(part).collect())
}

fn statements(site: &Site, verbs: &[Verb], places: impl Fn(At) -> Vec<Location>) -> Vec<Statement> {
    let mut actions: BTreeMap<(On, At), BTreeSet<&str>> = BTreeMap::new();
    for Need { action, on, at, .. } in verbs.iter().flat_map(|verb| needs(*verb)) {
        actions.entry((on, at)).or_default().insert(action);
    }
    let mut statements: Vec<Statement> = Vec::new();
    for ((on, at), actions) in actions {
        let mut resources: BTreeSet<String> = BTreeSet::new();
        for place in places(at) {
            resources.extend(arns(site, on, &place));
        }
        if resources.is_empty() {
            continue;
        }
        let actions = actions.into_iter().map(str::to_owned).collect();
        let statement =
            Statement::allow(format!("{on:?}"), actions, resources.into_iter().collect()).when(condition(site, on));
        add(&mut statements, statement, at);
    }
    statements
}

/// Statements about the same things become one; names are unique in a policy.
fn add(statements: &mut Vec<Statement>, mut one: Statement, at: At) {
    let same = |other: &&mut Statement| other.resource == one.resource && other.condition == one.condition;
    if let Some(other) = statements.iter_mut().find(same) {
        let action = [std::mem::take(&mut other.action), one.action].concat();
        *other = Statement::allow(other.sid.clone(), action, one.resource).when(one.condition);
        return;
    }
    if statements.iter().any(|other| other.sid == one.sid) {
        one.sid = format!("{}{at:?}", one.sid);
    }
    statements.push(one);
}

/// What a project has in Image Builder, as it stands in ARNs before the name. All names begin with the project's.
const PROJECT_KINDS: [&str; 8] = [
    "component",
    "distribution-configuration",
    "image-pipeline",
    "image-recipe",
    "infrastructure-configuration",
    "workflow/build",
    "workflow/distribution",
    "workflow/test",
];

/// The resources of a kind in one place.
fn arns(site: &Site, on: On, place: &Location) -> Vec<String> {
    let Location { account, region } = place;
    let (p, project) = (site.partition(), &site.project);
    let builder = |owner: &str, path: &str| format!("arn:{p}:imagebuilder:{region}:{owner}:{path}");
    let ec2 = |path: &str| format!("arn:{p}:ec2:{region}:{account}:{path}");
    let parameter = |name: &str| format!("arn:{p}:ssm:{region}:{account}:parameter{name}");
    let iam = |path: &str| format!("arn:{p}:iam::{account}:{path}");
    match on {
        On::Anything | On::Named | On::NewBaseline | On::Scans => vec!["*".to_owned()],
        On::Project => PROJECT_KINDS.map(|kind| builder(account, &format!("{kind}/{project}-*"))).to_vec(),
        On::Account => {
            ["image-recipe", "infrastructure-configuration", "distribution-configuration", "image-pipeline", "workflow"]
                .map(|kind| builder("*", &format!("{kind}/*")))
                .to_vec()
        }
        On::AnyParameter => vec![parameter("/*"), format!("arn:{p}:ssm:{region}::parameter/aws/*")],
        On::AnyComponent => vec![builder("*", "component/*")],
        On::Images => vec![builder(account, &format!("image/{project}-*"))],
        On::ParentImages => vec![builder("*", "image/*")],
        On::ParentParameters => site.parents.iter().map(|name| parent_parameter(p, place, name)).collect(),
        On::Books => vec![parameter(&format!("/amiforge/{project}/*"))],
        On::Pointers => site.pointers.iter().map(|name| parameter(name)).collect(),
        On::Templates | On::NewTemplate => vec![ec2("launch-template/*")],
        On::Launch => launched(site, place),
        On::NewInstance => vec![ec2("instance/*"), ec2("volume/*")],
        On::TemplateLaunch => {
            let mut all = launched(&Site { network: None, ..site.clone() }, place);
            all.extend(["instance/*", "volume/*", "launch-template/*", "key-pair/*"].map(ec2));
            all
        }
        On::Instances | On::Commanded => vec![ec2("instance/*")],
        On::Documents => ["AWS-RunPatchBaseline", "AWS-RunShellScript"]
            .map(|name| format!("arn:{p}:ssm:{region}:*:document/{name}"))
            .to_vec(),
        On::Amis => vec![format!("arn:{p}:ec2:{region}::image/*")],
        On::Releases => vec![format!("arn:{p}:ec2:*::image/*")],
        On::Copies => ["image", "snapshot"].map(|kind| format!("arn:{p}:ec2:*::{kind}/*")).to_vec(),
        On::Groups => {
            vec![format!("arn:{p}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*")]
        }
        On::NewTags => {
            let mut all = ["instance/*", "volume/*", "launch-template/*"].map(ec2).to_vec();
            all.push(format!("arn:{p}:ec2:{region}::image/*"));
            all
        }
        On::LongDocuments => {
            let objects = |bucket: &String| format!("arn:{p}:s3:::{bucket}/amiforge/{project}/*");
            site.document_bucket.iter().map(objects).collect()
        }
        On::WorkflowRole => site.execution_role.iter().map(|role| place.role_arn(role)).collect(),
        On::LogBucket => site.log_bucket.iter().map(|bucket| format!("arn:{p}:s3:::{bucket}")).collect(),
        On::LogObjects => site.log_objects().into_iter().collect(),
        On::LogGroups => {
            vec![format!("arn:{p}:logs:{region}:{account}:log-group:/aws/imagebuilder/{project}-*:*")]
        }
        On::InstanceRole => vec![iam(&format!("role/{}", site.instance_role))],
        On::InstanceProfile => vec![iam(&format!("instance-profile/{}", site.profile))],
        On::Roles => vec![iam("role/*"), iam("user/*")],
        On::ServiceRole => vec![iam(&format!("role/aws-service-role/imagebuilder.amazonaws.com/{SERVICE_ROLE}"))],
        On::Assumed => site.assumed(),
        On::EvidenceBucket => site.evidence.iter().map(|at| format!("arn:{p}:s3:::{}", at.bucket)).collect(),
        On::EvidenceObjects => {
            site.evidence.iter().map(|at| format!("arn:{p}:s3:::{}/{}/{project}/*", at.bucket, at.prefix)).collect()
        }
        On::EvidenceKey => site.evidence.iter().filter_map(|at| evidence_key(p, place, at)).collect(),
        On::SigningKey => site.signing_key.iter().map(|name| kms_key(p, place, name)).collect(),
        On::TrustedKeys => site.trusted_keys.iter().map(|name| kms_key(p, place, name)).collect(),
        On::ImageKeys | On::GrantedKeys => {
            let owners: BTreeSet<&String> = [account, &site.home.account].into_iter().chain(&site.key_owners).collect();
            owners.into_iter().map(|owner| format!("arn:{p}:kms:*:{owner}:key/*")).collect()
        }
        On::Baselines => vec![format!("arn:{p}:ssm:{region}:*:patchbaseline/*")],
    }
}

/// The key that evidence is encrypted with, in the Region of its bucket.
fn evidence_key(partition: &str, home: &Location, at: &EvidenceBucket) -> Option<String> {
    let region = at.region.clone().unwrap_or_else(|| home.region.clone());
    Some(kms_key(partition, &Location { region, ..home.clone() }, at.kms_key.as_ref()?))
}

/// A key in KMS. What is done with a key is allowed on the key, never on its alias (general knowledge of AWS).
fn kms_key(partition: &str, Location { account, region }: &Location, name: &str) -> String {
    let alias = name.contains("alias/");
    match name.split_once(":alias/") {
        _ if name.starts_with("arn:") && !alias => name.to_owned(),
        Some((place, _)) => format!("{place}:key/*"),
        None if alias => format!("arn:{partition}:kms:{region}:{account}:key/*"),
        None => format!("arn:{partition}:kms:{region}:{account}:key/{name}"),
    }
}

/// A parameter of AWS belongs to no account.
fn parent_parameter(partition: &str, Location { account, region }: &Location, name: &str) -> String {
    let owner = if name.starts_with("/aws/") { "" } else { account };
    format!("arn:{partition}:ssm:{region}:{owner}:parameter{name}")
}

/// What a launch refers to, apart from what it makes.
fn launched(site: &Site, Location { account, region }: &Location) -> Vec<String> {
    let p = site.partition();
    let ec2 = |path: &str| format!("arn:{p}:ec2:{region}:{account}:{path}");
    let mut all = vec![format!("arn:{p}:ec2:{region}::image/*"), ec2("network-interface/*")];
    match &site.network {
        Some((subnet, groups)) => {
            all.push(ec2(&format!("subnet/{subnet}")));
            all.extend(groups.iter().map(|group| ec2(&format!("security-group/{group}"))));
        }
        None => all.extend(["subnet/*", "security-group/*"].map(ec2)),
    }
    all
}

/// Under which condition a kind of resource may be acted on.
fn condition(site: &Site, on: On) -> Option<Value> {
    let tag = |key: &str| Some(json!({ "StringEquals": { format!("{key}/{PROJECT_TAG}"): site.project } }));
    match on {
        On::Templates | On::Instances | On::Amis | On::Releases => tag("aws:ResourceTag"),
        On::NewTemplate | On::NewInstance | On::NewBaseline => tag("aws:RequestTag"),
        On::Commanded => tag("ssm:resourceTag"),
        On::Scans => Some(json!({ "StringEquals": { "aws:RequestedRegion": site.home.region } })),
        On::NewTags => Some(
            json!({ "StringEquals": { "ec2:CreateAction": ["CopyImage", "CreateLaunchTemplate", "RunInstances"] } }),
        ),
        On::TemplateLaunch => {
            let templates = format!("arn:{}:ec2:*:*:launch-template/*", site.partition());
            Some(json!({ "ArnLike": { "ec2:LaunchTemplate": templates } }))
        }
        // What a grant may allow; nothing is said of calls that make none.
        On::GrantedKeys => Some(json!({ "ForAllValues:StringEquals": { "kms:GrantOperations": GRANTED } })),
        On::SigningKey => called(site.signing_key.as_deref()?),
        On::EvidenceKey => called(site.evidence.as_ref()?.kms_key.as_deref()?),
        On::InstanceRole => Some(json!({ "StringEquals": { "iam:PassedToService": ec2_principal(site) } })),
        On::WorkflowRole => Some(json!({ "StringEquals": { "iam:PassedToService": "imagebuilder.amazonaws.com" } })),
        On::ServiceRole => Some(json!({ "StringEquals": { "iam:AWSServiceName": "imagebuilder.amazonaws.com" } })),
        _ => None,
    }
}

/// What grants to those who launch and copy images allow: as in `promote/encryption`, and what EC2 asks for on the way (general
/// knowledge of AWS).
const GRANTED: [&str; 8] = [
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

/// The condition that a key has an alias, when it is named by one.
fn called(key: &str) -> Option<Value> {
    let (_, alias) = key.split_once("alias/")?;
    Some(json!({ "ForAnyValue:StringEquals": { "kms:ResourceAliases": format!("alias/{alias}") } }))
}

/// EC2 as a principal; in China it has a name of its own (general knowledge of AWS).
pub(super) fn ec2_principal(site: &Site) -> &'static str {
    if site.partition() == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" }
}
