//! The channel to the world outside: a runner in an instance asks, this program answers.

use crate::Test;
use crate::bench::{self, instance, place, sh};
use crate::site::{self, AUTHORITY, Site};
use amiforge::drive::{DriveError, Told, drive};
use amiforge::runner::outside::{Nowhere, Outside};
use amiforge::runner::table::{Table, Values};
use amiforge::runner::{DocumentRequest, Request, RunEvent, RunStatus, Summary};
use amiforge::sandbox::{Exit, Instance, Job, Line, Network, environment};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("channel::a_builtin_job_gets_answers", a_builtin_job_gets_answers),
    ("channel::a_job_that_does_not_listen_blocks_nobody", a_job_that_does_not_listen_blocks_nobody),
    ("channel::an_answer_that_comes_too_late_is_dropped", an_answer_that_comes_too_late_is_dropped),
    ("channel::a_runner_fetches_and_stores_objects", a_runner_fetches_and_stores_objects),
    ("channel::a_runner_downloads_from_the_web", a_runner_downloads_from_the_web),
    ("channel::a_restart_does_not_end_the_channel", a_restart_does_not_end_the_channel),
    ("channel::what_nobody_knows_fails_its_step", what_nobody_knows_fails_its_step),
    ("channel::an_instance_that_is_killed_is_told_from_a_failure", an_instance_that_is_killed_is_told),
];

fn builtin(payload: &str) -> Job {
    Job::Builtin { payload: payload.into(), timeout: Some(Duration::from_mins(1)) }
}

/// Runs a job and answers each line with what `answer` makes of it.
fn talk(instance: &Instance, job: &Job, mut answer: impl FnMut(&str) -> Option<Vec<u8>>) -> (Exit, Vec<String>) {
    let mut lines = Vec::new();
    let exit = instance.run_answering(job, &mut |line| {
        let Line::Out(line) = line else { return None };
        let answer = answer(&line);
        lines.push(line);
        answer
    });
    (exit.unwrap(), lines)
}

fn a_builtin_job_gets_answers() {
    let instance = instance();
    let (exit, lines) = talk(&instance, &builtin("ask 3"), |line| {
        (!line.starts_with("heard")).then(|| format!("answer to {line}\n").into_bytes())
    });
    assert_eq!(exit, Exit::Code(0));
    let heard: Vec<&String> = lines.iter().filter(|line| line.starts_with("heard")).collect();
    assert_eq!(heard, ["heard answer to 0", "heard answer to 1", "heard answer to 2"]);
    // Nobody answers: the end of the job is not waited for by anyone.
    let (exit, _) = talk(&instance, &builtin("say nothing"), |_| None);
    assert_eq!(exit, Exit::Code(0));
}

/// 100 MiB of answers that nobody reads, while the job writes as fast as it can.
fn a_job_that_does_not_listen_blocks_nobody() {
    let instance = instance();
    let answer = vec![b'x'; 1 << 20];
    let mut asked = 0;
    let (exit, lines) = talk(&instance, &builtin("flood 100"), |line| {
        line.starts_with("ask").then(|| {
            asked += 1;
            answer.clone()
        })
    });
    assert_eq!((exit, asked), (Exit::Code(0), 100));
    // It hears no more than the pipe held: what waited in the init has been dropped.
    let heard: usize = lines.last().unwrap().strip_prefix("heard ").unwrap().parse().unwrap();
    assert!(heard <= 65 << 20, "{heard}");
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn an_answer_that_comes_too_late_is_dropped() {
    let instance = instance();
    for _ in 0..3 {
        let (exit, _) = talk(&instance, &builtin("say gone"), |_| Some(vec![b'x'; 8 << 20]));
        assert_eq!(exit, Exit::Code(0));
        assert_eq!(sh(&instance, "echo alive"), "alive");
    }
}

fn request(steps: &str) -> Request {
    let text = format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{steps}");
    Request {
        execution_id: "channel".into(),
        documents: vec![DocumentRequest { name: "doc.yaml".into(), text, parameters: BTreeMap::new() }],
        phases: vec!["build".into()],
        state_directory: "/var/lib/amiforge".into(),
        working_directory: "/tmp".into(),
        environment: environment(),
        ..Request::default()
    }
}

fn run(
    instance: &Instance,
    outside: &mut (dyn Outside + Send),
    steps: &str,
) -> (Result<Summary, DriveError>, Vec<String>) {
    let mut told = Vec::new();
    let limit = Some(Duration::from_mins(2));
    let result = drive(instance, &request(steps), outside, limit, &mut |what| match what {
        Told::Event(RunEvent::Output { line, .. }) => told.push(line.clone()),
        Told::Event(_) => {}
        Told::Stray(line) => told.push(format!("stray: {line}")),
        other => told.push(format!("{other:?}")),
    });
    (result, told)
}

/// A bucket `b` in a folder of this machine.
fn bucket(folder: &Path) -> Table<'static> {
    fs::create_dir_all(folder).unwrap();
    let values = Values { s3: BTreeMap::from([("s3://b/".into(), folder.to_owned())]), ..Values::default() };
    Table::new(values, Nowhere)
}

fn a_runner_fetches_and_stores_objects() {
    let instance = instance();
    let folder = place("bucket");
    let content: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let mut table = bucket(&folder);
    fs::create_dir(folder.join("p")).unwrap();
    fs::write(folder.join("p/large"), &content).unwrap();
    fs::write(folder.join("p/small"), "small").unwrap();
    let steps = "
      - { name: Get, action: S3Download, inputs: [{ source: 's3://b/p/*', destination: /srv/in }] }
      - { name: Look, action: ExecuteBash, inputs: { commands: ['cat /srv/in/small; stat -c %s /srv/in/large'] } }
      - { name: Put, action: S3Upload, inputs: [{ source: /srv/in, destination: 's3://b/out', recurse: true }] }
";
    let (result, told) = run(&instance, &mut table, steps);
    let summary = result.unwrap();
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 3), "{told:?} {summary:?}");
    assert!(told.contains(&"small5000000".to_owned()), "{told:?}");
    assert!(fs::read(folder.join("out/large")).unwrap() == content);
    assert_eq!(fs::read_to_string(folder.join("out/small")).unwrap(), "small");
}

/// No code of the image takes part: names are looked up in its files, certificates are the ones it trusts.
fn a_runner_downloads_from_the_web() {
    let site = Site::secure(|line, _| site::ok(line.as_bytes()));
    let plain = Site::plain({
        let to = format!("https://secure.test:{}/f", site.port);
        move |_, _| site::redirect(&to)
    });
    let mut spec = bench::spec(vec![bench::base()]);
    spec.network = Network::Host;
    spec.inject.extend([
        bench::injected("/etc/ssl/certs/ca-certificates.crt", AUTHORITY),
        // Were the C library asked, this would have it load code of the image.
        bench::injected("/etc/nsswitch.conf", "hosts: nonsense [UNAVAIL=return]\n"),
    ]);
    let instance = Instance::start(&spec).unwrap();
    let steps = format!(
        "
      - {{ name: Hosts, action: ExecuteBash, inputs: {{ commands: ['echo 127.0.0.1 plain.test secure.test >> /etc/hosts'] }} }}
      - {{ name: Get, action: WebDownload, inputs: [{{ source: '{}', destination: /srv/ }}] }}
      - {{ name: Look, action: ExecuteBash, inputs: {{ commands: ['cat {{{{ build.Get.outputs[0].destination }}}}'] }} }}
",
        plain.url("/x").replace("127.0.0.1", "plain.test")
    );
    let (result, told) = run(&instance, &mut Nowhere, &steps);
    let summary = result.unwrap();
    assert_eq!(summary.status, RunStatus::Success, "{told:?} {summary:?}");
    assert!(told.contains(&"GET /f HTTP/1.1".to_owned()), "{told:?}");
    assert_eq!((plain.requests().len(), site.requests().len()), (1, 1));
}

fn a_restart_does_not_end_the_channel() {
    let instance = instance();
    let folder = place("bucket");
    let mut table = bucket(&folder);
    fs::write(folder.join("f"), "after").unwrap();
    let steps = "
      - { name: One, action: ExecuteBash, inputs: { commands: ['echo before > /run/mark; echo once >> /srv/count'] } }
      - { name: Again, action: Reboot, inputs: { delaySeconds: 0 } }
      - { name: Get, action: S3Download, inputs: [{ source: 's3://b/f', destination: /srv/f }] }
      - { name: Look, action: ExecuteBash, inputs: { commands: ['ls /run/mark 2>/dev/null || cat /srv/f /srv/count'] } }
";
    let (result, told) = run(&instance, &mut table, steps);
    assert_eq!(result.unwrap().status, RunStatus::Success, "{told:?}");
    assert!(told.contains(&"Restarting".to_owned()) && told.contains(&"Restarted".to_owned()), "{told:?}");
    assert!(told.contains(&"afteronce".to_owned()), "{told:?}");
}

fn what_nobody_knows_fails_its_step() {
    let instance = instance();
    let steps = "
      - { name: Get, action: S3Download, inputs: [{ source: 's3://elsewhere/f', destination: /srv/f }] }
";
    let (result, _) = run(&instance, &mut Nowhere, steps);
    let summary = result.unwrap();
    assert_eq!(summary.status, RunStatus::Failed);
    let failure = summary.failure.unwrap();
    assert!(failure.message.contains("s3://elsewhere/f cannot be had here"), "{}", failure.message);
}

fn an_instance_that_is_killed_is_told() {
    let instance = instance();
    let killer = instance.killer();
    let steps = "
      - { name: Wait, action: ExecuteBash, inputs: { commands: ['echo here; sleep 600'] } }
";
    let result = drive(&instance, &request(steps), &mut Nowhere, None, &mut |what| {
        if matches!(what, Told::Event(RunEvent::Output { .. })) {
            killer.kill();
        }
    });
    assert!(matches!(result, Err(DriveError::Gone)), "{result:?}");
}
