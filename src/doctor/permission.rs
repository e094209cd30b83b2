//! What the caller may do: simulated by IAM, and tried where there is a dry run.

use super::identity::identity;
use super::{Aws, Finding, Findings};
use crate::access::{self, At, Policy, Statement};
use crate::aws::{CallError, tags};
use crate::project::Location;
use aws_sdk_ec2::types::{RequestLaunchTemplateData, ResourceType, Tag, TagSpecification};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use aws_sdk_imagebuilder::types::Platform;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the trial component would be: nothing that could do harm if it ever became one.
const DOCUMENT: &str = "name: doctor\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Nothing\n        action: ExecuteBash\n        inputs:\n          commands: ['true']\n";

/// `permissions`: every statement that the verbs need, as IAM evaluates it for the caller.
pub(super) async fn simulated(aws: &Aws<'_>) -> Findings {
    let (_, arn) = identity(aws.cloud, aws.cloud.home()).await?;
    if arn.ends_with(":root") {
        return Ok(vec![Finding::ok("the root user may do everything; IAM simulates nothing for it")]);
    }
    let principal = principal(aws, &arn).await?;
    let policy = access::caller(&aws.site, &aws.context.verbs);
    let mut missing = BTreeSet::new();
    let mut count = 0;
    // A role that is assumed at home assumes no other: the roles of targets are for who starts, and `targets` tries them.
    let assumes = |statement: &&Statement| statement.sid == "Assumed" && aws.config.role.is_some();
    for statement in policy.statement.iter().filter(|statement| !assumes(statement)) {
        count += statement.action.len();
        for action in refused(aws, &principal, statement).await? {
            missing.insert((statement.sid.clone(), action));
        }
    }
    if missing.is_empty() {
        return Ok(vec![Finding::ok(format!("{principal} may do all of {count} actions"))]);
    }
    let actions: BTreeSet<&str> = missing.iter().map(|(_, action)| action.as_str()).collect();
    let what = format!("{principal} may not {}", actions.into_iter().collect::<Vec<_>>().join(", "));
    Ok(vec![lacking(Finding::problem(what), access::only(&policy, &missing))])
}

fn lacking(finding: Finding, policy: Policy) -> Finding {
    finding.next("add the policy below to the role or user of the caller").allow(policy)
}

/// Whom the simulation is about: a session stands for its role, of which only IAM knows the path.
async fn principal(aws: &Aws<'_>, arn: &str) -> Result<String, CallError> {
    let Some((_, session)) = arn.split_once(":assumed-role/") else { return Ok(arn.to_owned()) };
    let name = session.split('/').next().unwrap_or(session);
    let answer = aws.cloud.iam().get_role().role_name(name).send().await;
    let role = answer.map_err(CallError::of("GetRole", aws.cloud.home()))?.role;
    Ok(role.map_or_else(|| arn.to_owned(), |role| role.arn))
}

/// The actions of a statement that are not allowed on all its resources.
pub(super) async fn refused(aws: &Aws<'_>, principal: &str, statement: &Statement) -> Result<Vec<String>, CallError> {
    let call = aws
        .cloud
        .iam()
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(statement.action.clone()))
        .set_resource_arns(Some(statement.resource.clone()))
        .set_context_entries(Some(entries(statement.condition.as_ref())));
    let mut pages = call.into_paginator().send();
    let mut allowed: BTreeMap<String, bool> = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("SimulatePrincipalPolicy", aws.cloud.home()))?;
        for result in page.evaluation_results.unwrap_or_default() {
            let all = holds(&result);
            allowed.entry(result.eval_action_name).and_modify(|before| *before &= all).or_insert(all);
        }
    }
    // What IAM has not answered is not allowed.
    let open = |action: &&String| !allowed.get(*action).copied().unwrap_or(false);
    Ok(statement.action.iter().filter(open).cloned().collect())
}

fn holds(result: &EvaluationResult) -> bool {
    let allowed = |decision: &PolicyEvaluationDecisionType| *decision == PolicyEvaluationDecisionType::Allowed;
    allowed(&result.eval_decision)
        && result.resource_specific_results().iter().all(|one| allowed(&one.eval_resource_decision))
}

/// What the call would carry, as the condition of the statement wants it.
fn entries(condition: Option<&Value>) -> Vec<ContextEntry> {
    let operators = condition.and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let keys = operators.filter_map(Value::as_object).flatten();
    keys.map(|(key, value)| {
        let first = value.as_array().and_then(|all| all.first()).unwrap_or(value);
        ContextEntry::builder()
            .context_key_name(key)
            .context_key_values(first.as_str().unwrap_or_default())
            .context_key_type(ContextKeyTypeEnum::String)
            .build()
    })
    .collect()
}

/// `dry-runs`: a component and a launch template, each as far as the service goes without making it.
pub(super) async fn tried(aws: &Aws<'_>) -> Findings {
    let mut findings = vec![component(aws).await];
    for target in aws.cloud.targets() {
        findings.push(template(aws, &target.location).await);
    }
    Ok(findings)
}

async fn component(aws: &Aws<'_>) -> Finding {
    let home = aws.cloud.home();
    let call = aws
        .cloud
        .imagebuilder()
        .create_component()
        .name(format!("{}-doctor", aws.site.project))
        .semantic_version("1.0.0")
        .platform(Platform::Linux)
        .data(DOCUMENT)
        .tags(tags::PROJECT, &aws.site.project)
        .dry_run(true)
        .client_token(crate::plan::token(&["doctor", &aws.site.project]));
    let answer = call.send().await.map_err(CallError::of("CreateComponent", home));
    judge(aws, "CreateComponent", "DryRunOperationException", "imagebuilder:CreateComponent", home, answer.err())
}

async fn template(aws: &Aws<'_>, place: &Location) -> Finding {
    let data = RequestLaunchTemplateData::builder().image_id("ami-00000000000000000").build();
    let tag = Tag::builder().key(tags::PROJECT).value(&aws.site.project).build();
    let tagged = TagSpecification::builder().resource_type(ResourceType::LaunchTemplate).tags(tag).build();
    let call = aws
        .cloud
        .ec2(place)
        .create_launch_template()
        .launch_template_name(format!("{}-doctor", aws.site.project))
        .launch_template_data(data)
        .tag_specifications(tagged)
        .dry_run(true);
    let answer = call.send().await.map_err(CallError::of("CreateLaunchTemplate", place));
    judge(aws, "CreateLaunchTemplate", "DryRunOperation", "ec2:CreateLaunchTemplate", place, answer.err())
}

/// Success of a dry run is an error, too.
fn judge(
    aws: &Aws<'_>,
    operation: &str,
    success: &str,
    action: &str,
    place: &Location,
    error: Option<CallError>,
) -> Finding {
    let name = format!("{operation} in {}/{}", place.account, place.region);
    match error {
        Some(error) if error.fault.is(&[success]) => Finding::ok(format!("{name} would be done")),
        Some(error) if error.fault.denied => {
            let at = if place == aws.cloud.home() { At::Home } else { At::Targets };
            lacking(Finding::problem(format!("{name} is refused: {}", error.fault)), needed(aws, action, at, place))
        }
        Some(error) => aws.unknown(&error),
        // It was made although it was asked not to: say so, there is something to remove.
        None => Finding::problem(format!("{name} did not take the dry run for one"))
            .why("the service has made what was only to be tried")
            .next(format!("remove `{}-doctor`", aws.site.project)),
    }
}

/// The allowance of one action for the caller, or for the role of a target.
fn needed(aws: &Aws<'_>, action: &str, at: At, place: &Location) -> Policy {
    let near = at == At::Home || !aws.site.target_roles().values().flatten().any(|other| other == place);
    let policy = if near {
        access::caller(&aws.site, &aws.context.verbs)
    } else {
        let roles = aws.site.target_roles();
        let found = roles.iter().find(|(_, places)| places.contains(place));
        found.map_or_else(
            || Policy::new(vec![]),
            |(arn, places)| access::target(&aws.site, &aws.context.verbs, arn, places).policy,
        )
    };
    let all = policy.statement.iter().flat_map(|one| one.action.iter().map(|name| (one.sid.clone(), name.clone())));
    access::only(&policy, &all.filter(|(_, name)| name == action).collect())
}
