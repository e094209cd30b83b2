//! Image Builder: components, recipes, configurations, pipelines, workflows, tags. Images are in `compute`.

mod arn;
mod component_create;
mod component_read;
mod distribution;
mod distribution_entry;
mod document;
mod infrastructure;
mod listing;
mod pipeline;
mod pipeline_body;
mod recipe_components;
mod recipe_create;
mod recipe_parent;
mod recipe_read;
mod tags;
mod workflow;
pub(super) mod workflow_arn;
pub(super) mod workflow_use;

pub(super) use listing::{answer as list_answer, lists_own, page as list_page, window as list_window};
pub(super) use pipeline::find as find_pipeline;
pub(super) use workflow::resolve as resolve_workflow;

use super::input::{Dialect, Input};
use super::wire::{Operation, ServiceError};
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateComponent", component_create::create),
    ("CreateDistributionConfiguration", distribution::create),
    ("CreateImagePipeline", pipeline::create),
    ("CreateImageRecipe", recipe_create::create),
    ("CreateInfrastructureConfiguration", infrastructure::create),
    ("CreateWorkflow", workflow::create),
    ("DeleteComponent", component_read::delete),
    ("DeleteDistributionConfiguration", distribution::delete),
    ("DeleteImagePipeline", pipeline::delete),
    ("DeleteImageRecipe", recipe_read::delete),
    ("DeleteInfrastructureConfiguration", infrastructure::delete),
    ("DeleteWorkflow", workflow::delete),
    ("GetComponent", component_read::get),
    ("GetDistributionConfiguration", distribution::get),
    ("GetImagePipeline", pipeline::get),
    ("GetImageRecipe", recipe_read::get),
    ("GetInfrastructureConfiguration", infrastructure::get),
    ("GetWorkflow", workflow::get),
    ("ListComponentBuildVersions", component_read::list_builds),
    ("ListComponents", component_read::list),
    ("ListDistributionConfigurations", distribution::list),
    ("ListImagePipelines", pipeline::list),
    ("ListImageRecipes", recipe_read::list),
    ("ListInfrastructureConfigurations", infrastructure::list),
    ("ListTagsForResource", tags::list),
    ("ListWorkflowBuildVersions", workflow::list_builds),
    ("ListWorkflows", workflow::list),
    ("TagResource", tags::tag),
    ("UntagResource", tags::untag),
    ("UpdateDistributionConfiguration", distribution::update),
    ("UpdateImagePipeline", pipeline::update),
    ("UpdateInfrastructureConfiguration", infrastructure::update),
];

/// Code for a client token that was used with other parameters.
pub(super) const MISMATCH: &str = "IdempotentParameterMismatchException";
/// Components, recipes, workflows and configurations per account and Region, each (image-builder.md section 16).
const QUOTA: usize = 1000;

/// A request in Image Builder's words.
pub(super) fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::ImageBuilder, request)
}

/// Refuses a resource beyond the quota.
fn check_quota(what: &str, existing: usize) -> Result<(), ServiceError> {
    if existing < QUOTA {
        return Ok(());
    }
    let text = format!("You have {existing} {what} in this Region, the quota. Delete some, or use another Region.");
    Err(ServiceError::new(402, "ServiceQuotaExceededException", text))
}

/// The error for a resource that does not exist. Which code AWS uses is not documented for all operations.
fn not_found(arn: &str) -> ServiceError {
    ServiceError::new(404, "ResourceNotFoundException", format!("The resource with ARN '{arn}' does not exist."))
}

/// The error for a name and version that are taken.
fn already_exists(arn: &str) -> ServiceError {
    ServiceError::client("ResourceAlreadyExistsException", format!("The following resource already exists: {arn}"))
}

/// The error for a resource that others refer to.
fn in_use(arn: &str, by: &str) -> ServiceError {
    let text =
        format!("Resource dependency error: The resource ARN '{arn}' has other resources depended on it: '{by}'");
    ServiceError::client("ResourceDependencyException", text)
}

/// What a successful dry run answers.
fn dry_run() -> ServiceError {
    ServiceError::new(412, "DryRunOperationException", "Request would have succeeded, but DryRun flag is set.")
}

/// Times are kept with whole seconds; Image Builder shows milliseconds.
fn time(at: &str) -> String {
    at.strip_suffix('Z').map_or_else(|| at.to_owned(), |at| format!("{at}.000Z"))
}

/// A resource name, checked: `^[-_A-Za-z-0-9][-_A-Za-z0-9 ]{1,126}[-_A-Za-z-0-9]$` (image-builder.md section 2.1).
fn resource_name<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    let name = input.required("name")?;
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_ ".contains(&byte);
    let fits =
        (3..=128).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with(' ') && !name.ends_with(' ');
    if fits {
        return Ok(name);
    }
    Err(input.invalid("name", "name must match pattern ^[-_A-Za-z-0-9][-_A-Za-z0-9 ]{1,126}[-_A-Za-z-0-9]$"))
}
