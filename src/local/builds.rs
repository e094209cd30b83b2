//! How images are built: really, or by a script in the time of the environment's clock.

use crate::runner::StepFailure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Concurrent builds per account and Region (image-builder.md section 16).
const CONCURRENT_BUILDS: usize = 100;

/// How images are built.
#[derive(Debug, Clone, Default)]
pub enum Builds {
    /// In instances of this machine, from parent images that are made of packages.
    #[default]
    Real,
    /// By a script: nothing runs, states and steps follow the environment's clock, and images have no files. For what
    /// drives and follows builds, where hours must pass in milliseconds.
    Scripted(Scripts),
}

impl Builds {
    /// Builds whose script `script` gives, asked once per build with its image build version ARN.
    pub fn scripted(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        Self::Scripted(Scripts { script: Arc::new(script), concurrent: CONCURRENT_BUILDS })
    }

    /// The same, but so many builds may be under way at a time in an account and Region: AWS raises its quota on request.
    #[must_use]
    pub fn with_quota(self, concurrent: usize) -> Self {
        match self {
            Self::Real => Self::Real,
            Self::Scripted(scripts) => Self::Scripted(Scripts { concurrent, ..scripts }),
        }
    }

    /// Builds that may be under way at a time in an account and Region.
    pub(super) fn quota(&self) -> usize {
        match self {
            Self::Real => CONCURRENT_BUILDS,
            Self::Scripted(scripts) => scripts.concurrent,
        }
    }

    /// How long the copy of an AMI of that size is pending. Nothing at all where builds are real: the layers are shared, so there is
    /// nothing to wait for; with scripted builds as long as on AWS, a minute and a quarter of one for each GiB.
    #[must_use]
    pub fn copying(&self, gib: u32) -> Duration {
        match self {
            Self::Real => Duration::ZERO,
            Self::Scripted(_) => Duration::from_mins(1) + Duration::from_secs(15) * gib,
        }
    }

    /// How long an instance of an Auto Scaling group is pending, and a refresh before it begins. Nothing at all where builds are
    /// real: there is no machine behind it to wait for.
    #[must_use]
    pub fn launching(&self) -> Duration {
        match self {
            Self::Real => Duration::ZERO,
            Self::Scripted(_) => Duration::from_secs(30),
        }
    }

    /// Whether nothing is really built.
    #[must_use]
    pub fn are_scripted(&self) -> bool {
        matches!(self, Self::Scripted(_))
    }
}

/// The scripts of builds.
#[derive(Clone)]
pub struct Scripts {
    script: Arc<dyn Fn(&str) -> Script + Send + Sync>,
    concurrent: usize,
}

impl Scripts {
    pub(super) fn of(&self, image_arn: &str) -> Script {
        (self.script)(image_arn)
    }
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripts")
    }
}

/// What happens in one build, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// Time in PENDING.
    pub pending: Duration,
    /// Time in CREATING.
    pub creating: Duration,
    /// How long workflow steps take, by their names (`ApplyBuildComponents`). One that takes longer than its own limit
    /// times out there.
    pub steps: BTreeMap<String, Duration>,
    /// How long all other steps take.
    pub other_steps: Duration,
    /// Time in DISTRIBUTING.
    pub distributing: Duration,
    /// Time in INTEGRATING, of builds that have something to integrate.
    pub integrating: Duration,
    /// Places at which the build waits for somebody.
    pub waits: Vec<Wait>,
    /// The step that fails; without one the image becomes available.
    pub failure: Option<Failure>,
}

impl Default for Script {
    /// A build of about half an hour that succeeds.
    fn default() -> Self {
        Self::lasting(Duration::from_mins(30))
    }
}

/// A `WaitForAction` step that a script adds to a managed workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Name of the step behind which it stands.
    pub after: String,
    /// Its own name.
    pub name: String,
}

/// How a step fails.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// Name of the step.
    pub step: String,
    /// The service's message, for example `Document arn:… failed!`.
    pub message: String,
    /// `outputs` of the step; null for what such a step has by itself.
    pub outputs: serde_json::Value,
    /// The component step that failed, in an `ExecuteComponents` step.
    pub component: Option<StepFailure>,
    /// What the command of the step has written to its standard output.
    pub log: String,
}

/// Parts of a build in sixteenths of its time, as they are in a build of half an hour with a few components.
const PARTS: [(&str, u32); 8] = [
    ("LaunchBuildInstance", 1),
    ("ApplyBuildComponents", 6),
    ("SanitizeBuildInstance", 1),
    ("CreateOutputImage", 3),
    ("TerminateBuildInstance", 1),
    ("LaunchTestInstance", 1),
    ("ApplyTestComponents", 1),
    ("TerminateTestInstance", 1),
];

impl Script {
    /// A build with tests that succeeds after exactly that long; without tests it takes three sixteenths less. PENDING and
    /// CREATING share a sixteenth with DISTRIBUTING; what is integrated comes on top.
    #[must_use]
    pub fn lasting(total: Duration) -> Self {
        let part = total / 16;
        let steps: BTreeMap<String, Duration> =
            PARTS.iter().map(|(name, count)| ((*name).to_owned(), part * *count)).collect();
        let (pending, distributing) = (part / 4, part / 4);
        let creating = total.saturating_sub(steps.values().sum::<Duration>() + pending + distributing);
        Self {
            pending,
            creating,
            steps,
            other_steps: part,
            distributing,
            integrating: part / 4,
            waits: Vec::new(),
            failure: None,
        }
    }

    /// The same, but the step of that name fails with that message at its end.
    #[must_use]
    pub fn failing(self, step: &str, message: &str) -> Self {
        let failure = Failure { step: step.to_owned(), message: message.to_owned(), ..Failure::default() };
        Self { failure: Some(failure), ..self }
    }

    /// The same, but behind the step `after` it waits for somebody, in a `WaitForAction` step called `name`.
    #[must_use]
    pub fn waiting(mut self, after: &str, name: &str) -> Self {
        self.waits.push(Wait { after: after.to_owned(), name: name.to_owned() });
        self
    }

    /// How long the step of that name takes.
    #[must_use]
    pub fn step(&self, name: &str) -> Duration {
        self.steps.get(name).copied().unwrap_or(self.other_steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_build_are_its_whole_time() {
        for total in [Duration::ZERO, Duration::from_secs(7), Duration::from_hours(8)] {
            let script = Script::lasting(total);
            let steps: Duration = PARTS.iter().map(|(name, _)| script.step(name)).sum();
            assert_eq!(script.pending + script.creating + steps + script.distributing, total);
        }
    }
}
