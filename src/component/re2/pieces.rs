//! A pattern as it was read: pieces in a row, not a tree, so that no pattern is too deep to be read.

use std::ops::Range;

/// What `(?…)` switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flags {
    /// `i`: letter case does not count.
    pub(super) fold: bool,
    /// `m`: `^` and `$` stand for the edges of lines.
    pub(super) lines: bool,
    /// `s`: `.` takes line breaks, too.
    pub(super) line_breaks: bool,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A character by its number, and whether its letter case does not count.
    Character(u32, bool),
    /// `.`
    Any {
        /// Whether a line break is one of them.
        line_break: bool,
    },
    /// A place between characters.
    Place(Place),
    /// One of several characters.
    Set(Set),
    /// `(` of any kind.
    Open,
    /// `)`
    Close,
    /// `|`
    Alternative,
    /// The piece before, a group as a whole, several times.
    Repeat {
        /// At least this often.
        least: u64,
        /// At most this often.
        most: Option<u64>,
    },
}

/// A place between characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    End,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

/// Several characters of which one is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) members: Vec<Member>,
    /// All others are meant.
    pub(super) negated: bool,
    /// Letter case does not count.
    pub(super) fold: bool,
}

impl Set {
    pub(super) fn single(member: Member, fold: bool) -> Self {
        Self { members: vec![member], negated: false, fold }
    }
}

/// What stands in a [`Set`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    /// Characters by number.
    Range(u32, u32),
    /// `\d` and the like: the letter.
    Escape(u8),
    /// The name in `[:name:]`, by its place in the pattern.
    Posix(Range<usize>),
    /// `\p{Name}` as a whole, by its place in the pattern.
    Property(Range<usize>),
}
