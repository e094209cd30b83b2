//! PowerShell, as far as a linter needs it: commands with their words, pipelines, assignments, and what stands around the
//! expressions. It is a lexer with a stack of brackets and no full parser: of an expression such as `$a -eq 1` it makes a
//! command without a name.

mod lexical;
mod reader;
#[cfg(test)]
mod tests;

use super::text::Text;
use super::{Coverage, Expansion, LARGEST_SCRIPT, Place, SyntaxError, Word};

/// Everything found in a script. Commands stand in the order in which they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PowerShell {
    /// Whether the script was read at all.
    pub coverage: Coverage,
    /// All commands, and expressions that stand where a command may.
    pub commands: Vec<PowerShellCommand>,
    /// Commands joined by `|`.
    pub pipelines: Vec<PowerShellPipeline>,
    /// What is assigned, also in hash tables.
    pub assignments: Vec<PowerShellAssignment>,
    /// The expressions `{{ … }}` of the component language.
    pub expressions: Vec<Expansion>,
    /// What is opened and never closed, or closed and never opened.
    pub errors: Vec<SyntaxError>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerShellCommand {
    /// Its name and arguments. What stands in parentheses is shortened to `()`, a block to `{}`.
    pub words: Vec<Word>,
    /// The pipeline it is part of.
    pub pipeline: Option<usize>,
    /// The command in whose arguments, parentheses or blocks it stands.
    pub parent: Option<usize>,
    /// What it stands in.
    pub scope: PowerShellScope,
    /// All of it.
    pub place: Place,
}

/// What a command or an assignment stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PowerShellScope {
    /// Whether it runs only under a condition: `if`, `switch`, `catch`, right of `&&` or `||`.
    pub conditional: bool,
    /// Whether it stands in the body of a loop.
    pub in_loop: bool,
    /// Whether it stands in a function.
    pub in_function: bool,
    /// Whether it stands in parentheses or in a block of any kind.
    pub nested: bool,
}

/// `$name = value`, or a key of a hash table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerShellAssignment {
    /// What is assigned to, without `$`.
    pub name: String,
    /// The first word of the value; the rest of it is no part of this.
    pub value: Option<Word>,
    /// How many commands begin before it.
    pub before: usize,
    /// What it stands in.
    pub scope: PowerShellScope,
    /// Up to the equals sign.
    pub place: Place,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerShellPipeline {
    /// Its commands: indices into [`PowerShell::commands`].
    pub stages: Vec<usize>,
    /// From the first stage to the last.
    pub place: Place,
}

impl PowerShell {
    /// Reads the items of the `commands` of an `ExecutePowerShell`.
    pub fn read(items: &[&str]) -> Self {
        let bytes: usize = items.iter().map(|item| item.len() + 1).sum();
        if bytes > LARGEST_SCRIPT {
            return Self { coverage: Coverage::TooLarge, ..Self::default() };
        }
        reader::read(&Text::new(items))
    }

    /// Whether `$ErrorActionPreference` is `Stop` when a command begins, wherever it stands.
    pub fn stops_on_errors(&self, command: usize) -> bool {
        self.assignments
            .iter()
            .rfind(|assignment| {
                let name = assignment.name.rsplit(':').next().unwrap_or_default();
                assignment.before <= command
                    && name.eq_ignore_ascii_case("ErrorActionPreference")
                    && !assignment.scope.nested
            })
            .and_then(|assignment| assignment.value.as_ref())
            .is_some_and(|value| {
                value.text.eq_ignore_ascii_case("Stop") || value.text.to_ascii_lowercase().ends_with("]::stop")
            })
    }

    /// The commands around a command, from the innermost outwards.
    pub fn parents_of(&self, command: &PowerShellCommand) -> impl Iterator<Item = &PowerShellCommand> {
        let mut next = command.parent;
        std::iter::from_fn(move || {
            let command = self.commands.get(next?)?;
            next = command.parent;
            Some(command)
        })
    }
}

impl PowerShellCommand {
    /// What it runs: its name without a folder and without `.exe`, in lower case. None for an expression.
    pub fn name(&self) -> Option<String> {
        let first = self.words.first()?;
        let name = first.literal()?.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
        let name = name.strip_suffix(".exe").unwrap_or(&name).to_owned();
        let runs = name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '%' | '?'));
        runs.then_some(name)
    }

    /// Whether it runs this, by its full name or one of its usual aliases, in any case.
    pub fn runs(&self, full: &str) -> bool {
        let Some(name) = self.name() else { return false };
        let known = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name.as_str(), |(_, known)| known);
        known.eq_ignore_ascii_case(full)
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// The aliases of what downloads, runs or restarts something.
const ALIASES: &[(&str, &str)] = &[
    ("%", "ForEach-Object"),
    ("curl", "Invoke-WebRequest"),
    ("foreach", "ForEach-Object"),
    ("iex", "Invoke-Expression"),
    ("irm", "Invoke-RestMethod"),
    ("iwr", "Invoke-WebRequest"),
    ("rm", "Remove-Item"),
    ("rd", "Remove-Item"),
    ("ri", "Remove-Item"),
    ("del", "Remove-Item"),
    ("sleep", "Start-Sleep"),
    ("start", "Start-Process"),
    ("saps", "Start-Process"),
    ("sajb", "Start-Job"),
    ("spsv", "Stop-Service"),
    ("echo", "Write-Output"),
    ("write", "Write-Output"),
    ("wget", "Invoke-WebRequest"),
];
