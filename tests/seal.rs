//! Evidence that lasts: signed by a key in KMS, kept in S3, promoted from another machine; and inspections that leave nothing
//! behind, however they end. Through the binary, on fixtures made by code.

mod harness;
mod support;

use harness::{Door, Env};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const MOTD: &str = include_str!("strangers/motd.yaml");
const BUCKET: &str = "acme-evidence";
const SIGNING: &str = "signing: { kms: alias/evidence, trusted_kms: [alias/evidence] }\n";

/// A project whose parent image is the fixture root. `aws` is an environment that is the local one of the same project, reached
/// over the network like AWS.
struct Fixture {
    env: Env,
    repository: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let env = Env::new();
        let parent = support::fixture::parent(env.base());
        let recipe = format!(
            "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
             build:\n  - motd\ntest: [boots]\ngates:\n  tests: required\n",
            parent.root.display()
        );
        env.write("recipes/web.yaml", &recipe);
        env.write("components/motd.yaml", MOTD);
        let fixture = Self { env, repository: parent.repository };
        fixture.settings("", "");
        fixture
    }

    /// Writes `amiforge.yaml`, with more of the local environment and more behind it.
    fn settings(&self, local: &str, more: &str) {
        let bind = self.repository.display();
        self.env.write(
            "amiforge.yaml",
            &format!(
                "project: acme\nenvironments:\n  local: {{ bind: [\"{bind}\"]{local} }}\n  aws:\n    home: {{ account: \"000000000000\", region: \
                 us-east-1 }}\n    infrastructure: {{ instance_profile: build }}\nchannels:\n  candidate: {{}}\n  production: {{ after: candidate }}\n{more}"
            ),
        );
    }

    fn candidate(&self) -> String {
        self.env.expect(0, &["resolve", "web", "--channel", "candidate"]).stdout.trim_end().to_owned()
    }

    fn evidence(&self) -> PathBuf {
        self.env.project().join(".amiforge/evidence")
    }

    /// A machine that has the project and not what others have collected.
    fn on_another_machine(&self) {
        fs::remove_dir_all(self.evidence()).expect("evidence");
    }

    /// Nothing of ours may be mounted or running once a command has ended.
    fn nothing_is_left(&self) {
        let base = self.env.base().display().to_string();
        let mounts = fs::read_to_string("/proc/mounts").expect("the mount table");
        assert!(!mounts.contains(&base), "still mounted:\n{mounts}");
        let instances = self.env.project().join(".amiforge/local/instances");
        let left: Vec<_> =
            fs::read_dir(instances).map(|dir| dir.flatten().map(|e| e.path()).collect()).unwrap_or_default();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// `amiforge local serve`.
struct Served {
    child: Child,
    door: Door,
}

impl Served {
    fn start(env: &Env, more: &[&str]) -> Self {
        let mut command = env.command(&[&["local", "serve"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let door = Door::read(BufReader::new(child.stdout.take().expect("stdout")));
        Self { child, door }
    }

    fn keyed<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ACCESS_KEY_ID", &self.door.keys[0].0)
            .env("AWS_SECRET_ACCESS_KEY", &self.door.keys[0].1)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// The AWS CLI with these arguments; its output.
    fn cli(&self, arguments: &[&str]) -> Vec<u8> {
        let own = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../aws-cli/bin/aws");
        let mut command = Command::new(if own.exists() { own } else { PathBuf::from("aws") });
        command.args(["--endpoint-url", &self.door.address(), "--output", "json"]).args(arguments);
        let output = self.keyed(&mut command).output().expect("the AWS CLI starts");
        assert!(output.status.success(), "aws {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn aws(&self, arguments: &[&str]) -> Value {
        let output = self.cli(arguments);
        if output.iter().all(u8::is_ascii_whitespace) {
            Value::Null
        } else {
            serde_json::from_slice(&output).expect("JSON")
        }
    }

    /// The ids of instances that run, as EC2 tells them.
    fn instances(&self) -> Vec<String> {
        let filter = "Name=instance-state-name,Values=pending,running,stopping,stopped";
        let found = self.aws(&[
            "ec2",
            "describe-instances",
            "--filters",
            filter,
            "--query",
            "Reservations[].Instances[].InstanceId",
        ]);
        found.as_array().into_iter().flatten().filter_map(|id| Some(id.as_str()?.to_owned())).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Asked, not killed: its instances end with it.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Runs OpenSSL in a folder; whether it succeeded.
fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed").status.success()
}

/// What a DSSE signature is over, from its specification, and the signature.
fn signed(envelope: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(value.as_str().expect("text")).expect("base64")
    };
    let envelope: Value = serde_json::from_slice(&fs::read(envelope).expect("an envelope")).expect("JSON");
    let (kind, payload) = (envelope["payloadType"].as_str().expect("text"), read(&envelope["payload"]));
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend(payload);
    (message, read(&envelope["signatures"][0]["sig"]))
}

/// A key in KMS and a bucket in S3, made by the AWS CLI; the ARN of the key.
fn made(served: &Served) -> String {
    let made = served.aws(&["kms", "create-key", "--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY"]);
    let arn = made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned();
    served.cli(&["kms", "create-alias", "--alias-name", "alias/evidence", "--target-key-id", &arn]);
    served.cli(&["s3", "mb", &format!("s3://{BUCKET}")]);
    arn
}

#[test]
fn evidence_is_signed_by_kms_kept_in_s3_and_good_for_another_machine() {
    let fixture = Fixture::new();
    fixture.settings(&format!(", evidence: {{ bucket: {BUCKET} }}"), SIGNING);
    let missing = fixture.env.expect(2, &["doctor", "--only", "evidence"]).stdout;
    assert!(missing.contains("there is no bucket acme-evidence") && missing.contains("alias/evidence"), "{missing}");
    let served = Served::start(&fixture.env, &[]);
    let key = made(&served);
    let there = fixture.env.expect(0, &["doctor", "--only", "evidence"]).stdout;
    assert!(there.contains("bucket acme-evidence in us-east-1") && there.contains(&key), "{there}");

    fixture.env.expect(0, &["run", "web"]);
    let ami = fixture.candidate();
    let verified = fixture.env.expect(0, &["verify", &ami]).stdout;
    assert!(verified.contains(&format!("({key})")) && verified.contains("carries this digest"), "{verified}");

    // Nobody has to ask KMS who has the public half, and OpenSSL sees it the same way.
    let file = fixture.evidence().join(format!("web/x86_64/{ami}.json"));
    let public = served.aws(&["kms", "get-public-key", "--key-id", "alias/evidence"]);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        public["PublicKey"].as_str().expect("a key")
    );
    fixture.env.write("evidence.pub", &pem);
    let (message, signature) = signed(&file.with_extension("dsse.json"));
    fs::write(fixture.env.project().join("message"), &message).expect("a message");
    fs::write(fixture.env.project().join("signature"), signature).expect("a signature");
    let check = ["dgst", "-sha256", "-verify", "evidence.pub", "-signature", "signature", "message"];
    assert!(openssl(&fixture.env.project(), &check));
    fs::write(fixture.env.project().join("message"), &message[1..]).expect("a message");
    assert!(!openssl(&fixture.env.project(), &check));
    let name = file.display().to_string();
    fixture.env.expect(0, &["verify", &name, "--key", "evidence.pub"]);

    // Another machine has the project and nothing else.
    fixture.on_another_machine();
    fixture.env.expect(0, &["verify", &ami]);
    fixture.on_another_machine();
    fixture.env.expect(0, &["promote", "web", "--channel", "production"]);
    assert!(file.exists() && file.with_extension("dsse.json").exists());

    // A key that is disabled signs for nobody, and neither does evidence by it count; who has its public half still sees.
    served.cli(&["kms", "disable-key", "--key-id", &key]);
    let refused = fixture.env.expect(8, &["promote", "web", "--channel", "production"]).stderr;
    assert!(refused.contains("DisabledException"), "{refused}");
    fixture.env.expect(8, &["validate", "web"]);
    fixture.env.expect(0, &["verify", &name, "--key", "evidence.pub"]);
    served.cli(&["kms", "enable-key", "--key-id", &key]);

    // What somebody writes over is not what stands on the image.
    fixture.on_another_machine();
    let listed = served.aws(&["s3api", "list-objects-v2", "--bucket", BUCKET, "--query", "Contents[].Key"]);
    let keys: Vec<&str> = listed.as_array().expect("keys").iter().filter_map(Value::as_str).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    let document =
        keys.iter().find(|key| !key.contains(".dsse.") && !key.contains(".inventory.")).expect("the document");
    let address = format!("s3://{BUCKET}/{document}");
    assert!(document.starts_with(&format!("amiforge/evidence/acme/web/x86_64/{ami}/")), "{document}");
    let local = fixture.env.project().join("edited.json").display().to_string();
    served.cli(&["s3", "cp", &address, &local]);
    let text = fs::read_to_string(&local).expect("the document");
    fs::write(&local, text.replacen("\"passed\": true", "\"passed\": false", 1)).expect("the document");
    served.cli(&["s3", "cp", &local, &address]);
    let refused = fixture.env.expect(8, &["promote", "web", "--channel", "production"]).stderr;
    assert!(refused.contains("is not what its name says"), "{refused}");
    assert!(!file.exists());
    // The same words in other bytes have the same digest, but nobody has signed them.
    fs::write(&local, format!("{text}\n")).expect("the document");
    served.cli(&["s3", "cp", &local, &address]);
    let refused = fixture.env.expect(8, &["promote", "web", "--channel", "production"]).stderr;
    assert!(refused.contains("signed for something else"), "{refused}");

    // Without its bucket evidence is collected for nothing, and that is an error.
    served.cli(&["s3", "rb", "--force", &format!("s3://{BUCKET}")]);
    let refused = fixture.env.expect(1, &["validate", "web"]).stderr;
    assert!(refused.contains("NoSuchBucket"), "{refused}");
    drop(served);
    fixture.nothing_is_left();
}

/// A command in the background, whose progress is read line by line.
struct Background {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    seen: String,
}

impl Background {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        Self { child, lines, seen: String::new() }
    }

    /// Reads until a line has this in it.
    fn until(&mut self, text: &str) {
        loop {
            let line =
                self.lines.next().unwrap_or_else(|| panic!("it ended before `{text}`:\n{}", self.seen)).expect("text");
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("a signal is sent");
    }

    /// Waits for its end; the exit code, and all that it said.
    fn end(mut self) -> (Option<i32>, String) {
        for line in self.lines.by_ref().map_while(Result::ok) {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        (self.child.wait().expect("its end").code(), self.seen)
    }
}

const VALIDATE: [&str; 4] = ["validate", "web", "--progress", "ndjson"];

#[test]
fn an_interrupted_inspection_ends_its_instance() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["build", "web"]);
    for (signal, name) in [(Signal::SIGINT, "Ctrl-C"), (Signal::SIGTERM, "SIGTERM"), (Signal::SIGHUP, "SIGHUP")] {
        let mut validate = Background::start(&mut fixture.env.command(&VALIDATE));
        validate.until("scanning i-");
        validate.signal(signal);
        let (code, said) = validate.end();
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains(&format!("interrupted by {name}; nothing is left running or mounted")), "{said}");
        fixture.nothing_is_left();
        assert_eq!(Served::start(&fixture.env, &[]).instances(), Vec::<String>::new(), "{said}");
    }
}

/// The same where the instance is another process's, as it is in AWS.
#[test]
fn an_instance_elsewhere_is_ended_or_named_and_found_again() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["build", "web"]);
    // The second order to end an instance is answered late, so that somebody can be impatient.
    let served = Served::start(&fixture.env, &["--fault", "ec2:TerminateInstances:delay=1h@2"]);
    let images = served.aws(&[
        "ec2",
        "describe-images",
        "--owners",
        "self",
        "--query",
        "Images[?starts_with(Name, `acme`)].ImageId",
    ]);
    let ami = images[0].as_str().expect("an image").to_owned();
    let there = || {
        let mut command = fixture.env.command(&["-e", "aws", "validate", "web", "--ami", &ami, "--progress", "ndjson"]);
        served.keyed(&mut command).env("AWS_ENDPOINT_URL", served.door.address());
        Background::start(&mut command)
    };
    let instance_in = |said: &str| {
        let rest = said.split("scanning ").nth(1).expect("an instance");
        rest.split(' ').next().expect("an id").to_owned()
    };

    let mut first = there();
    first.until("scanning i-");
    first.signal(Signal::SIGTERM);
    let (code, said) = first.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("SIGTERM: ending instance i-"), "{said}");
    assert_eq!(served.instances(), Vec::<String>::new(), "{said}");

    let mut second = there();
    second.until("scanning i-");
    second.signal(Signal::SIGINT);
    second.until("Ctrl-C: ending instance i-");
    second.signal(Signal::SIGINT);
    let (code, said) = second.end();
    assert_eq!(code, Some(130), "{said}");
    let id = instance_in(&said);
    assert!(said.contains(&format!("instance {id} may still run")), "{said}");
    assert!(said.contains(&format!("aws ec2 terminate-instances --instance-ids {id} --region us-east-1")), "{said}");

    // Killed, it can end nothing; the next one does.
    let mut third = there();
    third.until("scanning i-");
    third.signal(Signal::SIGKILL);
    let (code, said) = third.end();
    assert_eq!(code, None);
    let left = instance_in(&said);
    assert_eq!(served.instances(), std::slice::from_ref(&left));
    let mut fourth = there();
    fourth.until(&format!("ended {left}, which an inspection that was cut off had left"));
    fourth.until("scanning i-");
    // Nothing is asked before: asking takes as long as the rest of the inspection.
    fourth.signal(Signal::SIGINT);
    assert_eq!(fourth.end().0, Some(130));
    assert_eq!(served.instances(), Vec::<String>::new());
    drop(served);
    fixture.nothing_is_left();
}
