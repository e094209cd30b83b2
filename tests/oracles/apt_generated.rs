//! apt against the evaluator on systems made of dice.

use crate::apt::{
    Upgrade, Upgrades, assert_same, everything, listed, missing, run, security_only, simulated, upgrades,
};
use crate::apt_system::{ARCHES, Record, System};
use crate::dice::{Dice, every_round, rounds, seed};
use crate::harness::{Test, folder};
use amiforge::patch::{AptSecurity, Inventory, OperatingSystem, Settings};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub const TESTS: &[Test] = &[
    ("apt_agrees_on_generated_systems_of_debian", || agrees(OperatingSystem::Debian)),
    ("apt_agrees_on_generated_systems_of_ubuntu", || agrees(OperatingSystem::Ubuntu)),
];

/// What was compared.
#[derive(Default, Clone, Copy)]
struct Count {
    /// Installed packages, each compared in every way.
    packages: usize,
    /// Of these, how many had an upgrade, and a security update.
    upgrades: [usize; 2],
    comparisons: usize,
    /// Differences by rule: held, kept back because both architectures go together, phased.
    explained: [usize; 3],
}

impl Count {
    fn add(mut self, other: Self) -> Self {
        self.packages += other.packages;
        self.comparisons += other.comparisons;
        for at in 0..3 {
            self.explained[at] += other.explained[at];
        }
        for at in 0..2 {
            self.upgrades[at] += other.upgrades[at];
        }
        self
    }
}

fn agrees(system: OperatingSystem) {
    let rounds = rounds(200);
    let counts = every_round(rounds, |round| {
        let dir = folder("apt-");
        let made = System::generate(&mut Dice::of_round(round), system);
        let what = format!("seed {}, round {round}", seed());
        let inventory = made.write(&dir);
        let mut count = lists(&what, &dir, &made, &inventory);
        simulations(&what, &dir, &made, &inventory, &mut count);
        fs::remove_dir_all(dir).unwrap();
        count
    });
    let all = counts.into_iter().fold(Count::default(), Count::add);
    let [upgrades, security] = all.upgrades;
    let [held, together, phased] = all.explained;
    println!(
        "    {system}: {rounds} systems, {} comparisons with apt over {} installed packages ({upgrades} with an upgrade, \
         {security} with a security update); by rule apart: {held} held, {together} kept for the other architecture, \
         {phased} phased",
        all.comparisons, all.packages
    );
    assert!(rounds < 50 || upgrades > 10 * rounds / 4 && security > rounds, "there was hardly anything to compare");
}

/// `apt list --upgradable`, of all suites and of the security suites alone.
fn lists(what: &str, dir: &Path, made: &System, inventory: &Inventory) -> Count {
    let list = ["list", "--upgradable"];
    let all = listed(&run("apt", dir, &[], &list));
    let ours = missing(&everything(made.distribution), inventory, Settings::default());
    assert_same(&format!("{what}, everything"), &ours, &upgrades(&all));

    // The highest security version counts, whatever else there is (conflict 8).
    let only = format!("-oDir::Etc::sourcelist={}", dir.join("etc/apt/security.list").display());
    let security = upgrades(&listed(&run("apt", dir, &[only], &list)));
    let security_ours = missing(&security_only(made.distribution), inventory, Settings::default());
    assert_same(&format!("{what}, security"), &security_ours, &security);

    // And the guide's wording: apt's own candidate has to be in a security suite.
    let suites: Vec<&str> = made.suites.iter().filter(|suite| suite.is_security()).map(|suite| suite.called).collect();
    let of_security = |suite: &String| suites.contains(&suite.as_str());
    let candidates = all.iter().filter(|one| one.suites.iter().any(of_security));
    let mut candidates: Upgrades = candidates.map(|one| one.upgrade.clone()).collect();
    let settings = Settings { apt_security: AptSecurity::CandidateOnly, ..Settings::default() };
    let mut literal = missing(&security_only(made.distribution), inventory, settings);
    // Of a version that two suites write differently (`1.0` and `0:1.0`), apt has one of the two.
    literal.retain(|one| !made.is_written_differently(one));
    candidates.retain(|one| !made.is_written_differently(one));
    assert_same(&format!("{what}, candidates of security"), &literal, &candidates);
    let packages = inventory.installed.len();
    Count { packages, upgrades: [all.len(), security.len()], comparisons: 3, explained: [0; 3] }
}

/// `apt-get -s dist-upgrade`, which has reasons of its own to leave something as it is.
fn simulations(what: &str, dir: &Path, made: &System, inventory: &Inventory, count: &mut Count) {
    let ours = missing(&everything(made.distribution), inventory, Settings::default());
    // Holds change no state: whether Patch Manager honours them is UNCONFIRMED (patch-baselines.md 14.2 #5).
    let (held, mut ours): (Upgrades, Upgrades) = ours.into_iter().partition(|one| made.held.contains(&one.name));
    // Each architecture is a patch of its own (patch-baselines.md 4.5), and apt keeps both at the same version, to the letter.
    let mut together = of_both(made, &ours);
    together.extend(ours.iter().filter(|one| made.is_written_differently(one)).map(|one| one.name.clone()));
    ours.retain(|one| !together.contains(&one.name));
    let simulate = |option: &str| {
        let mut found = simulated(&run("apt-get", dir, &[option.to_owned()], &["-s", "dist-upgrade"]));
        found.retain(|one| !together.contains(&one.name));
        found
    };
    let always = simulate("-oAPT::Get::Always-Include-Phased-Updates=true");
    assert_same(&format!("{what}, dist-upgrade"), &ours, &always);
    count.comparisons += 1;
    count.explained[0] += held.len();
    count.explained[1] += together.len();
    if made.distribution != OperatingSystem::Ubuntu {
        return;
    }
    // Phased updates are not looked at (UNCONFIRMED, patch-baselines.md 4.5); they exist outside of security suites only.
    let never = simulate("-oAPT::Get::Never-Include-Phased-Updates=true");
    let phased: Upgrades = always.difference(&never).cloned().collect();
    // apt 2.6 keeps a package whose installed version is phased as well.
    // apt 2.6 keeps a package whose installed version is phased as well.
    let is_phased = |one: &Upgrade| {
        let upgrade = |record: &Record| Upgrade::new(&record.name, &one.arch, &record.version);
        let installed = made.installed.iter().filter(|record| record.name == one.name).map(upgrade);
        let versions: Upgrades = installed.chain([one.clone()]).collect();
        let mut records = made.suites.iter().flat_map(|suite| &suite.records);
        records.any(|record| record.phased.is_some_and(|percent| percent < 100) && versions.contains(&upgrade(record)))
    };
    assert!(never.is_subset(&always), "{what}: {never:?} {always:?}");
    assert!(phased.iter().all(is_phased), "{what}: not phased, and kept: {phased:?}");
    count.comparisons += 1;
    count.explained[2] += phased.len();
}

/// Names that are installed for both architectures, with an upgrade for one of them or different ones for both.
fn of_both(made: &System, ours: &Upgrades) -> BTreeSet<String> {
    let both = |name: &str| {
        let of = |arch| made.installed.iter().any(|record| record.name == name && record.arch == arch);
        ARCHES.into_iter().all(of)
    };
    let version =
        |name: &str, arch| ours.iter().find(|one| one.name == name && one.arch == arch).map(|one| &one.version);
    let apart = |name: &&str| both(name) && version(name, ARCHES[0]) != version(name, ARCHES[1]);
    made.installed.iter().map(|record| record.name.as_str()).filter(apart).map(str::to_owned).collect()
}
