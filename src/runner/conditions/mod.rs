//! Conditions at work: `if` and Assert (reference/component-documents.md section 8).

mod number;
mod sums;
mod text;

use super::actions::{Machine, StepError};
use super::values::Scope;
use super::visible::quoted;
use crate::component::condition::{Comparison, Condition, Test};
use crate::component::re2::Pattern;
use number::Decimal;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub use sums::{Hash, of_file};

/// The answer to a condition.
#[derive(Debug)]
pub struct Answer {
    /// Whether it holds.
    pub holds: bool,
    /// What was asked, with all expressions replaced; what was not looked at (`and` and `or` stop early) is not in it.
    pub asked: Value,
    /// Each comparison that was made, with its answer.
    reasons: Vec<String>,
}

impl Answer {
    /// The comparisons that were made, in a sentence.
    pub fn explain(&self) -> String {
        self.reasons.join("; ")
    }
}

/// Answers a condition. What cannot be compared at all (a number that is none where the document puts it, a pattern that
/// is refused, a file that cannot be read) is an error, not an answer.
pub fn evaluate(condition: &Condition, scope: &mut Scope<'_, '_>, machine: &Machine) -> Result<Answer, StepError> {
    match condition {
        Condition::And(all, _) => several("and", all, false, scope, machine),
        Condition::Or(all, _) => several("or", all, true, scope, machine),
        Condition::Not(inner, _) => {
            let inner = evaluate(inner, scope, machine)?;
            Ok(Answer { holds: !inner.holds, asked: json!({"not": inner.asked}), reasons: inner.reasons })
        }
        Condition::Test(test) => compare(test, scope, machine),
    }
}

/// `and` and `or`: the first answer that decides ends it.
fn several(
    name: &str,
    all: &[Condition],
    decides: bool,
    scope: &mut Scope<'_, '_>,
    machine: &Machine,
) -> Result<Answer, StepError> {
    let (mut holds, mut asked, mut reasons) = (!decides, Vec::new(), Vec::new());
    for condition in all {
        let answer = evaluate(condition, scope, machine)?;
        asked.push(answer.asked);
        reasons.extend(answer.reasons);
        if answer.holds == decides {
            holds = decides;
            break;
        }
    }
    Ok(Answer { holds, asked: json!({name: asked}), reasons })
}

fn compare(test: &Test, scope: &mut Scope<'_, '_>, machine: &Machine) -> Result<Answer, StepError> {
    let name = test.operator.name;
    let operand = scope.text(&test.operand)?;
    let value = test.value.as_ref().map(|value| scope.text(value)).transpose()?;
    let other = value.as_deref().unwrap_or_default();
    let secrets = scope.secrets;
    let holds = holds(test, &operand, other, machine).map_err(|reason| {
        // A reason may quote a part of what was compared, in which a secret would not be found.
        let secret = secrets.are_in(&operand) || secrets.are_in(other);
        let reason = if secret { "what it compares holds a secret, so the reason is not told" } else { &reason };
        StepError::Failed(format!("`{name}` cannot be answered: {reason}"))
    })?;
    let beside = test.operator.operands.beside().unwrap_or("value");
    let mut asked = Map::from_iter([(name.to_owned(), json!(operand))]);
    let mut reason = format!("{name} {}", quoted(&secrets.redact(&operand)));
    if let Some(value) = &value {
        asked.insert(beside.to_owned(), json!(value));
        reason.extend([" with ", beside, " ", &quoted(&secrets.redact(value))]);
    }
    reason.push_str(if holds { " is true" } else { " is false" });
    Ok(Answer { holds, asked: asked.into(), reasons: vec![reason] })
}

/// Reads from right to left: "`value` operator operand".
fn holds(test: &Test, operand: &str, value: &str, machine: &Machine) -> Result<bool, String> {
    use Comparison as C;
    let texts = |wanted: &[Ordering]| Ok(wanted.contains(&text::compare(value, operand)));
    let numbers = |wanted: &[Ordering]| numbers(test, operand, value, wanted);
    let sum = |hash: Hash| has_sum(hash, operand, value, machine);
    match test.operator.comparison {
        C::StringIsEmpty => Ok(operand.is_empty()),
        C::StringIsWhitespace => Ok(text::is_whitespace(operand)),
        C::StringEquals => texts(&[Ordering::Equal]),
        C::StringLessThan => texts(&[Ordering::Less]),
        C::StringLessThanEquals => texts(&[Ordering::Less, Ordering::Equal]),
        C::StringGreaterThan => texts(&[Ordering::Greater]),
        C::StringGreaterThanEquals => texts(&[Ordering::Greater, Ordering::Equal]),
        C::PatternMatches => {
            Pattern::new(operand).and_then(|pattern| pattern.is_found_in(value)).map_err(|error| error.to_string())
        }
        C::NumberEquals => numbers(&[Ordering::Equal]),
        C::NumberLessThan => numbers(&[Ordering::Less]),
        C::NumberLessThanEquals => numbers(&[Ordering::Less, Ordering::Equal]),
        C::NumberGreaterThan => numbers(&[Ordering::Greater]),
        C::NumberGreaterThanEquals => numbers(&[Ordering::Greater, Ordering::Equal]),
        C::BinaryExists => Ok(is_program(operand, machine)),
        C::FileExists => Ok(machine.path(operand).is_ok_and(|path| path.is_file())),
        C::FolderExists => Ok(machine.path(operand).is_ok_and(|path| path.is_dir())),
        C::FileMd5Equals => sum(Hash::Md5),
        C::FileSha1Equals => sum(Hash::Sha1),
        C::FileSha256Equals => sum(Hash::Sha256),
        C::FileSha512Equals => sum(Hash::Sha512),
        C::And | C::Or | C::Not => Err("it compares nothing".to_owned()),
    }
}

/// A value that is no number makes the comparison false; an operand that is none is a fault of the document (8.3).
fn numbers(test: &Test, operand: &str, value: &str, wanted: &[Ordering]) -> Result<bool, String> {
    let Some(number) = Decimal::of_template(&test.operand, operand) else {
        return Err(format!("{} is not a number", quoted(operand)));
    };
    let found = test.value.as_ref().and_then(|template| Decimal::of_template(template, value));
    Ok(found.is_some_and(|found| wanted.contains(&found.cmp(&number))))
}

/// A program on the `PATH` of commands. awstoe asks `type`, which knows built-in commands of the shell as well
/// (UNCONFIRMED); no shell is needed for this answer.
fn is_program(name: &str, machine: &Machine) -> bool {
    let runs =
        |path: &Path| fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return machine.path(name).is_ok_and(|path| runs(&path));
    }
    !name.is_empty() && machine.search_path().any(|folder| runs(&folder.join(name)))
}

/// Whether a file has a sum. One that is missing, or is no file, has none (UNCONFIRMED); letter case does not count
/// (UNCONFIRMED).
fn has_sum(hash: Hash, sum: &str, path: &str, machine: &Machine) -> Result<bool, String> {
    let Ok(path) = machine.path(path) else { return Ok(false) };
    if !path.is_file() {
        return Ok(false);
    }
    let found = of_file(hash, &path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(found.eq_ignore_ascii_case(sum))
}
