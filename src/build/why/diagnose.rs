//! Facts against the catalogue.

use super::catalogue;
use super::facts::{Facts, Line, Source};
use super::model::{Advice, Entry, Sign};
use super::record::{Place, Record};
use crate::build::Phase;
use regex_lite::{Captures, Regex};
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::LazyLock;

/// Version of the JSON form.
pub const SCHEMA: &str = "amiforge.why/1";
/// Causes that are named at most; what comes after them is noise.
const MOST_CAUSES: usize = 4;
/// A cause that is so much less likely than the first is not named.
const FAR_BEHIND: u8 = 45;
/// Bytes of a line that are looked at.
const LONGEST_LINE: usize = 2_000;

/// Why a build failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// Image build version ARN.
    pub image_arn: String,
    /// `1.0.3/1`
    pub image_version: String,
    /// State of the image.
    pub status: String,
    /// Build or test, when that is known.
    pub stage: Option<Phase>,
    /// Step of the workflow.
    pub workflow_step: Option<String>,
    /// Component.
    pub component: Option<String>,
    /// Phase of its document.
    pub phase: Option<String>,
    /// Step of the phase.
    pub step: Option<String>,
    /// Action module of the step.
    pub action: Option<String>,
    /// One-based line of the step in the document.
    pub line: Option<usize>,
    /// Exit code.
    pub exit: Option<i32>,
    /// Why, in the runner's or the service's words.
    pub message: String,
    /// What the step wrote last, oldest first.
    pub last_lines: Vec<String>,
    /// What it may have been, the likeliest first. Empty when nothing in the catalogue fits.
    pub causes: Vec<Cause>,
    /// Where more is to be read.
    pub places: Vec<Place>,
    /// What could not be looked at.
    pub gaps: Vec<String>,
}

/// What it may have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Stable code; `amiforge explain CODE` says more.
    pub code: &'static str,
    /// The same as a word.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// How sure it is.
    pub certainty: Certainty,
    /// The line or fact it is known by.
    pub evidence: String,
    /// Where that stood.
    pub source: Source,
    /// Why it happens.
    pub why: &'static str,
    /// What helps.
    pub remedies: Vec<Remedy>,
    /// Only for ranking.
    #[serde(skip)]
    pub(super) score: u8,
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Nothing else looks like it.
    Certain,
    /// It fits.
    Likely,
    /// A guess.
    Possible,
}

impl Certainty {
    const fn of(score: u8) -> Self {
        match score {
            80.. => Self::Certain,
            50..80 => Self::Likely,
            _ => Self::Possible,
        }
    }

    /// The word in a report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// What helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What to do.
    pub text: String,
    /// How, when one command does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Explains a build. The recipe's name, if it is known, makes the commands complete.
#[must_use]
pub fn diagnose(record: &Record, recipe: Option<&str>) -> Diagnosis {
    let facts = Facts::of(record);
    let mut causes = if facts.failed() { causes(&facts, &record.image.arn, recipe) } else { vec![] };
    causes.sort_by_key(|cause| (Reverse(cause.score), cause.code));
    let best = causes.first().map_or(0, |cause| cause.score);
    causes.retain(|cause| cause.score.saturating_add(FAR_BEHIND) >= best);
    causes.truncate(MOST_CAUSES);
    Diagnosis {
        schema: SCHEMA,
        image_arn: record.image.arn.clone(),
        image_version: version(record),
        status: facts.status,
        stage: facts.phase,
        workflow_step: facts.workflow_step,
        component: facts.component,
        phase: facts.component_phase,
        step: facts.step,
        action: facts.action,
        line: facts.line,
        exit: facts.exit,
        message: facts.message,
        last_lines: facts.last_lines,
        causes,
        places: record.places.clone(),
        gaps: record.gaps.clone(),
    }
}

/// `1.0.3/1`: the end of the ARN, which always has it.
fn version(record: &Record) -> String {
    let path = record.image.arn.split_once(":image/").map(|(_, path)| path);
    let version = path.and_then(|path| path.split_once('/')).map(|(_, version)| version);
    version.unwrap_or(&record.image.version).to_owned()
}

/// A sign whose expressions are compiled.
struct Compiled {
    line: Option<Regex>,
    also: Option<Regex>,
}

static EXPRESSIONS: LazyLock<Vec<Vec<Compiled>>> = LazyLock::new(|| {
    // A test makes sure that every expression can be compiled.
    let compile = |text: &str| (!text.is_empty()).then(|| Regex::new(text).ok()).flatten();
    let sign = |sign: &Sign| Compiled { line: compile(sign.line), also: compile(sign.also) };
    catalogue::all().iter().map(|entry| entry.signs.iter().map(sign).collect()).collect()
});

fn causes(facts: &Facts, arn: &str, recipe: Option<&str>) -> Vec<Cause> {
    let filled = Filled { arn, recipe, facts };
    let entries = catalogue::all().iter().zip(EXPRESSIONS.iter());
    entries.filter_map(|(entry, expressions)| cause(entry, expressions, &filled)).collect()
}

/// The best sign of an entry that is there. Of two that are as good, the earlier in the catalogue counts.
fn cause(entry: &Entry, expressions: &[Compiled], filled: &Filled<'_>) -> Option<Cause> {
    let mut best: Option<(u8, Line, Option<String>)> = None;
    for (sign, expression) in entry.signs.iter().zip(expressions) {
        if best.as_ref().is_some_and(|(weight, ..)| *weight >= sign.weight) {
            continue;
        }
        if let Some((line, what)) = seen(sign, expression, filled.facts) {
            best = Some((sign.weight, line, what));
        }
    }
    let (score, line, what) = best?;
    Some(Cause {
        code: entry.code,
        name: entry.name,
        title: entry.title,
        certainty: Certainty::of(score),
        evidence: line.text,
        source: line.source,
        why: entry.why,
        remedies: entry.remedies.iter().map(|advice| filled.advice(advice, what.as_deref())).collect(),
        score,
    })
}

/// The line that a sign is seen in, the last of its kind: what made a step fail stands at the end of its output.
fn seen(sign: &Sign, expression: &Compiled, facts: &Facts) -> Option<(Line, Option<String>)> {
    if let Some(also) = &expression.also
        && !facts.lines.iter().any(|line| also.is_match(head(&line.text)))
    {
        return None;
    }
    let Some(regex) = &expression.line else {
        let holds = sign.line.is_empty() && sign.when.holds(facts, None);
        return holds.then(|| (Line { source: Source::Fact, text: sign.when.words(facts) }, None));
    };
    let mut ordered: Vec<&Line> = facts.lines.iter().rev().collect();
    ordered.sort_by_key(|line| line.source);
    ordered.into_iter().filter(|line| sign.when.holds(facts, Some(line))).find_map(|line| {
        let found = regex.captures(head(&line.text))?;
        Some((line.clone(), named(&found, "what")))
    })
}

fn named(found: &Captures<'_>, name: &str) -> Option<String> {
    found.name(name).map(|what| what.as_str().to_owned())
}

fn head(text: &str) -> &str {
    let end = (0..=LONGEST_LINE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// What stands for the names in braces.
struct Filled<'a> {
    arn: &'a str,
    recipe: Option<&'a str>,
    facts: &'a Facts,
}

impl Filled<'_> {
    fn advice(&self, advice: &Advice, what: Option<&str>) -> Remedy {
        let command = (!advice.command.is_empty()).then(|| self.fill(advice.command, what));
        Remedy { text: self.fill(advice.text, what), command }
    }

    fn fill(&self, text: &str, what: Option<&str>) -> String {
        let component = self.facts.component.as_deref();
        let region = self.arn.split(':').nth(3);
        [
            ("{recipe}", self.recipe, "RECIPE"),
            ("{component}", component, "COMPONENT"),
            ("{step}", self.facts.step.as_deref(), "STEP"),
            ("{region}", region, "REGION"),
            ("{arn}", Some(self.arn), "ARN"),
            ("{what}", what, "NAME"),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (name, value, stand_in)| {
            text.replace(name, value.filter(|value| is_plain(value)).unwrap_or(stand_in))
        })
    }
}

/// Whether a word from a log may stand in a command that somebody will copy into a shell.
fn is_plain(word: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@._:/+-".contains(c);
    !word.is_empty() && word.len() <= 200 && !word.starts_with('-') && word.chars().all(safe)
}
