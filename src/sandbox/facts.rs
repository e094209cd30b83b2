//! What is real in an instance, and what is not.

use super::{First, Network, init};

/// The kernel and its modules.
pub const KERNEL: &str = "kernel";
/// Settings of the kernel, as `sysctl` shows them.
pub const SYSCTL: &str = "sysctl";
/// The id that a kernel gives to each of its starts.
pub const BOOT_ID: &str = "boot-id";
/// How long the machine has been up, as `uptime` tells it.
pub const UPTIME: &str = "uptime";
/// Processors, memory, disks and other devices.
pub const HARDWARE: &str = "hardware";
/// The clock and what keeps it right.
pub const CLOCK: &str = "clock";
/// The metadata service of EC2, and with it cloud-init.
pub const METADATA_SERVICE: &str = "metadata-service";
/// Process 1 and with it services, timers, sockets and their restarts.
pub const INIT: &str = "init";
/// Units of the image that are masked for as long as the instance runs.
pub const UNITS: &str = "units";
/// Network interfaces, addresses and ports.
pub const NETWORK: &str = "network";

/// All names, in the order in which facts are told.
pub const NAMES: [&str; 10] =
    [KERNEL, SYSCTL, BOOT_ID, UPTIME, HARDWARE, CLOCK, METADATA_SERVICE, INIT, UNITS, NETWORK];

/// Something about a run that a test may depend on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fact {
    /// One of the constants of this module: `kernel`, `init` …
    pub name: &'static str,
    /// Whether it is as it would be on a machine that runs the image.
    pub real: bool,
    /// Why it is, or is not: one clause.
    pub why: String,
}

/// The facts of an instance with that process 1 and network; `outbound` is a network of its own with a way out. A check of something that is not real proves nothing.
pub(super) fn facts(first: First, network: Network, outbound: bool) -> Vec<Fact> {
    let unreal = |name, why: &str| Fact { name, real: false, why: why.to_owned() };
    let init = match first {
        First::System => Fact { name: INIT, real: true, why: "the image's own systemd is process 1".into() },
        First::Ours => unreal(INIT, "process 1 is amiforge's own: no service is started, and a restart only ends all"),
    };
    let masked = init::masked_units(network == Network::Host).join(", ");
    let units = match first {
        First::System => unreal(UNITS, &format!("masked, because they cannot work here or only cost time: {masked}")),
        First::Ours => unreal(UNITS, "none is started"),
    };
    let network = match network {
        Network::Host if outbound => "it is the instance's own, and what leaves it does so by slirp4netns",
        Network::Host => "interfaces, addresses and ports are the host's",
        Network::Loopback => "there is a loopback interface and nothing else",
    };
    vec![
        unreal(KERNEL, "it is the host's; the image's own kernel does not run"),
        unreal(SYSCTL, "settings of the kernel are the host's and cannot be changed"),
        unreal(BOOT_ID, "it is made up, and new at each start"),
        unreal(UPTIME, "it is the host's"),
        unreal(HARDWARE, "devices are the host's, and only harmless ones are shown"),
        unreal(CLOCK, "it is the host's and cannot be set; time services do not run"),
        unreal(METADATA_SERVICE, "there is none, and cloud-init is switched off"),
        init,
        units,
        unreal(NETWORK, network),
    ]
}

/// The facts of a machine that runs the image's own kernel in an emulator, with these units masked.
pub(super) fn of_machine(kernel: &str, offline: bool, masked: &[&str]) -> Vec<Fact> {
    let fact = |name, real, why: String| Fact { name, real, why };
    let network = if offline {
        "there is a loopback interface and nothing else"
    } else {
        "it is the emulator's: another interface than on EC2, its address was set before, and 10.0.2.2 is this machine"
    };
    vec![
        fact(KERNEL, true, format!("the image's own kernel {kernel} runs")),
        fact(SYSCTL, true, "settings are those of the image's own kernel".into()),
        fact(BOOT_ID, true, "each start of the kernel has its own".into()),
        fact(UPTIME, true, "it is the machine's own".into()),
        fact(HARDWARE, false, "devices are the emulator's, not those of an instance of EC2".into()),
        fact(CLOCK, true, "it is the machine's own".into()),
        fact(METADATA_SERVICE, false, "there is none, and cloud-init is switched off".into()),
        fact(INIT, true, "the image's own systemd is process 1".into()),
        fact(UNITS, false, format!("masked, because they cannot work here or only cost time: {}", masked.join(", "))),
        fact(NETWORK, false, network.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_is_real_with_the_images_own_systemd_only() {
        let real = |first| -> Vec<&str> {
            facts(first, Network::Host, false).into_iter().filter(|fact| fact.real).map(|fact| fact.name).collect()
        };
        assert_eq!(real(First::System), [INIT]);
        assert!(real(First::Ours).is_empty());
    }

    #[test]
    fn names_are_unique_and_reasons_are_given() {
        let facts = facts(First::Ours, Network::Loopback, false);
        let names: std::collections::BTreeSet<&str> = facts.iter().map(|fact| fact.name).collect();
        assert_eq!(names.len(), facts.len());
        assert_eq!(facts.iter().map(|fact| fact.name).collect::<Vec<_>>(), NAMES);
        assert!(facts.iter().all(|fact| !fact.why.is_empty()));
        let machine = of_machine("6.1.0", true, &["a.service"]);
        assert_eq!(machine.iter().map(|fact| fact.name).collect::<Vec<_>>(), NAMES);
    }
}
