//! The collector, run on this machine, which is a Debian: what it says is what the files say.

use super::*;
use crate::patch::debian::{Reader, trusted_prefixes};
use crate::patch::{OtherOffers, State};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the collector prints here, in the words of a shell that is not bash.
fn here(scope: Scope, refresh: Refresh) -> String {
    let output = Command::new("dash").arg("-c").arg(collector(scope, refresh)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same from the files, without the collector.
fn from_files() -> Inventory {
    let text = |path: &str| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let files = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<_> = entries.filter(|path| path.is_file() && !path.ends_with("lock")).collect();
        files.sort();
        files
    };
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut reader = Reader::new(&text("/etc/os-release"), &text("/var/lib/dpkg/status")).unwrap();
    let lists = files("/etc/apt/sources.list.d");
    for file in
        lists.iter().map(Path::new).chain([Path::new("/etc/apt/sources.list")].into_iter().filter(|p| p.exists()))
    {
        for prefix in trusted_prefixes(&name(file), &text(file.to_str().unwrap())) {
            reader.declare_trusted(prefix);
        }
    }
    for file in files("/var/lib/apt/lists") {
        let plain = Command::new("/usr/lib/apt/apt-helper").arg("cat-file").arg(&file).output().unwrap().stdout;
        reader.add(&name(&file), &plain).unwrap();
    }
    reader.finish().unwrap()
}

/// Without what only the collector knows.
fn comparable(inventory: &Inventory) -> Inventory {
    let mut plain = inventory.clone();
    plain.installed.iter_mut().for_each(|package| {
        package.installed_at = None;
        package.repository.clear();
    });
    plain.holds.retain(|hold| hold.by == "apt-mark");
    (plain.kernel, plain.reboot) = Default::default();
    plain
}

#[test]
fn a_debian_is_read_as_its_own_files_say() {
    let collected = read(&here(Scope::Whole, Refresh::AsIs)).unwrap();
    let expected = from_files();
    let plain = comparable(&collected);
    assert_eq!(plain.installed, expected.installed);
    assert_eq!(plain.sources, expected.sources);
    assert_eq!(plain.offered, expected.offered);
    assert!(plain == expected, "something besides differs");
    assert!(collected.installed.iter().all(|package| package.installed_at.is_some()));
    assert!(collected.installed.iter().any(|package| !package.repository.is_empty()));
    assert!(collected.reboot.booted_at.is_some());
}

#[test]
fn what_is_not_installed_can_stay_there() {
    let text = here(Scope::Installed, Refresh::AsIs);
    let (part, whole) = (read(&text).unwrap(), from_files());
    assert!(part.partial && part.others.iter().all(|group: &OtherOffers| group.packages.is_empty()));
    let plain = Inventory { partial: false, others: whole.others.clone(), ..comparable(&part) };
    assert!(plain == whole, "only the others are missing");
    let baseline = crate::patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap();
    let states = |inventory: &Inventory| {
        let context = crate::patch::Context::new(time::macros::datetime!(2026-11-26 0:00 UTC));
        let evaluation = crate::patch::evaluate(&baseline, inventory, &context).unwrap();
        evaluation.patches.into_iter().map(|patch| (patch.name, patch.state)).collect::<Vec<(String, State)>>()
    };
    assert_eq!(states(&comparable(&part)), states(&whole));
}

#[test]
fn nothing_that_is_cut_off_is_an_inventory() {
    let text = here(Scope::Installed, Refresh::AsIs);
    assert!(read(&text).is_ok());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // Every way to lose the end, in a hundred steps; and the loss of a section's head, which leaves the rest.
    for part in 0..100 {
        let cut = lines[..lines.len() * part / 100].concat();
        assert!(read(&cut).is_err(), "{part} of 100");
    }
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("= ")) {
        let lost: String = lines.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, line)| *line).collect();
        assert!(read(&lost).is_err(), "without line {at}");
    }
}

#[test]
fn an_index_that_is_not_what_its_release_says_is_an_error() {
    let text = here(Scope::Installed, Refresh::AsIs);
    let head = text.lines().find(|line| line.starts_with("= apt-index")).unwrap();
    let (rest, sum) = head.rsplit_once(' ').unwrap();
    let other = text.replace(head, &format!("{rest} {}", sum.chars().rev().collect::<String>()));
    assert!(read(&other).unwrap_err().to_string().contains("SHA-256"));
}

#[test]
fn a_package_that_was_lost_on_the_way_is_an_error() {
    let text = include_str!("../../../fuzz/seeds/collected-rpm.txt");
    assert_eq!(read(text).unwrap().offered.len(), 1);
    let lost: String = text.split_inclusive('\n').filter(|line| !line.starts_with(" <package type=")).collect();
    assert_ne!(lost, text);
    assert!(read(&lost).unwrap_err().to_string().contains("0 packages and not 1"));
}
