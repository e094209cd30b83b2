//! The reader: once over the text, with a stack of the brackets that are open.

use std::ops::Range;

use super::super::text::Text;
use super::super::{Context, Coverage, DEEPEST_NESTING, Expansion, Fault, Quoting, SyntaxError, Word};
use super::{PowerShell, PowerShellAssignment, PowerShellCommand, PowerShellPipeline, PowerShellScope};

/// What is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    close: u8,
    start: usize,
    /// What stands in it.
    scope: PowerShellScope,
    /// The command it is an argument of.
    parent: Option<usize>,
    statement: Statement,
    /// `"…"` around `$(…)`: the string goes on after it.
    pub string: Option<usize>,
}

/// The statement that is read in a frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Statement {
    command: Option<usize>,
    pipeline: Option<usize>,
    /// The keyword it begins with decides what its blocks are.
    conditional: bool,
    repeats: bool,
    function: bool,
    /// It begins with another keyword that has a block, such as `try`.
    block: bool,
    /// Right of `&&` or `||`.
    chained: bool,
    /// The next word is the target of a redirection.
    redirects: bool,
}

impl Statement {
    fn is_keyword(self) -> bool {
        self.conditional || self.repeats || self.function || self.block
    }
}

/// Everything that changes while a script is read.
pub(super) struct Reader<'a> {
    pub text: &'a Text,
    /// The next byte.
    pub at: usize,
    frames: Vec<Frame>,
    /// The word that is being read.
    pub word: Option<Open>,
    script: PowerShell,
    /// The bytes of each command.
    spans: Vec<Range<usize>>,
    pub contexts: Vec<Context>,
    owners: Vec<Option<usize>>,
}

/// A word that is being read.
#[derive(Debug)]
pub(super) struct Open {
    pub start: usize,
    pub text: String,
    pub dynamic: bool,
    pub bare: bool,
    pub quoted: bool,
}

pub(super) fn read(text: &Text) -> PowerShell {
    let mut reader = Reader {
        text,
        at: 0,
        frames: Vec::new(),
        word: None,
        script: PowerShell::default(),
        spans: Vec::new(),
        contexts: vec![Context::Unquoted; text.expressions.len()],
        owners: vec![None; text.expressions.len()],
    };
    reader.open(0, 0);
    while let Some(byte) = reader.peek(0) {
        if reader.frames.len() > DEEPEST_NESTING {
            return PowerShell { coverage: Coverage::TooDeep, ..PowerShell::default() };
        }
        reader.step(byte);
    }
    reader.finish()
}

impl Reader<'_> {
    pub fn frame(&mut self) -> Option<&mut Frame> {
        self.frames.last_mut()
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' => {
                self.end_word();
                self.at += 1;
            }
            b'\n' | b';' => {
                self.end_statement();
                self.at += 1;
            }
            b'`' => self.backtick(),
            b'<' if self.peek(1) == Some(b'#') => self.block_comment(),
            b'#' if self.word.is_none() => self.skip_to(self.line_end(), Context::Comment),
            b'\'' => self.single(),
            b'"' => {
                self.begin_word();
                self.string(self.at, 1);
            }
            b'@' if matches!(self.peek(1), Some(b'\'' | b'"')) => self.here_string(),
            b'$' if self.peek(1) == Some(b'{') => {
                self.begin_word();
                let end = self.find(b"}").map_or(self.text.masked.len(), |end| end + 1);
                self.take(end, Context::Unquoted, false);
            }
            b'@' | b'$' if matches!(self.peek(1), Some(b'(' | b'{')) => {
                self.begin_word();
                self.at += 1;
            }
            b'(' | b'{' => self.bracket(byte),
            b')' | b'}' => self.close(byte),
            b'|' | b'&' => self.operator(byte),
            b'>' => self.redirect(),
            b'=' if self.is_assignment() => self.assign(),
            _ => self.plain(),
        }
    }

    pub fn begin_word(&mut self) {
        let start = self.at;
        self.word.get_or_insert_with(|| Open {
            start,
            text: String::new(),
            dynamic: false,
            bare: false,
            quoted: false,
        });
        let current = self.frames.last().is_some_and(|frame| frame.statement.command.is_some());
        if !current {
            self.begin_command();
        }
    }

    fn begin_command(&mut self) {
        let start = self.at;
        let index = self.script.commands.len();
        let place = self.text.place(&(start..start));
        let Some(frame) = self.frame() else { return };
        frame.statement.command = Some(index);
        let mut scope = frame.scope;
        scope.conditional |= frame.statement.chained;
        let (parent, pipeline) = (frame.parent, frame.statement.pipeline);
        self.script.commands.push(PowerShellCommand { words: Vec::new(), pipeline, parent, scope, place });
        self.spans.push(start..start);
        if let Some(pipeline) = pipeline.and_then(|number| self.script.pipelines.get_mut(number)) {
            pipeline.stages.push(index);
        }
    }

    /// Opens the statements in a bracket; the word it stands in gets a sign for it.
    pub fn bracket(&mut self, open: u8) {
        let start = self.at;
        let keyword = self.word.is_none() && self.is_keyword_statement();
        if !keyword {
            self.begin_word();
        }
        if let Some(word) = &mut self.word {
            word.text.push_str(if open == b'(' { "()" } else { "{}" });
            word.dynamic = true;
            word.bare = true;
        }
        let held = self.word.take();
        if let Some(word) = held {
            self.push_word(word, start + 1);
        }
        self.open(if open == b'(' { b')' } else { b'}' }, start);
        self.at += 1;
    }

    fn open(&mut self, close: u8, start: usize) {
        let outer = self.frames.last().copied();
        let mut scope = outer.map(|frame| frame.scope).unwrap_or_default();
        let mut parent = outer.and_then(|frame| frame.parent);
        if let Some(Frame { statement, .. }) = outer {
            parent = statement.command.or(parent);
            scope.nested = true;
            scope.conditional |= statement.chained;
            if close == b'}' {
                let repeats = statement.command.and_then(|index| self.script.commands.get(index));
                scope.conditional |= statement.conditional;
                scope.in_loop |= statement.repeats || repeats.is_some_and(|command| command.runs("ForEach-Object"));
                scope.in_function |= statement.function;
            }
        }
        self.frames.push(Frame { close, start, scope, parent, statement: Statement::default(), string: None });
    }

    fn close(&mut self, byte: u8) {
        self.end_statement();
        let Some(frame) = self.frames.last().copied() else { return };
        if self.frames.len() == 1 || frame.close != byte {
            self.error(Fault::Unexpected(char::from(byte).to_string()), self.at..self.at + 1);
            self.at += 1;
            return;
        }
        self.frames.pop();
        self.at += 1;
        let statement = self.frames.last().map(|outer| outer.statement).unwrap_or_default();
        let keyword = statement.is_keyword();
        // The command goes on up to the end of its arguments.
        let at = self.at;
        if let Some(span) = statement.command.and_then(|index| self.spans.get_mut(index)) {
            span.end = span.end.max(at);
        }
        if let Some(start) = frame.string {
            self.begin_word();
            self.string(start, 0);
        } else if byte == b'}' && (keyword || statement.command.is_none()) {
            // The block of `if`, `foreach`, `function` ends the statement without a separator.
            self.end_statement();
        }
    }

    fn operator(&mut self, byte: u8) {
        let doubled = self.peek(1) == Some(byte);
        let command = self.frames.last().and_then(|frame| frame.statement.command);
        if byte == b'&' && !doubled && self.word.is_none() && self.is_empty_command(command) {
            // The call operator: what follows is the name.
            self.at += 1;
            return;
        }
        self.end_word();
        let Some(index) = self.frames.last().and_then(|frame| frame.statement.command) else {
            self.at += if doubled { 2 } else { 1 };
            return;
        };
        if byte == b'|' && !doubled {
            self.pipe(index);
            self.at += 1;
            return;
        }
        self.end_statement();
        if let Some(frame) = self.frame().filter(|_| doubled) {
            frame.statement.chained = true;
        }
        self.at += if doubled { 2 } else { 1 };
    }

    fn is_empty_command(&self, command: Option<usize>) -> bool {
        command.is_none_or(|index| self.script.commands.get(index).is_some_and(|command| command.words.is_empty()))
    }

    fn pipe(&mut self, index: usize) {
        let number = self.script.pipelines.len();
        let place = self.text.place(&self.spans[index]);
        let Some(frame) = self.frame() else { return };
        frame.statement.command = None;
        if frame.statement.pipeline.is_none() {
            frame.statement.pipeline = Some(number);
            self.script.commands[index].pipeline = Some(number);
            self.script.pipelines.push(PowerShellPipeline { stages: vec![index], place });
        }
    }

    fn redirect(&mut self) {
        // `2>` and `*>`: what stands before it is a stream.
        if self.word.as_ref().is_some_and(|word| matches!(word.text.as_str(), "*" | "1" | "2" | "3" | "4" | "5" | "6"))
        {
            self.word = None;
        }
        self.end_word();
        self.at += if self.peek(1) == Some(b'>') { 2 } else { 1 };
        if self.peek(0) == Some(b'&') {
            let target = self.peek(1).is_some_and(|byte| byte.is_ascii_digit());
            self.at += if target { 2 } else { 1 };
            return;
        }
        if let Some(frame) = self.frame() {
            frame.statement.redirects = true;
        }
    }

    /// Whether `=` assigns: what stands before it is all of the statement so far.
    fn is_assignment(&self) -> bool {
        let command = self.frames.last().and_then(|frame| frame.statement.command);
        let words = command.and_then(|index| self.script.commands.get(index)).map(|command| command.words.len());
        match (&self.word, words) {
            (Some(word), Some(0)) => word.text.starts_with(['$', '[']),
            // `a = 1`, `[int] $a = 1`, `$a += 1`
            (Some(word), Some(1 | 2)) => matches!(word.text.as_str(), "+" | "-" | "*" | "/" | "%" | "??"),
            (None, Some(1 | 2)) => true,
            _ => false,
        }
    }

    fn assign(&mut self) {
        self.end_word();
        self.at += 1;
        let end = self.at;
        let Some(index) = self.frames.last().and_then(|frame| frame.statement.command) else { return };
        let start = self.spans.get(index).map_or(end, |span| span.start);
        let scope = self.script.commands.get(index).map(|command| command.scope).unwrap_or_default();
        let target = self.script.commands.get(index).and_then(|command| {
            command.words.iter().rfind(|word| !matches!(word.text.as_str(), "+" | "-" | "*" | "/" | "%" | "??"))
        });
        let name = target.map(|word| word.text.clone()).unwrap_or_default();
        let name = name.rsplit(']').next().unwrap_or_default().trim_start_matches('$').to_owned();
        // Only if nothing stands inside it: `$a[(f)] = 1` keeps its command.
        if index + 1 == self.script.commands.len() {
            self.script.commands.truncate(index);
            self.spans.truncate(index);
        }
        if let Some(frame) = self.frame() {
            frame.statement.command = None;
        }
        let before = self.script.commands.len();
        let place = self.text.place(&(start..end));
        self.script.assignments.push(PowerShellAssignment { name, value: None, before, scope, place });
        self.begin_command();
    }

    pub fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            self.push_word(word, self.at);
        }
    }

    fn push_word(&mut self, open: Open, end: usize) {
        let range = open.start..end;
        let quoting = match (open.bare, open.quoted) {
            (true, true) => Quoting::Partly,
            (false, true) => Quoting::Whole,
            _ => Quoting::Bare,
        };
        let place = self.text.place(&range);
        let word = Word { text: open.text, dynamic: open.dynamic, quoting, tilde: false, place, verbatim: None };
        let Some(frame) = self.frames.last_mut() else { return };
        let Some(index) = frame.statement.command else { return };
        for number in self.text.expressions_within(&range) {
            self.owners[number].get_or_insert(index);
        }
        if std::mem::take(&mut frame.statement.redirects) {
            return;
        }
        let Some(command) = self.script.commands.get_mut(index) else { return };
        if let Some(span) = self.spans.get_mut(index) {
            // Behind an assignment it begins where its first word does.
            span.start = if command.words.is_empty() { range.start } else { span.start };
            span.end = span.end.max(end);
        }
        if let Some(assignment) = self.script.assignments.last_mut()
            && assignment.before == index
            && assignment.value.is_none()
            && command.words.is_empty()
        {
            assignment.value = Some(word.clone());
        }
        command.words.push(word);
        if command.words.len() == 1 && quoting == Quoting::Bare {
            self.keyword(index);
        }
    }

    /// A keyword is no command: it decides what the blocks of its statement are.
    fn keyword(&mut self, index: usize) {
        let text = self
            .script
            .commands
            .get(index)
            .and_then(|command| command.words.first())
            .map(|word| word.text.to_ascii_lowercase());
        let Some(frame) = self.frames.last_mut() else { return };
        let statement = &mut frame.statement;
        match text.as_deref().unwrap_or_default().trim_end_matches("()").trim_end_matches("{}") {
            "if" | "elseif" | "else" | "switch" | "catch" | "trap" => statement.conditional = true,
            "while" | "for" | "foreach" | "do" | "until" if statement.pipeline.is_none() => statement.repeats = true,
            "function" | "filter" => {
                statement.function = true;
                return;
            }
            "try" | "finally" | "begin" | "process" | "end" | "param" => statement.block = true,
            _ => return,
        }
        statement.command = None;
        self.script.commands.truncate(index);
        self.spans.truncate(index);
    }

    fn is_keyword_statement(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.statement.command.is_none() && frame.statement.is_keyword())
    }

    fn end_statement(&mut self) {
        self.end_word();
        let line_break = self.peek(0) == Some(b'\n');
        let Some(frame) = self.frames.last_mut() else { return };
        let statement = std::mem::take(&mut frame.statement);
        // A line that ends in an operator goes on.
        let goes_on = statement.command.is_none() && (statement.pipeline.is_some() || statement.chained);
        if goes_on && line_break {
            frame.statement = statement;
            return;
        }
        // `if (…)` may have its block on the next line.
        if statement.command.is_none() && line_break && !statement.function {
            frame.statement = Statement { pipeline: None, chained: false, ..statement };
        }
        if let Some(pipeline) = statement.pipeline.and_then(|number| self.script.pipelines.get_mut(number)) {
            let span =
                |index: Option<&usize>| index.and_then(|index| self.spans.get(*index)).cloned().unwrap_or_default();
            let range = span(pipeline.stages.first()).start..span(pipeline.stages.last()).end;
            pipeline.place = self.text.place(&range);
        }
    }

    pub fn error(&mut self, fault: Fault, range: Range<usize>) {
        if self.script.errors.len() < 50 {
            let place = self.text.place(&range);
            self.script.errors.push(SyntaxError { fault, place });
        }
    }

    fn finish(mut self) -> PowerShell {
        self.end_statement();
        for frame in self.frames.split_off(1) {
            let opener = if frame.close == b')' { "(" } else { "{" };
            self.error(Fault::Unclosed(opener), frame.start..frame.start + 1);
        }
        for (command, span) in self.script.commands.iter_mut().zip(&self.spans) {
            command.place = self.text.place(span);
        }
        for (number, range) in self.text.expressions.iter().enumerate() {
            let place = self.text.place(range);
            self.script.expressions.push(Expansion {
                text: self.text.inside(number).to_owned(),
                context: self.contexts[number],
                command: self.owners[number],
                place,
            });
        }
        self.script
    }
}
