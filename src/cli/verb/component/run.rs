//! `amiforge component run`

use super::{outside, pair};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, tell};
use crate::cli::signal;
use crate::clock::Clock;
use crate::event::{Ending, Event, Stage};
use crate::runner::host::{self, Stop};
use crate::runner::output::{JunitReport, Machine};
use crate::runner::outside::Outside;
use crate::runner::table::{Table, Values};
use crate::runner::{RunEvent, RunStatus, StepStatus};
use crate::toe::{self, ConfigFile, Order, Outcome, Ready, Wanted};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Arguments of `component run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 success · 6 a step failed · 3 a document has errors, nothing was run · 2 usage ·\n\
    130 interrupted · 194 restart this machine and run the command that is printed."
)]
pub struct RunArgs {
    /// Component documents: paths, s3:// addresses or ARNs of component build versions.
    #[arg(value_name = "DOC", required_unless_present = "config", conflicts_with = "config")]
    pub documents: Vec<String>,
    /// Say that this machine is meant to be changed.
    #[arg(long)]
    pub on_host: bool,
    /// Phases to run, with commas; all when absent. Their order is that of the document.
    #[arg(long, short, value_name = "LIST", value_delimiter = ',')]
    pub phases: Vec<String>,
    /// Value of a parameter, for every document that has it.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// awstoe's configuration in JSON; what is given here counts more.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the folder of the run is made; the current folder when absent.
    #[arg(long, short, value_name = "DIR")]
    pub log_directory: Option<PathBuf>,
    /// Where state is kept across restarts; amiforge-state in the log directory when absent.
    #[arg(long, short, value_name = "DIR")]
    pub state_directory: Option<PathBuf>,
    /// Working directory of steps, as Image Builder has it.
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    pub working_directory: PathBuf,
    /// Names the run; the same one goes on after a restart.
    #[arg(long, short = 'i', value_name = "ID")]
    pub execution_id: Option<String>,
    /// Action modules that no document may use, with commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub blocked_action_modules: Vec<String>,
    /// Account that must own the bucket of documents in S3.
    #[arg(long, value_name = "ACCOUNT")]
    pub document_s3_bucket_owner: Option<String>,
    /// Write a test report in JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Values that documents find instead of asking AWS: YAML with `ssm`, `ssm_secret`, `imds`, `s3` and
    /// `documents`.
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
}

pub(super) fn run(session: &Session, args: &RunArgs) -> Result<Exit, Failure> {
    if !args.on_host {
        let first = args.documents.first().map_or("DOC", String::as_str);
        return Err(Failure::new(
            Exit::Usage,
            "`component run` changes this very machine, so it wants --on-host spelled out",
        )
        .next(format!("amiforge test {first}    to run it in a throw-away instance"))
        .next(format!("amiforge component run {first} --on-host    if this machine is meant")));
    }
    let mut outside: Box<dyn Outside + Send> = match &args.values {
        Some(path) => Box::new(Table::new(Values::read(path)?, outside())),
        None => Box::new(outside()),
    };
    let order = args.order()?;
    let ready = toe::prepare(&order, &mut *outside)?;
    for note in &ready.notes {
        tell(&format!("note: {note}\n"));
    }
    let mut junit = JunitReport::new(ready.execution_id());
    // A path that cannot be written is better known before an hour of work; and a run that is killed has not passed.
    args.report(&junit)?;
    let outcome = execute(session, &ready, &mut *outside, &mut junit);
    args.report(&junit)?;
    let outcome = outcome?;
    if let Some(fault) = &outcome.fault {
        tell(&format!("note: the record of the run is not complete: {fault}\n"));
    }
    conclude(args, &ready, &outcome)
}

impl RunArgs {
    /// Writes the test report, if one is wanted.
    fn report(&self, junit: &JunitReport) -> Result<(), Failure> {
        let Some(path) = &self.junit else { return Ok(()) };
        fs::write(path, junit.xml(&machine())).map_err(|error| {
            Failure::new(Exit::Usage, format!("the report {} cannot be written: {error}", path.display()))
        })
    }

    /// What the command line says, over what the configuration says.
    fn order(&self) -> Result<Order, Failure> {
        let config = self.config.as_deref().map(ConfigFile::read).transpose()?;
        let plain = |reference: &String| Wanted { reference: reference.clone(), parameters: BTreeMap::new() };
        let documents =
            config.as_ref().map_or_else(|| self.documents.iter().map(plain).collect(), ConfigFile::documents);
        let config = config.unwrap_or_default();
        let mut parameters = config.parameters();
        parameters.extend(self.parameters.iter().cloned());
        let log = self.log_directory.clone().or(config.log_directory.clone()).unwrap_or_else(|| PathBuf::from("."));
        let log = std::path::absolute(log)?;
        let state = self.state_directory.clone().or(config.state_directory.clone());
        let state = state.map_or_else(|| Ok(log.join("amiforge-state")), std::path::absolute)?;
        let id = self.execution_id.clone().or(config.execution_id.clone());
        Ok(Order {
            documents,
            phases: if self.phases.is_empty() { config.phases() } else { self.phases.clone() },
            parameters,
            log_directory: log,
            state_directory: state,
            working_directory: std::path::absolute(&self.working_directory)?,
            execution_id: id.map_or_else(random_id, Ok)?,
            blocked: self.blocked_action_modules.clone(),
            document_owner: self.document_s3_bucket_owner.clone().or(config.document_s3_bucket_owner.clone()),
            environment: host::environment(std::env::vars()),
        })
    }
}

/// The kernel's own UUIDs.
fn random_id() -> Result<String, Failure> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

fn machine() -> Machine {
    let hostname = nix::unistd::gethostname().ok().map(|name| name.to_string_lossy().into_owned());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    Machine { hostname: hostname.unwrap_or_default(), os: name.unwrap_or("Linux").trim_matches('"').to_owned() }
}

/// Runs it, showing what happens; ended by the user, it ends with all that it has started.
fn execute(
    session: &Session,
    ready: &Ready,
    outside: &mut dyn Outside,
    junit: &mut JunitReport,
) -> Result<Outcome, Failure> {
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let on_signal = stop.clone();
    runtime.spawn(async move {
        if signal::interrupted().await.is_ok() {
            // Killing takes a moment; this thread has nothing else to do.
            tokio::task::block_in_place(|| on_signal.now());
        }
    });
    let events = &session.events;
    events.started(Stage::Run, format!("execution {} on this machine", ready.execution_id()));
    let outcome = ready.run(outside, &Clock::system(), &stop, junit, &mut |event| show(session, event));
    runtime.shutdown_background();
    let (ending, text) = match &outcome {
        Ok(outcome) if outcome.summary.status == RunStatus::Success => (Ending::Done, "success"),
        Ok(outcome) if outcome.summary.status == RunStatus::RebootRequired => {
            (Ending::Unchanged, "a restart is needed")
        }
        _ => (Ending::Failed, "failed"),
    };
    events.finished(Stage::Run, ending, text);
    Ok(outcome?)
}

fn show(session: &Session, event: &RunEvent) {
    match event {
        RunEvent::StepStarted { place, attempt, .. } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let text = format!("{}: {}: {}{again}", place.document, place.phase, place.step);
            session.events.progress(Stage::Run, text);
        }
        RunEvent::Output { line, .. } => session.events.send(Event::Output { stage: Stage::Run, line: line.clone() }),
        RunEvent::StepFinished { place, status, message, .. } if *status != StepStatus::Success => {
            let message = message.as_deref().unwrap_or_default();
            let (document, line, step) = (&place.document, place.line, &place.step);
            session.events.note(Stage::Run, format!("{document}:{line}: {step}: {status:?}: {message}"));
        }
        _ => {}
    }
}

/// Prints the result, and becomes the exit code.
fn conclude(args: &RunArgs, ready: &Ready, outcome: &Outcome) -> Result<Exit, Failure> {
    let summary = &outcome.summary;
    if summary.status == RunStatus::RebootRequired {
        let documents = args.documents.join(" ");
        let phases =
            if args.phases.is_empty() { String::new() } else { format!(" --phases {}", args.phases.join(",")) };
        return Err(Failure::new(Exit::Restart, "a step needs this machine restarted; amiforge does not restart it")
            .next("restart the machine, then run the same command with these two options, and it goes on where it stopped:")
            .next(format!(
                "amiforge component run {documents} --on-host{phases} … --execution-id {} --state-directory {}",
                ready.execution_id(),
                ready.state_directory()
            )));
    }
    print(&format!("{:#}\n", toe::summary_json(outcome)))?;
    if summary.status == RunStatus::Success {
        return Ok(Exit::Done);
    }
    let mut failure = Failure::new(Exit::TestsFailed, summary.failure_message.clone());
    if let Some(step) = &summary.failure {
        failure = failure.showing(step.last_lines.iter().map(|line| crate::diagnostic::render::printable(line)));
        failure = failure.why(format!("{}:{}", step.document, step.line));
    }
    Err(failure.next(format!("the whole log: {}", outcome.log.join("console.log").display())))
}
