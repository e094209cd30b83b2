//! EC2 Auto Scaling: groups of instances, their tags, and instance refreshes.
//!
//! A group's instances are records that EC2's `DescribeInstances` shows; nothing runs in them
//! ([`fleet`](super::compute::fleet)). A refresh goes by the environment's clock: instances are replaced in batches, checkpoints and
//! the bake time are waited for, and an alarm that is set ([`Local::set_alarm`](super::Local::set_alarm)) fails it.
//!
//! | part | what it has |
//! |---|---|
//! | `record` | groups, their instances and refreshes in the store |
//! | `launch` | from what a group launches |
//! | `group`, `tags` | the operations on groups and tags |
//! | `instances` | launching and ending |
//! | `preferences`, `refresh` | the operations on refreshes |
//! | `progress` | what a refresh does as time goes by |
//! | `alarm` | the alarms that tests and users set |

mod alarm;
mod group;
mod instances;
mod launch;
mod preferences;
mod progress;
mod record;
mod refresh;
mod render;
mod tags;

pub(super) use progress::{is_due, settle};
pub(super) use refresh::spoil;

use super::input::{Dialect, Input};
use super::wire::{Operation, ServiceError};
use serde_json::Value;

/// The operations this part implements.
pub(super) const OPERATIONS: &[(&str, Operation)] = &[
    ("CancelInstanceRefresh", refresh::cancel),
    ("CreateAutoScalingGroup", group::create),
    ("CreateOrUpdateTags", tags::create_or_update),
    ("DeleteAutoScalingGroup", group::delete),
    ("DeleteTags", tags::delete),
    ("DescribeAutoScalingGroups", group::describe),
    ("DescribeInstanceRefreshes", refresh::describe),
    ("DescribeTags", tags::describe),
    ("RollbackInstanceRefresh", refresh::rollback),
    ("SetDesiredCapacity", group::set_desired_capacity),
    ("StartInstanceRefresh", refresh::start),
    ("UpdateAutoScalingGroup", group::update),
];

fn input(request: &Value) -> Input<'_> {
    Input::new(Dialect::AutoScaling, request)
}

/// What the service refuses, in its code for nearly everything.
fn refused(text: impl Into<String>) -> ServiceError {
    ServiceError::client("ValidationError", text)
}

/// Refuses members of a request that are not here: to pass over them would be a yes that is none.
fn known(input: &Input<'_>, names: &[&str]) -> Result<(), ServiceError> {
    let members = input.value().as_object().into_iter().flatten();
    // Empty text is how a client of the query protocol writes an empty list.
    let given = members.filter(|(_, value)| value.as_str() != Some(""));
    match given.map(|(name, _)| name.as_str()).find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(refused(format!("The parameter {name} is not in the local environment."))),
    }
}

/// The size of a page: 50 by default, 100 at most.
fn page_size(input: &Input<'_>) -> Result<usize, ServiceError> {
    input.page_size("MaxRecords", 1..=100, 50)
}
