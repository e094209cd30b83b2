//! Documents that are too long for a call: they go to a bucket first, and the call names them there.

use super::error::PlanError;
use super::model::{Action, DesiredComponent, Plan};
use super::publish::planned_components;
use crate::aws::{CallError, Cloud};
use crate::project::EnvironmentConfig;
use aws_sdk_s3::primitives::ByteStream;
use std::collections::BTreeMap;

/// Image Builder takes documents of up to this many characters in the call itself (image-builder.md section 5).
pub(super) const INLINE_DOCUMENT: usize = 16_000;
/// Quota "component size", in bytes (image-builder.md section 16): the limit of documents in S3.
const LARGEST_DOCUMENT: usize = 64 * 1024;

/// `s3://` URIs of the documents that are not sent in a call, by the fingerprint of their component.
pub(super) type Uris = BTreeMap<String, String>;

/// The bucket of the environment, if it has one.
fn bucket(cloud: &Cloud) -> Option<&str> {
    match cloud.config() {
        EnvironmentConfig::Aws(aws) => aws.document_bucket.as_deref(),
        EnvironmentConfig::Local(_) => None,
    }
}

fn too_long_for_a_call(component: &DesiredComponent) -> bool {
    component.content.document.chars().count() > INLINE_DOCUMENT
}

/// Whether every document can be handed over; to be asked before anything is created.
pub(super) fn check(cloud: &Cloud, plan: &Plan) -> Result<(), PlanError> {
    for component in &plan.desired().components {
        let (document, name) = (&component.content.document, component.name.clone());
        let characters = document.chars().count();
        if document.len() > LARGEST_DOCUMENT {
            return Err(PlanError::TooLarge { component: name, bytes: document.len(), limit: LARGEST_DOCUMENT });
        }
        if characters > INLINE_DOCUMENT && bucket(cloud).is_none() {
            return Err(PlanError::TooLong { component: name, characters, limit: INLINE_DOCUMENT });
        }
    }
    Ok(())
}

/// Puts the long documents of components that will be created into the bucket. The key holds the component's fingerprint:
/// what lies under it is never changed, and one that is there already is the same.
pub(super) async fn upload(cloud: &Cloud, plan: &Plan) -> Result<Uris, PlanError> {
    let mut uris = Uris::new();
    let Some(bucket) = bucket(cloud) else { return Ok(uris) };
    let created = planned_components(plan).filter(|(change, _)| change.action == Action::Create);
    for (_, component) in created.filter(|(_, component)| too_long_for_a_call(component)) {
        let key =
            format!("amiforge/{}/components/{}/{}.yaml", plan.project, component.resource_name, component.fingerprint);
        let answer = cloud
            .s3()
            .put_object()
            .bucket(bucket)
            // A bucket of that name in somebody else's account is not the one that is meant.
            .expected_bucket_owner(&cloud.home().account)
            .key(&key)
            .if_none_match("*")
            .content_type("application/yaml")
            .body(ByteStream::from(component.content.document.clone().into_bytes()))
            .send()
            .await
            .map_err(CallError::of("PutObject", cloud.home()));
        match answer {
            Err(error) if error.fault.is(&["PreconditionFailed"]) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        uris.insert(component.fingerprint.clone(), format!("s3://{bucket}/{key}"));
    }
    Ok(uris)
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
