//! Reading, listing and deleting recipes.

use super::super::Local;
use super::super::input::compact;
use super::super::records::{PIPELINE, PipelineRecord, RECIPE, RecipeRecord};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::arn::{self, Arn};
use super::listing::{self, Filters};
use super::{in_use, input, not_found};
use serde_json::{Value, json};

/// The newest recipe that an ARN means, exact or with `x`; none when nothing fits.
pub(super) fn resolve(tx: &Transaction<'_>, scope: &Scope, text: &str) -> Result<Option<RecipeRecord>, StoreError> {
    let wanted = Arn::parse(text).filter(|arn| arn.kind == "image-recipe" && arn.build.is_none() && arn.is_in(scope));
    let Some((wanted, pattern)) = wanted.and_then(|arn| arn.version.map(|version| (arn, version))) else {
        return Ok(None);
    };
    let base = arn::base(scope, "image-recipe", &wanted.name);
    let all: Vec<(String, RecipeRecord)> = tx.list(scope, RECIPE, &format!("{base}/"))?;
    let version = |record: &RecipeRecord| arn::version(&record.version).unwrap_or_default();
    Ok(all.into_iter().map(|(_, record)| record).filter(|record| pattern.accepts(version(record))).max_by_key(version))
}

/// `GetImageRecipe`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let text = input(request).required("imageRecipeArn")?;
    let record = local.store.read(|tx| resolve(tx, &caller.scope, text))?.ok_or_else(|| not_found(text))?;
    let base = arn::base(&caller.scope, "image-recipe", &record.name);
    let version = arn::version(&record.version).unwrap_or_default();
    Ok(json!({
        "imageRecipe": render(&record, &caller.scope.account),
        "latestVersionReferences": arn::latest_references(&base, version),
    }))
}

/// As `GetImageRecipe` and, within an image, `GetImage` answer it.
fn render(record: &RecipeRecord, owner: &str) -> Value {
    let components: Vec<Value> = record
        .components
        .iter()
        .map(|(arn, parameters)| {
            let parameters: Vec<Value> =
                parameters.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            let parameters = (!parameters.is_empty()).then_some(parameters);
            compact(json!({ "componentArn": arn, "parameters": parameters }))
        })
        .collect();
    compact(json!({
        "arn": record.arn,
        "type": "AMI",
        "name": record.name,
        "description": record.description,
        "platform": record.platform,
        "owner": owner,
        "version": record.version,
        "components": components,
        "parentImage": record.parent_image,
        "blockDeviceMappings": record.block_device_mappings,
        "dateCreated": super::time(&record.created_at),
        "tags": record.tags,
        "workingDirectory": record.working_directory,
        "additionalInstanceConfiguration": record.additional_instance_configuration,
        "amiTags": (!record.ami_tags.is_empty()).then_some(&record.ami_tags),
    }))
}

/// `ListImageRecipes`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, &["name", "parentImage", "platform"])?;
    let mut rows = Vec::new();
    if listing::lists_own(&input)? {
        let all: Vec<(String, RecipeRecord)> = local.store.read(|tx| tx.list(&caller.scope, RECIPE, ""))?;
        for (_, record) in all {
            let [major, minor, patch] = arn::version(&record.version).unwrap_or_default();
            let key = format!("{}/{major:010}.{minor:010}.{patch:010}", arn::normalise(&record.name));
            let row = json!({
                "arn": record.arn,
                "name": record.name,
                "platform": record.platform,
                "owner": caller.scope.account,
                "parentImage": record.parent_image,
                "dateCreated": super::time(&record.created_at),
                "tags": record.tags,
            });
            if filters.accept(&row) {
                rows.push((key, row));
            }
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
    }
    listing::answer(&input, "ListImageRecipes", "imageRecipeSummaryList", rows)
}

/// `DeleteImageRecipe`: refused while an image made from it or a pipeline that names it exists.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let text = input(request).required("imageRecipeArn")?;
    local.store.write(|tx| {
        if tx.get::<RecipeRecord>(&caller.scope, RECIPE, text)?.is_none() {
            return Err(not_found(text));
        }
        let images = tx.list_any(&caller.scope, &arn::base(&caller.scope, "image", ""))?;
        if let Some((_, image, _)) = images.iter().find(|(_, _, document)| mentions(document, text)) {
            return Err(in_use(text, image));
        }
        let pipelines: Vec<(String, PipelineRecord)> = tx.list(&caller.scope, PIPELINE, "")?;
        if let Some((user, _)) = pipelines.iter().find(|(_, pipeline)| pipeline.refers_to(text)) {
            return Err(in_use(text, user));
        }
        tx.delete(&caller.scope, RECIPE, text)?;
        Ok(json!({ "imageRecipeArn": text }))
    })
}

/// Whether the text is a value somewhere in a document. What an image's document looks like is `compute`'s affair.
fn mentions(document: &Value, text: &str) -> bool {
    match document {
        Value::String(value) => value == text,
        Value::Array(items) => items.iter().any(|item| mentions(item, text)),
        Value::Object(members) => members.values().any(|value| mentions(value, text)),
        _ => false,
    }
}
