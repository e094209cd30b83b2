//! The project's own commands that look at a candidate: run here, judged by the gate.

use crate::clock::{Clock, rfc3339};
use crate::event::{Events, Stage};
use crate::evidence::{CommandOutcome, Evidence};
use crate::project::CommandGate;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// How many lines of a command's output become evidence.
const LINES: usize = 20;
/// Characters of a line that are kept.
const LINE: usize = 500;
/// Bytes of output that are kept while it runs.
const KEPT: usize = 64 << 10;

/// Runs the commands one after the other in the folder of the project. A command that cannot be run, or does not end in
/// time, has an outcome that says so: it never passes for one that was not asked for.
///
/// They are told what they are about by `AMIFORGE_EVIDENCE` (path of the document), `AMIFORGE_AMI`, `AMIFORGE_ACCOUNT`,
/// `AMIFORGE_REGION`, `AMIFORGE_RECIPE` and `AMIFORGE_ARCH`. A shell reads only what the policy has under `shell`.
pub(super) async fn run(
    root: &Path,
    commands: &BTreeMap<String, CommandGate>,
    evidence: &Evidence,
    file: &Path,
    clock: &Clock,
    events: &Events,
) -> Vec<CommandOutcome> {
    let mut outcomes = vec![];
    for (name, gate) in commands {
        events.progress(Stage::Validate, format!("running the project's command {name}"));
        let began = tokio::time::Instant::now();
        let (end, lines) = one(root, gate, evidence, file).await;
        let (exit, failed) = match end {
            Ok(exit) => (Some(exit), String::new()),
            Err(why) => (None, why),
        };
        outcomes.push(CommandOutcome {
            name: name.clone(),
            digest: gate.digest(),
            exit,
            failed,
            last_lines: lines,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            ended_at: rfc3339(clock.now()),
        });
    }
    outcomes
}

/// The exit status or why there is none, and the last lines of output.
async fn one(root: &Path, gate: &CommandGate, evidence: &Evidence, file: &Path) -> (Result<i32, String>, Vec<String>) {
    let mut child = match command(root, gate, evidence, file).spawn() {
        Ok(child) => child,
        Err(error) => return (Err(format!("{} cannot be run: {error}", gate.run.join(" "))), vec![]),
    };
    let mut kept = VecDeque::new();
    let ended = tokio::time::timeout(gate.timeout, follow(&mut child, &mut kept)).await;
    let end = if let Ok(end) = ended {
        end
    } else {
        end_group(&mut child).await;
        Err(format!("it did not end within {}", crate::event::human_duration(gate.timeout)))
    };
    (end, last_lines(&kept))
}

fn command(root: &Path, gate: &CommandGate, evidence: &Evidence, file: &Path) -> Command {
    let words: Vec<&str> = if gate.shell { vec!["sh", "-c"] } else { vec![] };
    let mut words = words.into_iter().chain(gate.run.iter().map(String::as_str));
    let mut command = Command::new(words.next().unwrap_or_default());
    let candidate = &evidence.candidate;
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    command
        .args(words)
        .current_dir(root)
        .env("AMIFORGE_EVIDENCE", file)
        .env("AMIFORGE_AMI", &candidate.ami)
        .env("AMIFORGE_ACCOUNT", &candidate.account)
        .env("AMIFORGE_REGION", &candidate.region)
        .env("AMIFORGE_RECIPE", &candidate.recipe)
        .env("AMIFORGE_ARCH", &candidate.arch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// One of its outputs.
type Pipe = dyn AsyncRead + Unpin + Send;

/// Reads what it writes until it and all it has started have closed their outputs, and waits for its end.
async fn follow(child: &mut Child, kept: &mut VecDeque<u8>) -> Result<i32, String> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let kept = std::sync::Mutex::new(kept);
    let read = async |pipe: Option<&mut Pipe>| {
        let Some(pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            let Ok(mut kept) = kept.lock() else { return };
            kept.extend(&buffer[..count]);
            let excess = kept.len().saturating_sub(KEPT);
            kept.drain(..excess);
        }
    };
    tokio::join!(read(out.as_mut().map(|pipe| pipe as &mut Pipe)), read(err.as_mut().map(|pipe| pipe as &mut Pipe)));
    let status = child.wait().await.map_err(|error| error.to_string())?;
    status.code().ok_or_else(|| format!("it was ended by {status}"))
}

/// Ends a command and what it has started.
async fn end_group(child: &mut Child) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
        // It may have ended meanwhile.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
    let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
}

fn last_lines(kept: &VecDeque<u8>) -> Vec<String> {
    let bytes: Vec<u8> = kept.iter().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(|line| line.chars().take(LINE).collect()).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::evidence;
    use time::macros::datetime;

    async fn ran(gate: CommandGate) -> CommandOutcome {
        let folder = tempfile::tempdir().unwrap();
        let commands = BTreeMap::from([("check".to_owned(), gate)]);
        let clock = Clock::fixed(datetime!(2026-11-23 12:00 UTC));
        let file = folder.path().join("evidence.json");
        run(folder.path(), &commands, &evidence(), &file, &clock, &Events::none()).await.remove(0)
    }

    fn shell(text: &str) -> CommandGate {
        CommandGate { run: vec![text.into()], shell: true, timeout: Duration::from_mins(5) }
    }

    #[tokio::test]
    async fn a_command_is_told_what_it_is_about_and_its_status_and_last_lines_are_kept() {
        let told =
            shell("echo $AMIFORGE_AMI $AMIFORGE_REGION $AMIFORGE_RECIPE; basename $AMIFORGE_EVIDENCE >&2; exit 3");
        let outcome = ran(told.clone()).await;
        assert_eq!((outcome.exit, outcome.failed.as_str()), (Some(3), ""));
        let mut lines = outcome.last_lines.clone();
        lines.sort();
        assert_eq!(lines, ["ami-0123456789abcdef0 us-east-1 debian-12", "evidence.json"]);
        assert_eq!((outcome.digest, outcome.ended_at.as_str()), (told.digest(), "2026-11-23T12:00:00Z"));
        let many = ran(shell("seq 1 30000")).await;
        assert_eq!((many.last_lines.len(), many.last_lines[19].as_str()), (LINES, "30000"));
    }

    #[tokio::test]
    async fn without_a_shell_nothing_is_expanded() {
        let words = ["echo", "$AMIFORGE_AMI", ";", "exit 1"];
        let gate =
            CommandGate { run: words.map(str::to_owned).to_vec(), shell: false, timeout: Duration::from_mins(5) };
        let outcome = ran(gate).await;
        assert_eq!((outcome.exit, outcome.last_lines), (Some(0), vec!["$AMIFORGE_AMI ; exit 1".to_owned()]));
    }

    #[tokio::test]
    async fn what_cannot_be_run_does_not_end_or_is_ended_has_no_status() {
        let none = CommandGate { run: vec!["./not-there".into()], shell: false, timeout: Duration::from_mins(5) };
        let outcome = ran(none).await;
        assert!(outcome.exit.is_none() && outcome.failed.contains("cannot be run"), "{outcome:?}");
        let killed = ran(shell("kill -9 $$")).await;
        assert!(killed.exit.is_none() && killed.failed.contains("signal"), "{killed:?}");
        // What it has started goes with it: the pipe would stay open otherwise.
        let slow = CommandGate { timeout: Duration::from_millis(1), ..shell("sleep 3600 & wait") };
        let outcome = ran(slow).await;
        assert!(outcome.exit.is_none() && outcome.failed.contains("did not end within"), "{outcome:?}");
    }
}
