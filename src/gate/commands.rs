//! The gate that the project's own commands make.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use crate::evidence::{CommandOutcome, Evidence};
use crate::project::CommandGate;
use std::collections::BTreeMap;

const GATE: &str = "commands";

/// Too much is each command that ended with another status than 0. One that was not run, not to its end, or not as it is
/// written today, says nothing.
pub(super) fn check<'a>(commands: &'a BTreeMap<String, CommandGate>, evidence: &'a Evidence) -> Outcome<'a> {
    let (mut wrong, mut lines, mut unknown) = (vec![], vec![], vec![]);
    for (name, command) in commands {
        match ran(name, command, evidence) {
            Err(why) => unknown.push(why),
            Ok((outcome, exit)) => {
                lines.push(format!("looked at: {name}, run at {} for {} ms", outcome.ended_at, outcome.milliseconds));
                if exit != 0 {
                    let last = outcome.last_lines.last().map_or_else(String::new, |line| format!(": {line}"));
                    wrong.push(Found::new(name, format!("{name} ended with status {exit}{last}")));
                    lines.extend(outcome.last_lines.iter().map(|line| format!("{name} | {line}")));
                }
            }
        }
    }
    if !unknown.is_empty() {
        let mut verdict = Verdict::error(GATE, unknown.join("; "));
        verdict.details.extend(wrong.iter().map(|found| found.what.clone()));
        verdict.details.extend(lines);
        return Err(verdict.detail(AGAIN));
    }
    let count = commands.len();
    let noun = if count == 1 { "command" } else { "commands" };
    let mut case = Case::strict(GATE, wrong, format!("{count} {noun} ended with status 0"));
    case.looked_at = lines;
    Ok(case)
}

/// What became of the command as it is written today.
fn ran<'a>(name: &str, command: &CommandGate, evidence: &'a Evidence) -> Result<(&'a CommandOutcome, i32), String> {
    let mut outcomes = evidence.commands.iter().filter(|outcome| outcome.name == name);
    let outcome = outcomes.next().ok_or_else(|| format!("{name} was not run"))?;
    if outcomes.next().is_some() {
        return Err(format!("{name} was run more than once"));
    }
    if outcome.digest != command.digest() {
        return Err(format!("{name} has changed since it was run"));
    }
    match outcome.exit {
        Some(exit) if outcome.failed.is_empty() => Ok((outcome, exit)),
        _ => Err(format!("{name} did not end by itself: {}", outcome.failed)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, one};
    use super::super::verdict::VerdictStatus::{self, Error, Fail, Pass};
    use super::*;
    use crate::project::Gates;
    use std::time::Duration;

    fn command() -> CommandGate {
        CommandGate { run: vec!["./check".into()], shell: false, timeout: Duration::from_mins(1) }
    }

    fn outcome(exit: Option<i32>) -> CommandOutcome {
        CommandOutcome {
            name: "licences".into(),
            digest: command().digest(),
            exit,
            failed: exit.map_or("time limit".into(), |_| String::new()),
            last_lines: vec!["one".into(), "two".into()],
            milliseconds: 12,
            ended_at: "2026-11-23T11:00:00Z".into(),
        }
    }

    fn judged(outcomes: Vec<CommandOutcome>) -> (VerdictStatus, String) {
        let gates = Gates { commands: BTreeMap::from([("licences".into(), command())]), ..Gates::default() };
        let verdict = one(&gates, NOW, |evidence| evidence.commands = outcomes);
        (verdict.status, verdict.summary)
    }

    #[test]
    fn the_exit_status_decides() {
        assert_eq!(judged(vec![outcome(Some(0))]), (Pass, "1 command ended with status 0".into()));
        assert_eq!(judged(vec![outcome(Some(3))]), (Fail, "licences ended with status 3: two".into()));
    }

    #[test]
    fn a_command_that_says_nothing_is_an_error() {
        assert_eq!(judged(vec![]), (Error, "licences was not run".into()));
        assert_eq!(judged(vec![outcome(None)]).0, Error);
        assert_eq!(judged(vec![outcome(Some(0)), outcome(Some(0))]).0, Error);
        let other = CommandOutcome { digest: "sha256:0".into(), ..outcome(Some(0)) };
        assert_eq!(judged(vec![other]), (Error, "licences has changed since it was run".into()));
        let changed = CommandGate { timeout: Duration::from_mins(2), ..command() };
        assert_ne!(changed.digest(), command().digest());
    }
}
