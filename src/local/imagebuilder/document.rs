//! What the service needs to know of a component document: its phases and its parameters.

use serde_yaml::Value;

/// What a document says about the component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// `BUILD` or `TEST`: a document whose only phase is `test` makes a test component.
    pub(super) kind: &'static str,
    /// Declared parameters, in order.
    pub(super) parameters: Vec<Parameter>,
}

/// A declared parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) default: Option<String>,
    pub(super) description: Option<String>,
}

/// The facts of a document, or what is wrong with it.
pub(super) fn document_kind_and_errors(data: &str) -> Result<Facts, Vec<String>> {
    let document: Value =
        serde_yaml::from_str(data).map_err(|error| vec![format!("The document is not valid YAML: {error}")])?;
    let Some(phases) = document.get("phases").and_then(Value::as_sequence).filter(|phases| !phases.is_empty()) else {
        return Err(vec!["Document has 0 phases. Phases list must not be empty.".to_owned()]);
    };
    let mut names = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        match phase.get("name").and_then(Value::as_str) {
            Some(name) => names.push(name),
            None => return Err(vec![format!("Phase number {} has no name.", index + 1)]),
        }
    }
    let kind = if names.iter().all(|name| *name == "test") { "TEST" } else { "BUILD" };
    Ok(Facts { kind, parameters: parameters(&document)? })
}

fn parameters(document: &Value) -> Result<Vec<Parameter>, Vec<String>> {
    let Some(declared) = document.get("parameters").filter(|declared| !declared.is_null()) else {
        return Ok(Vec::new());
    };
    let malformed = || vec!["The parameters must be a list of `- Name: { type: string, default: text }`.".to_owned()];
    let mut parameters = Vec::new();
    for entry in declared.as_sequence().ok_or_else(malformed)? {
        for (name, body) in entry.as_mapping().ok_or_else(malformed)? {
            parameters.push(Parameter {
                name: name.as_str().ok_or_else(malformed)?.to_owned(),
                default: body.get("default").and_then(text),
                description: body.get("description").and_then(text),
            });
        }
    }
    Ok(parameters)
}

/// The text of a scalar; bare numbers and booleans are accepted where text is meant (component-documents.md section 19).
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phases_make_the_kind() {
        let kind = |phases: &str| document_kind_and_errors(phases).map(|facts| facts.kind);
        assert_eq!(kind("phases: [{name: test, steps: []}]"), Ok("TEST"));
        assert_eq!(kind("phases: [{name: build}, {name: test}]"), Ok("BUILD"));
        assert_eq!(kind("phases: [{name: validate}]"), Ok("BUILD"));
    }

    #[test]
    fn bad_documents_are_explained() {
        for (data, word) in [("phases: []", "0 phases"), ("a: [", "YAML"), ("phases: [{steps: []}]", "no name")] {
            assert!(document_kind_and_errors(data).unwrap_err()[0].contains(word), "{data}");
        }
        assert!(document_kind_and_errors("phases: [{name: test}]\nparameters: {A: 1}").is_err());
    }

    #[test]
    fn parameters_are_read() {
        let data =
            "parameters:\n - Scope: {type: string, default: 1}\n - Other: {type: string}\nphases: [{name: build}]";
        let facts = document_kind_and_errors(data).unwrap();
        assert_eq!(facts.parameters[0].default.as_deref(), Some("1"));
        assert_eq!((&*facts.parameters[1].name, &facts.parameters[1].default), ("Other", &None));
    }
}
