//! Many images as text: built, followed, and how they stand.

use crate::build::{BuildNow, BuildPast, Kept, WaitingStep};
use crate::diagnostic::render::printable;
use crate::event::human_minutes;
use crate::run::{FleetReport, ImageResult, ImageRow, StatusReport};
use std::fmt::Write as _;
use std::time::Duration;

/// What `build` and `watch` print: one image in full, many as a table.
#[must_use]
pub fn images(report: &FleetReport) -> String {
    match report.images.as_slice() {
        [one] => image(one),
        many => table(many),
    }
}

fn image(row: &ImageRow) -> String {
    let (version, arn) = (row.image_version.as_deref().unwrap_or("-"), row.image_arn.as_deref().unwrap_or("-"));
    let how = match row.result {
        ImageResult::Built => "was built",
        ImageResult::Reused => "is there already",
        ImageResult::Started => "is being built",
        ImageResult::Joined => "was being built already",
        ImageResult::Failed | ImageResult::Skipped => "is not there",
    };
    if row.ami.is_none() {
        let next = row.next.first().map(|next| format!("next: {next}\n")).unwrap_or_default();
        return format!("image {version} {how}\n  image    {arn}\n{next}");
    }
    let tests = match &row.tests {
        Some(tests) if tests.passed => format!("passed, {} steps", tests.executed_steps),
        Some(tests) => format!("FAILED: {}", printable(&tests.message)),
        None => "none ran".to_owned(),
    };
    let (ami, recipe) = (row.ami.as_deref().unwrap_or_default(), &row.recipe);
    format!(
        "image {version} {how}\n  AMI      {ami}\n  image    {arn}\n  tests    {tests}\nnext: amiforge validate {recipe}\n"
    )
}

fn name(recipe: &str, arch: &str) -> String {
    format!("{recipe}/{arch}")
}

fn table(rows: &[ImageRow]) -> String {
    let wide = |text: fn(&ImageRow) -> usize| rows.iter().map(text).max().unwrap_or_default();
    let name_width = wide(|row| row.recipe.len() + 1 + row.arch.len()).max(5);
    let version_width = wide(|row| row.image_version.as_ref().map_or(1, String::len)).max(7);
    let mut text = format!("{:<name_width$}  result   {:<version_width$}  AMI, build or reason\n", "image", "version");
    for row in rows {
        let image = name(&row.recipe, &row.arch);
        let version = row.image_version.as_deref().unwrap_or("-");
        let _ =
            writeln!(text, "{image:<name_width$}  {:<7}  {version:<version_width$}  {}", row.result.word(), what(row));
    }
    let there = rows.iter().filter(|row| row.exit_code == Some(0)).count();
    let begun = rows.iter().any(|row| matches!(row.result, ImageResult::Started | ImageResult::Joined));
    let word = if begun { "there or on their way" } else { "there" };
    let _ = writeln!(text, "{there} of {} images are {word}", rows.len());
    for row in rows {
        // A command is worth more than advice in words.
        let command = row.next.iter().find(|next| next.starts_with("amiforge "));
        if let Some(next) = command.or(row.next.first()) {
            let _ = writeln!(text, "next for {}: {}", name(&row.recipe, &row.arch), printable(next));
        }
    }
    text
}

/// The one thing of a row that matters most.
fn what(row: &ImageRow) -> String {
    let known = row.ami.as_ref().or(row.message.as_ref()).or(row.image_arn.as_ref());
    known.map_or_else(|| "-".to_owned(), |text| printable(text))
}

/// A sentence on how many failed, and a line for each.
#[must_use]
pub fn images_failed(report: &FleetReport) -> (String, Vec<String>) {
    let open: Vec<&ImageRow> = report.images.iter().filter(|row| row.exit_code != Some(0)).collect();
    let line = |row: &&ImageRow| format!("{}: {}", name(&row.recipe, &row.arch), what(row));
    let message = format!("{} of {} images are not there", open.len(), report.images.len());
    (message, open.iter().map(line).collect())
}

/// What `status` prints.
#[must_use]
pub fn status(report: &StatusReport) -> String {
    let mut text = String::new();
    for row in &report.images {
        let _ = writeln!(text, "{}", name(&row.recipe, &row.arch));
        for build in &row.standing.in_flight {
            in_flight(&mut text, build);
        }
        past(&mut text, "last available", row.standing.last_available.as_ref());
        past(&mut text, "last failed", row.standing.last_failed.as_ref());
    }
    let count = report.images.iter().map(|row| row.standing.in_flight.len()).sum::<usize>();
    let builds = if count == 1 { "build" } else { "builds" };
    let _ = writeln!(text, "{count} {builds} under way in environment {}", report.environment);
    for left in &report.kept {
        let _ = writeln!(text, "{}", kept(left));
    }
    if count > 0 {
        text.push_str("next: amiforge watch\n");
    }
    text
}

/// An instance that a failed build has left.
#[must_use]
pub fn kept(kept: &Kept) -> String {
    let next = if kept.expired {
        "amiforge status --cleanup ends it".to_owned()
    } else {
        format!("{}; amiforge status --cleanup all ends it", kept.enter)
    };
    format!("kept instance {}: {next}", printable(&kept.text()))
}

fn in_flight(text: &mut String, build: &BuildNow) {
    let about = |seconds| human_minutes(Duration::from_secs(seconds));
    let age = match (build.age_seconds, build.expected_seconds) {
        (Some(age), Some(expected)) => format!("{} of about {}", about(age), about(expected)),
        (Some(age), None) => about(age),
        (None, _) => "-".to_owned(),
    };
    let step = build.step.as_ref().map(|step| format!("  at {}", printable(&step.text()))).unwrap_or_default();
    let _ = writeln!(text, "  under way       {}  {}  {age}{step}", build.image_version, build.status);
    let _ = writeln!(text, "                  {}", build.image_arn);
    if let Some(answer) = &build.answer {
        let _ = writeln!(text, "                  answer: {answer}");
    }
}

fn past(text: &mut String, word: &str, build: Option<&BuildPast>) {
    let Some(build) = build else {
        let _ = writeln!(text, "  {word:<14}  none");
        return;
    };
    let what = build.ami.as_ref().or(build.reason.as_ref()).map_or_else(String::new, |text| printable(text));
    let (version, created) = (&build.image_version, &build.created_at);
    let _ = writeln!(text, "  {word:<14}  {version}  {}  {created}  {what}", build.status);
}

/// What `approve` prints.
#[must_use]
pub fn answered(steps: &[WaitingStep], stop: bool) -> String {
    let mut text = String::new();
    for step in steps {
        let how = if stop { "is stopped" } else { "goes on" };
        let _ = writeln!(text, "step {} of {} {how}", printable(&step.step), step.image_arn);
    }
    if let Some(step) = steps.first() {
        let _ = writeln!(text, "next: amiforge watch {}", step.image_arn);
    }
    text
}
