//! What apt says, and what we say, in the same words.

use amiforge::patch::{
    Baseline, Context, DebianVersion, Inventory, OperatingSystem, Settings, State, evaluate, predefined,
};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;
use time::OffsetDateTime;

/// A new version of an installed package. A package for all architectures is one of the system's own to apt, whose next
/// version may be built per architecture (patch-baselines.md 4.5: "per architecture").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upgrade {
    pub name: String,
    pub arch: String,
    pub version: String,
}

pub type Upgrades = BTreeSet<Upgrade>;

impl fmt::Debug for Upgrade {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{}:{} {}", self.name, self.arch, self.version)
    }
}

impl Upgrade {
    pub fn new(name: &str, arch: &str, version: &str) -> Self {
        let arch = if arch == "all" { "amd64" } else { arch };
        Self { name: name.to_owned(), arch: arch.to_owned(), version: plain(version) }
    }
}

/// One text for all that are the same version by the order of dpkg (patch-baselines.md 9.3: `0:1.00-0` is `1.0`): which of
/// them is shown is nobody's promise.
fn plain(version: &str) -> String {
    let version = version.strip_prefix("0:").unwrap_or(version);
    let mut plain = String::new();
    for letter in version.chars() {
        let zero = plain.ends_with('0') && !plain.trim_end_matches('0').ends_with(|c: char| c.is_ascii_digit());
        if zero && letter.is_ascii_digit() {
            plain.pop();
        }
        plain.push(letter);
    }
    plain.strip_suffix("-0").map_or_else(|| plain.clone(), str::to_owned)
}

/// A line of `apt list --upgradable`.
pub struct Listed {
    pub upgrade: Upgrade,
    /// The suites that have the version.
    pub suites: Vec<String>,
}

/// Reads `bash/stable,stable-security 5.2-2 amd64 [upgradable from: 5.2-1]`.
///
/// A line whose two versions are the same, by the order of dpkg (patch-baselines.md 9.3), is left out: to apt the same
/// version of another architecture, or in other letters (`0:1.0` for `1.0`), is a replacement, and to nobody a patch.
pub fn listed(text: &str) -> Vec<Listed> {
    let read = |line: &str| {
        let (before, from) = line.split_once(" [upgradable from: ")?;
        let from = from.strip_suffix(']')?;
        let (name, rest) = before.split_once('/')?;
        let words: Vec<&str> = rest.split(' ').collect();
        let [suites, version, arch] = words[..] else { panic!("not understood: {line}") };
        let suites = suites.split(',').map(str::to_owned).collect();
        (!is_same(version, from)).then(|| Listed { upgrade: Upgrade::new(name, arch, version), suites })
    };
    text.lines().filter_map(read).collect()
}

fn is_same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| text.parse::<DebianVersion>().unwrap());
    one == other
}

pub fn upgrades(listed: &[Listed]) -> Upgrades {
    listed.iter().map(|one| one.upgrade.clone()).collect()
}

/// Reads the lines `Inst bash:i386 [5.2-1] (5.2-2 Debian:bookworm [i386])` of a simulation: packages that are installed
/// and get another version.
pub fn simulated(text: &str) -> Upgrades {
    let read = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" [")?;
        let (old, rest) = rest.split_once("] (")?;
        let (new, _) = rest.split_once(' ')?;
        let arch = rest.split_once(" [")?.1.split(']').next()?;
        let name = name.split(':').next()?;
        (!is_same(old, new)).then(|| Upgrade::new(name, arch, new))
    };
    text.lines().filter_map(read).collect()
}

/// apt of this machine on a system of its own in `dir`; `more` are options before its command.
pub fn run(program: &str, dir: &Path, more: &[String], command: &[&str]) -> String {
    let inside = |name: &str, path: &str| format!("-o{name}={}", dir.join(path).display());
    let output = Command::new(program)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("APT_CONFIG", "/dev/null")
        .args([inside("Dir::Etc", "etc/apt"), inside("Dir::State", "."), inside("Dir::State::lists", "lists")])
        .args([inside("Dir::State::status", "status"), inside("Dir::Cache", "cache")])
        .args(["-oAPT::Architecture=amd64", "-oAPT::Architectures::=amd64", "-oAPT::Architectures::=i386"])
        .args(["-oDebug::NoLocking=true", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="])
        .args(more)
        .args(command)
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let errors: Vec<&str> = complained.lines().filter(|line| line.starts_with("E:")).collect();
    assert!(output.status.success() && errors.is_empty(), "{program} {command:?}: {said}\n{complained}");
    said
}

/// The baseline of AWS: security updates of every priority.
pub fn security_only(system: OperatingSystem) -> Baseline {
    let name = match system {
        OperatingSystem::Ubuntu => "AWS-UbuntuDefaultPatchBaseline",
        _ => "AWS-DebianDefaultPatchBaseline",
    };
    predefined(name).unwrap()
}

/// Everything is approved, security or not.
pub fn everything(system: OperatingSystem) -> Baseline {
    let mut baseline = security_only(system);
    baseline.rules[0].enable_non_security = true;
    baseline.rules[0].filters = vec![];
    baseline
}

/// What we say is missing.
pub fn missing(baseline: &Baseline, inventory: &Inventory, settings: Settings) -> Upgrades {
    // No date counts on APT systems (patch-baselines.md 1.5).
    let context = Context { settings, ..Context::new(OffsetDateTime::UNIX_EPOCH) };
    let evaluation = evaluate(baseline, inventory, &context).unwrap_or_else(|error| panic!("{error}"));
    let missing = evaluation.patches.iter().filter(|patch| patch.state == State::Missing);
    missing.map(|patch| Upgrade::new(&patch.name, &patch.arch, patch.available.as_deref().unwrap())).collect()
}

/// Panics with both halves of a difference.
pub fn assert_same(what: &str, ours: &Upgrades, theirs: &Upgrades) {
    let (only_ours, only_theirs): (Vec<_>, Vec<_>) =
        (ours.difference(theirs).collect(), theirs.difference(ours).collect());
    assert!(ours == theirs, "{what}: only ours: {only_ours:?}; only theirs: {only_theirs:?}");
}
