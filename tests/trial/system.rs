//! Trials on a root with systemd: its services are real, and so are restarts.

use crate::harness::{Env, Outcome, SYSTEM, Test, component};
use serde_json::Value;

pub const TESTS: &[Test] = &[
    ("services_are_real_where_there_is_systemd", services),
    ("a_restart_by_command_and_code_goes_on", restart),
    ("a_restart_that_no_code_asks_for_fails", sudden),
];

const UNIT: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo up >>/var/log/unit'\n\
    ExecStop=/bin/sh -c 'echo down >>/var/log/unit'\n[Install]\nWantedBy=multi-user.target\n";

fn test(env: &Env, code: i32, name: &str, more: &[&str]) -> Outcome {
    let root = SYSTEM.display().to_string();
    env.expect(code, &[&["test", name, "--offline", "--root", &root, "--progress", "none"], more].concat())
}

fn services() {
    let make = format!("cat >/etc/systemd/system/mine.service <<'END'\n{UNIT}END");
    let text = component(&[
        ("build", &[("Make", &make), ("Enable", "systemctl daemon-reload; systemctl enable --now mine 2>/dev/null")]),
        // It was stopped in an orderly way before the image was made of it, and is started on a machine of that.
        (
            "test",
            &[
                ("Active", "systemctl is-active mine; [ \"$(cat /proc/1/comm)\" = systemd ]"),
                ("Seen", "[ \"$(paste -sd, /var/log/unit)\" = up,down,up ]"),
            ],
        ),
    ]);
    let env = Env::new(&[("unit", &text)]);
    let outcome = test(&env, 0, "unit", &["--require", "init", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let trial = &report["trials"][0];
    let facts = trial["facts"].as_array().unwrap();
    let real: Vec<&str> =
        facts.iter().filter(|fact| fact["real"] == true).map(|fact| fact["name"].as_str().unwrap()).collect();
    assert_eq!(real, ["init"]);
    assert_eq!(env.trials(), 0);
}

fn restart() {
    let script = "cat /proc/sys/kernel/random/boot_id >>/var/log/ids\n\
        if [ ! -e /var/tmp/second ]; then touch /var/tmp/second /run/before; systemctl reboot; exit 194; fi\n\
        [ ! -e /run/before ] && [ \"$(sort -u /var/log/ids | wc -l)\" = 2 ]";
    let text = component(&[("build", &[("Twice", script), ("Next", "systemctl is-system-running --wait || true")])]);
    let env = Env::new(&[("again", &text)]);
    test(&env, 0, "again", &[]);
}

fn sudden() {
    let reboot = component(&[("build", &[("Reboot", "systemctl reboot"), ("Next", "sleep 60")])]);
    let last = component(&[("build", &[("Reboot", "systemctl reboot")])]);
    let off = component(&[("build", &[("Off", "systemctl poweroff; sleep 60")])]);
    let env = Env::new(&[("reboot", &reboot), ("last", &last), ("off", &off)]);
    // Whether the step ends before the machine does must not decide.
    for name in ["reboot", "last"] {
        let text = test(&env, 6, name, &[]).stdout;
        assert!(
            text.contains("the instance restarted while the components ran; a step that wants a restart"),
            "{text}"
        );
    }
    let text = test(&env, 6, "off", &[]).stdout;
    assert!(text.contains("the instance was switched off from inside while the components ran"), "{text}");
    assert_eq!(env.trials(), 0);
}
