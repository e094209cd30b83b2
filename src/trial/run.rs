//! All trials, several at a time.

use super::matrix::Trial;
use super::one;
use super::result::{Outcome, Report, TrialResult};
use super::roots::Roots;
use super::stop::Stop;
use super::{Options, World, place};
use crate::clock::rfc3339;
use crate::event::{Ending, Events};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Memory that one trial may be expected to need, in bytes: a package manager with its cache, and some services.
const MEMORY_OF_ONE: u64 = 1 << 30;

/// What all trials of a run share.
pub(super) struct Context {
    pub(super) world: World,
    pub(super) options: Options,
    pub(super) events: Events,
    pub(super) stop: Stop,
    pub(super) roots: Roots,
}

impl Context {
    /// What a trial is doing now.
    pub(super) fn progress(&self, lane: &str, message: impl Into<String>) {
        self.events.lane_progress(lane, message);
    }
}

/// Runs trials and tells each result as it is there; the report has them in the order of the matrix.
///
/// # Errors
/// When what killed processes have left cannot be removed, or this machine cannot run instances at all.
pub fn run(
    world: &World,
    options: &Options,
    trials: &[Trial],
    events: &Events,
    stop: &Stop,
    on_result: &(dyn Fn(&TrialResult) + Sync),
) -> Result<Report, super::TrialError> {
    let (begun, started) = (Instant::now(), rfc3339(world.clock.now()));
    place::sweep(&world.state)?;
    if trials.iter().any(|trial| trial.skip.is_none()) {
        options.permitted(&place::trials(&world.state))?;
    }
    let context = Context {
        world: world.clone(),
        options: options.clone(),
        events: events.clone(),
        stop: stop.clone(),
        roots: Roots::new(world.cache.clone(), world.mirror.clone()),
    };
    let jobs = options.jobs.unwrap_or_else(|| default_jobs(processors(), available_memory(), options.memory_of_one()));
    let trials = work(&context, trials, jobs.max(1), on_result);
    let interrupted = stop.is_stopped();
    Ok(Report { started, seconds: begun.elapsed().as_secs_f64(), trials, interrupted })
}

fn work(
    context: &Context,
    trials: &[Trial],
    jobs: usize,
    on_result: &(dyn Fn(&TrialResult) + Sync),
) -> Vec<TrialResult> {
    let waiting: Mutex<VecDeque<(usize, &Trial)>> = Mutex::new(trials.iter().enumerate().collect());
    let results: Mutex<Vec<(usize, TrialResult)>> = Mutex::new(Vec::new());
    let enough = AtomicBool::new(false);
    let worker = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((number, trial)) = next else { return };
            let result = if context.stop.is_stopped() || enough.load(Ordering::Relaxed) {
                one::blank(trial)
            } else {
                observed(context, trial)
            };
            let bad = !matches!(result.outcome, Outcome::Passed | Outcome::Skipped);
            if bad && context.options.fail_fast {
                enough.store(true, Ordering::Relaxed);
            }
            on_result(&result);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(trials.len()) {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// One trial, with its lane in the stream of events.
fn observed(context: &Context, trial: &Trial) -> TrialResult {
    let plural = if trial.documents.len() == 1 { "" } else { "s" };
    context.events.lane_started(&trial.name, format!("{} document{plural}", trial.documents.len()));
    let result = one::run(context, trial);
    let ending = match result.outcome {
        Outcome::Passed => Ending::Done,
        Outcome::Skipped | Outcome::NotRun => Ending::Unchanged,
        _ => Ending::Failed,
    };
    context.events.lane_finished(&trial.name, ending, crate::report::trial_line(&result));
    result
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// As many as there are processors, and as fit into memory.
fn default_jobs(processors: usize, available: Option<u64>, limit: Option<u64>) -> usize {
    let one = limit.unwrap_or(MEMORY_OF_ONE).max(1);
    let fitting = available.map_or(usize::MAX, |available| usize::try_from(available / one).unwrap_or(usize::MAX));
    processors.min(fitting).max(1)
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_trials_run_as_there_is_room_for() {
        assert_eq!(default_jobs(4, Some(16 << 30), None), 4);
        assert_eq!(default_jobs(4, Some(2 << 30), None), 2);
        assert_eq!(default_jobs(4, Some(2 << 30), Some(512 << 20)), 4);
        assert_eq!(default_jobs(4, Some(0), None), 1, "one has to run");
        assert_eq!(default_jobs(2, None, Some(0)), 2);
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
