//! dnf against the evaluator, on repositories with advisories made of dice.

use crate::dice::{Dice, every_round, rounds, seed};
use crate::harness::{Test, folder};
use crate::rpm_world::{Reader, World};
use amiforge::patch::{
    Approval, Baseline, Context, Evr, Filter, FilterKey, Inventory, MissingSeverity, OperatingSystem, Settings, State,
    evaluate, predefined,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use time::macros::datetime;

pub const TESTS: &[Test] = &[("dnf_agrees_on_generated_repositories", agrees)];

/// Name and architecture: what a patch is (patch-baselines.md 4.4).
type Key = (String, String);
/// The version that is missing of each.
type Missing = BTreeMap<Key, String>;
type Ids = BTreeMap<Key, BTreeSet<String>>;

const RHEL: (&str, &str, &str) = ("rhel", "9.4", "Red Hat Enterprise Linux");
const ALMA: (&str, &str, &str) = ("almalinux", "9.4", "AlmaLinux");
const SEVERITIES: [&str; 4] = ["Critical", "Important", "Moderate", "Low"];
const KINDS: [&str; 4] = ["security", "bugfix", "enhancement", "newpackage"];

/// What was compared: comparisons, patches that were missing in them, and what was different by which rule.
#[derive(Default)]
struct Count {
    comparisons: usize,
    missing: usize,
    explained: BTreeMap<&'static str, usize>,
}

impl Count {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, ours: &BTreeMap<Key, T>, theirs: &BTreeMap<Key, T>) {
        let only = |a: &BTreeMap<Key, T>, b: &BTreeMap<Key, T>| -> Vec<String> {
            a.iter().filter(|(key, value)| b.get(*key) != Some(value)).map(|one| format!("{one:?}")).collect()
        };
        assert!(ours == theirs, "{what}: only ours: {:?}; only dnf: {:?}", only(ours, theirs), only(theirs, ours));
        self.comparisons += 1;
        self.missing += ours.len();
    }

    fn explain(&mut self, rule: &'static str, times: usize) {
        *self.explained.entry(rule).or_default() += times;
    }
}

fn agrees() {
    let rounds = rounds(40);
    let counts = every_round(rounds, |round| {
        let dir = folder("rpm-");
        let world = World::generate(&mut Dice::of_round(round));
        let what = format!("seed {}, round {round}", seed());
        let mut count = Count::default();
        // Every fourth world is about advisories without a severity.
        if round % 4 == 3 {
            without_severity(&what, &dir, &world, &mut count);
        } else {
            all(&what, &dir, &world, &mut count);
        }
        fs::remove_dir_all(dir).unwrap();
        count
    });
    let mut all = Count::default();
    for count in counts {
        all.comparisons += count.comparisons;
        all.missing += count.missing;
        for (rule, times) in count.explained {
            all.explain(rule, times);
        }
    }
    println!(
        "    {rounds} pairs of repositories, {} comparisons with dnf, {} patches in them",
        all.comparisons, all.missing
    );
    for (rule, times) in &all.explained {
        println!("    by rule apart: {times:>5} {rule}");
    }
    assert!(rounds < 20 || all.missing > 40 * rounds, "there was hardly anything to compare");
}

/// dnf on one system.
struct Dnf {
    said: Vec<(Vec<String>, i32, String)>,
}

impl Dnf {
    /// Runs all command lines, each as a command of its own.
    fn run(dir: &Path, lines: &[&[&str]]) -> Self {
        let mut python = Command::new("/usr/bin/python3");
        let script = include_str!("dnf.py");
        python.args(["-c", script]).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        python.env("HOME", dir.join("home")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let root = format!("--installroot={}", dir.join("root").display());
        let settings = dir.join("dnf.conf");
        let before = ["-q", "-c", settings.to_str().unwrap(), &root, "--releasever=9"];
        for line in lines {
            let words: Vec<&str> = before.iter().chain(line.iter()).copied().collect();
            writeln!(input, "{}", serde_json::to_string(&words).unwrap()).unwrap();
        }
        drop(input);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), lines.len(), "{text}; dnf comes with scripts/test-prerequisites");
        let said = text.lines().zip(lines).map(|(said, line)| {
            let said: serde_json::Value = serde_json::from_str(said).unwrap();
            let code = i32::try_from(said["code"].as_i64().unwrap()).unwrap();
            (line.iter().map(|word| (*word).to_owned()).collect(), code, said["said"].as_str().unwrap().to_owned())
        });
        Self { said: said.collect() }
    }

    fn of(&self, line: &[&str]) -> &str {
        let (_, code, said) = self.said.iter().find(|(words, ..)| words == line).unwrap();
        let expected = if line[0] == "check-update" { [0, 100] } else { [0, 0] };
        assert!(expected.contains(code), "{line:?}: {said}");
        said
    }

    /// `name.arch  version  repository`.
    fn check_update(&self, line: &[&str]) -> Missing {
        let read = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [id, version, _] = words[..] else { return None };
            let (name, arch) = id.rsplit_once('.').unwrap();
            Some(((name.to_owned(), arch.to_owned()), full(version)))
        };
        self.of(line).lines().filter_map(read).collect()
    }

    /// What the repositories have.
    fn available(&self) -> BTreeSet<(Key, String)> {
        let read = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [name, arch, version] = words[..] else { panic!("not understood: {line}") };
            ((name.to_owned(), arch.to_owned()), full(version))
        };
        self.of(AVAILABLE).lines().filter(|line| !line.is_empty()).map(read).collect()
    }

    /// The very versions that advisories name and the repositories have. (`dnf repoquery --security` is not that: it takes
    /// the next newer version for one that is gone.)
    fn named(&self, line: &[&str], label: impl Fn(&str) -> bool) -> Vec<(Key, String)> {
        let available = self.available();
        let named = self.advisories(line).into_iter().filter(|(_, of, ..)| label(of)).map(|(_, _, key, v)| (key, v));
        named.filter(|one| available.contains(one)).collect()
    }

    /// `FIX-2026:0001 Important/Sec. name-version-release.arch`: id, label, patch and version.
    fn advisories(&self, line: &[&str]) -> Vec<(String, String, Key, String)> {
        let read = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [id, label, nevra] = words[..] else { panic!("not understood: {line}") };
            let (rest, arch) = nevra.rsplit_once('.').unwrap();
            let (rest, release) = rest.rsplit_once('-').unwrap();
            let (name, version) = rest.rsplit_once('-').unwrap();
            let key = (name.to_owned(), arch.to_owned());
            (id.to_owned(), label.to_owned(), key, full(&format!("{version}-{release}")))
        };
        self.of(line).lines().filter(|line| !line.is_empty()).map(read).collect()
    }
}

/// With the epoch, as reports have it.
fn full(version: &str) -> String {
    if version.contains(':') { version.to_owned() } else { format!("0:{version}") }
}

fn evr(version: &str) -> Evr {
    version.parse().unwrap()
}

const MOVED: &str = "the architecture changes with the version (4.4: a patch is a name and an architecture)";
const AVAILABLE: &[&str] = &["repoquery", "--available", "--qf=%{name} %{arch} %{epoch}:%{version}-%{release}"];

/// A baseline of one rule: approved at once, whatever these filters pass.
fn baseline(system: OperatingSystem, filters: &[(FilterKey, &str)], everything: bool) -> Baseline {
    let name = match system {
        OperatingSystem::AlmaLinux => "AWS-AlmaLinuxDefaultPatchBaseline",
        _ => "AWS-RedHatDefaultPatchBaseline",
    };
    let mut baseline = predefined(name).unwrap();
    baseline.rules.truncate(1);
    let rule = &mut baseline.rules[0];
    rule.filters = filters.iter().map(|(key, value)| Filter { key: *key, values: vec![(*value).into()] }).collect();
    rule.approval = Approval::AfterDays(0);
    rule.enable_non_security = everything;
    baseline
}

/// What we say is missing; with the ids of the advisories about each, and of their CVEs.
fn missing(baseline: &Baseline, inventory: &Inventory, missing_severity: MissingSeverity) -> (Missing, [Ids; 2]) {
    let settings = Settings { missing_severity, ..Settings::default() };
    let context = Context { settings, ..Context::new(datetime!(2040-01-01 0:00 UTC)) };
    let evaluation = evaluate(baseline, inventory, &context).unwrap_or_else(|error| panic!("{error}"));
    let (mut missing, mut ids) = (Missing::new(), [Ids::new(), Ids::new()]);
    for patch in evaluation.patches.into_iter().filter(|patch| patch.state == State::Missing) {
        let key = (patch.name, patch.arch);
        for (ids, found) in ids.iter_mut().zip([patch.advisories, patch.cves]) {
            if !found.is_empty() {
                ids.insert(key.clone(), found.into_iter().collect());
            }
        }
        missing.insert(key, patch.available.unwrap());
    }
    (missing, ids)
}

/// The highest installed version of each patch.
fn present(inventory: &Inventory) -> Missing {
    let mut present = Missing::new();
    for package in &inventory.installed {
        let known =
            present.entry((package.name.clone(), package.arch.clone())).or_insert_with(|| package.version.clone());
        if evr(known) < evr(&package.version) {
            known.clone_from(&package.version);
        }
    }
    present
}

/// Of versions that count, the highest that is newer than what is installed (patch-baselines.md 4.4).
fn newest<'a>(present: &Missing, versions: impl IntoIterator<Item = &'a (Key, String)>) -> Missing {
    let mut newest = Missing::new();
    for (key, version) in versions {
        let than = newest.get(key).or_else(|| present.get(key));
        if than.is_some_and(|than| evr(than) < evr(version)) {
            newest.insert(key.clone(), version.clone());
        }
    }
    newest
}

/// Everything but advisories without severity.
fn all(what: &str, dir: &Path, world: &World, count: &mut Count) {
    world.write(dir, Reader::Dnf);
    let inventory = world.inventory(dir, RHEL);
    let kinds = KINDS.map(|kind| format!("--{kind}"));
    let severities = SEVERITIES.map(|severity| format!("--sec-severity={severity}"));
    let words: Vec<&str> = kinds.iter().chain(&severities).map(String::as_str).collect();
    let advised: Vec<[&str; 3]> = words.iter().map(|word| ["updateinfo", "list", word]).collect();
    let checks: Vec<[&str; 2]> = words.iter().map(|word| ["check-update", word]).collect();
    let mut lines: Vec<&[&str]> = vec![&["check-update"], AVAILABLE, &["updateinfo", "list"]];
    lines.push(&["updateinfo", "list", "--with-cve"]);
    lines.extend(advised.iter().map(<[&str; 3]>::as_slice));
    lines.extend(checks.iter().map(<[&str; 2]>::as_slice));
    let dnf = Dnf::run(dir, &lines);
    everything(what, &inventory, &dnf, count);
    let alma = world.inventory(dir, ALMA);
    let (present, newest_of_all) = (present(&inventory), dnf.check_update(&["check-update"]));
    let fails = MissingSeverity::Fails;
    for (at, word) in words.iter().enumerate() {
        let filter = if at < KINDS.len() {
            (FilterKey::Classification, KINDS[at])
        } else {
            (FilterKey::Severity, SEVERITIES[at - KINDS.len()])
        };
        let (ours, _) = missing(&baseline(OperatingSystem::RedHatEnterpriseLinux, &[filter], false), &inventory, fails);
        let named = dnf.named(&["updateinfo", "list", word], |_| true);
        count.same(&format!("{what}, {word}"), &ours, &newest(&present, &named));
        let (by_alma, _) = missing(&baseline(OperatingSystem::AlmaLinux, &[filter], false), &alma, fails);
        let checked = dnf.check_update(&["check-update", word]);
        check_update(
            &format!("{what}, check-update {word}"),
            &present,
            [&ours, &by_alma, &checked, &newest_of_all],
            count,
        );
    }
    both_filters(what, &inventory, &dnf, count);
}

/// With everything approved: the newest version of everything, and all that is said of it.
fn everything(what: &str, inventory: &Inventory, dnf: &Dnf, count: &mut Count) {
    let system = OperatingSystem::RedHatEnterpriseLinux;
    let (ours, [ids, cves]) = missing(&baseline(system, &[], true), inventory, MissingSeverity::default());
    let present = present(inventory);
    let mut theirs = dnf.check_update(&["check-update"]);
    let before = theirs.len();
    // Each architecture is a patch of its own: what becomes noarch, or stops being it, is another one (4.4).
    theirs.retain(|key, _| present.contains_key(key));
    count.explain(
        "the architecture changes with the version (4.4: a patch is a name and an architecture)",
        before - theirs.len(),
    );
    count.same(&format!("{what}, everything"), &ours, &theirs);
    // And the highest of all versions that there are.
    let available = dnf.available();
    count.same(&format!("{what}, available"), &ours, &newest(&present, &available));
    for (found, line) in [(ids, &["updateinfo", "list"] as &[&str]), (cves, &["updateinfo", "list", "--with-cve"])] {
        let mut theirs = Ids::new();
        // What is listed with CVEs are all references but those of Bugzilla.
        let listed = dnf.advisories(line).into_iter().filter(|(id, ..)| line.len() == 2 || id.starts_with("CVE-"));
        for (id, _, key, version) in listed {
            if ours.get(&key).is_some_and(|best| evr(&version) <= evr(best)) {
                theirs.entry(key).or_default().insert(id);
            } else {
                count.explain("the advisory is about a version that is newer than all there are (3.4)", 1);
            }
        }
        count.same(&format!("{what}, {line:?}"), &found, &theirs);
    }
}

/// Both filters at once. dnf takes either where it is given both; its list of advisories shows both of each.
fn both_filters(what: &str, inventory: &Inventory, dnf: &Dnf, count: &mut Count) {
    for severity in SEVERITIES {
        let filters = [(FilterKey::Classification, "Security"), (FilterKey::Severity, severity)];
        let baseline = baseline(OperatingSystem::RedHatEnterpriseLinux, &filters, false);
        let (ours, _) = missing(&baseline, inventory, MissingSeverity::Fails);
        let label = format!("{severity}/Sec.");
        let named = dnf.named(&["updateinfo", "list"], |of| of == label);
        count.same(&format!("{what}, {label}"), &ours, &newest(&present(inventory), &named));
    }
}

/// `dnf check-update` with a filter: it takes the newest version there is, as soon as an advisory of the kind is about one
/// between the installed and that, whether it is still there or not.
fn check_update(what: &str, present: &Missing, [ours, alma, dnf, newest]: [&Missing; 4], count: &mut Count) {
    let mut dnf = dnf.clone();
    let before = dnf.len();
    dnf.retain(|key, _| present.contains_key(key));
    count.explain(MOVED, before - dnf.len());
    assert!(dnf.iter().all(|(key, version)| newest.get(key) == Some(version)), "{what}: {dnf:?} {newest:?}");
    // So do AlmaLinux and Rocky Linux with what is said of a version that is gone (3.4): the same patches are missing.
    let keys = |missing: &Missing| -> Missing { missing.keys().map(|key| (key.clone(), String::new())).collect() };
    count.same(&format!("{what}, AlmaLinux"), &keys(alma), &keys(&dnf));
    // A version that an advisory names and that is there is approved itself, and nothing newer with it (4.4).
    let lower = alma.iter().filter(|(key, version)| evr(version) < evr(&dnf[*key])).count();
    assert!(alma.iter().all(|(key, version)| evr(version) <= evr(&dnf[key])), "{what}: {alma:?} {dnf:?}");
    count.explain("check-update takes the newest version, the baseline the one that is named (4.4)", lower);
    // Everywhere else what is said of a version that is gone says nothing (3.4).
    assert!(ours.iter().all(|(key, version)| evr(version) <= evr(&dnf[key])), "{what}: {ours:?} {dnf:?}");
    count.explain("advisories are about versions that are gone only (3.4)", dnf.len() - ours.len());
    count.comparisons += 1;
}

/// An advisory without severity is matched on its classification alone (3.5, conflict 2): for dnf it gets one.
fn without_severity(what: &str, dir: &Path, world: &World, count: &mut Count) {
    world.write(dir, Reader::DnfWithSeverity("Important"));
    let inventory = world.inventory(dir, RHEL);
    let list = ["updateinfo", "list", "--sec-severity=Important"];
    let named = Dnf::run(dir, &[&list, AVAILABLE]).named(&list, |_| true);
    let filter = [(FilterKey::Severity, "Important")];
    let baseline = baseline(OperatingSystem::RedHatEnterpriseLinux, &filter, false);
    let (ours, _) = missing(&baseline, &inventory, MissingSeverity::Ignored);
    count.same(&format!("{what}, without severity"), &ours, &newest(&present(&inventory), &named));
    let (strict, _) = missing(&baseline, &inventory, MissingSeverity::Fails);
    count.explain("an advisory without severity (3.5, conflict 2)", ours.len() - strict.len());
}
