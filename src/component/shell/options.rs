//! The options of the shell: `set -e` and its relatives.

use super::{Command, Script};

/// An option of bash that decides whether failures are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShellOption {
    /// `set -e`
    Errexit,
    /// `set -u`
    Nounset,
    /// `set -x`
    Xtrace,
    /// `set -E`
    Errtrace,
    /// `set -o pipefail`
    Pipefail,
    /// `shopt -s inherit_errexit`
    InheritErrexit,
}

/// A place where an option is set or unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which one.
    pub option: ShellOption,
    /// Whether it is set.
    pub on: bool,
    /// The command that does it: an index into [`Script::commands`].
    pub command: usize,
    /// Whether it holds for everything that comes after it: not in a function, in a subshell, or under a condition.
    pub lasting: bool,
}

impl ShellOption {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "errexit" => Self::Errexit,
            "nounset" => Self::Nounset,
            "xtrace" => Self::Xtrace,
            "errtrace" => Self::Errtrace,
            "pipefail" => Self::Pipefail,
            "inherit_errexit" => Self::InheritErrexit,
            _ => return None,
        })
    }

    fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'e' => Self::Errexit,
            'u' => Self::Nounset,
            'x' => Self::Xtrace,
            'E' => Self::Errtrace,
            _ => return None,
        })
    }
}

impl Script {
    /// Whether an option holds when a command at the top level begins. A shebang does not count: the runner starts
    /// `bash <file>`.
    pub fn holds(&self, option: ShellOption, command: usize) -> bool {
        let counts = |setting: &&Setting| setting.option == option && setting.lasting && setting.command < command;
        self.settings.iter().rfind(counts).is_some_and(|setting| setting.on)
    }
}

/// Everything that is set or unset in a script.
pub(super) fn settings(script: &Script) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (index, command) in script.commands.iter().enumerate() {
        let found = match command.name() {
            Some("set") => from_set(command),
            Some("shopt") => from_shopt(command),
            _ => continue,
        };
        let lasting = command.is_top_level();
        settings.extend(found.into_iter().map(|(option, on)| Setting { option, on, command: index, lasting }));
    }
    settings
}

/// `set -euo pipefail`: letters in a cluster, `o` takes the next argument; `+` unsets.
fn from_set(command: &Command) -> Vec<(ShellOption, bool)> {
    let mut found = Vec::new();
    let mut words = command.words.iter().skip(1);
    while let Some(word) = words.next() {
        let Some((on, letters)) = word
            .text
            .strip_prefix('-')
            .map(|rest| (true, rest))
            .or_else(|| word.text.strip_prefix('+').map(|rest| (false, rest)))
        else {
            break;
        };
        if letters == "-" {
            break;
        }
        for letter in letters.chars() {
            let option = match letter {
                'o' => words.next().and_then(|name| ShellOption::from_name(&name.text)),
                _ => ShellOption::from_letter(letter),
            };
            found.extend(option.map(|option| (option, on)));
        }
    }
    found
}

/// `shopt -s inherit_errexit`, and `shopt -so pipefail`.
fn from_shopt(command: &Command) -> Vec<(ShellOption, bool)> {
    let options: Vec<_> = command.words.iter().skip(1).filter(|word| word.text.starts_with('-')).collect();
    let has = |letter: char| options.iter().any(|word| word.text.contains(letter));
    if has('s') == has('u') {
        return Vec::new();
    }
    let names = command.words.iter().skip(1).filter_map(|word| ShellOption::from_name(&word.text));
    names.map(|option| (option, has('s'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_hold_from_where_they_are_set() {
        use ShellOption::{Errexit, InheritErrexit, Nounset, Pipefail};
        for (text, option, expected) in [
            ("set -e; a", Errexit, true),
            ("a; set -e", Errexit, false),
            ("set -euo pipefail\na", Pipefail, true),
            ("set -euo pipefail\na", Nounset, true),
            ("set -o errexit -o pipefail\na", Errexit, true),
            ("set -o errexit -o pipefail\na", Pipefail, true),
            ("set -Eeuo pipefail; shopt -s inherit_errexit; a", InheritErrexit, true),
            ("shopt -so pipefail; a", Pipefail, true),
            ("set -e; set +e; a", Errexit, false),
            ("set -e; set +o errexit; a", Errexit, false),
            ("set -- -e; a", Errexit, false),
            ("set x -e; a", Errexit, false),
            ("(set -e); a", Errexit, false),
            ("f() { set -e; }; a", Errexit, false),
            ("if b; then set -e; fi; a", Errexit, false),
            ("b && set -e; a", Errexit, false),
            ("{ set -e; }; a", Errexit, true),
            ("bash -c 'set -e'; a", Errexit, false),
            ("#!/bin/bash -e\na", Errexit, false),
            ("echo set -e; a", Errexit, false),
            ("set -e | cat; a", Errexit, false),
        ] {
            let script = Script::bash(&[text]);
            let command = script.commands.iter().position(|c| c.name() == Some("a"));
            assert_eq!(command.map(|index| script.holds(option, index)), Some(expected), "{text}");
        }
    }

    #[test]
    fn variables_are_known_where_they_last() {
        for (text, exported, set) in [
            ("export A=1; a", Some("1"), Some("1")),
            ("A=1; a", None, Some("1")),
            ("A=1; export A; a", Some("1"), Some("1")),
            ("declare -x A=1; a", Some("1"), Some("1")),
            ("A=1 b; a", None, None),
            ("(export A=1); a", None, None),
            ("A=1\nA=2; a", None, Some("2")),
            ("a; export A=1", None, None),
            ("export A='x y' B=2; a", Some("x y"), Some("x y")),
        ] {
            let script = Script::bash(&[text]);
            let before = script.commands.iter().position(|c| c.name() == Some("a")).expect(text);
            assert_eq!(script.export("A", before).map(|word| word.text.as_str()), exported, "{text}");
            assert_eq!(script.variable("A", before).map(|word| word.text.as_str()), set, "{text}");
        }
    }
}
