//! What a pipeline builds and when, checked (image-builder.md section 10).

use super::super::input::Input;
use super::super::records::{DISTRIBUTION, INFRASTRUCTURE};
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::{recipe_read, tags, workflow_use};
use serde_json::{Map, Value, json};

/// Members that are kept as they are given.
const MEMBERS: [&str; 12] = [
    "description",
    "distributionConfigurationArn",
    "enhancedImageMetadataEnabled",
    "executionRole",
    "imageRecipeArn",
    "imageTags",
    "imageTestsConfiguration",
    "infrastructureConfigurationArn",
    "loggingConfiguration",
    "schedule",
    "status",
    "workflows",
];

/// The members of a request that are kept, and the platform of what is built.
pub(super) fn checked(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<(Value, String), ServiceError> {
    let platform = recipe(tx, scope, input)?;
    exists(tx, scope, input, ("infrastructureConfigurationArn", INFRASTRUCTURE), true)?;
    exists(tx, scope, input, ("distributionConfigurationArn", DISTRIBUTION), false)?;
    input.limited("description", 1..=1024)?;
    input.flag("enhancedImageMetadataEnabled")?;
    input.one_of("status", &["ENABLED", "DISABLED"])?;
    tests(input)?;
    schedule(input)?;
    logging(input)?;
    tags::check(&input.map("imageTags")?)?;
    workflow_use::check(tx, scope, input)?;
    if input.get("imageScanningConfiguration").is_some() {
        let why = "The local environment does not scan images; leave it out.";
        return Err(input.invalid("imageScanningConfiguration", why));
    }
    let members = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), input.get(name)?.clone())));
    let mut body = Value::Object(members.collect::<Map<_, _>>());
    for (name, otherwise) in [
        ("status", json!("ENABLED")),
        ("enhancedImageMetadataEnabled", json!(true)),
        ("imageTestsConfiguration", json!({"imageTestsEnabled": true, "timeoutMinutes": 720})),
    ] {
        if body.get(name).is_none() {
            body[name] = otherwise;
        }
    }
    Ok((body, platform))
}

fn recipe(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<String, ServiceError> {
    match (input.filled("imageRecipeArn")?, input.filled("containerRecipeArn")?) {
        (Some(arn), None) => match recipe_read::resolve(tx, scope, arn)? {
            Some(recipe) => Ok(recipe.platform),
            None => Err(input.invalid("imageRecipeArn", &format!("The recipe '{arn}' does not exist."))),
        },
        (None, Some(_)) => Err(input.invalid("containerRecipeArn", "The local environment builds no containers.")),
        (given, _) => {
            let what = if given.is_some() { "only one" } else { "one" };
            let text = format!("You must specify exactly {what} of 'imageRecipeArn' and 'containerRecipeArn'.");
            Err(ServiceError::client("InvalidParameterCombinationException", text))
        }
    }
}

fn exists(
    tx: &Transaction<'_>,
    scope: &Scope,
    input: &Input<'_>,
    (name, kind): (&str, &str),
    required: bool,
) -> Result<(), ServiceError> {
    let arn = if required { Some(input.required(name)?) } else { input.filled(name)? };
    let Some(arn) = arn else { return Ok(()) };
    if tx.get::<Value>(scope, kind, arn)?.is_none() {
        return Err(input.invalid(name, &format!("The resource '{arn}' does not exist.")));
    }
    Ok(())
}

fn tests(input: &Input<'_>) -> Result<(), ServiceError> {
    if let Some(tests) = input.object("imageTestsConfiguration")? {
        tests.flag("imageTestsEnabled")?;
        tests.between("timeoutMinutes", 60..=1440)?;
    }
    Ok(())
}

fn logging(input: &Input<'_>) -> Result<(), ServiceError> {
    let Some(logging) = input.object("loggingConfiguration")? else { return Ok(()) };
    for name in ["imageLogGroupName", "pipelineLogGroupName"] {
        let Some(group) = logging.limited(name, 1..=512)? else { continue };
        if !group.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte)) {
            return Err(logging.invalid(name, "It must match the pattern ^[a-zA-Z0-9\\-_/\\.]{1,512}$."));
        }
    }
    Ok(())
}

fn schedule(input: &Input<'_>) -> Result<(), ServiceError> {
    const CONDITIONS: [&str; 2] = ["EXPRESSION_MATCH_ONLY", "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"];
    let Some(schedule) = input.object("schedule")? else { return Ok(()) };
    let expression = schedule.required("scheduleExpression")?;
    if !is_expression(expression) {
        let why = "It must be cron(minutes hours day-of-month month day-of-week year), of which one day field is ?, or \
                   rate(n minutes|hours|days).";
        return Err(schedule.invalid("scheduleExpression", why));
    }
    schedule.limited("timezone", 3..=100)?;
    schedule.one_of("pipelineExecutionStartCondition", &CONDITIONS)?;
    if let Some(policy) = schedule.object("autoDisablePolicy")?
        && policy.between("failureCount", 1..=10)?.is_none()
    {
        return Err(policy.missing("failureCount"));
    }
    Ok(())
}

fn is_expression(text: &str) -> bool {
    if let Some(inside) = text.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')')) {
        let fields: Vec<&str> = inside.split_whitespace().collect();
        let allowed = |c: char| c.is_ascii_alphanumeric() || ",-*?/#".contains(c);
        return fields.len() == 6
            && fields.iter().all(|field| field.chars().all(allowed))
            && (fields[2] == "?") != (fields[4] == "?");
    }
    let Some(inside) = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')) else { return false };
    let Some((count, unit)) = inside.split_once(' ') else { return false };
    let units = ["minute", "minutes", "hour", "hours", "day", "days"];
    count.parse::<u32>().is_ok_and(|count| count > 0) && units.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::is_expression;

    #[test]
    fn schedules_have_six_fields_or_a_rate() {
        for good in ["cron(0 0 * * ? *)", "cron(15 10 ? * 6L 2026-2030)", "rate(1 day)", "rate(12 hours)"] {
            assert!(is_expression(good), "{good}");
        }
        for bad in ["0 0 * * *", "cron(0 0 * * *)", "cron(0 0 * * * *)", "cron(0 0 ? * ? *)", "rate(0 days)", "rate(1)"]
        {
            assert!(!is_expression(bad), "{bad}");
        }
    }
}
