//! Between words: separators, operators, parentheses, redirections.

use std::ops::Range;

use super::super::{CommandKind, Context, Fault, GuardKind};
use super::frame::{Case, Frame, Kind, Open, OpenRedirect};
use super::machine::Machine;

/// The longest first, so that none is taken for the beginning of another.
const REDIRECTIONS: [&str; 12] = ["&>>", "<<<", "<<-", "&>", "<<", "<&", "<>", ">>", ">&", ">|", "<", ">"];

impl Machine<'_> {
    pub fn step_block(&mut self) {
        let Some(byte) = self.peek(0) else { return };
        match byte {
            b' ' | b'\t' => self.at += 1,
            b'\r' if self.is_line_end(self.at) => self.at += 1,
            b'\\' if self.continuation().is_some() => self.at += self.continuation().unwrap_or(1),
            b'#' => self.comment(),
            _ if self.block().is_some_and(super::frame::Block::in_header) => self.step_header(byte),
            b'\n' => self.line_break(),
            b';' => self.semicolon(),
            b'&' if self.peek(1) == Some(b'>') => self.redirection(0),
            b'&' => self.ampersand(),
            b'|' => self.bar(),
            b'(' => self.open_parenthesis(),
            b')' => self.close_parenthesis(),
            b'<' | b'>' if self.peek(1) == Some(b'(') => self.start_word(),
            b'<' | b'>' => self.redirection(0),
            b'0'..=b'9' => {
                let digits = self.run_of(self.at, |b| b.is_ascii_digit());
                if matches!(self.peek(digits), Some(b'<' | b'>')) && self.peek(digits + 1) != Some(b'(') {
                    self.redirection(digits);
                } else {
                    self.start_word();
                }
            }
            _ => self.start_word(),
        }
    }

    pub fn comment(&mut self) {
        let end = self.run_end(self.at, b"\n");
        self.mark(&(self.at..end), Context::Comment);
        self.at = end;
    }

    /// Begins a word, and the command it belongs to if it is the first.
    pub fn start_word(&mut self) {
        let start = self.at;
        let Some(block) = self.block() else { return };
        let (header, redirect) = (block.in_header(), block.redirect);
        let delimiter = redirect.is_some_and(|redirect| matches!(redirect.operator, "<<" | "<<-"));
        if !header && redirect.is_none() {
            self.ensure_command(start, CommandKind::Simple);
        }
        let command = self.block().and_then(|block| block.current);
        let mut open = Open::new(start, Context::Unquoted, command);
        open.delimiter = delimiter;
        open.may_assign = redirect.is_none() && !header && self.may_assign(command);
        self.words.push(open);
        self.frames.push(Frame::Word);
    }

    fn may_assign(&self, command: Option<usize>) -> bool {
        command
            .and_then(|index| self.script.commands.get(index))
            .is_some_and(|command| command.words.is_empty() || super::declares(command.name()))
    }

    pub fn line_break(&mut self) {
        if self.finish_command() {
            return;
        }
        if self.block().is_some_and(|block| block.complete) {
            self.end_list(false);
        }
        self.at += 1;
        self.begin_heredoc();
    }

    fn semicolon(&mut self) {
        if self.finish_command() {
            return;
        }
        let operator = match (self.peek(1), self.peek(2)) {
            (Some(b';'), Some(b'&')) => ";;&",
            (Some(b';'), _) => ";;",
            (Some(b'&'), _) => ";&",
            _ => ";",
        };
        let range = self.at..self.at + operator.len();
        let Some((complete, kind)) = self.block().map(|block| (block.complete, block.kind)) else { return };
        if operator != ";" {
            if kind == Kind::Case(Case::Body) {
                self.end_list(false);
                self.next_pattern();
            } else {
                self.unexpected(range.clone());
                self.end_list(false);
            }
        } else if complete {
            self.end_list(false);
        } else {
            self.unexpected(range.clone());
        }
        self.at = range.end;
    }

    fn ampersand(&mut self) {
        if self.finish_command() {
            return;
        }
        if self.peek(1) == Some(b'&') {
            self.and_or("&&", GuardKind::And);
        } else if self.require_command(self.at..self.at + 1) {
            self.end_list(true);
            self.at += 1;
        }
    }

    fn bar(&mut self) {
        if self.finish_command() {
            return;
        }
        match self.peek(1) {
            Some(b'|') => self.and_or("||", GuardKind::Or),
            Some(b'&') => self.pipe("|&"),
            _ => self.pipe("|"),
        }
    }

    /// Whether a command stands before an operator; if not, the operator is skipped.
    pub fn require_command(&mut self, operator: Range<usize>) -> bool {
        let complete = self.block().is_some_and(|block| block.complete);
        if !complete {
            self.unexpected(operator.clone());
            self.at = operator.end;
        }
        complete
    }

    fn open_parenthesis(&mut self) {
        let Some(block) = self.block() else { return };
        let close = self.close_of_empty();
        match (block.current, block.function, close) {
            (Some(command), _, Some(close)) if self.is_function_name(command) => {
                self.define_function(command);
                self.at = close;
            }
            (Some(_), ..) => {
                self.unexpected(self.at..self.at + 1);
                self.at += 1;
            }
            (None, Some(_), Some(close)) => self.at = close,
            _ if self.peek(1) == Some(b'(') && self.is_arithmetic(self.at) => self.open_arithmetic(),
            _ => {
                self.open_block(Kind::Subshell, self.at);
                self.parentheses += 1;
                self.at += 1;
            }
        }
    }

    /// Where `()` ends, if that is what stands here.
    fn close_of_empty(&self) -> Option<usize> {
        let blanks = self.run_of(self.at + 1, |b| matches!(b, b' ' | b'\t'));
        (self.peek(blanks + 1) == Some(b')')).then_some(self.at + blanks + 2)
    }

    fn is_function_name(&self, command: usize) -> bool {
        self.script.commands.get(command).is_some_and(|command| {
            command.assignments.is_empty()
                && command.redirects.is_empty()
                && matches!(command.words.as_slice(), [word] if !word.dynamic)
        })
    }

    fn open_arithmetic(&mut self) {
        self.reject_if_complete(self.at..self.at + 2);
        let command = self.ensure_command(self.at, CommandKind::Arithmetic);
        self.words.push(Open::new(self.at, Context::Arithmetic, command));
        self.frames.push(Frame::Arithmetic { start: self.at, depth: 0, command: true });
        self.at += 2;
    }

    /// Closes `$((…))` or `((…))`.
    pub fn finish_arithmetic(&mut self, command: bool) {
        self.frames.pop();
        if command {
            self.close_word();
            self.complete_command();
        }
    }

    pub fn close_parenthesis(&mut self) {
        if self.parentheses == 0 {
            self.unexpected(self.at..self.at + 1);
            self.at += 1;
            return;
        }
        if self.finish_command() {
            return;
        }
        let Some(kind) = self.block().map(|block| block.kind) else { return };
        if kind.is_parenthesis() {
            self.parentheses -= 1;
            self.at += 1;
        } else {
            let start = self.block().map_or(0, |block| block.start);
            self.error(Fault::Unclosed(kind.opener()), start..start + kind.opener().len());
        }
        self.close_block();
    }

    fn redirection(&mut self, digits: usize) {
        let start = self.at;
        let rest = self.text.masked.get(start + digits..self.end).unwrap_or_default();
        let Some(operator) = REDIRECTIONS.into_iter().find(|operator| rest.starts_with(operator.as_bytes())) else {
            self.at += 1;
            return;
        };
        self.missing_target();
        if self.block().is_some_and(|block| !block.complete) {
            self.ensure_command(start, CommandKind::Simple);
        }
        let descriptor = self.text.slice(start..start + digits).parse().ok();
        if let Some(block) = self.block_mut() {
            block.redirect = Some(OpenRedirect { operator, descriptor });
        }
        self.at = start + digits + operator.len();
    }

    /// A redirection without a target is over: something else follows.
    pub fn missing_target(&mut self) {
        let at = self.at;
        if let Some(redirect) = self.block_mut().and_then(|block| block.redirect.take()) {
            self.error(Fault::Missing(redirect.operator), at..at);
        }
    }
}
