//! Compound commands: what opens and closes them, and their headers.

use super::super::{Context, Fault, Function, Guard, GuardKind, Scope, Word};
use super::frame::{Block, Case, For, Frame, If, Kind, Loop, Open};
use super::lexical::is_name;
use super::machine::Machine;

impl Machine<'_> {
    /// Opens a compound command where a command may stand.
    pub fn open_block(&mut self, kind: Kind, start: usize) {
        self.reject_if_complete(start..self.at.max(start + 1));
        let commands = self.script.commands.len();
        let Some(block) = self.block_mut() else { return };
        let mut scope = block.scope;
        scope.in_condition |= block.negated;
        scope.in_subshell |= kind == Kind::Subshell;
        if let Some(function) = block.function.take() {
            // When a function runs is decided where it is called.
            let Scope { in_subshell, parent, .. } = scope;
            scope = Scope { function: Some(function), in_subshell, parent, ..Scope::default() };
        }
        if block.pipeline.is_none() && block.stage_start == commands {
            block.pipeline_start = start;
        }
        block.awaits = None;
        let mut inner = Block::new(kind, start, scope, commands);
        match kind {
            Kind::If(_) | Kind::While(_) => inner.scope.in_condition = true,
            Kind::For(_) => inner.scope.in_loop = true,
            _ => {}
        }
        self.frames.push(Frame::Block(Box::new(inner)));
    }

    /// Closes the innermost block; what follows is what may follow a complete command.
    pub fn close_block(&mut self) {
        if self.block().is_some_and(|block| !block.in_header()) && self.end_statement() {
            return;
        }
        let embedded = self.block().is_some_and(|block| block.kind.is_embedded());
        self.frames.pop();
        if let Some(block) = self.block_mut().filter(|_| !embedded) {
            block.complete = true;
            block.current = None;
            block.stage_command = None;
        }
    }

    /// Puts what follows in the block under a condition.
    pub fn guard_block(&mut self, kind: GuardKind, conditions: std::ops::Range<usize>) {
        let number = self.script.guards.len();
        let Some(block) = self.block_mut() else { return };
        block.conditions = conditions.clone();
        block.base_guard = Some(number);
        block.scope.guard = Some(number);
        block.scope.in_condition = block.outer_condition;
        let parent = block.outer_guard;
        self.script.guards.push(Guard { kind, conditions, parent });
    }

    pub fn define_function(&mut self, command: usize) {
        let word = self.script.commands.get(command).and_then(|command| command.words.first());
        let Some((name, place)) = word.map(|word| (word.text.clone(), word.place.clone())) else { return };
        self.discard_command();
        let number = self.script.functions.len();
        self.script.functions.push(Function { name, place });
        if let Some(block) = self.block_mut() {
            block.function = Some(number);
            block.awaits = Some("()");
        }
    }

    /// The branch of a `case` is over.
    pub fn next_pattern(&mut self) {
        if let Some(block) = self.block_mut() {
            block.kind = Kind::Case(Case::Pattern);
            block.base_guard = block.outer_guard;
            block.scope.guard = block.outer_guard;
        }
    }

    /// Between a reserved word and the list that belongs to it.
    pub fn step_header(&mut self, byte: u8) {
        let Some(kind) = self.block().map(|block| block.kind) else { return };
        match (kind, byte) {
            (Kind::For(For::In | For::Words), b'\n' | b';') => {
                self.set_kind(Kind::For(For::Do));
                self.at += 1;
            }
            (Kind::For(For::Name), b'(') if self.peek(1) == Some(b'(') => {
                self.set_kind(Kind::For(For::Do));
                self.words.push(Open::new(self.at, Context::Arithmetic, None));
                self.frames.push(Frame::Arithmetic { start: self.at, depth: 0, command: true });
                self.at += 2;
            }
            (Kind::Case(Case::Pattern), b')') => self.open_branch(),
            (Kind::Case(Case::Pattern), b'(' | b'|') | (_, b'\n') | (Kind::For(For::Do), b';') => self.at += 1,
            (_, b')') => self.close_parenthesis(),
            (_, b'<' | b'>') if self.peek(1) == Some(b'(') => self.start_word(),
            (_, b';' | b'&' | b'|' | b'(' | b'<' | b'>') => {
                self.unexpected(self.at..self.at + 1);
                self.at += 1;
            }
            _ => self.start_word(),
        }
    }

    fn set_kind(&mut self, kind: Kind) {
        if let Some(block) = self.block_mut() {
            block.kind = kind;
            block.complete = false;
        }
    }

    /// `)` behind the pattern of a `case`.
    fn open_branch(&mut self) {
        self.at += 1;
        let commands = self.script.commands.len();
        self.guard_block(GuardKind::Case, commands..commands);
        self.set_kind(Kind::Case(Case::Body));
        if let Some(block) = self.block_mut() {
            (block.list_start, block.element_start, block.stage_start) = (commands, commands, commands);
        }
    }

    pub fn header_word(&mut self, open: &Open, word: &Word) {
        let Some(kind) = self.block().map(|block| block.kind) else { return };
        let bare = if open.quoted || open.dynamic { "" } else { word.text.as_str() };
        match (kind, bare) {
            (Kind::For(For::Name), _) => {
                self.set_kind(Kind::For(For::In));
                if !is_name(bare) {
                    self.unexpected(open.start..self.at);
                }
            }
            (Kind::For(For::In), "in") => self.set_kind(Kind::For(For::Words)),
            (Kind::For(For::In | For::Do), "do") => self.begin_body(For::Body),
            (Kind::For(For::In | For::Do), "{") => self.begin_body(For::Braces),
            (Kind::Case(Case::Subject), _) => self.set_kind(Kind::Case(Case::In)),
            (Kind::Case(Case::In), "in") => self.set_kind(Kind::Case(Case::Pattern)),
            (Kind::Case(Case::Pattern), "esac") if self.block().is_some_and(|block| !block.complete) => {
                self.close_block();
            }
            (Kind::Case(Case::Pattern), _) => {
                if let Some(block) = self.block_mut() {
                    block.complete = true;
                }
            }
            (Kind::For(For::Words), _) => {}
            _ => {
                self.unexpected(open.start..self.at);
                self.close_block();
            }
        }
    }

    fn begin_body(&mut self, stage: For) {
        self.set_kind(Kind::For(stage));
        let commands = self.script.commands.len();
        if let Some(block) = self.block_mut() {
            (block.list_start, block.element_start, block.stage_start) = (commands, commands, commands);
        }
    }

    /// Words and operators up to `]]`.
    pub fn step_test(&mut self, start: usize) {
        let Some(byte) = self.peek(0) else { return };
        let ends = byte == b']'
            && self.peek(1) == Some(b']')
            && self.peek(2).is_none_or(|next| b" \t\r\n;&|()<>".contains(&next));
        match byte {
            _ if ends => {
                self.at += 2;
                self.finish_test();
            }
            b';' => {
                self.error(Fault::Unclosed("[["), start..start + 2);
                self.finish_test();
            }
            b' ' | b'\t' | b'\n' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => self.at += 1,
            b'\r' if self.is_line_end(self.at) => self.at += 1,
            b'\\' if self.continuation().is_some() => self.at += self.continuation().unwrap_or(1),
            _ => {
                let below = self.frames.len().checked_sub(2).and_then(|index| self.frames.get(index));
                let command = match below {
                    Some(Frame::Block(block)) => block.current,
                    _ => None,
                };
                self.words.push(Open::new(self.at, Context::Test, command));
                self.frames.push(Frame::Word);
            }
        }
    }

    pub fn finish_test(&mut self) {
        self.frames.pop();
        self.complete_command();
    }

    /// The elements of `NAME=(…)`.
    pub fn step_array(&mut self) {
        let Some(byte) = self.peek(0) else { return };
        match byte {
            b')' => {
                self.frames.pop();
                self.at += 1;
            }
            b'#' => self.comment(),
            b' ' | b'\t' | b'\n' => self.at += 1,
            b'\r' if self.is_line_end(self.at) => self.at += 1,
            b'\\' if self.continuation().is_some() => self.at += self.continuation().unwrap_or(1),
            b'<' | b'>' if self.peek(1) == Some(b'(') => self.start_element(),
            b';' | b'&' | b'|' | b'(' | b'<' | b'>' => {
                self.unexpected(self.at..self.at + 1);
                self.at += 1;
            }
            _ => self.start_element(),
        }
    }

    fn start_element(&mut self) {
        let command = self.words.last().and_then(|open| open.command);
        self.words.push(Open::new(self.at, Context::Unquoted, command));
        self.frames.push(Frame::Word);
    }
}

impl Kind {
    pub const IF: Self = Self::If(If::Condition);
    pub const WHILE: Self = Self::While(Loop::Condition);
    pub const FOR: Self = Self::For(For::Name);
    pub const CASE: Self = Self::Case(Case::Subject);
}
