//! Loops: what stands below `loop` (reference/component-documents.md section 7).

use super::expression::Template;
use crate::diagnostic::Span;

/// What may stand between the items of `forEach.list`.
pub const DELIMITERS: [&str; 9] = [".", ",", ";", ":", "\n", "\t", " ", "-", "_"];

/// Spellings of delimiters: without double quotes YAML leaves the backslash as it is, but what is meant is clear.
pub const ESCAPED_DELIMITERS: [(&str, &str); 2] = [("\\n", "\n"), ("\\t", "\t")];

/// No loop has this name, because `loop.value` is the value of whichever loop a step has.
pub const RESERVED_NAME: &str = "loop";

/// What stands between the items of `forEach.list` when nothing else is said.
pub const DEFAULT_DELIMITER: &str = ",";

/// A loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// Its name and where that stands.
    pub name: Option<(String, Span)>,
    /// What it goes over; absent if that could not be read.
    pub over: Option<Over>,
    /// Where the key `loop` stands.
    pub key: Span,
    /// Where all of it stands.
    pub span: Span,
}

/// What a loop goes over.
#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    /// `for`: numbers, both ends included.
    Range {
        /// The first one.
        start: i64,
        /// The last one, if the steps meet it.
        end: i64,
        /// How far it is to the next; not 0.
        step: i64,
        /// Where it stands.
        span: Span,
    },
    /// `forEach` with a list.
    Items(Vec<Template>),
    /// `forEach` with a text that is split.
    Split {
        /// The text.
        list: Template,
        /// What stands between the items.
        delimiter: String,
    },
}

impl Loop {
    /// How often the step is run; `None` if only the run itself can tell.
    pub fn iterations(&self) -> Option<u64> {
        match self.over.as_ref()? {
            Over::Range { start, end, step, .. } => Some(count(*start, *end, *step)),
            Over::Items(items) => Some(items.len() as u64),
            Over::Split { list, delimiter } => list
                .literal()
                .map(|text| if text.is_empty() { 0 } else { text.split(delimiter.as_str()).count() as u64 }),
        }
    }

    /// Its texts with expressions.
    pub fn templates(&self) -> Vec<&Template> {
        match &self.over {
            Some(Over::Items(items)) => items.iter().collect(),
            Some(Over::Split { list, .. }) => vec![list],
            Some(Over::Range { .. }) | None => vec![],
        }
    }
}

/// How many numbers a range has; 0 if its steps lead away from its end.
pub fn count(start: i64, end: i64, step: i64) -> u64 {
    let distance = i128::from(end) - i128::from(start);
    let step = i128::from(step);
    if step == 0 || (distance != 0 && (distance > 0) != (step > 0)) {
        return 0;
    }
    u64::try_from(distance / step + 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends() {
        for ((start, end, step), expected) in [
            ((0, 4, 1), 5),
            ((0, 0, 1), 1),
            ((0, 5, 2), 3),
            ((4, 0, -2), 3),
            ((-3, 3, 3), 3),
            ((0, 4, -1), 0),
            ((4, 0, 1), 0),
            ((0, 4, 0), 0),
            ((i64::MIN, i64::MAX, 1), u64::MAX),
        ] {
            assert_eq!(count(start, end, step), expected, "{start}..{end} by {step}");
        }
    }
}
