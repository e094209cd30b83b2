//! Regular expressions as `patternMatches` takes them: RE2, in the way of Go's `regexp`.
//!
//! [`Pattern`] finds a pattern in a text; [`check`] tells whether one is legal, and which part is refused and why. A pattern
//! is read as Go reads it, in one pass and without recursion. Where releases of Go differ, what any of them takes is taken.
//! Two things are not judged by [`check`]: the size of the compiled program (beyond three million instructions), and nesting
//! that only alternatives and sequences bring about.

mod class;
mod fault;
mod found;
mod names;
mod pieces;
mod sets;

pub use fault::{Fault, Reason};
pub use found::{Pattern, PatternError};

use pieces::{Flags, Piece, Place, Set};
use std::ops::Range;

/// What is noteworthy about a pattern without faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The classes, such as `[a-z]`, that take a range of letters in one case only, outside of `(?i)`.
    pub one_case: Vec<Range<usize>>,
}

/// Reads a pattern. An error tells which part is refused.
pub fn check(pattern: &str) -> Result<Facts, Fault> {
    read(pattern, Flags::default()).map(|parser| parser.facts)
}

/// Reads a pattern that begins under these flags.
fn read(pattern: &str, flags: Flags) -> Result<Parser<'_>, Fault> {
    let mut parser = Parser {
        text: pattern,
        at: 0,
        groups: Vec::new(),
        here: Sequence::default(),
        flags,
        repeated: None,
        no_posix_end: false,
        facts: Facts::default(),
        pieces: Vec::new(),
    };
    parser.pattern()?;
    match parser.groups.last() {
        Some(group) => Err(Fault::new(group.open.clone(), Reason::UnclosedGroup)),
        None => Ok(parser),
    }
}

/// Groups and repetitions inside of each other, and with them the part in the middle, may be this many.
const DEEPEST: usize = 1000;

/// A part may be repeated this often; repetitions inside of each other multiply.
const MOST_COPIES: u64 = 1000;

/// What has to be known about a part that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Part {
    /// How many groups and repetitions stand inside of each other in it, itself included.
    height: usize,
    /// How often its innermost part is written out by the counted repetitions in it; 0 without any.
    copies: u64,
}

impl Part {
    const SINGLE: Self = Self { height: 1, copies: 0 };

    fn with(self, other: Self) -> Self {
        Self { height: self.height.max(other.height), copies: self.copies.max(other.copies) }
    }
}

/// What has been read between `(` or the beginning and here.
#[derive(Debug, Clone, Copy, Default)]
struct Sequence {
    /// What a repetition would repeat; nothing after `(` and `|`.
    last: Option<Part>,
    /// Everything before that.
    before: Part,
}

impl Sequence {
    fn push(&mut self, part: Part) {
        self.settle();
        self.last = Some(part);
    }

    /// Lets no repetition reach back any more.
    fn settle(&mut self) {
        if let Some(last) = self.last.take() {
            self.before = self.before.with(last);
        }
    }
}

/// A group that is open.
struct Group {
    /// Its opening: `(`, `(?:`, `(?P<name>`.
    open: Range<usize>,
    captures: bool,
    /// What stands in front of it.
    outside: Sequence,
    /// What holds outside.
    flags: Flags,
}

/// How often something is repeated, as `{…}` says.
struct Counts {
    least: u64,
    /// `None` for `{n,}`.
    most: Option<u64>,
    /// The length of it in the pattern.
    length: usize,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    groups: Vec<Group>,
    here: Sequence,
    /// What holds here.
    flags: Flags,
    /// Where the repetition begins that was read just now.
    repeated: Option<usize>,
    /// Whether it is known that no `:]` follows, so that it is not looked for again and again.
    no_posix_end: bool,
    facts: Facts,
    /// What was read, in order.
    pieces: Vec<Piece>,
}

impl Parser<'_> {
    fn pattern(&mut self) -> Result<(), Fault> {
        while let Some(c) = self.rest().chars().next() {
            let repeated = self.repeated.take();
            match c {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.pieces.push(Piece::Alternative);
                    self.here.settle();
                    self.at += 1;
                }
                '[' => self.class()?,
                '*' | '+' | '?' => self.repeat(repeated, self.at + 1, None)?,
                '{' => match counts(self.rest()) {
                    // What is no count stands for itself.
                    None => self.single(1, Piece::Character('{'.into(), self.flags.fold)),
                    Some(counts) => self.repeat(repeated, self.at + counts.length, Some(&counts))?,
                },
                '\\' => self.backslash()?,
                '.' => self.single(1, Piece::Any { line_break: self.flags.line_breaks }),
                '^' => self.single(1, Piece::Place(if self.flags.lines { Place::LineStart } else { Place::Start })),
                '$' => self.single(1, Piece::Place(if self.flags.lines { Place::LineEnd } else { Place::End })),
                _ => self.single(c.len_utf8(), Piece::Character(c.into(), self.flags.fold)),
            }
        }
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn single(&mut self, length: usize, piece: Piece) {
        self.pieces.push(piece);
        self.here.push(Part::SINGLE);
        self.at += length;
    }

    fn fault<T>(&self, length: usize, reason: Reason) -> Result<T, Fault> {
        Err(Fault::new(self.at..self.at + length, reason))
    }

    fn open(&mut self) -> Result<(), Fault> {
        let Some(after) = self.rest().strip_prefix("(?") else {
            self.enter(1, true, self.flags);
            return Ok(());
        };
        let named = after.strip_prefix("P<").map(|rest| (rest, 4)).or(after.strip_prefix('<').map(|rest| (rest, 3)));
        if after.starts_with("<=") || after.starts_with("<!") {
            return self.fault(4, Reason::Lookbehind);
        }
        if let Some((rest, skip)) = named {
            let Some(length) = rest.find('>') else { return self.fault(skip, Reason::UnclosedName) };
            let name = &rest[..length];
            let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let whole = skip + length + 1;
            if !valid {
                return self.fault(whole, Reason::GroupName);
            }
            self.enter(whole, true, self.flags);
            return Ok(());
        }
        self.flags()
    }

    /// `(?flags)`, `(?flags:` and `(?:`.
    fn flags(&mut self) -> Result<(), Fault> {
        let text = self.text;
        let (mut flags, mut negative, mut seen) = (self.flags, false, false);
        for (offset, c) in text[self.at + 2..].char_indices() {
            let length = 2 + offset + c.len_utf8();
            match c {
                'i' => (flags.fold, seen) = (!negative, true),
                'm' => (flags.lines, seen) = (!negative, true),
                's' => (flags.line_breaks, seen) = (!negative, true),
                // Which of several matches is taken does not matter here: only whether there is one.
                'U' => seen = true,
                '-' if !negative => (negative, seen) = (true, false),
                ':' | ')' if negative && !seen => return self.fault(length, Reason::NoFlag),
                ':' => {
                    self.enter(length, false, flags);
                    return Ok(());
                }
                ')' => {
                    self.flags = flags;
                    self.at += length;
                    return Ok(());
                }
                _ => {
                    let after = &text[self.at + 2..];
                    // `(?P` alone says nothing: it is `(?P=` or `(?P>` that is not there.
                    let more = after.strip_prefix('P').and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                    return self.fault(length + more, Reason::of_group(after));
                }
            }
        }
        self.fault(text.len() - self.at, Reason::UnclosedGroup)
    }

    fn enter(&mut self, length: usize, captures: bool, flags: Flags) {
        let outside = std::mem::take(&mut self.here);
        self.pieces.push(Piece::Open);
        self.groups.push(Group { open: self.at..self.at + length, captures, outside, flags: self.flags });
        self.flags = flags;
        self.at += length;
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(group) = self.groups.pop() else { return self.fault(1, Reason::UnopenedGroup) };
        self.here.settle();
        let mut part = Part::SINGLE.with(self.here.before);
        part.height += usize::from(group.captures);
        if part.height > DEEPEST {
            return Err(Fault::new(group.open, Reason::Depth));
        }
        (self.here, self.flags) = (group.outside, group.flags);
        self.pieces.push(Piece::Close);
        self.here.push(part);
        self.at += 1;
        Ok(())
    }

    /// A repetition that ends at `end` unless a `?` makes it lazy.
    fn repeat(&mut self, repeated: Option<usize>, end: usize, counts: Option<&Counts>) -> Result<(), Fault> {
        let start = self.at;
        let end = end + usize::from(self.text[end..].starts_with('?'));
        if let Some(counts) = counts {
            let (least, most) = (counts.least, counts.most.unwrap_or(counts.least));
            if least > MOST_COPIES || most > MOST_COPIES {
                return self.fault(counts.length, Reason::RepeatCount);
            }
            if most < least {
                return self.fault(counts.length, Reason::RepeatOrder);
            }
        }
        if let Some(first) = repeated {
            let reason = if self.rest().starts_with('+') { Reason::Possessive } else { Reason::DoubleRepetition };
            return Err(Fault::new(first..end, reason));
        }
        let Some(mut part) = self.here.last else { return self.fault(end - start, Reason::NothingToRepeat) };
        part.height += 1;
        if part.height > DEEPEST {
            return self.fault(end - start, Reason::Depth);
        }
        if let Some(counts) = counts {
            part.copies = copies(counts, part.copies);
            let counted = counts.least >= 2 || counts.most.is_some_and(|most| most >= 2);
            if counted && part.copies > MOST_COPIES {
                return self.fault(end - start, Reason::RepeatProduct);
            }
        }
        self.here.last = Some(part);
        self.pieces.push(match (counts, self.text.as_bytes()[start]) {
            (Some(counts), _) => Piece::Repeat { least: counts.least, most: counts.most },
            (None, b'*') => Piece::Repeat { least: 0, most: None },
            (None, b'+') => Piece::Repeat { least: 1, most: None },
            (None, _) => Piece::Repeat { least: 0, most: Some(1) },
        });
        self.repeated = Some(start);
        self.at = end;
        Ok(())
    }

    /// An escape outside of a class.
    fn backslash(&mut self) -> Result<(), Fault> {
        match self.rest().as_bytes().get(1) {
            Some(b'A') => self.single(2, Piece::Place(Place::Start)),
            Some(b'z') => self.single(2, Piece::Place(Place::End)),
            Some(b'b') => self.single(2, Piece::Place(Place::WordEdge)),
            Some(b'B') => self.single(2, Piece::Place(Place::NoWordEdge)),
            Some(letter @ (b'd' | b'D' | b's' | b'S' | b'w' | b'W')) => {
                let set = Set::single(pieces::Member::Escape(*letter), self.flags.fold);
                self.single(2, Piece::Set(set));
            }
            Some(b'Q') => {
                // Without its end it reaches to the end; around nothing at all it is nothing.
                let text = self.text;
                let quoted = self.rest()[2..].find("\\E").unwrap_or(self.rest().len() - 2);
                let fold = self.flags.fold;
                let inside = text[self.at + 2..self.at + 2 + quoted].chars();
                self.pieces.extend(inside.map(|c| Piece::Character(c.into(), fold)));
                if quoted > 0 {
                    self.here.push(Part::SINGLE);
                }
                self.at = (self.at + 2 + quoted + 2).min(self.text.len());
            }
            Some(b'p' | b'P') => {
                let length = self.property()?;
                let member = pieces::Member::Property(self.at..self.at + length);
                self.single(length, Piece::Set(Set::single(member, self.flags.fold)));
            }
            _ => {
                let number = self.character()?;
                self.pieces.push(Piece::Character(number, self.flags.fold));
                self.here.push(Part::SINGLE);
            }
        }
        Ok(())
    }
}

/// How often the innermost part is written out when something with `inside` copies is repeated.
fn copies(counts: &Counts, inside: u64) -> u64 {
    match counts.most.unwrap_or(counts.least) {
        0 if counts.most.is_some() => 0,
        0 => inside,
        times => times.saturating_mul(inside.max(1)),
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`; anything else, such as `{,n}`, is no count.
fn counts(text: &str) -> Option<Counts> {
    let inside = text.strip_prefix('{')?;
    let (least, after) = number(inside)?;
    let (most, after) = match after.strip_prefix(',') {
        None => (Some(least), after),
        Some(after) if after.starts_with('}') => (None, after),
        Some(after) => number(after).map(|(most, after)| (Some(most), after))?,
    };
    let rest = after.strip_prefix('}')?;
    Some(Counts { least, most, length: text.len() - rest.len() })
}

/// A number without leading zeros; one that is too large is the largest there is.
fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let valid = !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0'));
    valid.then(|| (digits.parse().unwrap_or(u64::MAX), rest))
}

#[cfg(test)]
mod tests;
