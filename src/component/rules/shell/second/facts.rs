//! What the rules here ask about a script beyond its syntax: what a word stands for, whether a command runs at all, and
//! whether it is tried again.

use crate::component::model::{Document, Phase, Step};
use crate::component::rules::shell::Commands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Embedding, GuardKind, Invocation, Place, Scope, Script, Word};
use crate::diagnostic::Span;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

/// How often a variable may stand for another one before it is left as it is.
const DEEPEST: usize = 4;

/// How often a rule may look through a whole script before it leaves the rest of it alone. Scripts that people write need a
/// few dozen looks; without a bound, one that is made of the same line over and over would take minutes.
const LOOKS: u32 = 500;

/// A script with the document around it.
#[derive(Debug)]
pub struct Facts<'s, 'a> {
    /// The script.
    pub commands: &'s Commands<'a>,
    /// The document.
    pub document: &'a Document,
    /// How often the whole script was looked through.
    looks: Cell<u32>,
    /// From which command on the script may have ended well.
    ends: OnceCell<Option<usize>>,
    /// The values that variables get and keep, by name, in order.
    assigned: OnceCell<BTreeMap<&'s str, Vec<(usize, &'s Word)>>>,
    /// The commands that name a function, by its name.
    callers: OnceCell<BTreeMap<&'s str, Vec<usize>>>,
}

/// The scripts of all `ExecuteBash`, in document order.
pub fn scripts<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = Facts<'s, 'a>> {
    subject.scripts().iter().map(|commands| Facts {
        commands,
        document: subject.document,
        looks: Cell::new(0),
        ends: OnceCell::new(),
        assigned: OnceCell::new(),
        callers: OnceCell::new(),
    })
}

/// A text with what the document says about its expressions: constants, and the defaults of parameters.
pub fn filled(document: &Document, text: &str) -> String {
    let value = |name: &str| {
        let constant = document.constants.iter().find(|constant| constant.name == name).map(|constant| &constant.value);
        let parameter = || document.parameters.iter().find(|parameter| parameter.name == name);
        constant.or_else(|| parameter().and_then(|parameter| parameter.default.as_ref()))
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((inside, after)) = behind.split_once("}}") else { break };
        out.push_str(before);
        match value(inside.trim()) {
            Some(value) => out.push_str(value),
            None => out.extend(["{{", inside, "}}"]),
        }
        rest = after;
    }
    out + rest
}

impl<'s, 'a> Facts<'s, 'a> {
    /// The script.
    pub fn script(&self) -> &'s Script {
        &self.commands.script
    }

    /// The step.
    pub fn step(&self) -> &'a Step {
        self.commands.step
    }

    /// The phase.
    pub fn phase(&self) -> &'a Phase {
        self.commands.phase
    }

    /// A place of the script in the file.
    pub fn span(&self, place: &Place) -> Span {
        self.commands.span(place)
    }

    /// All commands with their numbers.
    pub fn each(&self) -> impl Iterator<Item = (usize, &'s Command)> + use<'s> {
        self.script().commands.iter().enumerate()
    }

    /// All commands that start something known, with their numbers.
    pub fn invocations(&self) -> impl Iterator<Item = (usize, &'s Command, Invocation<'s>)> + use<'s> {
        self.each().filter_map(|(index, command)| Some((index, command, command.invocation()?)))
    }

    /// What a word of a command stands for, as far as that is known. What is not known stays as it is written.
    pub fn text(&self, word: &Word, before: usize) -> String {
        let text = filled(self.document, &word.text);
        if word.dynamic { self.expanded(&text, before, DEEPEST) } else { text }
    }

    fn expanded(&self, text: &str, before: usize, deep: usize) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, length) = variable(rest);
            let word = if deep == 0 || name.is_empty() { None } else { self.variable(name, before) };
            match word {
                Some(word) if word.dynamic => {
                    out.push_str(&self.expanded(&filled(self.document, &word.text), before, deep - 1));
                }
                Some(word) => out.push_str(&word.text),
                None => out.push_str(&rest[..length]),
            }
            rest = &rest[length..];
        }
        out + rest
    }

    /// What a variable was given last before a command, as [`Script::variable`] tells.
    fn variable(&self, name: &str, before: usize) -> Option<&'s Word> {
        let assigned = self.assigned.get_or_init(|| {
            let mut assigned: BTreeMap<&str, Vec<(usize, &Word)>> = BTreeMap::new();
            for (index, command) in self.each().filter(|(_, command)| command.is_top_level()) {
                let declares = matches!(command.name(), Some("export" | "declare" | "typeset" | "local" | "readonly"));
                for assignment in command.assignments.iter().filter(|_| declares || command.words.is_empty()) {
                    assigned.entry(&assignment.name).or_default().push((index, &assignment.value));
                }
            }
            assigned
        });
        let values = assigned.get(name)?;
        let next = values.partition_point(|(index, _)| *index < before);
        values.get(next.checked_sub(1)?).map(|(_, word)| *word)
    }

    /// Counts a look through the whole script. True when there were too many: what would be found by it is then taken to be
    /// there, so that nothing is reported.
    pub fn is_tired(&self) -> bool {
        self.looks.set(self.looks.get().saturating_add(1));
        self.looks.get() > LOOKS
    }

    /// Whether a command runs only if something was looked at before: under a condition, behind a check that ends the script
    /// early, or where its failure does not count.
    pub fn is_guarded(&self, index: usize) -> bool {
        let Some(command) = self.script().commands.get(index) else { return false };
        let alone = |command: &Command| command.in_condition || self.is_checked(&command.scope);
        self.is_tired()
            || alone(command)
            || self.ends_before(index)
            || self.callers(command).any(|(_, caller)| alone(caller))
    }

    /// Whether there is a condition that asks something, and does not only say "and if that went well".
    fn is_checked(&self, scope: &Scope) -> bool {
        self.script().guards_of(scope).any(|guard| match guard.kind {
            GuardKind::Then | GuardKind::Else | GuardKind::Or | GuardKind::Case => true,
            GuardKind::While => false,
            GuardKind::And => {
                let conditions = self.script().commands.get(guard.conditions.clone()).unwrap_or_default();
                conditions.iter().any(asks)
            }
        })
    }

    /// Whether the script may end well before a command: `if [ -e done ]; then exit 0; fi`.
    fn ends_before(&self, index: usize) -> bool {
        let ends = self.ends.get_or_init(|| {
            let mut all = self.invocations();
            let end = all.find(|(_, command, invocation)| {
                matches!(invocation.program, "exit" | "return")
                    && command.scope.guard.is_some()
                    && !command.scope.in_subshell
                    && invocation.arguments.first().is_none_or(|code| code.is("0"))
            });
            end.map(|(at, ..)| at)
        });
        ends.is_some_and(|at| at < index)
    }

    /// The commands that name the function a command stands in, as what they start or as an argument.
    fn callers(&self, command: &Command) -> impl Iterator<Item = (usize, &'s Command)> {
        let function = command.scope.function.and_then(|number| self.script().functions.get(number));
        let callers = self.callers.get_or_init(|| {
            let functions = self.script().functions.iter();
            let mut callers: BTreeMap<&str, Vec<usize>> =
                functions.map(|one| (one.name.as_str(), Vec::new())).collect();
            for (index, caller) in self.each() {
                for word in &caller.words {
                    if let Some(known) = word.literal().and_then(|text| callers.get_mut(text)) {
                        known.push(index);
                    }
                }
            }
            callers
        });
        let known: &[usize] =
            function.and_then(|function| callers.get(function.name.as_str())).map_or(&[], Vec::as_slice);
        let commands = &self.script().commands;
        known.iter().filter_map(|index| Some((*index, commands.get(*index)?)))
    }

    /// Whether the script itself tries a command again when it fails: in a loop that is left on success, as the condition
    /// of a loop, in an alternative, or in a function to which one of these applies.
    pub fn is_retried(&self, index: usize) -> bool {
        let Some(command) = self.script().commands.get(index) else { return false };
        self.tries_again(index, command)
            || self.callers(command).take(LOOKS as usize).any(|(at, caller)| {
                let first = command.scope.function.and_then(|number| self.script().functions.get(number));
                let handed_over = first.is_some_and(|function| !caller.words[0].is(&function.name));
                handed_over || self.tries_again(at, caller)
            })
    }

    fn tries_again(&self, index: usize, command: &Command) -> bool {
        let script = self.script();
        let left = || {
            script
                .commands
                .iter()
                .skip(index)
                .any(|later| later.scope.in_loop && matches!(later.name(), Some("break" | "exit" | "return")))
        };
        let conditional =
            |kind: GuardKind| script.guards.iter().any(|guard| guard.kind == kind && guard.conditions.contains(&index));
        let alternative = || {
            let program = command.invocation().map(|invocation| invocation.program);
            self.each().skip(index + 1).any(|(_, other)| {
                let behind = script.guards_of(&other.scope);
                let or = behind.filter(|guard| guard.kind == GuardKind::Or).any(|g| g.conditions.contains(&index));
                or && other.invocation().map(|invocation| invocation.program) == program
            })
        };
        self.is_tired()
            || (command.scope.in_loop && (command.in_condition || left()))
            || (command.in_condition && (conditional(GuardKind::While) || alternative()))
            || script.guards_of(&command.scope).any(|guard| {
                guard.kind == GuardKind::Or && guard.conditions.clone().any(|at| same_program(script, at, command))
            })
    }

    /// Whether a command runs on another user's behalf or in a shell that knows that user's home.
    pub fn runs_as_user(&self, command: &Command) -> bool {
        self.script().parents_of(&command.scope).any(|(parent, how)| {
            how == Embedding::Script
                && parent.invocation().is_some_and(|invocation| {
                    invocation.user.is_some()
                        || invocation.sets_home
                        || matches!(invocation.program, "su" | "runuser" | "ssh")
                })
        })
    }
}

fn same_program(script: &Script, at: usize, command: &Command) -> bool {
    let program = |command: &Command| command.invocation().map(|invocation| invocation.program.to_owned());
    script.commands.get(at).and_then(program).is_some_and(|one| Some(one) == program(command))
}

/// Whether a command only asks.
fn asks(command: &Command) -> bool {
    let program = command.invocation().map(|invocation| invocation.program);
    program.is_none_or(|program| {
        matches!(
            program,
            "[" | "test"
                | "grep"
                | "egrep"
                | "id"
                | "getent"
                | "command"
                | "type"
                | "which"
                | "hash"
                | "dpkg-query"
                | "dpkg"
                | "rpm"
                | "pgrep"
                | "systemctl"
                | "stat"
                | "diff"
                | "cmp"
                | "mountpoint"
        )
    })
}

/// The name of the variable a text begins with, and how long its mention is; an empty name for what is more than a name.
fn variable(text: &str) -> (&str, usize) {
    let name = |text: &str| text.bytes().take_while(|byte| *byte == b'_' || byte.is_ascii_alphanumeric()).count();
    if let Some(inside) = text.strip_prefix("${") {
        let length = name(inside);
        return if inside[length..].starts_with('}') { (&inside[..length], length + 3) } else { ("", 1) };
    }
    let length = name(&text[1..]);
    (&text[1..=length], length + 1)
}

/// Whether an absolute path is one of these, or below one of them.
pub fn is_below(path: &str, roots: &[&str]) -> bool {
    roots.iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_script;

    /// Whether each `x` of a script is guarded, and whether it is tried again.
    fn answers(script: &str) -> Vec<(bool, bool)> {
        with_script(script, |facts| {
            let all = facts.invocations().filter(|(.., invocation)| invocation.program == "x");
            all.map(|(index, ..)| (facts.is_guarded(index), facts.is_retried(index))).collect()
        })
    }

    #[test]
    fn guards_are_told_from_lists() {
        for (script, expected) in [
            ("x", false),
            ("a && x", false),
            ("cd /opt && x", false),
            ("[ -e /a ] && x", true),
            ("id app || x", true),
            ("if [ -e /a ]; then x; fi", true),
            ("x || true", true),
            ("while read -r a; do x; done", false),
            ("if [ -e /a ]; then exit 0; fi; x", true),
            ("[ -e /a ] && exit 0; x", true),
            ("if [ -e /a ]; then exit 1; fi; x", false),
            ("f() { x; }; f", false),
            ("f() { x; }; [ -e /a ] || f", true),
        ] {
            assert!(matches!(answers(script)[..], [(guarded, _)] if guarded == expected), "{script}");
        }
    }

    #[test]
    fn loops_that_try_again_are_told_from_lists_of_things() {
        for (script, expected) in [
            ("x", false),
            ("for i in 1 2 3; do x && break; sleep 5; done", true),
            ("for i in 1 2 3; do if x; then break; fi; done", true),
            ("for i in 1 2 3; do x; if [ $? -eq 0 ]; then break; fi; done", true),
            ("for i in a b; do x \"$i\"; done", false),
            ("until x; do sleep 5; done", true),
            ("while ! x; do sleep 5; done", true),
            ("f() { x; }; until f; do sleep 5; done", true),
            ("f() { x; }; retry f", true),
            ("f() { x; }; f", false),
            ("x || true", false),
        ] {
            assert!(matches!(answers(script)[..], [(_, retried)] if retried == expected), "{script}");
        }
        assert!(matches!(answers("x || { sleep 5; x; }")[..], [(_, true), (_, true)]));
    }

    #[test]
    fn words_stand_for_what_was_assigned() {
        for (script, expected) in [
            ("A=/etc; x \"$A/b\"", "/etc/b"),
            ("A=/etc; B=${A}/c; x ${B}", "/etc/c"),
            ("A=/etc; x '$A'", "$A"),
            ("A=$(mktemp -d); x \"$A/b\"", "$()/b"),
            ("A=$A/b; x \"$A\"", "$A/b/b/b/b"),
            ("x \"{{ Folder }}/b\"", "/opt/app/b"),
            ("A=\"{{ Given }}\"; x $A", "given"),
            ("x \"{{ env:X }}\" ", "{{ env:X }}"),
            ("x ${A:-/etc}", "${A:-/etc}"),
            ("x $1 $", "$1"),
        ] {
            let found = with_script(script, |facts| {
                let (index, command) = facts.each().find(|(_, command)| command.name() == Some("x")).unwrap();
                facts.text(&command.words[1], index)
            });
            assert_eq!(found, expected, "{script}");
        }
    }
}
