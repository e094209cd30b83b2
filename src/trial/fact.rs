//! What was real in a run and what was not, so that a test never claims more than it saw.

use crate::sandbox::{Instance, Network};
use serde::Serialize;
use std::fs;

/// Something that a machine has and an instance may lack. A gate can ask for it by name.
///
/// The sandbox itself is to tell these (`Instance::facts`); until it does, [`of`] is the only place that knows, and the
/// place to switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// One of [`NAMES`].
    pub name: &'static str,
    /// Whether it was the image's own.
    pub real: bool,
    /// Why it is not, or what it is.
    pub why: String,
}

/// The names that `--require` and gates know.
pub const NAMES: [&str; 4] = ["kernel", "boot-id", "metadata-service", "init"];

/// The facts of a running instance.
#[must_use]
pub fn of(instance: &Instance, network: Network) -> Vec<Fact> {
    // The instance's own /proc, looked at from outside.
    let first = fs::read_to_string(instance.root().join("proc/1/comm")).unwrap_or_default();
    facts(first.trim(), network)
}

fn facts(first: &str, network: Network) -> Vec<Fact> {
    let systemd = first == "systemd";
    let metadata = match network {
        Network::Host => "there is no instance metadata service at 169.254.169.254 here",
        Network::Loopback => "the instance has no network, and so no instance metadata service",
    };
    let init = if systemd {
        "process 1 is the image's systemd".to_owned()
    } else {
        "process 1 is amiforge's own, not the image's systemd: units, timers and services were not started".to_owned()
    };
    let fact = |name, real, why: &str| Fact { name, real, why: why.to_owned() };
    vec![
        fact("kernel", false, "the kernel is this machine's, not the image's: modules and sysctls cannot be judged"),
        fact(
            "boot-id",
            false,
            "a restart ends all processes and keeps /proc/sys/kernel/random/boot_id, which is this machine's",
        ),
        fact("metadata-service", false, metadata),
        fact("init", systemd, &init),
    ]
}

/// Those of the required facts that are not real, or not known at all: what is not known has not been seen.
#[must_use]
pub fn unmet(facts: &[Fact], required: &[String]) -> Vec<Fact> {
    let lacking = |name: &String| match facts.iter().find(|fact| fact.name == name) {
        Some(fact) if fact.real => None,
        Some(fact) => Some(fact.clone()),
        None => {
            let name = NAMES.into_iter().find(|known| known == name).unwrap_or("unknown");
            Some(Fact { name, real: false, why: "nothing was run, so nothing was seen of it".to_owned() })
        }
    };
    required.iter().filter_map(lacking).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_systemd_makes_the_first_process_real() {
        let real = |first| facts(first, Network::Host).into_iter().find(|fact| fact.name == "init").unwrap().real;
        assert!(real("systemd"));
        assert!(!real("amiforge") && !real(""));
        let names: Vec<&str> = facts("systemd", Network::Loopback).iter().map(|fact| fact.name).collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn what_was_not_seen_is_not_there() {
        let required = ["kernel".to_owned(), "init".to_owned()];
        let names = |facts: &[Fact]| unmet(facts, &required).iter().map(|fact| fact.name).collect::<Vec<_>>();
        assert_eq!(names(&facts("systemd", Network::Host)), ["kernel"]);
        assert_eq!(names(&[]), ["kernel", "init"]);
        assert!(unmet(&[], &[]).is_empty());
    }
}
