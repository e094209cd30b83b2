//! Inside words: quotes, escapes, expansions.

use std::ops::Range;

use super::super::text::MASK;
use super::super::{Context, Embedding, Fault, Scope, Variable};
use super::frame::{Block, Frame, Kind, Open};
use super::machine::Machine;

/// What ends a plain stretch of an unquoted word.
const WORD_STOPS: &[u8] = b" \t\r\n;&|()<>'\"\\$`=";
/// The same inside double quotes.
const DOUBLE_STOPS: &[u8] = b"\"\\$`";
/// How far ahead the end of `((` is looked for before it is taken for arithmetic.
const ARITHMETIC_LOOKAHEAD: usize = 1024;

impl Machine<'_> {
    /// Takes a stretch into the open word, as it is written.
    pub fn take(&mut self, range: &Range<usize>, context: Context, quoted: bool) {
        self.mark(range, context);
        let dynamic = !self.text.expressions_within(range).is_empty();
        let piece = self.text.slice(range.clone());
        self.at = range.end;
        if let Some(open) = self.words.last_mut() {
            open.text.push_str(piece);
            open.dynamic |= dynamic;
            open.touch(quoted);
        }
    }

    /// What stands around the text of the open word.
    fn context(&self, quoted: bool) -> Context {
        match self.words.last().map(|open| open.context) {
            Some(context @ Context::Heredoc { .. }) => context,
            Some(context) if !quoted => context,
            _ => Context::DoubleQuoted,
        }
    }

    pub fn step_word(&mut self) {
        let Some(byte) = self.peek(0) else { return };
        let literal_dollar = self.words.last().is_some_and(|open| open.delimiter);
        match byte {
            b'\r' if !self.is_line_end(self.at) => self.plain(WORD_STOPS),
            b'<' | b'>' if self.peek(1) == Some(b'(') => self.open_embedded(Kind::Process, 2),
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')' | b'<' | b'>' => self.finish_word(),
            b'(' => self.parenthesis_in_word(),
            b'\'' => self.single_quoted(),
            b'"' => {
                self.frames.push(Frame::Double { start: self.at });
                self.at += 1;
            }
            b'\\' => self.escape(),
            b'$' | b'`' if literal_dollar => self.plain(WORD_STOPS),
            b'$' => self.dollar(false, self.context(false)),
            b'`' => self.backquotes(false),
            b'=' => self.equals(),
            _ => self.plain(WORD_STOPS),
        }
    }

    /// At least one byte, and what follows it up to one of these.
    fn plain(&mut self, stops: &[u8]) {
        if self.peek(0) == Some(b'~')
            && let Some(open) = self.words.last_mut()
            && !open.bare
            && !open.quoted
        {
            open.tilde = true;
        }
        let end = self.run_end(self.at + 1, stops);
        let context = self.context(false);
        self.take(&(self.at..end), context, false);
    }

    fn parenthesis_in_word(&mut self) {
        let Some(open) = self.words.last() else { return };
        let starts_value = open.assignment.as_ref().is_some_and(|(_, value, _)| *value == self.at);
        let is_glob = self.at > open.start && matches!(self.byte(self.at - 1), Some(b'?' | b'*' | b'+' | b'@' | b'!'));
        if starts_value {
            self.frames.push(Frame::Array { start: self.at });
            self.at += 1;
        } else if is_glob {
            self.frames.push(Frame::Glob { start: self.at, depth: 0 });
            self.take(&(self.at..self.at + 1), self.context(false), false);
        } else {
            self.finish_word();
        }
    }

    /// `=`: the end of a variable's name, or just a letter.
    fn equals(&mut self) {
        let at = self.at;
        let name = self.words.last().filter(|open| open.may_assign && open.assignment.is_none()).and_then(|open| {
            let written = self.text.slice(open.start..at);
            let (written, appends) = written.strip_suffix('+').map_or((written, false), |name| (name, true));
            let name = written.split_once('[').map_or(written, |(name, _)| name);
            (is_name(name) && (name.len() == written.len() || written.ends_with(']')))
                .then(|| (name.to_owned(), appends))
        });
        match (name, self.words.last_mut()) {
            (Some((name, appends)), Some(open)) => {
                let command = open.command;
                let start = open.start;
                *open = Open::new(start, Context::Assignment, command);
                open.assignment = Some((name, at + 1, appends));
                self.at += 1;
            }
            _ => self.plain(WORD_STOPS),
        }
    }

    fn single_quoted(&mut self) {
        let start = self.at;
        let close = self.run_end(start + 1, b"'");
        let inside = start + 1..close;
        if close == self.end {
            self.error(Fault::Unclosed("'"), start..start + 1);
        }
        let verbatim = self.words.last().is_some_and(|open| !open.bare && !open.quoted).then(|| inside.clone());
        self.take(&inside, Context::SingleQuoted, true);
        self.at = (close + 1).min(self.end);
        if let Some(open) = self.words.last_mut() {
            open.verbatim = verbatim;
        }
    }

    /// `$'…'`, in which a backslash protects a quote. The escapes are left as they are written.
    fn ansi_quoted(&mut self) {
        let start = self.at;
        let mut close = start + 2;
        while let Some(byte) = self.byte(close)
            && byte != b'\''
        {
            close += if byte == b'\\' { 2 } else { 1 };
        }
        if close >= self.end {
            close = self.end;
            self.error(Fault::Unclosed("$'"), start..start + 2);
        }
        self.take(&(start + 2..close), Context::SingleQuoted, true);
        self.at = (close + 1).min(self.end);
    }

    /// A backslash outside of quotes.
    fn escape(&mut self) {
        if let Some(length) = self.continuation() {
            self.at += length;
            return;
        }
        let from = (self.at + 1).min(self.end);
        let to = self.character_end(from);
        self.take(&(from..to), self.context(false), true);
        if let Some(open) = self.words.last_mut() {
            open.verbatim = None;
        }
    }

    /// Where the character that begins here ends.
    pub fn character_end(&self, from: usize) -> usize {
        let continued = self.run_of(from + 1, |byte| (0x80..0xc0).contains(&byte));
        (from + 1 + continued).min(self.end)
    }

    pub fn step_double(&mut self, start: usize) {
        match self.peek(0) {
            Some(b'"') => self.close_double(start),
            Some(b'\\') => self.escape_in_double(),
            Some(b'$') => self.dollar(true, self.context(true)),
            Some(b'`') => self.backquotes(true),
            _ => {
                let end = self.run_end(self.at, DOUBLE_STOPS);
                let context = self.context(true);
                self.take(&(self.at..end), context, true);
            }
        }
    }

    fn close_double(&mut self, start: usize) {
        let inside = start + 1..self.at;
        let is_plain = self.run_end(inside.start, DOUBLE_STOPS) == inside.end;
        self.frames.pop();
        self.at += 1;
        // Whether the word consists of these quotes alone: their text is then all it has.
        let length = inside.len();
        if let Some(open) = self.words.last_mut() {
            open.verbatim = (is_plain && open.text.len() == length).then_some(inside);
            open.touch(true);
        }
    }

    fn escape_in_double(&mut self) {
        if let Some(length) = self.continuation() {
            self.at += length;
            return;
        }
        let protects = matches!(self.peek(1), Some(b'"' | b'\\' | b'$' | b'`'));
        let from = if protects { self.at + 1 } else { self.at };
        let to = if protects { from + 1 } else { self.character_end(from + 1) };
        self.take(&(from..to.min(self.end)), self.context(true), true);
    }

    /// `$`, and what it expands.
    pub fn dollar(&mut self, quoted: bool, context: Context) {
        match self.peek(1) {
            Some(b'(') if self.peek(2) == Some(b'(') && self.is_arithmetic(self.at + 1) => {
                self.frames.push(Frame::Arithmetic { start: self.at + 1, depth: 0, command: false });
                self.take(&(self.at..self.at + 3), context, quoted);
                self.expands();
            }
            Some(b'(') => self.open_embedded(Kind::Substitution, 2),
            Some(b'{') if self.peek(2) != Some(MASK) => self.parameter(quoted, context),
            Some(b'\'') if !quoted => self.ansi_quoted(),
            Some(b'"') if !quoted => self.at += 1,
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() => {
                let end = self.name_end(self.at + 1);
                self.variable(self.at + 1..end, end, false, quoted, context);
            }
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' | b'0'..=b'9') => {
                self.variable(self.at + 1..self.at + 2, self.at + 2, false, quoted, context);
            }
            _ => self.take(&(self.at..self.at + 1), context, quoted),
        }
    }

    fn name_end(&self, from: usize) -> usize {
        from + self.run_of(from, |byte| byte == b'_' || byte.is_ascii_alphanumeric())
    }

    fn variable(&mut self, name: Range<usize>, end: usize, has_default: bool, quoted: bool, context: Context) {
        self.script.variables.push(Variable {
            name: self.text.slice(name).to_owned(),
            has_default,
            context,
            command: self.words.last().and_then(|open| open.command),
            place: self.text.place(&(self.at..end)),
        });
        self.take(&(self.at..end), context, quoted);
        self.expands();
    }

    /// `${`, the name behind it, and whether a default follows.
    fn parameter(&mut self, quoted: bool, context: Context) {
        let start = self.at;
        let sigil = usize::from(matches!(self.peek(2), Some(b'#' | b'!')));
        let name = start + 2 + sigil..self.name_end(start + 2 + sigil);
        self.frames.push(Frame::Parameter { start, quoted });
        if name.is_empty() {
            // A special parameter such as `${@}`; what it is called is of no interest, but `#` is no comment here.
            self.take(&(start..(start + 2 + sigil)), context, quoted);
            self.expands();
            return;
        }
        let operator = self.byte(name.end);
        let has_default = match operator {
            Some(b':') => matches!(self.byte(name.end + 1), Some(b'-' | b'=' | b'+' | b'?')),
            _ => matches!(operator, Some(b'-' | b'=' | b'+' | b'?')),
        };
        self.variable(name.clone(), name.end, has_default, quoted, context);
    }

    pub fn step_parameter(&mut self, quoted: bool) {
        let context = self.context(quoted);
        match self.peek(0) {
            Some(b'}') => {
                self.frames.pop();
                self.take(&(self.at..self.at + 1), context, quoted);
            }
            Some(b'\'') if !quoted => self.single_quoted(),
            Some(b'"') if !matches!(context, Context::Heredoc { .. }) => {
                self.frames.push(Frame::Double { start: self.at });
                self.at += 1;
            }
            Some(b'\\') => {
                let end = self.character_end(self.at + 1);
                self.take(&(self.at..end), context, quoted);
            }
            Some(b'$') => self.dollar(quoted, context),
            Some(b'`') => self.backquotes(quoted),
            _ => {
                let end = self.run_end(self.at + 1, b"}'\"\\$`");
                self.take(&(self.at..end), context, quoted);
            }
        }
    }

    pub fn step_arithmetic(&mut self, depth: usize, command: bool) {
        let context = Context::Arithmetic;
        let quoted = matches!(self.words.last().map(|open| open.context), Some(Context::Heredoc { .. }));
        match self.peek(0) {
            Some(b')') if depth == 0 => {
                let closes = if self.peek(1) == Some(b')') { 2 } else { 1 };
                self.take(&(self.at..self.at + closes), context, quoted);
                self.finish_arithmetic(command);
            }
            Some(byte @ (b'(' | b')')) => {
                self.take(&(self.at..self.at + 1), context, quoted);
                if let Some(Frame::Arithmetic { depth, .. }) = self.frames.last_mut() {
                    *depth = if byte == b'(' { *depth + 1 } else { *depth - 1 };
                }
            }
            Some(b'\'') if !quoted => self.single_quoted(),
            Some(b'"') if !quoted => {
                self.frames.push(Frame::Double { start: self.at });
                self.at += 1;
            }
            Some(b'$') => self.dollar(quoted, context),
            Some(b'`') => self.backquotes(quoted),
            Some(b'\\') => {
                let end = self.character_end(self.at + 1);
                self.take(&(self.at..end), context, quoted);
            }
            _ => {
                let end = self.run_end(self.at + 1, b"()'\"\\$`");
                self.take(&(self.at..end), context, quoted);
            }
        }
    }

    /// Whether the `((` here is closed by `))`, and is not two subshells one inside the other.
    pub fn is_arithmetic(&self, at: usize) -> bool {
        let mut depth = 0_usize;
        let mut quote = None;
        let limit = (at + ARITHMETIC_LOOKAHEAD).min(self.end);
        for position in at..limit {
            match (self.text.masked[position], quote) {
                (byte, Some(open)) if byte == open => quote = None,
                (byte @ (b'\'' | b'"'), None) => quote = Some(byte),
                (b'(', None) => depth += 1,
                (b')', None) if depth == 2 => return self.byte(position + 1) == Some(b')'),
                (b')', None) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        true
    }

    /// The patterns that bash has beyond those of files: `@(…|…)`.
    pub fn step_glob(&mut self, depth: usize) {
        let context = self.context(false);
        match self.peek(0) {
            Some(b')') if depth == 0 => {
                self.frames.pop();
                self.take(&(self.at..self.at + 1), context, false);
            }
            Some(byte @ (b'(' | b')')) => {
                self.take(&(self.at..self.at + 1), context, false);
                if let Some(Frame::Glob { depth, .. }) = self.frames.last_mut() {
                    *depth = if byte == b'(' { *depth + 1 } else { *depth - 1 };
                }
            }
            Some(b'\'') => self.single_quoted(),
            Some(b'"') => {
                self.frames.push(Frame::Double { start: self.at });
                self.at += 1;
            }
            Some(b'\\') => self.escape(),
            Some(b'$') => self.dollar(false, context),
            Some(b'`') => self.backquotes(false),
            _ => {
                let end = self.run_end(self.at + 1, b"()'\"\\$`");
                self.take(&(self.at..end), context, false);
            }
        }
    }

    /// The open word is not known before the script runs.
    fn expands(&mut self) {
        if let Some(open) = self.words.last_mut() {
            open.dynamic = true;
            open.verbatim = None;
        }
    }

    /// `$(`, `<(` or `>(`: commands inside the open word.
    fn open_embedded(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        let shown = if kind == Kind::Process { "<()" } else { "$()" };
        let block = self.embedded_block(kind, shown);
        self.at = start + length;
        self.parentheses += 1;
        self.frames.push(Frame::Block(Box::new(block)));
    }

    fn embedded_block(&mut self, kind: Kind, shown: &str) -> Block {
        let quoted = matches!(self.frames.last(), Some(Frame::Double { .. } | Frame::Heredoc { .. }));
        self.expands();
        let around = self.enclosing_scope();
        let mut parent = around.parent;
        if let Some(open) = self.words.last_mut() {
            open.text.push_str(shown);
            open.touch(quoted);
            let embedding = if kind == Kind::Process { Embedding::Process } else { Embedding::Substitution };
            parent = open.command.map(|command| (command, embedding)).or(parent);
        }
        let scope = Scope { in_subshell: true, parent, ..around };
        Block::new(kind, self.at, scope, self.script.commands.len())
    }

    /// Commands up to the next backquote without a backslash before it, as the shell itself looks for it.
    pub fn backquotes(&mut self, quoted: bool) {
        let start = self.at;
        let mut close = start + 1;
        while let Some(byte) = self.byte(close)
            && byte != b'`'
        {
            close += if byte == b'\\' { 2 } else { 1 };
        }
        if close >= self.end {
            self.error(Fault::Unclosed("`"), start..start + 1);
            let context = self.context(quoted);
            self.take(&(start..start + 1), context, quoted);
            return;
        }
        let mut block = self.embedded_block(Kind::Backquotes, "$()");
        self.at = start + 1;
        block.window = Some(self.enter(close, close + 1));
        self.frames.push(Frame::Block(Box::new(block)));
    }
}

impl Open {
    /// Something was added to the word.
    pub fn touch(&mut self, quoted: bool) {
        if quoted {
            self.quoted = true;
        } else {
            self.bare = true;
        }
    }
}

/// Whether a variable or function may have this name.
pub(super) fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
