//! The workflows that a pipeline or an image asks for, checked (image-builder.md sections 2.3 and 12).

use super::super::input::Input;
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::workflow;
use super::workflow_arn::WorkflowArn;

/// Workflows per image (image-builder.md section 16).
const MAX_WORKFLOWS: usize = 10;
/// Managed workflows that are here.
const MANAGED: [&str; 3] = ["build-image", "test-image", "distribute-image"];

/// Checks `workflows` and `executionRole` of a request.
pub(in crate::local) fn check(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<(), ServiceError> {
    if let Some(role) = input.limited("executionRole", 1..=2048)? {
        let name = role.rsplit(":role/").next().unwrap_or(role);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&byte);
        if !name.bytes().all(allowed) {
            return Err(input.invalid("executionRole", "It must be the name or ARN of a role."));
        }
    }
    let workflows = input.objects("workflows")?;
    if workflows.is_empty() {
        return Ok(());
    }
    if input.filled("executionRole")?.is_none() {
        let text = "You must specify 'executionRole' when you specify 'workflows'.";
        return Err(ServiceError::client("InvalidParameterCombinationException", text));
    }
    if workflows.len() > MAX_WORKFLOWS {
        return Err(input.invalid("workflows", &format!("At most {MAX_WORKFLOWS} workflows are allowed.")));
    }
    let mut kinds = Vec::new();
    for configured in &workflows {
        kinds.push(one(tx, scope, input, configured)?);
    }
    if kinds.iter().filter(|kind| *kind == "BUILD").count() != 1 {
        return Err(input.invalid("workflows", "Exactly one build workflow is needed."));
    }
    if kinds.iter().filter(|kind| *kind == "DISTRIBUTION").count() > 1 {
        return Err(input.invalid("workflows", "At most one distribution workflow is allowed."));
    }
    Ok(())
}

fn one(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>, configured: &Input<'_>) -> Result<String, ServiceError> {
    let text = configured.required("workflowArn")?;
    let parsed = WorkflowArn::parse(text);
    let parsed =
        parsed.ok_or_else(|| configured.invalid("workflowArn", "It must be the ARN of a workflow version."))?;
    let on_failure = configured.one_of("onFailure", &["CONTINUE", "ABORT"])?;
    if (on_failure.is_some() || configured.get("parallelGroup").is_some()) && parsed.kind != "TEST" {
        return Err(configured.invalid("workflowArn", "onFailure and parallelGroup are for test workflows only."));
    }
    if let Some(group) = configured.limited("parallelGroup", 1..=100)? {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+#".contains(&byte);
        if !group.bytes().all(allowed) || !group.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let why = "It must have letters, digits, -, _, + and # only, and begin with a letter or digit.";
            return Err(configured.invalid("parallelGroup", why));
        }
    }
    if parsed.is_managed() {
        if !parsed.is_latest() {
            let why = format!("AWS managed workflows must have latest version 'x.x.x' for '{text}'");
            return Err(input.invalid("workflows", &why));
        }
        if !MANAGED.contains(&parsed.name.as_str()) {
            let why = format!("The local environment has no managed workflow '{}'.", parsed.name);
            return Err(configured.invalid("workflowArn", &why));
        }
        return Ok(parsed.kind);
    }
    let record = workflow::resolve(tx, scope, text)?;
    let record =
        record.ok_or_else(|| configured.invalid("workflowArn", &format!("The workflow '{text}' does not exist.")))?;
    parameters(configured, &record.data, &record.kind)?;
    Ok(parsed.kind)
}

fn parameters(configured: &Input<'_>, data: &str, kind: &str) -> Result<(), ServiceError> {
    let document = crate::workflow::read(data, kind).map_err(|errors| {
        configured.invalid("workflowArn", &format!("The workflow's document cannot be read: {}", errors.join(" ")))
    })?;
    let mut given = Vec::new();
    for parameter in configured.objects("parameters")? {
        let name = parameter.required("name")?;
        let values = parameter.texts("value")?;
        let Some(declared) = document.parameters.iter().find(|declared| declared.name == name) else {
            return Err(parameter.invalid("name", &format!("The workflow has no parameter '{name}'.")));
        };
        if declared.typed(&values).is_none() {
            return Err(parameter.invalid("value", &format!("The value of '{name}' is no {}.", declared.kind)));
        }
        given.push(name);
    }
    let absent = document.parameters.iter().find(|one| one.default.is_none() && !given.contains(&one.name.as_str()));
    match absent {
        Some(parameter) => {
            let why = format!("The parameter '{}' has no default value and must be provided.", parameter.name);
            Err(configured.invalid("parameters", &why))
        }
        None => Ok(()),
    }
}
