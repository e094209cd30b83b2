//! `if` of a workflow step (image-builder.md section 13).

use super::flow::referred;
use serde_json::Value;

/// Whether a condition holds in a context of references.
///
/// # Errors
/// A reference that leads nowhere, or a value of another type than the operator compares.
pub(super) fn holds(condition: &Value, context: &Value) -> Result<bool, String> {
    let members = condition.as_object().into_iter().flatten();
    let Some((operator, given)) = members.into_iter().find(|(key, _)| *key != "value") else {
        return Err("The condition has no operator.".to_owned());
    };
    match (operator.as_str(), given) {
        ("not", inner) => Ok(!holds(inner, context)?),
        ("and", Value::Array(parts)) => parts.iter().try_fold(true, |so_far, part| Ok(so_far && holds(part, context)?)),
        ("or", Value::Array(parts)) => parts.iter().try_fold(false, |so_far, part| Ok(so_far || holds(part, context)?)),
        (operator, given) => {
            let reference = condition.get("value").and_then(Value::as_str).unwrap_or_default();
            compared(operator, &referred(reference, context)?, given)
        }
    }
}

fn compared(operator: &str, found: &Value, given: &Value) -> Result<bool, String> {
    let wrong = || format!("{operator} cannot compare {found} with {given}.");
    let numbers = || found.as_f64().zip(given.as_f64()).ok_or_else(wrong);
    Ok(match operator {
        "stringEquals" => found.as_str().zip(given.as_str()).map(|(a, b)| a == b).ok_or_else(wrong)?,
        "booleanEquals" => found.as_bool().zip(given.as_bool()).map(|(a, b)| a == b).ok_or_else(wrong)?,
        "numberEquals" => numbers().map(|(a, b)| a.total_cmp(&b).is_eq())?,
        "numberGreaterThan" => numbers().map(|(a, b)| a > b)?,
        "numberGreaterThanEquals" => numbers().map(|(a, b)| a >= b)?,
        "numberLessThan" => numbers().map(|(a, b)| a < b)?,
        "numberLessThanEquals" => numbers().map(|(a, b)| a <= b)?,
        _ => return Err(wrong()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operators_compare_what_the_reference_means() {
        let context = json!({"parameters": {"text": "a", "flag": true, "number": 3}});
        for (condition, expected) in [
            (json!({"stringEquals": "a", "value": "$.parameters.text"}), true),
            (json!({"not": {"stringEquals": "a", "value": "$.parameters.text"}}), false),
            (json!({"booleanEquals": false, "value": "$.parameters.flag"}), false),
            (json!({"numberGreaterThan": 3, "value": "$.parameters.number"}), false),
            (json!({"numberGreaterThanEquals": 3, "value": "$.parameters.number"}), true),
            (json!({"numberLessThan": 4, "value": "$.parameters.number"}), true),
            (
                json!({"and": [
                    {"numberEquals": 3, "value": "$.parameters.number"},
                    {"or": [{"booleanEquals": true, "value": "$.parameters.flag"}]},
                ]}),
                true,
            ),
        ] {
            assert_eq!(holds(&condition, &context), Ok(expected), "{condition}");
        }
        assert!(holds(&json!({"stringEquals": "a", "value": "$.parameters.none"}), &context).is_err());
        assert!(holds(&json!({"numberEquals": 1, "value": "$.parameters.text"}), &context).is_err());
    }
}
