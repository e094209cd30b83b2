//! Steps that behave badly: bounded, told of their step, and the run ends well.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
    kill(Pid::from_raw(bench.lines()[0].parse().unwrap()), Signal::SIGKILL).unwrap();
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

#[test]
fn output_that_is_no_text_or_acts_on_a_terminal_is_made_harmless() {
    let mut bench = bench();
    let command = r#"printf "\\377\\376 bad\\n\\033[2J\\033]0;title\\007clear\\nten\\rtwenty\\tend\\0\\n""#;
    let summary = bench.steps(&[&bash("Odd", command, "")]);
    assert_eq!(summary.status, RunStatus::Success);
    let expected = ["\u{fffd}\u{fffd} bad", r"\x1b[2J\x1b]0;title\x07clear", "ten\\x0dtwenty\tend\\x00"];
    assert_eq!(bench.lines(), expected);
}

/// What this process has needed of memory at most, in KiB.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Not a test of its own: the other side of the next one, whose memory must be its own.
#[test]
fn helper_much_output() {
    let Ok(directory) = std::env::var("AMIFORGE_TEST_OUTPUT") else { return };
    let bench = Bench { directory: tempfile::tempdir_in(directory).unwrap(), ..bench() };
    let much = "yes \"$(printf %01000d 7)\" | head -c 150000000; head -c 50000000 /dev/zero; echo; echo end; exit 1";
    let request = bench.request(&[&document(&bash("Much", much, ""))]);
    let before = most_memory();
    let (mut bytes, mut last, mut outside) = (0, String::new(), Nowhere);
    let summary = run_on(bench.directory.path(), &request, &mut outside, &mut |event| {
        if let RunEvent::Output { line, .. } = event {
            bytes += line.len() + 1;
            last = line;
        }
    });
    let grown = (most_memory() - before) / 1024;
    assert!(grown < 64, "200 MB of output took {grown} MiB");
    assert!(bytes < 17 * 1024 * 1024, "{bytes} bytes were told");
    assert!(last.starts_with("amiforge: ") && last.ends_with("a step shows 16 MiB at most"), "{last}");
    assert_eq!(summary.failure.unwrap().last_lines[18], "end");
}

/// Runs a helper of this file in a process of its own.
fn alone(helper: &str) {
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("runner::tests::misbehaviour::{helper}"), "--nocapture"])
        .env("AMIFORGE_TEST_OUTPUT", directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn very_much_output_is_bounded_in_memory_and_in_what_is_told() {
    alone("helper_much_output");
}

/// Not a test of its own: the other side of the next one.
#[test]
fn helper_many_outputs() {
    let Ok(directory) = std::env::var("AMIFORGE_TEST_OUTPUT") else { return };
    let mut bench = Bench { directory: tempfile::tempdir_in(directory).unwrap(), ..bench() };
    let steps: String =
        (0..12).map(|number| bash(&format!("Step{number}"), "head -c 15000000 /dev/zero", "")).collect();
    let before = most_memory();
    let request = bench.request(&[&document(&steps)]);
    let summary = run_on(bench.directory.path(), &request, &mut Nowhere, &mut |_| ());
    let grown = (most_memory() - before) / 1024;
    assert_eq!(summary.executed_step_count, 12);
    assert!(grown < 100, "12 outputs of 15 MB took {grown} MiB");
    // What is used is kept, and can be used.
    let used = bash("Long", "printf %01000d 7", "") + &bash("Use", "test {{ build.Long.outputs.stdout }} != 0", "");
    assert_eq!(bench.steps(&[&used]).status, RunStatus::Success);
}

#[test]
fn outputs_that_nobody_uses_are_not_kept() {
    alone("helper_many_outputs");
}

#[test]
fn without_a_shell_later_steps_fail_and_the_run_ends() {
    let mut bench = bench();
    fs::create_dir(bench.path("bin")).unwrap();
    for name in ["bash", "rm"] {
        let program =
            ["/bin", "/usr/bin"].iter().map(|folder| format!("{folder}/{name}")).find(|path| fs::exists(path).unwrap());
        std::os::unix::fs::symlink(program.unwrap(), bench.path("bin").join(name)).unwrap();
    }
    let text = document(
        &(bash("Delete", "rm bin/bash", "")
            + &bash("Next", "true", ", onFailure: Continue")
            + "- { name: File, action: CreateFile, inputs: [{ path: made, content: x }] }\n"),
    );
    let mut request = bench.request(&[&text]);
    request.environment.insert("PATH".into(), bench.path("bin").to_str().unwrap().into());
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count, summary.failed_step_count), (RunStatus::Failed, 3, 1));
    assert_eq!(bench.message("Next"), "cannot run bash: No such file or directory (os error 2)");
    assert!(bench.path("made").exists(), "what needs no shell still works");
}
