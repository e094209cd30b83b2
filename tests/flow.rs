//! The whole way on fixtures made by code: a root cloned from this machine's own packages and a synthetic package
//! repository with a security suite. Offline, through the binary, in seconds.

mod harness;
#[path = "flow/judged.rs"]
mod judged;
mod support;

use harness::{Door, Env, Outcome};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A project whose parent image is the fixture root, with security updates waiting in the fixture repository.
struct Fixture {
    env: Env,
}

const MOTD: &str = "\
name: motd
description: Says hello to whoever logs in
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: WriteMotd
        action: CreateFile
        inputs:
          - path: /etc/motd
            content: hello
  - name: test
    steps:
      - name: MotdIsThere
        action: ExecuteBash
        timeoutSeconds: 30
        inputs:
          commands: ['grep -q hello /etc/motd']
";

impl Fixture {
    fn new() -> Self {
        let env = Env::new();
        let parent = support::fixture::parent(env.base());
        env.write(
            "amiforge.yaml",
            &format!(
                "project: acme\nenvironments:\n  local: {{ bind: [\"{}\"] }}\nchannels:\n  candidate: {{}}\n  production: {{ after: candidate }}\n",
                parent.repository.display()
            ),
        );
        env.write("recipes/web.yaml", &recipe(&parent.root, "[boots, patched]"));
        env.write("components/motd.yaml", MOTD);
        Self { env }
    }

    fn resolve(&self, channel: &str) -> String {
        self.env.expect(0, &["resolve", "web", "--channel", channel]).stdout.trim_end().to_owned()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.env.expect(0, arguments).stdout).expect("JSON on stdout")
    }

    /// Nothing of ours may be mounted or running once a command has ended.
    fn nothing_is_left(&self) {
        let base = self.env.base().display().to_string();
        let mounts = std::fs::read_to_string("/proc/mounts").expect("the mount table");
        assert!(!mounts.contains(&base), "still mounted:\n{mounts}");
        let instances = self.env.project().join(".amiforge/local/instances");
        let left: Vec<_> =
            std::fs::read_dir(instances).map(|dir| dir.flatten().map(|e| e.path()).collect()).unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
        let running = processes_that_see(&base);
        assert!(running.is_empty(), "still running: {running:?}");
    }
}

fn recipe(root: &std::path::Path, test: &str) -> String {
    format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  \
         local: {{ directory: \"{}\" }}\nbuild:\n  - patch-linux: {{ scope: security }}\n  - motd\ntest: {test}\n",
        root.display()
    )
}

/// Command lines of processes whose mount table names `base`: the instances of a test, and nobody else.
fn processes_that_see(base: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![] };
    let own = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    entries
        .flatten()
        .filter_map(|entry| {
            let mounts = std::fs::read_to_string(entry.path().join("mountinfo")).ok()?;
            (mounts != own && mounts.contains(base))
                .then(|| std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default())
        })
        .collect()
}

fn is_ami(text: &str) -> bool {
    text.len() == 21 && text.starts_with("ami-") && text[4..].bytes().all(|b| b.is_ascii_hexdigit())
}

#[test]
fn one_command_patches_tests_validates_and_promotes_and_a_second_one_creates_nothing() {
    let fixture = Fixture::new();
    let first = fixture.env.expect(0, &["run", "web"]);
    assert!(first.stdout.contains("→"), "the closing block names what was patched:\n{}", first.stdout);
    for word in [
        "ami-",
        "launch template",
        "parameter",
        "evidence",
        "amiforge resolve web --channel candidate",
        "amiforge rollback web",
    ] {
        assert!(first.stdout.contains(word), "`{word}` is missing in:\n{}", first.stdout);
    }
    let ami = fixture.resolve("candidate");
    assert!(is_ami(&ami), "{ami}");
    fixture.nothing_is_left();

    let report = fixture.json(&["run", "web", "--format", "json"]);
    assert_eq!(report["schema"], "amiforge.run/1");
    assert_eq!(report["changed"], false, "{report:#}");
    assert_eq!(report["image"]["ami"], ami.as_str());
    assert_eq!(report["evidence"]["patches"]["counts"]["missing"], 0);
    assert!(
        !report["evidence"]["changes"]["upgraded"].as_array().expect("changes").is_empty(),
        "packages were patched"
    );
    fixture.nothing_is_left();
}

/// The same baseline on the parent, as a root, and on the candidate, as an AMI.
#[test]
fn a_baseline_finds_everything_missing_in_the_parent_and_nothing_in_the_candidate() {
    let fixture = Fixture::new();
    let root = fixture.env.base().join("root").display().to_string();
    let test = ["baseline", "test", "AWS-DebianDefaultPatchBaseline", "--progress", "none"];
    let with = |code, more: &[&str]| fixture.env.expect(code, &[&test[..], more].concat()).stdout;
    let parent = with(7, &["--root", &root, "--save", "before.json", "--overrides", "todo.yaml"]);
    for name in support::fixture::MISSING {
        assert!(parent.contains(&format!("\nMissing  {name}.all  ")), "{name} in {parent}");
    }
    assert!(parent.contains(&format!("  {} missing, ", support::fixture::MISSING.len())), "{parent}");
    assert_eq!(fixture.env.read("todo.yaml").matches("- id:").count(), support::fixture::MISSING.len());

    fixture.env.expect(0, &["run", "web"]);
    let candidate = with(0, &["--image", "web", "--save", "after.json"]);
    assert!(candidate.contains(": compliant\n  0 missing, "), "{candidate}");
    let ami = fixture.resolve("candidate");
    with(0, &["--image", &ami]);
    let diff = fixture.env.expect(0, &["diff", "before.json", "after.json"]).stdout;
    assert!(diff.contains(&format!("{} upgraded", support::fixture::MISSING.len())), "{diff}");
    let same = fixture.env.expect(0, &["diff", &ami, "after.json"]).stdout;
    assert!(same.contains("0 upgraded"), "the inventory beside the evidence is the same one: {same}");
    // What the older image lacks of what is offered today.
    let later = with(0, &["--inventory", "before.json", "--against-offers", "after.json"]);
    assert!(later.contains("0 patches change"), "the sources offered it then already: {later}");
    fixture.nothing_is_left();
}

#[test]
fn a_changed_component_changes_itself_and_what_uses_it_and_the_plan_says_so_before() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["run", "web"]);
    let before = fixture.resolve("candidate");
    fixture.env.expect(0, &["plan", "web", "--detailed-exitcode"]);
    fixture.env.write("components/motd.yaml", &MOTD.replace("hello", "welcome"));
    let plan = fixture.env.expect(4, &["plan", "web", "--detailed-exitcode"]).stdout;
    let created: Vec<&str> = plan.lines().filter(|line| line.trim_start().starts_with('+')).collect();
    assert!(created.iter().any(|line| line.contains("acme-motd") && line.contains("1.0.1")), "{plan}");
    assert!(!created.iter().any(|line| line.contains("patch-linux") || line.contains("boots")), "{plan}");
    fixture.env.expect(0, &["run", "web"]);
    let after = fixture.resolve("candidate");
    assert_ne!(before, after);

    let refused = fixture.env.expect(2, &["rollback", "web", "--channel", "candidate"]);
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert_eq!(fixture.resolve("candidate"), after);
    fixture.env.expect(0, &["rollback", "web", "--channel", "candidate", "--yes"]);
    assert_eq!(fixture.resolve("candidate"), before);
    assert_eq!(Served::start(&fixture.env).launched("web-x86_64-candidate"), before);
    // What was taken back is not released again by the next run, only by name.
    let withheld = fixture.env.expect(8, &["run", "web"]).stderr;
    assert!(withheld.contains("rolled back") && withheld.contains("amiforge promote web"), "{withheld}");
    assert_eq!(fixture.resolve("candidate"), before);
    // Going forward again is a promotion of what is there: nothing is built.
    fixture.env.expect(0, &["promote", "web"]);
    assert_eq!(fixture.resolve("candidate"), after);
    assert_eq!(Served::start(&fixture.env).launched("web-x86_64-candidate"), after);
    fixture.env.expect(0, &["promote", "web", "--channel", "production"]);
    assert_eq!(fixture.resolve("production"), after);
    fixture.nothing_is_left();
}

#[test]
fn every_stage_is_a_verb_of_its_own_and_does_the_same_work() {
    let fixture = Fixture::new();
    fixture.env.expect(8, &["resolve", "web", "--channel", "candidate"]);
    fixture.env.expect(0, &["publish", "web"]);
    fixture.env.expect(8, &["promote", "web"]);
    let report = fixture.json(&["build", "web", "--format", "json"]);
    assert_eq!(report["schema"], "amiforge.build/1");
    let (built, again) = (&report["images"][0], fixture.json(&["build", "web", "--format", "json"]));
    let again = &again["images"][0];
    assert_eq!(built["ami"], again["ami"]);
    assert_eq!((&built["result"], &again["result"]), (&"built".into(), &"reused".into()));
    let status = fixture.json(&["status", "--format", "json"]);
    assert_eq!(status["images"][0]["last_available"]["ami"], built["ami"]);
    assert_eq!(status["images"][0]["in_flight"], serde_json::json!([]));
    let watched = fixture.json(&["watch", "web", "--format", "json"]);
    assert_eq!(watched["images"][0]["ami"], built["ami"], "a build that has ended is told as it ended");
    fixture.env.expect(8, &["watch"]);
    fixture.env.expect(8, &["promote", "web"]);
    fixture.env.expect(0, &["validate", "web"]);
    fixture.env.expect(0, &["promote", "web"]);
    assert_eq!(built["ami"], fixture.resolve("candidate").as_str());
    let channels = fixture.env.expect(0, &["channels"]).stdout;
    assert!(channels.contains(&fixture.resolve("candidate")), "{channels}");
    fixture.nothing_is_left();
}

#[test]
fn the_unpatched_parent_fails_validation_with_the_missing_packages_named() {
    let fixture = Fixture::new();
    let outcome = fixture.env.expect(7, &["validate", "web", "--parent"]);
    for package in support::fixture::MISSING {
        assert!(outcome.stderr.contains(package), "`{package}` is not named:\n{}", outcome.stderr);
    }
    fixture.env.expect(8, &["resolve", "web", "--channel", "candidate"]);
    fixture.nothing_is_left();
}

#[test]
fn an_unreachable_mirror_fails_the_build_with_the_step_and_its_last_lines() {
    let fixture = Fixture::new();
    // The instance no longer sees the repository: what apt finds is what it finds behind a dead mirror.
    fixture.env.write("amiforge.yaml", "project: acme\nchannels:\n  candidate: {}\n");
    let outcome = fixture.env.expect(5, &["run", "web"]);
    let text = &outcome.stderr;
    assert!(text.contains("patch-linux"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  | ")), "the step's last lines are missing:\n{text}");
    assert!(text.contains("FAILED"), "{text}");
    fixture.env.expect(8, &["resolve", "web", "--channel", "candidate"]);
    fixture.nothing_is_left();
}

#[test]
fn a_failing_test_phase_ends_with_6_and_is_never_a_candidate() {
    let fixture = Fixture::new();
    fixture
        .env
        .write("components/motd.yaml", &MOTD.replace("grep -q hello", "echo looking for goodbye; grep -q goodbye"));
    let outcome = fixture.env.expect(6, &["run", "web"]);
    assert!(
        outcome.stderr.contains("MotdIsThere") && outcome.stderr.contains("looking for goodbye"),
        "{}",
        outcome.stderr
    );
    fixture.env.expect(8, &["resolve", "web", "--channel", "candidate"]);
    fixture.nothing_is_left();
}

#[test]
fn a_gate_that_requires_a_real_kernel_is_not_passed_by_tests_that_had_none() {
    let fixture = Fixture::new();
    let text = recipe(&fixture.env.base().join("root"), "[boots]") + "gates:\n  tests: { real: [kernel] }\n";
    fixture.env.write("recipes/web.yaml", &text);
    let outcome = fixture.env.expect(7, &["run", "web"]);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("not real where the tests ran: kernel"), "{said}");
    assert!(said.contains("the image's own kernel does not run"), "{said}");
    fixture.env.expect(8, &["resolve", "web", "--channel", "candidate"]);
    fixture.nothing_is_left();
}

/// Starts a run, waits until stderr says `until`, sends `signal`; the outcome.
fn interrupt(env: &Env, until: &str, signal: &str) -> Outcome {
    let mut child: Child = env
        .command(&["run", "web", "--progress", "plain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let mut seen = String::new();
    let found = lines.by_ref().map_while(Result::ok).any(|line| {
        seen.push_str(&line);
        seen.push('\n');
        line.contains(until)
    });
    assert!(found, "`{until}` never came:\n{seen}");
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    for line in lines.map_while(Result::ok) {
        seen.push_str(&line);
        seen.push('\n');
    }
    let mut stdout = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut stdout).expect("text");
    let status = child.wait().expect("the child ends");
    Outcome { code: status.code().unwrap_or(-1), stdout, stderr: seen }
}

#[test]
fn ctrl_c_ends_with_130_leaves_nothing_and_the_next_run_continues() {
    let fixture = Fixture::new();
    for until in ["   check", "  parent", "patch-linux", "validate"] {
        let outcome = interrupt(&fixture.env, until, "-INT");
        assert_eq!(outcome.code, 130, "at `{until}`:\n{}\n{}", outcome.stdout, outcome.stderr);
        fixture.nothing_is_left();
    }
    fixture.env.expect(0, &["run", "web"]);
    assert!(is_ami(&fixture.resolve("candidate")));
}

#[test]
fn a_killed_run_leaves_nothing_running_and_the_next_one_finishes() {
    let fixture = Fixture::new();
    interrupt(&fixture.env, "patch-linux", "-KILL");
    fixture.env.expect(0, &["run", "web"]);
    assert!(is_ami(&fixture.resolve("candidate")));
    fixture.nothing_is_left();
}

/// `amiforge local serve` in the background, ended on drop.
struct Served {
    child: Child,
    door: Door,
}

impl Served {
    fn start(env: &Env) -> Self {
        let mut child = env.command(&["local", "serve"]).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let door = Door::read(BufReader::new(child.stdout.take().expect("stdout")));
        Self { child, door }
    }

    /// What the AWS CLI prints for these arguments, as JSON.
    fn aws(&self, arguments: &[&str]) -> serde_json::Value {
        let output = Command::new(aws_cli())
            .args(["--endpoint-url", &self.door.address(), "--output", "json"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", &self.door.keys[0].0)
            .env("AWS_SECRET_ACCESS_KEY", &self.door.keys[0].1)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .output()
            .expect("the AWS CLI starts");
        assert!(output.status.success(), "aws {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON from the AWS CLI")
    }
}

impl Served {
    /// The AMI that the default version of a launch template launches.
    fn launched(&self, template: &str) -> String {
        let versions = self.aws(&["ec2", "describe-launch-template-versions", "--launch-template-name", template]);
        let versions = versions["LaunchTemplateVersions"].as_array().expect("versions");
        let default = versions.iter().find(|version| version["DefaultVersion"] == true).expect("a default version");
        default["LaunchTemplateData"]["ImageId"].as_str().expect("an AMI").to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The AWS CLI; `make test` installs it into the build folder when the machine has none.
fn aws_cli() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../aws-cli/bin/aws");
    if own.exists() { own } else { PathBuf::from("aws") }
}

#[test]
fn the_aws_cli_lists_what_a_run_has_made() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["run", "web"]);
    let ami = fixture.resolve("candidate");
    let served = Served::start(&fixture.env);

    let components = served.aws(&["imagebuilder", "list-components"]);
    let names: Vec<&str> = components["componentVersionList"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert!(names.contains(&"acme-motd") && names.contains(&"acme-web-patch-linux"), "{names:?}");

    let images = served.aws(&["imagebuilder", "list-images"]);
    let version = images["imageVersionList"][0]["arn"].as_str().expect("an image version");
    let builds = served.aws(&["imagebuilder", "list-image-build-versions", "--image-version-arn", version]);
    let summary = &builds["imageSummaryList"][0];
    assert_eq!(summary["state"]["status"], "AVAILABLE");
    assert_eq!(summary["outputResources"]["amis"][0]["image"], ami.as_str());

    let described = served.aws(&["ec2", "describe-images", "--image-ids", &ami]);
    assert_eq!(described["Images"][0]["State"], "available");
    assert!(
        described["Images"][0]["Tags"].as_array().expect("tags").iter().any(|tag| tag["Key"] == "amiforge:evidence")
    );

    assert_eq!(served.launched("web-x86_64-candidate"), ami);

    let parameter = served.aws(&["ssm", "get-parameter", "--name", "/golden/web/x86_64/candidate"]);
    assert_eq!(parameter["Parameter"]["Value"], ami.as_str());
    assert_eq!(parameter["Parameter"]["DataType"], "aws:ec2:image");
}

#[test]
fn two_runs_at_once_build_one_image() {
    let fixture = Fixture::new();
    let spawn = || {
        fixture
            .env
            .command(&["run", "web"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    };
    let (one, two) = (spawn(), spawn());
    for child in [one, two] {
        let output = child.wait_with_output().expect("the child ends");
        // The second may find the channel locked by the first; it may not fail in any other way.
        assert!(matches!(output.status.code(), Some(0 | 11)), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let served = Served::start(&fixture.env);
    let images = served.aws(&["imagebuilder", "list-images"]);
    let version = images["imageVersionList"][0]["arn"].as_str().expect("an image version");
    let builds = served.aws(&["imagebuilder", "list-image-build-versions", "--image-version-arn", version]);
    assert_eq!(builds["imageSummaryList"].as_array().map(Vec::len), Some(1), "{builds:#}");
    fixture.env.expect(0, &["run", "web"]);
}

#[test]
fn a_locked_channel_is_not_moved_and_the_holder_is_named() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["run", "web"]);
    let lock = r#"{"schema":"amiforge.lock/1","id":"somebody","holder":"ci-7, process 12","since":"2026-01-01T00:00:00Z","expires":"2999-01-01T00:00:00Z"}"#;
    let name = "/amiforge/acme/locks/web/x86_64/production";
    Served::start(&fixture.env).aws(&["ssm", "put-parameter", "--name", name, "--type", "String", "--value", lock]);
    let refused = fixture.env.expect(11, &["promote", "web", "--channel", "production"]).stderr;
    assert!(refused.contains("ci-7, process 12") && refused.contains("--resume"), "{refused}");
    fixture.env.expect(8, &["resolve", "web", "--channel", "production"]);
}

#[test]
fn a_machine_that_permits_no_namespaces_is_told_which_and_what_mends_it() {
    let fixture = Fixture::new();
    // Somebody without root, in a changed root: there the kernel makes no user namespaces.
    let project = fixture.env.project();
    let chown = Command::new("chown").args(["-R", "65534:65534"]).arg(fixture.env.base()).status().expect("chown");
    assert!(chown.success());
    let jail = fixture.env.base().join("jail");
    std::fs::create_dir(&jail).expect("a folder");
    let amiforge = fixture.env.command(&[]);
    let script = "mount --rbind / \"$0\" && folder=$1 && shift && exec chroot \"$0\" env --chdir=\"$folder\" \
                  setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "/bin/sh", "-c", script]).args([&jail, &project]);
    command.arg(amiforge.get_program()).args(["run", "web"]);
    for (name, value) in amiforge.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.output().expect("unshare starts");
    let text = fixture.env.normal(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{text}");
    assert!(text.contains("mend it with") && text.contains("without it"), "{text}");
    assert!(!text.contains("publish"), "something was created:\n{text}");
}

#[test]
fn a_state_that_cannot_be_read_is_an_error_and_is_left_alone() {
    let fixture = Fixture::new();
    fixture.env.write(".amiforge/local/local.sqlite", "this is not a database, and somebody may want to know why");
    let text = fixture.env.expect(1, &["channels"]).stderr;
    assert!(text.contains("state database"), "{text}");
    assert!(fixture.env.read(".amiforge/local/local.sqlite").starts_with("this is not"), "the file was overwritten");
}
