//! EC2: AMIs, launch templates, tags. Instances are in `compute`.

mod data;
mod filters;
pub(crate) mod images;
mod launch_permission;
mod regions;
mod tags;
mod template_record;
mod template_versions;
mod templates;

pub(super) use filters::matches as fits;

use super::input::{Dialect, Input};
use super::wire::Operation;
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateLaunchTemplate", templates::create),
    ("CreateLaunchTemplateVersion", template_versions::create),
    ("CreateTags", tags::create),
    ("DeleteLaunchTemplate", templates::delete),
    ("DeleteLaunchTemplateVersions", template_versions::delete),
    ("DeleteTags", tags::delete),
    ("DeregisterImage", images::deregister),
    ("DescribeImageAttribute", launch_permission::describe),
    ("DescribeImages", images::describe),
    ("DescribeLaunchTemplateVersions", template_versions::describe),
    ("DescribeLaunchTemplates", templates::describe),
    ("DescribeRegions", regions::describe),
    ("DescribeTags", tags::describe),
    ("ModifyImageAttribute", launch_permission::modify),
    ("ModifyLaunchTemplate", templates::modify),
];

/// Code for a client token that was used with other parameters.
pub(super) const MISMATCH: &str = "IdempotentParameterMismatch";

/// A request in EC2's words.
pub(super) fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::Ec2, request)
}

/// Times are kept with whole seconds; EC2 shows milliseconds.
fn time(at: &str) -> String {
    at.strip_suffix('Z').map_or_else(|| at.to_owned(), |at| format!("{at}.000Z"))
}

/// Whether `id` is `prefix-` and 8 or 17 hexadecimal digits, as EC2's ids are.
fn is_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}
