//! Builds that follow a script by the environment's clock.
//!
//! Nothing runs and nothing sleeps: where a build stands is computed from its record and the time whenever the environment is
//! asked anything, and written into the same records that a real build writes. What is due is found by an agenda in
//! memory, so that a call costs nothing when nothing has happened since the last.
//!
//! A build belongs to the state, not to a process: one that opens the state later sees it go on.

mod replay;
mod settle;

pub(super) use replay::digits;
pub(in crate::local) use settle::{Agenda, settle};
pub(super) use settle::{begin, cancel, decide, draft};
pub(in crate::local::compute) use settle::{is_scripted, reload};

use super::OutputAmi;
use super::distribute::Outcome;
use super::flow::Flow;
use crate::local::builds::Script;
use crate::local::records::Ami;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Kind of [`Scripted`] documents; the id is the image build version ARN.
const SCRIPTED: &str = "imagebuilder-scripted-build";

/// A scripted build that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scripted {
    arn: String,
    script: Script,
    #[serde(with = "time::serde::rfc3339")]
    begun: OffsetDateTime,
    /// Workflows in the order in which they run.
    flows: Vec<Flow>,
    /// What the image is made from.
    parent: Option<Ami>,
    /// Why it cannot be built, found when it was begun and told at the end of CREATING.
    refused: Option<String>,
    /// Steps of the components' build and validate phases, and of their test phases.
    component_steps: (u32, u32),
    /// When somebody wished it to end.
    #[serde(with = "time::serde::rfc3339::option")]
    cancelled: Option<OffsetDateTime>,
    /// Answers to waiting steps, by step execution id.
    decisions: BTreeMap<String, Decision>,
    /// The AMI it has made, once its step has begun.
    ami: Option<String>,
    /// For references of its steps.
    context: Value,
    /// Whether it has a distribution configuration, and whether that has anything to integrate.
    distributes: (bool, bool),
    /// What became of distributing, once that was done.
    distributed: Option<Outcome>,
    /// What became of integrating.
    integrated: Option<Outcome>,
    /// What became of steps of a distribution workflow: outputs or why not, by step execution id.
    #[serde(default)]
    effects: BTreeMap<String, Result<Value, String>>,
    /// Every AMI of the image, when a distribution workflow has told them.
    #[serde(default)]
    told: Option<Vec<OutputAmi>>,
}

/// An answer to a waiting step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decision {
    #[serde(with = "time::serde::rfc3339")]
    pub(super) at: OffsetDateTime,
    /// `RESUME` or `STOP`.
    pub(super) action: String,
    pub(super) reason: String,
}
