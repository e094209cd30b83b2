//! `amiforge component run` and `validate`: the program as a user or the SSM Agent starts it, on this very machine.
//!
//! Documents here write below a temporary folder only.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped is a failed test")]

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Bench {
    folder: TempDir,
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

fn bench() -> Bench {
    Bench { folder: tempfile::tempdir().unwrap() }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a document with these steps in `build`; `DIR` is the folder.
    fn document(&self, name: &str, steps: &str) -> String {
        let steps = steps.replace("DIR", self.folder.path().to_str().unwrap());
        let text = format!(
            "name: Test\ndescription: A test.\nschemaVersion: 1.0\nparameters:\n  - Word: {{ type: string, default: none, \
             description: A word. }}\nphases:\n  - name: build\n    steps:\n{steps}"
        );
        fs::write(self.path(name), text).unwrap();
        name.to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amiforge"));
        command.args(["component"]).args(arguments).current_dir(self.folder.path()).env("HOME", "/nowhere");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.command(&[&["run"], arguments].concat()).output().unwrap().into()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| error.to_string())
    }
}

/// A step with a script of one line.
fn bash(name: &str, script: &str) -> String {
    format!(
        "      - name: {name}\n        action: ExecuteBash\n        timeoutSeconds: 60\n        inputs: {{ commands: ['{script}'] }}\n"
    )
}

fn file(name: &str) -> String {
    format!("      - {{ name: {name}, action: CreateFile, inputs: [{{ path: DIR/{name}, content: x }}] }}\n")
}

#[test]
fn it_wants_to_be_told_that_this_machine_is_meant() {
    let bench = bench();
    bench.document("doc.yaml", &file("made"));
    let ended = bench.run(&["doc.yaml"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("--on-host") && ended.err.contains("amiforge test doc.yaml"), "{}", ended.err);
    assert!(!bench.path("made").exists());
}

#[test]
fn a_run_prints_the_summary_and_leaves_its_files() {
    let bench = bench();
    let steps = bash("Look", "echo \"<$HOME|$PATH|$http_proxy|$SECRET>\"; pwd; echo $PPID > DIR/ppid") + &file("made");
    bench.document("doc.yaml", &steps);
    let output = bench
        .command(&["run", "doc.yaml", "--on-host", "-l", "logs", "-i", "e-1", "--progress", "plain"])
        .env("PATH", "/nowhere")
        .env("SECRET", "s")
        .env("http_proxy", "http://p:1")
        .output()
        .unwrap();
    let ended = Ended::from(output);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let summary = ended.json();
    assert_eq!((&summary["status"], &summary["executedStepCount"]), (&"success".into(), &2.into()));
    assert_eq!((&summary["executionId"], &summary["failureMessage"]), (&"e-1".into(), &"".into()));
    let log = PathBuf::from(summary["logUrl"].as_str().unwrap());
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(
        log.starts_with(bench.path("logs")) && name.starts_with("TOE_20") && name.ends_with("_UTC-0_e-1"),
        "{name}"
    );
    let console = fs::read_to_string(log.join("console.log")).unwrap();
    let expected = "Stdout: <|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|http://p:1|>\n";
    assert!(console.contains(expected), "{console}");
    assert!(console.contains("Info Stdout: /tmp\n") && console.ends_with("TOE has completed execution successfully\n"));
    for file in ["detailedoutput.json", "chaining.json", "application.log", "document.yaml"] {
        assert!(log.join(file).is_file(), "{file}");
    }
    assert_eq!(bench.read("made"), "x");
    assert!(ended.err.contains("run  ✓ success"), "{}", ended.err);
    // The state of a run that has ended is gone.
    assert_eq!(fs::read_dir(bench.path("logs/amiforge-state")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_step_that_fails_is_told_with_its_place_and_its_last_lines() {
    let bench = bench();
    bench.document("doc.yaml", &(bash("Good", "true") + &bash("Bad", "echo about to fail; exit 3") + &file("made")));
    let ended = bench.run(&["doc.yaml", "--on-host", "--junit", "report.xml"]);
    assert_eq!(ended.code, 6, "{}", ended.err);
    let summary = ended.json();
    assert_eq!((&summary["status"], &summary["failedStepCount"]), (&"failed".into(), &1.into()));
    assert!(summary["failureMessage"].as_str().unwrap().starts_with("Document doc.yaml failed!"), "{summary}");
    assert!(ended.err.contains("error[A006]") && ended.err.contains("  | about to fail"), "{}", ended.err);
    assert!(ended.err.contains("why: doc.yaml:") && ended.err.contains("console.log"), "{}", ended.err);
    let junit = bench.read("report.xml");
    assert!(
        junit.contains("tests=\"2\"") && junit.contains("failures=\"1\"") && junit.contains("exit code 3"),
        "{junit}"
    );
    assert!(!bench.path("made").exists());
}

#[test]
fn what_has_errors_does_not_run() {
    let bench = bench();
    bench.document("good.yaml", &file("made"));
    bench.document(
        "bad.yaml",
        &(file("made") + "      - { name: Run, action: ExecuteBahs, inputs: { commands: [x] } }\n"),
    );
    for (arguments, code, reason) in [
        (&["good.yaml", "bad.yaml", "--on-host"][..], 3, "did you mean"),
        (&["good.yaml", "none.yaml", "--on-host"], 2, "the document none.yaml cannot be read"),
        (
            &["good.yaml", "--on-host", "--blocked-action-modules", "Reboot,CreateFile"],
            3,
            "step made uses CreateFile, which is blocked",
        ),
        (&["good.yaml", "--on-host", "--blocked-action-modules", "Rebot"], 2, "no action module `Rebot`"),
        (
            &["good.yaml", "--on-host", "--parameters", "Wort=x"],
            2,
            "no document has a parameter `Wort`; did you mean `Word`?",
        ),
        (&["good.yaml", "--on-host", "--parameters", "Word="], 2, "NAME=VALUE"),
        (&["good.yaml", "--on-host", "--junit", "none/report.xml"], 2, "report.xml cannot be written"),
        (&["good.yaml", "--on-host", "-l", "good.yaml"], 2, "choose another folder with --log-directory"),
        (&["good.yaml", "--on-host", "--values", "none.yaml"], 2, "the values in none.yaml cannot be read"),
        (&["s3://bucket/doc.yaml", "--on-host", "--values", "values.yaml"], 2, "s3://bucket/doc.yaml cannot be had"),
        (&["--on-host"], 2, "required"),
    ] {
        // The table has the bucket, so that nobody is asked for the document.
        fs::write(bench.path("values.yaml"), "s3: { s3://bucket/doc.yaml: none }\n").unwrap();
        let ended = bench.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(reason), "{arguments:?}: {}", ended.err);
        assert!(!bench.path("made").exists(), "{arguments:?}");
    }
}

#[test]
fn phases_run_in_the_order_of_the_document_and_one_that_is_nowhere_runs_nothing() {
    let bench = bench();
    let validate = "  - name: validate\n    steps:\n".to_owned() + &bash("Two", "echo two >> DIR/log");
    bench.document("doc.yaml", &(bash("One", "echo one >> DIR/log") + &validate));
    assert_eq!(bench.run(&["doc.yaml", "--on-host", "-p", "validate,build"]).code, 0);
    assert_eq!(bench.read("log"), "one\ntwo\n");
    let ended = bench.run(&["doc.yaml", "--on-host", "--phases", "test", "--junit", "report.xml"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!((&ended.json()["executedStepCount"], &ended.json()["status"]), (&0.into(), &"success".into()));
    assert!(ended.err.contains("no document has a phase `test`; it runs nothing"), "{}", ended.err);
    assert!(bench.read("report.xml").contains("no step ran"), "a test report of nothing is no pass");
    assert_eq!(bench.run(&["doc.yaml", "--on-host"]).code, 0);
    assert_eq!(bench.read("log"), "one\ntwo\none\ntwo\n");
}

#[test]
fn a_restart_is_left_to_others_and_the_run_goes_on_after_it() {
    let bench = bench();
    let steps = bash("One", "echo one >> DIR/log")
        + "      - { name: Restart, action: Reboot, inputs: { delaySeconds: 0 } }\n"
        + &bash("Two", "echo two >> DIR/log");
    bench.document("doc.yaml", &steps);
    let ended = bench.run(&["doc.yaml", "--on-host", "-i", "e-1"]);
    assert_eq!((ended.code, ended.out.as_str()), (194, ""), "{}", ended.err);
    let state = bench.path("amiforge-state").canonicalize().unwrap();
    let resume = format!("--execution-id e-1 --state-directory {}", state.display());
    assert!(ended.err.contains("error[A194]") && ended.err.contains(&resume), "{}", ended.err);
    assert_eq!(bench.read("log"), "one\n");
    let ended =
        bench.run(&["doc.yaml", "--on-host", "--execution-id", "e-1", "--state-directory", state.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!((bench.read("log"), &ended.json()["executedStepCount"]), ("one\ntwo\n".to_owned(), &3.into()));
}

#[test]
fn values_and_parameters_reach_the_steps() {
    let bench = bench();
    fs::write(bench.path("tool"), "content").unwrap();
    fs::write(bench.path("values.yaml"), "s3: { s3://b/tool: tool, s3://b/out/: out }\n").unwrap();
    let steps = "      - { name: Get, action: S3Download, inputs: [{ source: s3://b/tool, destination: DIR/got }] }\n"
        .to_owned()
        + &bash("Say", "echo {{ Word }} >> DIR/got")
        + "      - { name: Put, action: S3Upload, inputs: [{ source: DIR/got, destination: s3://b/out/ }] }\n";
    bench.document("one.yaml", &steps);
    let ended = bench.run(&["one.yaml", "--on-host", "--values", "values.yaml", "--parameters", "Word=word"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(bench.read("out/got"), "contentword\n");
}

#[test]
fn awstoes_configuration_is_understood() {
    let bench = bench();
    bench.document("one.yaml", &bash("Say", "echo one {{ Word }} >> DIR/log"));
    bench.document("two.yaml", &bash("Say", "echo two {{ Word }} >> DIR/log"));
    let config = |text: &str| fs::write(bench.path("config.json"), text).unwrap();
    config(
        r#"{"documents": [{"path": "one.yaml", "parameters": [{"name": "Word", "value": "own"}]}, {"path": "two.yaml"}],
            "phases": "build", "executionId": "e-c", "logDirectory": "logs", "trace": true}"#,
    );
    let ended = bench.run(&["--on-host", "-c", "config.json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(bench.read("log"), "one own\ntwo none\n");
    assert_eq!(ended.json()["executionId"], "e-c");
    assert!(ended.json()["logUrl"].as_str().unwrap().starts_with(bench.path("logs").to_str().unwrap()));
    // The command line counts more.
    let ended = bench.run(&["--on-host", "-c", "config.json", "-i", "e-d", "--parameters", "Word=all"]);
    assert_eq!((ended.code, &ended.json()["executionId"]), (0, &"e-d".into()));
    assert!(bench.read("log").ends_with("one all\ntwo all\n"));
    for (text, reason) in [
        (r#"{"documents": [], "phasees": "build"}"#, "phasees"),
        (r#"{"documents": [{"path": "one.yaml"}], "logS3BucketName": "b"}"#, "asks for `logS3BucketName`"),
        (r#"{"documents": [{"path": "one.yaml"}], "cwLogRegion": "r"}"#, "asks for `cwLogGroup`"),
        (r#"{"documents": []}"#, "there is no document to run"),
        ("{", "line 1"),
    ] {
        config(text);
        let ended = bench.run(&["--on-host", "-c", "config.json"]);
        assert_eq!(ended.code, 2, "{text}: {}", ended.err);
        assert!(ended.err.contains(reason), "{text}: {}", ended.err);
    }
    assert_eq!(bench.run(&["one.yaml", "--on-host", "-c", "config.json"]).code, 2);
}

/// Waits for something to become true, at most half a minute.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: not within half a minute");
        poll(&mut [], PollTimeout::from(5_u8)).unwrap();
    }
}

fn alive(pid: &Path) -> bool {
    let number: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// A run in the middle of a step that has a process in a session of its own.
fn in_the_middle(bench: &Bench) -> Child {
    let script = "setsid sleep 1000 & echo $! > DIR/part; mv DIR/part DIR/daemon; echo $$ > DIR/part; mv DIR/part DIR/shell; wait";
    bench.document("doc.yaml", &bash("Wait", script));
    let arguments = ["run", "doc.yaml", "--on-host", "-i", "e-1", "--progress", "none", "--junit", "report.xml"];
    let mut command = bench.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the step begins", || bench.path("shell").exists());
    child
}

#[test]
fn an_interrupted_run_leaves_nothing_running() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = bench();
        let child = in_the_middle(&bench);
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!((ended.code, ended.out.as_str()), (130, ""), "{}", ended.err);
        assert!(ended.err.contains("everything it had started was killed"), "{}", ended.err);
        assert!(!alive(&bench.path("shell")) && !alive(&bench.path("daemon")));
        let junit = bench.read("report.xml");
        assert!(junit.contains("message=\"the run was interrupted") && junit.contains("it did not end"), "{junit}");
        let log = fs::read_dir(bench.folder.path())
            .unwrap()
            .flatten()
            .find(|entry| entry.file_name().to_str().unwrap().starts_with("TOE_"));
        let detail = fs::read_to_string(log.unwrap().path().join("detailedoutput.json")).unwrap();
        let detail: Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail["status"], "failed");
        assert!(detail["failureMessage"].as_str().unwrap().contains("was interrupted"), "{detail}");
    }
}

#[test]
fn a_run_whose_parent_is_killed_does_not_go_on() {
    let bench = bench();
    bench.document(
        "doc.yaml",
        &(bash("Wait", "echo $PPID > DIR/part; mv DIR/part DIR/runner; cat DIR/fifo") + &file("made")),
    );
    nix::unistd::mkfifo(&bench.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = bench.command(&["run", "doc.yaml", "--on-host", "--progress", "none", "--junit", "report.xml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the step begins", || bench.path("runner").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the runner ends", || !alive(&bench.path("runner")));
    assert!(bench.read("report.xml").contains("errors=\"1\""), "a run that was killed has not passed");
    // The step itself is nobody's child any more; it ends here, and no other follows.
    fs::write(bench.path("fifo"), "").unwrap();
    assert!(!bench.path("made").exists());
}

#[test]
fn validate_prints_what_awstoe_prints() {
    let bench = bench();
    bench.document("good.yaml", &file("made"));
    bench.document("bad.yaml", "      - { name: 'a b', action: CreateFile, inputs: [{ path: /x }] }\n");
    bench.document("windows.yaml", "      - { name: Run, action: ExecutePowerShell, inputs: { commands: [x] } }\n");
    let validate =
        |arguments: &[&str]| Ended::from(bench.command(&[&["validate"], arguments].concat()).output().unwrap());
    let ended = validate(&["good.yaml"]);
    let expected =
        serde_json::json!({"validationStatus": "success", "message": "Document(s) [good.yaml] is/are valid."});
    assert_eq!((ended.code, ended.json()), (0, expected));
    for (arguments, code, reason) in [
        (&["bad.yaml"][..], 3, "Invalid step name 'a b'"),
        (&["good.yaml", "--blocked-action-modules", "CreateFile"], 3, "which is blocked"),
        (&["windows.yaml"], 3, "ExecutePowerShell"),
        (&["none.yaml"], 2, "cannot be read"),
    ] {
        let ended = validate(arguments);
        assert_eq!((ended.code, &ended.json()["validationStatus"]), (code, &"failed".into()), "{arguments:?}");
        assert!(ended.json()["message"].as_str().unwrap().contains(reason), "{arguments:?}: {}", ended.out);
    }
    assert_eq!(validate(&["windows.yaml", "--os-platforms", "windows"]).code, 0);
    assert!(!bench.path("made").exists());
}
