//! The role of build instances, and the one that Image Builder works with.

use super::permission::refused;
use super::{Aws, Finding, Findings};
use crate::access::{self, INSTANCE_POLICIES, Policy, SERVICE_ROLE};
use crate::aws::CallError;

/// By which IAM says that something is not there.
const ABSENT: &[&str] = &["NoSuchEntity", "NoSuchEntityException"];

/// `instance-profile`: it is there, has a role, and the role has what builds need.
pub(super) async fn profile(aws: &Aws<'_>) -> Findings {
    let (home, name) = (aws.cloud.home(), &aws.site.profile);
    let answer = aws.cloud.iam().get_instance_profile().instance_profile_name(name).send().await;
    let answer = answer.map_err(CallError::of("GetInstanceProfile", home));
    if answer.as_ref().is_err_and(|error| error.fault.is(ABSENT)) {
        let finding = Finding::problem(format!("there is no instance profile `{name}` in account {}", home.account));
        return Ok(vec![
            finding
                .why("Image Builder refuses an infrastructure configuration whose profile does not exist")
                .next(format!("aws iam create-instance-profile --instance-profile-name {name}"))
                .next(format!("amiforge -e {} iam-policy --for instance --format text", aws.site.environment)),
        ]);
    }
    let roles = answer?.instance_profile.map(|profile| profile.roles).unwrap_or_default();
    let Some(role) = roles.into_iter().next() else {
        return Ok(vec![
            Finding::problem(format!("instance profile `{name}` has no role in it"))
                .why(
                    "instances without a role cannot register with Systems Manager: the build hangs until it times out",
                )
                .next(format!("aws iam add-role-to-instance-profile --instance-profile-name {name} --role-name ROLE")),
        ]);
    };
    let mut findings = policies(aws, &role.role_name).await?;
    findings.extend(logs(aws, &role.arn).await?);
    Ok(findings)
}

async fn policies(aws: &Aws<'_>, role: &str) -> Findings {
    let mut pages = aws.cloud.iam().list_attached_role_policies().role_name(role).into_paginator().send();
    let mut attached = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListAttachedRolePolicies", aws.cloud.home()))?;
        attached.extend(page.attached_policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name));
    }
    let partition = aws.site.partition();
    let look = |name: &str| {
        if attached.iter().any(|other| other == name) {
            return Finding::ok(format!("role `{role}` has {name}"));
        }
        // Its own policies may say the same, so this is not certain to fail.
        Finding::warning(format!("role `{role}` does not have {name}"))
            .why("build instances need what it allows, from this policy or from one of your own")
            .next(format!(
                "aws iam attach-role-policy --role-name {role} --policy-arn arn:{partition}:iam::aws:policy/{name}"
            ))
    };
    Ok(INSTANCE_POLICIES.into_iter().map(look).collect())
}

/// Whether the role may write its logs, when there is a bucket for them.
async fn logs(aws: &Aws<'_>, role: &str) -> Findings {
    let policy = access::instance(&aws.site).policy;
    let mut findings = Vec::new();
    for statement in &policy.statement {
        let missing = refused(aws, role, statement).await?;
        findings.push(if missing.is_empty() {
            Finding::ok(format!("{role} may {}", statement.action.join(", ")))
        } else {
            Finding::problem(format!("{role} may not {} on {}", missing.join(", "), statement.resource.join(", ")))
                .why("the build goes on without its logs, and fails where it fetches a list")
                .next("add the policy below to that role")
                .allow(Policy::new(vec![statement.of(missing)]))
        });
    }
    Ok(findings)
}

/// `service-role`: it is made by the first build, when the caller may do that.
pub(super) async fn service(aws: &Aws<'_>) -> Findings {
    let answer = aws.cloud.iam().get_role().role_name(SERVICE_ROLE).send().await;
    match answer.map_err(CallError::of("GetRole", aws.cloud.home())) {
        Ok(_) => Ok(vec![Finding::ok(format!("{SERVICE_ROLE} is there"))]),
        Err(error) if error.fault.is(ABSENT) => Ok(vec![
            Finding::warning(format!("{SERVICE_ROLE} is not there yet"))
                .why("the first build makes it, if the caller has iam:CreateServiceLinkedRole")
                .next("aws iam create-service-linked-role --aws-service-name imagebuilder.amazonaws.com"),
        ]),
        Err(error) => Err(error),
    }
}
