//! What ends commands, pipelines and lists, and what becomes of a word.

use std::ops::Range;

use super::super::{
    Assignment, Command, CommandKind, Embedding, Fault, Guard, GuardKind, Pipeline, Scope, Stage, Word,
};
use super::frame::{Frame, Kind, Open, Owner};
use super::machine::Machine;

impl Machine<'_> {
    /// The command that is being read; a new one if there is none.
    pub fn ensure_command(&mut self, start: usize, kind: CommandKind) -> Option<usize> {
        let index = self.script.commands.len();
        let place = self.text.place(&(start..start));
        let block = self.block_mut()?;
        if block.current.is_some() {
            return block.current;
        }
        block.current = Some(index);
        let in_condition = block.scope.in_condition || block.negated;
        if block.pipeline.is_none() && block.stage_start == index {
            block.pipeline_start = start;
        }
        let (scope, pipeline) = (block.scope, block.pipeline);
        self.script.commands.push(Command {
            kind,
            words: Vec::new(),
            assignments: Vec::new(),
            redirects: Vec::new(),
            background: false,
            pipeline,
            in_condition,
            scope,
            place,
        });
        self.spans.push(start..start);
        Some(index)
    }

    /// The command that is being read was none. It is the last: a word without expansions has no commands inside.
    pub fn discard_command(&mut self) {
        if let Some(index) = self.block_mut().and_then(|block| block.current.take()) {
            self.script.commands.truncate(index);
            self.spans.truncate(index);
        }
    }

    /// The open word is complete: hands it to what it stands in.
    pub fn finish_word(&mut self) {
        self.frames.pop();
        let Some((open, word)) = self.close_word() else { return };
        match self.frames.last() {
            Some(Frame::Block(_)) => self.deliver(open, word),
            Some(Frame::Test { .. }) => self.push_word(open.command, word),
            _ => {
                // An element of an array: the array is as static as its elements are.
                if let Some(outer) = self.words.last_mut() {
                    outer.dynamic |= word.dynamic;
                    outer.touch(false);
                }
            }
        }
    }

    fn deliver(&mut self, open: Open, word: Word) {
        let Some(block) = self.block_mut() else { return };
        let (header, current, function_name) = (block.in_header(), block.current, block.function_name);
        if block.redirect.is_some() {
            self.attach_redirect(&open, word);
        } else if header {
            self.header_word(&open, &word);
        } else if function_name {
            if let Some(block) = self.block_mut() {
                block.function_name = false;
            }
            let known = !word.dynamic;
            self.push_word(current, word);
            if known {
                self.define_function(current.unwrap_or_default());
            } else {
                self.unexpected(open.start..self.at);
            }
        } else if !self.reserved(&open, &word) {
            self.reject_if_complete(open.start..self.at);
            match open.assignment {
                Some((name, _, appends)) => {
                    self.extend_span(current);
                    if let Some(command) = current.and_then(|index| self.script.commands.get_mut(index)) {
                        command.assignments.push(Assignment { name, value: word, appends });
                    }
                }
                None => self.push_word(current, word),
            }
        }
    }

    fn push_word(&mut self, command: Option<usize>, word: Word) {
        self.extend_span(command);
        if let Some(command) = command.and_then(|index| self.script.commands.get_mut(index)) {
            command.words.push(word);
        }
    }

    fn extend_span(&mut self, command: Option<usize>) {
        let at = self.at;
        if let Some(span) = command.and_then(|index| self.spans.get_mut(index)) {
            span.end = span.end.max(at);
        }
    }

    fn attach_redirect(&mut self, open: &Open, word: Word) {
        let Some(block) = self.block_mut() else { return };
        let (Some(redirect), current) = (block.redirect.take(), block.current) else { return };
        let (operator, delimiter) = (redirect.operator, word.text.clone());
        let redirect = redirect.with(word);
        self.extend_span(current);
        let command = current.and_then(|index| Some((index, self.script.commands.get_mut(index)?)));
        let owner = if let Some((index, command)) = command {
            command.redirects.push(redirect);
            Owner::Command(index, command.redirects.len() - 1)
        } else {
            self.script.block_redirects.push(redirect);
            Owner::Block(self.script.block_redirects.len() - 1)
        };
        if matches!(operator, "<<" | "<<-") {
            self.open_heredoc(delimiter, open.quoted, operator == "<<-", owner);
        }
    }

    /// A compound command is complete, and something stands directly behind it.
    pub fn reject_if_complete(&mut self, range: Range<usize>) {
        if self.block().is_some_and(|block| block.complete) {
            self.unexpected(range);
            if let Some(block) = self.block_mut() {
                block.complete = false;
            }
        }
    }

    /// Ends the command that is being read, if there is one. True if a script inside it is to be read first.
    pub fn finish_command(&mut self) -> bool {
        self.missing_target();
        let Some(block) = self.block_mut() else { return false };
        let Some(index) = block.current else { return false };
        self.complete_command();
        self.open_script_argument(index)
    }

    /// The command that is being read is complete, whatever kind it is.
    pub fn complete_command(&mut self) {
        if let Some(block) = self.block_mut() {
            block.stage_command = block.current.take();
            block.complete = true;
            block.awaits = None;
            block.function = None;
        }
        // A test or an arithmetic command reaches to its brackets; others end where their last word does.
        let index = self.block().and_then(|block| block.stage_command);
        let command = index.and_then(|index| self.script.commands.get(index));
        if command.is_some_and(|command| command.kind != CommandKind::Simple) {
            self.extend_span(index);
        }
    }

    /// `|`.
    pub fn pipe(&mut self, operator: &'static str) {
        if !self.require_command(self.at..self.at + operator.len()) {
            return;
        }
        self.at += operator.len();
        self.end_stage(true);
        if let Some(block) = self.block_mut() {
            block.awaits = Some(operator);
            block.complete = false;
        }
    }

    /// Adds the current stage to the pipeline, which begins with it if another follows.
    fn end_stage(&mut self, another: bool) {
        let commands = self.script.commands.len();
        let number = self.script.pipelines.len();
        let Some(block) = self.block_mut() else { return };
        let stage = Stage { command: block.stage_command.take(), inside: block.stage_start..commands };
        let (scope, negated, start) = (block.scope, block.negated, block.pipeline_start);
        block.stage_start = commands;
        if another {
            block.pipeline.get_or_insert(number);
        }
        let Some(pipeline) = block.pipeline else { return };
        if pipeline == number {
            let place = self.text.place(&(start..start));
            let checked = scope.in_condition;
            self.script.pipelines.push(Pipeline { stages: Vec::new(), negated, checked, scope, place });
        }
        if let Some(command) = stage.command.and_then(|index| self.script.commands.get_mut(index)) {
            command.pipeline = Some(pipeline);
        }
        if let Some(pipeline) = self.script.pipelines.get_mut(pipeline) {
            pipeline.stages.push(stage);
        }
    }

    /// Ends the pipeline that is being read.
    fn end_pipeline(&mut self, checked: bool) {
        self.end_stage(false);
        let before = self.text.masked.get(..self.at).unwrap_or_default();
        let end = before.trim_ascii_end().len();
        let Some(block) = self.block_mut() else { return };
        let (pipeline, negated, from) = (block.pipeline.take(), block.negated, block.element_start);
        let start = block.pipeline_start;
        block.negated = false;
        let place = self.text.place(&(start..end.max(start)));
        if let Some(pipeline) = pipeline.and_then(|index| self.script.pipelines.get_mut(index)) {
            pipeline.checked |= checked || negated;
            pipeline.place = place;
        }
        if negated || checked {
            self.mark_conditions(from);
        }
    }

    fn mark_conditions(&mut self, from: usize) {
        for command in self.script.commands.iter_mut().skip(from) {
            command.in_condition = true;
        }
    }

    /// `&&` or `||`.
    pub fn and_or(&mut self, operator: &'static str, kind: GuardKind) {
        if !self.require_command(self.at..self.at + 2) {
            return;
        }
        self.end_pipeline(true);
        self.at += 2;
        let commands = self.script.commands.len();
        let number = self.script.guards.len();
        let Some(block) = self.block_mut() else { return };
        block.scope.guard = Some(number);
        block.element_start = commands;
        block.complete = false;
        block.awaits = Some(operator);
        let guard = Guard { kind, conditions: block.list_start..commands, parent: block.base_guard };
        self.script.guards.push(guard);
    }

    /// Ends a list such as `a && b`, by a separator or because what encloses it ends.
    pub fn end_list(&mut self, background: bool) {
        self.end_pipeline(false);
        let commands = self.script.commands.len();
        let Some(block) = self.block_mut() else { return };
        let from = block.list_start;
        block.scope.guard = block.base_guard;
        block.complete = false;
        block.awaits = None;
        block.stage_command = None;
        (block.list_start, block.element_start, block.stage_start) = (commands, commands, commands);
        if background {
            for command in self.script.commands.iter_mut().skip(from) {
                command.background = true;
            }
        }
    }

    /// Ends the list of the innermost block because what encloses it ends. True if a script is to be read first.
    pub fn end_statement(&mut self) -> bool {
        if self.finish_command() {
            return true;
        }
        let at = self.at;
        if let Some(awaits) = self.block().and_then(|block| block.awaits) {
            self.error(Fault::Missing(awaits), at..at);
        }
        self.end_list(false);
        false
    }

    /// The text ends inside a block.
    pub fn end_block(&mut self) {
        if self.end_statement() {
            return;
        }
        let Some(block) = self.block() else { return };
        let (kind, start, window) = (block.kind, block.start, block.window);
        match (kind, window) {
            (Kind::Root, _) => {
                self.frames.pop();
                self.forget_heredocs();
            }
            (Kind::Script, Some(window)) => {
                self.frames.pop();
                self.leave_script(window);
            }
            (_, Some(window)) => {
                self.frames.pop();
                self.leave(window);
            }
            _ => {
                self.error(Fault::Unclosed(kind.opener()), start..start + kind.opener().len());
                self.close_block();
            }
        }
    }

    /// What a script inside a command stands in.
    pub fn script_scope(&self, command: usize) -> Scope {
        let scope = self.script.commands.get(command).map(|command| command.scope).unwrap_or_default();
        Scope { in_subshell: true, parent: Some((command, Embedding::Script)), ..scope }
    }
}
