//! Test phases on a machine with the image's own kernel, in an emulator: `--vm`. The root is a release of Debian with its
//! kernel for virtual machines, as a user would get it, kept in the build's folder.

use crate::harness::{Env, Outcome, SYSTEM, Test, component, eventually, processes_with};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;

pub const TESTS: &[Test] = &[
    ("machine::kernel_boots_and_restarts_are_real", kernel_boots_and_restarts_are_real),
    ("machine::what_breaks_it_down_is_told", what_breaks_it_down_is_told),
    ("machine::a_killed_run_leaves_no_emulator", a_killed_run_leaves_no_emulator),
    ("machine::what_cannot_be_booted_says_why", what_cannot_be_booted_says_why),
];

fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("machine-cache")
}

fn command(env: &Env, arguments: &[&str]) -> Command {
    let mut command = env.command(&[&["test", "--vm", "--progress", "plain"], arguments].concat());
    command.env("AMIFORGE_CACHE", cache());
    command
}

fn test(env: &Env, code: i32, arguments: &[&str]) -> Outcome {
    let output = command(env, arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let outcome = Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    assert_eq!(outcome.code, code, "{outcome:#?}");
    assert_eq!(env.trials(), 0, "folders are left");
    outcome
}

/// Emulators that run for this project.
fn emulators(env: &Env) -> Vec<String> {
    processes_with(&env.project().join(".amiforge/trials").display().to_string())
}

fn kernel_boots_and_restarts_are_real() {
    let again = "cat /proc/sys/kernel/random/boot_id >>/var/log/ids; test -e /var/lib/built\n\
        [ \"$(uname -r)\" != \"$(cat /var/lib/builder)\" ]; ls /lib/modules | grep -qx \"$(uname -r)\"\n\
        if [ ! -e /var/tmp/second ]; then touch /var/tmp/second /run/before; exit 194; fi\n\
        [ ! -e /run/before ] && [ \"$(sort -u /var/log/ids | wc -l)\" = 2 ]";
    // By the machine itself, and the run goes on because the code says so.
    let itself = "cat /proc/sys/kernel/random/boot_id >>/var/log/ids\n\
        if [ ! -e /var/tmp/third ]; then touch /var/tmp/third; systemctl reboot; exit 194; fi\n\
        [ \"$(sort -u /var/log/ids | wc -l)\" = 3 ]; [ \"$(stat -c '%U %a' /etc/shadow)\" = 'root 640' ]";
    let text = component(&[
        ("build", &[("Mark", "touch /var/lib/built; uname -r >/var/lib/builder")]),
        ("test", &[("Again", again), ("Itself", itself)]),
    ]);
    let env = Env::new(&[("again", &text)]);
    env.write(
        "recipes/web.yaml",
        "os: debian-12\nparent: { ssm: /p, local: { bootstrap: bookworm } }\nbuild: [again]\ntest: [boots, \
         running-newest-kernel, no-failed-units, assertions: { sysctls: kernel.ostype=Linux, kernel: newest }]\n",
    );
    let required = ["--require", "kernel,boot-id,sysctl,init,uptime,clock", "--format", "json"];
    let outcome = test(&env, 0, &[&["web"], &required[..]].concat());
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let steps = report["trials"][0]["steps"].as_array().unwrap();
    let skipped: Vec<_> = steps.iter().filter(|step| step["status"] == "skipped").collect();
    assert!(skipped.is_empty(), "on a machine of its own nothing has to be skipped: {skipped:?}");
    assert!(steps.len() > 8, "{steps:?}");
}

fn what_breaks_it_down_is_told() {
    let trouble = |script: &str| component(&[("test", &[("Trouble", script)])]);
    let env = Env::new(&[
        ("panics", &trouble("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 600")),
        ("off", &trouble("systemctl poweroff; sleep 600")),
        ("hangs", &trouble("sleep 600")),
        ("restarts", &trouble("systemctl reboot; sleep 600")),
    ]);
    let what = ["panics", "off", "restarts", "hangs", "--os", "debian-12", "--timeout", "90s"];
    let outcome = test(&env, 6, &what);
    for expected in [
        "the machine broke down while the components ran: Kernel panic - not syncing: sysrq triggered crash",
        "the instance was switched off from inside while the components ran",
        "the instance restarted while the components ran; a step that wants a restart",
        "the stage did not end within 90 seconds",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}: {outcome:#?}");
    }
    assert!(outcome.stdout.contains("4 trials failed"), "{outcome:#?}");
    assert_eq!(emulators(&env), Vec::<String>::new());
}

fn a_killed_run_leaves_no_emulator() {
    let hangs = component(&[("test", &[("Hang", "echo it-hangs; sleep 600")])]);
    let good = component(&[("build", &[("Good", "true")])]);
    let env = Env::new(&[("hangs", &hangs), ("good", &good)]);
    let mut child =
        command(&env, &["hangs", "--os", "debian-12"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("hangs: test: Hang")), "the step never began");
    assert!(!emulators(&env).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the emulator ends", || emulators(&env).is_empty());
    assert!(env.trials() > 0, "a killed program cannot clean up");
    env.expect(0, &["test", "good", "--offline", "--root", &SYSTEM.display().to_string()]);
    assert_eq!(env.trials(), 0, "what it left was not swept");
}

fn what_cannot_be_booted_says_why() {
    let env = Env::new(&[("one", &component(&[("test", &[("One", "true")])]))]);
    let root = SYSTEM.display().to_string();
    let said = test(&env, 1, &["one", "--root", &root]).stdout;
    assert!(said.contains("it has no kernel") && said.contains("linux-image-cloud-amd64"), "{said}");
    let build = Env::new(&[("one", &component(&[("build", &[("One", "true")])]))]);
    assert!(test(&build, 2, &["one", "--root", &root]).stderr.contains("no document here has one"));
    let kept = test(&env, 2, &["one", "--keep"]).stderr;
    assert!(kept.contains("--keep"), "{kept}");
}
