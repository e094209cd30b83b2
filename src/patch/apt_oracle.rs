//! What apt itself would upgrade.

use super::tests::{MAIN, SECURITY, UNSIGNED, context, debian, everything, package, run, some_image};
use crate::patch::debian::{DebianFiles, ListFile, inventory};
use crate::patch::{Package, RejectedAction, State, install_plan};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

fn stanza(package: &Package, extra: &str) -> String {
    let Package { name, arch, version, .. } = package;
    format!(
        "Package: {name}\n{extra}Version: {version}\nArchitecture: {arch}\nPriority: optional\nSection: utils\n\
         Maintainer: Nobody <nobody@example.org>\nDescription: a package\n"
    )
}

/// Writes a package database and package lists for apt into `dir`, and returns the same as texts for us.
fn write_system(dir: &Path, installed: &[Package], offers: &[(Package, usize)]) -> DebianFiles {
    let mut files = DebianFiles {
        os_release: "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n".into(),
        status: installed.iter().map(|p| stanza(p, "Status: install ok installed\n") + "\n").collect(),
        ..DebianFiles::default()
    };
    for (index, suite) in ["bookworm", "bookworm-security"].into_iter().enumerate() {
        let stem = format!("repo.example_debian_dists_{suite}_");
        let mut packages = String::new();
        for (package, _) in offers.iter().filter(|(_, from)| *from == index) {
            let Package { name, arch, version, .. } = package;
            let file = format!("Filename: pool/{name}_{version}_{arch}.deb\nSize: 1\nSHA256: {:064x}\n", 1);
            packages += &(stanza(package, "") + &file + "\n");
        }
        let release = format!("Suite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n");
        for (name, text) in [("Release", release), ("main_binary-amd64_Packages", packages)] {
            files.lists.push(ListFile { name: format!("{stem}{name}"), bytes: text.into_bytes() });
        }
    }
    let sources = "deb [trusted=yes] http://repo.example/debian bookworm main\n\
        deb [trusted=yes] http://repo.example/debian bookworm-security main\n";
    files.trusted = crate::patch::debian::trusted_prefixes("sources.list", sources);
    for folder in ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    std::fs::write(dir.join("etc/apt/sources.list"), sources).unwrap();
    std::fs::write(dir.join("status"), &files.status).unwrap();
    for list in &files.lists {
        std::fs::write(dir.join("lists").join(&list.name), &list.bytes).unwrap();
    }
    files
}

/// Name and new version of every package that `apt-get dist-upgrade` would install.
fn apt_would_install(dir: &Path) -> BTreeSet<(String, String)> {
    apt_simulates(dir, &["dist-upgrade".to_owned()])
}

/// Name and new version of every package that apt-get would install with these arguments.
fn apt_simulates(dir: &Path, arguments: &[String]) -> BTreeSet<(String, String)> {
    let option = |name: &str, value: &str| format!("-o{name}={value}");
    let inside = |name: &str, path: &str| option(name, dir.join(path).to_str().unwrap());
    let output = std::process::Command::new("apt-get")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("APT_CONFIG", "/dev/null")
        .arg("-s")
        .args(arguments)
        .args([inside("Dir::Etc", "etc/apt"), inside("Dir::State", "."), inside("Dir::State::lists", "lists")])
        .args([inside("Dir::State::status", "status"), inside("Dir::Cache", "cache")])
        .args([option("APT::Architecture", "amd64"), option("APT::Architectures::", "amd64")])
        .args([option("Debug::NoLocking", "true")])
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    // `Inst bash [5.2-1] (5.2-2 Debian:bookworm [amd64])`. The same version built for another architecture is a
    // replacement to apt and no patch to anybody.
    let inst = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" [")?;
        let (old, rest) = rest.split_once("] (")?;
        let (new, _) = rest.split_once(' ')?;
        (old != new).then(|| (name.to_owned(), new.to_owned()))
    };
    stdout.lines().filter_map(inst).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn with_everything_approved_missing_is_what_apt_would_upgrade(
        image in some_image(),
        all in prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3),
    ) {
        let mut image = image;
        // Packages for all architectures, some of which become native ones in a later version.
        image.installed.iter_mut().filter(|p| all.contains(p.name.as_str())).for_each(|p| p.arch = "all".into());
        let offers: Vec<_> = image.offered.iter().filter(|o| o.from != UNSIGNED).map(|o| (o.package.clone(), o.from)).collect();
        let dir = tempfile::tempdir().unwrap();
        let files = write_system(dir.path(), &image.installed, &offers);
        let evaluation = run(&everything(), &inventory(&files).unwrap());
        let missing: BTreeSet<_> = evaluation
            .items
            .into_iter()
            .filter_map(|item| Some((item.name, item.available?)))
            .collect();
        prop_assert_eq!(missing, apt_would_install(dir.path()));
    }
}

#[test]
fn apt_and_we_agree_on_a_system_with_something_to_upgrade() {
    // The generated systems above may happen to need nothing; this one does.
    let dir = tempfile::tempdir().unwrap();
    let installed = [package("bash", "5.2-1"), package("curl", "7.88-10"), package("vim", "2:9.0-1")];
    let offers = [
        (package("bash", "5.2-1+deb12u1"), MAIN),
        (package("curl", "7.88-10+deb12u9"), MAIN),
        (package("curl", "7.88-10+deb12u12"), SECURITY),
        (package("vim", "9.9-1"), SECURITY),
        (package("nginx", "1.22-1"), SECURITY),
    ];
    let image = inventory(&write_system(dir.path(), &installed, &offers)).unwrap();
    let upgrades = apt_would_install(dir.path());
    let expected = [("bash", "5.2-1+deb12u1"), ("curl", "7.88-10+deb12u12")];
    assert_eq!(upgrades, expected.map(|(name, version)| (name.to_owned(), version.to_owned())).into());
    let all = run(&everything(), &image);
    assert_eq!((all.counts.missing, all.counts.not_applicable), (2, 1));
    let security = run(&debian(), &image);
    let missing: Vec<_> =
        security.items.iter().filter(|i| i.state == State::Missing).map(|i| i.name.as_str()).collect();
    assert_eq!(missing, ["curl"]);
}

#[test]
fn apt_installs_exactly_the_plan_and_keeps_out_what_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let installed =
        [package("bash", "5.2-1"), package("curl", "7.88-10"), package("docs", "1-1"), package("vim", "9.0-1")];
    let all = |package: Package| Package { arch: "all".into(), ..package };
    let mut installed = installed.to_vec();
    installed[2] = all(installed[2].clone());
    let offers = [
        (package("bash", "5.2-3"), MAIN),
        (package("bash", "5.2-2"), SECURITY),
        (package("curl", "7.88-11"), SECURITY),
        (all(package("docs", "1-2")), SECURITY),
        (package("vim", "9.9-1"), SECURITY),
        (package("vim", "9.9-2"), MAIN),
    ];
    let image = inventory(&write_system(dir.path(), &installed, &offers)).unwrap();
    let mut baseline = debian();
    baseline.rejected = vec!["vim".into(), "curl-7.88-11".into()];
    baseline.rejected_action = RejectedAction::Block;
    let plan = install_plan(&baseline, &image, &context()).unwrap();
    let expected: BTreeSet<_> = plan.packages.iter().map(|p| (p.name.clone(), p.to.clone())).collect();
    assert_eq!(expected, [("bash", "5.2-2"), ("docs", "1-2")].map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    assert_eq!(apt_simulates(dir.path(), &plan.arguments().unwrap()), expected);
    std::fs::write(dir.path().join("etc/apt/preferences.d/rejected"), plan.apt_preferences()).unwrap();
    let names: Vec<String> = apt_would_install(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["bash", "docs"], "neither vim nor the rejected version of curl");
}
