//! What else builds stand on: the log bucket, room below the quotas, parent images.

use super::{Aws, Finding, Findings};
use crate::aws::{AwsError, CallError};
use crate::plan::{Kind, quota};

/// What is counted; each quota can be raised, which is not seen here.
const QUOTAS: [(&str, Kind); 4] = [
    ("components", Kind::Component),
    ("image recipes", Kind::Recipe),
    ("infrastructure configurations", Kind::Infrastructure),
    ("pipelines", Kind::Pipeline),
];

/// Per cent of a quota from which on somebody should look.
const NOTICEABLE: usize = 80;

/// `log-bucket`: it is there, may be seen, and lies in the home Region.
pub(super) async fn bucket(aws: &Aws<'_>) -> Findings {
    let home = aws.cloud.home();
    let Some(bucket) = &aws.config.log_bucket else {
        return Ok(vec![
            Finding::warning("the environment names no log bucket")
                .why("of a build that fails only what CloudWatch Logs has is left")
                .next("add `log_bucket` under `infrastructure` in amiforge.yaml"),
        ]);
    };
    let answer = aws.cloud.s3().head_bucket().bucket(bucket).send().await;
    let answer = answer.map_err(CallError::of("HeadBucket", home));
    let elsewhere = |place: &str| {
        Finding::problem(format!("bucket {bucket} lies in {place}, builds run in {}", home.region))
            .why("Image Builder writes logs into buckets of its own Region")
            .next("name a bucket of that Region as `log_bucket`")
    };
    // The answer to HEAD has no body, so a refusal is known by its status alone.
    Ok(vec![match answer {
        Ok(answer) => match answer.bucket_region.as_deref() {
            Some(region) if region != home.region => elsewhere(region),
            _ => Finding::ok(format!("bucket {bucket}")),
        },
        Err(error) => match error.fault.status {
            Some(404) => Finding::problem(format!("there is no bucket {bucket}"))
                .why("the build goes on, and leaves no logs there")
                .next(format!("aws s3 mb s3://{bucket} --region {}", home.region)),
            Some(301 | 400) => elsewhere("another Region"),
            Some(403) => {
                let mut denied = error.clone();
                denied.fault.denied = true;
                let mut finding = aws.unknown(&denied);
                finding.what = format!("bucket {bucket} may not be looked at, or belongs to somebody else");
                finding
            }
            _ => return Err(error),
        },
    }])
}

/// `quotas`: how much of each is used up.
pub(super) async fn quotas(aws: &Aws<'_>) -> Findings {
    let judge = |what: &str, limit: usize, used: usize| {
        let text = format!("{used} of {limit} {what}");
        let next = "ask for more in the console of Service Quotas (EC2 Image Builder), or remove what nobody uses";
        if used >= limit {
            Finding::problem(text).why("nothing more can be created, unless the quota was raised").next(next)
        } else if used * 100 >= limit * NOTICEABLE {
            Finding::warning(text).why("what is full refuses the next version").next(next)
        } else {
            Finding::ok(text)
        }
    };
    let mut findings = Vec::new();
    for (what, kind) in QUOTAS {
        findings.push(judge(what, quota::limit(kind), quota::used(aws.cloud, kind).await?));
    }
    Ok(findings)
}

/// `parents`: each is there and can be used.
pub(super) async fn parents(aws: &Aws<'_>) -> Findings {
    let project = &aws.context.project;
    let mut findings = Vec::new();
    for recipe in project.recipes.values() {
        for arch in &recipe.architectures {
            let name = format!("{} {}", recipe.name, arch.name());
            let Ok(rendered) = crate::render::recipe(project, recipe, *arch) else {
                findings.push(Finding::problem(format!("{name} cannot be rendered")).next("amiforge lint"));
                continue;
            };
            findings.push(match Box::pin(aws.cloud.parent_id(&rendered, None)).await {
                Ok(ami) => Finding::ok(format!("{name}: {ami}")),
                Err(AwsError::Call(error)) => aws.unknown(&error),
                Err(error) => {
                    let finding = Finding::problem(format!("{name}: {error}")).why("the build fails at its first step");
                    error.next().into_iter().fold(finding, Finding::next)
                }
            });
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("the project has no recipes yet"));
    }
    Ok(findings)
}
