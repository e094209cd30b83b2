//! The templates that come with amiforge: rendered with many sets of parameters, and their scripts run against programs that
//! stand in for those of an image.

#[path = "templates/checks.rs"]
mod checks;
#[path = "templates/machine.rs"]
mod machine;
#[path = "templates/rendered.rs"]
mod rendered;
#[path = "templates/rpm.rs"]
mod rpm;

use machine::Machine;
use rendered::{is_clean, script, steps, try_render};
use std::io::Write as _;
use std::process::{Command, Stdio};

const LINUX: [&str; 5] = ["debian-12", "ubuntu-24.04", "amazon-linux-2023", "rhel-9", "sles-15"];
const FILTERS: [&str; 5] = [
    "kernel: update",
    "only: 'a* b'",
    "exclude: \"it's\"",
    "kernel: keep",
    "only: a?, exclude: 'b [cd]', kernel: keep",
];
const LISTS: [&str; 4] = [
    "override_list: /a list",
    "override_list: s3://bucket/key, override_list_owner: '111122223333'",
    "override_list: https://host/list, override_list_sha256: abc",
    "override_list: a/list, override_entries: \"a.*\\t*1.2*\\n\"",
];
const ASSERTIONS: &str = "assertions: { packages: 'a b>=1.2', services: a, ports: '22 udp/123', files: '/a:0644:root:root', users: \
                          'root:locked', kernel: newest, sysctls: 'a.b=1', outputs: \"uname -s => Linux ;; echo it's => it\" }";

/// The linter has nothing to say, every script has its guard in the first line and is one that bash reads. One bash for all
/// of them: it only reads.
fn check(os: &str, build: &str, test: &str) {
    is_clean(os, build, test);
    let steps = &steps(os, build, test);
    let mut scripts = String::new();
    for step in steps {
        let Some(script) = &step.script else { continue };
        let place = format!("{}, {}", step.component, step.name);
        match step.action.as_str() {
            "ExecutePowerShell" => {
                assert!(script.starts_with("$ErrorActionPreference = 'Stop'\n"), "{place}");
                continue;
            }
            "ExecuteBash" => assert!(script.starts_with("set -euo pipefail\n"), "{place}"),
            _ => {}
        }
        // Its exit status would be lost: what cannot be read would look like nothing.
        assert!(!script.contains("< <("), "{place} reads from a process substitution");
        for part in ["# ", &place, "\n", script, "\n"] {
            scripts.push_str(part);
        }
    }
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bash");
    bash.stdin.take().expect("stdin").write_all(scripts.as_bytes()).expect("bash reads");
    let out = bash.wait_with_output().expect("bash ends");
    assert!(out.status.success() && out.stderr.is_empty(), "{}\n{scripts}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn every_template_renders_with_every_set_of_parameters() {
    let hooks = "before_hook: \"/opt/it's\", after_hook: /opt/after";
    for os in LINUX {
        for filter in FILTERS {
            for scope in ["security", "all"] {
                let parameters = format!("{{ scope: {scope}, {filter} }}");
                check(os, &format!("[patch-linux: {parameters}]"), &format!("[patched: {parameters}]"));
            }
            // The same way in all of them; with the least and with the most beside it.
            let rejected = ["blocked: 'telnet* a=1.2-3'", "dependency_only: 'telnet* a=1.2-3'"];
            for rejected in if [FILTERS[0], FILTERS[4]].contains(&filter) { &rejected[..] } else { &[] } {
                let parameters = format!("{{ {rejected}, {filter} }}");
                check(os, &format!("[patch-linux: {parameters}]"), &format!("[patched: {parameters}]"));
            }
            // How the list is fetched has nothing to do with the filters: each way once, with the longest of them.
            for list in if filter == FILTERS[4] { &LISTS[..] } else { &LISTS[..1] } {
                let build = format!("[patch-linux: {{ {list}, {filter}, {hooks} }}]");
                check(os, &build, &format!("[patched: {{ override_list: x, {filter} }}]"));
            }
        }
        let tests = format!(
            "[boots, running-newest-kernel, no-pending-reboot, no-failed-units, agents-present, time-in-sync, hygiene, {ASSERTIONS}]"
        );
        check(os, "[patch-linux: { reboot: never }]", &tests);
        let tests = "[no-failed-units: { ignore: a }, agents-present: { units: 'a|b c', commands: d }, time-in-sync: { wait_seconds: 9, max_offset: 1.5 }]";
        check(os, "[patch-linux]", tests);
    }
    let tests = "[boots-windows, patched-windows, no-pending-reboot-windows, services-windows, time-in-sync-windows, hygiene-windows]";
    for build in [
        "[patch-windows]",
        "[patch-windows: { reboot: never }]",
        "[patch-windows: { only: \"KB1 *it's*\", exclude: '2' }]",
        "[patch-windows: { scope: security, only: \"KB1 *it's*\", exclude: '2', before_hook: \"c:\\\\it's.ps1\", after_hook: c }]",
    ] {
        check("windows-server-2022", build, tests);
    }
    let tests = "[patched-windows: { only: a, exclude: b }, services-windows: { services: 'a b', ignore: c }, time-in-sync-windows: { wait_seconds: 5 }]";
    check("windows-server-2022", "[patch-windows]", tests);
}

fn names(os: &str, build: &str) -> Vec<String> {
    let boots = if os.starts_with("windows") { "boots-windows" } else { "boots" };
    let steps = steps(os, build, &format!("[{boots}]"));
    steps.into_iter().filter(|step| step.component != boots).map(|step| step.name).collect()
}

#[test]
fn what_is_not_wanted_renders_to_nothing() {
    let usual = [
        "RecordPackagesBefore",
        "WriteFunctions",
        "RefreshPackageLists",
        "InstallUpdates",
        "CleanUpPackageCache",
        "RestartWhenRequired",
        "NothingLeftToPatch",
        "RemovePackageLists",
        "PackageDatabaseIsWhole",
    ];
    assert_eq!(names("debian-12", "[patch-linux]"), usual);
    assert_eq!(names("debian-12", "[patch-linux: { scope: security, kernel: update, reboot: when-needed }]"), usual);
    for step in steps("debian-12", "[patch-linux]", "[patched]") {
        let script = step.script.unwrap_or_default();
        for word in ["only=", "exclude", "hook", "override", "kernel: keep", "dnf", "zypper"] {
            assert!(!script.contains(word), "{}, {}: {word}\n{script}", step.component, step.name);
        }
    }
    let all =
        names("sles-15", &format!("[patch-linux: {{ {}, reboot: never, before_hook: /a, after_hook: /b }}]", LISTS[1]));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert!(
        ["RunHookBefore", "FetchOverrideList", "ReadOverrideList", "RunHookAfter"]
            .iter()
            .all(|name| all.contains(name))
    );
    assert!(!all.contains(&"RestartWhenRequired"), "{all:?}");
    assert_eq!(names("windows-server-2022", "[patch-windows]")[..2], ["InstallUpdates", "RestartWhenPending"]);
    assert_eq!(
        names("windows-server-2022", "[patch-windows: { reboot: never }]"),
        ["InstallUpdates", "NothingLeftToPatch"]
    );
}

#[test]
fn what_a_parameter_needs_is_asked_for_before_a_build() {
    let message =
        |build: &str, test: &str| try_render("debian-12", build, test).expect_err("refused")[0].message.clone();
    let patch = |parameters: &str| message(&format!("[patch-linux: {{ {parameters} }}]"), "[boots]");
    assert!(patch("override_list: s3://bucket/key").contains("`override_list_owner` is missing"));
    assert!(patch("override_list: https://host/list").contains("`override_list_sha256` is missing"));
    assert!(patch("scope: some").contains("only one of: security, all"));
    assert!(patch("kernel: pin").contains("only one of: update, keep"));
    assert!(patch("reboot: always").contains("only one of: when-needed, never"));
    assert!(patch("exlude: a").contains("has no parameter `exlude`"));
    assert!(message("[patch-linux]", "[assertions]").contains("`packages` is missing"), "asserting nothing is no pass");
}

/// What `apt-cache policy` says of three sources and some packages; `$*` are the packages.
const APT_CACHE: &str = r#"if [ $# -eq 1 ]; then
  echo 'Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://one suite/main amd64 Packages
     release v=12,o=D,a=stable,n=suite,l=D,c=main,b=amd64
     origin one
 500 http://two suite-security/main amd64 Packages
     release v=12,o=D,a=stable-security,n=suite-security,l=S,c=main,b=amd64
     origin two
Pinned packages:'
  exit 0
fi
version() { printf ' %s %s 500\n        500 http://%s Packages\n' "$1" "$2" "$3"; }
say() { printf '%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n' "$1" "$2" "$3"; }
say fixed 1 2; version '   ' 2 'two suite-security/main amd64'; version '***' 1 'one suite/main amd64'
say newer 1 3; version '   ' 3 'one suite/main amd64'; version '   ' 2 'two suite-security/main amd64'; version '***' 1 'one suite/main amd64'
say plain 1 2; version '   ' 2 'one suite/main amd64'; version '***' 1 'one suite/main amd64'
say linux-image-cloud-amd64 6.1 6.2; version '   ' 6.2 'two suite-security/main amd64'; version '***' 6.1 'one suite/main amd64'
say same 1 1; version '***' 1 'one suite/main amd64'"#;

fn debian() -> Machine {
    let machine = Machine::new();
    machine.program("apt-cache", APT_CACHE);
    machine.program("apt-get", "");
    machine.program("dpkg", "if [ \"$1\" = --print-architecture ]; then echo amd64; fi");
    let list = "fixed newer plain linux-image-cloud-amd64 same";
    machine.program(
        "dpkg-query",
        &format!(
            "case $2 in *db:Status*) printf 'ii \\t%s\\n' {list} ;; *Package*) printf '%s\\n' {list} ;; \
             *) if [ \"$3\" = plain ]; then echo all; else echo amd64; fi ;; esac"
        ),
    );
    machine
}

/// What the step that installs hands to the package manager, and whether the step that proves says that something is left.
fn apt(parameters: &str) -> (String, String) {
    let machine = debian();
    machine.write(
        "/usr/share/amiforge/override-list.tsv",
        "fixed.amd64\t\nplain.*\t*:2\nnewer.amd64\t*:[12]\nlinux-*\t\n",
    );
    let steps = steps("debian-12", &format!("[patch-linux: {{ {parameters} }}]"), "[boots]");
    let installed = machine.run(&script(&steps, "InstallUpdates"));
    assert_eq!(installed.code, 0, "{parameters}: {installed:?}");
    let call = installed.calls.iter().find(|call| call.starts_with("apt-get")).map(String::as_str).unwrap_or_default();
    let what = ["--no-remove install ", "dist-upgrade"].iter().find_map(|word| call.find(word).map(|at| &call[at..]));
    let left = machine.run(&script(&steps, "NothingLeftToPatch"));
    assert_eq!(left.code, i32::from(!left.stderr.is_empty()), "{left:?}");
    let what = what.unwrap_or_default().replace("--no-remove install ", "");
    (what, left.stderr.lines().filter(|line| !line.contains("outstanding")).collect::<Vec<_>>().join(" "))
}

#[test]
fn apt_installs_what_the_parameters_ask_for_and_the_proof_asks_for_the_same() {
    let same = |parameters: &str, expected: &str| {
        assert_eq!(apt(parameters), (expected.to_owned(), expected.to_owned()), "{parameters}");
    };
    same("scope: security", "fixed=2 newer=2 linux-image-cloud-amd64=6.2");
    same("kernel: keep", "fixed=2 newer=2");
    same("only: 'n* plain'", "newer=2");
    same("exclude: '[fn]*'", "linux-image-cloud-amd64=6.2");
    same("only: '*e*', exclude: fixed, kernel: keep", "newer=2");
    same("scope: all, only: '*'", "fixed=2 newer=3 plain=2 linux-image-cloud-amd64=6.2");
    same("override_list: /x, kernel: keep", "fixed=2 newer=2 plain=2");
    same("override_list: /x, only: 'p* s*', exclude: plain", "");
    let (call, left) = apt("scope: all, exclude: plain");
    assert_eq!((call.as_str(), left.as_str()), ("dist-upgrade", "fixed=2 newer=3 linux-image-cloud-amd64=6.2"));
}

#[test]
fn names_of_packages_are_checked_and_never_run() {
    let machine = debian();
    let install = |only: &str| {
        let quoted = only.replace('\'', "''");
        let steps = steps("debian-12", &format!("[patch-linux: {{ only: '{quoted}' }}]"), "[boots]");
        machine.run(&script(&steps, "InstallUpdates"))
    };
    for hostile in ["$(touch${IFS}made)", "`touch`", "a;touch", "'", "-o=x", "a/b", "a\"b"] {
        let out = install(hostile);
        assert!(out.code == 1 && out.stderr.contains("neither the name of a package nor a glob"), "{hostile}: {out:?}");
        assert!(!out.calls.iter().any(|call| call.starts_with("apt-get")), "{out:?}");
    }
    assert!(!machine.root().join("made").exists());
    let none = install("nosuch");
    assert!(none.code == 1 && none.stderr.contains("none of the packages that only names is installed"), "{none:?}");
    let some = install("nosuch fixed");
    assert!(some.code == 0 && some.stderr.contains("note: no installed package is called nosuch"), "{some:?}");
}

#[test]
fn without_a_security_suite_nothing_looks_clean() {
    let machine = debian();
    machine.program("apt-cache", "echo 'Package files:'");
    let steps = steps("debian-12", "[patch-linux]", "[boots]");
    for name in ["InstallUpdates", "NothingLeftToPatch"] {
        let out = machine.run(&script(&steps, name));
        assert!(out.code != 0 && out.stderr.contains("none of the package sources is a security suite"), "{out:?}");
    }
}

#[test]
fn a_hook_that_is_missing_or_fails_fails_the_step() {
    let machine = Machine::new();
    let hook = machine.write("/opt/a hook", "#!/bin/sh\necho ran; exit 3\n");
    let build = format!("[patch-linux: {{ before_hook: '{}' }}]", hook.display());
    let run = |build: &str| machine.run(&script(&steps("rhel-9", build, "[boots]"), "RunHookBefore"));
    let out = run(&build);
    assert!(out.code == 1 && out.stderr.contains("not an executable"), "{out:?}");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let out = run(&build);
    assert!(out.code == 3 && out.stdout.contains("ran"), "{out:?}");
    assert_eq!(run("[patch-linux: { before_hook: \"/x'; touch made; '\" }]").code, 1);
    assert!(!machine.root().join("made").exists());
}
