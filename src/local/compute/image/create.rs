//! `CreateImage`.

use super::{IMAGE, ImageRecord, ImageStatus, Wishes, build, scripted, version_arn};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::{document, peer, process::Owner};
use crate::local::imagebuilder::{MISMATCH, input, workflow_use};
use crate::local::input::Input;
use crate::local::records::{PIPELINE, PipelineRecord};
use crate::local::service::Service;
use crate::local::store::{Scope, Transaction};
use crate::local::tokens::Once;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// Minutes of the test stage when the request names none (the service's default).
const DEFAULT_TEST_MINUTES: i64 = 720;

/// `CreateImage`: records the image as PENDING and builds it on a thread.
pub(in crate::local::compute) fn create_image(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    input.required("clientToken")?;
    let once = Once { operation: "CreateImage", token: "clientToken", input: &input, mismatch: MISMATCH };
    if let Some(answer) = local.store.read(|tx| once.answered(tx, caller))? {
        return Ok(answer);
    }
    begin(local, caller, &once, body, None)
}

/// Records the image that `body` asks for, of a pipeline that was started or of none, and starts its build.
pub(super) fn begin(
    local: &Local,
    caller: &Caller,
    once: &Once<'_>,
    body: &Value,
    pipeline: Option<&PipelineRecord>,
) -> Result<Value, ServiceError> {
    let mut draft = draft(local, caller, body)?;
    if let Some(pipeline) = pipeline {
        draft.wishes.pipeline = Some((pipeline.arn.clone(), pipeline.name.clone()));
    }
    let script = scripted::draft(local, &caller.scope, &draft, caller.now);
    let (record, answer) = local.store.write(|tx| {
        // Looked up again: another call with the same token may have been faster.
        if let Some(answer) = once.answered(tx, caller)? {
            return Ok((None, answer));
        }
        let record = number(tx, &caller.scope, local.config.builds.quota(), draft)?;
        let mut answer = json!({
            "clientToken": once.input.text("clientToken")?,
            "imageBuildVersionArn": record.arn,
        });
        match pipeline {
            None => answer["latestVersionReferences"] = latest_references(&record.arn),
            Some(pipeline) => {
                let last_run = Some((rfc3339(caller.now), record.arn.clone()));
                let started = PipelineRecord { last_run, ..pipeline.clone() };
                tx.put(&caller.scope, PIPELINE, &started.arn, &started)?;
            }
        }
        tx.put(&caller.scope, IMAGE, &record.arn, &record)?;
        if let Some(script) = script {
            scripted::begin(local, tx, &caller.scope, script, &record)?;
        }
        once.remember(tx, caller, &answer)?;
        Ok::<_, ServiceError>((Some(record), answer))
    })?;
    if let Some(record) = record.filter(|_| !local.config.builds.are_scripted()) {
        build::start(local, &caller.scope, &record)?;
    }
    Ok(answer)
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::new(400, "InvalidParameterValueException", message)
}

/// The record without its build number: everything that does not need the transaction.
fn draft(local: &Local, caller: &Caller, body: &Value) -> Result<ImageRecord, ServiceError> {
    refuse_what_is_missing(body)?;
    let input = input(body);
    let recipe_arn = input.required("imageRecipeArn")?;
    let infrastructure_arn = input.required("infrastructureConfigurationArn")?;
    let recipe = part(local, caller, "GetImageRecipe", "imageRecipe", ("imageRecipeArn", recipe_arn))?;
    let infrastructure = part(
        local,
        caller,
        "GetInfrastructureConfiguration",
        "infrastructureConfiguration",
        ("infrastructureConfigurationArn", infrastructure_arn),
    )?;
    let (tests_enabled, tests_timeout_minutes) = match input.object("imageTestsConfiguration")? {
        Some(tests) => (tests.flag("imageTestsEnabled")?, tests.between("timeoutMinutes", 60..=1440)?),
        None => (None, None),
    };
    let owner = Owner::current().map_err(|error| ServiceError::new(500, "ServiceException", error.to_string()))?;
    Ok(ImageRecord {
        arn: image_arn(&recipe, recipe_arn)?,
        name: document::text(&recipe, "name").unwrap_or_default().to_owned(),
        version: document::text(&recipe, "version").unwrap_or_default().to_owned(),
        build: 0,
        status: ImageStatus::Pending,
        reason: None,
        failure: None,
        recipe_arn: document::text(&recipe, "arn").unwrap_or(recipe_arn).to_owned(),
        infrastructure_arn: infrastructure_arn.to_owned(),
        recipe,
        infrastructure,
        tests_enabled: tests_enabled.unwrap_or(true),
        tests_timeout_minutes: tests_timeout_minutes.unwrap_or(DEFAULT_TEST_MINUTES),
        enhanced_metadata: input.flag("enhancedImageMetadataEnabled")?.unwrap_or(true),
        os_version: String::new(),
        created_at: rfc3339(caller.now),
        tags: input.map("tags")?,
        ami: None,
        owner,
        cancel_requested: false,
        wishes: wishes(local, caller, &input)?,
    })
}

/// What the local environment cannot build is refused instead of left out.
fn refuse_what_is_missing(body: &Value) -> Result<(), ServiceError> {
    for key in ["containerRecipeArn", "imageScanningConfiguration"] {
        if body.get(key).is_some_and(|value| !value.is_null()) {
            let message = format!("The local environment does not support the parameter '{key}' of CreateImage.");
            return Err(ServiceError::new(400, "InvalidRequestException", message));
        }
    }
    Ok(())
}

/// Distribution configuration, workflows and role.
fn wishes(local: &Local, caller: &Caller, input: &Input<'_>) -> Result<Wishes, ServiceError> {
    let distribution = match input.filled("distributionConfigurationArn")? {
        None => Value::Null,
        Some(arn) => part(
            local,
            caller,
            "GetDistributionConfiguration",
            "distributionConfiguration",
            ("distributionConfigurationArn", arn),
        )?,
    };
    local.store.read(|tx| workflow_use::check(tx, &caller.scope, input))?;
    Ok(Wishes {
        distribution,
        pipeline: None,
        workflows: input.get("workflows").cloned().unwrap_or_default(),
        execution_role: input.filled("executionRole")?.map(str::to_owned),
        copies: Vec::new(),
    })
}

/// One of the resources that the request names.
///
/// # Errors
/// `ResourceNotFoundException` becomes `InvalidParameterValueException`: here it is a parameter that names nothing.
fn part(
    local: &Local,
    caller: &Caller,
    operation: &str,
    key: &str,
    (parameter, arn): (&str, &str),
) -> Result<Value, ServiceError> {
    let answer =
        peer::call(local, caller, Service::ImageBuilder, operation, &json!({parameter: arn})).map_err(|error| {
            if error.status >= 500 {
                return error;
            }
            let message = format!("The value supplied for parameter '{parameter}' is not valid. {}", error.message);
            invalid(&message)
        })?;
    answer
        .get(key)
        .cloned()
        .ok_or_else(|| ServiceError::new(500, "ServiceException", format!("{operation} answered without {key}")))
}

/// `arn:…:image/name/version` from the recipe's ARN.
fn image_arn(recipe: &Value, given: &str) -> Result<String, ServiceError> {
    let arn = document::text(recipe, "arn").unwrap_or(given);
    let image = arn.replacen(":image-recipe/", ":image/", 1);
    if image == arn {
        return Err(invalid("The value supplied for parameter 'imageRecipeArn' is not valid."));
    }
    Ok(image)
}

/// Gives the image its build number, when there is room for another build.
fn number(
    tx: &Transaction<'_>,
    scope: &Scope,
    quota: usize,
    mut draft: ImageRecord,
) -> Result<ImageRecord, ServiceError> {
    let images = tx.list::<ImageRecord>(scope, IMAGE, "")?;
    let running = images.iter().filter(|(_, image)| !image.status.is_final()).count();
    if running >= quota {
        let message = format!("You have reached the quota of {quota} concurrent builds.");
        return Err(ServiceError::new(402, "ServiceQuotaExceededException", message));
    }
    let version = draft.arn.clone();
    let last = tx.get::<u32>(scope, BUILD_NUMBER, &version)?.unwrap_or(0);
    draft.build = last + 1;
    tx.put(scope, BUILD_NUMBER, &version, &draft.build)?;
    draft.arn = format!("{version}/{}", draft.build);
    Ok(draft)
}

/// Kind of the documents that keep the last build number of an image version: a number is not used again when its
/// image is deleted.
const BUILD_NUMBER: &str = "imagebuilder-image-build-number";

/// `latestVersionReferences` of an image build version.
pub(super) fn latest_references(arn: &str) -> Value {
    let patch = version_arn(arn);
    let (name, version) = patch.rsplit_once('/').unwrap_or((patch, ""));
    let numbers: Vec<&str> = version.split('.').collect();
    let (major, minor) = (numbers.first().unwrap_or(&"x"), numbers.get(1).unwrap_or(&"x"));
    json!({
        "latestVersionArn": format!("{name}/x.x.x"),
        "latestMajorVersionArn": format!("{name}/{major}.x.x"),
        "latestMinorVersionArn": format!("{name}/{major}.{minor}.x"),
        "latestPatchVersionArn": patch,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;
    use crate::local::store::Store;

    fn draft() -> ImageRecord {
        let mut draft = record("1.0.0", 0);
        draft.arn = version_arn(&draft.arn).to_owned();
        draft
    }

    #[test]
    fn build_numbers_count_up_and_are_not_reused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
        let next = || -> String { store.write(|tx| number(tx, &scope, 100, draft())).map(|image| image.arn).unwrap() };
        assert!(next().ends_with("/1.0.0/1"));
        assert!(next().ends_with("/1.0.0/2"));
        // Nothing was stored under these ARNs, as after DeleteImage: the numbers are gone all the same.
        assert!(next().ends_with("/1.0.0/3"));
    }

    #[test]
    fn the_quota_counts_builds_that_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
        let refused: Result<ImageRecord, ServiceError> = store.write(|tx| {
            for build in 1..=100 {
                let image = record("2.0.0", build);
                tx.put(&scope, IMAGE, &image.arn, &image)?;
            }
            number(tx, &scope, 100, draft())
        });
        assert_eq!(refused.unwrap_err().code, "ServiceQuotaExceededException");
    }

    #[test]
    fn references_name_every_granularity() {
        let references = latest_references("arn:image/web/1.2.3/4");
        assert_eq!(references["latestVersionArn"], "arn:image/web/x.x.x");
        assert_eq!(references["latestMajorVersionArn"], "arn:image/web/1.x.x");
        assert_eq!(references["latestMinorVersionArn"], "arn:image/web/1.2.x");
        assert_eq!(references["latestPatchVersionArn"], "arn:image/web/1.2.3");
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        let body = json!({"containerRecipeArn": "arn"});
        assert_eq!(refuse_what_is_missing(&body).unwrap_err().code, "InvalidRequestException");
    }
}
