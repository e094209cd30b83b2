//! Reading an operation's parameters: presence, types and limits, with errors in the service's own words.

use super::wire::ServiceError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Which service's words an error uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Auto Scaling: every value arrives as text.
    AutoScaling,
    /// EC2: every value arrives as text.
    Ec2,
    /// Key Management Service.
    Kms,
    /// Systems Manager.
    Ssm,
    /// Image Builder.
    ImageBuilder,
}

/// An object of a request and where it stands in it.
#[derive(Debug, Clone)]
pub(super) struct Input<'a> {
    dialect: Dialect,
    value: &'a Value,
    at: String,
}

impl Dialect {
    /// Whether numbers and booleans arrive as text.
    const fn is_text(self) -> bool {
        matches!(self, Self::AutoScaling | Self::Ec2)
    }
}

impl<'a> Input<'a> {
    /// A whole request.
    pub(super) fn new(dialect: Dialect, value: &'a Value) -> Self {
        Self { dialect, value, at: String::new() }
    }

    /// The JSON behind it.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// The value of a member; null counts as absent, and in EC2's protocol so does empty text.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        let empty = self.dialect.is_text() && value.as_str().is_some_and(str::is_empty);
        (!empty).then_some(value)
    }

    /// The error for a member whose value is refused: names it, its value and why.
    pub(super) fn invalid(&self, name: &str, why: &str) -> ServiceError {
        let path = self.path(name);
        match self.dialect {
            Dialect::AutoScaling => {
                let shown = self.get(name).map_or_else(String::new, plain);
                let text = format!("1 validation error detected: Value '{shown}' at '{path}' is not valid. {why}");
                ServiceError::client("ValidationError", text)
            }
            Dialect::Ec2 => {
                let shown = self.get(name).map_or_else(String::new, plain);
                let text = format!("Value ({shown}) for parameter {path} is invalid. {why}");
                ServiceError::new(400, "InvalidParameterValue", text)
            }
            Dialect::Kms | Dialect::Ssm => {
                ServiceError::new(400, "ValidationException", format!("Value at '{path}' is not valid: {why}"))
            }
            Dialect::ImageBuilder => ServiceError::new(
                400,
                "InvalidParameterValueException",
                format!("The value supplied for parameter '{path}' is not valid. {why}"),
            ),
        }
    }

    /// The error for a member that must be there.
    pub(super) fn missing(&self, name: &str) -> ServiceError {
        let path = self.path(name);
        match self.dialect {
            Dialect::AutoScaling => ServiceError::client(
                "ValidationError",
                format!(
                    "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
                ),
            ),
            Dialect::Ec2 => {
                ServiceError::new(400, "MissingParameter", format!("The request must contain the parameter {path}"))
            }
            Dialect::Kms | Dialect::Ssm => ServiceError::new(
                400,
                "ValidationException",
                format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"),
            ),
            Dialect::ImageBuilder => self.invalid(name, "A value is required."),
        }
    }

    /// The name of a member as messages show it, for example `components[0].parameters`.
    fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// The text of a member.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, ServiceError> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| self.invalid(name, "It must be text."))).transpose()
    }

    /// The text of a member; empty text counts as absent.
    pub(super) fn filled(&self, name: &str) -> Result<Option<&'a str>, ServiceError> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// The text of a member that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, ServiceError> {
        self.filled(name)?.ok_or_else(|| self.missing(name))
    }

    /// The text of a member whose length in characters is limited.
    pub(super) fn limited(&self, name: &str, length: RangeInclusive<usize>) -> Result<Option<&'a str>, ServiceError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let count = text.chars().count();
        if length.contains(&count) {
            return Ok(Some(text));
        }
        let why = format!("It has {count} characters; allowed are {} to {}.", length.start(), length.end());
        Err(self.invalid(name, &why))
    }

    /// A member that is one of `allowed`.
    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, ServiceError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if allowed.contains(&text) {
            return Ok(Some(text));
        }
        Err(self.invalid(name, &format!("`{text}` is not one of: {}.", allowed.join(", "))))
    }

    /// A boolean member.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ServiceError> {
        self.get(name)
            .map(|value| match (value, self.dialect) {
                (Value::Bool(value), _) => Ok(*value),
                (Value::String(text), dialect) if dialect.is_text() && text.eq_ignore_ascii_case("true") => Ok(true),
                (Value::String(text), dialect) if dialect.is_text() && text.eq_ignore_ascii_case("false") => Ok(false),
                _ => Err(self.invalid(name, "It must be true or false.")),
            })
            .transpose()
    }

    /// An integer member.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, ServiceError> {
        let parsed = |value: &Value| match (value, self.dialect) {
            (Value::String(text), dialect) if dialect.is_text() => text.parse().ok(),
            _ => value.as_i64(),
        };
        self.get(name)
            .map(|value| parsed(value).ok_or_else(|| self.invalid(name, "It must be a whole number.")))
            .transpose()
    }

    /// An integer member within limits.
    pub(super) fn between(&self, name: &str, limits: RangeInclusive<i64>) -> Result<Option<i64>, ServiceError> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        if limits.contains(&number) {
            return Ok(Some(number));
        }
        Err(self.invalid(name, &format!("It must be between {} and {}.", limits.start(), limits.end())))
    }

    /// The page size asked for, or `otherwise`.
    pub(super) fn page_size(
        &self,
        name: &str,
        limits: RangeInclusive<i64>,
        otherwise: usize,
    ) -> Result<usize, ServiceError> {
        let size = self.between(name, limits)?;
        Ok(size.and_then(|size| usize::try_from(size).ok()).unwrap_or(otherwise))
    }

    /// The token of the page asked for; the first page has none.
    pub(super) fn page_token(&self) -> Result<Option<&'a str>, ServiceError> {
        self.text(match self.dialect {
            Dialect::AutoScaling | Dialect::Ec2 | Dialect::Ssm => "NextToken",
            Dialect::Kms => "Marker",
            Dialect::ImageBuilder => "nextToken",
        })
    }

    /// The error for a page token that the list did not give out.
    pub(super) fn bad_page_token(&self) -> ServiceError {
        let why = "this call with these parameters has not given it out";
        match self.dialect {
            Dialect::AutoScaling | Dialect::Ec2 => {
                ServiceError::client("InvalidNextToken", format!("The token is not valid: {why}."))
            }
            Dialect::Kms => ServiceError::client("InvalidMarkerException", format!("The marker is not valid: {why}.")),
            Dialect::Ssm => {
                ServiceError::client("InvalidNextToken", format!("The specified token isn't valid: {why}."))
            }
            Dialect::ImageBuilder => ServiceError::client(
                "InvalidPaginationTokenException",
                format!("The value supplied for parameter 'nextToken' is not valid: {why}."),
            ),
        }
    }

    /// The items of a list member; absent is empty.
    pub(super) fn items(&self, name: &str) -> Result<&'a [Value], ServiceError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.invalid(name, "It must be a list.")),
        }
    }

    /// The items of a list of text.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, ServiceError> {
        let items = self.items(name)?.iter().map(Value::as_str).collect::<Option<_>>();
        items.ok_or_else(|| self.invalid(name, "Every item must be text."))
    }

    /// The items of a list of objects.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, ServiceError> {
        let path = self.path(name);
        let wrap = |(index, value): (usize, &'a Value)| {
            let at = match self.dialect {
                Dialect::AutoScaling => format!("{path}.member.{}", index + 1),
                Dialect::Ec2 => format!("{path}.{}", index + 1),
                Dialect::Kms | Dialect::Ssm | Dialect::ImageBuilder => format!("{path}[{index}]"),
            };
            value.is_object().then_some(Self { dialect: self.dialect, value, at })
        };
        let items = self.items(name)?.iter().enumerate().map(wrap).collect::<Option<_>>();
        items.ok_or_else(|| self.invalid(name, "Every item must be an object."))
    }

    /// A member that is an object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, ServiceError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if !value.is_object() {
            return Err(self.invalid(name, "It must be an object."));
        }
        Ok(Some(Self { dialect: self.dialect, value, at: self.path(name) }))
    }

    /// A member that maps text to text; absent is empty.
    pub(super) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, ServiceError> {
        let Some(object) = self.object(name)? else { return Ok(BTreeMap::new()) };
        let members = object.value.as_object().into_iter().flatten();
        let pairs = members.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect::<Option<_>>();
        pairs.ok_or_else(|| self.invalid(name, "Every value must be text."))
    }

    /// A member that lists `{Key, Value}` pairs, as EC2 and Systems Manager write tags; absent is empty.
    pub(super) fn pairs(&self, name: &str) -> Result<BTreeMap<String, String>, ServiceError> {
        let pair = |input: Self| {
            let key = input.required("Key")?;
            Ok((key.to_owned(), input.text("Value")?.unwrap_or_default().to_owned()))
        };
        self.objects(name)?.into_iter().map(pair).collect()
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `value` without members that are null, empty text or an empty object: the services leave those out of answers.
pub(super) fn compact(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_say_what_is_wrong_with_which_parameter() {
        let request = json!({ "components": [{ "parameters": "x" }], "maxResults": 26 });
        let input = Input::new(Dialect::ImageBuilder, &request);
        let component = &input.objects("components").unwrap()[0];
        assert_eq!(
            component.items("parameters").unwrap_err().message,
            "The value supplied for parameter 'components[0].parameters' is not valid. It must be a list."
        );
        assert!(input.between("maxResults", 1..=25).unwrap_err().message.contains("between 1 and 25"));
        assert!(input.required("name").unwrap_err().message.contains("'name'"));
    }

    #[test]
    fn text_stands_for_numbers_and_flags_only_in_ec2() {
        let request = json!({ "Max": "5", "Dry": "TRUE", "Empty": "" });
        let input = Input::new(Dialect::Ec2, &request);
        assert_eq!(input.integer("Max").unwrap(), Some(5));
        assert_eq!(input.flag("Dry").unwrap(), Some(true));
        assert_eq!(input.texts("Empty").unwrap(), Vec::<&str>::new());
        let input = Input::new(Dialect::Ssm, &request);
        assert!(input.integer("Max").is_err());
        assert!(input.flag("Dry").is_err());
    }

    #[test]
    fn lengths_count_characters() {
        let request = json!({ "name": "äöü" });
        let input = Input::new(Dialect::Ssm, &request);
        assert!(input.limited("name", 1..=3).is_ok());
        assert!(input.limited("name", 1..=2).is_err());
    }
}
