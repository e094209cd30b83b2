//! Builds that fail for real, in instances on this machine, through the binary: each is explained by the entry of the
//! catalogue that says what was done to it.

mod harness;
mod support;

use harness::{Env, Outcome};
use serde_json::Value;

/// A project whose only component can be replaced.
struct Fixture {
    env: Env,
}

impl Fixture {
    fn new() -> Self {
        let env = Env::new();
        let parent = support::fixture::parent(env.base());
        let bind = parent.repository.display();
        env.write(
            "amiforge.yaml",
            &format!("project: acme\nenvironments:\n  local: {{ bind: [\"{bind}\"] }}\nchannels:\n  candidate: {{}}\n"),
        );
        let recipe = format!(
            "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  \
             local: {{ directory: \"{}\" }}\nbuild: [broken]\ntest: [boots]\n",
            parent.root.display()
        );
        env.write("recipes/web.yaml", &recipe);
        Self { env }
    }

    /// Builds with a component of these commands in `phase`.
    fn build(&self, code: i32, phase: &str, commands: &str, more: &str) -> Outcome {
        let lines = commands.lines().fold(String::new(), |text, line| text + "              " + line + "\n");
        // What is under `build` of a recipe has something to do in the build.
        let first = match phase {
            "test" => step("build", "", "              echo built\n"),
            _ => String::new(),
        };
        let head = "name: broken\ndescription: Fails\nschemaVersion: 1.0\nphases:\n";
        let component = format!("{head}{first}{}", step(phase, more, &lines));
        self.env.write("components/broken.yaml", &component);
        self.env.expect(code, &["build", "web", "--progress", "none"])
    }

    fn why(&self, arguments: &[&str]) -> Value {
        let outcome = self.env.expect(0, &[&["why", "--format", "json"], arguments].concat());
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// Builds, and insists on the first cause that the build itself and `why` name.
    fn provoke(&self, expected: &str, commands: &str) -> Value {
        self.provoke_with(expected, 5, "build", commands, "")
    }

    fn provoke_with(&self, expected: &str, code: i32, phase: &str, commands: &str, more: &str) -> Value {
        let outcome = self.build(code, phase, commands, more);
        let said = outcome.stderr.lines().find(|line| line.starts_with("  why: ")).unwrap_or_default();
        assert!(said.starts_with(&format!("  why: {expected} ")), "{expected}:\n{}", outcome.stderr);
        assert!(outcome.stderr.contains("  next: amiforge why arn:"), "{}", outcome.stderr);
        let why = self.why(&[]);
        assert_eq!(why["causes"][0]["code"], expected, "{why:#}");
        assert_eq!(
            (&why["component"], &why["step"], &why["phase"]),
            (&"acme-broken".into(), &"Only".into(), &phase.into())
        );
        why
    }
}

/// A phase of one step that runs these lines.
fn step(phase: &str, more: &str, lines: &str) -> String {
    format!(
        "  - name: {phase}\n    steps:\n      - name: Only\n        action: ExecuteBash\n{more}        inputs:\n          \
         commands:\n            - |\n{lines}"
    )
}

/// Holds dpkg's lock as another package manager would, and runs apt under it.
const LOCKED: &str = r#"perl -MFcntl -e 'open(my $f, ">>", "/var/lib/dpkg/lock-frontend") or die;
my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $lock) or die;
exit(system("apt-get", "--yes", "-o", "DPkg::Lock::Timeout=0", "install", "amifix-web") >> 8)'"#;

/// A server that has nothing, and apt that asks it.
const EMPTY_MIRROR: &str = r#"cat > /tmp/server.pl <<'EOF'
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 5) or die "no socket: $!";
open(my $port, ">", "/tmp/port.new"); print $port $server->sockport; close($port); rename("/tmp/port.new", "/tmp/port");
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r\n$/ }
  print $client "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  close $client;
}
EOF
perl /tmp/server.pl & 
trap 'kill %1' EXIT
until [ -e /tmp/port ]; do sleep 0.1; done
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [trusted=yes] http://127.0.0.1:$(cat /tmp/port)/debian bookworm main" > /etc/apt/sources.list
apt-get update -o APT::Update::Error-Mode=any -o Acquire::Retries=0"#;

const DEAD_MIRROR: &str = r#"rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo "deb [trusted=yes] http://127.0.0.1:9/debian bookworm main" > /etc/apt/sources.list
apt-get update -o APT::Update::Error-Mode=any -o Acquire::Retries=0"#;

#[test]
fn what_was_done_to_a_build_is_what_why_says() {
    let fixture = Fixture::new();
    let full = fixture.provoke("W060", "set -e\necho unpacking\nhead -c 100000 /dev/zero > /dev/full");
    assert!(full["last_lines"].as_array().expect("lines").iter().any(|line| line == "unpacking"), "{full:#}");
    fixture.provoke("W043", LOCKED);
    fixture.provoke("W044", "touch /var/lib/dpkg/updates/0001\napt-get --yes install amifix-web");
    fixture.provoke("W030", EMPTY_MIRROR);
    fixture.provoke("W031", DEAD_MIRROR);
    fixture.provoke("W048", "apt-get --yes install amifix-wbe");
    let missing = fixture.provoke("W070", "set -e\nunzip-from-nowhere --help");
    assert_eq!(missing["exit"], 127);
    fixture.provoke("W071", "printf 'nothing\\n' > /var/tmp/tool\n/var/tmp/tool");
    fixture.provoke("W062", "kill -KILL $$");
    fixture.provoke("W029", "set -u\necho $HOME");
    fixture.provoke_with("W073", 5, "build", "echo waiting; sleep 60", "        timeoutSeconds: 1\n");
    fixture.provoke("W067", "exit 194");
    fixture.provoke_with("W078", 5, "validate", "echo looking; exit 3", "");
    let tested = fixture.provoke_with("W077", 6, "test", "echo looking for goodbye; exit 3", "");
    assert_eq!(tested["stage"], "test");
    // What nobody has seen before is said to be unknown, with its lines.
    fixture.build(5, "build", "echo the frob is not nicated; exit 42", "");
    let unknown = fixture.env.expect(0, &["why", "--recipe", "web"]).stdout;
    assert!(unknown.contains("the cause is not known") && unknown.contains("  | the frob is not nicated"), "{unknown}");
}

#[test]
fn a_bundle_explains_as_the_build_did_and_holds_no_secret() {
    let fixture = Fixture::new();
    fixture.env.expect(8, &["why"]);
    fixture.env.expect(8, &["logs", "--recipe", "web"]);
    fixture.build(5, "build", "echo DB_PASSWORD=tr0ub4dor; no-such-command", "");
    let live = fixture.why(&["--recipe", "web", "--arch", support_arch()]);
    assert_eq!(live["causes"][0]["code"], "W070", "{live:#}");
    assert!(!live.to_string().contains("tr0ub4dor"));
    let arn = live["image_arn"].as_str().expect("an ARN");
    let saved = fixture.env.expect(0, &["logs", arn, "--bundle", "b.tar.gz"]).stdout;
    assert!(saved.contains("next: amiforge why --bundle b.tar.gz"), "{saved}");
    assert_eq!(fixture.why(&["--bundle", "b.tar.gz"]), live);
    // Neither project nor environment is needed for it.
    std::fs::remove_file(fixture.env.project().join("amiforge.yaml")).expect("removed");
    assert_eq!(fixture.why(&["--bundle", "b.tar.gz"]), live);
    let bytes = std::fs::read(fixture.env.project().join("b.tar.gz")).expect("the bundle");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut text).expect("text");
    assert!(text.contains("DB_PASSWORD=***") && !text.contains("tr0ub4dor"), "{text}");
    std::fs::write(fixture.env.project().join("cut.tar.gz"), &bytes[..bytes.len() / 2]).expect("a file");
    let refused = fixture.env.expect(2, &["why", "--bundle", "cut.tar.gz"]).stderr;
    assert!(refused.contains("damaged"), "{refused}");
}

#[test]
fn builds_are_found_by_version_and_old_ones_stay_explained() {
    let fixture = Fixture::new();
    fixture.build(5, "build", "exit 127", "");
    let first = fixture.why(&[]);
    fixture.build(5, "build", "exit 137", "");
    let version = first["image_version"].as_str().expect("a version");
    assert_eq!(fixture.why(&[version, "--recipe", "web"]), first);
    assert_ne!(fixture.why(&[])["image_arn"], first["image_arn"], "the newest is meant");
    fixture.env.expect(2, &["why", version]);
    fixture.env.expect(2, &["why", "yesterday", "--recipe", "web"]);
    fixture.env.expect(8, &["why", "9.9.9/1", "--recipe", "web"]);
    fixture.build(0, "build", "echo fine", "");
    let markdown = fixture.env.expect(0, &["why", "--format", "markdown"]).stdout;
    assert!(markdown.starts_with("## image acme-web-"), "the newest that failed, not the newest: {markdown}");
    let log = fixture.env.expect(0, &["logs", version, "--recipe", "web"]).stdout;
    assert!(log.contains("Step Only"), "{log}");
    let explained = fixture.env.expect(0, &["explain", "W070"]).stdout;
    assert!(explained.starts_with("W070 command-not-found"), "{explained}");
}

/// The name that recipes give this machine's processor.
fn support_arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}
