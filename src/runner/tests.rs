use super::*;
use crate::runner::outside::Nowhere;
use crate::runner::{DocumentRequest, serve};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs;
use tempfile::TempDir;

/// A machine in a temporary directory.
struct Bench {
    directory: TempDir,
    events: Vec<RunEvent>,
}

fn bench() -> Bench {
    Bench { directory: tempfile::tempdir().unwrap(), events: Vec::new() }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn request(&self, documents: &[&str]) -> Request {
        let text = |steps: &&str| steps.replace("DIR", self.directory.path().to_str().unwrap());
        Request {
            execution_id: "test".into(),
            documents: documents
                .iter()
                .enumerate()
                .map(|(number, steps)| DocumentRequest {
                    name: format!("doc{number}"),
                    text: text(steps),
                    parameters: BTreeMap::new(),
                })
                .collect(),
            phases: vec!["build".into(), "validate".into()],
            state_directory: self.path("state").to_str().unwrap().into(),
            working_directory: self.directory.path().to_str().unwrap().into(),
            environment: BTreeMap::from([("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into())]),
        }
    }

    fn run(&mut self, request: &Request) -> Summary {
        self.events.clear();
        let events = &mut self.events;
        run_on(self.directory.path(), request, &mut Nowhere, &mut |event| events.push(event))
    }

    /// Runs documents whose steps are these lines.
    fn steps(&mut self, documents: &[&str]) -> Summary {
        let texts: Vec<String> = documents.iter().map(|steps| document(steps)).collect();
        let request = self.request(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        self.run(&request)
    }

    fn statuses(&self) -> Vec<(String, StepStatus)> {
        let status = |event: &RunEvent| match event {
            RunEvent::StepFinished { place, status, .. } => Some((place.step.clone(), *status)),
            _ => None,
        };
        self.events.iter().filter_map(status).collect()
    }

    fn lines(&self) -> Vec<String> {
        let line = |event: &RunEvent| match event {
            RunEvent::Output { line, .. } => Some(line.clone()),
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }
}

/// A document with these steps in phase `build`.
fn document(steps: &str) -> String {
    let steps = steps.lines().flat_map(|line| ["      ", line, "\n"]).collect::<String>();
    format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{steps}")
}

fn bash(name: &str, command: &str, more: &str) -> String {
    format!("- {{ name: {name}, action: ExecuteBash, inputs: {{ commands: ['{command}'] }}{more} }}\n")
}

#[test]
fn what_a_failure_means_for_the_rest() {
    use RunStatus as R;
    for (policy, status, counts, document_two_runs) in [
        ("Abort", R::Failed, (1, 2, 0), false),
        ("Continue", R::Failed, (1, 4, 0), true),
        ("Ignore", R::Success, (0, 4, 1), true),
    ] {
        let mut bench = bench();
        let first = bash("One", "true", "")
            + &bash("Two", "echo why >&2; exit 3", &format!(", onFailure: {policy}"))
            + &bash("Three", "true", "");
        let summary = bench.steps(&[&first, &bash("Four", "touch four", "")]);
        assert_eq!(summary.status, status, "{policy}");
        let found = (summary.failed_step_count, summary.executed_step_count, summary.ignored_failed_step_count);
        assert_eq!(found, counts, "{policy}");
        assert_eq!(bench.path("four").exists(), document_two_runs, "{policy}");
        assert_eq!(summary.failure_message.is_empty(), status == R::Success);
        assert_eq!(bench.events.last(), Some(&RunEvent::Finished { summary: summary.clone() }));
        if status == R::Failed {
            let failure = summary.failure.unwrap();
            assert_eq!((failure.line, failure.step.as_str(), failure.message.as_str()), (6, "Two", "exit code 3"));
            assert_eq!(failure.last_lines, ["why"]);
            assert_eq!(
                summary.failure_message,
                "Document doc0 failed! Step Two of phase build (ExecuteBash): exit code 3"
            );
            assert_eq!(bench.statuses()[1], ("Two".to_owned(), StepStatus::Failed));
        } else {
            assert_eq!(bench.statuses()[1], ("Two".to_owned(), StepStatus::IgnoredFailure));
        }
        assert!(!bench.path("state/test.json").exists());
    }
}

#[test]
fn the_first_failure_is_the_one_told() {
    let mut bench = bench();
    let steps = bash("One", "exit 1", ", onFailure: Ignore")
        + &bash("Two", "exit 2", ", onFailure: Continue")
        + &bash("Three", "exit 3", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.failed_step_count, summary.ignored_failed_step_count), (2, 1));
    assert_eq!(summary.failure.unwrap().step, "Two");
}

#[test]
fn a_step_is_tried_as_often_as_it_may_be() {
    let count = "echo x >> count; test $(wc -l < count) -ge 3";
    let mut bench = bench();
    let summary = bench.steps(&[&bash("Flaky", count, ", maxAttempts: 3")]);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 1));
    let attempts: Vec<u32> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::StepStarted { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(bench.lines()[0], "amiforge: attempt 1 of 3 failed: exit code 1");
    fs::remove_file(bench.path("count")).unwrap();
    assert_eq!(bench.steps(&[&bash("Flaky", count, ", maxAttempts: 2")]).status, RunStatus::Failed);
}

#[test]
fn exit_194_reboots_and_runs_the_same_step_again() {
    let mut bench = bench();
    let text = document(
        &(bash("Before", "echo x >> before; echo secret", "")
            + &bash(
                "Again",
                "test -e marker && echo {{ build.Before.outputs.stdout }} || { touch marker; exit 194; }",
                "",
            )
            + &bash("After", "echo x >> after", "")),
    );
    let request = bench.request(&[&text]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::RebootRequired, 1));
    assert!(summary.failure.is_none() && summary.failure_message.is_empty());
    assert!(bench.path("state/test.json").exists());
    assert_eq!(bench.statuses().len(), 1);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 3));
    assert_eq!(bench.lines(), ["secret"]);
    let lines = |name: &str| fs::read_to_string(bench.path(name)).unwrap().lines().count();
    assert_eq!((lines("before"), lines("after")), (1, 1));
    assert!(!bench.path("state/test.json").exists());
}

#[test]
fn reboot_goes_on_with_the_next_step() {
    let mut bench = bench();
    let text =
        document("- { name: Restart, action: Reboot, inputs: { delaySeconds: 0 } }\n- { name: Last, action: Reboot }");
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.statuses(), [("Restart".to_owned(), StepStatus::Success)]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.statuses(), [("Last".to_owned(), StepStatus::Success)]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 2));
}

#[test]
fn a_step_that_always_asks_for_a_reboot_fails_in_the_end() {
    let mut bench = bench();
    let text = document(&bash("Forever", "exit 194", ", maxAttempts: 2"));
    let request = bench.request(&[&text]);
    let runs = (0..40).take_while(|_| bench.run(&request).status == RunStatus::RebootRequired).count();
    assert_eq!(runs, MOST_REBOOTS as usize);
}

#[test]
fn a_state_of_other_documents_is_not_continued() {
    let mut bench = bench();
    let first = document(&bash("One", "exit 194", ""));
    let request = bench.request(&[&first]);
    bench.run(&request);
    let summary = bench.steps(&[&bash("Other", "touch ran", "")]);
    assert_eq!(summary.status, RunStatus::Failed);
    assert!(summary.failure_message.contains("belongs to other documents"), "{}", summary.failure_message);
    assert!(!bench.path("ran").exists());
}

#[test]
fn values_flow_from_step_to_step() {
    let mut bench = bench();
    let text = r#"schemaVersion: 1.0
parameters:
  - Greeting: { type: string, default: hello }
  - Name: { type: string }
constants:
  - Mark: { type: string, value: "!" }
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs: { commands: ['printf "%s\n\n" "{{ Greeting }}, {{Name}}{{ Mark }}"'] }
      - name: Fails
        action: ExecuteBash
        onFailure: Ignore
        inputs: { commands: ['echo lost; exit 1'] }
      - name: Files
        action: CreateFile
        inputs:
          - { path: one, content: "1" }
          - { path: two, content: "<{{ build.Say.outputs.stdout }}|{{ build.Fails.outputs.stdout }}>" }
      - name: Read
        action: ReadFile
        inputs: [{ path: one }, { path: "{{ build.Files.inputs[1].path }}" }]
  - name: unused
    steps: [{ name: Never, action: ExecuteBash, inputs: { commands: ['touch never'] } }]
  - name: validate
    steps:
      - name: Check
        action: ExecuteBinary
        inputs: { path: echo, arguments: ["{{ build.Read.outputs[1].content }}", "$HOME  x"] }
"#;
    let mut request = bench.request(&[text]);
    request.documents[0].parameters = BTreeMap::from([("Name".to_owned(), "world".to_owned())]);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert_eq!(bench.lines().last().map(String::as_str), Some("<hello, world!|> $HOME  x"));
    assert!(!bench.path("never").exists());
}

#[test]
fn a_step_of_a_phase_that_is_not_run_has_no_values() {
    let mut bench = bench();
    let text = document(&bash("One", "echo a", ""))
        + "  - name: validate\n    steps:\n      "
        + &bash("Two", "echo {{ build.One.outputs.stdout }}", "");
    let mut request = bench.request(&[&text]);
    request.phases = vec!["validate".into()];
    let summary = bench.run(&request);
    assert!(summary.failure.unwrap().message.contains("`build.One` has not run"));
}

#[test]
fn nothing_runs_unless_everything_can() {
    let mut bench = bench();
    let good = bash("Touch", "touch ran", "");
    for (bad, expected) in [
        ("- { name: Bad name, action: Reboot }", "error[D007]: Invalid step name"),
        (
            "- { name: Get, action: Assert, inputs: { fileExists: a } }",
            "error[E001]: Assert is not executed locally yet",
        ),
        ("- { name: Only, action: Reboot, if: { fileExists: a } }", "error[E001]: `if`"),
    ] {
        let summary = bench.steps(&[&good, bad]);
        assert_eq!(summary.status, RunStatus::Failed);
        assert!(summary.failure_message.contains(expected), "{}", summary.failure_message);
        assert!(
            summary.failure_message.starts_with("Document doc1 failed!") && summary.failure_message.contains("doc1:5:")
        );
        assert_eq!(bench.events.len(), 1);
    }
    let mut request = bench.request(&[&document(&good)]);
    request.documents[0].parameters = BTreeMap::from([("Nope".to_owned(), "x".to_owned())]);
    assert!(bench.run(&request).failure_message.contains("not defined in the provided component: Nope"));
    let needs = format!("parameters: [{{ Must: {{ type: string }} }}]\n{}", document(&good));
    let request = bench.request(&[&needs]);
    assert!(bench.run(&request).failure_message.contains("neither a value nor a default: Must"));
    assert!(!bench.path("ran").exists());
}

#[test]
fn commands_see_only_the_environment_of_the_request() {
    let mut bench = bench();
    let mut request = bench.request(&[&document("- { name: Env, action: ExecuteBinary, inputs: { path: env } }")]);
    request.environment.insert("MINE".into(), "1".into());
    bench.run(&request);
    assert_eq!(bench.lines(), ["MINE=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
}

#[test]
fn a_script_lives_in_its_own_folder_and_keeps_state_between_commands() {
    let mut bench = bench();
    let steps = "- name: Script\n  action: ExecuteBash\n  inputs:\n    commands:\n      - X=1; cd /\n      - |\n        echo $X $PWD $0\n        false\n        echo end";
    assert_eq!(bench.steps(&[steps]).status, RunStatus::Success);
    let lines = bench.lines();
    assert!(lines[0].starts_with("1 / ") && lines[0].contains("/AWSTOE") && lines[1] == "end", "{lines:?}");
    assert_eq!(fs::read_dir(bench.directory.path()).unwrap().count(), 0);
}

#[test]
fn secrets_stay_on_the_machine() {
    for (head, more) in [("disableLogging: true\n", ""), ("", ", disableLogging: true")] {
        let mut bench = bench();
        let text = format!("{head}{}", document(&bash("Secret", "echo secret; echo secret >&2; exit 1", more)));
        let request = bench.request(&[&text]);
        let summary = bench.run(&request);
        assert_eq!((summary.status, summary.failure.unwrap().last_lines), (RunStatus::Failed, vec![]));
        assert!(!serde_json::to_string(&bench.events).unwrap().contains("secret"));
    }
}

#[test]
fn only_the_last_lines_are_shown_with_a_failure() {
    let mut bench = bench();
    let summary = bench.steps(&[&bash("Many", "seq 1 100; exit 1", "")]);
    let last = summary.failure.unwrap().last_lines;
    assert_eq!((last.len(), last[0].as_str(), last[19].as_str()), (20, "81", "100"));
    assert_eq!(bench.lines().len(), 100);
}

#[test]
fn what_a_step_leaves_in_the_background_is_not_waited_for() {
    let mut bench = bench();
    let summary = bench.steps(&[&bash("Daemon", "tail -f /dev/null & echo $!", "")]);
    assert_eq!(summary.status, RunStatus::Success);
    kill(Pid::from_raw(bench.lines()[0].parse().unwrap()), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn programs_that_cannot_be_run_are_named() {
    let mut bench = bench();
    let summary = bench.steps(&["- { name: None, action: ExecuteBinary, inputs: { path: no-such-program } }"]);
    assert!(summary.failure.unwrap().message.starts_with("cannot run no-such-program: "));
    let summary = bench.steps(&[&bash("Killed", "kill -9 $$", "")]);
    assert_eq!(summary.failure.unwrap().message, "killed by signal 9");
    let mut request = bench.request(&[&document(&bash("Where", "true", ""))]);
    request.working_directory = "/no/such/folder".into();
    assert!(bench.run(&request).failure.unwrap().message.contains("/no/such/folder"));
}

/// Not a test of its own: the other side of the next one, which needs a process to itself.
#[test]
fn helper_run_out_of_time() {
    let Ok(directory) = std::env::var("AMIFORGE_TEST_TIMEOUT") else { return };
    let stubborn = "trap \"\" TERM; setsid sh -c \"trap \\\"\\\" TERM; echo \\$\\$ >> pids; tail -f /dev/null\" & \
                    (tail -f /dev/null & echo $! >> pids); echo $$ >> pids; echo started; tail -f /dev/null";
    let keep = bash("Daemon", "tail -f /dev/null & echo $! > daemon", "");
    let steps = keep
        + &bash("Hang", &stubborn.replace('\'', ""), ", onFailure: Continue")
        + &bash("Again", "tail -f /dev/null", ", maxAttempts: 2");
    let bench = Bench { directory: tempfile::tempdir_in(directory).unwrap(), events: vec![] };
    let text = document(&steps);
    let request = bench.request(&[&text]);
    let mut execution = prepare(bench.directory.path(), &request).unwrap();
    // Long enough for a busy machine to start everything that must be killed.
    execution.documents[0].document.phases[0].steps[1].timeout = Some(std::time::Duration::from_secs(2));
    execution.documents[0].document.phases[0].steps[2].timeout = Some(std::time::Duration::from_millis(50));
    let mut events = Vec::new();
    let summary = execution.run(&mut Nowhere, &mut |event| events.push(event));
    assert_eq!(summary.status, RunStatus::TimedOut);
    assert_eq!(summary.failed_step_count, 2);
    let failure = summary.failure.unwrap();
    assert_eq!(failure.message, "did not end within 2 seconds, so it was killed");
    assert!(failure.last_lines.contains(&"started".to_owned()));
    assert!(matches!(&events[events.len() - 1], RunEvent::StepFinished { status: StepStatus::TimedOut, .. }));
    let pids = fs::read_to_string(bench.path("pids")).unwrap();
    assert_eq!(pids.lines().count(), 3, "{pids}");
    let attempts =
        events.iter().filter(|event| matches!(event, RunEvent::StepStarted { place, .. } if place.step == "Again"));
    assert_eq!(attempts.count(), 2);
    for pid in pids.lines() {
        assert!(kill(Pid::from_raw(pid.parse().unwrap()), None).is_err(), "{pid} is alive");
    }
    // What an earlier step left running is not of this step.
    let daemon = Pid::from_raw(fs::read_to_string(bench.path("daemon")).unwrap().trim().parse().unwrap());
    kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn a_step_out_of_time_is_killed_with_all_it_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runner::execution::tests::helper_run_out_of_time", "--nocapture"])
        .env("AMIFORGE_TEST_TIMEOUT", directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn served(request: &[u8]) -> (i32, Vec<RunEvent>) {
    let mut out = Vec::new();
    let code = serve(request, &mut out);
    let text = String::from_utf8(out).unwrap();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn as_a_program_it_says_how_it_ended() {
    for (command, code, status) in [
        ("true", 0, RunStatus::Success),
        ("exit 194", 194, RunStatus::RebootRequired),
        ("exit 7", 1, RunStatus::Failed),
    ] {
        let bench = bench();
        let request = bench.request(&[&document(&bash("Run", command, ""))]);
        let (found, events) = served(&serde_json::to_vec(&request).unwrap());
        assert_eq!(found, code, "{command}");
        assert!(matches!(&events[0], RunEvent::StepStarted { attempt: 1, place, .. } if place.action == "ExecuteBash"));
        assert!(matches!(events.last(), Some(RunEvent::Finished { summary }) if summary.status == status));
    }
    let (code, events) = served(b"{");
    assert_eq!((code, events.len()), (2, 1));
}

#[test]
fn as_a_program_it_fails_when_nobody_listens() {
    struct Deaf;
    impl std::io::Write for Deaf {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bench = bench();
    let request = bench.request(&[&document(&bash("Run", "true", ""))]);
    assert_eq!(serve(&serde_json::to_vec(&request).unwrap(), &mut Deaf), 1);
    assert_eq!(serve(b"", &mut Deaf), 2);
}

#[test]
fn every_action_said_to_be_executed_is() {
    for module in crate::component::modules::MODULES {
        let bench = bench();
        let machine = Machine { root: bench.path(""), directory: bench.path(""), environment: BTreeMap::new() };
        let mut nobody = |_| {};
        let mut sink = Sink::new(&mut nobody, true);
        let limit = Limit::starting_now(None);
        let scope = Scope {
            document: &component::parse(&SourceFile::new("d", document(&bash("One", "true", "")))).document.unwrap(),
            parameters: &BTreeMap::new(),
            records: &Records::new(),
        };
        let mut step = scope.document.phases[0].steps[0].clone();
        step.module = module;
        let inputs = scope.inputs(&step).unwrap();
        let outcome = actions::execute(module.action, &inputs, &machine, &mut Nowhere, limit, &mut sink);
        let refused = outcome.err().is_some_and(|error| error.to_string().contains("not executed locally yet"));
        assert_eq!(refused, !component::executes(module.action), "{}", module.name);
    }
}
