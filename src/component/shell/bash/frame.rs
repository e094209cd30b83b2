//! What the machine keeps of the things that are open.

use std::ops::Range;

use super::super::{Context, Redirect, Scope};

/// One thing that is open.
#[derive(Debug)]
pub(super) enum Frame {
    /// A list of commands and what encloses it.
    Block(Box<Block>),
    /// A word outside of quotes.
    Word,
    /// `"…"`.
    Double { start: usize },
    /// `${…}`, and whether it stands inside double quotes.
    Parameter { start: usize, quoted: bool },
    /// `$((…))` or `((…))`, how many parentheses are open in it, and whether it is a command.
    Arithmetic { start: usize, depth: usize, command: bool },
    /// `NAME=(…)`.
    Array { start: usize },
    /// `@(…|…)` and the like, and how many parentheses are open in it.
    Glob { start: usize, depth: usize },
    /// `[[ … ]]`.
    Test { start: usize },
    /// The lines of a here-document in which the shell expands.
    Heredoc { window: Window },
}

/// A part of the text that is read on its own: nothing in it ends beyond it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Where the text around it ends.
    pub outer_end: usize,
    /// Where the text around it goes on.
    pub resume: usize,
    /// The parentheses that are open around it.
    pub outer_parentheses: usize,
}

/// A list of commands, and the state of the statement that is being read.
#[derive(Debug)]
pub(super) struct Block {
    pub kind: Kind,
    /// Where what encloses it begins.
    pub start: usize,
    /// What the next command stands in.
    pub scope: Scope,
    /// Set where the block is read on its own.
    pub window: Option<Window>,
    /// The condition around the block.
    pub outer_guard: Option<usize>,
    /// The condition outside of `&&` and `||`.
    pub base_guard: Option<usize>,
    /// Whether failures are looked at around the block.
    pub outer_condition: bool,
    /// The command that is being read.
    pub current: Option<usize>,
    /// Whether a command is complete, and a separator or operator must follow.
    pub complete: bool,
    /// The operator behind which a command must follow.
    pub awaits: Option<&'static str>,
    /// A redirection whose target is still to come.
    pub redirect: Option<OpenRedirect>,
    /// The number of commands when the list `a && b || c` began.
    pub list_start: usize,
    /// The same of the last of its elements.
    pub element_start: usize,
    /// The same of the last stage of a pipeline.
    pub stage_start: usize,
    /// The simple command that is the current stage so far.
    pub stage_command: Option<usize>,
    /// The pipeline that is being read.
    pub pipeline: Option<usize>,
    /// Whether `!` stands before the pipeline.
    pub negated: bool,
    /// Where the pipeline begins.
    pub pipeline_start: usize,
    /// Whether the next word is the name of a function.
    pub function_name: bool,
    /// The function whose body is to come.
    pub function: Option<usize>,
    /// The commands of the condition of `if` or `while`.
    pub conditions: Range<usize>,
}

/// A redirection whose target is still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenRedirect {
    pub operator: &'static str,
    pub descriptor: Option<u32>,
}

/// What encloses a list of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    /// The text of a here-document or a quoted word is a script of its own.
    Script,
    Backquotes,
    /// `$( … )`.
    Substitution,
    /// `<( … )`, `>( … )`.
    Process,
    /// `( … )`.
    Subshell,
    /// `{ … }`.
    Group,
    If(If),
    While(Loop),
    For(For),
    Case(Case),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum If {
    Condition,
    Then,
    Else,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loop {
    Condition,
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Name,
    /// Behind the name: `in`, `do` or a separator.
    In,
    Words,
    /// Before `do` or `{`.
    Do,
    /// Up to `done`.
    Body,
    /// Up to `}`, as the syntax borrowed from C allows.
    Braces,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Subject,
    In,
    Pattern,
    Body,
}

/// A word that is being read, and everything else in which `$` is expanded.
#[derive(Debug)]
pub(super) struct Open {
    pub start: usize,
    pub text: String,
    pub dynamic: bool,
    pub bare: bool,
    pub quoted: bool,
    pub tilde: bool,
    /// The one stretch of quoted text it consists of, as long as it consists of one.
    pub verbatim: Option<Range<usize>>,
    /// Whether an assignment may stand here.
    pub may_assign: bool,
    /// The name of the variable that is assigned, where the value begins, and whether it is appended to.
    pub assignment: Option<(String, usize, bool)>,
    /// What unquoted text in it stands in.
    pub context: Context,
    /// The command it is part of.
    pub command: Option<usize>,
    /// Whether it is the delimiter of a here-document, in which `$` is a letter.
    pub delimiter: bool,
}

/// A here-document whose lines are still to come.
#[derive(Debug)]
pub(super) struct OpenHeredoc {
    pub delimiter: String,
    pub quoted: bool,
    /// Whether tabs before the delimiter are dropped.
    pub tabs: bool,
    pub owner: Owner,
}

/// Whose redirection it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    /// The redirection of a command, by their indices.
    Command(usize, usize),
    /// A redirection of a compound command.
    Block(usize),
}

impl Block {
    pub fn new(kind: Kind, start: usize, scope: Scope, commands: usize) -> Self {
        Self {
            kind,
            start,
            scope,
            window: None,
            outer_guard: scope.guard,
            base_guard: scope.guard,
            outer_condition: scope.in_condition,
            current: None,
            complete: false,
            awaits: None,
            redirect: None,
            list_start: commands,
            element_start: commands,
            stage_start: commands,
            stage_command: None,
            pipeline: None,
            negated: false,
            pipeline_start: start,
            function_name: false,
            function: None,
            conditions: commands..commands,
        }
    }

    /// Whether the block is between a reserved word and the list of commands that belongs to it.
    pub fn in_header(&self) -> bool {
        match self.kind {
            Kind::For(stage) => !matches!(stage, For::Body | For::Braces),
            Kind::Case(stage) => stage != Case::Body,
            _ => false,
        }
    }
}

impl Kind {
    /// What opens it, in an error that says it is never closed.
    pub fn opener(self) -> &'static str {
        match self {
            Self::Root | Self::Script => "",
            Self::Backquotes => "`",
            Self::Substitution => "$(",
            Self::Process => "<(",
            Self::Subshell => "(",
            Self::Group => "{",
            Self::If(_) => "if",
            Self::While(_) => "while",
            Self::For(_) => "for",
            Self::Case(_) => "case",
        }
    }

    /// Whether `)` closes it.
    pub fn is_parenthesis(self) -> bool {
        matches!(self, Self::Substitution | Self::Process | Self::Subshell)
    }

    /// Whether it is part of a word.
    pub fn is_embedded(self) -> bool {
        matches!(self, Self::Substitution | Self::Process | Self::Backquotes)
    }
}

impl Open {
    pub fn new(start: usize, context: Context, command: Option<usize>) -> Self {
        Self {
            start,
            text: String::new(),
            dynamic: false,
            bare: false,
            quoted: false,
            tilde: false,
            verbatim: None,
            may_assign: false,
            assignment: None,
            context,
            command,
            delimiter: false,
        }
    }
}

impl OpenRedirect {
    pub fn with(self, target: super::super::Word) -> Redirect {
        Redirect { operator: self.operator, descriptor: self.descriptor, target, body: None }
    }
}
