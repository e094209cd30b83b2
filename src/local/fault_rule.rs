//! Faults as they are asked for on a command line: `SERVICE:OPERATION:KIND[@N]`.

use super::faults::{Fault, FaultPlan};
use super::service::operations;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands for every service or operation.
const ANY: &str = "*";

/// What goes wrong with which calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    service: String,
    operation: String,
    fault: Fault,
    /// The only call it concerns, counted from 1 among those of the operation; absent: all of them.
    nth: Option<u64>,
}

/// Why a text is no [`FaultRule`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultRuleError {
    /// The parts are not there.
    #[error("`{0}` is not SERVICE:OPERATION:KIND or SERVICE:OPERATION:KIND@N")]
    Form(String),
    /// Such calls never come.
    #[error("the local environment has no operation {operation} of {service}; `*` stands for every one")]
    Operation {
        /// Service as given.
        service: String,
        /// Operation as given.
        operation: String,
    },
    /// The kind is none.
    #[error(
        "`{0}` is no kind of fault: throttle, fail, deny, lose-response, spoil, stop, stop-after, kill, kill-after and \
         delay=DURATION are"
    )]
    Kind(String),
    /// The number is none.
    #[error("`{0}` is not the number of a call, counted from 1")]
    Number(String),
}

impl FromStr for FaultRule {
    type Err = FaultRuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(3, ':').collect();
        let [service, operation, kind] = parts[..] else { return Err(FaultRuleError::Form(text.to_owned())) };
        let fits = |wanted: &str, name: &str| wanted == ANY || wanted == name;
        if !operations().iter().any(|(of, name)| fits(service, of) && fits(operation, name)) {
            return Err(FaultRuleError::Operation { service: service.to_owned(), operation: operation.to_owned() });
        }
        let (kind, nth) = match kind.split_once('@') {
            None => (kind, None),
            Some((kind, number)) => {
                let nth = number.parse().ok().filter(|nth| *nth > 0);
                (kind, Some(nth.ok_or_else(|| FaultRuleError::Number(number.to_owned()))?))
            }
        };
        let fault = fault(kind).ok_or_else(|| FaultRuleError::Kind(kind.to_owned()))?;
        Ok(Self { service: service.to_owned(), operation: operation.to_owned(), fault, nth })
    }
}

fn fault(kind: &str) -> Option<Fault> {
    if let Some(time) = kind.strip_prefix("delay=") {
        return humantime::parse_duration(time).ok().map(Fault::Delay);
    }
    Some(match kind {
        "throttle" => Fault::Throttle,
        "fail" => Fault::Fail,
        "deny" => Fault::Deny,
        "lose-response" => Fault::LoseResponse,
        "spoil" => Fault::Spoil,
        "stop" => Fault::Stop,
        "stop-after" => Fault::StopAfter,
        "kill" => Fault::Kill,
        "kill-after" => Fault::KillAfter,
        _ => return None,
    })
}

impl FaultRule {
    /// The plan of several rules: the first that concerns a call decides. Each counts the calls it could concern.
    #[must_use]
    pub fn plan(rules: Vec<Self>) -> FaultPlan {
        let rules: Vec<(Self, AtomicU64)> = rules.into_iter().map(|rule| (rule, AtomicU64::new(0))).collect();
        Box::new(move |service, operation, _| {
            let mut decided = None;
            for (rule, seen) in &rules {
                let fits = |wanted: &str, name: &str| wanted == ANY || wanted == name;
                if !fits(&rule.service, service) || !fits(&rule.operation, operation) {
                    continue;
                }
                let number = seen.fetch_add(1, Ordering::Relaxed) + 1;
                if rule.nth.is_none_or(|nth| nth == number) {
                    decided = decided.or(Some(rule.fault));
                }
            }
            decided
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn rules_are_read() {
        let rule: FaultRule = "ec2:DescribeImages:delay=1500ms@2".parse().unwrap();
        assert_eq!((rule.fault, rule.nth), (Fault::Delay(Duration::from_millis(1500)), Some(2)));
        for (kind, fault) in [
            ("throttle", Fault::Throttle),
            ("fail", Fault::Fail),
            ("lose-response", Fault::LoseResponse),
            ("spoil", Fault::Spoil),
            ("deny", Fault::Deny),
            ("stop", Fault::Stop),
            ("stop-after", Fault::StopAfter),
            ("kill", Fault::Kill),
            ("kill-after", Fault::KillAfter),
        ] {
            let rule: FaultRule = format!("*:*:{kind}").parse().unwrap();
            assert_eq!((rule.fault, rule.nth), (fault, None));
        }
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for (text, said) in [
            ("ec2:DescribeImages", "is not SERVICE:OPERATION:KIND"),
            ("ec2:DescribeImage:fail", "no operation DescribeImage of ec2"),
            ("sns:*:fail", "no operation * of sns"),
            ("ec2:*:explode", "`explode` is no kind of fault"),
            ("ec2:*:delay=soon", "`delay=soon` is no kind of fault"),
            ("ec2:*:fail@0", "`0` is not the number of a call"),
        ] {
            let error = text.parse::<FaultRule>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn each_rule_counts_its_own_calls() {
        let rules = ["ssm:PutParameter:fail@2", "ec2:*:throttle@1", "*:PutParameter:stop@3"];
        let plan = FaultRule::plan(rules.iter().map(|rule| rule.parse().unwrap()).collect());
        assert_eq!(plan("ssm", "PutParameter", 1), None);
        assert_eq!(plan("ec2", "DescribeImages", 2), Some(Fault::Throttle));
        assert_eq!(plan("ssm", "PutParameter", 3), Some(Fault::Fail));
        assert_eq!(plan("ec2", "DescribeImages", 4), None);
        assert_eq!(plan("ssm", "PutParameter", 5), Some(Fault::Stop));
    }
}
