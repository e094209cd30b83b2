//! What `iam-policy` prints for people.

use crate::access::{Policy, Role, Statement, Verb, needs};
use std::fmt::Write as _;

/// Characters of a managed policy at most, and of all inline policies of a role (general knowledge of IAM).
const LIMITS: (usize, usize) = (6_144, 10_240);

/// A policy with who needs what, and what else belongs to the role.
#[must_use]
pub fn access(policy: &Policy, verbs: &[Verb], role: Option<&Role>, notes: &[String]) -> String {
    let mut text = String::new();
    if let Some(role) = role {
        let _ = writeln!(text, "role {}", role.name);
        for name in &role.managed_policies {
            let _ = writeln!(text, "  managed policy of AWS  {name}");
        }
        for statement in &role.trust.statement {
            let who = statement.principal.as_ref().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  may be assumed by      {who}");
        }
        text.push('\n');
    }
    for statement in &policy.statement {
        text_statement(&mut text, statement, verbs);
    }
    if policy.statement.is_empty() {
        text.push_str("Nothing besides the managed policies.\n");
    }
    text + &remarks(policy, notes)
}

/// What stands beside a policy that goes to a file.
#[must_use]
pub fn access_notes(policy: &Policy, role: Option<&Role>, notes: &[String]) -> String {
    let mut text = String::new();
    for name in role.iter().flat_map(|role| &role.managed_policies) {
        let _ = writeln!(text, "note: attach AWS's managed policy {name}, too");
    }
    text + &remarks(policy, notes)
}

fn remarks(policy: &Policy, notes: &[String]) -> String {
    let mut text = String::new();
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    let size = policy.size();
    if size > LIMITS.0 {
        let fits = if size > LIMITS.1 { "nor into the inline policies of one role" } else { "but into an inline one" };
        let _ = writeln!(
            text,
            "note: {size} characters do not fit into a managed policy ({}), {fits} ({}); name fewer verbs to divide it",
            LIMITS.0, LIMITS.1
        );
    }
    text
}

fn text_statement(text: &mut String, statement: &Statement, verbs: &[Verb]) {
    let needed = |verb: &&Verb| needs(**verb).iter().any(|need| statement.action.iter().any(|a| a == need.action));
    let by: Vec<&str> = verbs.iter().filter(needed).map(|verb| verb.name()).collect();
    let _ = writeln!(text, "{}", statement.sid);
    let _ = writeln!(text, "  allow  {}", statement.action.join("\n         "));
    if !statement.resource.is_empty() {
        let _ = writeln!(text, "  on     {}", statement.resource.join("\n         "));
    }
    if let Some(condition) = &statement.condition {
        let _ = writeln!(text, "  if     {condition}");
    }
    if !by.is_empty() {
        let _ = writeln!(text, "  for    {}", by.join(", "));
    }
    text.push('\n');
}
