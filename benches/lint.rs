//! How fast components are linted, against cfn-lint on templates that carry the same documents and against
//! check-jsonschema with amiforge's own schema.
//!
//! `./scripts/bench-prerequisites && cargo bench --no-default-features --bench lint` prints wall times and ratios, all of
//! one run: 1,000 documents in one process, one document in a cold process, and how the time grows with the input.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Documents linted in one process.
const DOCUMENTS: usize = 1_000;
/// Documents the peers are given: enough to make their start negligible, few enough to wait for.
const PEER_DOCUMENTS: usize = 50;
/// Runs per figure; the median is reported.
const ROUNDS: usize = 5;

fn main() {
    // Not below the target folder: there the documents would lie in the project of this repository.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = folder.path().to_owned();
    write(&base, DOCUMENTS);
    let all = base.join("documents");
    let bytes: u64 = fs::read_dir(&all)
        .expect("documents")
        .map(|entry| entry.expect("a file").metadata().expect("its size").len())
        .sum();
    println!(
        "{DOCUMENTS} documents, {:.1} KB each on average, {} processors",
        kib(bytes) / count(DOCUMENTS),
        processors()
    );

    let many = median(|| amiforge(&["lint", &text(&all), "--fail-on", "error"]));
    let half = median(|| amiforge(&["lint", &text(&base.join("half")), "--fail-on", "error"]));
    let cold = median(|| amiforge(&["lint", &text(&all.join("app-0000.yaml"))]));
    row("amiforge, 1,000 documents", many);
    row("amiforge, 500 documents", half);
    println!("{:<52}{:>10.2}", "  ratio 1,000 / 500 (2 is linear)", many.as_secs_f64() / half.as_secs_f64());
    row("amiforge, one document, cold", cold);
    row("amiforge --version, for comparison", median(|| amiforge(&["--version"])));

    let schema = base.join("component.json");
    let printed =
        Command::new(env!("CARGO_BIN_EXE_amiforge")).args(["schema", "component"]).output().expect("a schema");
    fs::write(&schema, printed.stdout).expect("the schema");
    let few = some(&base.join("documents"));
    let templates = some(&base.join("templates"));
    let own = median(|| amiforge(&[&["lint"][..], &few.iter().map(String::as_str).collect::<Vec<_>>()].concat()));
    row(&format!("amiforge, {PEER_DOCUMENTS} documents"), own);
    let own_templates =
        median(|| amiforge(&[&["lint"][..], &templates.iter().map(String::as_str).collect::<Vec<_>>()].concat()));
    row(&format!("amiforge, {PEER_DOCUMENTS} templates with the same documents"), own_templates);
    peer("cfn-lint", &[], &templates, own, own_templates);
    peer("check-jsonschema", &["--schemafile", &text(&schema)], &few, own, own);
}

/// Times a peer, where it is installed, and prints how many times slower it is.
fn peer(program: &str, arguments: &[&str], files: &[String], documents: Duration, same_input: Duration) {
    let path = peers().join(program);
    if !path.exists() {
        println!("{program} is not installed: ./scripts/bench-prerequisites");
        return;
    }
    let run = |files: &[String]| {
        let mut command = Command::new(&path);
        command.args(arguments).args(files).stdout(Stdio::null()).stderr(Stdio::null());
        timed(|| assert!(command.status().expect("the peer starts").code().is_some()))
    };
    let all = run(files);
    let cold = run(&files[..1]);
    let amiforge = median(|| amiforge(&["lint", &files[0]]));
    row(&format!("{program}, {PEER_DOCUMENTS} files"), all);
    row(&format!("{program}, one file, cold"), cold);
    println!(
        "{:<52}{:>10.0}",
        format!("  ratio {program} / amiforge, {PEER_DOCUMENTS} documents"),
        all.as_secs_f64() / documents.as_secs_f64()
    );
    println!(
        "{:<52}{:>10.0}",
        format!("  ratio {program} / amiforge, the same files"),
        all.as_secs_f64() / same_input.as_secs_f64()
    );
    println!(
        "{:<52}{:>10.0}",
        format!("  ratio {program} / amiforge, one file, cold"),
        cold.as_secs_f64() / amiforge.as_secs_f64()
    );
}

/// Where `scripts/bench-prerequisites` puts the peers: beside the target folder that is used.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target")).join("bench-peers/bin")
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn row(what: &str, time: Duration) {
    println!("{what:<52}{:>10.1} ms", time.as_secs_f64() * 1_000.0);
}

fn kib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1_024.0
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The first files of a folder.
fn some(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> =
        fs::read_dir(folder).expect("a folder").map(|entry| text(&entry.expect("a file").path())).collect();
    files.sort();
    files.truncate(PEER_DOCUMENTS);
    files
}

fn amiforge(arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_amiforge"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .status()
        .expect("the binary starts");
    assert!(matches!(status.code(), Some(0 | 3)), "amiforge {} ended with {status}", arguments[0]);
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(&mut work)).collect();
    times.sort();
    times[ROUNDS / 2]
}

/// Writes the documents, half of them again, and as many templates as the peers get.
fn write(base: &Path, count: usize) {
    for folder in ["documents", "half", "templates"] {
        fs::create_dir_all(base.join(folder)).expect("a folder");
    }
    for number in 0..count {
        let document = document(number);
        fs::write(base.join(format!("documents/app-{number:04}.yaml")), &document).expect("a document");
        if number % 2 == 0 {
            fs::write(base.join(format!("half/app-{number:04}.yaml")), &document).expect("a document");
        }
        if number < PEER_DOCUMENTS {
            fs::write(base.join(format!("templates/app-{number:04}.yaml")), template(number, &document))
                .expect("a template");
        }
    }
}

/// A document as people write them: two phases, eight steps, one of them with a fault worth a warning.
fn document(number: usize) -> String {
    let mut text = format!(
        "name: install-app-{number}\ndescription: Installs application {number} and checks that it answers\nschemaVersion: 1.0\n\
         parameters:\n  - Version:\n      type: string\n      default: \"1.{number}.0\"\n      description: Which version is installed\n\
         constants:\n  - Folder: {{ type: string, value: /opt/app-{number} }}\nphases:\n  - name: build\n    steps:\n"
    );
    for step in 0..5 {
        let _ = write!(
            text,
            "      - name: Prepare{step}\n        action: ExecuteBash\n        timeoutSeconds: {}\n        maxAttempts: 3\n        inputs:\n          commands:\n            - |\n              set -euo pipefail\n              export DEBIAN_FRONTEND=noninteractive HOME=/root\n              install -d -m 0755 \"{{{{ Folder }}}}/{step}\"\n              if ! command -v app-{number} >/dev/null; then\n                apt-get update -q -o DPkg::Lock::Timeout=300\n                apt-get install -y --no-install-recommends \"app-{number}={{{{ Version }}}}\"\n              fi\n              for file in \"{{{{ Folder }}}}\"/*.conf; do\n                sed -e 's/@VERSION@/{{{{ Version }}}}/' \"$file\" > \"$file.new\"\n                mv \"$file.new\" \"$file\"\n              done\n",
            300 + number % 100
        );
    }
    let _ = write!(
        text,
        "      - name: Configure\n        action: CreateFile\n        timeoutSeconds: 60\n        onFailure: Continue\n        inputs:\n          - path: \"{{{{ Folder }}}}/app.conf\"\n            permissions: \"0644\"\n            content: |\n              [server]\n              port = {}\n              name = app-{number}\n  - name: test\n    steps:\n      - name: Answers\n        action: ExecuteBash\n        timeoutSeconds: 120\n        inputs:\n          commands:\n            - |\n              set -euo pipefail\n              systemctl is-active --quiet \"app-{number}\"\n              curl --fail --silent --retry 5 \"http://127.0.0.1:{}/health\" | grep -q ok\n      - name: Owned\n        action: ExecuteBinary\n        timeoutSeconds: 60\n        inputs:\n          path: /usr/bin/stat\n          arguments: [\"-c\", \"%U\", \"/opt/app-{number}\"]\n",
        8_000 + number,
        8_000 + number
    );
    text
}

/// A CloudFormation template that carries the document.
fn template(number: usize, document: &str) -> String {
    let data = document.lines().fold(String::new(), |text, line| text + "        " + line + "\n");
    format!(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nDescription: Component {number}\nResources:\n  Component:\n    Type: AWS::ImageBuilder::Component\n    Properties:\n      Name: install-app-{number}\n      Platform: Linux\n      Version: 1.0.{number}\n      Data: |\n{data}"
    )
}
