//! Launch templates and their versions in the store, and how requests name them.

use super::super::input::{Input, compact};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::{is_id, tags, time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Kind of [`Template`] documents; the id is the template's.
const TEMPLATE: &str = "ec2-launch-template";
/// Kind of [`Version`] documents; the id is `<template id>/<version, ten digits>`.
const VERSION: &str = "ec2-launch-template-version";

/// A launch template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: String,
    pub(super) created_by: String,
    pub(super) default_version: u64,
    /// Highest number ever given out: numbers are not used again.
    pub(super) last_version: u64,
    pub(super) tags: tags::Tags,
}

/// A version of a launch template; never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) description: String,
    pub(super) created_at: String,
    pub(super) created_by: String,
    /// In the form of answers.
    pub(super) data: Value,
}

impl Template {
    /// Writes it.
    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, TEMPLATE, &self.id, self)
    }

    /// All templates, by id.
    pub(super) fn all(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Self>, StoreError> {
        Ok(tx.list(scope, TEMPLATE, "")?.into_iter().map(|(_, template)| template).collect())
    }

    /// The template of that name.
    pub(super) fn named(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Option<Self>, StoreError> {
        Ok(Self::all(tx, scope)?.into_iter().find(|template| template.name == name))
    }

    /// The template of that id.
    ///
    /// # Errors
    /// An id that is none, or of no template.
    pub(super) fn by_id(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Self, ServiceError> {
        if !is_id(id, "lt") {
            let text = format!("Invalid launch template ID '{id}': expected lt- and 17 hexadecimal digits");
            return Err(ServiceError::client("InvalidLaunchTemplateId.Malformed", text));
        }
        tx.get(scope, TEMPLATE, id)?.ok_or_else(|| {
            let text = format!("The specified launch template, with template ID {id}, does not exist.");
            ServiceError::client("InvalidLaunchTemplateId.NotFound", text)
        })
    }

    /// The template of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn by_name(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Self, ServiceError> {
        Self::named(tx, scope, name)?.ok_or_else(|| {
            let text = format!("The specified launch template, with template name {name}, does not exist.");
            ServiceError::client("InvalidLaunchTemplateName.NotFoundException", text)
        })
    }

    /// The template that a request names by `LaunchTemplateId` or `LaunchTemplateName`; none when it names none.
    ///
    /// # Errors
    /// Both names, or a template that does not exist.
    pub(super) fn chosen(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Option<Self>, ServiceError> {
        match (input.text("LaunchTemplateId")?, input.text("LaunchTemplateName")?) {
            (Some(_), Some(_)) => Err(ServiceError::client(
                "InvalidParameterCombination",
                "Specify the launch template by LaunchTemplateId or by LaunchTemplateName, not by both",
            )),
            (Some(id), None) => Self::by_id(tx, scope, id).map(Some),
            (None, Some(name)) => Self::by_name(tx, scope, name).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// As [`Template::chosen`], for operations that need one.
    pub(super) fn required(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Self, ServiceError> {
        Self::chosen(tx, scope, input)?.ok_or_else(|| input.missing("LaunchTemplateId or LaunchTemplateName"))
    }

    /// Removes it with all its versions.
    pub(super) fn delete(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        for version in self.versions(tx, scope)? {
            self.delete_version(tx, scope, version.number)?;
        }
        tx.delete(scope, TEMPLATE, &self.id)?;
        Ok(())
    }

    /// Its versions, oldest first.
    pub(super) fn versions(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Version>, StoreError> {
        let versions = tx.list(scope, VERSION, &format!("{}/", self.id))?;
        Ok(versions.into_iter().map(|(_, version)| version).collect())
    }

    /// Adds a version.
    pub(super) fn put_version(&self, tx: &Transaction<'_>, scope: &Scope, version: &Version) -> Result<(), StoreError> {
        tx.put(scope, VERSION, &self.version_id(version.number), version)
    }

    /// Removes a version.
    pub(super) fn delete_version(&self, tx: &Transaction<'_>, scope: &Scope, number: u64) -> Result<bool, StoreError> {
        tx.delete(scope, VERSION, &self.version_id(number))
    }

    fn version_id(&self, number: u64) -> String {
        format!("{}/{number:010}", self.id)
    }

    /// The version that `text` means: `$Default`, `$Latest` or a number.
    ///
    /// # Errors
    /// Text that is none of these, or a number that does not exist.
    pub(super) fn version(&self, tx: &Transaction<'_>, scope: &Scope, text: &str) -> Result<Version, ServiceError> {
        let number = match text {
            "$Default" => self.default_version,
            "$Latest" => self.latest(tx, scope)?,
            number => version_number(number)?,
        };
        tx.get(scope, VERSION, &self.version_id(number))?.ok_or_else(|| {
            let text =
                format!("Could not find the specified version {text} for the launch template with ID {}.", self.id);
            ServiceError::client("InvalidLaunchTemplateId.VersionNotFound", text)
        })
    }

    /// The highest number that exists.
    pub(super) fn latest(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<u64, StoreError> {
        Ok(self.versions(tx, scope)?.last().map_or(0, |version| version.number))
    }

    /// As answers show it.
    pub(super) fn render(&self, latest: u64) -> Value {
        json!({
            "launchTemplateId": self.id,
            "launchTemplateName": self.name,
            "createTime": time(&self.created_at),
            "createdBy": self.created_by,
            "defaultVersionNumber": self.default_version,
            "latestVersionNumber": latest,
            "tagSet": tags::render(&self.tags),
        })
    }

    /// One of its versions as answers show it.
    pub(super) fn render_version(&self, version: &Version) -> Value {
        compact(json!({
            "launchTemplateId": self.id,
            "launchTemplateName": self.name,
            "versionNumber": version.number,
            "versionDescription": version.description,
            "createTime": time(&version.created_at),
            "createdBy": version.created_by,
            "defaultVersion": version.number == self.default_version,
            "launchTemplateData": version.data,
        }))
    }
}

/// A version number of a request.
///
/// # Errors
/// Text that is none.
pub(super) fn version_number(text: &str) -> Result<u64, ServiceError> {
    text.parse().map_err(|_| {
        let text = format!("Invalid launch template version '{text}': expected a number, $Default or $Latest");
        ServiceError::client("InvalidParameterValue", text)
    })
}
