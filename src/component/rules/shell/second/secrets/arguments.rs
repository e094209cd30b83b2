//! Secrets among the arguments of commands.

use super::shapes::{Meaning, is_secret, meaning};
use crate::component::shell::{Command, Invocation, Place, PowerShell, Quoting, Script, Word};

/// The secrets among the arguments of a script, with what they are.
pub fn bash(script: &Script) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for command in &script.commands {
        let Some(invocation) = command.invocation() else { continue };
        found.extend(options(&invocation));
        found.extend(own_ways(&invocation));
        found.extend(read_by_chpasswd(script, command, &invocation));
    }
    found.into_iter().map(|(word, what)| (word.place.clone(), what)).collect()
}

/// `--password hunter2`. What stands in the same word, `--password=hunter2`, is found in the text.
fn options<'a>(invocation: &Invocation<'a>) -> Vec<(&'a Word, String)> {
    let pairs = invocation.arguments.windows(2).filter_map(|pair| {
        let name = pair[0].literal()?.strip_prefix("--").filter(|_| pair[0].quoting == Quoting::Bare)?;
        let value = pair[1].literal()?;
        is_secret(value, meaning(name)?).then(|| (&pair[1], format!("the value of `--{name}`")))
    });
    pairs.collect()
}

fn password(text: &str) -> bool {
    is_secret(text, Meaning::Password)
}

/// `user:hunter2`
fn with_user(text: &str) -> bool {
    text.split_once(':').is_some_and(|(user, secret)| !user.is_empty() && password(secret))
}

/// Programs that have a short way of their own.
fn own_ways<'a>(invocation: &Invocation<'a>) -> Option<(&'a Word, String)> {
    let program = invocation.program;
    let next = |options: &[&str], is: fn(&str) -> bool| {
        let pair = invocation.arguments.windows(2).find(|pair| options.contains(&pair[0].text.as_str()))?;
        pair[1].literal().is_some_and(is).then_some(&pair[1])
    };
    let joined = |option: &str, is: fn(&str) -> bool| {
        let value = |word: &&Word| word.literal().and_then(|text| text.strip_prefix(option)).is_some_and(is);
        invocation.arguments.iter().find(value)
    };
    let word = match program {
        "curl" => next(&["-u", "--user", "--proxy-user"], with_user).or_else(|| joined("-u", with_user)),
        "mysql" | "mysqldump" | "mysqladmin" | "mariadb" | "mariadb-dump" => joined("-p", password),
        "sshpass" => next(&["-p"], password).or_else(|| joined("-p", password)),
        "docker" | "podman" | "helm" if invocation.arguments.iter().any(|word| word.is("login")) => {
            next(&["-p"], password)
        }
        "openssl" | "keytool" => joined("pass:", password).or_else(|| next(&["-storepass", "-keypass"], password)),
        _ => None,
    };
    word.map(|word| (word, format!("a password for `{program}`")))
}

/// What is handed to `chpasswd`, and to `passwd --stdin`.
fn read_by_chpasswd<'a>(
    script: &'a Script,
    command: &'a Command,
    invocation: &Invocation<'a>,
) -> Option<(&'a Word, String)> {
    let is: fn(&str) -> bool = match invocation.program {
        "chpasswd" => with_user,
        "passwd" if invocation.has_option(&["--stdin"]) => password,
        _ => return None,
    };
    let known = |word: &&'a Word| word.literal().is_some_and(|text| is(text.trim_end_matches("\\n")));
    let here = command.redirects.iter().filter(|redirect| redirect.operator == "<<<").map(|redirect| &redirect.target);
    let pipeline = command.pipeline.and_then(|number| script.pipelines.get(number));
    let stages = pipeline.into_iter().flat_map(|pipeline| &pipeline.stages).filter_map(|stage| stage.command);
    let echoed = stages
        .filter_map(|index| script.commands.get(index)?.invocation())
        .filter(|stage| matches!(stage.program, "echo" | "printf"))
        .flat_map(|stage| stage.arguments);
    here.chain(echoed).find(known).map(|word| (word, "the password of an account".to_owned()))
}

/// The same for PowerShell.
pub fn powershell(script: &PowerShell) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for command in &script.commands {
        let Some(name) = command.name() else { continue };
        let arguments = command.arguments();
        for pair in arguments.windows(2) {
            let option = pair[0].text.strip_prefix('-').filter(|_| pair[0].quoting == Quoting::Bare);
            let meaning = option.map(|option| option.trim_start_matches('-')).and_then(meaning);
            let value = pair[1].literal();
            if let (Some(option), Some(meaning), Some(value)) = (option, meaning, value)
                && is_secret(value, meaning)
            {
                found.push((pair[1].place.clone(), format!("the value of `-{option}`")));
            }
        }
        let plain = arguments.iter().any(|word| word.text.to_ascii_lowercase().starts_with("-asp"));
        let word = match (name.as_str(), arguments) {
            ("convertto-securestring", _) if plain => {
                arguments.iter().find(|word| word.literal().is_some_and(password))
            }
            ("net" | "net1", [verb, _, secret, ..]) if verb.text.eq_ignore_ascii_case("user") => {
                Some(secret).filter(|word| word.literal().is_some_and(password))
            }
            _ => None,
        };
        found.extend(word.map(|word| (word.place.clone(), format!("a password for `{name}`"))));
    }
    found
}
