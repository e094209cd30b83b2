//! A version of a launch template as other services launch from it.

use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::data;
use super::template_record::Template;
use serde_json::Value;

/// One version of one launch template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct Chosen {
    /// Id of the template.
    pub(in crate::local) id: String,
    /// Its name.
    pub(in crate::local) name: String,
    /// The version's number, whatever it was asked for as.
    pub(in crate::local) number: u64,
    /// An AMI id, or `resolve:ssm:…`.
    pub(in crate::local) image: Option<String>,
    /// Instance type, if it has one.
    pub(in crate::local) instance_type: Option<String>,
    /// Whether it chooses instance types by attributes.
    pub(in crate::local) by_requirements: bool,
}

impl Chosen {
    /// The version that a specification means. Without a version that is the default one.
    ///
    /// # Errors
    /// EC2's: no template named or two, one that does not exist, a version that does not.
    pub(in crate::local) fn find(
        tx: &Transaction<'_>,
        scope: &Scope,
        (id, name): (Option<&str>, Option<&str>),
        version: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let template = match (id, name) {
            (Some(id), None) => Template::by_id(tx, scope, id)?,
            (None, Some(name)) => Template::by_name(tx, scope, name)?,
            (Some(id), Some(name)) => {
                let found = Template::by_id(tx, scope, id)?;
                if found.name != name {
                    let text = format!("The launch template {id} has the name {}, not {name}.", found.name);
                    return Err(ServiceError::client("InvalidParameterCombination", text));
                }
                found
            }
            (None, None) => {
                let text = "The request must contain the parameter LaunchTemplateId or LaunchTemplateName";
                return Err(ServiceError::client("MissingParameter", text));
            }
        };
        let found = template.version(tx, scope, version.unwrap_or("$Default"))?;
        Ok(Self {
            id: template.id,
            name: template.name,
            number: found.number,
            image: data::image(&found.data).map(str::to_owned),
            instance_type: found.data.get("instanceType").and_then(Value::as_str).map(str::to_owned),
            by_requirements: found.data.get("instanceRequirements").is_some(),
        })
    }
}
