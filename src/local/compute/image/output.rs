//! `CreateOutputImage`: the layer of the build instance becomes an AMI.

use super::{ImageRecord, OutputAmi};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::document;
use crate::local::compute::state::Live;
use crate::local::random;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::wire::ServiceError;
use crate::sandbox::{self, SandboxError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The tag that marks what Image Builder made.
pub(in crate::local::compute) const CREATED_BY: (&str, &str) = ("CreatedBy", "EC2 Image Builder");
/// The tag that names the image an AMI or instance belongs to.
pub(in crate::local::compute) const IMAGE_ARN_TAG: &str = "Ec2ImageBuilderArn";

/// Why no AMI could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// The layer could not be captured.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The folder of layers.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An id.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Stops the instance and registers what it changed, on top of the parent's layers.
pub(super) fn create(
    local: &Local,
    scope: &Scope,
    image: &ImageRecord,
    live: &Live,
    parent: &Ami,
) -> Result<Ami, OutputError> {
    let layers = local.config.state.join("layers");
    fs::create_dir_all(&layers).map_err(|source| OutputError::Io { path: layers.clone(), source })?;
    let id = random::resource_id("ami")?;
    let layer = layers.join(&id);
    let now = local.config.clock.now();
    let mut ami = Ami { id, snapshot: random::resource_id("snap")?, ..draft(now, scope, image, parent) };
    ami.layers = std::iter::once(layer.clone()).chain(parent.layers.iter().cloned()).collect();
    // Recorded as pending before the files are there: should this process die, the next one knows what to remove.
    local.store.write(|tx| {
        ami.name = unique_name(tx, scope, &image.name, now)?;
        tx.put(scope, AMI, &ami.id, &ami)
    })?;
    live.power_off();
    if let Err(error) = sandbox::root::capture(live.upper(), &layer, &[]) {
        discard(local, scope, &ami)?;
        return Err(error.into());
    }
    "available".clone_into(&mut ami.state);
    local.store.write(|tx| tx.put(scope, AMI, &ami.id, &ami))?;
    Ok(ami)
}

/// Removes an AMI that never became available.
pub(in crate::local::compute) fn discard(local: &Local, scope: &Scope, ami: &Ami) -> Result<(), StoreError> {
    if let Some(layer) = ami.layers.first()
        && let Err(error) = sandbox::root::remove(layer)
    {
        tracing::warn!(layer = %layer.display(), %error, "a layer could not be removed");
    }
    local.store.write(|tx| tx.delete(scope, AMI, &ami.id)).map(drop)
}

/// The AMI of an image on that parent, whose keys are those of the build's disk, without id, name, snapshot and layers, pending.
pub(super) fn draft(at: time::OffsetDateTime, scope: &Scope, image: &ImageRecord, parent: &Ami) -> Ami {
    let mapping = document::items(&image.recipe, "blockDeviceMappings").first().cloned().unwrap_or_default();
    let ebs = mapping.get("ebs").cloned().unwrap_or_default();
    let mut tags = document::map(&image.recipe, "amiTags");
    tags.insert(CREATED_BY.0.to_owned(), CREATED_BY.1.to_owned());
    tags.insert(IMAGE_ARN_TAG.to_owned(), image.arn.clone());
    Ami {
        id: String::new(),
        name: String::new(),
        description: document::text(&image.recipe, "description").unwrap_or_default().to_owned(),
        owner: scope.account.clone(),
        public: false,
        architecture: parent.architecture.clone(),
        state: "pending".to_owned(),
        created_at: rfc3339(at),
        root_device: document::text(&mapping, "deviceName").unwrap_or(&parent.root_device).to_owned(),
        snapshot: String::new(),
        volume_size: volume_size(&ebs).unwrap_or(parent.volume_size),
        volume_type: document::text(&ebs, "volumeType").unwrap_or(&parent.volume_type).to_owned(),
        encrypted: parent.encrypted,
        imds_v2: parent.imds_v2,
        platform: parent.platform.clone(),
        tags,
        layers: Vec::new(),
        launch_permissions: Vec::new(),
        source: Some(parent.id.clone()),
        source_region: Some(scope.region.clone()),
        kms_key: parent.kms_key.clone(),
        state_reason: None,
    }
}

fn volume_size(ebs: &Value) -> Option<u32> {
    document::integer(ebs, "volumeSize").and_then(|size| u32::try_from(size).ok())
}

/// `<recipe name> <time>`, the service's default; a name is used once in an account and Region.
pub(super) fn unique_name(
    tx: &Transaction<'_>,
    scope: &Scope,
    name: &str,
    mut at: time::OffsetDateTime,
) -> Result<String, StoreError> {
    let names: Vec<String> = tx.list::<Ami>(scope, AMI, "")?.into_iter().map(|(_, ami)| ami.name).collect();
    loop {
        let candidate = format!("{name} {}", timestamp(at));
        if !names.contains(&candidate) {
            return Ok(candidate);
        }
        at += time::Duration::milliseconds(1);
    }
}

/// The time in the form of AMI names, which may not contain colons: `2026-01-02T03-04-05.678Z`.
pub(super) fn timestamp(at: time::OffsetDateTime) -> String {
    let seconds = rfc3339(at).replace(':', "-");
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at.millisecond())
}

/// The AMI as the image tells it.
pub(super) fn output(ami: &Ami, scope: &Scope) -> OutputAmi {
    OutputAmi {
        region: scope.region.clone(),
        id: ami.id.clone(),
        name: ami.name.clone(),
        description: ami.description.clone(),
        account: scope.account.clone(),
    }
}

/// Tags of an instance that works for an image.
pub(in crate::local::compute) fn instance_tags(image: &ImageRecord, purpose: &str) -> BTreeMap<String, String> {
    let mut tags = document::map(&image.infrastructure, "resourceTags");
    tags.insert(CREATED_BY.0.to_owned(), CREATED_BY.1.to_owned());
    tags.insert(IMAGE_ARN_TAG.to_owned(), image.arn.clone());
    tags.insert("Name".to_owned(), format!("{purpose} instance for {}", image.name));
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::compute::ami::tests::ami;
    use crate::local::store::Store;

    #[test]
    fn names_are_used_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "1".into(), region: "r".into() };
        let done: Result<(), StoreError> = store.write(|tx| {
            let at = time::macros::datetime!(2026-01-02 03:04:05.678 UTC);
            let first = unique_name(tx, &scope, "web", at)?;
            assert_eq!(first, "web 2026-01-02T03-04-05.678Z");
            tx.put(&scope, AMI, "ami-1", &Ami { name: first, ..ami("ami-1") })?;
            assert_eq!(unique_name(tx, &scope, "web", at)?, "web 2026-01-02T03-04-05.679Z");
            Ok(())
        });
        done.unwrap();
    }
}
