//! Who we are, where we may go, and whether our clock is right.

use super::{Aws, Context, Finding, Findings};
use crate::aws::{AwsError, CallError, Cloud};
use crate::project::{EnvironmentConfig, Location};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A signature is good for five minutes around its time (general knowledge of AWS; the SDK corrects its own clock after
/// the first refusal, other programs do not).
const REFUSED: i64 = 5 * 60;
/// From here on somebody should look.
const NOTICEABLE: i64 = 60;

/// `credentials`: they are there, they work, and they are of the home account.
pub(super) async fn credentials(context: &Context) -> Vec<Finding> {
    let cloud = match &context.cloud {
        Ok(cloud) => cloud,
        Err(error) => return vec![missing(error)],
    };
    let home = cloud.home().clone();
    match identity(cloud, &home).await {
        Ok((account, arn)) if account == home.account => {
            let finding = Finding::ok(format!("{arn} in account {account}"));
            let root = arn.ends_with(":root");
            vec![if root {
                Finding::warning(format!("{arn} is the root user of the account"))
                    .why("it may do anything, and nothing can be taken from it")
                    .next("make a role for amiforge: amiforge iam-policy")
            } else {
                finding
            }]
        }
        Ok((account, arn)) => vec![
            Finding::problem(format!("{arn} belongs to account {account}; home is {}", home.account))
                .why("everything would be made in the wrong account")
                .next("set AWS_PROFILE to the right account, or name a `role` under `home` in amiforge.yaml")
                .denied(),
        ],
        Err(error) => {
            let mut finding = Finding::problem(format!("the credentials do not work: {error}")).of_call(&error);
            if !error.fault.denied {
                finding.status = super::Status::Unknown;
            }
            if let EnvironmentConfig::Aws(config) = cloud.config()
                && let Some(role) = &config.role
            {
                finding = finding.why(format!("the role `{role}` has to be assumed with what you have logged in as"));
            }
            vec![finding]
        }
    }
}

fn missing(error: &AwsError) -> Finding {
    // The SDK goes on with every provider that it has tried, in its own notation; `plan` and the like show that.
    let text = error.to_string();
    let finding = Finding::problem(text.lines().next().unwrap_or_default().trim_end_matches(" Attempted:"));
    let finding = if error.exit_code() == 12 { finding.denied() } else { finding };
    error.next().into_iter().fold(finding, Finding::next)
}

/// Account and ARN of who calls in a place.
pub(super) async fn identity(cloud: &Cloud, place: &Location) -> Result<(String, String), CallError> {
    let answer = cloud.sts(place).get_caller_identity().send().await;
    let answer = answer.map_err(CallError::of("GetCallerIdentity", place))?;
    Ok((answer.account.unwrap_or_default(), answer.arn.unwrap_or_default()))
}

/// `targets`: each can be reached, and is the account that it is taken for.
pub(super) async fn targets(aws: &Aws<'_>) -> Findings {
    let mut findings = Vec::new();
    for target in aws.cloud.targets() {
        let Location { account, region } = &target.location;
        let role = target.role.as_deref().unwrap_or("the home credentials");
        match identity(aws.cloud, &target.location).await {
            Ok((found, arn)) if found == *account => findings.push(Finding::ok(format!("{account}/{region}: {arn}"))),
            Ok((found, arn)) => findings.push(
                Finding::problem(format!("{account}/{region}: {arn} belongs to account {found}"))
                    .why("a promotion would move pointers of another account")
                    .next("name a role of that account as `role` of the target in amiforge.yaml")
                    .denied(),
            ),
            Err(error) if error.fault.denied => findings.push(
                Finding::problem(format!("{account}/{region} cannot be reached through {role}: {}", error.fault))
                    .why("the role does not exist, does not trust the caller, or the caller may not assume it")
                    .next(format!(
                        "amiforge -e {} iam-policy --for target --account {account} --trust",
                        aws.site.environment
                    ))
                    .next(format!("amiforge -e {} iam-policy promote", aws.site.environment))
                    .denied(),
            ),
            Err(error) => findings.push(aws.unknown(&error)),
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("no targets: nothing is promoted in this environment"));
    }
    Ok(findings)
}

/// Keeps the time that the service sends along with its answer.
#[derive(Debug, Clone, Default)]
struct Dated(Arc<Mutex<Option<String>>>);

impl Intercept for Dated {
    fn name(&self) -> &'static str {
        "the Date of the answer"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// `clock`: near enough to the service's.
pub(super) async fn clock(aws: &Aws<'_>) -> Findings {
    let dated = Dated::default();
    let place = aws.cloud.home();
    let call = aws.cloud.sts(place).get_caller_identity().customize().interceptor(dated.clone());
    let answer = call.send().await.map_err(CallError::of("GetCallerIdentity", place));
    let date = dated.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    // A refusal has a date as well.
    let Some(date) = date.as_deref().and_then(|text| DateTime::from_str(text, Format::HttpDate).ok()) else {
        answer?;
        return Ok(vec![Finding::unknown("the service did not say what time it is")]);
    };
    let skew = aws.cloud.clock().now().unix_timestamp() - date.secs();
    let side = if skew < 0 { "behind" } else { "ahead of" };
    let what = format!("{} s {side} the service's clock", skew.abs());
    let mend = |finding: Finding| {
        finding
            .why("signatures carry the time and are refused when it is too far off")
            .next("sudo timedatectl set-ntp true")
    };
    Ok(vec![match skew.abs() {
        REFUSED.. => mend(Finding::problem(what)),
        NOTICEABLE.. => mend(Finding::warning(what)),
        _ => Finding::ok(what),
    }])
}

/// `regions`: the home Region and those of targets in the home account are enabled.
pub(super) async fn regions(aws: &Aws<'_>) -> Findings {
    let home = aws.cloud.home();
    let answer = aws.cloud.ec2(home).describe_regions().all_regions(true).send().await;
    let known = answer.map_err(CallError::of("DescribeRegions", home))?.regions.unwrap_or_default();
    let mut wanted = BTreeSet::from([home.region.as_str()]);
    wanted.extend(aws.cloud.targets().iter().map(|target| target.location.region.as_str()));
    let look = |name: &str| {
        let Some(region) = known.iter().find(|region| region.region_name.as_deref() == Some(name)) else {
            return Finding::problem(format!("{name} is no Region of this partition"))
                .next("correct it in amiforge.yaml");
        };
        match region.opt_in_status.as_deref() {
            Some("opt-in-not-required" | "opted-in") => Finding::ok(format!("{name} is enabled")),
            Some("not-opted-in") => Finding::problem(format!("{name} is not enabled in account {}", home.account))
                .why("a Region that has to be opted in to refuses every call until then")
                .next(format!("aws account enable-region --region-name {name}")),
            other => Finding::unknown(format!("{name}: opt-in status {}", other.unwrap_or("not told"))),
        }
    };
    Ok(wanted.into_iter().map(look).collect())
}
