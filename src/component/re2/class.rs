//! Character classes, and the escapes of single characters.

use super::pieces::{Member, Piece, Set};
use super::{Fault, Parser, Part, Reason, names};
use std::ops::RangeInclusive;

/// The letters a to z in a class, one bit each, and whether any came by a range or by name.
#[derive(Default)]
struct Letters {
    lower: u32,
    upper: u32,
    ranges: bool,
}

impl Letters {
    fn add(&mut self, range: RangeInclusive<char>) {
        let within = |first: char| {
            (0..26).filter(|at| range.contains(&char::from(first as u8 + at))).fold(0, |bits, at| bits | 1 << at)
        };
        let (lower, upper) = (within('a'), within('A'));
        self.ranges |= range.start() != range.end() && lower | upper != 0;
        self.lower |= lower;
        self.upper |= upper;
    }

    /// Whether a range of letters is in it in one case and not in the other.
    fn one_case(&self) -> bool {
        self.ranges && self.lower != self.upper
    }
}

impl Parser<'_> {
    /// A class in brackets.
    pub(super) fn class(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let negated = self.rest().starts_with("[^");
        self.at += if negated { 2 } else { 1 };
        let mut letters = Letters::default();
        let mut set = Set { members: Vec::new(), negated, fold: self.flags.fold };
        let mut first = true;
        // `]` in front of all others stands for itself.
        while first || !self.rest().starts_with(']') {
            first = false;
            if self.rest().is_empty() {
                return Err(Fault::new(start..start + 1, Reason::UnclosedClass));
            }
            self.class_item(start, &mut letters, &mut set.members)?;
        }
        self.at += 1;
        if letters.one_case() && !self.flags.fold {
            self.facts.one_case.push(start..self.at);
        }
        self.pieces.push(Piece::Set(set));
        self.here.push(Part::SINGLE);
        Ok(())
    }

    fn class_item(&mut self, class: usize, letters: &mut Letters, set: &mut Vec<Member>) -> Result<(), Fault> {
        let begun = self.at;
        if self.rest().starts_with("[:") && self.posix(letters)? {
            set.push(Member::Posix(begun + 2..self.at - 2));
            return Ok(());
        }
        match self.rest().as_bytes() {
            [b'\\', b'p' | b'P', ..] => {
                let length = self.property()?;
                set.push(Member::Property(begun..begun + length));
                self.at += length;
                return Ok(());
            }
            [b'\\', letter @ (b'd' | b'D' | b's' | b'S' | b'w' | b'W'), ..] => {
                set.push(Member::Escape(*letter));
                self.at += 2;
                return Ok(());
            }
            _ => {}
        }
        let start = self.at;
        let low = self.class_character(class)?;
        let mut high = low;
        // `-` in front of the closing bracket stands for itself.
        let rest = self.rest().as_bytes();
        if rest.first() == Some(&b'-') && rest.get(1).is_some_and(|next| *next != b']') {
            self.at += 1;
            high = self.class_character(class)?;
            if high < low {
                return Err(Fault::new(start..self.at, Reason::BackwardRange));
            }
        }
        set.push(Member::Range(low, high));
        if let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high)) {
            letters.add(low..=high);
        }
        Ok(())
    }

    /// The number of a character in a class.
    fn class_character(&mut self, class: usize) -> Result<u32, Fault> {
        match self.rest().chars().next() {
            None => Err(Fault::new(class..class + 1, Reason::UnclosedClass)),
            Some('\\') => self.character().map_err(|fault| match fault.reason {
                Reason::Escape if class_is_not_the_place(&self.text[fault.range.clone()]) => {
                    Fault::new(fault.range, Reason::EscapeInClass)
                }
                _ => fault,
            }),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(u32::from(c))
            }
        }
    }

    /// `[:name:]`; false if it is none because it never ends, so that the bracket stands for itself.
    fn posix(&mut self, letters: &mut Letters) -> Result<bool, Fault> {
        if self.no_posix_end {
            return Ok(false);
        }
        let Some(length) = self.rest()[2..].find(":]") else {
            self.no_posix_end = true;
            return Ok(false);
        };
        let name = &self.rest()[2..2 + length];
        if !names::is_posix(name) {
            return self.fault(length + 4, Reason::PosixName);
        }
        match name.trim_start_matches('^') {
            "lower" => letters.add('a'..='z'),
            "upper" => letters.add('A'..='Z'),
            _ => {}
        }
        self.at += length + 4;
        Ok(true)
    }

    /// The length of `\pN` or `\p{Name}`, which stands here.
    pub(super) fn property(&self) -> Result<usize, Fault> {
        let after = &self.rest()[2..];
        let (name, length) = match after.strip_prefix('{') {
            None => {
                let length = after.chars().next().map_or(0, char::len_utf8);
                (&after[..length], 2 + length)
            }
            Some(braced) => {
                let Some(length) = braced.find('}') else { return self.fault(3, Reason::Property) };
                (&braced[..length], 2 + length + 2)
            }
        };
        if names::is_property(name) { Ok(length) } else { self.fault(length, Reason::Property) }
    }

    /// Reads an escape that stands for one character, and tells the character's number.
    pub(super) fn character(&mut self) -> Result<u32, Fault> {
        let mut chars = self.rest()[1..].chars();
        let Some(c) = chars.next() else { return self.fault(1, Reason::TrailingBackslash) };
        let next = chars.next();
        let octal = |c: Option<char>| c.is_some_and(|c| c.is_digit(8));
        let (number, length) = match c {
            '1'..='7' if !octal(next) => return self.fault(2, Reason::Backreference),
            '8' | '9' => return self.fault(2, Reason::Backreference),
            '0'..='7' => self.octal(),
            'x' => self.hexadecimal()?,
            'a' => (7, 2),
            'f' => (12, 2),
            'n' => (10, 2),
            'r' => (13, 2),
            't' => (9, 2),
            'v' => (11, 2),
            'Z' => return self.fault(2, Reason::EndZ),
            'k' | 'g' if matches!(next, Some('<' | '{' | '\'' | '0'..='9')) => {
                return self.fault(2, Reason::Backreference);
            }
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => (u32::from(c), 2),
            _ => return self.fault(1 + c.len_utf8(), Reason::Escape),
        };
        self.at += length;
        Ok(number)
    }

    /// Number and length of up to three octal digits behind the backslash.
    fn octal(&self) -> (u32, usize) {
        let digits = self.rest()[1..].chars().map_while(|c| c.to_digit(8)).take(3);
        let (mut number, mut length) = (0, 1);
        for digit in digits {
            number = number * 8 + digit;
            length += 1;
        }
        (number, length)
    }

    /// Number and length of `\x7F` or `\x{10FFFF}`.
    fn hexadecimal(&self) -> Result<(u32, usize), Fault> {
        let after = &self.rest()[2..];
        let Some(braced) = after.strip_prefix('{') else {
            let mut digits = after.chars().map_while(|c| c.to_digit(16));
            return match (digits.next(), digits.next()) {
                (Some(high), Some(low)) => Ok((high * 16 + low, 4)),
                _ => self.fault(2, Reason::Hexadecimal),
            };
        };
        let digits = braced.bytes().take_while(u8::is_ascii_hexdigit).count();
        let closed = braced[digits..].starts_with('}');
        let length = 3 + digits + usize::from(closed);
        let number = braced[..digits]
            .chars()
            .filter_map(|c| c.to_digit(16))
            .fold(0, |number: u32, digit| number.saturating_mul(16).saturating_add(digit));
        if closed && digits > 0 && number <= u32::from(char::MAX) {
            Ok((number, length))
        } else {
            self.fault(length, Reason::Hexadecimal)
        }
    }
}

/// Whether an escape exists, but only outside of a class.
fn class_is_not_the_place(escape: &str) -> bool {
    matches!(escape, "\\A" | "\\b" | "\\B" | "\\z" | "\\Q" | "\\E" | "\\d" | "\\D" | "\\s" | "\\S" | "\\w" | "\\W")
}
