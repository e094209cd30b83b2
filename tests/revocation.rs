//! Releases are revoked, restored, listed and compared over several accounts and Regions of the local environment, from the
//! command line.

#![allow(clippy::print_stdout, reason = "the README's samples come from here, on request")]

mod harness;
mod support;

use harness::{Door, Env, Outcome};
use std::io::BufReader;
use std::process::{Child, Command, Stdio};

const HOME: &str = "000000000000";
const OTHER: &str = "111122223333";

/// A project with two accounts and two Regions, and two channels.
fn project() -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local:\n    bind: [\"{}\"]\n    distribute: share\n    targets:\n      \
         - {{ account: \"{HOME}\", regions: [us-east-1, eu-west-1] }}\n      \
         - {{ account: \"{OTHER}\", regions: [us-east-1, eu-west-1] }}\n\
         channels:\n  candidate: {{}}\n  production: {{ after: candidate }}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
         build:\n  - motd\ntest: [boots]\nroot_volume: {{ encrypted: false }}\ngates:\n  tests: required\npromote:\n  \
         launch_template: \"{{{{ name }}}}-{{{{ arch }}}}-{{{{ channel }}}}\"\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env
}

fn run(env: &Env, code: i32, command: &str) -> Outcome {
    let arguments = words(command);
    let output = env.expect(code, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    if std::env::var_os("AMIFORGE_SHOW").is_some() {
        println!("$ amiforge {command}\n{}{}", output.stdout, output.stderr);
    }
    output
}

/// Words of a command line; quotes hold several together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, piece) in command.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(piece.split_whitespace().map(str::to_owned)),
            _ => words.push(piece.to_owned()),
        }
    }
    words
}

fn resolve(env: &Env, channel: &str) -> String {
    run(env, 0, &format!("resolve web --channel {channel}")).stdout.trim().to_owned()
}

/// What is random in an output, by what it is.
fn normal(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (what, name) in names {
        text = text.replace(what, name);
    }
    let patterns = [
        (r"ami-[0-9a-f]{17}", "[copy]"),
        (r"i-[0-9a-f]{17}", "[instance]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"sha256:[0-9a-f]{64}", "[digest]"),
        (r"[0-9a-f]{64}", "[fingerprint]"),
    ];
    for (pattern, name) in patterns {
        let pattern = regex_lite::Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, name).into_owned();
    }
    text
}

/// A second release over the first one, in both channels; the AMIs of both.
fn two_releases(env: &Env) -> (String, String) {
    run(env, 0, "run web");
    run(env, 0, "promote web --channel production");
    let first = resolve(env, "production");
    env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    run(env, 0, "run web");
    (first, resolve(env, "candidate"))
}

#[test]
fn a_release_is_revoked_in_every_account_and_restored() {
    let env = project();
    let (first, second) = two_releases(&env);
    let names = [(first.as_str(), "[first]"), (second.as_str(), "[second]")];
    let between = run(&env, 0, "diff production candidate").stdout;
    insta::assert_snapshot!("diff", normal(&between, &names));
    let json = run(&env, 0, "diff production candidate --recipe web --format json").stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["schema"], &json["after"]["ami"]), (&"amiforge.release-diff/1".into(), &second.as_str().into()));
    let markdown = run(&env, 0, "diff production candidate --format markdown").stdout;
    assert!(markdown.starts_with("## production"), "{markdown}");
    run(&env, 0, "promote web --channel production");
    let before = "resolve web --channel production --previous";
    assert_eq!(run(&env, 0, before).stdout, format!("{first}\n"));

    let refused = run(&env, 2, &format!("revoke {second} --reason leak")).stderr;
    assert!(refused.contains("there is no terminal to ask on") && refused.contains(&first), "{refused}");
    run(&env, 2, "revoke ami-0123456789abcdef0 --reason leak --yes");
    run(&env, 2, &format!("revoke {second} --reason \" \" --yes"));
    let plan = run(&env, 0, &format!("revoke {second} --reason \"the key of the mirror leaked\" --plan")).stdout;
    insta::assert_snapshot!("plan", normal(&plan, &names));
    assert_eq!(resolve(&env, "production"), second, "a plan changes nothing");
    let revoked = run(&env, 0, &format!("revoke {second} --reason \"the key of the mirror leaked\" --yes")).stdout;
    insta::assert_snapshot!("revoked", normal(&revoked, &names));
    for channel in ["candidate", "production"] {
        assert_eq!(resolve(&env, channel), first);
    }
    let none = run(&env, 2, before);
    assert!(none.stdout.is_empty() && none.stderr.contains("no earlier release"), "{none:?}");
    run(&env, 0, "drift");
    let again = run(&env, 0, &format!("revoke {second} --reason again --yes --format json")).stdout;
    let again: serde_json::Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&again["schema"], &again["changed"]), (&"amiforge.revoked/1".into(), &false.into()));

    // Nothing brings it back.
    let refusals = [
        "run web",
        "promote web --channel candidate",
        "validate web",
        &format!("rollback web --channel candidate --to {second} --yes"),
    ];
    for command in refusals {
        let refused = run(&env, 8, command).stderr;
        assert!(refused.contains("was revoked at") && refused.contains("amiforge restore"), "{command}: {refused}");
    }
    let releases = run(&env, 0, "releases").stdout;
    insta::assert_snapshot!("releases", normal(&releases, &names));
    let empty = run(&env, 2, &format!("revoke {first} --recipe web --reason \"this too\" --yes")).stderr;
    assert!(empty.contains("--allow-empty"), "{empty}");

    // Evidence that cannot be looked at says nothing: the mark would be lost for want of an answer.
    let evidence = env.project().join(format!(".amiforge/evidence/web/x86_64/{second}.json"));
    let aside = evidence.with_extension("aside");
    std::fs::rename(&evidence, &aside).expect("the evidence");
    std::fs::create_dir(&evidence).expect("a folder");
    let unread = run(&env, 8, &format!("restore {second} --reason \"it was another key\" --yes"));
    assert!(unread.stdout.is_empty() && unread.stderr.contains(&format!("{second}.json")), "{unread:?}");
    assert_eq!(run(&env, 0, "releases").stdout, releases, "nothing was changed");
    std::fs::remove_dir(&evidence).expect("the folder");
    std::fs::rename(&aside, &evidence).expect("the evidence");

    let restored = run(&env, 0, &format!("restore {second} --reason \"it was another key\" --yes")).stdout;
    insta::assert_snapshot!("restored", normal(&restored, &names));
    assert_eq!(resolve(&env, "production"), first, "no channel is moved");
    run(&env, 2, &format!("restore {second} --reason again --yes"));
    run(&env, 0, &format!("rollback web --channel production --to {second} --yes"));
    run(&env, 0, "promote web --channel candidate");
    assert_eq!((resolve(&env, "production"), resolve(&env, "candidate")), (second.clone(), second));
    run(&env, 0, "drift");
}

#[test]
fn the_only_release_leaves_channels_empty_when_it_may() {
    let env = project();
    run(&env, 0, "run web");
    let only = resolve(&env, "candidate");
    run(&env, 2, &format!("revoke {only} --reason bad --yes"));
    assert_eq!(resolve(&env, "candidate"), only, "nothing was changed");
    let revoked = run(&env, 0, &format!("revoke {only} --reason bad --yes --allow-empty")).stdout;
    assert!(revoked.contains("candidate is empty"), "{revoked}");
    let channels = run(&env, 0, "channels web").stdout;
    assert!(channels.lines().any(|line| line.contains(" candidate ") && line.contains("empty since 2")), "{channels}");
    let empty = run(&env, 8, "resolve web --channel candidate").stderr;
    assert!(empty.contains("nothing is promoted"), "{empty}");
    let history = run(&env, 0, "history web").stdout;
    assert!(history.contains("empty, without"), "{history}");
    run(&env, 8, "diff candidate production");
    run(&env, 0, "channels");
    env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    run(&env, 0, "run web");
    assert_ne!(resolve(&env, "candidate"), only);
    run(&env, 0, "drift");
}

/// `local serve`, which its instances live in.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // Asked, not killed: its instances end with it.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn who_still_runs_it_is_listed_with_account_and_region() {
    let env = project();
    let (_, second) = two_releases(&env);
    let mut served = env
        .command(&["local", "serve", "--port", "0", "--account", OTHER])
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map(Served)
        .expect("the server starts");
    let door = Door::read(BufReader::new(served.0.stdout.take().expect("its output")));
    let instance = launch(&door, &second);
    let revoked = run(&env, 0, &format!("revoke {second} --reason leak --yes")).stdout;
    let line = revoked.lines().find(|line| line.contains("in use")).unwrap_or_default();
    assert!(line.contains(&format!("{OTHER}/us-east-1: {instance}")) && line.contains("is running"), "{revoked}");
}

/// An instance of the other account, which may launch the image.
fn launch(door: &Door, ami: &str) -> String {
    use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
    let (key, secret) = door.keys.last().cloned().expect("keys of the other account");
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(door.address())
        .credentials_provider(Credentials::new(key, secret, None, None, "test"))
        .build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let answer = runtime.block_on(async {
        let client = aws_sdk_ec2::Client::from_conf(config);
        client.run_instances().image_id(ami).min_count(1).max_count(1).send().await
    });
    let answer = answer.expect("an instance");
    answer.instances()[0].instance_id().expect("its id").to_owned()
}
