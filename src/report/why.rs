//! What `why` prints.

use crate::build::why::{Cause, Diagnosis, Remedy};
use crate::diagnostic::render::{markdown_cell, printable};
use std::fmt::Write as _;

/// For people.
#[must_use]
pub fn why(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{}\n", headline(diagnosis));
    for (name, value) in place(diagnosis) {
        let _ = writeln!(text, "  {name:<10} {value}");
    }
    if !diagnosis.last_lines.is_empty() {
        text.push_str("\nlast lines\n");
        for line in &diagnosis.last_lines {
            let _ = writeln!(text, "  | {}", printable(line));
        }
    }
    text.push('\n');
    if let Some(words) = unknown(diagnosis) {
        let _ = writeln!(text, "{words}");
    }
    for (number, cause) in diagnosis.causes.iter().enumerate() {
        text_cause(&mut text, number + 1, cause);
    }
    for place in &diagnosis.places {
        let _ = writeln!(text, "more: {}\n  $ {}", printable(&place.what), printable(&place.command));
    }
    for gap in &diagnosis.gaps {
        let _ = writeln!(text, "not looked at: {}", printable(gap));
    }
    text
}

fn text_cause(text: &mut String, number: usize, cause: &Cause) {
    let _ = writeln!(text, "{number}. {} {} ({})", cause.code, cause.title, cause.certainty.word());
    let _ = writeln!(text, "   seen  {} (in {})", printable(&cause.evidence), cause.source.words());
    let _ = writeln!(text, "   why   {}", cause.why);
    for Remedy { text: what, command } in &cause.remedies {
        let _ = writeln!(text, "   next  {what}");
        if let Some(command) = command {
            let _ = writeln!(text, "         $ {command}");
        }
    }
    text.push('\n');
}

/// In one sentence, also where little is known.
fn headline(diagnosis: &Diagnosis) -> String {
    let image = match diagnosis.image_arn.as_str() {
        "" => "a build of which only the logs are known".to_owned(),
        arn => {
            let name = arn.split_once(":image/").and_then(|(_, path)| path.split('/').next()).unwrap_or(arn);
            format!("image {} {}", printable(name), printable(&diagnosis.image_version))
        }
    };
    let status = if diagnosis.status.is_empty() { "FAILED" } else { &diagnosis.status };
    let stage = diagnosis.stage.map(|stage| format!(": the {} phase failed", stage.word())).unwrap_or_default();
    format!("{image} is {status}{stage}")
}

/// Where it failed, as far as that is known.
fn place(diagnosis: &Diagnosis) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let mut component = diagnosis.component.clone().unwrap_or_default();
    if let Some(phase) = &diagnosis.phase {
        let _ = write!(component, ", phase {phase}");
    }
    if let Some(step) = &diagnosis.step {
        let _ = write!(component, ", step {step}");
    }
    if let Some(line) = diagnosis.line {
        let _ = write!(component, " (line {line})");
    }
    if let Some(action) = &diagnosis.action {
        let _ = write!(component, ", {action}");
    }
    let mut add = |name, value: String| {
        if !value.is_empty() {
            rows.push((name, printable(&value).replace('\n', "\n             ")));
        }
    };
    add("component", component);
    add("workflow", diagnosis.workflow_step.clone().unwrap_or_default());
    add("exit code", diagnosis.exit.map(|code| code.to_string()).unwrap_or_default());
    add("message", diagnosis.message.trim().to_owned());
    add("arn", diagnosis.image_arn.clone());
    rows
}

/// What is said where no cause is named.
fn unknown(diagnosis: &Diagnosis) -> Option<String> {
    if !diagnosis.causes.is_empty() {
        return None;
    }
    let failed = diagnosis.status.is_empty() || matches!(diagnosis.status.as_str(), "FAILED" | "CANCELLED");
    if !failed && diagnosis.step.is_none() {
        return Some("nothing of it has failed so far: there is nothing to explain".to_owned());
    }
    let lines = if diagnosis.last_lines.is_empty() {
        "and there are no lines of the step either"
    } else {
        "the lines above are all there is to go by"
    };
    Some(format!("the cause is not known: nothing in the catalogue fits, {lines}"))
}

/// Markdown, for the summary of a pipeline or a ticket.
#[must_use]
pub fn why_markdown(diagnosis: &Diagnosis) -> String {
    let mut text = format!("## {}\n\n", markdown_cell(&headline(diagnosis)));
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in place(diagnosis) {
        let _ = writeln!(text, "| {name} | {} |", markdown_cell(&value));
    }
    if !diagnosis.last_lines.is_empty() {
        text.push_str("\n### Last lines\n\n");
        text.push_str(&fenced(diagnosis.last_lines.iter().map(String::as_str)));
    }
    if let Some(words) = unknown(diagnosis) {
        let _ = writeln!(text, "\n{}", markdown_cell(&words));
    }
    for (number, cause) in diagnosis.causes.iter().enumerate() {
        markdown_cause(&mut text, number + 1, cause);
    }
    for place in &diagnosis.places {
        let _ = write!(text, "\nMore: {}\n\n{}", markdown_cell(&place.what), fenced([place.command.as_str()]));
    }
    for gap in &diagnosis.gaps {
        let _ = writeln!(text, "\nNot looked at: {}", markdown_cell(gap));
    }
    text
}

fn markdown_cause(text: &mut String, number: usize, cause: &Cause) {
    let title = markdown_cell(cause.title);
    let _ = writeln!(text, "\n### {number}. {} {title} ({})\n", cause.code, cause.certainty.word());
    let _ = writeln!(text, "Seen in {}:\n\n{}", cause.source.words(), fenced([cause.evidence.as_str()]));
    let _ = writeln!(text, "{}\n", markdown_cell(cause.why));
    for Remedy { text: what, command } in &cause.remedies {
        let _ = writeln!(text, "- {}", markdown_cell(what));
        if let Some(command) = command {
            let _ = writeln!(text, "  `{}`", command.replace('`', "'"));
        }
    }
}

/// A block of code that nothing in it can end.
fn fenced<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let body: String = lines.into_iter().map(|line| printable(line) + "\n").collect();
    let longest = body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{body}{fence}\n")
}
