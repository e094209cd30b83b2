//! Systems Manager: Parameter Store and patch baselines. Commands and patch scans are in `compute`.

mod baseline_record;
mod baselines;
mod checking;
mod delete;
mod get;
mod labels;
mod list;
mod names;
mod owned_baselines;
mod parameter_record;
mod patch_groups;
mod put;
mod tags;

pub(crate) use baseline_record::default_baseline;
pub(super) use checking::{is_due, settle};
pub(crate) use get::value as parameter;
pub(crate) use parameter_record::{parameter_value, put_public_parameter};

use super::input::{Dialect, Input};
use super::wire::{Operation, ServiceError};
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("AddTagsToResource", tags::add),
    ("CreatePatchBaseline", baselines::create),
    ("DeleteParameter", delete::one),
    ("DeleteParameters", delete::many),
    ("DeletePatchBaseline", baselines::delete),
    ("DeregisterPatchBaselineForPatchGroup", patch_groups::deregister),
    ("DescribeParameters", list::describe),
    ("DescribePatchBaselines", baselines::describe),
    ("DescribePatchGroups", patch_groups::describe),
    ("GetDefaultPatchBaseline", baselines::get_default),
    ("GetParameter", get::one),
    ("GetParameterHistory", get::history),
    ("GetParameters", get::many),
    ("GetParametersByPath", list::by_path),
    ("GetPatchBaseline", baselines::get),
    ("GetPatchBaselineForPatchGroup", patch_groups::get),
    ("LabelParameterVersion", labels::label),
    ("ListTagsForResource", tags::list),
    ("PutParameter", put::put),
    ("RegisterDefaultPatchBaseline", baselines::register_default),
    ("RegisterPatchBaselineForPatchGroup", patch_groups::register),
    ("RemoveTagsFromResource", tags::remove),
    ("UnlabelParameterVersion", labels::unlabel),
    ("UpdatePatchBaseline", baselines::update),
];

/// A request in Systems Manager's words.
pub(super) fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::Ssm, request)
}

/// The error for a page token of an operation whose model has none for it: what is wrong with a parameter in general.
fn no_token_error(error: ServiceError) -> ServiceError {
    match error.code.as_str() {
        "InvalidNextToken" => ServiceError::client("ValidationException", error.message),
        _ => error,
    }
}

/// Times as awsJson writes them: seconds since 1970.
fn epoch(at: time::OffsetDateTime) -> Value {
    Value::from(at.unix_timestamp())
}
