//! What was meant by text in double braces that is no expression.

use super::is_word;
use crate::component::is_name;

/// What was probably meant by a text that is not an expression.
pub fn meant(text: &str) -> Option<String> {
    if let Some(c) = text.chars().find(|c| is_invisible(*c)) {
        return Some(format!("remove the invisible character U+{:04X}", u32::from(c)));
    }
    for (prefix, right) in [
        ("resolve:ssm:", "aws:ssm:"),
        ("resolve:ssm-secure:", "aws:ssm:"),
        ("resolve:secretsmanager:", "aws:ssm:/aws/reference/secretsmanager/"),
        ("ssm:", "aws:ssm:"),
        ("imds:", "aws:imds:"),
        ("env.", "env:"),
        ("$env:", "env:"),
        ("context.", "context:"),
    ] {
        if let Some(rest) = text.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            return Some(format!("did you mean `{right}{rest}`?"));
        }
    }
    if text.contains('|') {
        return Some("there are no filters: change the value in a script".to_owned());
    }
    let parts: Vec<&str> = text.split('.').collect();
    match parts.as_slice() {
        [name] if !name.is_empty() && name.chars().all(is_word) => {
            Some("the name of a parameter or constant has 3 to 128 letters, digits, `-` and `_`".to_owned())
        }
        ["loop", _] => Some("write `loop.index` or `loop.value`".to_owned()),
        ["parameters" | "params" | "constants" | "inputs", name] if is_name(name) => {
            Some(format!("did you mean `{name}`?"))
        }
        [phase, step, key] if is_name(phase) && is_name(step) && key.chars().all(is_word) => Some(match *key {
            "inputs" | "outputs" => format!("say which one: `{text}.key`"),
            _ => format!("did you mean `{phase}.{step}.outputs.{key}`?"),
        }),
        [phase, step, "output", key] => Some(format!("did you mean `{phase}.{step}.outputs.{key}`?")),
        [phase, step, "input", key] => Some(format!("did you mean `{phase}.{step}.inputs.{key}`?")),
        _ => None,
    }
}

/// Whether a text looks like a piece of a template for another engine, such as Go's, Jinja or Handlebars.
pub fn is_foreign(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    text.starts_with(['.', '$', '#', '/', '^', '!', '>', '&', '-', '"', '\'', '('])
        || matches!(
            word,
            "range" | "if" | "else" | "with" | "end" | "define" | "template" | "block" | "json" | "include"
        )
}

/// Whether a character cannot be seen, and is not white space either.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_was_meant_is_guessed() {
        for (text, expected) in [
            ("ab", "3 to 128"),
            ("Na\u{200b}me", "U+200B"),
            ("Version | upper", "no filters"),
            ("build.Get.stdout", "`build.Get.outputs.stdout`"),
            ("build.Get.output.stdout", "`build.Get.outputs.stdout`"),
            ("build.Get.input.path", "`build.Get.inputs.path`"),
            ("build.Get.outputs", "`build.Get.outputs.key`"),
            ("loop.item", "loop.value"),
            ("parameters.Version", "`Version`"),
            ("resolve:ssm:/a/b", "`aws:ssm:/a/b`"),
            ("env.HOME", "`env:HOME`"),
        ] {
            let meant = meant(text);
            assert!(meant.as_deref().is_some_and(|meant| meant.contains(expected)), "{text}: {meant:?}");
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["", ".Field", "a b c", "#each things", "- x -"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn templates_of_others_are_told_from_slips() {
        for text in
            [".Names", "- .x -", "#each things", "/if", "range .Items", "if .TLS", "json .", "$x", "'{'", "else if x"]
        {
            assert!(is_foreign(text), "{text}");
        }
        for text in ["", "v", "Version upper", "build.Step", "iffy name"] {
            assert!(!is_foreign(text), "{text}");
        }
    }
}
