//! Why a channel was not moved.

use super::model::LeftOut;
use super::steps::Step;
use crate::aws::CallError;
use crate::aws::wait::TimedOut;

/// An instance that was launched to prove that a release can be, and did not come up or did not go away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryFailure {
    /// Instance id.
    pub instance: String,
    /// `account/Region`.
    pub place: String,
    /// Version and name of the launch template.
    pub version: String,
    /// What became of it.
    pub why: String,
    /// The last lines of its console, if there are any.
    pub console: Vec<String>,
    /// Why it could not be ended at once.
    pub left: Option<String>,
}

impl std::fmt::Display for CanaryFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instance, place, version, why, left, .. } = self;
        write!(f, "canary {instance} in {place} from {version}: {why}")?;
        left.as_ref().map_or(Ok(()), |left| write!(f, "; it could not be terminated at once: {left}"))
    }
}

impl CanaryFailure {
    /// What to do next.
    pub(super) fn next(&self) -> String {
        if self.why.contains("Client.InternalError") {
            return format!(
                "EC2 gives this reason when the account may not use the KMS key of the image's snapshots: let it by a key policy or a grant ({})",
                self.place
            );
        }
        "mend the image or the launch template, and promote again".to_owned()
    }
}

/// Why one step failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer was not what it must be.
    #[error("{0}")]
    Refused(String),
    /// What was written could not be read back in time.
    #[error("{what} was asked for but does not show: {timed_out}")]
    NotSeen {
        /// What was written.
        what: String,
        /// How long it was waited.
        timed_out: TimedOut,
    },
    /// An instance that was launched to prove the release did not do it.
    #[error("{0}")]
    Canary(Box<CanaryFailure>),
    /// Somebody else holds the lock.
    #[error("locked by {holder} since {since}")]
    Locked {
        /// Host and process.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// Something changed between planning and locking.
    #[error("{0} changed since it was looked at")]
    Changed(&'static str),
}

/// A step that failed in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step.
    pub step: Step,
    /// `account/Region`; absent for what is about the whole promotion.
    pub place: Option<String>,
    /// Why.
    pub cause: StepError,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = self.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
        write!(f, "{place}{}: {}", describe_failure(self.step), self.cause)
    }
}

/// Why a channel was not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromoteError {
    /// The project has no such channel.
    #[error("the project has no channel `{channel}`; it has: {}", known.join(", "))]
    UnknownChannel {
        /// As asked for.
        channel: String,
        /// The project's, in order.
        known: Vec<String>,
    },
    /// Targets that could not be looked at: nothing is moved anywhere.
    #[error("{} of {of} targets could not be looked at, so nothing is moved anywhere: {}", left_out.len(), list(left_out))]
    Unseen {
        /// Which, and why.
        left_out: Vec<LeftOut>,
        /// How many there are.
        of: usize,
        /// Whether credentials or permissions are missing in one of them.
        denied: bool,
    },
    /// Another process has taken the lock before anything in use was changed.
    #[error("another process goes on with the promotion of channel `{channel}`: {cause}")]
    TakenOver {
        /// The channel.
        channel: String,
        /// Who.
        cause: StepError,
    },
    /// The environment names no target.
    #[error("the environment `{environment}` names no targets, so there is nothing to move")]
    NoTargets {
        /// The environment.
        environment: String,
    },
    /// The recipe names neither a launch template nor a parameter.
    #[error("recipe `{recipe}` names neither a launch template nor a parameter, so there is nothing to move")]
    NoPointers {
        /// The recipe.
        recipe: String,
    },
    /// The channel asks for a canary, and there is nothing to launch one from.
    #[error("channel `{channel}` asks for a canary, and {why}")]
    NoCanary {
        /// The channel.
        channel: String,
        /// Why there is none.
        why: String,
    },
    /// Evidence or verdicts do not allow it.
    #[error("{ami} is not approved: {reason}")]
    NotApproved {
        /// The image.
        ami: String,
        /// Why.
        reason: String,
    },
    /// A rule of the channel is not met.
    #[error("channel `{channel}` does not take {ami} yet: {missing}")]
    Rule {
        /// The channel.
        channel: String,
        /// The recipe.
        recipe: String,
        /// The image.
        ami: String,
        /// What is missing.
        missing: String,
    },
    /// The release was revoked.
    #[error("{ami} was revoked at {at} by {by}: {reason}")]
    Revoked {
        /// The image.
        ami: String,
        /// Its recipe.
        recipe: String,
        /// RFC 3339.
        at: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Nothing is known of a release of that name.
    #[error("no channel of {recipe} ({arch}) ever held the release {release}")]
    UnknownRelease {
        /// As asked for.
        release: String,
        /// Its recipe.
        recipe: String,
        /// Its architecture.
        arch: String,
    },
    /// More than one image has that name.
    #[error("{release} is the name of more than one release: {}", amis.join(", "))]
    Ambiguous {
        /// As asked for.
        release: String,
        /// Which.
        amis: Vec<String>,
    },
    /// Nothing is there to be restored.
    #[error("{ami} is not revoked")]
    NotRevoked {
        /// The image.
        ami: String,
    },
    /// A reason that is too long to be kept.
    #[error("the reason has {bytes} bytes; there is room for {most}")]
    LongReason {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Without the release a channel would have nothing to point at.
    #[error("without {ami} there is nothing to point at for channel {}", channels.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", "))]
    WouldBeEmpty {
        /// The image.
        ami: String,
        /// Which.
        channels: Vec<String>,
        /// Why earlier releases do not come into question, a line each.
        passed_over: Vec<String>,
    },
    /// Somebody else revokes or restores a release of the recipe.
    #[error("a release of {recipe} is being revoked or restored by {holder} since {since}")]
    Revoking {
        /// The recipe.
        recipe: String,
        /// Host and process.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// The AMI is gone or cannot be used.
    #[error("{ami} cannot be used: {reason}")]
    Image {
        /// The image.
        ami: String,
        /// Why.
        reason: String,
    },
    /// A key that an image is encrypted with cannot be used by those who are to launch or copy it.
    #[error("{ami} cannot be promoted: {why}")]
    Key {
        /// The image.
        ami: String,
        /// Why, with key and place.
        why: String,
        /// What to do.
        next: String,
        /// Whether the caller may not ask for it: it may be the caller who lacks something, and not the key.
        denied: bool,
    },
    /// There is nothing to go back to.
    #[error("channel `{channel}` has no earlier release to go back to")]
    NoEarlier {
        /// The channel.
        channel: String,
    },
    /// Nothing was promoted to the channel yet.
    #[error("nothing is promoted to channel `{channel}` yet: there is no parameter {parameter}")]
    NothingThere {
        /// The channel.
        channel: String,
        /// Its record.
        parameter: String,
    },
    /// Nobody says why.
    #[error("a reason is needed, for the record")]
    NoReason,
    /// The channel does not let its rules be passed over.
    #[error("channel `{channel}` does not allow --override")]
    OverrideForbidden {
        /// The channel.
        channel: String,
    },
    /// That release was never in the channel.
    #[error("channel `{channel}` never held the release {release}")]
    NeverThere {
        /// The channel.
        channel: String,
        /// As asked for.
        release: String,
    },
    /// Somebody else is at it.
    #[error("channel `{channel}` is locked by {holder} since {since}")]
    Locked {
        /// The channel.
        channel: String,
        /// Host and process.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// An earlier promotion was cut off.
    #[error("an earlier promotion of channel `{channel}` to {ami} was cut off ({holder}, {since})")]
    CutOff {
        /// The channel.
        channel: String,
        /// Where it was going.
        ami: String,
        /// Host and process.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// There is no cut-off promotion.
    #[error("there is nothing to resume in channel `{channel}`")]
    NothingToResume {
        /// The channel.
        channel: String,
    },
    /// What was cut off may not be finished any more.
    #[error("the promotion of channel `{channel}` that was cut off is not finished: {cause}")]
    NotResumed {
        /// The channel.
        channel: String,
        /// Why.
        cause: Box<PromoteError>,
    },
    /// A step failed and everything is as it was.
    #[error("{}: {cause}{}", describe_failure(*step), if restored.is_empty() { "; nothing was changed" } else { "; everything is as it was before" })]
    Failed {
        /// The step.
        step: Step,
        /// Why.
        cause: StepError,
        /// Where else something failed at the same time.
        others: Vec<Failure>,
        /// What was put back, one line each.
        restored: Vec<String>,
    },
    /// A step failed, and putting things back failed as well.
    #[error("{}: {cause}; putting things back failed, too: {undo}", describe_failure(*step))]
    Stuck {
        /// The step.
        step: Step,
        /// Why.
        cause: StepError,
        /// Where else something failed at the same time.
        others: Vec<Failure>,
        /// Why it could not be put back.
        undo: StepError,
        /// What was put back, one line each.
        restored: Vec<String>,
    },
    /// The channel was moved, but not everything was tidied up.
    #[error("the channel was moved, but {}: {cause}", describe_failure(*step))]
    Untidy {
        /// The step.
        step: Step,
        /// Why.
        cause: StepError,
    },
    /// A document of ours in a parameter cannot be read.
    #[error("the parameter {parameter} holds something this version cannot read: {reason}")]
    Unreadable {
        /// Its name.
        parameter: String,
        /// Why.
        reason: String,
    },
    /// A call failed before anything was begun.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl PromoteError {
    /// The same as the reason for which a cut-off promotion is not finished, if it is one.
    pub(crate) fn of_resuming(self, channel: &str) -> Self {
        match self {
            Self::Rule { .. } | Self::NotApproved { .. } | Self::OverrideForbidden { .. } => {
                Self::NotResumed { channel: channel.to_owned(), cause: Box::new(self) }
            }
            other => other,
        }
    }
}

fn list(left_out: &[LeftOut]) -> String {
    let one = |one: &LeftOut| format!("{}/{}", one.account, one.region);
    left_out.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What did not work, as the beginning of a sentence.
fn describe_failure(step: Step) -> &'static str {
    match step {
        Step::Lock => "the channel could not be locked",
        Step::Verify => "the channel could not be looked at under the lock",
        Step::Journal | Step::Note => "the journal could not be written",
        Step::Distribute(_) => "the image could not be brought to its target",
        Step::Stage(_) => "the launch template version could not be made",
        Step::Prove(_) => "the image could not be proven to be launchable",
        Step::Canary(_) => "the image did not prove itself in a launch",
        Step::Hold => "the lock was lost",
        Step::FlipTemplate(_) => "the launch template's default could not be moved",
        Step::FlipParameter(_) => "the parameter could not be written",
        Step::RemoveParameter(_) => "the parameter could not be removed",
        Step::Record => "the release could not be recorded",
        Step::Clear => "the journal could not be removed",
        Step::Unlock => "the lock could not be removed",
    }
}
