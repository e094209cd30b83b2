//! Why there is no evidence.

use super::file::FileError;
use super::sign::SignError;
use crate::aws::CallError;
use crate::event::human_duration;
use std::time::Duration;

/// Why the evidence of a candidate could not be collected. None of these leaves a usable half: there is evidence, or
/// there is an error.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The evidence file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The signature of the evidence, or the key to sign it with.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A key in KMS.
    #[error("the KMS key {key} did not do what was asked of it: {source}")]
    Kms {
        /// As it is named in the project.
        key: String,
        /// The call.
        source: CallError,
    },
    /// The bucket of evidence.
    #[error("{address}: {source}")]
    Bucket {
        /// The object.
        address: String,
        /// The call.
        source: CallError,
    },
    /// An object in it.
    #[error("{address} is not what its name says: {reason}")]
    Object {
        /// The object.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The AMI is not there.
    #[error("there is no image {ami} in {place}")]
    NoImage {
        /// AMI id.
        ami: String,
        /// Account and Region.
        place: String,
    },
    /// The AMI cannot be launched.
    #[error("image {ami} is {state}, not available, so no instance of it can be started")]
    ImageState {
        /// AMI id.
        ami: String,
        /// Its state.
        state: String,
    },
    /// `RunInstances` answered without an instance.
    #[error("no instance of {ami} was started, and no reason given")]
    NoInstance {
        /// AMI id.
        ami: String,
    },
    /// The instance ended by itself.
    #[error("instance {instance} of the candidate is {state}: {reason}")]
    InstanceEnded {
        /// Instance id.
        instance: String,
        /// Its state.
        state: String,
        /// EC2's reason.
        reason: String,
    },
    /// The instance never became a managed node.
    #[error("instance {instance} of the candidate did not register with Systems Manager within {}", human_duration(*after))]
    NotOnline {
        /// Instance id.
        instance: String,
        /// How long it was waited.
        after: Duration,
    },
    /// Only Linux images can be inspected.
    #[error("inspecting {platform} images is not supported yet (instance {instance})")]
    Platform {
        /// Platform as Systems Manager names it.
        platform: String,
        /// Instance id.
        instance: String,
    },
    /// A command did not end well.
    #[error("{what} on instance {instance} ended with {status}{}: {output}", exit_text(*exit))]
    Command {
        /// What was run.
        what: &'static str,
        /// Instance id.
        instance: String,
        /// Status of the invocation.
        status: String,
        /// Exit status of the script, when it ran.
        exit: Option<i32>,
        /// Last lines of its output.
        output: String,
    },
    /// A command did not end in time.
    #[error("{what} on instance {instance} did not end within {}", human_duration(*after))]
    CommandTimeout {
        /// What was run.
        what: &'static str,
        /// Instance id.
        instance: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The output of a command did not arrive whole.
    #[error("what a command said did not arrive whole from instance {instance}: {reason}")]
    Transport {
        /// Instance id.
        instance: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What the collector says is no usable inventory.
    #[error("there is no inventory of instance {instance}: {reason}")]
    Inventory {
        /// Instance id.
        instance: String,
        /// What is wrong.
        reason: String,
    },
    /// The scan's result never showed up.
    #[error("the result of patch scan {snapshot} of instance {instance} did not show up within {}", human_duration(*after))]
    NoScanResult {
        /// Snapshot id of the scan.
        snapshot: String,
        /// Instance id.
        instance: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The scan ran, but its result cannot be believed.
    #[error("the patch scan of instance {instance} cannot be believed: {reason}")]
    ScanUnsound {
        /// Instance id.
        instance: String,
        /// Why.
        reason: String,
    },
    /// Patch Manager used another baseline than the recipe's.
    #[error("the patch scan used baseline {used} ({id}), the recipe wants {expected}")]
    Baseline {
        /// Name of the baseline that was used.
        used: String,
        /// Its id.
        id: String,
        /// Name of the baseline of the recipe.
        expected: String,
    },
    /// What EC2 shows of a vulnerability scan cannot be believed.
    #[error("the findings about {ami} cannot be believed: {reason}")]
    Findings {
        /// AMI id.
        ami: String,
        /// Why.
        reason: String,
    },
    /// A vulnerability scan did not end in time.
    #[error("scan {scan} of {ami} by Amazon Inspector did not end within {}", human_duration(*after))]
    ImageScan {
        /// AMI id.
        ami: String,
        /// Id of the scan.
        scan: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The instance could not be terminated.
    #[error("instance {instance} could not be terminated and may still be running: {source}")]
    Terminate {
        /// Instance id.
        instance: String,
        /// Why.
        source: CallError,
    },
    /// Work handed to another task did not end properly.
    #[error("internal error: {0}")]
    Internal(String),
}

fn exit_text(exit: Option<i32>) -> String {
    exit.map(|code| format!(" (exit status {code})")).unwrap_or_default()
}

impl EvidenceError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        let next = match self {
            Self::Call(call) => return call.next(),
            Self::File(error) => return error.next(),
            Self::Sign(error) => return error.next(),
            Self::Kms { source, .. } => {
                return source.next().or_else(|| Some("look at the key: aws kms describe-key --key-id KEY".to_owned()));
            }
            Self::Bucket { source, .. } => {
                return source
                    .next()
                    .or_else(|| Some("look at the bucket: amiforge doctor --only evidence".to_owned()));
            }
            Self::Object { .. } => "find out who has written it; `amiforge validate` collects evidence anew",
            Self::NoImage { .. } => "build the image again, or check account and Region",
            Self::ImageState { .. } => "wait until it is available and run `amiforge validate` again",
            Self::NoInstance { .. }
            | Self::NoScanResult { .. }
            | Self::CommandTimeout { .. }
            | Self::Findings { .. }
            | Self::Transport { .. } => "run `amiforge validate` again",
            Self::ImageScan { .. } => "run `amiforge validate` again: it joins the scan, or reads what it has found",
            Self::InstanceEnded { .. } => "look at the instance's console output; the image may not boot",
            Self::NotOnline { .. } => {
                "check in this order: the instance profile allows AmazonSSMManagedInstanceCore; the subnet reaches the ssm, \
                 ssmmessages and ec2messages endpoints; the image has a running SSM Agent; IMDSv2 is reachable"
            }
            Self::Platform { .. } => "use `plan` and `render` for this recipe, they work",
            Self::Command { exit, .. } => {
                return Some(exit.and_then(exit_meaning).map_or_else(
                    || "read the output above; `amiforge validate` tries again on a new instance".to_owned(),
                    |meaning| format!("the exit status means: {meaning}"),
                ));
            }
            Self::Inventory { .. } => {
                "look whether the image has dpkg or rpm and reaches its package sources, then validate again"
            }
            Self::ScanUnsound { .. } => {
                "check that the package sources can be reached from the instance, then validate again"
            }
            Self::Baseline { expected, .. } => {
                return Some(format!(
                    "make {expected} the default patch baseline of its operating system in that account and Region, or name the \
                     other one in the recipe"
                ));
            }
            Self::Terminate { instance, .. } => return Some(format!("terminate {instance} by hand")),
            Self::Internal(_) => return None,
        };
        Some(next.to_owned())
    }

    /// Whether it says something about the evidence there is, or the image that it is about: whoever looks again finds the same.
    /// Otherwise it could not be looked at, and nobody knows.
    #[must_use]
    pub fn is_of_the_evidence(&self) -> bool {
        match self {
            Self::File(error) => !matches!(error, FileError::Io { .. }),
            Self::Sign(error) => error.is_of_the_evidence(),
            Self::Object { .. } | Self::NoImage { .. } | Self::ImageState { .. } => true,
            _ => false,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            // A key that is disabled, gone or another one is evidence that does not count.
            Self::Kms { source, .. }
                if source.fault.status.is_some_and(|status| status < 500)
                    && !source.fault.denied
                    && !source.fault.throttled =>
            {
                8
            }
            Self::Call(call)
            | Self::Terminate { source: call, .. }
            | Self::Kms { source: call, .. }
            | Self::Bucket { source: call, .. } => call.exit_code(),
            Self::NotOnline { .. }
            | Self::CommandTimeout { .. }
            | Self::NoScanResult { .. }
            | Self::ImageScan { .. } => 13,
            Self::Internal(_) => 1,
            _ => 8,
        }
    }
}

/// What AWS-RunPatchBaseline's own exit statuses mean (patch-baselines.md 7.5).
fn exit_meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        2 => "a dependency of the scan is missing in the image",
        4 => "another patch run holds the lock; something patches the instance at its first boot",
        126 => "the script's folder is mounted noexec",
        133..=135 | 143..=145 => "the instance may not read its patch baseline; check the instance profile",
        146 => "Patch Manager does not support this operating system",
        148 => "the instance metadata service cannot be reached",
        149 => "the result could not be uploaded; check the instance profile",
        154 | 155 => "no room, often in /var",
        156 => "the scan's program could not be downloaded; check the S3 endpoint",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_tells_its_exit_status_and_what_it_means() {
        let error = EvidenceError::Command {
            what: "the patch scan",
            instance: "i-1".into(),
            status: "Failed".into(),
            exit: Some(156),
            output: "curl: (6)".into(),
        };
        assert_eq!(error.to_string(), "the patch scan on instance i-1 ended with Failed (exit status 156): curl: (6)");
        assert!(error.next().unwrap().contains("S3 endpoint"));
        assert_eq!(error.exit_code(), 8);
    }
}
