//! What can be wrong with a pattern.

use std::ops::Range;

/// The part of a pattern that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which part, in bytes of the pattern.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub reason: Reason,
}

impl Fault {
    pub(super) fn new(range: Range<usize>, reason: Reason) -> Self {
        Self { range, reason }
    }
}

/// Why a part of a pattern is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(missing_docs, reason = "each is described by its own words")]
pub enum Reason {
    #[error("a group is never closed by `)`")]
    UnclosedGroup,
    #[error("`)` closes no group")]
    UnopenedGroup,
    #[error("a character class is never closed by `]`")]
    UnclosedClass,
    #[error("the pattern ends with a lone backslash")]
    TrailingBackslash,
    #[error("there is nothing here to repeat")]
    NothingToRepeat,
    #[error("a repetition cannot be repeated")]
    DoubleRepetition,
    #[error("RE2 has no possessive repetition")]
    Possessive,
    #[error("RE2 repeats something 1000 times at most")]
    RepeatCount,
    #[error("the second count is smaller than the first")]
    RepeatOrder,
    #[error("repetitions inside of each other add up to more than 1000")]
    RepeatProduct,
    #[error("RE2 has no backreferences")]
    Backreference,
    #[error("RE2 has no lookahead")]
    Lookahead,
    #[error("RE2 has no lookbehind")]
    Lookbehind,
    #[error("RE2 has no atomic groups")]
    Atomic,
    #[error("RE2 has no comments in patterns")]
    Comment,
    #[error("RE2 has neither conditions nor recursion in patterns")]
    Unsupported,
    #[error("RE2 does not know this flag")]
    Flag,
    #[error("no flag follows the `-`")]
    NoFlag,
    #[error("the name of a group is never closed by `>`")]
    UnclosedName,
    #[error("this cannot be the name of a group")]
    GroupName,
    #[error("RE2 does not know this escape")]
    Escape,
    #[error("RE2 does not know `\\Z`")]
    EndZ,
    #[error("this escape cannot stand in a character class")]
    EscapeInClass,
    #[error("this is no character number in hexadecimal")]
    Hexadecimal,
    #[error("no script or category of Unicode has this name")]
    Property,
    #[error("no character class has this name")]
    PosixName,
    #[error("this range runs backwards")]
    BackwardRange,
    #[error("groups and repetitions stand more than 1000 deep inside of each other")]
    Depth,
}

impl Reason {
    /// What a group is that begins with `(?` and this text, none of which RE2 has.
    pub(super) fn of_group(after: &str) -> Self {
        let mut chars = after.chars();
        match (chars.next(), chars.next()) {
            (Some('=' | '!'), _) => Self::Lookahead,
            (Some('>'), _) => Self::Atomic,
            (Some('#'), _) => Self::Comment,
            (Some('P'), Some('=')) => Self::Backreference,
            (Some('P'), Some('>')) | (Some('(' | 'R' | '&' | '+' | '|' | '0'..='9'), _) => Self::Unsupported,
            (Some('\''), _) => Self::GroupName,
            _ => Self::Flag,
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::UnclosedGroup => "add the `)`, or write `\\(` for the character itself",
            Self::UnopenedGroup => "remove it, or write `\\)` for the character itself",
            Self::UnclosedClass => "add the `]`, or write `\\[` for the character itself",
            Self::TrailingBackslash => "write `\\\\` for the character itself",
            Self::NothingToRepeat => {
                "put what is to be repeated in front of it, or a backslash for the character itself"
            }
            Self::DoubleRepetition => "leave one of them out, or put a group around the first: `(?:a*)*`",
            Self::Possessive => "leave the `+` out; RE2 takes linear time without it",
            Self::RepeatCount => "use `*` or `+`, which have no limit, or check the length in a script",
            Self::RepeatOrder => "exchange the two counts",
            Self::RepeatProduct => "use `*` or `+` for one of them",
            Self::Backreference => "write both cases out, or compare the two parts in a script",
            Self::Lookahead => "use two conditions below `and`, with `not` around the one that must not match",
            Self::Lookbehind => "match what stands before it, too, or use two conditions below `and`",
            Self::Atomic => "write `(?:`; RE2 takes linear time without it",
            Self::Comment => "put the comment behind a `#` of YAML",
            Self::Unsupported => "write the cases out with `|`, or check this in a script",
            Self::Flag => "the flags are i, m, s and U; a group that only groups begins with `(?:`",
            Self::NoFlag => "write for example `(?-i)`, or leave the `-` out",
            Self::UnclosedName => "write `(?P<name>`",
            Self::GroupName => "write `(?P<name>`, with letters, digits and `_` in the name",
            Self::Escape => "leave the backslash out, or write the character's number: `\\x{…}`",
            Self::EndZ => "write `\\z` for the end of the text, with `\\n?` in front of it to allow a line break",
            Self::EscapeInClass => "move it out of the brackets: `(?:\\b|[ab])`",
            Self::Hexadecimal => "write two digits, `\\x7F`, or any number of them in braces, `\\x{10FFFF}`",
            Self::Property => "use a script such as `\\p{Greek}` or a category such as `\\p{Lu}`",
            Self::PosixName => {
                "use one of alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, \
                upper, word and xdigit"
            }
            Self::BackwardRange => "exchange its ends, or put the `-` at the end of the class",
            Self::Depth => "no pattern needs such depth; look for one that a program has put together",
        }
    }
}
