//! The real package manager against the fixture repository, without a network.

use crate::Test;
use crate::bench::{self, sh, spec};
use crate::support::{self, repo};
use amiforge::sandbox::root::{BootstrapSpec, bootstrap};
use amiforge::sandbox::{Instance, SandboxError, host, layers, root};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub const TESTS: &[Test] = &[
    ("packages::a_root_is_upgraded_and_captured", a_root_is_upgraded_and_captured),
    ("packages::a_release_is_made_of_what_its_keys_prove", a_release_is_made_of_what_its_keys_prove),
    ("packages::an_unreachable_mirror_is_named_and_leaves_nothing", an_unreachable_mirror_is_named_and_leaves_nothing),
];

/// A cloned root with version 1 of the fixture's packages, whose only source is the repository; and that.
pub fn outdated_root() -> (PathBuf, repo::Repo) {
    let (root, folder) = (bench::place("outdated"), bench::place("repository"));
    let start = Instant::now();
    support::root::clone_from_host(&root, &[]);
    let cloned = start.elapsed();
    let repository = repo::write(&folder);
    repository.make_outdated(&root);
    println!("    root cloned in {cloned:?}, repository in {:?}", start.elapsed().saturating_sub(cloned));
    (root, repository)
}

pub fn a_root_is_upgraded_and_captured() {
    let (base, repository) = outdated_root();
    let mut spec = spec(vec![base.clone()]);
    spec.bind = vec![repository.folder.clone()];
    spec.inject = host::package_settings();
    let instance = Instance::start(&spec).unwrap();
    assert_eq!(sh(&instance, "dpkg --audit"), "");
    let start = Instant::now();
    sh(&instance, "apt-get -q update");
    let upgradable = sh(&instance, "apt-get -s dist-upgrade | grep ^Inst | sort");
    let expected = repo::UPGRADES.map(|(name, from, to, _)| format!("Inst {name} [{from}] ({to}"));
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    let lines: Vec<&str> = upgradable.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{upgradable}");
    assert!(lines.iter().zip(&expected).all(|(line, start)| line.starts_with(start)), "{upgradable}");
    let log = sh(&instance, "apt-get -q -y dist-upgrade");
    println!("    update and upgrade in {:?}", start.elapsed());
    assert!(log.contains("policy-rc.d denied start of amifix-web"), "{log}");
    for (name, _, to, _) in repo::UPGRADES {
        assert_eq!(
            sh(&instance, &format!("dpkg-query -W -f '${{Version}}' {name}; echo; {name}")),
            format!("{to}\n{name} {to}")
        );
    }
    assert_eq!(sh(&instance, "cat /run/reboot-required.pkgs; dpkg --audit"), "linux-image-fix");
    assert_eq!(sh(&instance, "apt-get -s dist-upgrade | grep -c ^Inst || true"), "0");
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "ls /run"), "lock");
    instance.stop();
    let layer = bench::place("layer");
    root::capture(instance.upper(), &layer, &[]).unwrap();
    let status = layers::read_file(&[layer.clone(), base], Path::new("/var/lib/dpkg/status")).unwrap().unwrap();
    assert!(String::from_utf8(status).unwrap().contains("Version: 6.1.2-1"));
    assert!(!layer.join("usr/sbin/policy-rc.d").exists() && !layer.join("etc/apt/apt.conf.d").exists());
    assert_eq!(std::fs::read_dir(layer.join("var/lib/apt/lists")).unwrap().count(), 0);
}

/// Ubuntu's archive cannot be had everywhere: a mirror of its shape, signed by us, stands in for it.
fn a_release_is_made_of_what_its_keys_prove() {
    let base = bench::place("mirror");
    std::fs::create_dir_all(&base).unwrap();
    let mirror = support::signed::write(&base);
    let spec_of = |keys: &Path| BootstrapSpec {
        release: "ubuntu-24.04".into(),
        packages: Vec::new(),
        mirror: Some(mirror.address.clone()),
        keyring: Some(keys.to_owned()),
        architecture: std::env::consts::ARCH.into(),
        destination: base.join("root"),
    };
    let error = bootstrap(&spec_of(&mirror.other_keys), &mut |_| ()).unwrap_err();
    assert!(matches!(&error, SandboxError::Bootstrap { .. }) && error.to_string().contains("NO_PUBKEY"), "{error}");
    assert!(!base.join("root").exists());
    let start = Instant::now();
    bootstrap(&spec_of(&mirror.keys), &mut |_| ()).unwrap();
    println!("    root made by mmdebstrap in {:?}", start.elapsed());
    let mut spec = spec(vec![base.join("root")]);
    spec.bind = vec![mirror.folder.clone()];
    spec.inject = host::package_settings();
    let instance = Instance::start(&spec).unwrap();
    assert_eq!(sh(&instance, ". /etc/os-release; echo $ID $VERSION_CODENAME"), "ubuntu noble");
    // The keys went into the root, and all its suites are proved with them.
    sh(&instance, "apt-get -q update -o APT::Update::Error-Mode=any");
    let suites = sh(&instance, "cd /var/lib/apt/lists && ls *InRelease | sed 's/.*dists_//'");
    assert_eq!(suites, "noble-security_InRelease\nnoble-updates_InRelease\nnoble_InRelease");
}

fn an_unreachable_mirror_is_named_and_leaves_nothing() {
    let folder = bench::place("roots");
    std::fs::create_dir_all(&folder).unwrap();
    let spec = BootstrapSpec {
        release: "bookworm".into(),
        packages: Vec::new(),
        mirror: Some("file:/nonexistent/debian".into()),
        keyring: None,
        architecture: std::env::consts::ARCH.into(),
        destination: folder.join("bookworm"),
    };
    let mut lines = 0;
    let error = bootstrap(&spec, &mut |_| lines += 1).unwrap_err();
    match &error {
        SandboxError::Bootstrap { last_lines, .. } => {
            assert!(!last_lines.is_empty() && lines >= last_lines.len());
            assert!(error.to_string().contains("file:/nonexistent/debian"), "{error}");
        }
        // CI installs it; a machine without gets the command.
        SandboxError::Program { mend, .. } => assert!(mend.contains("apt-get install -y mmdebstrap"), "{error}"),
        other => panic!("{other}"),
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something is left");
}
