//! dnf and zypper: what they are called with, and what the steps make of their answers.

use crate::machine::{Machine, Outcome};
use crate::rendered::{script, steps};

fn rpm_machine() -> Machine {
    let machine = Machine::new();
    machine.program(
        "rpm",
        "case \"$*\" in *--all*) printf '%s\\n' openssl nginx kernel-core kernel-default ;; *openssl*) echo 1:1.0-1 ;; *nginx*) echo 0:1.0-1 ;;
         *kernel-default*) printf '0:5.14.21-7\\n0:5.14.21-83\\n' ;; *) echo \"package x is not installed\"; exit 1 ;; esac",
    );
    machine
}

fn dnf(os: &str, parameters: &str, answer: &str) -> (String, Outcome) {
    let machine = rpm_machine();
    let list = "openssl.noarch\t*:1:1.[12]-*\nkernel-*\t\n";
    machine.write("/usr/share/amiforge/override-list.tsv", list);
    machine.program("dnf", answer);
    let steps = steps(os, &format!("[patch-linux: {{ {parameters} }}]"), "[boots]");
    let installed = machine.run(&script(&steps, "InstallUpdates"));
    let call = installed.calls.iter().rfind(|call| call.starts_with("dnf")).cloned().unwrap_or_default();
    (call, machine.run(&script(&steps, "NothingLeftToPatch")))
}

#[test]
fn dnf_is_told_what_to_take_and_what_to_leave() {
    let strict = "--setopt=*.skip_if_unavailable=0";
    let call = |os: &str, parameters: &str| dnf(os, parameters, "").0;
    assert_eq!(call("rhel-9", ""), format!("dnf -y --refresh {strict} upgrade --security"));
    assert_eq!(call("rhel-9", "scope: all"), format!("dnf -y --refresh {strict} upgrade"));
    let amazon = call("amazon-linux-2023", "only: 'n* openssl'");
    assert_eq!(amazon, format!("dnf -y --refresh {strict} --releasever=latest upgrade --security nginx openssl"));
    let call = call("rhel-9", "scope: all, exclude: nginx*, kernel: keep");
    assert!(
        call.starts_with(&format!(
            "dnf -y --refresh {strict} --exclude=nginx* --exclude=kernel --exclude=kernel-core "
        )),
        "{call}"
    );
    assert!(call.ends_with(" --exclude=kernel[0-9]* upgrade"), "{call}");
}

#[test]
fn dnf_answers_are_told_apart() {
    for (answer, code) in [("", 0), ("echo nginx; exit 100", 1), ("exit 1", 1)] {
        let out = dnf("rhel-9", "", answer).1;
        assert_eq!((out.code, out.stdout.contains("nothing is outstanding")), (code, code == 0), "{out:?}");
    }
}

#[test]
fn dnf_takes_the_highest_version_that_the_override_list_asks_for() {
    let answer = "case \"$*\" in *repoquery*) printf '%s\\t%s\\t%s\\t%s\\t%s\\n' openssl noarch 1 1.1 1 openssl noarch 1 1.3 1 openssl noarch 1 1.2 9 \
                  openssl noarch 1 1.2 10 kernel-core noarch 0 5.14.0 427.el9 kernel-core noarch 0 5.14.0 427.13.1.el9_4 nginx noarch 0 2 1 ;; esac";
    let (call, left) = dnf("rhel-9", "override_list: /x", answer);
    assert!(call.ends_with(" upgrade kernel-core-0:5.14.0-427.13.1.el9_4.noarch openssl-1:1.2-10.noarch"), "{call}");
    assert!(left.code == 1 && left.stderr.contains("openssl-1:1.2-10.noarch"), "{left:?}");
    let call = dnf("rhel-9", "override_list: /x, only: o*", answer).0;
    assert!(call.ends_with(" upgrade openssl-1:1.2-10.noarch"), "{call}");
    let (_, broken) = dnf("rhel-9", "override_list: /x", "exit 1");
    assert!(broken.code != 0 && !broken.stdout.contains("nothing"), "{broken:?}");
}

/// Two needed security patches, one of them for two packages, and a bug fix; --category does not help with --xmlout.
const ZYPPER: &str = r#"echo "locks ${ZYPP_CONF:+$(tail -n 1 "$(dirname "$ZYPP_CONF")/locks")}" >>"$0.locks"
case "$*" in
*list-patches*) echo '<update kind="patch" name="S-1" edition="1" category="security" severity="low"><issue id="x"/></update><update kind="patch" name="B-1" category="recommended"/><update kind="patch" name="S-2" category="security"/>' ;;
*'info --type patch S-1 S-2') printf 'Conflicts   : openssl.noarch < 1:1.1-1\n\nConflicts   : [3]\n    srcpackage:nginx < 1.1-1\n    nginx.x86_64 < 1.1-1\n    kernel-default < 5.14.21-83\n' ;;
*list-updates*) echo '<update kind="package" name="nginx" edition="2"/><update kind="package" name="openssl"/>' ;;
*search*) echo '<solvable status="installed" name="openssl" kind="package" edition="1:1.0-1" arch="noarch" repository="r"/><solvable status="other-version" name="openssl" kind="package" edition="1:1.1-1" arch="noarch"/><solvable status="other-version" name="openssl" kind="package" edition="1:1.2-1" arch="noarch"/><solvable status="other-version" name="openssl" kind="package" edition="1:1.9-1" arch="noarch"/>' ;;
*versioncmp*) if [ "$(printf '%s\n' "${2#*:}" "${3#*:}" | sort -V | head -n 1)" = "${2#*:}" ] && [ "${2#*:}" != "${3#*:}" ]; then echo "$2 is older than $3"; else echo "$2 matches $3"; fi ;;
*'--non-interactive patch '* | *'--non-interactive update '* | *'--non-interactive install '*) exit "$(cat "$0.exit" 2>/dev/null || echo 0)" ;;
esac"#;

fn zypper(parameters: &str) -> (Machine, Outcome, Outcome) {
    let machine = rpm_machine();
    machine.write("/usr/share/amiforge/override-list.tsv", "openssl.noarch\t*:1:1.[12]-*\n");
    machine.program("zypper", ZYPPER);
    let steps = steps("sles-15", &format!("[patch-linux: {{ {parameters} }}]"), "[boots]");
    let installed = machine.run(&script(&steps, "InstallUpdates"));
    let left = machine.run(&script(&steps, "NothingLeftToPatch"));
    (machine, installed, left)
}

#[test]
fn zypper_is_told_what_to_take_and_what_to_leave() {
    let call = |parameters: &str| {
        let (machine, installed, _) = zypper(parameters);
        assert_eq!(installed.code, 0, "{installed:?}");
        let locks = std::fs::read_to_string(machine.root().join("bin/zypper.locks")).expect("it was called");
        let locks = locks
            .lines()
            .rfind(|line| *line != "locks ")
            .unwrap_or_default()
            .replace("locks ", "")
            .replace("solvable_name: ", "");
        (installed.calls.last().cloned().unwrap_or_default().replace("zypper --non-interactive ", ""), locks)
    };
    let is = |parameters: &str, expected: &str, locks: &str| {
        assert_eq!(call(parameters), (expected.to_owned(), locks.to_owned()), "{parameters}");
    };
    let licences = "--auto-agree-with-licenses";
    is("scope: security", &format!("patch --category security --with-interactive {licences}"), "");
    is("scope: all", &format!("update {licences}"), "");
    is("only: 'n* o*'", &format!("update {licences} -- nginx openssl"), "");
    is("exclude: openssl", &format!("update {licences} -- nginx"), "openssl");
    is("scope: all, only: nginx, kernel: keep", &format!("update {licences} -- nginx"), "kernel-syms*");
    is("override_list: /x", &format!("install --no-recommends {licences} -- openssl.noarch=1:1.2-1"), "");
}

#[test]
fn zypper_answers_are_told_apart() {
    let left = zypper("scope: security").2;
    assert!(
        left.code == 1 && left.stderr.ends_with("nginx\nopenssl\n"),
        "a kernel is there in both versions: {left:?}"
    );
    let all = zypper("scope: all, exclude: 'n*'").2;
    assert!(all.code == 1 && all.stderr.ends_with("\nopenssl\n"), "{all:?}");
    let steps = steps("sles-15", "[patch-linux]", "[boots]");
    for (exit, code, calls) in [("0", 0, 1), ("102", 0, 1), ("103", 1, 5), ("4", 1, 1), ("106", 1, 1)] {
        let machine = rpm_machine();
        machine.program("zypper", ZYPPER);
        std::fs::write(machine.root().join("bin/zypper.exit"), exit).expect("an exit code");
        let out = machine.run(&script(&steps, "InstallUpdates"));
        assert_eq!((out.code, out.calls.len()), (code, calls), "{exit}: {out:?}");
    }
    let machine = rpm_machine();
    machine.program(
        "zypper",
        "case $* in *list-patches*) echo '<update kind=\"patch\" name=\"S-1\" category=\"security\"/>' ;; esac",
    );
    let out = machine.run(&script(&steps, "NothingLeftToPatch"));
    assert!(out.code != 0 && out.stderr.contains("does not say what these patches need"), "{out:?}");
    machine.program("zypper", "exit 6");
    assert_ne!(machine.run(&script(&steps, "NothingLeftToPatch")).code, 0);
}
