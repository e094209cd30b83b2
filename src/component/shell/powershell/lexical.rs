//! Inside words: quotes, escapes, comments.

use super::super::{Context, Fault};
use super::reader::Reader;

impl Reader<'_> {
    pub fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.masked.get(self.at + ahead).copied()
    }

    pub fn rest(&self) -> &[u8] {
        self.text.masked.get(self.at..).unwrap_or_default()
    }

    pub fn line_end(&self) -> usize {
        let rest = self.rest();
        self.at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }

    pub fn skip_to(&mut self, end: usize, context: Context) {
        for number in self.text.expressions_within(&(self.at..end)) {
            self.contexts[number] = context;
        }
        self.at = end;
    }

    pub fn block_comment(&mut self) {
        self.end_word();
        let end = self.find(b"#>");
        if end.is_none() {
            self.error(Fault::Unclosed("<#"), self.at..self.at + 2);
        }
        self.skip_to(end.map_or(self.text.masked.len(), |end| end + 2), Context::Comment);
    }

    pub fn find(&self, needle: &[u8]) -> Option<usize> {
        self.rest().windows(needle.len()).position(|window| window == needle).map(|position| self.at + position)
    }

    /// Before a line break it joins the lines, elsewhere it protects a character.
    pub fn backtick(&mut self) {
        match (self.peek(1), self.peek(2)) {
            (Some(b'\n'), _) => self.at += 2,
            (Some(b'\r'), Some(b'\n')) => self.at += 3,
            _ => {
                self.begin_word();
                self.at += 1;
                let end = self.character_end(self.at);
                self.take(end, Context::Unquoted, true);
            }
        }
    }

    pub fn character_end(&self, from: usize) -> usize {
        let rest = self.text.masked.get(from..).unwrap_or_default();
        let continued = rest.iter().skip(1).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
        (from + 1 + continued).min(self.text.masked.len())
    }

    /// Takes the text up to a position into the word.
    pub fn take(&mut self, end: usize, context: Context, quoted: bool) {
        let range = self.at..end;
        let expressions = !self.text.expressions_within(&range).is_empty();
        let piece = self.text.slice(range.clone());
        if let Some(word) = &mut self.word {
            word.text.push_str(piece);
            word.dynamic |= expressions
                || (context != Context::SingleQuoted && piece.contains('$') && !(quoted && piece.len() == 1));
            word.bare |= !quoted;
            word.quoted |= quoted;
        }
        self.skip_to(end, context);
    }

    pub fn plain(&mut self) {
        self.begin_word();
        let stops = b" \t\r\n;`'\"(){}|&<>=@$";
        let rest = self.rest().get(1..).unwrap_or_default();
        let length = rest.iter().position(|byte| stops.contains(byte)).unwrap_or(rest.len());
        self.take(self.at + 1 + length, Context::Unquoted, false);
        if self.word.as_ref().is_some_and(|word| word.text == "--%") {
            // The rest of the line is handed on as it is.
            self.end_word();
            self.begin_word();
            self.take(self.line_end(), Context::Unquoted, false);
        }
    }

    pub fn single(&mut self) {
        self.begin_word();
        let start = self.at;
        self.at += 1;
        loop {
            let Some(close) = self.find(b"'") else {
                self.error(Fault::Unclosed("'"), start..start + 1);
                self.take(self.text.masked.len(), Context::SingleQuoted, true);
                return;
            };
            self.take(close, Context::SingleQuoted, true);
            self.at += 1;
            if self.peek(0) != Some(b'\'') {
                return;
            }
            // Doubled, it is a quote: it stays in the text, the second one is dropped.
            self.take(self.at + 1, Context::SingleQuoted, true);
        }
    }

    /// Inside `"…"`, from behind the opening quote or behind a `$(…)` in it.
    pub fn string(&mut self, start: usize, skip: usize) {
        self.at += skip;
        if let Some(word) = &mut self.word {
            word.quoted = true;
        }
        loop {
            let rest = self.rest();
            let length = rest.iter().position(|byte| b"\"`$".contains(byte)).unwrap_or(rest.len());
            self.take(self.at + length, Context::DoubleQuoted, true);
            match (self.peek(0), self.peek(1)) {
                (Some(b'"'), Some(b'"')) => {
                    self.take(self.at + 1, Context::DoubleQuoted, true);
                    self.at += 1;
                }
                (Some(b'"'), _) => {
                    self.at += 1;
                    return;
                }
                (Some(b'`'), Some(_)) => {
                    self.at += 1;
                    self.take(self.character_end(self.at), Context::DoubleQuoted, true);
                }
                (Some(b'$'), Some(b'(')) => {
                    self.at += 1;
                    self.bracket(b'(');
                    if let Some(frame) = self.frame() {
                        frame.string = Some(start);
                    }
                    return;
                }
                (Some(_), _) => {
                    self.take(self.at + 1, Context::DoubleQuoted, true);
                    if let Some(word) = &mut self.word {
                        word.dynamic = true;
                    }
                }
                (None, _) => {
                    self.error(Fault::Unclosed("\""), start..start + 1);
                    return;
                }
            }
        }
    }

    /// `@'…'@` and `@"…"@`, whose marks stand at the end and at the beginning of a line.
    pub fn here_string(&mut self) {
        self.begin_word();
        let start = self.at;
        let double = self.peek(1) == Some(b'"');
        let context = if double { Context::DoubleQuoted } else { Context::SingleQuoted };
        self.at += 2;
        let close = self.find(if double { b"\n\"@" } else { b"\n'@" });
        if close.is_none() {
            self.error(Fault::Unclosed(if double { "@\"" } else { "@'" }), start..start + 2);
        }
        self.take(close.unwrap_or(self.text.masked.len()), context, true);
        self.at = close.map_or(self.at, |close| close + 3);
    }
}
