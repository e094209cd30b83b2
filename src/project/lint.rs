//! `lint:` of `amiforge.yaml`: how bad rules are in this project, and what they have to know.

use super::fields::{Fields, Findings, text};
use super::{LintConfig, codes};
use crate::component::rules::{self, Level};
use crate::diagnostic::Severity;
use crate::yaml::Node;

/// Reads `lint:`; what is wrong is added to `out`.
pub(super) fn read(node: &Node, out: &mut Findings) -> LintConfig {
    let mut config = LintConfig::default();
    let Some(mut fields) = Fields::new(node, "lint", true, out) else { return config };
    config.fail_on = match fields.choice("fail_on", &["error", "warning", "note"], out) {
        Some("warning") => Severity::Warning,
        Some("note") => Severity::Note,
        _ => Severity::Error,
    };
    if let Some(node) = fields.take("rules") {
        levels(node, &mut config, out);
    }
    for (account, span) in fields.texts("accounts", out) {
        if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) {
            config.accounts.push(account);
        } else {
            let message = format!("`{account}` is not an account: twelve digits are");
            out.error(codes::LOCATION, span, message, "not an account");
        }
    }
    config.old_awstoe = fields.boolean("old_awstoe", false, out);
    fields.finish(out);
    config
}

fn levels(node: &Node, config: &mut LintConfig, out: &mut Findings) {
    let Some(entries) = Fields::new(node, "lint.rules", true, out).and(node.entries()) else { return };
    for (key, value) in entries {
        let Some(name) = text(key, "lint.rules", out) else { continue };
        let path = format!("lint.rules.{name}");
        let Some(rule) = rules::find(&name) else {
            let known: Vec<&str> = rules::all().iter().flat_map(|rule| [rule.id, rule.name]).collect();
            let near = crate::diagnostic::suggest(&name, known.iter().copied());
            let label = near.map_or_else(|| "not a rule".to_owned(), |near| format!("did you mean `{near}`?"));
            let found = out.error(codes::RULE, key.span, format!("there is no rule `{name}`"), label);
            found.help.push("`amiforge explain` lists all rules".to_owned());
            continue;
        };
        let Some(word) = text(value, &path, out) else { continue };
        let Some(level) = Level::parse(&word) else {
            let message = format!("`{path}` cannot be `{word}`");
            out.unknown(codes::NOT_ALLOWED, value.span, message, &word, &Level::NAMES);
            continue;
        };
        if !config.levels.set(rule, level) {
            let message = format!("{} ({}) cannot be lowered", rule.id, rule.name);
            let found = out.error(codes::RULE, value.span, message, "the service refuses what it reports");
            found.help.push(format!("leave it at `error`; `amiforge explain {}` says why", rule.id));
        }
    }
}
