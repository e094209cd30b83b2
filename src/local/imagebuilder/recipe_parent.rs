//! The parent image and the block devices of a recipe.

use super::super::ec2::images;
use super::super::input::Input;
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::arn::{self, Arn};
use serde_json::Value;

/// Kind of the images that `compute` keeps; the id is the image build version ARN.
const IMAGE: &str = "imagebuilder-image";

/// Checks `parentImage` and gives it and the platform it is known to have.
///
/// A parameter need not exist yet: it is resolved when a build starts.
pub(super) fn parse<'a>(
    tx: &Transaction<'_>,
    scope: &Scope,
    input: &Input<'a>,
) -> Result<(&'a str, Option<&'static str>), ServiceError> {
    let parent = input.required("parentImage")?;
    input.limited("parentImage", 1..=1024)?;
    if parent.starts_with("ami-") {
        let Some(ami) = images::visible(tx, scope, parent)? else {
            let why = format!("The AMI '{parent}' does not exist or is not available to account {}.", scope.account);
            return Err(input.invalid("parentImage", &why));
        };
        let windows = ami.platform.eq_ignore_ascii_case("windows");
        return Ok((parent, Some(if windows { "Windows" } else { "Linux" })));
    }
    if let Some(parameter) = parent.strip_prefix("ssm:") {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:".contains(&byte);
        if parameter.is_empty() || !parameter.bytes().all(allowed) {
            return Err(input.invalid("parentImage", "After ssm: comes the name or ARN of a parameter."));
        }
        return Ok((parent, None));
    }
    if parent.starts_with("arn:") {
        check_image(tx, scope, input, parent)?;
        return Ok((parent, None));
    }
    let why = format!(
        "'{parent}' is not an AMI id, an Image Builder image ARN, or ssm: and a parameter name. The local environment has no \
         marketplace products."
    );
    Err(input.invalid("parentImage", &why))
}

fn check_image(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>, text: &str) -> Result<(), ServiceError> {
    let parsed = Arn::parse(text).filter(|arn| arn.kind == "image");
    let Some((parsed, pattern)) = parsed.and_then(|arn| arn.version.map(|version| (arn, version))) else {
        return Err(input.invalid("parentImage", &format!("'{text}' is not the ARN of an image version.")));
    };
    let base = arn::base(scope, "image", &parsed.name);
    let images: Vec<(String, Value)> =
        if parsed.is_in(scope) { tx.list(scope, IMAGE, &format!("{base}/"))? } else { Vec::new() };
    let exists = images.iter().filter_map(|(id, _)| Arn::parse(id)).any(|image| {
        let version = image.version.and_then(arn::Pattern::exact);
        version.is_some_and(|version| pattern.accepts(version))
            && parsed.build.is_none_or(|build| image.build == Some(build))
    });
    if exists {
        return Ok(());
    }
    let why = format!("The image '{text}' does not exist; the local environment has no images of other owners.");
    Err(input.invalid("parentImage", &why))
}

/// Checks `blockDeviceMappings`; they are kept as they are given.
pub(super) fn block_devices(input: &Input<'_>) -> Result<Value, ServiceError> {
    for device in input.objects("blockDeviceMappings")? {
        device.limited("deviceName", 1..=1024)?;
        let Some(ebs) = device.object("ebs")? else { continue };
        ebs.flag("encrypted")?;
        ebs.flag("deleteOnTermination")?;
        ebs.between("iops", 100..=64_000)?;
        ebs.between("volumeSize", 1..=16_000)?;
        ebs.between("throughput", 125..=1000)?;
        ebs.one_of("volumeType", &["standard", "io1", "io2", "gp2", "gp3", "sc1", "st1"])?;
        if ebs.get("kmsKeyId").is_some() && ebs.flag("encrypted")? != Some(true) {
            return Err(ebs.invalid("kmsKeyId", "A key needs encrypted: true."));
        }
    }
    Ok(input.get("blockDeviceMappings").cloned().unwrap_or_else(|| Value::Array(Vec::new())))
}
