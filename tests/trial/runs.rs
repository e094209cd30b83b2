//! Trials that come to their end.

use crate::harness::{Env, ROOTS, Test, component, json, root};
use crate::schema;
use serde_json::Value;

pub const TESTS: &[Test] = &[
    ("a_matrix_of_two_roots", matrix),
    ("a_failing_step_is_explained_where_it_stands", failing_step),
    ("a_failing_test_phase_keeps_the_build_results", failing_test_phase),
    ("a_restart_in_the_build_phase_goes_on", restart),
    ("a_document_with_a_test_phase_only_runs_on_the_root", only_test),
    ("a_recipe_runs_all_its_components_with_their_parameters", recipe),
    ("a_component_of_a_recipe_runs_on_its_root_with_its_parameters", component_of_recipe),
    ("hooks_of_a_recipe_run_around_its_patch_component", hooks),
    ("what_is_required_has_to_be_real", required),
    ("a_stage_has_a_time_limit", time_limit),
    ("after_a_failure_nothing_more_is_begun", fail_fast),
    ("results_stream_as_they_come", stream),
];

/// A build phase that leaves things in and outside of the image, and a test phase that looks for them.
fn both() -> String {
    component(&[
        (
            "build",
            &[(
                "Write",
                ". /etc/os-release\necho \"$VERSION_ID\" >/etc/built-on\ntouch /tmp/leftover /var/tmp/leftover",
            )],
        ),
        ("validate", &[("Same", "[ -e /tmp/leftover ]")]),
        (
            "test",
            &[
                ("Image", ". /etc/os-release\n[ \"$(cat /etc/built-on)\" = \"$VERSION_ID\" ]"),
                (
                    "Fresh",
                    "[ ! -e /tmp/leftover ] && [ ! -e /var/tmp/leftover ] && [ ! -e /var/lib/amazon/toe/state/amiforge-test-build ]",
                ),
            ],
        ),
    ])
}

fn matrix() {
    let env = Env::new(&[("both", &both())]);
    let [first, second] = ROOTS.each_ref().map(|root| root.display().to_string());
    let arguments = ["test", "both", "--offline", "--root", &first, "--root", &format!("debian-13={second}")];
    let outcome = env.expect(0, &[&arguments[..], &["--json", "r.json", "--junit", "r.xml"]].concat());
    let report = json(&env.project().join("r.json"));
    schema::validate(&report);
    let trials = report["trials"].as_array().unwrap();
    let names: Vec<&str> = trials.iter().map(|trial| trial["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["both@root-12", "both@debian-13"]);
    for trial in trials {
        let phases: Vec<&str> =
            trial["steps"].as_array().unwrap().iter().map(|step| step["phase"].as_str().unwrap()).collect();
        assert_eq!(phases, ["build", "validate", "test", "test"]);
    }
    let xml = std::fs::read_to_string(env.project().join("r.xml")).unwrap();
    assert_eq!(xml.matches("<testsuite ").count(), 2);
    assert!(outcome.stdout.contains("2 trials passed; 8 steps executed"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("both@root-12  ✓ passed"), "{}", outcome.stderr);
    assert_eq!(env.trials(), 0, "folders are left");
    let again = env.expect(0, &[&arguments[..], &["--format", "markdown", "--progress", "none"]].concat());
    assert!(again.stdout.starts_with("## amiforge test: passed") && again.stderr.is_empty(), "{again:?}");
}

fn failing_step() {
    let script = "echo \"looking for $(uname -s)\"\necho 'not here' >&2\nexit 3";
    let env = Env::new(&[("bad", &component(&[("build", &[("Good", "true"), ("Bad", script), ("Never", "true")])]))]);
    let outcome =
        env.expect(6, &["test", "bad", "--offline", "--root", &format!("debian-12={}", root()), "--progress", "none"]);
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, filters => vec![
        (r"\d+\.\d s\b", "[time]"),
        (r"--root debian-12=\S+", "--root [root]"),
    ]}, {
        insta::assert_snapshot!("trial__failing_step", outcome.stdout);
    });
    assert_eq!(env.trials(), 0);
}

fn failing_test_phase() {
    let text = component(&[("build", &[("Make", "touch /etc/made")]), ("test", &[("Look", "[ -e /etc/other ]")])]);
    let env = Env::new(&[("bad", &text)]);
    let outcome =
        env.expect(6, &["test", "bad", "--offline", "--root", &root(), "--format", "json", "--progress", "none"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    schema::validate(&report);
    let trial = &report["trials"][0];
    assert_eq!((&trial["outcome"], &trial["steps"][0]["status"]), (&"failed".into(), &"passed".into()));
    let reason = &trial["reason"];
    assert_eq!((&reason["phase"], &reason["step"]), (&"test".into(), &"Look".into()));
    assert_eq!(reason["place"], "components/bad.yaml:17:15");
    assert!(reason["next"][0].as_str().unwrap().contains("--offline"), "{reason}");
}

fn restart() {
    let script = "echo boot >>/var/log/boots\nif [ ! -e /var/tmp/second ]; then touch /var/tmp/second /run/before; exit 194; fi\n\
        [ ! -e /run/before ] && [ \"$(wc -l </var/log/boots)\" = 2 ]";
    let text =
        component(&[("build", &[("Twice", script), ("Next", "true")]), ("test", &[("Kept", "[ -e /var/log/boots ]")])]);
    let env = Env::new(&[("again", &text)]);
    let outcome = env.expect(0, &["test", "again", "--offline", "--root", &root()]);
    assert!(outcome.stderr.contains("… restarting the instance"), "{}", outcome.stderr);
    let endless = component(&[("build", &[("Again", "exit 194")])]);
    env.write("components/endless.yaml", &endless);
    let outcome = env.expect(6, &["test", "endless", "--offline", "--root", &root()]);
    assert!(outcome.stdout.contains("reboot more than"), "{}", outcome.stdout);
}

fn only_test() {
    let env =
        Env::new(&[("look", &component(&[("test", &[("Root", "[ ! -e /etc/built-on ]\n[ -n \"$IMAGE_PHASE\" ]")])]))]);
    let outcome = env.expect(0, &["test", "components/look.yaml", "--offline", "--root", &root(), "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["trials"][0]["kind"], "component");
    assert!(!outcome.stderr.contains("build instance"), "{}", outcome.stderr);
}

const PARAMETERS: &str = "name: say\ndescription: says what it is told\nschemaVersion: 1.0\nparameters:\n  - Text: { type: \
    string, description: what }\nphases:\n  - name: build\n    steps:\n      - name: Say\n        action: ExecuteBash\n        \
    timeoutSeconds: 60\n        inputs:\n          commands:\n            - set -e; echo '{{ Text }}' >>/etc/said\n";

fn with_recipe() -> Env {
    let look = component(&[("test", &[("Said", "[ \"$(paste -sd, /etc/said)\" = \"$(cat /etc/expected)\" ]")])]);
    let expect = component(&[("build", &[("Expect", "echo one,two >/etc/expected")])]);
    let too = PARAMETERS.replace("name: say", "name: too");
    let env = Env::new(&[("say", PARAMETERS), ("too", &too), ("look", &look), ("expect", &expect)]);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /x/{{{{ arch }}}}\n  local: {{ directory: {} }}\n\
         architectures: [x86_64, arm64]\nbuild:\n  - say: {{ Text: one }}\n  - too: {{ Text: two }}\n  - expect\n\
         test: [look]\npromote: {{ launch_template: \"web-{{{{ arch }}}}-{{{{ channel }}}}\", parameter: \
         \"/golden/web/{{{{ arch }}}}/{{{{ channel }}}}\" }}\n",
        root()
    );
    env.write("recipes/web.yaml", &recipe);
    env
}

fn recipe() {
    let env = with_recipe();
    let outcome = env.expect(0, &["test", "--offline", "--format", "json", "--progress", "none"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    schema::validate(&report);
    let trial = &report["trials"][0];
    let documents: Vec<&str> =
        trial["steps"].as_array().unwrap().iter().map(|step| step["document"].as_str().unwrap()).collect();
    assert_eq!(
        (trial["name"].as_str(), documents.as_slice()),
        (Some("web@debian-12"), &["say", "too", "expect", "look"][..])
    );
    let changed = env.expect(6, &["test", "web", "--offline", "--parameters", "say:Text=three", "--progress", "none"]);
    assert!(changed.stdout.contains("look on debian-12"), "{}", changed.stdout);
}

fn component_of_recipe() {
    let env = with_recipe();
    let outcome = env.expect(0, &["test", "say", "--offline", "--format", "json", "--progress", "none"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["trials"][0]["name"], "say@debian-12");
    let refused = env.expect(2, &["test", "say", "--parameters", "Txet=x"]);
    assert!(refused.stderr.contains("no document that is tested has a parameter `Txet`"), "{}", refused.stderr);
    env.write("loose.yaml", PARAMETERS);
    let refused = env.expect(3, &["test", "loose.yaml", "--root", &root()]);
    assert!(
        refused.stderr.contains("loose.yaml:5:5") && refused.stderr.contains("--parameters Text=VALUE"),
        "{}",
        refused.stderr
    );
    env.expect(0, &["test", "loose.yaml", "--offline", "--root", &root(), "--parameters", "Text=x"]);
}

fn hooks() {
    let log = |word: &str| component(&[("build", &[("Note", &*format!("echo {word} >>/var/log/order"))])]);
    let says = component(&[("test", &[("Order", "[ \"$(paste -sd, /var/log/order)\" = stop,patch,start,last ]")])]);
    let env = Env::new(&[
        (
            "stop-app",
            &log("stop")
                .replace("echo stop", "[ \"{{ Wait }}\" = 7 ] && echo stop")
                .replace("phases:", "parameters:\n  - Wait: { type: string }\nphases:"),
        ),
        // The project's own takes the place of the built-in one.
        ("patch-linux", &log("patch")),
        ("start-app", &log("start")),
        ("last", &log("last")),
        ("order", &says),
    ]);
    let recipe = |hooks: &str| {
        let text = "os: debian-12\nparent: { ssm: /p }\nbuild: [patch-linux, last]\ntest: [order]\n";
        env.write("recipes/web.yaml", &format!("{text}hooks: {hooks}\n"));
    };
    recipe("{ before_patch: { stop-app: { Wait: 7 } }, after_patch: start-app }");
    env.expect(0, &["test", "web", "--offline", "--root", &root()]);
    recipe("{ before_patch: { stop-app: { Wait: 8 } }, after_patch: start-app }");
    let outcome = env.expect(6, &["test", "web", "--offline", "--root", &root(), "--json", "r.json"]);
    let report = json(&env.project().join("r.json"));
    let status = |name: &str| {
        let steps = report["trials"][0]["steps"].as_array().unwrap();
        steps.iter().find(|step| step["document"] == name).map_or(Value::Null, |step| step["status"].clone())
    };
    assert_eq!((status("stop-app"), status("patch-linux")), ("failed".into(), "not-run".into()), "{outcome:?}");
    recipe("{ before_patch: stop-ap }");
    let outcome = env.expect(2, &["test", "web", "--offline", "--root", &root()]);
    assert!(outcome.stderr.contains("did you mean `stop-app`?"), "{}", outcome.stderr);
}

fn required() {
    let env = Env::new(&[("look", &component(&[("test", &[("Root", "true")])]))]);
    let arguments = ["test", "look", "--offline", "--root", &root(), "--progress", "none"];
    let text = env.expect(0, &arguments).stdout;
    assert!(text.contains("skipped, because it was not real here") && text.contains("kernel "), "{text}");
    let text = env.expect(6, &[&arguments[..], &["--require", "kernel"]].concat()).stdout;
    assert!(text.contains("error[E012]: look@root-12: not real, and required: kernel"), "{text}");
    let xml = env.expect(6, &[&arguments[..], &["--require", "kernel", "--format", "junit"]].concat()).stdout;
    assert!(xml.contains("name=\"real: kernel\"") && xml.contains("<skipped") && xml.contains("<failure"), "{xml}");
    let text = env.expect(2, &[&arguments[..], &["--require", "kernal"]].concat()).stderr;
    assert!(text.contains("did you mean `kernel`?"), "{text}");
}

fn time_limit() {
    let env = Env::new(&[("slow", &component(&[("build", &[("Sleep", "sleep 1000")])]))]);
    let outcome =
        env.expect(6, &["test", "slow", "--offline", "--root", &root(), "--timeout", "3s", "--progress", "none"]);
    assert!(outcome.stdout.contains("(--timeout)"), "{}", outcome.stdout);
}

fn fail_fast() {
    let bad = component(&[("build", &[("Bad", "false")])]);
    let env = Env::new(&[("bad-1", &bad), ("bad-2", &bad)]);
    let arguments = ["test", "bad-*", "--offline", "--root", &root(), "--jobs", "1", "--progress", "none"];
    let text = env.expect(6, &[&arguments[..], &["--fail-fast"]].concat()).stdout;
    assert!(text.contains("bad-2@root-12  not run") && text.contains("1 trial failed, 1 not run"), "{text}");
    assert!(env.expect(6, &arguments).stdout.contains("2 trials failed"));
}

fn stream() {
    let good = component(&[("build", &[("Good", "true")])]);
    let env = Env::new(&[("good-1", &good), ("good-2", &good)]);
    let arguments = ["test", "good-*", "--offline", "--root", &root(), "--format", "ndjson", "--progress", "ndjson"];
    let outcome = env.expect(0, &arguments);
    let lines = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let events: Vec<Value> = lines(&outcome.stdout);
    assert_eq!(events.len(), 3);
    assert_eq!(events[2]["event"], "end");
    let progress = lines(&outcome.stderr);
    let lane =
        |event: &Value| (event["event"].as_str().unwrap().to_owned(), event["lane"].as_str().unwrap().to_owned());
    for name in ["good-1@root-12", "good-2@root-12"] {
        for word in ["lane-started", "lane-progress", "lane-finished"] {
            assert!(progress.iter().any(|event| lane(event) == (word.into(), name.into())), "{word} {name}");
        }
    }
}
