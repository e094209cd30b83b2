//! What an image should not carry: the rules, the script that looks, and how what it says is read. Pure.
//!
//! The script runs on a fresh instance, before anything else does. A booting instance makes host keys, a machine id, logs and
//! temporary files of its own, so for these rules only what was last written before process 1 of the instance was started
//! counts (patch-baselines.md 8.4). The component `hygiene` looks in the same way inside the build; this is the evidence of it.

mod read;

pub use read::read;

/// Version of the rules: evidence of another version was looked at in another way.
pub const VERSION: u32 = 1;

/// The script, for a POSIX shell on Linux with GNU findutils.
pub const SCRIPT: &str = include_str!("look.sh");

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name in policies and evidence.
    pub name: &'static str,
    /// `high`: whoever has the image gets in, or gets at a secret. `medium`: instances share what should be their own, or a door
    /// is open for who is in already. `low`: leftovers that tell about the build.
    pub severity: &'static str,
    /// Why what it finds should not be there.
    pub why: &'static str,
}

const fn rule(name: &'static str, severity: &'static str, why: &'static str) -> Rule {
    Rule { name, severity, why }
}

/// The rules, in alphabetical order.
pub const RULES: [Rule; 15] = [
    rule("agent-state", "medium", "instances would start with the state of the build instance's agent"),
    rule("authorized-keys", "high", "the holder of the key gets into every instance"),
    rule("build-leftovers", "low", "a leftover of the build"),
    rule("cloud-init", "medium", "the record of another instance, with its user data"),
    rule("credentials", "high", "a file that holds credentials"),
    rule("histories", "medium", "a history of what somebody typed or looked at"),
    rule("host-keys", "high", "every instance would have the same host key"),
    rule("logs", "low", "a log of another instance"),
    rule("machine-id", "medium", "every instance would have the same machine id"),
    rule("package-caches", "low", "what a package manager has fetched"),
    rule("passwords", "high", "a user with a password, or without any"),
    rule("private-keys", "high", "every instance would have the same private key"),
    rule("sudoers", "medium", "root without a password"),
    rule("swap", "medium", "memory of another instance may be in it"),
    rule("world-writable", "medium", "everybody may write to it"),
];

/// The rule of that name.
#[must_use]
pub fn rule_named(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
pub(crate) mod tests;
