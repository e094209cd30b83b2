//! What SARIF says about a rule.

use super::log::{Configuration, Help, ReportingDescriptor, RuleProperties, Text};
use crate::component::rules::{self, Basis, Rule};
use crate::diagnostic::render::word;
use crate::diagnostic::{Diagnostic, catalogue};

/// The rule of a code, be it one of the register or of the catalogue.
pub(super) fn rule(code: &'static str, findings: &[Diagnostic]) -> ReportingDescriptor {
    if let Some(rule) = rules::find(code) {
        return of_rule(rule);
    }
    let entry = catalogue::explain(code);
    let title = entry.map_or(code, |entry| entry.title);
    let explanation = entry.map_or(code, |entry| entry.explanation);
    // The catalogue has no levels; that of a code is the worst it was reported with.
    let level = findings.iter().filter(|finding| finding.code == code).map(|finding| finding.severity).max();
    ReportingDescriptor {
        id: code,
        name: None,
        short_description: Text { text: title.to_owned() },
        full_description: Text { text: explanation.to_owned() },
        help: Help { text: explanation.to_owned(), markdown: None },
        default_configuration: Configuration { level: level.map_or("none", word) },
        properties: RuleProperties { tags: vec!["file"] },
    }
}

fn of_rule(rule: &'static Rule) -> ReportingDescriptor {
    let (example, instead) = (rule.example.trim_matches('\n'), rule.instead.trim_matches('\n'));
    ReportingDescriptor {
        id: rule.id,
        name: Some(rule.name),
        short_description: Text { text: rule.summary.to_owned() },
        full_description: Text { text: format!("{} {}", rule.summary, rule.why) },
        help: Help {
            text: rules::explain(rule),
            markdown: Some(format!("{}\n\n```yaml\n{example}\n```\n\nInstead:\n\n```yaml\n{instead}\n```\n", rule.why)),
        },
        default_configuration: Configuration { level: word(rule.level) },
        properties: RuleProperties { tags: vec![family(rule), basis(rule.basis)] },
    }
}

/// The family as a tag.
fn family(rule: &Rule) -> &'static str {
    match rule.id.as_bytes().first() {
        Some(b'D') => "document",
        Some(b'S') => "steps",
        Some(b'X') => "expressions",
        Some(b'L') => "loops",
        Some(b'C') => "conditions",
        _ => "action-modules",
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Service => "service",
        Basis::Inferred => "inferred",
        Basis::Advice => "advice",
    }
}
