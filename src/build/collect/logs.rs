//! The files of the component runner: in the folder of the local environment, in the log bucket on AWS.

use crate::aws::{CallError, Cloud};
use crate::build::why::Record;
use crate::build::why::record::{Place, Workflow};
use aws_sdk_imagebuilder::types as ib;
use std::io::{self, Read as _};
use std::path::Path;

/// What is looked for.
const FILES: [&str; 4] = ["console.log", "detailedoutput.json", "chaining.json", "document.yaml"];
/// Bytes of one file that are read.
const LONGEST: u64 = 32 << 20;
/// Objects below the prefix of a step that are looked at; a step leaves fewer than ten.
const MOST_OBJECTS: i32 = 200;

/// What the runner has left on this machine.
pub(super) fn local(cloud: &Cloud, record: &mut Record) {
    let Some(local) = cloud.local() else { return };
    let folder = local.build_logs(&record.image.arn);
    for (half, folder) in [("build", folder.clone()), ("test", folder.join("test"))] {
        for name in FILES {
            match whole(&folder.join(name)) {
                Ok(text) => drop(record.logs.insert(format!("{half}/{name}"), text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => record.gaps.push(format!("{}: {error}", folder.join(name).display())),
            }
        }
    }
}

/// A cut log is a log, a cut tree is nothing.
fn whole(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {LONGEST} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the instance has written to the log bucket, when there is one (image-builder.md 17.4).
pub(super) async fn bucket(cloud: &Cloud, record: &mut Record, image: &ib::Image) {
    let configuration = image.infrastructure_configuration.as_ref();
    let Some(logs) = configuration.and_then(|one| one.logging.as_ref()).and_then(|one| one.s3_logs.as_ref()) else {
        return;
    };
    let Some(bucket) = &logs.s3_bucket_name else { return };
    let Some(folder) = folder(&record.image.arn, logs.s3_key_prefix.as_deref()) else { return };
    let runs: Vec<(String, &str)> = record.workflows.iter().filter_map(|run| prefix(&folder, run)).collect();
    for (prefix, half) in runs {
        if let Err(error) = fetch(cloud, &mut record.logs, bucket, &prefix, half).await {
            record.gaps.push(format!("s3://{bucket}/{prefix}: {error}"));
        }
    }
    record.places.push(Place {
        what: "all files of the build in its log bucket".to_owned(),
        command: format!("aws s3 cp --recursive s3://{bucket}/{folder}/ ./logs/"),
    });
}

/// `<prefix>/<ImageName>/<ImageVersion>/<BuildVersion>`
pub(in crate::build) fn folder(arn: &str, prefix: Option<&str>) -> Option<String> {
    let path = arn.split_once(":image/")?.1;
    let prefix = prefix.unwrap_or_default().trim_matches('/');
    Some(if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") })
}

/// `<folder>/<WorkflowExecutionId>/<StepName>/` of the step that ran the components, and which half of the build that is.
fn prefix(folder: &str, run: &Workflow) -> Option<(String, &'static str)> {
    let step = run.failed_step().or_else(|| run.steps.iter().find(|step| step.action == "ExecuteComponents"))?;
    let half = if run.r#type == "TEST" { "test" } else { "build" };
    Some((format!("{folder}/{}/{}/", run.workflow_execution_id, step.name), half))
}

pub(in crate::build) async fn fetch(
    cloud: &Cloud,
    logs: &mut std::collections::BTreeMap<String, String>,
    bucket: &str,
    prefix: &str,
    half: &str,
) -> Result<(), String> {
    let s3 = cloud.s3();
    let call = s3.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(MOST_OBJECTS);
    let listed = call.send().await.map_err(CallError::of("ListObjectsV2", cloud.home()));
    for object in listed.map_err(|error| error.to_string())?.contents.unwrap_or_default() {
        let Some(key) = object.key else { continue };
        let Some(name) = FILES.into_iter().find(|name| key.rsplit('/').next() == Some(name)) else { continue };
        if object.size.is_none_or(|size| u64::try_from(size).is_ok_and(|size| size > LONGEST)) {
            return Err(format!("{name} is longer than {LONGEST} bytes"));
        }
        let answer = s3.get_object().bucket(bucket).key(&key).send().await;
        let answer = answer.map_err(CallError::of("GetObject", cloud.home())).map_err(|error| error.to_string())?;
        let bytes = answer.body.collect().await.map_err(|error| error.to_string())?.into_bytes();
        logs.insert(format!("{half}/{name}"), String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(())
}

/// Where the console is in `CloudWatch` Logs, which this program has no client for (image-builder.md 17.3).
pub(super) fn group(cloud: &Cloud, record: &mut Record, image: &ib::Image) {
    let Some((name, stream)) = record.image.arn.split_once(":image/").and_then(|(_, path)| path.split_once('/')) else {
        return;
    };
    let named = image.logging_configuration.as_ref().and_then(|logging| logging.log_group_name.clone());
    let group = named.unwrap_or_else(|| format!("/aws/imagebuilder/{name}"));
    let region = &cloud.home().region;
    record.places.push(Place {
        what: "the console of the build in CloudWatch Logs".to_owned(),
        command: format!(
            "aws logs get-log-events --region {region} --log-group-name {group} --log-stream-name {stream} \
             --query 'events[].message' --output text"
        ),
    });
}
