//! Reserved words.

use super::super::{CommandKind, GuardKind, Word};
use super::frame::{Case, For, Frame, If, Kind, Loop, Open};
use super::machine::Machine;

impl Machine<'_> {
    /// Does what a word does if it is reserved and stands where a command begins.
    pub fn reserved(&mut self, open: &Open, word: &Word) -> bool {
        let at_start = self.block().and_then(|block| block.current).is_some_and(|index| {
            self.script.commands.get(index).is_some_and(|command| {
                command.words.is_empty() && command.assignments.is_empty() && command.redirects.is_empty()
            })
        });
        if !at_start || open.quoted || open.dynamic || open.assignment.is_some() {
            return false;
        }
        let start = open.start;
        match word.text.as_str() {
            "if" => self.open_compound(Kind::IF, start),
            "while" | "until" => self.open_compound(Kind::WHILE, start),
            "for" | "select" => self.open_compound(Kind::FOR, start),
            "case" => self.open_compound(Kind::CASE, start),
            "{" => self.open_compound(Kind::Group, start),
            "[[" => self.open_test(start),
            "then" | "elif" | "else" | "fi" | "do" | "done" | "esac" | "}" => self.closing(word.text.as_str(), start),
            "!" | "time" | "coproc" | "function" => self.prefix(word.text.as_str(), start),
            // An option of `time`, which is not a command here.
            "-p" if self.text.slice(0..start).trim_end().ends_with("time") => self.discard_command(),
            _ => return false,
        }
        true
    }

    fn open_compound(&mut self, kind: Kind, start: usize) {
        self.discard_command();
        self.open_block(kind, start);
    }

    fn open_test(&mut self, start: usize) {
        self.reject_if_complete(start..self.at);
        let current = self.block().and_then(|block| block.current);
        if let Some(command) = current.and_then(|index| self.script.commands.get_mut(index)) {
            command.kind = CommandKind::Test;
        }
        self.frames.push(Frame::Test { start });
    }

    fn prefix(&mut self, word: &str, start: usize) {
        self.reject_if_complete(start..self.at);
        self.discard_command();
        if let Some(block) = self.block_mut() {
            match word {
                "!" => block.negated = !block.negated,
                "function" => block.function_name = true,
                _ => {}
            }
        }
    }

    /// A word that ends a list and perhaps what encloses it.
    fn closing(&mut self, word: &str, start: usize) {
        self.discard_command();
        let Some(kind) = self.block().map(|block| block.kind) else { return };
        let commands = self.script.commands.len();
        let fits = matches!(
            (kind, word),
            (Kind::If(If::Condition), "then")
                | (Kind::If(If::Then), "elif" | "else" | "fi")
                | (Kind::If(If::Else), "fi")
                | (Kind::While(Loop::Condition), "do")
                | (Kind::While(Loop::Body) | Kind::For(For::Body), "done")
                | (Kind::Group | Kind::For(For::Braces), "}")
                | (Kind::Case(Case::Body), "esac")
        );
        if !fits {
            self.unexpected(start..self.at);
            // What stands behind it is not wrong as well.
            if let Some(block) = self.block_mut() {
                block.complete = true;
            }
            return;
        }
        if matches!(word, "fi" | "done" | "}" | "esac") {
            self.close_block();
            return;
        }
        self.end_statement();
        let conditions = self.block().map(|block| block.conditions.clone()).unwrap_or_default();
        match word {
            "then" => self.enter_stage(Kind::If(If::Then), GuardKind::Then, conditions.start..commands),
            "else" => self.enter_stage(Kind::If(If::Else), GuardKind::Else, conditions),
            "elif" => self.enter_elif(commands),
            _ => {
                self.enter_stage(Kind::While(Loop::Body), GuardKind::While, conditions.start..commands);
                if let Some(block) = self.block_mut() {
                    block.scope.in_loop = true;
                }
            }
        }
    }

    fn enter_stage(&mut self, kind: Kind, guard: GuardKind, conditions: std::ops::Range<usize>) {
        self.guard_block(guard, conditions);
        if let Some(block) = self.block_mut() {
            block.kind = kind;
        }
    }

    fn enter_elif(&mut self, commands: usize) {
        if let Some(block) = self.block_mut() {
            block.kind = Kind::IF;
            block.base_guard = block.outer_guard;
            block.scope.guard = block.outer_guard;
            block.scope.in_condition = true;
            block.conditions = commands..commands;
        }
    }
}
