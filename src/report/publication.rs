//! Patch baselines published and frozen, as text.

use super::baseline::plain;
use crate::baseline::{Outcome, Publication, PublishedRow, SnapshotReport, Step, Written};
use std::fmt::Write as _;

/// What `baseline publish --plan` prints for people.
#[must_use]
pub fn baseline_plan(publication: &Publication) -> String {
    let mut text = format!("plan for patch baselines in environment {}\n\n", publication.environment);
    for row in &publication.rows {
        let _ = writeln!(text, "  {} {}{}", sign(row), place(row), known(row));
        details(&mut text, row);
    }
    let count: usize = publication.rows.iter().map(|row| row.steps.len()).sum();
    let _ = match (count, publication.failed().count()) {
        (0, 0) => writeln!(text, "\nNothing to do."),
        (count, 0) => writeln!(text, "\n{count} to do."),
        (count, failed) => writeln!(text, "\n{count} to do, {failed} not possible."),
    };
    text
}

/// What `baseline publish` prints for people.
#[must_use]
pub fn baseline_published(publication: &Publication) -> String {
    let mut text = String::new();
    for row in &publication.rows {
        let word = match row.outcome {
            Outcome::Unchanged => "nothing to do",
            Outcome::Planned => "not done",
            Outcome::Done => "done",
            Outcome::Failed => "FAILED",
        };
        let _ = writeln!(text, "{}: {word}{}", place(row), known(row));
        details(&mut text, row);
    }
    let done = publication.rows.iter().filter(|row| row.outcome == Outcome::Done);
    for undo in done.flat_map(|row| row.steps.iter().filter_map(|step| undo(step, row))) {
        let _ = writeln!(text, "undo {undo}");
    }
    if publication.rows.iter().all(|row| row.outcome == Outcome::Unchanged) {
        text.push_str("Nothing to do: everything was published already.\n");
    }
    text
}

fn details(text: &mut String, row: &PublishedRow) {
    for step in &row.steps {
        let _ = writeln!(text, "      {}", line(step, row));
        if let Step::Update { difference: Some(difference) } = step {
            for change in &difference.changes {
                let _ = writeln!(text, "        {}", change.line());
            }
        }
    }
    if let Some(error) = &row.error {
        let _ = writeln!(text, "      error: {}", plain(error));
    }
}

fn sign(row: &PublishedRow) -> char {
    match row.outcome {
        Outcome::Unchanged => '=',
        Outcome::Failed => '!',
        _ if row.id.is_none() => '+',
        _ => '~',
    }
}

fn place(row: &PublishedRow) -> String {
    let location = &row.location;
    format!("{} for {} in {}/{}", plain(&row.baseline), row.operating_system, location.account, location.region)
}

fn known(row: &PublishedRow) -> String {
    row.id.as_ref().map_or_else(String::new, |id| format!("  {id}"))
}

/// One step.
fn line(step: &Step, row: &PublishedRow) -> String {
    let instead = |replaces: &Option<crate::baseline::Registered>| {
        let text = |old: &crate::baseline::Registered| format!(", instead of {}", plain(&old.to_string()));
        replaces.as_ref().map_or_else(String::new, text)
    };
    match step {
        Step::Create => "create".to_owned(),
        Step::Update { difference: Some(difference) } if difference.changes.len() == 1 => {
            "update, 1 difference".to_owned()
        }
        Step::Update { difference: Some(difference) } => format!("update, {} differences", difference.changes.len()),
        Step::Update { difference: None } => "update; what is there cannot be read by amiforge".to_owned(),
        Step::Tag { tags } => format!("tag {}", tags.keys().map(|key| plain(key)).collect::<Vec<_>>().join(", ")),
        Step::Default { replaces } => format!("default of {}{}", row.operating_system, instead(replaces)),
        Step::Group { group, replaces } => format!("patch group {}{}", plain(group), instead(replaces)),
    }
}

/// The command that gives back what was taken from another baseline.
fn undo(step: &Step, row: &PublishedRow) -> Option<String> {
    let crate::project::Location { account, region } = &row.location;
    let command = match step {
        Step::Default { replaces: Some(old) } => {
            format!("aws ssm register-default-patch-baseline --region {region} --baseline-id {}", old.id)
        }
        Step::Group { group, replaces: Some(old) } => {
            let group = plain(group);
            format!(
                "aws ssm deregister-patch-baseline-for-patch-group --region {region} --baseline-id {} --patch-group '{group}' && \
                 aws ssm register-patch-baseline-for-patch-group --region {region} --baseline-id {} --patch-group '{group}'",
                row.id.as_deref().unwrap_or_default(),
                old.id
            )
        }
        _ => return None,
    };
    Some(format!("in {account}: {command}"))
}

/// One step that changes what instances are patched by, and where.
#[must_use]
pub fn takeover(row: &PublishedRow, step: &Step) -> String {
    format!("{}: {}", place(row), line(step, row))
}

/// One row that failed.
#[must_use]
pub fn failed_row(row: &PublishedRow) -> String {
    format!("{}: {}", place(row), plain(row.error.as_deref().unwrap_or_default()))
}

/// What `baseline snapshot` prints for people.
#[must_use]
pub fn snapshot(report: &SnapshotReport) -> String {
    let file = report.file.display();
    let what = match report.outcome {
        Written::Created => format!("wrote {file}"),
        Written::Replaced => format!("replaced {file}"),
        Written::Unchanged => format!("{file} means the same already"),
        Written::Differs => format!("{file} differs"),
        Written::Missing => format!("{file} does not exist"),
    };
    let place = &report.location;
    let (name, id) = (plain(&report.baseline), &report.id);
    let mut text = format!("{what}\n  from {name}  {id}  in {}/{}\n", place.account, place.region);
    for change in report.difference.iter().flat_map(|difference| &difference.changes) {
        let _ = writeln!(text, "  {}", change.line());
    }
    text
}
