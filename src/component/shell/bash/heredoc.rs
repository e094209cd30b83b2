//! Here-documents, and scripts inside scripts.

use std::ops::Range;

use super::super::{Command, Context, Fault};
use super::frame::{Block, Frame, Kind, Open, OpenHeredoc, Owner, Window};
use super::machine::Machine;

/// How many scripts inside scripts are read. Each is read again for every one around it.
const MOST_SCRIPTS: usize = 8;

impl Machine<'_> {
    /// A here-document is announced; its lines follow the line break.
    pub fn open_heredoc(&mut self, delimiter: String, quoted: bool, tabs: bool, owner: Owner) {
        self.heredocs.push_back(OpenHeredoc { delimiter, quoted, tabs, owner });
    }

    /// A line begins: reads the lines of the next here-document that was announced.
    pub fn begin_heredoc(&mut self) {
        while let Some(heredoc) = self.heredocs.pop_front() {
            let (body, resume) = self.lines_up_to(&heredoc);
            let place = self.text.place(&body);
            let command = match heredoc.owner {
                Owner::Command(index, redirect) => {
                    let command = self.script.commands.get_mut(index);
                    if let Some(redirect) = command.and_then(|command| command.redirects.get_mut(redirect)) {
                        redirect.body = Some(place);
                    }
                    Some(index)
                }
                Owner::Block(index) => {
                    if let Some(redirect) = self.script.block_redirects.get_mut(index) {
                        redirect.body = Some(place);
                    }
                    None
                }
            };
            if self.read_lines(&heredoc, command, body, resume) {
                return;
            }
        }
    }

    /// Reads the lines; true if that needs further steps.
    fn read_lines(&mut self, heredoc: &OpenHeredoc, command: Option<usize>, body: Range<usize>, resume: usize) -> bool {
        let context = Context::Heredoc { quoted: heredoc.quoted };
        let script = command.filter(|index| self.is_fed_to_shell(*index));
        if heredoc.quoted || script.is_some() {
            self.mark(&body, context);
            self.claim(&body, command);
        }
        self.at = body.start;
        if let Some(command) = script.filter(|_| self.scripts < MOST_SCRIPTS) {
            self.enter_script(command, body.end, resume);
            return true;
        }
        if heredoc.quoted {
            self.at = resume;
            return false;
        }
        self.words.push(Open::new(body.start, context, command));
        let window = self.enter(body.end, resume);
        self.frames.push(Frame::Heredoc { window });
        true
    }

    /// The lines before the delimiter, and where the text goes on after it.
    fn lines_up_to(&mut self, heredoc: &OpenHeredoc) -> (Range<usize>, usize) {
        let start = self.at;
        let mut line = start;
        while line < self.end {
            let end = self.run_end(line, b"\n");
            let written = self.text.slice(line..end);
            let written = if heredoc.tabs { written.trim_start_matches('\t') } else { written };
            if written.strip_suffix('\r').unwrap_or(written) == heredoc.delimiter {
                return (start..line, (end + 1).min(self.end));
            }
            line = end + 1;
        }
        self.error(Fault::Unclosed("<<"), start..start);
        (start.min(self.end)..self.end, self.end)
    }

    /// The expansions of a here-document; quotes mean nothing there.
    pub fn step_heredoc(&mut self) {
        let context = Context::Heredoc { quoted: false };
        match self.peek(0) {
            Some(b'$') => self.dollar(true, context),
            Some(b'`') => self.backquotes(true),
            Some(b'\\') => {
                let end = self.character_end(self.at + 1);
                self.take(&(self.at..end), context, true);
            }
            _ => {
                let end = self.run_end(self.at + 1, b"$`\\");
                self.take(&(self.at..end), context, true);
            }
        }
    }

    /// The text ends, and lines that were announced are missing.
    pub fn forget_heredocs(&mut self) {
        let at = self.at;
        if self.heredocs.pop_front().is_some() {
            self.error(Fault::Unclosed("<<"), at..at);
        }
    }

    fn enter_script(&mut self, command: usize, end: usize, resume: usize) {
        let scope = self.script_scope(command);
        let mut block = Block::new(Kind::Script, self.at, scope, self.script.commands.len());
        block.window = Some(self.enter(end, resume));
        self.scripts += 1;
        let waiting = std::mem::take(&mut self.heredocs);
        self.outer_heredocs.push(waiting);
        self.frames.push(Frame::Block(Box::new(block)));
    }

    pub fn leave_script(&mut self, window: Window) {
        self.forget_heredocs();
        self.leave(window);
        self.scripts -= 1;
        self.heredocs = self.outer_heredocs.pop().unwrap_or_default();
        // Only where a line begins: a script that was an argument ends in the middle of one.
        if self.at > 0 && self.byte(self.at - 1) == Some(b'\n') {
            self.begin_heredoc();
        }
    }

    /// Reads the text behind the `-c` of a shell, if it is known.
    pub fn open_script_argument(&mut self, command: usize) -> bool {
        let text = self.script.commands.get(command).and_then(script_argument).filter(|_| self.scripts < MOST_SCRIPTS);
        let Some(text) = text else { return false };
        let resume = self.at;
        self.at = text.start;
        self.enter_script(command, text.end, resume);
        // The text was read before: it may lie behind where the machine stands.
        true
    }

    /// Whether the lines of a here-document are commands for a shell, directly or through `cat`.
    fn is_fed_to_shell(&self, index: usize) -> bool {
        let Some(command) = self.script.commands.get(index) else { return false };
        let fed = |command: &Command| command.invocation().is_some_and(|invocation| invocation.reads_script());
        let last = || {
            let pipeline = self.script.pipelines.get(command.pipeline?)?;
            self.script.commands.get(pipeline.stages.last()?.command?)
        };
        fed(command) || (command.name() == Some("cat") && last().is_some_and(fed))
    }
}

fn script_argument(command: &Command) -> Option<Range<usize>> {
    command.invocation()?.script_argument()?.verbatim.clone()
}
