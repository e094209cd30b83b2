//! Reports about trials: what `amiforge test` shows.

mod json;
mod junit;
mod markdown;
mod text;

pub use json::{json, ndjson_end, ndjson_trial};
pub use junit::junit;
pub use markdown::markdown;
pub use text::{kept, line, text};

use crate::trial::{Report, Status, TrialResult};

/// `3 steps passed, 1 failed, 2 not run`.
fn steps(trial: &TrialResult) -> String {
    let order = [
        Status::Passed,
        Status::Failed,
        Status::TimedOut,
        Status::Ignored,
        Status::Skipped,
        Status::Interrupted,
        Status::NotRun,
    ];
    let counts = order.into_iter().map(|status| (trial.count(status), status)).filter(|(count, _)| *count > 0);
    let words: Vec<String> = counts
        .enumerate()
        .map(|(number, (count, status))| match number {
            0 if count == 1 => format!("1 step {}", status.word()),
            0 => format!("{count} steps {}", status.word()),
            _ => format!("{count} {}", status.word()),
        })
        .collect();
    if words.is_empty() { "no step".to_owned() } else { words.join(", ") }
}

/// What was not real, each thing once, with the trials in which it was not; in the order of the facts.
fn not_real(report: &Report) -> Vec<(&'static str, &str, Vec<&str>)> {
    let mut all: Vec<(&'static str, &str, Vec<&str>)> = Vec::new();
    for trial in &report.trials {
        for fact in trial.facts.iter().filter(|fact| !fact.real) {
            match all.iter_mut().find(|(name, why, _)| (*name, *why) == (fact.name, fact.why.as_str())) {
                Some((.., trials)) => trials.push(&trial.name),
                None => all.push((fact.name, &fact.why, vec![&trial.name])),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
