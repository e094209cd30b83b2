//! The machine: what is open, how far the text is read, and what was found.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::text::Text;
use super::super::{
    Context, Coverage, DEEPEST_NESTING, Expansion, Fault, Quoting, Scope, Script, SyntaxError, Word, options,
};
use super::frame::{Block, Frame, Kind, Open, OpenHeredoc, Window};

/// More is of no use to anyone: they all come from the first few.
const MOST_ERRORS: usize = 50;

/// Everything that changes while a script is read.
pub(super) struct Machine<'a> {
    pub text: &'a Text,
    /// The next byte.
    pub at: usize,
    /// Where the part that is read ends.
    pub end: usize,
    pub frames: Vec<Frame>,
    /// The words that are open; each belongs to one frame.
    pub words: Vec<Open>,
    /// How many `(`, `$(` and `<(` are open in the part that is read.
    pub parentheses: usize,
    /// How many scripts inside scripts are open.
    pub scripts: usize,
    pub heredocs: VecDeque<OpenHeredoc>,
    /// Those of the scripts around the one that is read.
    pub outer_heredocs: Vec<VecDeque<OpenHeredoc>>,
    pub script: Script,
    /// The bytes of each command.
    pub spans: Vec<Range<usize>>,
    contexts: Vec<Option<Context>>,
    owners: Vec<Option<usize>>,
}

/// Reads a text.
pub(super) fn read(text: &Text) -> Script {
    let mut machine = Machine::new(text);
    let root = Block::new(Kind::Root, 0, Scope::default(), 0);
    machine.frames.push(Frame::Block(Box::new(root)));
    if !machine.run() {
        return Script { coverage: Coverage::TooDeep, ..Script::default() };
    }
    machine.finish()
}

impl<'a> Machine<'a> {
    fn new(text: &'a Text) -> Self {
        Self {
            text,
            at: 0,
            end: text.masked.len(),
            frames: Vec::new(),
            words: Vec::new(),
            parentheses: 0,
            scripts: 0,
            heredocs: VecDeque::new(),
            outer_heredocs: Vec::new(),
            script: Script::default(),
            spans: Vec::new(),
            contexts: vec![None; text.expressions.len()],
            owners: vec![None; text.expressions.len()],
        }
    }

    /// Steps until nothing is open any more; false if it nests too deep. Every step consumes something or closes
    /// something, so it ends.
    fn run(&mut self) -> bool {
        while let Some(frame) = self.frames.last() {
            if self.frames.len() > DEEPEST_NESTING {
                return false;
            }
            if self.at >= self.end {
                self.close_at_end();
                continue;
            }
            match *frame {
                Frame::Block(_) => self.step_block(),
                Frame::Word => self.step_word(),
                Frame::Double { start } => self.step_double(start),
                Frame::Parameter { quoted, .. } => self.step_parameter(quoted),
                Frame::Arithmetic { depth, command, .. } => self.step_arithmetic(depth, command),
                Frame::Array { .. } => self.step_array(),
                Frame::Glob { depth, .. } => self.step_glob(depth),
                Frame::Test { start } => self.step_test(start),
                Frame::Heredoc { .. } => self.step_heredoc(),
            }
        }
        true
    }

    fn finish(mut self) -> Script {
        for (command, span) in self.script.commands.iter_mut().zip(&self.spans) {
            command.place = self.text.place(span);
        }
        for (number, range) in self.text.expressions.iter().enumerate() {
            self.script.expressions.push(Expansion {
                text: self.text.inside(number).to_owned(),
                // None is left out by intent; should one be, it is safest to take it for the worst.
                context: self.contexts[number].unwrap_or(Context::Unquoted),
                command: self.owners[number],
                place: self.text.place(range),
            });
        }
        self.script.settings = options::settings(&self.script);
        self.script
    }

    /// The byte so many ahead.
    pub fn peek(&self, ahead: usize) -> Option<u8> {
        self.byte(self.at + ahead)
    }

    pub fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end { self.text.masked.get(at).copied() } else { None }
    }

    /// Where the run of bytes that are none of these ends.
    pub fn run_end(&self, from: usize, stops: &[u8]) -> usize {
        let rest = self.text.masked.get(from..self.end).unwrap_or_default();
        from + rest.iter().position(|byte| stops.contains(byte)).unwrap_or(rest.len())
    }

    /// How many bytes from here on are of a kind.
    pub fn run_of(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.masked.get(from..self.end).unwrap_or_default();
        rest.iter().take_while(|byte| is(**byte)).count()
    }

    /// Whether a line ends here, with or without a carriage return.
    pub fn is_line_end(&self, at: usize) -> bool {
        match self.byte(at) {
            Some(b'\n') => true,
            Some(b'\r') => matches!(self.byte(at + 1), Some(b'\n') | None),
            _ => false,
        }
    }

    /// How many bytes a backslash and the line break after it take, if that is what stands here.
    pub fn continuation(&self) -> Option<usize> {
        match (self.peek(0)?, self.peek(1)?, self.peek(2)) {
            (b'\\', b'\n', _) => Some(2),
            (b'\\', b'\r', Some(b'\n')) => Some(3),
            _ => None,
        }
    }

    pub fn block(&self) -> Option<&Block> {
        match self.frames.last() {
            Some(Frame::Block(block)) => Some(block),
            _ => None,
        }
    }

    pub fn block_mut(&mut self) -> Option<&mut Block> {
        match self.frames.last_mut() {
            Some(Frame::Block(block)) => Some(block),
            _ => None,
        }
    }

    /// The innermost list of commands, also from within a word.
    pub fn enclosing_scope(&self) -> Scope {
        let block = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Block(block) => Some(block.scope),
            _ => None,
        });
        block.unwrap_or_default()
    }

    pub fn error(&mut self, fault: Fault, range: Range<usize>) {
        if self.script.errors.len() < MOST_ERRORS {
            let place = self.text.place(&range);
            self.script.errors.push(SyntaxError { fault, place });
        }
    }

    /// An error about something of the text that cannot stand here.
    pub fn unexpected(&mut self, range: Range<usize>) {
        let text = self.text.slice(range.clone()).to_owned();
        self.error(Fault::Unexpected(text), range);
    }

    /// Notes what stands around the expressions of a stretch, unless something further inside was noted before.
    pub fn mark(&mut self, range: &Range<usize>, context: Context) {
        for number in self.text.expressions_within(range) {
            self.contexts[number].get_or_insert(context);
        }
    }

    /// Notes which command the expressions of a stretch belong to, unless they belong to one further inside.
    pub fn claim(&mut self, range: &Range<usize>, command: Option<usize>) {
        if let Some(command) = command {
            for number in self.text.expressions_within(range) {
                self.owners[number].get_or_insert(command);
            }
        }
    }

    /// Makes the rest of the text invisible until [`Self::leave`].
    pub fn enter(&mut self, end: usize, resume: usize) -> Window {
        let window = Window { outer_end: self.end, resume, outer_parentheses: self.parentheses };
        self.end = end;
        self.parentheses = 0;
        window
    }

    pub fn leave(&mut self, window: Window) {
        self.end = window.outer_end;
        self.at = window.resume;
        self.parentheses = window.outer_parentheses;
    }

    /// Takes the innermost open word as finished.
    pub fn close_word(&mut self) -> Option<(Open, Word)> {
        let open = self.words.pop()?;
        let start = open.assignment.as_ref().map_or(open.start, |(_, value, _)| *value);
        let quoting = match (open.bare, open.quoted) {
            (true, true) => Quoting::Partly,
            (false, true) => Quoting::Whole,
            _ => Quoting::Bare,
        };
        let word = Word {
            text: open.text.clone(),
            dynamic: open.dynamic,
            quoting,
            tilde: open.tilde,
            place: self.text.place(&(start..self.at)),
            verbatim: open.verbatim.clone().filter(|_| !open.dynamic && !open.bare),
        };
        self.claim(&(open.start..self.at), open.command);
        Some((open, word))
    }

    /// The text is at its end, or the part of it that is read: closes the innermost thing that is open.
    fn close_at_end(&mut self) {
        match self.frames.last() {
            Some(Frame::Block(_)) => self.end_block(),
            Some(Frame::Word) => self.finish_word(),
            Some(Frame::Heredoc { window }) => {
                let window = *window;
                self.frames.pop();
                self.close_word();
                self.leave(window);
                self.begin_heredoc();
            }
            Some(&Frame::Test { start }) => {
                self.error(Fault::Unclosed("[["), start..start + 2);
                self.finish_test();
            }
            Some(&Frame::Arithmetic { start, command, .. }) => {
                self.error(Fault::Unclosed("(("), start..start + 2);
                self.finish_arithmetic(command);
            }
            Some(&(Frame::Double { start } | Frame::Array { start } | Frame::Glob { start, .. })) => {
                let double = matches!(self.frames.pop(), Some(Frame::Double { .. }));
                self.error(Fault::Unclosed(if double { "\"" } else { "(" }), start..start + 1);
            }
            Some(&Frame::Parameter { start, .. }) => {
                self.frames.pop();
                self.error(Fault::Unclosed("${"), start..start + 2);
            }
            None => {}
        }
    }
}
