//! What a recipe stands for at the moment a build starts: the parent's AMI, and one document per component.

use super::{ImageRecord, version_matches, version_numbers};
use crate::local::Local;
use crate::local::compute::{ami, document, peer};
use crate::local::ec2::keys;
use crate::local::kms::Principal;
use crate::local::records::{Ami, COMPONENT, ComponentRecord};
use crate::local::service::Service;
use crate::local::store::{Scope, Transaction};
use crate::local::wire::{Caller, ServiceError};
use crate::runner::DocumentRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A component of the build.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Component {
    /// Build version ARN; its document is named by it in results, as in the service.
    pub(super) arn: String,
    pub(super) data: String,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Component {
    /// As the runner wants it.
    pub(super) fn request(&self) -> DocumentRequest {
        DocumentRequest { name: self.arn.clone(), text: self.data.clone(), parameters: self.parameters.clone() }
    }
}

/// The AMI that the recipe's parent is now, which must be one that this machine can run.
pub(super) fn parent(local: &Local, scope: &Scope, image: &ImageRecord) -> Result<Ami, ServiceError> {
    let ami = parent_ami(local, scope, image)?;
    ami::runs_here(&ami)?;
    Ok(ami)
}

/// The AMI that the recipe's parent is now, encrypted as the disks of the build are.
pub(super) fn parent_ami(local: &Local, scope: &Scope, image: &ImageRecord) -> Result<Ami, ServiceError> {
    let reference = document::text(&image.recipe, "parentImage").unwrap_or_default();
    let id = if reference.starts_with("ami-") {
        reference.to_owned()
    } else if let Some(name) = reference.strip_prefix("ssm:") {
        parameter(local, scope, name)?
    } else {
        image_ami(local, scope, reference)?
    };
    let now = local.config.clock.now();
    local.store.read(|tx| {
        let parent = ami::launchable(tx, scope, &id)?;
        disk(tx, (&Principal::of_role(scope, keys::IMAGE_BUILDER), now), image, parent)
    })
}

/// A parent with the key of the disk that is made of it, which must be one that can be used.
fn disk(tx: &Transaction<'_>, asking: keys::Asking<'_>, image: &ImageRecord, parent: Ami) -> Result<Ami, ServiceError> {
    let mapping = document::items(&image.recipe, "blockDeviceMappings").first();
    let ebs = mapping.and_then(|mapping| mapping.get("ebs")).cloned().unwrap_or_default();
    let given = document::text(&ebs, "kmsKeyId");
    let encrypts = document::boolean(&ebs, "encrypted") == Some(true);
    let kms_key = if encrypts && given.is_none() && !parent.encrypted {
        keys::writing(tx, asking, None)?
    } else {
        keys::launching(tx, asking, &parent, given)?
    };
    // What is encrypted stays so.
    Ok(Ami { encrypted: encrypts || parent.encrypted, kms_key, ..parent })
}

fn caller(local: &Local, scope: &Scope) -> Caller {
    Caller::of(scope.clone(), local.config.clock.now())
}

fn parameter(local: &Local, scope: &Scope, name: &str) -> Result<String, ServiceError> {
    let answer = peer::call(local, &caller(local, scope), Service::Ssm, "GetParameter", &json!({"Name": name}))?;
    let value = answer.pointer("/Parameter/Value").and_then(Value::as_str).unwrap_or_default();
    if value.starts_with("ami-") {
        return Ok(value.to_owned());
    }
    let message = format!("the parameter {name} holds '{value}', which is not an AMI id");
    Err(ServiceError::new(400, "InvalidParameterValueException", message))
}

/// The AMI of an Image Builder image, wildcards allowed.
fn image_ami(local: &Local, scope: &Scope, arn: &str) -> Result<String, ServiceError> {
    let request = json!({"imageBuildVersionArn": arn});
    let answer = super::get_image(local, &caller(local, scope), &request)?;
    answer.pointer("/image/outputResources/amis/0/image").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        let message = format!("the parent image {arn} has no AMI in this Region");
        ServiceError::new(400, "InvalidParameterValueException", message)
    })
}

/// The recipe's components in order, wildcards resolved to the highest version and build there is.
pub(super) fn components(local: &Local, scope: &Scope, image: &ImageRecord) -> Result<Vec<Component>, ServiceError> {
    local.store.read(|tx| {
        document::items(&image.recipe, "components")
            .iter()
            .map(|entry| {
                let arn = document::text(entry, "componentArn").unwrap_or_default();
                let record = component(tx, scope, arn)?;
                Ok(Component { arn: record.arn, data: record.data, parameters: parameters(entry) })
            })
            .collect()
    })
}

/// Parameter values of a recipe entry. The API makes every value a list; a component parameter takes its first.
fn parameters(entry: &Value) -> BTreeMap<String, String> {
    document::items(entry, "parameters")
        .iter()
        .filter_map(|parameter| {
            let value = document::items(parameter, "value").first()?.as_str()?;
            Some((document::text(parameter, "name")?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The document of a component by its ARN, wildcards allowed.
pub(super) fn document(local: &Local, scope: &Scope, arn: &str) -> Result<String, ServiceError> {
    local.store.read(|tx| Ok(component(tx, scope, arn)?.data))
}

fn component(tx: &Transaction<'_>, scope: &Scope, arn: &str) -> Result<ComponentRecord, ServiceError> {
    if let Some(exact) = tx.get::<ComponentRecord>(scope, COMPONENT, arn)? {
        return Ok(exact);
    }
    let (name, pattern) = arn.rsplit_once('/').unwrap_or((arn, ""));
    let versions = tx.list::<ComponentRecord>(scope, COMPONENT, &format!("{name}/"))?;
    versions
        .into_iter()
        .map(|(_, record)| record)
        .filter(|record| version_matches(pattern, &record.version))
        .max_by_key(|record| (version_numbers(&record.version), record.build))
        .ok_or_else(|| {
            ServiceError::new(404, "ResourceNotFoundException", format!("the component {arn} does not exist"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::store::Store;

    const NAME: &str = "arn:aws:imagebuilder:us-east-1:000000000000:component/patch";

    fn record(version: &str, build: u32) -> ComponentRecord {
        ComponentRecord {
            arn: format!("{NAME}/{version}/{build}"),
            name: "patch".into(),
            version: version.into(),
            build,
            description: String::new(),
            change_description: String::new(),
            platform: "Linux".into(),
            supported_os_versions: vec![],
            kind: "BUILD".into(),
            data: String::new(),
            created_at: String::new(),
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn wildcards_mean_the_highest_version_as_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
        let done: Result<(), ServiceError> = store.write(|tx| {
            for (version, build) in [("1.9.0", 1), ("1.10.0", 2), ("1.10.0", 10), ("2.0.0", 1)] {
                let record = record(version, build);
                tx.put(&scope, COMPONENT, &record.arn, &record)?;
            }
            let found = |end: &str| component(tx, &scope, &format!("{NAME}/{end}")).map(|record| record.arn);
            assert_eq!(found("1.x.x")?, format!("{NAME}/1.10.0/10"));
            assert_eq!(found("1.10.0")?, format!("{NAME}/1.10.0/10"));
            assert_eq!(found("1.10.0/2")?, format!("{NAME}/1.10.0/2"));
            assert_eq!(found("x.x.x")?, format!("{NAME}/2.0.0/1"));
            assert_eq!(found("3.x.x").unwrap_err().code, "ResourceNotFoundException");
            assert_eq!(found("1.10.0/7").unwrap_err().code, "ResourceNotFoundException");
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn parameter_values_are_the_first_of_their_lists() {
        let entry = json!({"parameters": [{"name": "scope", "value": ["security"]}, {"name": "none", "value": []}]});
        assert_eq!(parameters(&entry), BTreeMap::from([("scope".to_owned(), "security".to_owned())]));
    }
}
