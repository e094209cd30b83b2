//! What makes evidence last: the bucket that it is kept in, and the keys in KMS that sign it or are trusted.

use super::{Context, Finding};
use crate::access::{Site, Verb, caller, only};
use crate::aws::{CallError, Cloud};
use crate::evidence::EvidenceError;
use crate::evidence::sign::kms::KmsKey;
use crate::project::{EnvironmentConfig, EvidenceBucket, Location};
use std::collections::BTreeSet;

/// `evidence`: the bucket can be seen from its Region, and every key has a public half of a kind that can be used.
pub(super) async fn looked(context: &Context) -> Vec<Finding> {
    let signing = &context.project.signing;
    let config = context.project.environments.get(&context.environment);
    let bucket = config.and_then(EnvironmentConfig::evidence);
    let keys: BTreeSet<&String> = signing.kms.iter().chain(&signing.trusted_kms).collect();
    let Ok(cloud) = &context.cloud else {
        return vec![Finding::unknown("not looked at: the environment cannot be opened").next("mend that first")];
    };
    if bucket.is_none() && keys.is_empty() {
        return vec![Finding::ok("evidence is kept beside the project only, and no key is in KMS")];
    }
    let mut findings = Vec::new();
    if let Some(at) = bucket {
        findings.push(is_there(context, cloud, at).await);
    }
    for name in keys {
        findings.push(match KmsKey::of(cloud, name).public().await {
            Ok(key) => Finding::ok(format!("KMS key {name}: {}", key.from)),
            Err(EvidenceError::Kms { source, .. }) if source.fault.denied => refused(context, name, &source),
            Err(error) => {
                let finding =
                    Finding::problem(error.to_string()).why("evidence is not signed with it, or does not count");
                error.next().into_iter().fold(finding, Finding::next)
            }
        });
    }
    findings
}

async fn is_there(context: &Context, cloud: &Cloud, at: &EvidenceBucket) -> Finding {
    let home = cloud.home();
    let region = at.region.clone().unwrap_or_else(|| home.region.clone());
    let (bucket, place) = (&at.bucket, Location { account: home.account.clone(), region: region.clone() });
    let answer = cloud.s3_in(&region).head_bucket().bucket(bucket).send().await;
    let elsewhere = || {
        Finding::problem(format!("bucket {bucket} does not lie in {region}"))
            .why("S3 answers only where a bucket is")
            .next("name its Region as `region` under `evidence` in amiforge.yaml")
    };
    // The answer to HEAD has no body, so a refusal is known by its status alone.
    match answer.map_err(CallError::of("HeadBucket", &place)) {
        Ok(answer) if answer.bucket_region().is_some_and(|there| there != region) => elsewhere(),
        Ok(_) => Finding::ok(format!("bucket {bucket} in {region}")),
        Err(error) => match error.fault.status {
            Some(404) => Finding::problem(format!("there is no bucket {bucket}"))
                .why("`validate` ends with an error when it cannot keep evidence there")
                .next(format!("aws s3 mb s3://{bucket} --region {region}")),
            Some(301 | 400) => elsewhere(),
            Some(403) => refused(context, bucket, &error),
            _ => Finding::unknown(format!("bucket {bucket} could not be looked at: {error}")).of_call(&error),
        },
    }
}

/// What may not be looked at, with the allowance that is missing.
fn refused(context: &Context, name: &str, error: &CallError) -> Finding {
    let mut error = error.clone();
    error.fault.denied = true;
    let finding = Finding::unknown(format!("{name} may not be looked at, or belongs to somebody else: {error}"));
    let finding = finding.of_call(&error);
    let Some(EnvironmentConfig::Aws(config)) = context.project.environments.get(&context.environment) else {
        return finding;
    };
    let policy = caller(&Site::of(&context.project, &context.environment, config, None), &[Verb::Doctor]);
    let action = if error.operation == "HeadBucket" { "s3:ListBucket" } else { "kms:GetPublicKey" };
    let all = policy.statement.iter().flat_map(|one| one.action.iter().map(|name| (one.sid.clone(), name.clone())));
    let wanted = all.filter(|(sid, name)| name == action && !sid.starts_with("Log")).collect();
    finding.allow(only(&policy, &wanted))
}
