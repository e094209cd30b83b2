//! What is known of a bash script: the facts, and the few questions about them that need no more than looking.

use std::ops::Range;

use super::{Context, Place, Setting};

/// Everything found in a script. Lists refer to one another by index, and commands stand in the order in which they
/// begin, so that "before" is a comparison of indices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// Whether the script was read at all.
    pub coverage: Coverage,
    /// All simple commands, tests and arithmetic commands, however deep they stand.
    pub commands: Vec<Command>,
    /// Commands joined by `|`. What has a single stage is not listed.
    pub pipelines: Vec<Pipeline>,
    /// The expressions `{{ … }}` of the component language.
    pub expressions: Vec<Expansion>,
    /// Uses of shell variables.
    pub variables: Vec<Variable>,
    /// The conditions under which commands run.
    pub guards: Vec<Guard>,
    /// The functions that are defined.
    pub functions: Vec<Function>,
    /// Redirections of compound commands, as in `done >>file`; those of simple commands stand with them.
    pub block_redirects: Vec<Redirect>,
    /// The shell options that are set or unset.
    pub settings: Vec<Setting>,
    /// What bash would refuse.
    pub errors: Vec<SyntaxError>,
}

/// Whether a script was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// To the end.
    #[default]
    Complete,
    /// Not at all: it is larger than [`LARGEST_SCRIPT`](super::LARGEST_SCRIPT).
    TooLarge,
    /// Not at all: something in it nests deeper than [`DEEPEST_NESTING`](super::DEEPEST_NESTING).
    TooDeep,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is.
    pub kind: CommandKind,
    /// Its name and arguments; of a test the words between the brackets.
    pub words: Vec<Word>,
    /// The assignments before the name, or all there is.
    pub assignments: Vec<Assignment>,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// Whether `&` stands behind it or behind what it is part of.
    pub background: bool,
    /// The pipeline of which it is a stage of its own.
    pub pipeline: Option<usize>,
    /// Whether a failure of it is looked at, so that `set -e` does not see it: a condition of `if`, `while` or `until`,
    /// left of `&&` or `||`, behind `!`.
    pub in_condition: bool,
    /// What it stands in.
    pub scope: Scope,
    /// All of it.
    pub place: Place,
}

/// The kinds of [`Command`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// Words, assignments and redirections.
    Simple,
    /// `[[ … ]]`.
    Test,
    /// `((…))`.
    Arithmetic,
}

/// What a command stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The function it is the body of: an index into [`Script::functions`].
    pub function: Option<usize>,
    /// The innermost condition under which it runs: an index into [`Script::guards`].
    pub guard: Option<usize>,
    /// Whether it stands in the body of a loop.
    pub in_loop: bool,
    /// Whether it runs in a process of its own: `( … )`, a substitution, or a shell inside the shell.
    pub in_subshell: bool,
    /// The command it is embedded in: an index into [`Script::commands`], and how.
    pub parent: Option<(usize, Embedding)>,
    /// Whether a failure of what stands here is looked at (see [`Command::in_condition`]).
    pub(super) in_condition: bool,
}

/// How commands stand inside another command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Embedding {
    /// `$( … )` or backquotes.
    Substitution,
    /// `<( … )` or `>( … )`.
    Process,
    /// The text is a script that the command runs: `bash -c '…'`, `bash <<END`.
    Script,
}

/// A word after quotes are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text. What the shell would put in stands as it was written, only `$( … )` is shortened to `$()`.
    pub text: String,
    /// Whether the shell or the runner puts something in, so that `text` is not what the program gets.
    pub dynamic: bool,
    /// Which part of it is quoted.
    pub quoting: Quoting,
    /// Whether it begins with an unquoted `~`.
    pub tilde: bool,
    /// All of it, quotes included.
    pub place: Place,
    /// The bytes of the whole text between its quotes, if they are what the program gets.
    pub(super) verbatim: Option<Range<usize>>,
}

/// How much of a word is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// Nothing.
    Bare,
    /// Something.
    Partly,
    /// Everything.
    Whole,
}

/// `NAME=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable, without an index.
    pub name: String,
    /// The value; of an array an empty text.
    pub value: Word,
    /// Whether it is `+=`.
    pub appends: bool,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `>`, `>>`, `<`, `<<`, `<<-`, `<<<`, `&>` and so on, without the number before it.
    pub operator: &'static str,
    /// The number before it, such as the 2 of `2>`.
    pub descriptor: Option<u32>,
    /// The file, the descriptor, the text of a here-string, or the delimiter of a here-document.
    pub target: Word,
    /// The lines of a here-document.
    pub body: Option<Place>,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its stages, two or more unless the script ends early.
    pub stages: Vec<Stage>,
    /// Whether `!` stands before it.
    pub negated: bool,
    /// Whether `&&` or `||` follows, so that its failure is looked at.
    pub checked: bool,
    /// What it stands in.
    pub scope: Scope,
    /// From the first stage to the last.
    pub place: Place,
}

/// One stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The command it is, unless it is a compound one.
    pub command: Option<usize>,
    /// All commands in it.
    pub inside: Range<usize>,
}

/// A condition under which commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// What makes it one.
    pub kind: GuardKind,
    /// The commands that are asked; none for `case`.
    pub conditions: Range<usize>,
    /// The condition around it: an index into [`Script::guards`].
    pub parent: Option<usize>,
}

/// The kinds of [`Guard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuardKind {
    /// Between `then` and `else` or `fi`.
    Then,
    /// Behind `else`.
    Else,
    /// Right of `&&`.
    And,
    /// Right of `||`.
    Or,
    /// The body of `while` or `until`.
    While,
    /// A branch of `case`.
    Case,
}

/// A function that is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub place: Place,
}

/// A use of a shell variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether the use says what to do when it is unset, as `${HOME:-/root}` does.
    pub has_default: bool,
    /// What stands around it.
    pub context: Context,
    /// The command it is part of.
    pub command: Option<usize>,
    /// From `$` on.
    pub place: Place,
}

/// An expression `{{ … }}` of the component language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// What stands between the braces, trimmed.
    pub text: String,
    /// What stands around it.
    pub context: Context,
    /// The command it is part of.
    pub command: Option<usize>,
    /// All of it, braces included.
    pub place: Place,
}

/// Something that bash would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What it is.
    pub fault: Fault,
    /// Where.
    pub place: Place,
}

/// The kinds of [`SyntaxError`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Something is opened and never closed.
    #[error("`{0}` is never closed")]
    Unclosed(&'static str),
    /// Something stands where it cannot.
    #[error("`{0}` is not expected here")]
    Unexpected(String),
    /// Nothing stands where something must.
    #[error("a command is missing after `{0}`")]
    Missing(&'static str),
}

impl Command {
    /// Its name as written, unless it is only known when the script runs.
    pub fn name(&self) -> Option<&str> {
        self.words.first().and_then(Word::literal)
    }

    /// Whether it runs in the script's own shell and at every run: in no function, subshell or loop, under no condition,
    /// in no pipeline and not in the background.
    pub fn is_top_level(&self) -> bool {
        let Scope { function, guard, in_loop, in_subshell, .. } = self.scope;
        function.is_none() && guard.is_none() && !(in_loop || in_subshell || self.background) && self.pipeline.is_none()
    }
}

impl Word {
    /// What the program gets, if it is known.
    pub fn literal(&self) -> Option<&str> {
        (!self.dynamic).then_some(self.text.as_str())
    }

    /// Whether the program gets exactly this text.
    pub fn is(&self, text: &str) -> bool {
        !self.dynamic && self.text == text
    }
}

impl Script {
    /// The conditions under which something runs, from the innermost outwards.
    pub fn guards_of(&self, scope: &Scope) -> impl Iterator<Item = &Guard> {
        let mut next = scope.guard;
        std::iter::from_fn(move || {
            let guard = self.guards.get(next?)?;
            next = guard.parent;
            Some(guard)
        })
    }

    /// The commands it is embedded in, from the innermost outwards.
    pub fn parents_of(&self, scope: &Scope) -> impl Iterator<Item = (&Command, Embedding)> {
        let mut next = scope.parent;
        std::iter::from_fn(move || {
            let (index, embedding) = next?;
            let command = self.commands.get(index)?;
            next = command.scope.parent;
            Some((command, embedding))
        })
    }

    /// All redirections, with the index of the command they belong to if it is not a compound one.
    pub fn redirects(&self) -> impl Iterator<Item = (Option<usize>, &Redirect)> {
        let simple =
            self.commands.iter().enumerate().flat_map(|(index, c)| c.redirects.iter().map(move |r| (Some(index), r)));
        simple.chain(self.block_redirects.iter().map(|redirect| (None, redirect)))
    }

    /// The latest assignment to a variable before a command, whether or not it is exported, that holds for every command
    /// after it. `declare`, `export`, `local` and `readonly` count as well.
    pub fn variable(&self, name: &str, before: usize) -> Option<&Word> {
        self.assigned(name, before, |_| true)
    }

    /// The same, but only what the programs that are started see: it was exported.
    pub fn export(&self, name: &str, before: usize) -> Option<&Word> {
        self.assigned(name, before, |command| {
            let exports = command.words.iter().any(|word| word.is("export") || word.is("-x"));
            exports || (command.words.is_empty() && self.is_exported(name, before))
        })
    }

    fn is_exported(&self, name: &str, before: usize) -> bool {
        self.commands.iter().take(before).any(|command| {
            command.is_top_level()
                && command.name() == Some("export")
                && (command.words.iter().any(|word| word.is(name))
                    || command.assignments.iter().any(|assignment| assignment.name == name))
        })
    }

    fn assigned(&self, name: &str, before: usize, counts: impl Fn(&Command) -> bool) -> Option<&Word> {
        self.commands.iter().take(before).rev().find_map(|command| {
            // Before another program's name an assignment holds for that program alone.
            let lasts = command.words.is_empty() || super::bash::declares(command.name());
            let assignment = command.assignments.iter().rfind(|assignment| assignment.name == name)?;
            (lasts && command.is_top_level() && counts(command)).then_some(&assignment.value)
        })
    }
}
