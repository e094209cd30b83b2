//! From the lines of the script to the section of the evidence.

use super::{RULES, VERSION, rule_named};
use crate::evidence::{FailedRule, Hygiene, HygieneFinding};

/// Reads what the script has printed, at that time (RFC 3339).
///
/// # Errors
/// When it is not what the script prints. A rule of which nothing is said is none that was looked at.
pub fn read(text: &str, at: &str) -> Result<Hygiene, String> {
    let mut hygiene = Hygiene { version: VERSION, looked_at: at.to_owned(), ..Hygiene::default() };
    for line in text.lines() {
        let mut words = line.splitn(3, '\t');
        let (name, what, rest) = (words.next().unwrap_or_default(), words.next(), words.next());
        if name == "*" && what == Some("failed") {
            return Err(rest.unwrap_or("no reason is given").to_owned());
        }
        let rule = rule_named(name).ok_or_else(|| format!("`{line}` names no rule of hygiene"))?;
        let found = |path: String| HygieneFinding {
            rule: rule.name.to_owned(),
            severity: rule.severity.to_owned(),
            path,
            why: rule.why.to_owned(),
        };
        match (what, rest) {
            (Some("found"), Some(path)) if !path.is_empty() => hygiene.findings.push(found(path.to_owned())),
            (Some("more"), Some(count)) => hygiene.findings.push(found(format!("and {count} more"))),
            (Some("looked"), None) => hygiene.rules.push(name.to_owned()),
            (Some("failed"), why) => {
                let why = why.filter(|why| !why.is_empty()).unwrap_or("no reason is given");
                hygiene.failed.push(FailedRule { rule: name.to_owned(), why: why.to_owned() });
            }
            _ => return Err(format!("`{line}` is not a line about hygiene")),
        }
    }
    let told = |name: &str| {
        hygiene.rules.iter().any(|rule| rule == name) || hygiene.failed.iter().any(|failed| failed.rule == name)
    };
    let silent: Vec<&str> = RULES.iter().map(|rule| rule.name).filter(|name| !told(name)).collect();
    let why = "the script said nothing of its end".to_owned();
    hygiene.failed.extend(silent.into_iter().map(|rule| FailedRule { rule: rule.to_owned(), why: why.clone() }));
    Ok(hygiene)
}
