//! The install override list, restarts and the tests of a fresh instance.

use crate::machine::{Machine, Outcome};
use crate::rendered::{script, steps};

fn read_list(text: &str) -> Result<String, String> {
    let machine = Machine::new();
    let list = machine.write("/opt/a list", text);
    let build = format!("[patch-linux: {{ override_list: '{}' }}]", list.display());
    let out = machine.run(&script(&steps("debian-12", &build, "[boots]"), "ReadOverrideList"));
    let table = std::fs::read_to_string(machine.path("/usr/share/amiforge/override-list.tsv")).unwrap_or_default();
    if out.code == 0 { Ok(table) } else { Err(out.stderr) }
}

#[test]
fn an_install_override_list_is_read_in_both_forms() {
    let documented = "patches:\n  - id: 'kernel.x86_64'                 # required\n  - id: 'bind*.x86_64'                  # wildcards \
                      allowed\n    title: '*39.11.4-26.P2.amzn2.5.2'   # optional\n    anything_else: ignored\n";
    assert_eq!(read_list(documented).unwrap(), "kernel.x86_64\t\nbind*.x86_64\t*39.11.4-26.P2.amzn2.5.2\n");
    let yaml = "---\n# a comment\r\npatches:\n- \"title\": \"x y\"\n  id: a\n  why: >\n    - id: no entry\n  deep:\n    id: no\n- id: b # c\nother:\n  - id: no\n";
    assert_eq!(read_list(yaml).unwrap(), "a\tx y\nb\t\n");
    let json = r#"{"note": [{"id": "no"}], "patches": [ {"why": {"id": "no"}, "title": "*:1,{", "id": "a"},
        {"id": "b", "n": -1.5e3, "text": "\u00e9\n\""} ], "more": [{"id": "no"}]}"#;
    assert_eq!(read_list(json).unwrap(), "a\t*:1,{\nb\t\n");
}

#[test]
fn an_install_override_list_that_is_not_understood_is_an_error() {
    for (text, why) in [
        ("", "no entry under patches"),
        ("other: x\n", "no entry under patches"),
        ("patches: [{id: x}]\n", "lines of their own"),
        ("patches:\n  - title: x\n", "no id"),
        ("patches:\n  - id: 'a\n", "not a quoted value"),
        ("patches:\n  - id: 'a' b\n", "not a quoted value"),
        ("patches:\n  - id: |\n      a\n", "only plain and quoted"),
        ("patches:\n  - a\n", "not a key"),
        ("patches:\n  - id: a\n   title: b\n", "not where"),
        ("patches:\n  - id: \"a\\tb\"\n", "a backslash"),
        (r#"{"patches": [{"id": "a"}"#, "not whole"),
        (r#"{"patches": [{"id": "a}]}"#, "not whole"),
        (r#"{"patches": [{"id": "a"}]} x"#, "after the JSON"),
        (r#"{"patches": []}"#, "no entry"),
        (r#"{"patches": [{"title": "a"}]}"#, "no id"),
        (r#"[{"id": "a"}]"#, "no entry"),
    ] {
        let found = read_list(text).expect_err(text);
        assert!(found.contains(why), "{text:?}: {found}");
    }
    let relative = steps("debian-12", "[patch-linux: { override_list: a/list }]", "[boots]");
    let out = Machine::new().run(&script(&relative, "ReadOverrideList"));
    assert!(out.code == 1 && out.stderr.contains("has to be an absolute path"), "{out:?}");
}

/// A step on a machine with these kernels, of which the first one runs.
fn with_kernels(os: &str, kernels: &[&str], component: &str, step: &str) -> Outcome {
    let machine =
        Machine::new().with_moved("/boot").with_moved("/lib/modules").with_moved("/run").with_moved("/var/tmp");
    for kernel in kernels {
        machine.write(&format!("/boot/vmlinuz-{kernel}"), "");
    }
    machine.program("uname", &format!("echo {}", kernels[0]));
    machine.program("dnf", "if [ \"$2\" = needs-restarting ]; then exit 1; fi");
    machine.program("zypper", "exit 2");
    let steps = steps(os, "[patch-linux]", &format!("[boots, {component}]"));
    machine.run(&script(&steps, step))
}

#[test]
fn the_newest_kernel_of_the_same_kind_has_to_run() {
    for (os, kernels, newest) in [
        ("debian-12", &["6.1.0-9-cloud-amd64", "6.1.0-18-cloud-amd64", "6.12.0-1-amd64"][..], "6.1.0-18-cloud-amd64"),
        ("debian-13", &["6.12.48+deb13-cloud-amd64", "6.12.57+deb13-cloud-amd64"], "6.12.57+deb13-cloud-amd64"),
        ("ubuntu-24.04", &["6.8.0-1021-aws", "6.8.0-1009-aws", "6.14.0-1-generic"], "6.8.0-1021-aws"),
        (
            "rhel-9",
            &["5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "0-rescue-1a2b"],
            "5.14.0-427.13.1.el9_4.x86_64",
        ),
        ("rhel-9", &["5.14.0-427.el9.x86_64+rt", "5.14.0-503.el9.x86_64"], "5.14.0-427.el9.x86_64+rt"),
        (
            "amazon-linux-2023",
            &["6.1.119-129.201.amzn2023.x86_64", "6.12.9-1.amzn2023.x86_64"],
            "6.1.119-129.201.amzn2023.x86_64",
        ),
        (
            "amazon-linux-2023",
            &["6.1.9-1.amzn2023.x86_64", "6.1.119-129.201.amzn2023.x86_64"],
            "6.1.119-129.201.amzn2023.x86_64",
        ),
        (
            "sles-15",
            &["5.14.21-150500.55.7-default", "5.14.21-150500.55.83-default", "6.4.0-1-azure"],
            "5.14.21-150500.55.83-default",
        ),
    ] {
        let out = with_kernels(os, kernels, "running-newest-kernel", "RunningKernelIsTheNewest");
        let right = kernels[0] == newest;
        assert_eq!(out.code, i32::from(!right), "{os}: {out:?}");
        assert!(right || out.stderr.contains(&format!("{newest} is installed")), "{os}: {out:?}");
        let out = with_kernels(os, kernels, "no-pending-reboot", "NoRestartIsPending");
        assert_eq!(out.code, i32::from(!right), "{os}: {out:?}");
        let out = with_kernels(os, kernels, "no-pending-reboot", "RestartWhenRequired");
        assert_eq!(out.code, if right { 0 } else { 194 }, "{os}: {out:?}");
    }
}

#[test]
fn a_restart_is_asked_for_once() {
    let machine = Machine::new().with_moved("/boot").with_moved("/run").with_moved("/var/tmp");
    machine.write("/run/reboot-required", "");
    machine.write("/run/reboot-required.pkgs", "libc6\nlibc6\n");
    let steps = steps("debian-12", "[patch-linux]", "[no-pending-reboot]");
    let out = machine.run(&script(&steps, "NoRestartIsPending"));
    assert!(out.code == 1 && out.stderr.contains("/run/reboot-required is there: libc6"), "{out:?}");
    let restart = script(&steps, "RestartWhenRequired");
    assert_eq!((machine.run(&restart).code, machine.run(&restart).code), (194, 0));
    assert!(!machine.path("/var/tmp/amiforge-patch-linux-restarted").exists());
}

#[test]
fn what_asks_for_a_restart_on_rpm_systems() {
    let pending = |os: &str, program: &str, answer: &str| {
        let machine = Machine::new().with_moved("/boot").with_moved("/run");
        machine.program(program, answer);
        machine.run(&script(&steps(os, "[patch-linux]", "[no-pending-reboot]"), "NoRestartIsPending"))
    };
    let dnf = |answer: &str| pending("rhel-9", "dnf", &format!("case $* in *--help) ;; *-r) {answer} ;; esac"));
    assert_eq!(dnf("exit 0").code, 0);
    assert!(dnf("exit 1").stderr.contains("needs-restarting says so"));
    let unknown = dnf("exit 3");
    assert!(unknown.code == 3 && unknown.stderr.contains("ended with 3"), "{unknown:?}");
    assert_eq!(pending("rhel-9", "dnf", "exit 1").code, 0, "without the plugin only the kernel is judged");
    for (exit, code) in [(0, 0), (2, 0), (102, 1), (4, 4)] {
        assert_eq!(pending("sles-15", "zypper", &format!("exit {exit}")).code, code, "{exit}");
    }
}

fn assertion(parameter: &str, step: &str) -> Outcome {
    let machine = Machine::new();
    machine.write("/file", "");
    machine.program("stat", "if [ \"${3##*/}\" = file ]; then echo 640 root shadow; else exit 1; fi");
    machine.program("getent", "[ \"$3\" = root ]");
    machine.program(
        "dpkg-query",
        "case $3 in bash) echo 'installed 5.2.15-2' ;; gone) echo 'config-files 1' ;; *) exit 1 ;; esac",
    );
    machine.program("dpkg", "[ \"$2 $4\" = '5.2.15-2 5.2' ]");
    machine.program("uname", "echo 6.1.0-20-cloud-amd64");
    machine.run(&script(&steps("debian-12", "[patch-linux]", &format!("[assertions: {{ {parameter} }}]")), step))
}

#[test]
fn assertions_hold_or_say_why_not() {
    let holds = |parameter: &str, step: &str| {
        let out = assertion(parameter, step);
        assert_eq!(out.code, 0, "{parameter}: {out:?}");
    };
    let fails = |parameter: &str, step: &str, why: &str| {
        let out = assertion(parameter, step);
        assert!(out.code == 1 && out.stderr.contains(why), "{parameter}: {out:?}");
    };
    holds("packages: 'bash bash>=5.2'", "PackagesAreInstalled");
    fails("packages: 'bash>=9'", "PackagesAreInstalled", "bash is 5.2.15-2, not 9 or newer");
    fails("packages: 'gone'", "PackagesAreInstalled", "gone is not installed");
    fails("packages: 'bash=5'", "PackagesAreInstalled", "'bash=5' is not NAME or NAME>=VERSION");
    holds("files: '/x/file:0640:root:shadow /x/file:640'", "FilesHaveModeAndOwner");
    fails("files: '/x/file:0600'", "FilesHaveModeAndOwner", "is 640 root:shadow, not 0600 *:*");
    fails("files: 'file:0600'", "FilesHaveModeAndOwner", "is not PATH:MODE");
    fails("files: '/none:0600'", "FilesHaveModeAndOwner", "");
    holds("users: 'root nobody-here:absent'", "UsersAreAsAsserted");
    fails("users: nobody-here", "UsersAreAsAsserted", "there is no user nobody-here");
    fails("users: root:absent", "UsersAreAsAsserted", "the user root exists");
    fails("users: root:open", "UsersAreAsAsserted", "is not NAME");
    holds("outputs: 'echo a b => ^a b$ ;; echo x >&2; true => x ;;'", "OutputsMatch");
    fails("outputs: 'echo a => b'", "OutputsMatch", "does not match b:\na");
    fails("outputs: 'false => x'", "OutputsMatch", "false ended with 1");
    fails("outputs: 'echo a'", "OutputsMatch", "is not COMMAND => EXPRESSION");
    fails("ports: '70000'", "PortsAreListening", "is not a port");
    holds("kernel: '>=6.1.0-3'", "KernelIsAsAsserted");
    fails("kernel: '>=6.2'", "KernelIsAsAsserted", "the kernel 6.1.0-20-cloud-amd64 runs, not 6.2 or newer");
    fails("kernel: newest", "KernelIsAsAsserted", "is not one of the installed ones");
    fails("kernel: new", "KernelIsAsAsserted", "'new' is not newest or >=VERSION");
}
