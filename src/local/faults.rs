//! Faults on demand: throttling, failures, lost answers and an end of the world at the nth call.
//!
//! This is how every failure path of the program is tried without a network: the client sees what AWS would send.

use super::service::Service;
use super::wire::ServiceError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused because of too many calls; nothing is done.
    Throttle,
    /// The service fails; nothing is done.
    Fail,
    /// The caller may not do it; nothing is done.
    Deny,
    /// The work is done, but the caller gets a server error.
    LoseResponse,
    /// It is done, and answered that much later.
    Delay(Duration),
    /// It is done, and what it has begun fails in the end: the copy of an AMI, the start of an instance, an instance refresh.
    /// For what begins nothing it is no fault.
    Spoil,
    /// It is not done, and neither is any later call: the client's process might as well have ended before it.
    Stop,
    /// It is done and its answer lost, and no later call is done: the client's process might as well have ended
    /// right after it.
    StopAfter,
    /// This very process ends, as by SIGKILL, before it is done.
    Kill,
    /// It is done, and this very process ends before the answer is there.
    KillAfter,
}

/// Ends this process without letting it clean anything up.
pub(super) fn end_process() {
    use nix::sys::signal::{Signal, kill};
    // It cannot fail: a process may always signal itself.
    let _ = kill(nix::unistd::Pid::this(), Signal::SIGKILL);
}

/// In the extensions of a response: how much later it is to be handed on. Whoever called [`Local::handle`] waits, because
/// that does not know whose time it is.
///
/// [`Local::handle`]: super::Local::handle
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delay(pub(crate) Duration);

/// Decides about a call from service (`autoscaling`, `ec2`, `imagebuilder`, `ssm`, `sts`), operation, and its number counted from 1
/// since the plan was set. Repetitions by the SDK are calls of their own.
pub type FaultPlan = Box<dyn Fn(&str, &str, u64) -> Option<Fault> + Send + Sync>;

/// The plan in force.
#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    plan: Option<FaultPlan>,
    calls: u64,
    stopped: bool,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults")
    }
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        // A plan that panicked has left counters behind that are still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `plan` in force, counting from 1 again; `None` ends all faults.
    pub(super) fn set(&self, plan: Option<FaultPlan>) {
        *self.state() = State { plan, calls: 0, stopped: false };
    }

    /// What goes wrong with this call.
    pub(super) fn next(&self, service: &str, operation: &str) -> Option<Fault> {
        let mut state = self.state();
        if state.stopped {
            return Some(Fault::Stop);
        }
        state.plan.as_ref()?;
        state.calls += 1;
        let calls = state.calls;
        let fault = state.plan.as_ref().and_then(|plan| plan(service, operation, calls));
        state.stopped = matches!(fault, Some(Fault::Stop | Fault::StopAfter));
        fault
    }
}

/// The error with which `service` throttles (image-builder.md section 4 for Image Builder).
pub(super) fn throttled(service: Service) -> ServiceError {
    let (status, code) = match service {
        Service::ImageBuilder => (429, "CallRateLimitExceededException"),
        Service::Inspector => (429, "ThrottlingException"),
        Service::Ec2 => (503, "RequestLimitExceeded"),
        Service::S3 => (503, "SlowDown"),
        Service::Kms | Service::Ssm => (400, "ThrottlingException"),
        Service::AutoScaling | Service::Sts => (400, "Throttling"),
    };
    ServiceError::new(status, code, "Rate exceeded (a fault that was asked for)")
}

/// The error with which `service` says that the caller may not do it.
pub(super) fn denied(service: Service) -> ServiceError {
    let (status, code) = match service {
        Service::ImageBuilder | Service::Inspector => (403, "AccessDeniedException"),
        Service::Ec2 => (403, "UnauthorizedOperation"),
        Service::Kms | Service::Ssm => (400, "AccessDeniedException"),
        Service::AutoScaling | Service::S3 | Service::Sts => (403, "AccessDenied"),
    };
    ServiceError::new(status, code, "You are not authorized to perform this operation (a fault that was asked for)")
}

/// The error with which `service` fails.
pub(super) fn failed(service: Service) -> ServiceError {
    let code = match service {
        Service::ImageBuilder => "ServiceException",
        Service::Inspector => "InternalServerException",
        Service::Ec2 | Service::S3 => "InternalError",
        Service::Kms => "KMSInternalException",
        Service::Ssm => "InternalServerError",
        Service::AutoScaling | Service::Sts => "InternalFailure",
    };
    ServiceError::new(500, code, "An internal error has occurred (a fault that was asked for)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_plan_nothing_goes_wrong() {
        assert_eq!(Faults::default().next("ec2", "DescribeImages"), None);
    }

    #[test]
    fn calls_are_counted_from_one_since_the_plan() {
        let faults = Faults::default();
        faults.set(Some(Box::new(|_, operation, nth| {
            (operation == "CreateTags" && nth == 2).then_some(Fault::Throttle)
        })));
        assert_eq!(faults.next("ec2", "CreateTags"), None);
        assert_eq!(faults.next("ec2", "CreateTags"), Some(Fault::Throttle));
        assert_eq!(faults.next("ec2", "CreateTags"), None);
        faults.set(None);
        assert_eq!(faults.next("ec2", "CreateTags"), None);
    }

    #[test]
    fn after_a_stop_nothing_is_done_until_the_next_plan() {
        for stop in [Fault::Stop, Fault::StopAfter] {
            let faults = Faults::default();
            faults.set(Some(Box::new(move |_, _, nth| (nth == 1).then_some(stop))));
            assert_eq!(faults.next("ssm", "PutParameter"), Some(stop));
            assert_eq!(faults.next("ssm", "GetParameter"), Some(Fault::Stop));
            faults.set(None);
            assert_eq!(faults.next("ssm", "GetParameter"), None);
        }
    }
}
