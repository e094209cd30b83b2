//! What a command really starts, behind `sudo`, `env`, `timeout` and the like.

use super::{Command, CommandKind, Word};

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The program, without the folder it lies in.
    pub program: &'a str,
    /// The program as it is written.
    pub path: &'a Word,
    /// Its arguments.
    pub arguments: &'a [Word],
    /// The programs before it, such as `sudo`, without their folders.
    pub wrappers: Vec<&'a str>,
    /// The user whom `sudo -u` and the like name.
    pub user: Option<&'a str>,
    /// Whether the wrapper sets `HOME` to that of the user: `sudo -H`, `sudo -i`.
    pub sets_home: bool,
    /// What is set for this one program, `NAME=value`, by `env` or `sudo`; what stands before the first word is in
    /// [`Command::assignments`].
    pub environment: Vec<&'a Word>,
}

/// A program that starts another one, which its arguments name.
struct Wrapper {
    name: &'static str,
    /// Its options that take the next argument as their value.
    valued: &'static [&'static str],
    /// How many arguments stand before the other program.
    operands: usize,
    /// Whether `-u` names the user as whom it runs.
    takes_user: bool,
    /// Whether `NAME=value` may stand before the other program.
    takes_environment: bool,
}

impl Wrapper {
    const fn new(name: &'static str, valued: &'static [&'static str]) -> Self {
        Self { name, valued, operands: 0, takes_user: false, takes_environment: false }
    }
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper { takes_user: true, takes_environment: true, ..Wrapper::new("sudo", SUDO) },
    Wrapper { takes_user: true, ..Wrapper::new("doas", &["-u", "-C"]) },
    Wrapper { takes_user: true, ..Wrapper::new("runuser", &["-u", "-g", "-G", "--user", "--group"]) },
    Wrapper { takes_environment: true, ..Wrapper::new("env", &["-u", "-C", "--unset", "--chdir"]) },
    Wrapper { operands: 1, ..Wrapper::new("timeout", &["-k", "-s", "--kill-after", "--signal"]) },
    Wrapper { operands: 1, ..Wrapper::new("flock", &["-w", "-E", "--timeout", "--wait"]) },
    Wrapper::new("nice", &["-n", "--adjustment"]),
    Wrapper::new("ionice", &["-c", "-n", "-p", "--class", "--classdata"]),
    Wrapper::new("stdbuf", &["-i", "-o", "-e"]),
    Wrapper::new(
        "xargs",
        &["-I", "-n", "-L", "-P", "-d", "-a", "-s", "-E", "--max-args", "--max-procs", "--delimiter"],
    ),
    Wrapper::new("exec", &["-a"]),
    Wrapper::new("time", &["-f", "-o", "--format", "--output"]),
    Wrapper::new("nohup", &[]),
    Wrapper::new("setsid", &[]),
    Wrapper::new("command", &[]),
    Wrapper::new("builtin", &[]),
    Wrapper::new("eatmydata", &[]),
];

const SUDO: &[&str] =
    &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "--user", "--group", "--host", "--prompt", "--chdir"];

const SHELLS: &[&str] = &["bash", "sh", "dash", "ash", "ksh", "zsh"];

impl Command {
    /// What it starts, if the name of that is known before it runs.
    pub fn invocation(&self) -> Option<Invocation<'_>> {
        let path = self.words.first().filter(|_| self.kind == CommandKind::Simple)?;
        let mut invocation = Invocation {
            program: base_name(path.literal()?),
            path,
            arguments: &self.words[1..],
            wrappers: Vec::new(),
            user: None,
            sets_home: false,
            environment: Vec::new(),
        };
        while let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == invocation.program) {
            if !invocation.unwrap(wrapper) {
                break;
            }
        }
        Some(invocation)
    }
}

impl<'a> Invocation<'a> {
    /// The arguments that are not options, as far as that can be told from their first letter.
    pub fn operands(&self) -> impl Iterator<Item = &'a Word> + use<'a> {
        self.arguments.iter().filter(|word| word.quoting != super::Quoting::Bare || !word.text.starts_with('-'))
    }

    /// Whether one of these options is given: a long one exactly or up to `=`, a short one also within a cluster.
    pub fn has_option(&self, options: &[&str]) -> bool {
        self.arguments.iter().any(|word| options.iter().any(|option| is_option(&word.text, option)))
    }

    /// Whether it is a shell that reads commands.
    pub fn is_shell(&self) -> bool {
        SHELLS.contains(&self.program)
    }

    /// Whether its standard input is a script: a shell without a file and without `-c`.
    pub(super) fn reads_script(&self) -> bool {
        self.is_shell() && !self.has_option(&["-c"]) && (self.has_option(&["-s"]) || self.operands().next().is_none())
    }

    /// The argument that is a script: what follows the `-c` of a shell or of `su`.
    pub fn script_argument(&self) -> Option<&'a Word> {
        if !self.is_shell() && !matches!(self.program, "su" | "runuser") {
            return None;
        }
        let option = |word: &Word| is_option(&word.text, "-c") || word.is("--command");
        let mut rest = self.arguments.iter().skip_while(|word| !option(word)).skip(1);
        // `bash -c -e '…'` is legal.
        rest.find(|word| !word.text.starts_with('-'))
    }

    /// Looks behind one wrapper; false if there is nothing to be seen.
    fn unwrap(&mut self, wrapper: &Wrapper) -> bool {
        let mut rest = self.arguments;
        let mut operands = wrapper.operands;
        let mut seen = Self { environment: Vec::new(), ..self.clone() };
        while let Some((word, behind)) = rest.split_first() {
            let text = word.text.as_str();
            if text.starts_with('-') && text.len() > 1 {
                rest = behind;
                if text == "--" {
                    break;
                }
                // `command -v` asks, it starts nothing.
                if wrapper.name == "command" && matches!(text, "-v" | "-V") {
                    return false;
                }
                let value = value_of(text, wrapper.valued);
                seen.sets_home |= wrapper.takes_user && !matches!(value, Value::Inside(..)) && sets_home_option(text);
                match value {
                    Value::Next(option) => {
                        let Some((value, behind)) = rest.split_first() else { return false };
                        seen.note_option(wrapper, option, &value.text);
                        rest = behind;
                    }
                    Value::Inside(option, value) => seen.note_option(wrapper, option, value),
                    Value::None => {}
                }
            } else if wrapper.takes_environment && is_assignment(text) {
                seen.environment.push(word);
                rest = behind;
            } else if operands > 0 {
                operands -= 1;
                rest = behind;
            } else {
                break;
            }
        }
        let Some((path, arguments)) = rest.split_first() else { return false };
        let Some(program) = path.literal() else { return false };
        seen.wrappers.push(wrapper.name);
        seen.environment.splice(0..0, self.environment.iter().copied());
        (seen.path, seen.program, seen.arguments) = (path, base_name(program), arguments);
        *self = seen;
        true
    }

    fn note_option(&mut self, wrapper: &Wrapper, option: &str, value: &'a str) {
        if wrapper.takes_user && matches!(option, "-u" | "--user") {
            self.user = Some(value);
        }
    }
}

/// The value of an option, as far as it takes one.
enum Value<'a, 'o> {
    /// It is the next argument.
    Next(&'o str),
    /// It stands in the same one: `-ubob`, `--user=bob`.
    Inside(&'o str, &'a str),
    None,
}

fn value_of<'a, 'o>(text: &'a str, valued: &[&'o str]) -> Value<'a, 'o> {
    if text.starts_with("--") {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some(option) = valued.iter().find(|option| **option == name) else { return Value::None };
        return value.map_or(Value::Next(option), |value| Value::Inside(option, value));
    }
    for (at, letter) in text.char_indices().skip(1) {
        let takes = |option: &&&str| option.len() == 2 && option[1..].starts_with(letter);
        if let Some(option) = valued.iter().find(takes) {
            let value = &text[at + letter.len_utf8()..];
            return if value.is_empty() { Value::Next(option) } else { Value::Inside(option, value) };
        }
    }
    Value::None
}

fn sets_home_option(text: &str) -> bool {
    matches!(text, "--set-home" | "--login") || (!text.starts_with("--") && text.contains(['H', 'i']))
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    })
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether an argument is this option: `--long`, `--long=value`, `-s`, or `s` in a cluster like `-xsy`.
pub(super) fn is_option(argument: &str, option: &str) -> bool {
    if option.starts_with("--") || option.len() != 2 {
        return argument == option || argument.strip_prefix(option).is_some_and(|rest| rest.starts_with('='));
    }
    let letters = argument.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    letters.is_some_and(|letters| {
        letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) && letters.contains(&option[1..])
    })
}

#[cfg(test)]
mod tests {
    use super::super::Script;

    #[test]
    fn wrappers_are_looked_through() {
        for (text, program, arguments, user, home) in [
            ("apt-get update", "apt-get", "update", None, false),
            ("/usr/bin/apt-get update", "apt-get", "update", None, false),
            ("sudo -E apt-get update", "apt-get", "update", None, false),
            ("sudo -u bob -- ./run x", "run", "x", Some("bob"), false),
            ("sudo -H -ualice npm i", "npm", "i", Some("alice"), true),
            ("sudo -Hu bob npm i", "npm", "i", Some("bob"), true),
            ("sudo -i -u bob npm i", "npm", "i", Some("bob"), true),
            ("sudo --user=bob npm", "npm", "", Some("bob"), false),
            ("sudo A=b C=d npm", "npm", "", None, false),
            ("env -i A=b timeout -k 5 10 nohup nice -n 3 make all", "make", "all", None, false),
            ("command -v curl", "command", "-v curl", None, false),
            ("command -p ls", "ls", "", None, false),
            ("exec bash x", "bash", "x", None, false),
            ("timeout 5", "timeout", "5", None, false),
            ("xargs -0 -n 1 rm -f", "rm", "-f", None, false),
            ("runuser -u bob -- id", "id", "", Some("bob"), false),
            ("sudo $x", "sudo", "$x", None, false),
            (r#"\sudo "apt" up"#, "apt", "up", None, false),
        ] {
            let script = Script::bash(&[text]);
            let invocation = script.commands[0].invocation().expect(text);
            let written: Vec<_> = invocation.arguments.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(invocation.program, program, "{text}");
            assert_eq!(written.join(" "), arguments, "{text}");
            assert_eq!(invocation.user, user, "{text}");
            assert_eq!(invocation.sets_home, home, "{text}");
        }
        assert_eq!(Script::bash(&["$x y"]).commands[0].invocation(), None);
        assert_eq!(Script::bash(&["[[ a ]]"]).commands[0].invocation(), None);
    }

    #[test]
    fn options_are_found_in_clusters() {
        for (argument, option, expected) in [
            ("-y", "-y", true),
            ("-qy", "-y", true),
            ("--yes", "-y", false),
            ("--yes", "--yes", true),
            ("--yes=1", "--yes", true),
            ("--yesterday", "--yes", false),
            ("-o=y", "-y", false),
            ("y", "-y", false),
            ("-", "-y", false),
        ] {
            assert_eq!(super::is_option(argument, option), expected, "{argument} {option}");
        }
    }

    #[test]
    fn scripts_in_arguments_are_found() {
        for (text, expected) in [
            ("bash -c 'a b'", Some("a b")),
            ("sudo sh -exc 'a'", Some("a")),
            ("bash -euo pipefail -c 'a'", Some("a")),
            ("su - bob -c 'a'", Some("a")),
            ("bash a.sh", None),
            ("echo -c a", None),
        ] {
            let script = Script::bash(&[text]);
            let found = script.commands[0].invocation().and_then(|invocation| invocation.script_argument().cloned());
            assert_eq!(found.map(|word| word.text), expected.map(str::to_owned), "{text}");
        }
    }
}
