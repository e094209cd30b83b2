//! Creating image recipes.

use super::super::Local;
use super::super::input::Input;
use super::super::records::{RECIPE, RecipeRecord};
use super::super::store::{Scope, Transaction};
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Version};
use super::{
    MISMATCH, already_exists, check_quota, dry_run, input, recipe_components, recipe_parent, resource_name, tags,
};
use crate::clock::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Keys of AMI tags that Image Builder sets itself.
const RESERVED: [&str; 2] = ["CreatedBy", "Ec2ImageBuilderArn"];

/// `CreateImageRecipe`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = resource_name(&input)?;
    let wanted = WantedVersion::parse(&input)?;
    let is_dry = input.flag("dryRun")?.unwrap_or(false);
    let once = Once { operation: "CreateImageRecipe", token: "clientToken", input: &input, mismatch: MISMATCH };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            let version = free_version(tx, &caller.scope, name, &wanted)?;
            let record = record(tx, caller, &input, name, version)?;
            if is_dry {
                return Err(dry_run());
            }
            tx.put(&caller.scope, RECIPE, &record.arn, &record)?;
            let base = arn::base(&caller.scope, "image-recipe", name);
            Ok(json!({
                "clientToken": request.get("clientToken"),
                "imageRecipeArn": record.arn,
                "latestVersionReferences": arn::latest_references(&base, version),
            }))
        })
    })
}

/// `1.0.0`, or with one `x` for the next free number there: `1.0.x` or `1.x.0` (image-builder.md section 2.3).
struct WantedVersion([Option<u32>; 3]);

impl WantedVersion {
    fn parse(input: &Input<'_>) -> Result<Self, ServiceError> {
        let text = input.required("semanticVersion")?;
        let invalid = || {
            let why = "The semantic version has three numbers and one optional x wildcard, for example 1.0.0 or 1.0.x.";
            input.invalid("semanticVersion", why)
        };
        let parts: Vec<Option<u32>> = text.split('.').map(arn::part).collect::<Option<_>>().ok_or_else(invalid)?;
        let parts: [Option<u32>; 3] = parts.try_into().map_err(|_| invalid())?;
        if parts.iter().filter(|part| part.is_none()).count() > 1 {
            return Err(invalid());
        }
        Ok(Self(parts))
    }

    /// The version when these exist already. The numbers before the `x` choose among which it is the next; those after it
    /// are taken as they are.
    fn next(&self, existing: &[Version]) -> Version {
        let open = self.0.iter().position(Option::is_none).unwrap_or(3);
        let before = |version: &&Version| (0..open).all(|index| self.0[index] == Some(version[index]));
        let highest = existing.iter().filter(before).filter_map(|version| version.get(open)).max();
        let next = highest.map_or(0, |highest| highest.saturating_add(1));
        self.0.map(|part| part.unwrap_or(next))
    }
}

fn free_version(
    tx: &Transaction<'_>,
    scope: &Scope,
    name: &str,
    wanted: &WantedVersion,
) -> Result<Version, ServiceError> {
    let base = arn::base(scope, "image-recipe", name);
    let recipes: Vec<(String, RecipeRecord)> = tx.list(scope, RECIPE, &format!("{base}/"))?;
    if let Some((taken, _)) = recipes.iter().find(|(_, recipe)| recipe.name != name) {
        return Err(already_exists(taken));
    }
    check_quota("image recipes", tx.list::<Value>(scope, RECIPE, "")?.len())?;
    let existing: Vec<Version> = recipes.iter().filter_map(|(_, recipe)| arn::version(&recipe.version)).collect();
    let version = wanted.next(&existing);
    if existing.contains(&version) {
        return Err(already_exists(&format!("{base}/{}", arn::show(version))));
    }
    Ok(version)
}

fn record(
    tx: &Transaction<'_>,
    caller: &Caller,
    input: &Input<'_>,
    name: &str,
    version: Version,
) -> Result<RecipeRecord, ServiceError> {
    let components = recipe_components::parse(tx, &caller.scope, input)?;
    let (parent, parent_platform) = recipe_parent::parse(tx, &caller.scope, input)?;
    let platform = components.platform.as_deref().or(parent_platform).unwrap_or("Linux");
    if let Some(parent_platform) = parent_platform.filter(|parent| *parent != platform) {
        let why =
            format!("The platform {platform} of the components does not match the parent image's, {parent_platform}.");
        return Err(input.invalid("components", &why));
    }
    let default_directory = if platform == "Windows" { "C:/" } else { "/tmp" };
    let new_tags = input.map("tags")?;
    tags::check(&new_tags)?;
    Ok(RecipeRecord {
        arn: format!("{}/{}", arn::base(&caller.scope, "image-recipe", name), arn::show(version)),
        name: name.to_owned(),
        version: arn::show(version),
        description: input.limited("description", 1..=1024)?.unwrap_or_default().to_owned(),
        platform: platform.to_owned(),
        parent_image: parent.to_owned(),
        components: components.given,
        block_device_mappings: recipe_parent::block_devices(input)?,
        working_directory: input.limited("workingDirectory", 1..=1024)?.unwrap_or(default_directory).to_owned(),
        ami_tags: ami_tags(input)?,
        additional_instance_configuration: additional(input, platform)?,
        created_at: rfc3339(caller.now),
        tags: new_tags,
    })
}

fn ami_tags(input: &Input<'_>) -> Result<BTreeMap<String, String>, ServiceError> {
    let ami_tags = input.map("amiTags")?;
    if ami_tags.len() > 50 {
        return Err(input.invalid("amiTags", "At most 50 tags are allowed."));
    }
    match ami_tags.keys().find(|key| RESERVED.contains(&key.as_str()) || key.starts_with("aws:")) {
        Some(key) => Err(input.invalid("amiTags", &format!("The tag key '{key}' is reserved."))),
        None => Ok(ami_tags),
    }
}

/// `additionalInstanceConfiguration`, kept as given. There is no agent in local images, so uninstalling it is always done.
fn additional(input: &Input<'_>, platform: &str) -> Result<Value, ServiceError> {
    let Some(additional) = input.object("additionalInstanceConfiguration")? else { return Ok(Value::Null) };
    if additional.get("userDataOverride").is_some() {
        return Err(additional.invalid("userDataOverride", "The local environment does not run user data."));
    }
    if let Some(agent) = additional.object("systemsManagerAgent")? {
        agent.flag("uninstallAfterBuild")?;
        if platform == "Windows" {
            let why = "Image Builder does not support configuring the Systems Manager agent on Windows.";
            return Err(additional.invalid("systemsManagerAgent", why));
        }
    }
    Ok(additional.value().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_x_takes_the_next_free_number() {
        let existing = [[1, 0, 0], [1, 0, 7], [1, 4, 0], [2, 0, 0]];
        let next = |parts: [Option<u32>; 3]| WantedVersion(parts).next(&existing);
        assert_eq!(next([Some(1), Some(0), None]), [1, 0, 8]);
        assert_eq!(next([Some(1), None, Some(0)]), [1, 5, 0]);
        assert_eq!(next([None, Some(0), Some(0)]), [3, 0, 0]);
        assert_eq!(next([Some(9), Some(9), None]), [9, 9, 0]);
        assert_eq!(next([Some(1), Some(0), Some(0)]), [1, 0, 0]);
    }
}
