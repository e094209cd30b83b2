//! For people.

use super::{not_real, steps};
use crate::diagnostic::{Diagnostic, render};
use crate::event::human_duration;
use crate::trial::{Kept, Outcome, Report, TrialResult};
use std::fmt::Write as _;
use std::time::Duration;

/// Everything that happened: a line for each trial, why those that did not pass did not, what was not real, and a count.
#[must_use]
pub fn text(report: &Report, color: bool) -> String {
    let mut text = String::new();
    let width = report.trials.iter().map(|trial| trial.name.chars().count()).max().unwrap_or(0);
    for trial in &report.trials {
        let _ = writeln!(text, "{:width$}  {}", trial.name, line(trial));
        for note in &trial.notes {
            let _ = writeln!(text, "{:width$}  · {}", "", render::printable(note));
        }
        if let Some(left) = &trial.left {
            let _ = writeln!(text, "{:width$}  · kept in {}: {}", "", left.folder, left.enter);
        }
    }
    for trial in &report.trials {
        if let Some(reason) = &trial.reason {
            text.push('\n');
            text.push_str(&reason_text(&reason.diagnostic, color));
        }
    }
    let facts = not_real(report);
    if !facts.is_empty() {
        text.push_str("\nskipped, because it was not real here (`--require NAME` makes it a failure):\n");
        let width = facts.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        let ran = report.trials.iter().filter(|trial| !trial.facts.is_empty()).count();
        for (name, why, trials) in facts {
            let place = if trials.len() == ran { String::new() } else { format!(" ({})", trials.join(", ")) };
            let why = folded(&format!("{why}{place}"), &format!("\n{:1$}", "", width + 4));
            let _ = writeln!(text, "  {name:<width$}  {why}");
        }
    }
    let _ = writeln!(text, "\n{}", closing(report));
    text
}

/// Lines of at most 100 columns, where words permit, with `between` between them.
fn folded(text: &str, between: &str) -> String {
    let mut column = 0;
    text.split(' ').fold(String::new(), |mut folded, word| {
        let length = word.chars().count();
        if column > 0 {
            let fits = column + 1 + length <= 100;
            folded.push_str(if fits { " " } else { between });
            column = if fits { column + 1 } else { 0 };
        }
        column += length;
        folded.push_str(word);
        folded
    })
}

fn reason_text(diagnostic: &Diagnostic, color: bool) -> String {
    render::text(std::slice::from_ref(diagnostic), color)
}

/// How one trial ended, in a line.
#[must_use]
pub fn line(trial: &TrialResult) -> String {
    let word = trial.outcome.word();
    match trial.outcome {
        Outcome::Skipped | Outcome::NotRun => word.to_owned(),
        _ => format!("{word:<7} {} ({})", steps(trial), duration(trial.seconds)),
    }
}

fn duration(seconds: f64) -> String {
    human_duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `2 trials passed, 1 failed; 12 steps in 3.4 s`.
fn closing(report: &Report) -> String {
    let order = [
        (Outcome::Passed, "passed"),
        (Outcome::Failed, "failed"),
        (Outcome::Error, "came to no result"),
        (Outcome::Interrupted, "interrupted"),
        (Outcome::Skipped, "skipped"),
        (Outcome::NotRun, "not run"),
    ];
    let counts = order.into_iter().map(|(outcome, word)| (report.count(outcome), word));
    let words: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .enumerate()
        .map(|(number, (count, word))| match number {
            0 if count == 1 => format!("1 trial {word}"),
            0 => format!("{count} trials {word}"),
            _ => format!("{count} {word}"),
        })
        .collect();
    let executed: usize = report.trials.iter().map(TrialResult::executed).sum();
    let what = if words.is_empty() { "no trial".to_owned() } else { words.join(", ") };
    let plural = if executed == 1 { "" } else { "s" };
    format!("{what}; {executed} step{plural} executed in {}", duration(report.seconds))
}

/// The instances that were left, one a line.
#[must_use]
pub fn kept(all: &[Kept]) -> String {
    if all.is_empty() {
        return "no instance was left; `amiforge test … --keep` leaves some\n".to_owned();
    }
    let width = all.iter().map(|kept| kept.name.chars().count()).max().unwrap_or(0);
    all.iter().fold(String::new(), |mut text, kept| {
        let _ = writeln!(text, "{:width$}  {:<5}  {:<7}  {}", kept.name, kept.stage, kept.outcome, kept.at);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn long_reasons_are_folded_between_words_and_nothing_is_lost() {
        assert_eq!(folded("as short as that", "\n  "), "as short as that");
        let long = ["word"; 60].join(" ");
        let text = folded(&long, "\n  ");
        assert_eq!(text.lines().map(|line| line.trim_start().chars().count()).collect::<Vec<_>>(), [99, 99, 99]);
        assert_eq!(text.replace("\n  ", " "), long);
        let giant = "x".repeat(300);
        assert_eq!(folded(&format!("a {giant} b"), "\n"), format!("a\n{giant}\nb"));
    }
}
