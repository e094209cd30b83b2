//! Labels of parameter versions.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::input;
use super::names::Selector;
use super::parameter_record::Parameter;
use serde_json::{Value, json};

/// Labels a version can have.
const MAX_LABELS: usize = 10;

/// Whether Parameter Store takes a label: 1 to 100 letters, digits, `.`, `-`, `_`; no digit first, and neither `aws` nor
/// `ssm`.
fn is_valid(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    (1..=100).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
}

fn selector(number: Option<i64>) -> Selector {
    // A negative number is the number of no version.
    number.map_or(Selector::Latest, |number| Selector::Number(u64::try_from(number).unwrap_or(0)))
}

/// `LabelParameterVersion`: moves labels that another version has. Labels that are not valid are answered, not refused.
pub(super) fn label(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("Name")?;
    let labels = input.texts("Labels")?;
    if labels.is_empty() || labels.len() > MAX_LABELS {
        return Err(
            input.invalid("Labels", &format!("{} labels are given; 1 to {MAX_LABELS} are allowed.", labels.len()))
        );
    }
    let selector = selector(input.integer("ParameterVersion")?);
    let (valid, invalid): (Vec<&str>, Vec<&str>) = labels.into_iter().partition(|label| is_valid(label));
    local.store.write(|tx| {
        let mut parameter = Parameter::own(tx, &caller.scope, name)?;
        let number = parameter.select(&selector)?.number;
        for version in &mut parameter.versions {
            version.labels.retain(|label| !valid.contains(&label.as_str()));
            if version.number == number {
                version.labels.extend(valid.iter().map(|label| (*label).to_owned()));
                version.labels.sort();
                version.labels.dedup();
                if version.labels.len() > MAX_LABELS {
                    let text = format!("Version {number} of {name} would have more than {MAX_LABELS} labels.");
                    return Err(ServiceError::client("ParameterVersionLabelLimitExceeded", text));
                }
            }
        }
        parameter.put(tx, &caller.scope)?;
        Ok(json!({ "InvalidLabels": invalid, "ParameterVersion": number }))
    })
}

/// `UnlabelParameterVersion`.
pub(super) fn unlabel(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("Name")?;
    let labels = input.texts("Labels")?;
    let Some(number) = input.integer("ParameterVersion")? else { return Err(input.missing("ParameterVersion")) };
    let selector = selector(Some(number));
    local.store.write(|tx| {
        let mut parameter = Parameter::own(tx, &caller.scope, name)?;
        let number = parameter.select(&selector)?.number;
        let (mut removed, mut invalid) = (Vec::new(), Vec::new());
        for version in parameter.versions.iter_mut().filter(|version| version.number == number) {
            for label in &labels {
                let had = version.labels.iter().any(|present| present == label);
                let answer = if had { &mut removed } else { &mut invalid };
                answer.push(*label);
                version.labels.retain(|present| present != label);
            }
        }
        parameter.put(tx, &caller.scope)?;
        Ok(json!({ "RemovedLabels": removed, "InvalidLabels": invalid }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for good in ["prod", "Prod-1.2_x"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "1prod", "aws-x", "SSMx", "a b", &"a".repeat(101)] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
