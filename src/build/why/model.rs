//! What an entry of the catalogue consists of.

use super::facts::{Facts, Line, Source};
use crate::build::Phase;

/// A cause of failures.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Stable code, `W001`.
    pub code: &'static str,
    /// The same as a word.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What it is known by.
    pub signs: &'static [Sign],
    /// What helps, the most likely first.
    pub remedies: &'static [Advice],
}

/// What helps. `{recipe}`, `{component}`, `{step}`, `{region}`, `{arn}`, `{host}` and `{what}` (of the sign's expression)
/// are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// What to do.
    pub text: &'static str,
    /// How; empty where no single command does it.
    pub command: &'static str,
}

/// Something to do without a command.
pub(super) const fn say(text: &'static str) -> Advice {
    Advice { text, command: "" }
}

/// Something to do with a command.
pub(super) const fn run(text: &'static str, command: &'static str) -> Advice {
    Advice { text, command }
}

/// What a cause is known by: a line, a fact, or both.
#[derive(Debug, Clone, Copy)]
pub struct Sign {
    /// The expression that a line matches; empty when the fact is enough.
    pub line: &'static str,
    /// A second expression that some line must match.
    pub also: &'static str,
    /// The fact that must hold.
    pub when: When,
    /// How sure it is, 1 to 99. From 80 on nothing else looks like it; below 50 it is a guess.
    pub weight: u8,
}

/// A line that says it.
pub(super) const fn line(line: &'static str, weight: u8) -> Sign {
    Sign { line, also: "", when: When::Always, weight }
}

/// A fact that says it.
pub(super) const fn fact(when: When, weight: u8) -> Sign {
    Sign { line: "", also: "", when, weight }
}

impl Sign {
    /// Only when some other line matches this expression.
    pub(super) const fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }

    /// Only when this holds.
    pub(super) const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }
}

/// A fact about a failed build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing is asked.
    Always,
    /// The step ended with a code from the first to the second.
    Exit(i32, i32),
    /// The time of the step was up.
    StepTimedOut,
    /// The test phase failed.
    Testing,
    /// The validate phase failed.
    Validating,
    /// An assertion failed.
    Asserting,
    /// The line is about the copy to a Region.
    Distributing,
    /// The image has this state.
    Status(&'static str),
    /// The machine was restarted at least so often.
    Restarts(usize),
    /// The line is not the output of a step: the service or the runner says it.
    Told,
    /// The line is the output of a step.
    Written,
    /// The workflow step's name holds this.
    WorkflowStep(&'static str),
}

impl When {
    /// Whether it holds, for a line if there is one.
    pub(super) fn holds(self, facts: &Facts, line: Option<&Line>) -> bool {
        let source = line.map(|line| line.source);
        match self {
            Self::Always => true,
            Self::Exit(first, last) => facts.exit.is_some_and(|code| (first..=last).contains(&code)),
            Self::StepTimedOut => facts.timed_out,
            Self::Testing => facts.phase == Some(Phase::Test) && facts.step.is_some(),
            Self::Validating => facts.component_phase.as_deref() == Some("validate"),
            Self::Distributing => source == Some(Source::Distribution),
            Self::Asserting => facts.action.as_deref() == Some("Assert"),
            Self::Status(status) => facts.status == status,
            Self::Restarts(count) => facts.restarts >= count,
            Self::Told => source.is_some_and(|source| source != Source::Output),
            Self::Written => source == Some(Source::Output),
            Self::WorkflowStep(part) => facts.workflow_step.as_ref().is_some_and(|name| name.contains(part)),
        }
    }

    /// The fact in words, as evidence.
    pub(super) fn words(self, facts: &Facts) -> String {
        let step = facts.step.as_deref().unwrap_or("the step");
        match self {
            Self::Exit(..) => format!("exit code {}", facts.exit.unwrap_or_default()),
            Self::StepTimedOut => format!("{step}: {}", facts.message),
            Self::Testing | Self::Validating | Self::Asserting => {
                let last = facts.last_lines.last().map(|line| format!("; it wrote last: {line}")).unwrap_or_default();
                format!("{step}: {}{last}", facts.message)
            }
            Self::Status(status) => format!("the image is {status}"),
            Self::Restarts(_) => format!("{} restarts", facts.restarts),
            Self::WorkflowStep(_) => facts.workflow_step.clone().unwrap_or_default(),
            Self::Always | Self::Told | Self::Written | Self::Distributing => facts.message.clone(),
        }
    }
}
