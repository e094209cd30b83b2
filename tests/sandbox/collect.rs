//! The collector on roots with real package managers: what it says is what the repositories and the package manager say.

use crate::Test;
use crate::bench::{self, sh, shell, spec};
use crate::rpm::{System, parent};
use crate::support::rpm as fixture;
use amiforge::patch::collect::{self, CollectError, Refresh, Scope};
use amiforge::patch::{self, Context, Evaluation, Inventory, State};
use amiforge::sandbox::{Exit, Instance, Job};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use time::macros::datetime;

pub const TESTS: &[Test] = &[
    ("collect::amazon_linux_is_read_at_its_newest_release", amazon_linux_is_read_at_its_newest_release),
    ("collect::a_patched_system_waits_for_its_restart", a_patched_system_waits_for_its_restart),
    ("collect::a_repository_that_does_not_come_is_unread", a_repository_that_does_not_come_is_unread),
    ("collect::what_is_packed_otherwise_is_read_too", what_is_packed_otherwise_is_read_too),
    ("collect::metadata_that_was_changed_is_an_error", metadata_that_was_changed_is_an_error),
    ("collect::suse_is_read_as_zypper_has_fetched_it", suse_is_read_as_zypper_has_fetched_it),
];

/// What the collector prints in an instance.
fn printed(instance: &Instance, scope: Scope, refresh: Refresh) -> String {
    let Job::Command { environment, .. } = shell("") else { panic!("a shell is a command") };
    let job = Job::Command {
        argv: vec!["/bin/sh".into(), "-s".into()],
        environment,
        directory: "/".into(),
        stdin: collect::collector(scope, refresh).into_bytes(),
        timeout: None,
    };
    let outcome = bench::run(instance, &job);
    assert_eq!(outcome.exit, Exit::Code(0), "{outcome:?}");
    outcome.out.join("\n") + "\n"
}

fn read(instance: &Instance, scope: Scope) -> Inventory {
    collect::read(&printed(instance, scope, Refresh::Anew)).unwrap()
}

/// An instance whose repositories stand in a folder of its own; `make` fills the folder.
fn start(system: System, make: impl FnOnce(&Path, &Path)) -> (Instance, PathBuf) {
    let (layers, repository) = parent(system);
    let folder = bench::place("repositories");
    fs::create_dir_all(&folder).unwrap();
    make(&folder, &repository);
    let mut spec = spec(layers);
    spec.bind = vec![folder.clone(), repository];
    (Instance::start(&spec).unwrap(), folder)
}

fn copy(from: &Path, to: &Path) {
    fixture::run(Command::new("cp").arg("-a").arg(from).arg(to));
}

fn evaluate(baseline: &str, inventory: &Inventory) -> Evaluation {
    let baseline = patch::predefined(baseline).unwrap();
    patch::evaluate(&baseline, inventory, &Context::new(datetime!(2026-11-26 0:00 UTC))).unwrap()
}

fn missing(evaluation: &Evaluation) -> BTreeSet<String> {
    evaluation.patches.iter().filter(|patch| patch.state == State::Missing).map(|patch| patch.name.clone()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const AMAZON: &str = "AWS-AmazonLinux2023DefaultPatchBaseline";

/// What that baseline wants: Critical and Important security, and bug fixes.
const WANTED: [&str; 4] = ["amifix-lib", "amifix-tool", "amifix-web", "kernel"];

/// Every file of a system, with its content; the database of rpm is opened by every query.
const STATE: &str =
    "find / -xdev -path /proc -prune -o -path /sys -prune -o -path '/var/lib/rpm/*' -prune -o -type f -print |
    sort | xargs sha256sum 2>&1";

/// An image that is locked to a release without updates; the newest one has them.
fn amazon_linux_is_read_at_its_newest_release() {
    let (instance, folder) = start(System::Amazon, |folder, repository| {
        copy(repository, &folder.join("latest"));
        fs::create_dir_all(folder.join("2023.1")).unwrap();
        fixture::run(Command::new("createrepo_c").arg("--quiet").arg(folder.join("2023.1")));
    });
    let url = folder.display();
    sh(&instance, &format!("sed -i 's#^baseurl=.*#baseurl=file://{url}/$releasever#' /etc/yum.repos.d/fixture.repo"));
    sh(&instance, "mkdir -p /etc/dnf/vars; echo 2023.1 >/etc/dnf/vars/releasever");
    sh(&instance, "echo 'amifix-web-0:2.4.1-2.*' >/etc/dnf/plugins/versionlock.list");
    assert_eq!(sh(&instance, "dnf -q check-update"), "", "the lock hides every update from the image itself");
    let state = sh(&instance, STATE);

    let whole = read(&instance, Scope::Whole);
    assert_eq!((whole.os_id.as_str(), whole.os_version.as_str()), ("amzn", "2023"));
    assert_eq!(whole.installed.len(), fixture::PACKAGES.len() + 1);
    assert!(whole.installed.iter().all(|package| package.installed_at.is_some() && package.built_at.is_some()));
    let source = &whole.sources[0];
    assert_eq!((source.id.as_str(), source.release.as_str(), whole.sources.len()), ("fixture", "latest", 1));
    assert_eq!(source.site, format!("file:{url}/latest"));
    let advised = fixture::PACKAGES.iter().filter(|package| package.advisory.is_some()).count();
    assert_eq!((whole.advisories.len(), source.notices), (advised, advised));
    let hold = &whole.holds[0];
    assert_eq!((hold.name.as_str(), hold.version.as_deref()), ("amifix-web", Some("0:2.4.1-2.*")));
    assert_eq!(
        (whole.reboot.required, whole.kernel.running.as_deref()),
        (Some(false), None),
        "the kernel is the host's"
    );
    let evaluation = evaluate(AMAZON, &whole);
    assert_eq!(missing(&evaluation), names(&WANTED));
    let kernel = evaluation.patches.iter().find(|patch| patch.name == "kernel").unwrap();
    assert_eq!(
        (&kernel.advisories[..], &kernel.cves[..]),
        (&["FIX-2026-006".into()][..], &["CVE-2026-1005".into()][..])
    );

    let part = read(&instance, Scope::Installed);
    assert_eq!(evaluate(AMAZON, &part).patches, evaluation.patches, "a verdict needs nothing else");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (lines(&state), lines(&sh(&instance, STATE)));
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "the collector changes nothing: {changed:#?}");
}

fn a_patched_system_waits_for_its_restart() {
    let (instance, _) = start(System::Amazon, |_, _| ());
    sh(&instance, crate::rpm::NEXT_SECOND);
    sh(&instance, "dnf -q -y --releasever=latest upgrade");
    let inventory = read(&instance, Scope::Whole);
    assert_eq!(inventory.reboot.required, Some(true));
    assert_eq!(names(&["glibc", "kernel"]), inventory.reboot.packages.iter().cloned().collect());
    assert_eq!(inventory.kernel.newest.as_deref(), Some("6.1.2-1.noarch"));
    let of_dnf = inventory.installed.iter().find(|package| package.name == "amifix-lib").unwrap();
    assert_eq!(of_dnf.repository, "fixture");
    let evaluation = evaluate(AMAZON, &inventory);
    assert_eq!((missing(&evaluation), evaluation.counts.missing), (BTreeSet::new(), 0));
    assert!(evaluation.counts.installed_pending_reboot > 0);
    sh(&instance, crate::rpm::NEXT_SECOND);
    instance.reboot().unwrap();
    let after = read(&instance, Scope::Whole);
    assert_eq!(after.reboot.required, Some(false));
    assert_eq!(evaluate(AMAZON, &after).counts.installed_pending_reboot, 0);
}

fn a_repository_that_does_not_come_is_unread() {
    let (instance, _) = start(System::Amazon, |_, _| ());
    let more = "[gone]\\nname=gone\\nbaseurl=http://user:secret@127.0.0.1:9/x\\nenabled=1\\ngpgcheck=0\\nretries=1\\n\
        [off]\\nname=off\\nbaseurl=file:///off\\nenabled=0\\n";
    sh(&instance, &format!("printf '{more}' >/etc/yum.repos.d/more.repo"));
    let text = printed(&instance, Scope::Installed, Refresh::Anew);
    assert!(!text.contains("user:secret@127.0.0.1:9/x:"), "no credentials in what dnf says");
    let inventory = collect::read(&text).unwrap();
    let unread: Vec<&str> = inventory.unread.iter().map(|unread| unread.name.as_str()).collect();
    assert_eq!(unread, ["gone"]);
    assert!(inventory.unread[0].why.contains("gone"), "{:?}", inventory.unread);
    let baseline = patch::predefined(AMAZON).unwrap();
    let error = patch::evaluate(&baseline, &inventory, &Context::new(datetime!(2026-11-26 0:00 UTC))).unwrap_err();
    assert!(error.to_string().contains("the package source gone could not be read"), "{error}");
}

/// The image has no program for either: the files are handed over as they are. Where it has one, awk reads them, and
/// both come to the same.
fn what_is_packed_otherwise_is_read_too() {
    let (instance, _) = start(System::Amazon, |_, _| ());
    let usual = printed(&instance, Scope::Whole, Refresh::Anew);
    assert!(usual.contains("= repository-list fixture primary"), "gzip every system has: {usual}");
    let usual = collect::read(&usual).unwrap();
    for codec in ["xz", "bz2"] {
        let (instance, folder) = start(System::Amazon, |folder, repository| {
            let place = folder.join("packed");
            copy(repository, &place);
            let plain = folder.join("updateinfo.xml");
            let unpack = format!("gzip -dc {}/repodata/*updateinfo.xml.gz >{}", place.display(), plain.display());
            fixture::run(Command::new("sh").arg("-c").arg(unpack));
            let mut createrepo = Command::new("createrepo_c");
            fixture::run(createrepo.args(["--quiet", "--no-database", "--general-compress-type", codec]).arg(&place));
            let mut modify = Command::new("modifyrepo_c");
            fixture::run(modify.args(["--compress-type", codec]).arg(&plain).arg(place.join("repodata")));
        });
        let url = folder.join("packed");
        let change = format!("sed -i 's#^baseurl=.*#baseurl=file://{}#' /etc/yum.repos.d/fixture.repo", url.display());
        sh(&instance, &change);
        let text = printed(&instance, Scope::Whole, Refresh::Anew);
        assert!(text.contains("= repository-file fixture primary"), "{codec}: {text}");
        let packed = collect::read(&text).unwrap();
        assert_eq!((&packed.offered, &packed.others), (&usual.offered, &usual.others), "{codec}");
        assert_eq!(packed.advisories, usual.advisories, "{codec}");
        assert_eq!(missing(&evaluate(AMAZON, &packed)), names(&WANTED), "{codec}");
    }
}

fn metadata_that_was_changed_is_an_error() {
    let (instance, _) = start(System::Amazon, |_, _| ());
    sh(&instance, "dnf -q makecache");
    collect::read(&printed(&instance, Scope::Installed, Refresh::AsIs)).unwrap();
    sh(
        &instance,
        "for f in /var/cache/dnf/*/repodata/*updateinfo*; do gzip -dc $f | sed 's/Critical/Low/' | gzip >$f.n; mv $f.n $f; done",
    );
    let error = collect::read(&printed(&instance, Scope::Installed, Refresh::AsIs)).unwrap_err();
    assert!(matches!(error, CollectError::Metadata { .. }) && error.to_string().contains("repomd.xml says"), "{error}");
    sh(&instance, "rm /var/cache/dnf/*/repodata/*primary*");
    let inventory = collect::read(&printed(&instance, Scope::Installed, Refresh::AsIs));
    // Without its package list a repository offers nothing that is known.
    assert!(inventory.is_err() || !inventory.unwrap().unread.is_empty());
}

fn suse_is_read_as_zypper_has_fetched_it() {
    let (instance, _) = start(System::Suse, |_, _| ());
    sh(
        &instance,
        "printf 'type: package\\nmatch_type: glob\\ncase_sensitive: on\\nsolvable_name: amifix-conf\\n' >/etc/zypp/locks",
    );
    let inventory = read(&instance, Scope::Whole);
    assert_eq!((inventory.os_id.as_str(), inventory.os_version.as_str()), ("sles", "15.6"));
    assert_eq!(inventory.installed.len(), fixture::PACKAGES.len() + 1);
    let hold = &inventory.holds[0];
    assert_eq!((hold.name.as_str(), hold.by.as_str()), ("amifix-conf", "zypper"));
    let evaluation = evaluate("AWS-SuseDefaultPatchBaseline", &inventory);
    assert_eq!(
        missing(&evaluation),
        names(&["amifix-lib", "amifix-web", "kernel"]),
        "Security, Critical and Important"
    );
    let part = read(&instance, Scope::Installed);
    assert_eq!(evaluate("AWS-SuseDefaultPatchBaseline", &part).patches, evaluation.patches);
}
