//! Conditions: what stands below `if`, and below the inputs of Assert (reference/component-documents.md section 8).

use super::expression::Template;
use crate::diagnostic::Span;

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is described in the table")]
pub enum Comparison {
    And,
    Or,
    Not,
    StringIsEmpty,
    StringIsWhitespace,
    StringEquals,
    StringLessThan,
    StringLessThanEquals,
    StringGreaterThan,
    StringGreaterThanEquals,
    PatternMatches,
    NumberEquals,
    NumberLessThan,
    NumberLessThanEquals,
    NumberGreaterThan,
    NumberGreaterThanEquals,
    BinaryExists,
    FileExists,
    FolderExists,
    FileMd5Equals,
    FileSha1Equals,
    FileSha256Equals,
    FileSha512Equals,
}

/// What stands under an operator, and beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operands {
    /// A list of conditions.
    Many,
    /// One condition, as a mapping or as a list of one.
    One,
    /// A text, alone.
    Text,
    /// A text, compared with the one beside it under `value`.
    Texts,
    /// A number, compared with the one beside it under `value`.
    Numbers,
    /// A regular expression (RE2), looked for in the text beside it under `value`.
    Pattern,
    /// A hash sum in hexadecimal of this many digits, of the file beside it under `path`.
    Hash(usize),
}

impl Operands {
    /// The key that stands beside the operator.
    pub fn beside(self) -> Option<&'static str> {
        match self {
            Self::Texts | Self::Numbers | Self::Pattern => Some("value"),
            Self::Hash(_) => Some("path"),
            Self::Many | Self::One | Self::Text => None,
        }
    }
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// Its key; letter case counts.
    pub name: &'static str,
    /// What it does.
    pub comparison: Comparison,
    /// What it takes.
    pub operands: Operands,
    /// When it is true.
    pub summary: &'static str,
}

const fn operator(name: &'static str, comparison: Comparison, operands: Operands, summary: &'static str) -> Operator {
    Operator { name, comparison, operands, summary }
}

/// All operators.
pub const OPERATORS: &[Operator] = &[
    operator("and", Comparison::And, Operands::Many, "All of them are true; the first false one ends it."),
    operator("or", Comparison::Or, Operands::Many, "Any of them is true; the first true one ends it."),
    operator("not", Comparison::Not, Operands::One, "It is false."),
    operator("stringIsEmpty", Comparison::StringIsEmpty, Operands::Text, "The text has no characters."),
    operator("stringIsWhitespace", Comparison::StringIsWhitespace, Operands::Text, "The text is blanks, at least one."),
    operator("stringEquals", Comparison::StringEquals, Operands::Texts, "`value` is this text."),
    operator("stringLessThan", Comparison::StringLessThan, Operands::Texts, "`value` sorts before this text."),
    operator(
        "stringLessThanEquals",
        Comparison::StringLessThanEquals,
        Operands::Texts,
        "`value` sorts before this text, or is this text.",
    ),
    operator("stringGreaterThan", Comparison::StringGreaterThan, Operands::Texts, "`value` sorts after this text."),
    operator(
        "stringGreaterThanEquals",
        Comparison::StringGreaterThanEquals,
        Operands::Texts,
        "`value` sorts after this text, or is this text.",
    ),
    operator("patternMatches", Comparison::PatternMatches, Operands::Pattern, "The expression is found in `value`."),
    operator("numberEquals", Comparison::NumberEquals, Operands::Numbers, "`value` is this number."),
    operator("numberLessThan", Comparison::NumberLessThan, Operands::Numbers, "`value` is less than this number."),
    operator(
        "numberLessThanEquals",
        Comparison::NumberLessThanEquals,
        Operands::Numbers,
        "`value` is at most this number.",
    ),
    operator(
        "numberGreaterThan",
        Comparison::NumberGreaterThan,
        Operands::Numbers,
        "`value` is greater than this number.",
    ),
    operator(
        "numberGreaterThanEquals",
        Comparison::NumberGreaterThanEquals,
        Operands::Numbers,
        "`value` is at least this number.",
    ),
    operator("binaryExists", Comparison::BinaryExists, Operands::Text, "A program of this name is on the PATH."),
    operator("fileExists", Comparison::FileExists, Operands::Text, "This path exists and is a file."),
    operator("folderExists", Comparison::FolderExists, Operands::Text, "This path exists and is a folder."),
    operator("fileMD5Equals", Comparison::FileMd5Equals, Operands::Hash(32), "The file at `path` has this sum."),
    operator("fileSHA1Equals", Comparison::FileSha1Equals, Operands::Hash(40), "The file at `path` has this sum."),
    operator("fileSHA256Equals", Comparison::FileSha256Equals, Operands::Hash(64), "The file at `path` has this sum."),
    operator("fileSHA512Equals", Comparison::FileSha512Equals, Operands::Hash(128), "The file at `path` has this sum."),
];

/// The operator of a name; letter case counts.
pub fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == name)
}

/// More `and`, `or` and `not` inside of each other than this are refused (section 8.1).
pub const DEEPEST: usize = 4;

/// What the answer of a condition leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Branch {
    /// The step is run.
    Execute,
    /// The step is not run, which is a success.
    Skip,
    /// The step has failed.
    Abort,
}

impl Branch {
    /// The words for it.
    pub const NAMES: [&str; 3] = ["Execute", "Skip", "Abort"];

    /// What each of the words means.
    pub const SUMMARIES: [&str; 3] =
        ["The step is run.", "The step is not run, which is a success.", "The step has failed."];

    /// Reads the word; letter case counts.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Execute" => Some(Self::Execute),
            "Skip" => Some(Self::Skip),
            "Abort" => Some(Self::Abort),
            _ => None,
        }
    }
}

/// What stands below `if`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branching {
    /// What is asked.
    pub condition: Condition,
    /// What follows if it is true, and where that is written; [`Branch::Execute`] when it is not.
    pub then: Option<(Branch, Span)>,
    /// What follows if it is false, and where that is written; [`Branch::Skip`] when it is not.
    pub otherwise: Option<(Branch, Span)>,
    /// Where the key `if` stands.
    pub key: Span,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All are true.
    And(Vec<Condition>, Span),
    /// Any is true.
    Or(Vec<Condition>, Span),
    /// It is false.
    Not(Box<Condition>, Span),
    /// A comparison.
    Test(Box<Test>),
}

/// A comparison. It is read from right to left: "`value` operator operand".
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// Which one.
    pub operator: &'static Operator,
    /// What stands under the operator.
    pub operand: Template,
    /// What stands beside it, under `value` or `path`.
    pub value: Option<Template>,
    /// Where the operator's key stands.
    pub key: Span,
    /// Where all of it stands.
    pub span: Span,
}

impl Test {
    /// Its texts.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.operand).chain(&self.value)
    }
}

impl Condition {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::And(_, span) | Self::Or(_, span) | Self::Not(_, span) => *span,
            Self::Test(test) => test.span,
        }
    }

    /// The comparisons in it, in the order in which they are written.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::And(all, _) | Self::Or(all, _) => all.iter().flat_map(Self::tests).collect(),
            Self::Not(inner, _) => inner.tests(),
            Self::Test(test) => vec![test],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_twenty_three_operators_each_once() {
        assert_eq!(OPERATORS.len(), 23);
        assert_eq!(OPERATORS.iter().map(|operator| operator.name).collect::<BTreeSet<_>>().len(), 23);
        for operator in OPERATORS {
            assert_eq!(find(operator.name), Some(operator));
            assert!(operator.summary.ends_with('.'), "{}", operator.name);
        }
        assert_eq!(find("StringEquals"), None);
    }
}
