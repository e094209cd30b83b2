//! The product's EC2 and Systems Manager half against moto: promotions and rollbacks of launch templates and parameters over three Regions,
//! what somebody else moves, and moving it back. What comes of it is read by a third party (boto3, `moto/world.py`).
//!
//! Without the standard harness, because the product is told by its environment where moto is, and a process sets that for
//! another one only: this program executes itself.
//!
//! What moto has no idea of is left to the local environment: it knows no image of another account, whoever it is shared with,
//! and of patch baselines it has neither tags nor `GetPatchBaseline`.

#![allow(clippy::print_stdout, reason = "a test program")]

mod harness;
#[path = "strangers/programs.rs"]
#[allow(dead_code, reason = "the other half of it is for the strangers")]
mod programs;

use amiforge::aws::{Cloud, Options};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::evidence::sign::Unsigned;
use amiforge::evidence::sign::kms::{KmsKey, KmsSigner};
use amiforge::gate::{Verdict, VerdictStatus};
use amiforge::project::{self, Project};
use amiforge::promote::{self, Approval, Candidate, Order, Promotion};
use harness::Env;
use programs::{Moto, python};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, ExitCode};

/// The word before what this program is to do as the product.
const AS_PRODUCT: &str = "--as-product";
/// The second of each is the recipe's own.
const TEMPLATES: [&str; 2] = ["web-x86_64-candidate", "web-x86_64-candidate-spot"];
const PARAMETERS: [&str; 2] = ["/golden/web/x86_64/candidate", "/apps/web/candidate/image"];
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];

/// The account is moto's only one.
const SETTINGS: &str = "\
project: acme
environments:
  moto:
    home: { account: \"123456789012\", region: us-east-1 }
    infrastructure: { instance_profile: build }
    targets:
      - { account: \"123456789012\", regions: [us-east-1, eu-west-1], role: promoter }
      - { account: \"123456789012\", regions: [ap-south-1] }
channels:
  candidate: {}
";

const RECIPE: &str = r#"os: debian-12
parent: { ssm: /own/parent }
build: [patch-linux]
test: [boots]
promote:
  launch_template: ["{{ name }}-{{ arch }}-{{ channel }}", "{{ name }}-{{ arch }}-{{ channel }}-spot"]
  parameter: ["/golden/{{ name }}/{{ arch }}/{{ channel }}", "/apps/{{ name }}/{{ channel }}/image"]
"#;

/// A name, and what is to hold in a new world.
type Test = (&'static str, fn(&Site));

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((AS_PRODUCT, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        return runtime.block_on(as_product(rest));
    }
    let tests: [Test; 3] = [
        ("pointers_move_in_every_region_and_back", pointers),
        ("what_somebody_moved_is_seen_and_moved_back", drift),
        ("a_key_of_another_kms_signs_evidence", sealed),
    ];
    if arguments.iter().any(|word| word == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| {
        let mut words = arguments.iter().filter(|word| !word.starts_with('-')).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word.as_str()))
    };
    let mut good = true;
    for (name, test) in tests.into_iter().filter(|(name, _)| wanted(name)) {
        let passed = std::panic::catch_unwind(|| test(&Site::new())).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        good &= passed;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A project, and the cloud it is for.
struct Site {
    env: Env,
    moto: Moto,
}

impl Site {
    fn new() -> Self {
        let env = Env::new();
        env.write("amiforge.yaml", SETTINGS);
        env.write("recipes/web.yaml", RECIPE);
        Self { env, moto: Moto::start() }
    }

    /// What the third party says.
    fn world(&self, words: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/world.py");
        let output = python().arg("-B").arg(script).arg(self.moto.address()).args(words).output();
        let output = output.expect("Python starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn there<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", self.moto.address())
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// What the product says that it has done.
    fn product(&self, words: &[&str]) -> Value {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(AS_PRODUCT).arg(self.env.project()).args(words);
        let output = self.there(&mut command).output().expect("this program starts");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Every Region's pointers name the Region's own copy of an image, which carries the mark and that evidence.
    #[track_caller]
    fn points_to(&self, promotion: &Value, image: &Value) {
        for (template, parameter) in TEMPLATES.into_iter().zip(PARAMETERS) {
            let found = self.world(&["pointers", template, parameter]);
            for region in REGIONS {
                let placed = promotion["release"]["targets"].as_array().expect("targets");
                let placed = placed.iter().find(|one| one["region"] == region).expect("a target of the Region");
                let expected = json!({
                    "template": placed["ami"], "parameter": placed["ami"], "kind": "aws:ec2:image",
                    "approved": true, "evidence": image["digest"],
                });
                assert_eq!(found[region], expected, "{region}: {template} {parameter}");
                assert_eq!(placed["ami"] == image["ami"], region == "us-east-1", "{region} has a copy of its own");
            }
        }
    }
}

fn pointers(site: &Site) {
    let images = site.world(&["images"]);
    let word = |image: &Value, key: &str| image[key].as_str().expect("text").to_owned();
    let promote = |image: &Value| site.product(&["promote", &word(image, "ami"), &word(image, "digest")]);
    let first = promote(&images[0]);
    assert_eq!(first["changed"], true);
    site.points_to(&first, &images[0]);
    assert_eq!(promote(&images[0])["changed"], false, "it is there already");
    site.points_to(&first, &images[0]);
    let second = promote(&images[1]);
    site.points_to(&second, &images[1]);
    let back = site.product(&["rollback"]);
    assert_eq!(back["release"]["ami"], images[0]["ami"]);
    site.points_to(&back, &images[0]);
    let copies = |promotion: &Value| -> Vec<Value> {
        promotion["release"]["targets"].as_array().into_iter().flatten().map(|one| one["ami"].clone()).collect()
    };
    assert_eq!(copies(&back), copies(&first), "the copies of before are used again");
}

/// The binary's exit code and what it printed.
fn binary(site: &Site, words: &[&str]) -> (Option<i32>, String) {
    let mut command = site.env.command(&[&["-e", "moto"], words].concat());
    let output = site.there(&mut command).output().expect("the binary starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn drift(site: &Site) {
    let images = site.world(&["images"]);
    let words = ["promote", images[0]["ami"].as_str().expect("an id"), images[0]["digest"].as_str().expect("a digest")];
    let promotion = site.product(&words);
    let home = images[0]["ami"].as_str().expect("an id");
    let (code, resolved) = binary(site, &["resolve", "web", "--channel", "candidate"]);
    assert!(code == Some(0) && resolved.starts_with(home), "{code:?} {resolved}");
    let (code, said) = binary(site, &["drift"]);
    assert_eq!(code, Some(0), "{said}");
    site.world(&["meddle", "eu-west-1", TEMPLATES[1], PARAMETERS[1]]);
    let (code, said) = binary(site, &["drift"]);
    assert!(code == Some(10) && said.contains("eu-west-1"), "{code:?} {said}");
    assert!(said.contains(TEMPLATES[1]) && said.contains(PARAMETERS[1]) && said.contains("2 differences"), "{said}");
    let (code, said) = binary(site, &["repair", "web", "--channel", "candidate", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    site.points_to(&promotion, &images[0]);
    let (code, said) = binary(site, &["drift"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = binary(site, &["history", "web", "--channel", "candidate"]);
    assert!(code == Some(0) && said.contains(home), "{code:?} {said}");
}

/// Evidence as small as it can be.
fn evidence(ami: &str) -> String {
    let image = json!({
        "name": "web", "state": "available", "owner": "123456789012", "imds_v2": true, "encrypted": true, "public": false,
        "architecture": "x86_64", "ena": true, "root_device": "/dev/xvda", "volumes": [],
    });
    let document = json!({
        "schema": amiforge::evidence::SCHEMA,
        "candidate": {
            "project": "acme", "recipe": "web", "arch": "x86_64", "account": "123456789012", "region": "us-east-1", "ami": ami,
            "image_arn": null, "image_version": null, "fingerprint": null, "created_at": "2026-11-23T10:00:00Z",
        },
        "collected_at": "2026-11-23T11:00:00Z", "packages": [], "changes": null, "patches": null, "tests": null,
        "image": image, "vulnerabilities": [],
    });
    format!("{document:#}\n")
}

/// A key that moto has signs; amiforge verifies it with what moto says of the key, and Python's cryptography does as well.
fn sealed(site: &Site) {
    let (key, other) = (site.world(&["key"]), site.world(&["key"]));
    let arn = |key: &Value| key["arn"].as_str().expect("an ARN").to_owned();
    let trusting = |key: &Value| {
        let signing = format!("signing: {{ kms: \"{0}\", trusted_kms: [\"{0}\"] }}\n", arn(key));
        site.env.write("amiforge.yaml", &format!("{SETTINGS}{signing}"));
    };
    trusting(&key);
    let file = ".amiforge/evidence/web/x86_64/ami-12345678.json";
    site.env.write(file, &evidence("ami-12345678"));
    site.product(&["sign", file, &arn(&key)]);
    let (code, said) = binary(site, &["verify", file]);
    assert!(code == Some(0) && said.contains("signed by"), "{code:?} {said}");
    let envelope = site.env.project().join(".amiforge/evidence/web/x86_64/ami-12345678.dsse.json");
    let path = envelope.display().to_string();
    assert_eq!(site.world(&["signed", &path, &arn(&key)]), json!(true));
    assert_eq!(site.world(&["signed", &path, &arn(&other)]), json!(false));
    trusting(&other);
    let (code, said) = binary(site, &["verify", file]);
    assert!(code == Some(8) && said.contains("not signed by any of the 1 trusted keys"), "{code:?} {said}");
    trusting(&key);
    site.env.write(file, &evidence("ami-12345678").replace("10:00", "10:01"));
    let (code, said) = binary(site, &["verify", file]);
    assert!(code == Some(8) && said.contains("signed for something else"), "{code:?} {said}");
}

/// What the product does: the words after the project's folder are a verb and its arguments.
async fn as_product(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (folder, verb) = words.split_first().expect("the project's folder");
    let project = project::load(Path::new(folder)).expect("a project");
    let options = Options {
        clock: Clock::system(),
        events: Events::none(),
        state: Path::new(folder).join(".amiforge"),
        cache: Path::new(folder).join(".amiforge/cache"),
    };
    let cloud = Cloud::connect(&project, "moto", options).await.expect("a cloud");
    let order = order(&project);
    let done = match verb {
        ["sign", file, key] => {
            let path = Path::new(folder).join(file);
            let (document, bytes) =
                (amiforge::evidence::file::read(&path).expect("evidence"), std::fs::read(&path).expect("a file"));
            let signer = KmsSigner::open(KmsKey::of(&cloud, key)).await.expect("a key");
            let envelope =
                signer.sign(&Unsigned::about(&document, &bytes, "ami-12345678.json")).await.expect("a signature");
            amiforge::evidence::file::save_envelope(&path, Some(&envelope)).expect("a file beside it");
            println!("null");
            return ExitCode::SUCCESS;
        }
        ["promote", ami, digest] => {
            let candidate = Candidate { ami: (*ami).to_owned(), image_arn: None, image_version: None };
            let verdict = Verdict {
                gate: "patches".to_owned(),
                status: VerdictStatus::Pass,
                summary: "none is missing".to_owned(),
                details: vec![],
                findings: vec![],
            };
            let approval = Approval { digest: (*digest).to_owned(), verdicts: vec![verdict] };
            promote::promote(&cloud, &order, &candidate, &approval, &Events::none()).await
        }
        ["rollback"] => promote::rollback(&cloud, &order, None, &Events::none()).await,
        other => panic!("{other:?}"),
    };
    told(&done.unwrap_or_else(|error| panic!("{error}: {error:?}")))
}

fn told(promotion: &Promotion) -> ExitCode {
    println!("{}", serde_json::to_string(promotion).expect("JSON"));
    ExitCode::SUCCESS
}

fn order(project: &Project) -> Order<'_> {
    Order {
        project,
        recipe: "web",
        arch: "x86_64",
        channel: "candidate",
        launch_templates: TEMPLATES.map(str::to_owned).to_vec(),
        parameters: PARAMETERS.map(str::to_owned).to_vec(),
        reason: "a test".to_owned(),
        holder: format!("moto/{}", std::process::id()),
        quorum: None,
        caller: None,
        override_reason: None,
    }
}
