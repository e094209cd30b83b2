//! Whether a pattern is found in a text.

use super::pieces::{Flags, Piece, Place};
use super::{Fault, read, sets};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_syntax::hir::{Class, Hir, Look, Repetition};

/// Deeper patterns are not put together by people, and the compiler below recurses.
const DEEPEST: usize = 250;

/// Memory for the compiled pattern, in bytes. Go's own limit is of this order.
const MOST_MEMORY: usize = 32 * 1024 * 1024;

/// States of the pattern times bytes of the text: the steps a search takes at worst. More than some seconds are worth no
/// condition, and a search cannot be interrupted.
const MOST_STEPS: usize = 4_000_000_000;

/// Why a pattern cannot be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not legal.
    #[error("the pattern is refused at `{part}`: {reason}; {}", reason.remedy())]
    Illegal {
        /// The part that is refused.
        part: String,
        /// Why.
        reason: super::Reason,
    },
    /// A script of Unicode that is newer than the tables here.
    #[error("the characters of `{0}` are not known here; list them in a class of their own")]
    Property(String),
    /// Too deep.
    #[error("groups stand more than {DEEPEST} deep inside of each other in the pattern; write it with fewer of them")]
    Depth,
    /// Too large.
    #[error("the compiled pattern is larger than {} MiB; use smaller counts", MOST_MEMORY / 1024 / 1024)]
    Size,
    /// The pattern and the text together are too large.
    #[error("the pattern is too large for a text of {0} bytes; decide it in a script, or shorten one of them")]
    Cost(usize),
}

/// A pattern that can be looked for. Letter case does not count unless the pattern says `(?-i)`: reference 8.3 shows
/// `^[a-z]+$` to match `ThisIsValue` (UNCONFIRMED on the real program).
#[derive(Debug)]
pub struct Pattern {
    machine: PikeVM,
}

impl Pattern {
    /// Reads and compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let flags = Flags { fold: true, ..Flags::default() };
        let pieces = read(pattern, flags).map_err(|fault| illegal(pattern, &fault))?.pieces;
        let hir = assemble(&pieces, pattern)?;
        // The limit is the only fault that such a tree can have.
        let config =
            thompson::Config::new().nfa_size_limit(Some(MOST_MEMORY)).which_captures(WhichCaptures::None).shrink(false);
        let nfa = NFA::compiler().configure(config).build_from_hir(&hir).map_err(|_| PatternError::Size)?;
        let machine = PikeVM::new_from_nfa(nfa).map_err(|_| PatternError::Size)?;
        Ok(Self { machine })
    }

    /// Whether it is found anywhere in the text.
    pub fn is_found_in(&self, text: &str) -> Result<bool, PatternError> {
        if self.machine.get_nfa().states().len().saturating_mul(text.len()) > MOST_STEPS {
            return Err(PatternError::Cost(text.len()));
        }
        Ok(self.machine.is_match(&mut self.machine.create_cache(), text))
    }
}

fn illegal(pattern: &str, fault: &Fault) -> PatternError {
    PatternError::Illegal { part: pattern[fault.range.clone()].to_owned(), reason: fault.reason }
}

/// A part of the tree and its depth.
type Tree = (Hir, usize);

/// What was read since `(` or the beginning.
#[derive(Default)]
struct Level {
    /// Alternatives that are complete.
    before: Vec<Tree>,
    /// The one that is being read.
    here: Vec<Tree>,
}

impl Level {
    fn alternative(&mut self) -> Result<(), PatternError> {
        let (parts, depth) = joined(std::mem::take(&mut self.here))?;
        self.before.push((Hir::concat(parts), depth));
        Ok(())
    }

    fn finish(mut self) -> Result<Tree, PatternError> {
        self.alternative()?;
        let (parts, depth) = joined(self.before)?;
        Ok((Hir::alternation(parts), depth))
    }
}

/// The parts, and the depth of what they are put together to. A single part stays what it is.
fn joined(parts: Vec<Tree>) -> Result<(Vec<Hir>, usize), PatternError> {
    let deepest = parts.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    let depth = deepest + usize::from(parts.len() > 1);
    if depth > DEEPEST {
        return Err(PatternError::Depth);
    }
    Ok((parts.into_iter().map(|(hir, _)| hir).collect(), depth))
}

/// Puts the tree together. Captures are left out: nobody asks for them.
fn assemble(pieces: &[Piece], pattern: &str) -> Result<Hir, PatternError> {
    let mut outer: Vec<Level> = Vec::new();
    let mut level = Level::default();
    for piece in pieces {
        match piece {
            Piece::Open => outer.push(std::mem::take(&mut level)),
            Piece::Close => {
                let inner = std::mem::replace(&mut level, outer.pop().unwrap_or_default());
                level.here.push(inner.finish()?);
            }
            Piece::Alternative => level.alternative()?,
            Piece::Repeat { least, most } => {
                let (hir, depth) = level.here.pop().unwrap_or((Hir::empty(), 0));
                if depth == DEEPEST {
                    return Err(PatternError::Depth);
                }
                level.here.push((repeated(hir, *least, *most), depth + 1));
            }
            _ => level.here.push((leaf(piece, pattern)?, 1)),
        }
    }
    level.finish().map(|(hir, _)| hir)
}

fn repeated(hir: Hir, least: u64, most: Option<u64>) -> Hir {
    // Counts are 1000 at most, or the pattern would have been refused.
    let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Hir::repetition(Repetition { min: count(least), max: most.map(count), greedy: true, sub: Box::new(hir) })
}

fn leaf(piece: &Piece, pattern: &str) -> Result<Hir, PatternError> {
    Ok(match piece {
        Piece::Character(number, fold) => Hir::class(Class::Unicode(sets::character(*number, *fold))),
        Piece::Any { line_break: true } => Hir::dot(regex_syntax::hir::Dot::AnyChar),
        Piece::Any { line_break: false } => Hir::dot(regex_syntax::hir::Dot::AnyCharExceptLF),
        Piece::Set(set) => Hir::class(Class::Unicode(sets::characters(set, pattern)?)),
        Piece::Place(place) => Hir::look(match place {
            Place::Start => Look::Start,
            Place::End => Look::End,
            Place::LineStart => Look::StartLF,
            Place::LineEnd => Look::EndLF,
            Place::WordEdge => Look::WordAscii,
            Place::NoWordEdge => Look::WordAsciiNegate,
        }),
        Piece::Open | Piece::Close | Piece::Alternative | Piece::Repeat { .. } => Hir::empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).and_then(|pattern| pattern.is_found_in(text)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What `regexp.MatchString("(?i)" + pattern, text)` of Go 1.19 said; a JSON list of pattern, text and answer a line.
    /// Written by `answers.go` beside it.
    const ANSWERS: &str = include_str!("matches.txt");

    #[test]
    fn go_itself_finds_the_same() {
        let rows: Vec<(String, String, bool)> =
            ANSWERS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(rows.len() > 500 && rows.iter().filter(|row| row.2).count() > 150);
        let differ: Vec<_> = rows.iter().filter(|(pattern, text, answer)| found(pattern, text) != *answer).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    }

    #[test]
    fn letter_case_counts_only_where_the_pattern_says_so() {
        assert!(found("^[a-z]+$", "ThisIsValue"));
        assert!(found(r"\w+\d", "ABC1"));
        assert!(!found("(?-i)^[a-z]+$", "ThisIsValue"));
        assert!(!found("(?-i:a)b", "AB") && found("(?-i:a)b", "aB"));
    }

    #[test]
    fn patterns_that_cost_too_much_are_refused() {
        assert_eq!(Pattern::new(&r"\pL{1000}".repeat(20)).unwrap_err(), PatternError::Size);
        let deep = format!("{}a{}", "(a|b".repeat(5_000), ")".repeat(5_000));
        assert!(matches!(Pattern::new(&deep), Err(PatternError::Depth | PatternError::Illegal { .. })));
        let deep = format!("{}a{}", "(?:a|b".repeat(5_000), ")".repeat(5_000));
        assert_eq!(Pattern::new(&deep).unwrap_err(), PatternError::Depth);
        let pattern = Pattern::new("(?:a?){1000}(?:b?){1000}c").unwrap();
        assert!(matches!(pattern.is_found_in(&"ab".repeat(4_000_000)), Err(PatternError::Cost(8_000_000))));
        let refused = Pattern::new("a(?=b)").unwrap_err().to_string();
        assert_eq!(
            refused,
            "the pattern is refused at `(?=`: RE2 has no lookahead; use two conditions below `and`, with `not` around \
             the one that must not match"
        );
    }

    #[test]
    fn every_property_that_is_taken_is_known_or_refused_by_name() {
        assert!(found(r"^\p{Greek}\p{Nd}\pL$", "λ7x"));
        assert!(found(r"^\P{^Lu}$", "a"), "letter case does not count");
        assert!(found(r"^\p{Any}\p{ASCII}\p{Zl}$", "éa\u{2028}"));
        assert!(!found(r"\p{Cs}", "x") && found(r"\P{Cs}", "x"));
    }
}
