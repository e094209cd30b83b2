//! What is written about rules: one by one, and all of them.

use super::model::{Basis, Rule};
use super::registry::all;
use crate::diagnostic::Severity;
use std::fmt::Write as _;

/// The word for a level.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// What a rule rests on, as a sentence.
fn basis(rule: &Rule) -> &'static str {
    match rule.basis {
        Basis::Service if rule.is_mixed() => {
            "What the service refuses of it cannot be switched off; what is only inferred or doubtful can."
        }
        Basis::Service => "The service refuses it or it cannot work, so it cannot be switched off.",
        Basis::Inferred => "Inferred from the documentation, not quoted from it; it can be switched off.",
        Basis::Advice => "Advice of amiforge's own; it can be switched off, or allowed in place.",
    }
}

/// The whole explanation of one rule, for a terminal.
pub fn explain(rule: &Rule) -> String {
    format!(
        "{}: {} ({})\n\n{}\n\nWhy: {}\n\nExample:\n\n{}\n\nInstead:\n\n{}\n\n{}\n",
        rule.id,
        rule.name,
        level(rule.level),
        rule.summary,
        rule.why,
        indented(rule.example),
        indented(rule.instead),
        switch(rule),
    )
}

fn switch(rule: &Rule) -> String {
    if rule.is_firm() {
        return basis(rule).to_owned();
    }
    format!("{} `# amiforge: allow[{}] reason` allows it at one place.", basis(rule), rule.id)
}

fn indented(text: &str) -> String {
    text.trim_matches('\n')
        .lines()
        .map(|line| format!("    {line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The page docs/rules.md: every rule by family.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Rules\n\n\
         This page is generated from the rules themselves: `amiforge explain --markdown > docs/rules.md`. `amiforge explain S014`\n\
         prints one of them.\n",
    );
    let mut family = "";
    for rule in all() {
        if rule.family() != family {
            family = rule.family();
            let _ = write!(page, "\n## {family}\n\n| id | name | level | what it reports |\n|---|---|---|---|\n");
            for rule in all().iter().filter(|rule| rule.family() == family) {
                let summary = rule.summary.replace('|', "\\|");
                let _ = writeln!(
                    page,
                    "| [{0}](#{1}) | {2} | {3} | {summary} |",
                    rule.id,
                    anchor(rule),
                    rule.name,
                    level(rule.level)
                );
            }
        }
        let _ = write!(
            page,
            "\n### {} {}\n\n{} {}\n\n{}\n\n```yaml\n{}\n```\n\nInstead:\n\n```yaml\n{}\n```\n",
            rule.id,
            rule.name,
            rule.summary,
            rule.why,
            switch(rule),
            rule.example.trim_matches('\n'),
            rule.instead.trim_matches('\n'),
        );
    }
    page
}

fn anchor(rule: &Rule) -> String {
    format!("{}-{}", rule.id.to_lowercase(), rule.name)
}
