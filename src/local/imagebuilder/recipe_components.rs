//! The components of a recipe: that they exist, fit and get their parameters.

use super::super::input::Input;
use super::super::records::ComponentRecord;
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::arn::Arn;
use super::component_read::resolve_component;
use super::document;
use std::collections::{BTreeMap, BTreeSet};

/// Components per recipe.
const MAX_COMPONENTS: usize = 20;
/// Longest parameter value in characters.
const MAX_VALUE: usize = 1024;
/// All parameters of a recipe together, in bytes.
const MAX_TOTAL: usize = 25 * 1024;

/// Parameter values by name.
type Values = BTreeMap<String, Vec<String>>;

/// The components of a request, in order.
pub(super) struct Components {
    /// ARN as given and parameter values, as they are kept.
    pub(super) given: Vec<(String, Values)>,
    /// Their platform; none when there are no components.
    pub(super) platform: Option<String>,
}

/// Reads and checks `components` (image-builder.md section 6, component-documents.md section 6.2).
pub(super) fn parse(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Components, ServiceError> {
    let components = input.objects("components")?;
    if components.len() > MAX_COMPONENTS {
        let why = format!("A recipe can have at most {MAX_COMPONENTS} components; it has {}.", components.len());
        return Err(input.invalid("components", &why));
    }
    let mut seen = BTreeSet::new();
    let mut parsed = Components { given: Vec::new(), platform: None };
    let mut total = 0;
    for component in &components {
        let text = component.required("componentArn")?;
        let Some(arn) = Arn::parse(text).filter(|arn| arn.kind == "component" && arn.version.is_some()) else {
            return Err(component.invalid("componentArn", &format!("'{text}' is not the ARN of a component version.")));
        };
        if !seen.insert((arn.owner.clone(), arn.name.clone())) {
            let why = format!("A component may be specified in an image recipe at most once: {text}");
            return Err(component.invalid("componentArn", &why));
        }
        let record = resolve_component(tx, scope, text)?.ok_or_else(|| missing(component, &arn, text))?;
        let platform = parsed.platform.get_or_insert_with(|| record.platform.clone());
        if *platform != record.platform {
            let why =
                format!("{text} is a component for {}, the components before it are for {platform}.", record.platform);
            return Err(component.invalid("componentArn", &why));
        }
        let values = values(component, &record)?;
        total +=
            values.iter().map(|(name, value)| name.len() + value.iter().map(String::len).sum::<usize>()).sum::<usize>();
        parsed.given.push((text.to_owned(), values));
    }
    if total > MAX_TOTAL {
        let why = format!("The cumulative size of the component parameters is {total} bytes; 25 KB are allowed.");
        return Err(input.invalid("components", &why));
    }
    Ok(parsed)
}

fn missing(component: &Input<'_>, arn: &Arn, text: &str) -> ServiceError {
    let why = if arn.owner.starts_with("aws") {
        format!("The component '{text}' does not exist: the local environment has no Amazon-managed components.")
    } else {
        format!("The component '{text}' does not exist.")
    };
    component.invalid("componentArn", &why)
}

fn combination(text: String) -> ServiceError {
    ServiceError::client("InvalidParameterCombinationException", text)
}

fn values(component: &Input<'_>, record: &ComponentRecord) -> Result<Values, ServiceError> {
    let mut values = Values::new();
    for parameter in component.objects("parameters")? {
        let name = parameter.required("name")?;
        let value: Vec<String> = parameter.texts("value")?.into_iter().map(str::to_owned).collect();
        // Parameters of type string, the only type there is, have one value.
        if value.len() != 1 {
            return Err(
                parameter.invalid("value", &format!("The parameter {name} needs one value, not {}.", value.len()))
            );
        }
        if value.iter().any(|value| value.chars().count() > MAX_VALUE) {
            return Err(
                parameter.invalid("value", &format!("The value of {name} has more than {MAX_VALUE} characters."))
            );
        }
        if values.insert(name.to_owned(), value).is_some() {
            return Err(parameter.invalid("name", &format!("The parameter {name} is given twice.")));
        }
    }
    let declared = document::read(&record.data).map(|document| document.parameters).map_err(|errors| {
        component.invalid("componentArn", &format!("The component's document cannot be read: {}", errors.join(" ")))
    })?;
    let unknown: Vec<&str> = values
        .keys()
        .map(String::as_str)
        .filter(|name| !declared.iter().any(|parameter| parameter.name == *name))
        .collect();
    if !unknown.is_empty() {
        let why = format!("The following parameters are not defined in the provided component: {}", unknown.join(", "));
        return Err(combination(component.invalid("parameters", &why).message));
    }
    let absent: Vec<&str> = declared
        .iter()
        .filter(|parameter| parameter.default.is_none() && !values.contains_key(&parameter.name))
        .map(|parameter| parameter.name.as_str())
        .collect();
    if !absent.is_empty() {
        let why = format!("The following parameters have no default value and must be provided: {}", absent.join(", "));
        return Err(combination(component.invalid("parameters", &why).message));
    }
    Ok(values)
}
