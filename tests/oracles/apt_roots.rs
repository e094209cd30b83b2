//! apt against the evaluator on real roots: releases of Debian as they came out, their suites as the mirrors have them today.
//!
//! What is found there changes from day to day, and what apt says of it changes alike. The roots are kept in the build's
//! folder after the first time.

use crate::apt::{Upgrades, assert_same, everything, listed, missing, security_only, simulated, upgrades};
use crate::harness::{Test, folder};
use amiforge::patch::debian::{Reader, trusted_prefixes};
use amiforge::patch::{AptSecurity, Inventory, OperatingSystem, Settings};
use amiforge::sandbox::root::{Cache, Source, obtain};
use amiforge::sandbox::{Exit, First, Instance, Job, Limits, Line, Network, Spec, environment, host, layers};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

pub const TESTS: &[Test] = &[
    ("apt_agrees_on_a_root_of_bookworm", || agrees("debian-12", true)),
    ("apt_agrees_on_a_root_of_trixie", || agrees("debian-13", false)),
    // Out of support, and on the mirrors still, at the places it always had.
    ("apt_agrees_on_a_root_of_bullseye", || agrees("debian-11", false)),
];

/// What a small server has, so that there is something to upgrade.
const PACKAGES: &str = "ca-certificates:curl:git:openssh-client:python3-minimal:xz-utils";

/// As much more again, from a suite that is none of security: bookworm's. Patch Manager does not honour pins
/// (patch-baselines.md 3.2), so apt is told to take it for one like the others.
const BACKPORTS: &str = "
cd /etc/apt
{ grep -m1 ^URIs sources.list.d/debian.sources; grep -m1 ^Signed-By sources.list.d/debian.sources
  echo 'Types: deb'; echo 'Suites: bookworm-backports'; echo 'Components: main'; } >sources.list.d/backports.sources
{ echo 'Package: *'; echo 'Pin: release n=bookworm-backports'; echo 'Pin-Priority: 500'; } >preferences.d/alike
apt-get -q update -o APT::Update::Error-Mode=any";

struct Root {
    instance: Instance,
    layers: Vec<PathBuf>,
}

impl Root {
    fn start(release: &str) -> Self {
        let cache = Cache::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-cache"));
        let source: Source = format!("{release}:{PACKAGES}").parse().unwrap();
        let obtained = obtain(&source, &cache, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
        let spec = Spec {
            hostname: "ip-172-31-0-1".into(),
            layers: vec![obtained.path.clone()],
            scratch: folder("root-"),
            network: Network::Host,
            inject: host::package_settings(),
            bind: vec![],
            first: First::Ours,
            limits: Limits::default(),
        };
        let instance = Instance::start(&spec).unwrap();
        let layers = vec![instance.upper().to_owned(), obtained.path.clone()];
        let root = Self { instance, layers };
        // All of them, or nothing is proved.
        root.sh("apt-get -q update -o APT::Update::Error-Mode=any");
        root
    }

    /// A script that succeeds, and what it said.
    fn sh(&self, script: &str) -> String {
        let mut variables = environment();
        variables.insert("LC_ALL".into(), "C".into());
        variables.insert("DEBIAN_FRONTEND".into(), "noninteractive".into());
        let job = Job::Command {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            environment: variables,
            directory: "/".into(),
            stdin: Vec::new(),
            timeout: None,
        };
        let (mut out, mut err) = (String::new(), String::new());
        let exit = self.instance.run(&job, &mut |line| match line {
            Line::Out(text) => out += &(text + "\n"),
            Line::Err(text) => err += &(text + "\n"),
        });
        assert_eq!(exit.unwrap(), Exit::Code(0), "{script}: {out}\n{err}");
        out
    }

    fn read(&self, path: &str) -> Option<String> {
        let bytes = layers::read_file(&self.layers, Path::new(path)).unwrap();
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// What is in a folder that the instance has filled.
    fn names(&self, folder: &str) -> Vec<String> {
        let found = self.layers.iter().flat_map(|layer| fs::read_dir(layer.join(folder)).into_iter().flatten());
        let mut names: Vec<_> = found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// By our own reader, from copies of the files.
    fn inventory(&self) -> Inventory {
        let release = self.read("/usr/lib/os-release").unwrap();
        let mut reader = Reader::new(&release, &self.read("/var/lib/dpkg/status").unwrap()).unwrap();
        for name in self.names("etc/apt/sources.list.d") {
            let text = self.read(&format!("/etc/apt/sources.list.d/{name}")).unwrap();
            for prefix in trusted_prefixes(&name, &text) {
                reader.declare_trusted(prefix);
            }
        }
        for name in self.names("var/lib/apt/lists") {
            if let Ok(Some(bytes)) = layers::read_file(&self.layers, &Path::new("/var/lib/apt/lists").join(&name)) {
                reader.add(&name, &bytes).unwrap();
            }
        }
        reader.finish().unwrap()
    }
}

fn agrees(release: &str, backports: bool) {
    let start = Instant::now();
    let root = Root::start(release);
    println!("    root in {:?}", start.elapsed());
    let upgradable = compare(&root, &format!("{release} as released"));
    // Some of them; what these need comes with them.
    let half: Vec<String> = upgradable.iter().step_by(2).take(6).map(|one| one.name.clone()).collect();
    if !half.is_empty() {
        root.sh(&format!("apt-get -q -y install --only-upgrade {}", half.join(" ")));
    }
    let left = compare(&root, &format!("{release} half patched"));
    assert!(half.is_empty() || left.len() < upgradable.len(), "{left:?}");
    // The release of today may have been put together yesterday, and then nothing is newer.
    assert!(release == "debian-13" || !upgradable.is_empty(), "{release} has nothing to upgrade");
    if let Some(one) = left.first() {
        root.sh(&format!("apt-mark hold {}", one.name));
        compare(&root, &format!("{release} half patched and {} on hold", one.name));
    }
    if backports {
        root.sh(BACKPORTS);
        compare(&root, &format!("{release} with backports"));
    }
}

/// Everything apt says of a root against everything we say.
fn compare(root: &Root, what: &str) -> Upgrades {
    let inventory = root.inventory();
    let debian = OperatingSystem::Debian;
    let ours = missing(&everything(debian), &inventory, Settings::default());
    let all = listed(&root.sh("apt list --upgradable"));
    assert_same(&format!("{what}, everything"), &ours, &upgrades(&all));

    // The highest version of the security suite, whatever else there is (conflict 8).
    root.sh("sed -n '/security/,/^$/{/^URIs:.*security/,$p}' /etc/apt/sources.list.d/debian.sources >/tmp/s");
    root.sh("(echo 'Types: deb'; cat /tmp/s) >/tmp/security.sources && grep -q '^Suites: [a-z]*-security$' /tmp/security.sources");
    let only = "-o Dir::Etc::sourcelist=/tmp/security.sources -o Dir::Etc::sourceparts=-";
    let security = upgrades(&listed(&root.sh(&format!("apt list --upgradable {only}"))));
    let security_ours = missing(&security_only(debian), &inventory, Settings::default());
    assert_same(&format!("{what}, security"), &security_ours, &security);
    // And the guide's wording: apt's own candidate has to be of the security suite.
    let settings = Settings { apt_security: AptSecurity::CandidateOnly, ..Settings::default() };
    let of_security = |suite: &String| suite.ends_with("-security");
    let candidates = all.iter().filter(|one| one.suites.iter().any(of_security)).map(|one| one.upgrade.clone());
    let literal = missing(&security_only(debian), &inventory, settings);
    assert_same(&format!("{what}, candidates of security"), &literal, &candidates.collect());

    simulations(root, what, &inventory, &ours);
    println!(
        "    {what}: {} installed, {} upgradable, {} of them by the security suite: no difference",
        inventory.installed.len(),
        all.len(),
        security.len()
    );
    upgrades(&all)
}

/// What apt-get would do. `upgrade` says which packages it keeps back, because they need new ones.
fn simulations(root: &Root, what: &str, inventory: &Inventory, ours: &Upgrades) {
    let said = root.sh("apt-get -s dist-upgrade");
    // A hold changes no state (UNCONFIRMED, patch-baselines.md 14.2 #5). apt keeps what is held and what cannot be without
    // it, and names all of that.
    let kept = kept_back(&said);
    let held = |name: &String| inventory.holds.iter().any(|hold| hold.name == *name);
    assert!(kept.is_empty() || kept.iter().any(held), "{what}: kept without a hold: {kept:?}");
    let wanted =
        |kept: &[String]| -> Upgrades { ours.iter().filter(|one| !kept.contains(&one.name)).cloned().collect() };
    assert_same(&format!("{what}, dist-upgrade"), &wanted(&kept), &simulated(&said));
    let said = root.sh("apt-get -s upgrade");
    assert_same(&format!("{what}, upgrade"), &wanted(&kept_back(&said)), &simulated(&said));
}

fn kept_back(said: &str) -> Vec<String> {
    let lines = said.lines().skip_while(|line| !line.ends_with("have been kept back:")).skip(1);
    let names = lines.take_while(|line| line.starts_with("  ")).flat_map(str::split_whitespace);
    names.map(|name| name.split(':').next().unwrap_or(name).to_owned()).collect()
}
