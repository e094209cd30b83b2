//! Jobs: output, exit, environment, standard input.

use crate::Test;
use crate::bench::{self, Outcome, builtin, instance, limited, run, sh, shell};
use amiforge::sandbox::{Exit, Job, environment};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("jobs::output_and_exit_code", output_and_exit_code),
    ("jobs::signals_and_missing_programs", signals_and_missing_programs),
    ("jobs::the_environment_is_exactly_what_was_given", the_environment_is_exactly_what_was_given),
    ("jobs::large_input_and_output_do_not_block", large_input_and_output_do_not_block),
    ("jobs::builtins_run_our_own_code", builtins_run_our_own_code),
    ("jobs::a_timeout_kills_all_of_the_job_and_nothing_else", a_timeout_kills_all_of_the_job_and_nothing_else),
    ("jobs::daemons_outlive_the_job_that_started_them", daemons_outlive_the_job_that_started_them),
    ("jobs::hundreds_of_jobs_in_one_instance", hundreds_of_jobs_in_one_instance),
];

fn output_and_exit_code() {
    let instance = instance();
    let outcome = run(&instance, &shell("echo one; echo two >&2; printf three; exit 7"));
    let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(outcome, Outcome { exit: Exit::Code(7), out: lines(&["one", "three"]), err: lines(&["two"]) });
}

fn signals_and_missing_programs() {
    let instance = instance();
    assert_eq!(run(&instance, &shell("kill -SEGV $$")).exit, Exit::Signal(11));
    assert_eq!(run(&instance, &shell("kill -s RTMIN+3 $$ || kill -37 $$")).exit, Exit::Signal(37));
    let missing = Job::Command {
        argv: vec!["no-such-program".into()],
        environment: environment(),
        directory: "/".into(),
        stdin: Vec::new(),
        timeout: None,
    };
    let outcome = run(&instance, &missing);
    assert_eq!(outcome.exit, Exit::Code(127));
    assert_eq!(outcome.err, ["cannot run no-such-program: there is no such program in the image"]);
    // A job that kills all it can see does not take the instance with it.
    run(&instance, &shell("kill -9 -1; sleep 5"));
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn the_environment_is_exactly_what_was_given() {
    let instance = instance();
    let job = Job::Command {
        argv: vec!["env".into()],
        environment: BTreeMap::from([("PATH".into(), "/usr/bin".into()), ("A".into(), "b c".into())]),
        directory: "/usr".into(),
        stdin: Vec::new(),
        timeout: None,
    };
    assert_eq!(run(&instance, &job).out, ["A=b c", "PATH=/usr/bin"]);
    let expected: Vec<String> = environment().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut got = run(&instance, &builtin("environment")).out;
    got.sort();
    assert_eq!(got, expected);
    // No descriptor of ours leaks into a program, and the usual signals have their usual effect.
    assert_eq!(sh(&instance, "ls /proc/self/fd | wc -l"), "4");
    // Signals 32 and 33 are the C library's own: who starts the tests may ignore them, and we cannot change it.
    let masks = sh(&instance, "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f 2");
    for mask in masks.lines().map(|mask| u64::from_str_radix(mask, 16).unwrap()) {
        assert_eq!(mask & !(0b11 << 31), 0, "{masks}");
    }
    assert_eq!(sh(&instance, "umask; pwd"), "0022\n/");
}

fn large_input_and_output_do_not_block() {
    let instance = instance();
    let input: Vec<u8> = b"0123456789abcdef\n".repeat(200_000);
    let with_input = |script: &str| match shell(script) {
        Job::Command { argv, environment, directory, timeout, .. } => {
            Job::Command { argv, environment, directory, stdin: input.clone(), timeout }
        }
        other @ Job::Builtin { .. } => other,
    };
    let outcome = run(&instance, &with_input("cat"));
    assert_eq!((outcome.exit, outcome.out.len()), (Exit::Code(0), 200_000));
    assert!(outcome.out.iter().all(|line| line == "0123456789abcdef"));
    // One that does not read it all.
    assert_eq!(run(&instance, &with_input("head -n 1")).out, ["0123456789abcdef"]);
    assert_eq!(run(&instance, &with_input("true")).exit, Exit::Code(0));
    let long = run(&instance, &shell("head -c 200000 /dev/zero | tr '\\0' x"));
    assert_eq!(long.out.concat().len(), 200_000);
    assert!(long.out.iter().all(|line| line.len() <= 65_536));
}

fn builtins_run_our_own_code() {
    let instance = instance();
    let outcome = run(&instance, &builtin("say hello from inside"));
    assert_eq!(outcome.exit, Exit::Code(0));
    assert_eq!(outcome.out, ["hello from inside"]);
    assert_eq!(outcome.err, ["printed, not sent"]);
    assert_eq!(run(&instance, &builtin("exit 42")).exit, Exit::Code(42));
    let panicked = run(&instance, &builtin("panic on purpose"));
    assert_eq!(panicked.exit, Exit::Code(101));
    assert!(panicked.err.join("\n").contains("on purpose"), "{panicked:?}");
    assert_eq!(run(&instance, &builtin("run echo from a child; exit 3")).exit, Exit::Code(3));
    let sockets = run(&instance, &builtin("descriptors")).out;
    assert!(sockets.iter().all(|link| !link.contains("socket")), "{sockets:?}");
    let endless = Job::Builtin { payload: "spin".into(), timeout: Some(Duration::from_millis(200)) };
    assert_eq!(run(&instance, &endless).exit, Exit::TimedOut);
}

fn a_timeout_kills_all_of_the_job_and_nothing_else() {
    let instance = instance();
    let (daemon, stubborn) = (bench::unique_seconds(), bench::unique_seconds());
    sh(&instance, &format!("setsid sleep {daemon} >/dev/null 2>&1 &"));
    let script = format!(
        "trap '' TERM HUP INT; (setsid sleep {stubborn} &); (setsid sh -c 'trap \"\" TERM; (nohup sleep {stubborn} &); sleep {stubborn}' &); \
         echo started; while :; do sleep {stubborn}; done"
    );
    let start = Instant::now();
    let outcome = run(&instance, &limited(&script, Duration::from_millis(500)));
    assert_eq!(outcome.exit, Exit::TimedOut, "{outcome:?}");
    assert_eq!(outcome.out, ["started"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(bench::processes_with(&stubborn), Vec::<String>::new());
    assert_eq!(bench::processes_with(&daemon).len(), 1);
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn daemons_outlive_the_job_that_started_them() {
    let instance = instance();
    // It keeps the output of the job open and writes to it: neither may hold up the job nor kill the daemon.
    sh(&instance, "(while :; do echo noise; sleep 0.05; done) & echo $! > /run/daemon");
    assert_eq!(sh(&instance, "sleep 0.3; kill -0 $(cat /run/daemon) && echo alive"), "alive");
}

fn hundreds_of_jobs_in_one_instance() {
    let instance = instance();
    let job = Job::Command {
        argv: vec!["/bin/true".into()],
        environment: environment(),
        directory: "/".into(),
        stdin: Vec::new(),
        timeout: None,
    };
    let start = Instant::now();
    for _ in 0..300 {
        assert_eq!(run(&instance, &job).exit, Exit::Code(0));
    }
    println!("    300 jobs: {:?} each", start.elapsed() / 300);
    // Process 1, the supervisor and the shell, which counts by itself.
    assert_eq!(sh(&instance, "set -- /proc/[0-9]*; echo $#"), "3", "zombies are left");
}
