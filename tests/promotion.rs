//! Releases over several accounts and Regions of the local environment, from the command line.

#![allow(clippy::print_stdout, reason = "the README's samples come from here, on request")]

mod harness;
mod support;

use harness::Env;

/// A project with two accounts and two Regions, and a channel that wants an approval.
fn project(distribute: &str) -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local:\n    bind: [\"{}\"]\n    distribute: {distribute}\n    targets:\n      \
         - {{ account: \"000000000000\", regions: [us-east-1, eu-west-1] }}\n      \
         - {{ account: \"111122223333\", regions: [us-east-1, eu-west-1] }}\n\
         channels:\n  candidate: {{}}\n  production: {{ after: candidate, approval: required }}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
         build:\n  - motd\ntest: [boots]\nroot_volume: {{ encrypted: false }}\ngates:\n  tests: required\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env
}

const PLACES: [&str; 4] =
    ["000000000000/us-east-1", "000000000000/eu-west-1", "111122223333/us-east-1", "111122223333/eu-west-1"];

/// For the README: what a reader sees, when it is asked for.
fn show(command: &str, text: &str) {
    if std::env::var_os("AMIFORGE_SHOW").is_some() {
        println!("$ amiforge {command}\n{text}");
    }
}

#[test]
fn a_release_moves_through_channels_over_accounts_and_regions_and_back() {
    let env = project("share");
    let run = |code: i32, command: &str| {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let output = env.expect(code, &arguments);
        show(command, &format!("{}{}", output.stdout, output.stderr));
        output
    };
    let first = run(0, "run web").stdout;
    for place in PLACES {
        assert!(first.contains(place), "{place} in {first}");
    }
    let ami = run(0, "resolve web --channel candidate").stdout.trim().to_owned();
    let refused = run(8, "promote web --channel production").stderr;
    assert!(refused.contains("a person must approve it") && refused.contains("amiforge approve"), "{refused}");
    env.expect(2, &["approve", &ami, "--channel", "production"]);
    let reason = ["approve", &ami, "--recipe", "web", "--channel", "production", "--reason", "tried in staging"];
    let approved = env.expect(0, &reason).stdout;
    show(&reason.join(" "), &approved);
    assert!(approved.contains("is approved for channel production by arn:aws:"), "{approved}");
    let plan = run(0, "promote web --channel production --plan").stdout;
    assert!(PLACES.iter().all(|place| plan.contains(place)) && plan.contains("is made"), "{plan}");
    run(8, "resolve web --channel production");
    run(0, "promote web --channel production");
    assert_eq!(run(0, "resolve web --channel production").stdout.trim(), ami);
    let history = run(0, "history web --channel production").stdout;
    assert!(history.contains(&ami) && history.contains("promoted by arn:aws:"), "{history}");
    let clean = run(0, "drift").stdout;
    assert_eq!(clean.matches("4 targets are as the release says").count(), 2, "{clean}");

    let json = run(0, "promote web --channel candidate --plan --format json").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["schema"], &json["changes"]), (&"amiforge.promotion-plan/2".into(), &false.into()));
    run(2, "rollback web --channel production --yes");
    run(2, "rollback web --channel production --to ami-0 --yes");

    env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    run(0, "run web");
    let second = run(0, "resolve web --channel candidate").stdout.trim().to_owned();
    assert_ne!(second, ami);
    let plan = run(0, "rollback web --channel candidate --plan").stdout;
    assert!(plan.contains(&format!("points at {second} and would point at {ami}")), "{plan}");
    assert_eq!(run(0, "resolve web --channel candidate").stdout.trim(), second, "a plan changes nothing");
    run(0, "rollback web --channel candidate --yes");
    assert_eq!(run(0, "resolve web --channel candidate").stdout.trim(), ami);
    let forward = format!("rollback web --channel candidate --to {second} --yes");
    run(0, &forward);
    let history = run(0, "history web --channel candidate --format json").stdout;
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let held: Vec<_> = history["releases"].as_array().expect("a list").iter().map(|one| &one["ami"]).collect();
    assert_eq!(held, [&second, &ami, &second, &ami]);
    run(0, "drift web");
}

/// A failure after the first pointers were moved puts them back; a process that is killed in between leaves what
/// `--resume` and `--abort` need.
#[test]
fn a_failed_promotion_is_undone_and_a_killed_one_resumed() {
    let env = project("share");
    let run = |code: i32, command: &str| {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let output = env.expect(code, &arguments);
        show(command, &format!("{}{}", output.stdout, output.stderr));
        output
    };
    let resolve = || run(0, "resolve web --channel candidate").stdout.trim().to_owned();
    run(0, "run web");
    let first = resolve();
    env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    run(0, "build web");
    run(0, "validate web");

    let settings = env.read("amiforge.yaml");
    let home = "{ account: \"111122223333\", region: us-east-1 }";
    let network = "{ instance_profile: p, subnet: subnet-0123456789abcdef0, security_groups: [sg-0123456789abcdef0] }";
    let real = format!("environments:\n  real:\n    home: {home}\n    infrastructure: {network}\n");
    env.write("amiforge.yaml", &settings.replace("environments:\n", &real));
    let refused = run(2, "drift web -e real --fault ec2:*:fail").stderr;
    assert!(refused.contains("--fault is for the local environment only"), "{refused}");
    env.write("amiforge.yaml", &settings);

    // The third template of four may not be moved.
    let failed = run(12, "promote web --channel candidate --fault ec2:ModifyLaunchTemplate:deny@3");
    assert!(failed.stderr.contains("default of launch template web-x86_64-candidate is 1 again"), "{}", failed.stderr);
    assert_eq!(resolve(), first);
    run(0, "drift web");

    let killed = run(-1, "promote web --channel candidate --fault ec2:ModifyLaunchTemplate:kill-after@2");
    assert_eq!(killed.stdout, "");
    run(11, "promote web --channel candidate");
    run(10, "drift web");
    run(0, "promote web --channel candidate --abort");
    assert_eq!(resolve(), first);
    run(0, "drift web");
    run(-1, "promote web --channel candidate --fault ssm:PutParameter:kill@5");
    run(0, "promote web --channel candidate --resume");
    assert_ne!(resolve(), first);
    run(0, "drift web");
}
