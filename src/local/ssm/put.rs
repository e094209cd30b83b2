//! Writing parameters.

use super::super::Local;
use super::super::ec2::images;
use super::super::input::Input;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::checking::Checking;
use super::names;
use super::parameter_record::{MAX_VERSIONS, Parameter, Version};
use super::{input, tags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The type of parameters that name an AMI.
const IMAGE: &str = "aws:ec2:image";
/// Largest value of a standard and of an advanced parameter, in bytes.
const LIMITS: [(&str, usize); 2] = [("Standard", 4096), ("Advanced", 8192)];
/// The account's own key, which encrypts when no other is named.
const OWN_KEY: &str = "alias/aws/ssm";
const TYPES: [&str; 3] = ["String", "StringList", "SecureString"];

/// What a request asks for, checked as far as that can be done without looking at what exists.
struct Wish<'a> {
    name: &'a str,
    value: &'a str,
    kind: Option<&'a str>,
    data_type: Option<&'a str>,
    tier: Option<&'a str>,
    description: Option<&'a str>,
    allowed_pattern: Option<&'a str>,
    key_id: Option<&'a str>,
    overwrite: bool,
    tags: BTreeMap<String, String>,
}

impl<'a> Wish<'a> {
    fn parse(input: &Input<'a>) -> Result<Self, ServiceError> {
        let wish = Self {
            name: input.required("Name")?,
            value: input.required("Value")?,
            kind: input.one_of("Type", &TYPES)?,
            data_type: input.text("DataType")?,
            tier: input.one_of("Tier", &["Standard", "Advanced", "Intelligent-Tiering"])?,
            description: input.limited("Description", 0..=1024)?,
            allowed_pattern: input.limited("AllowedPattern", 0..=1024)?,
            key_id: input.limited("KeyId", 1..=256)?,
            overwrite: input.flag("Overwrite")?.unwrap_or(false),
            tags: input.pairs("Tags")?,
        };
        names::check(wish.name)?;
        tags::check(&wish.tags)?;
        if input.get("Policies").is_some() {
            return Err(input.invalid("Policies", "The local environment has no parameter policies."));
        }
        if wish.overwrite && !wish.tags.is_empty() {
            let text = "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please \
                        remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
                        RemoveTagsFromResource.";
            return Err(ServiceError::client("ValidationException", text));
        }
        if let Some(data_type) = wish.data_type.filter(|kind| !["text", IMAGE].contains(kind)) {
            let why = format!("`{data_type}` is not a data type of the local environment; it has text and {IMAGE}.");
            return Err(input.invalid("DataType", &why));
        }
        Ok(wish)
    }

    /// The tier that the value needs, or the one that was asked for.
    fn tier(&self, before: Option<&Version>) -> Result<&'static str, ServiceError> {
        let asked = self.tier.unwrap_or_else(|| before.map_or("Standard", |version| &version.tier));
        let fits = LIMITS
            .iter()
            .find(|(name, limit)| self.value.len() <= *limit && (asked == "Intelligent-Tiering" || *name == asked));
        let was_advanced = before.is_some_and(|version| version.tier == "Advanced");
        match fits {
            Some(("Standard", _)) if was_advanced && asked == "Standard" => Err(ServiceError::client(
                "ValidationException",
                format!(
                    "The parameter {} uses the advanced tier. An advanced parameter can't become a standard one.",
                    self.name
                ),
            )),
            Some(("Standard", _)) if was_advanced => Ok("Advanced"),
            Some((tier, _)) => Ok(tier),
            None => Err(self.too_large(asked)),
        }
    }

    fn too_large(&self, tier: &str) -> ServiceError {
        let size = self.value.len();
        ServiceError::client(
            "ValidationException",
            format!(
                "The value of {} has {size} bytes. Standard tier parameters support a maximum parameter value of 4096 \
                 characters, advanced ones 8192 (asked for: {tier}).",
                self.name
            ),
        )
    }

    fn check_pattern(&self, pattern: &str) -> Result<(), ServiceError> {
        if pattern.is_empty() {
            return Ok(());
        }
        let expression = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            let text = format!("The allowed pattern `{pattern}` is not a regular expression: {error}");
            ServiceError::client("InvalidAllowedPatternException", text)
        })?;
        if expression.is_match(self.value) {
            return Ok(());
        }
        let text = format!("Parameter value, cannot be validated against allowedPattern: {pattern}");
        Err(ServiceError::client("ParameterPatternMismatchException", text))
    }
}

/// `PutParameter`.
///
/// A parameter of data type `aws:ec2:image` is checked by AWS after the call has answered: the answer has a version
/// number all the same, and if the AMI does not exist or is not available to the account, the parameter keeps its old
/// value or is never created (patch-baselines.md section 12.7). Here the check is made within the call, the outcome is the same.
pub(super) fn put(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let wish = Wish::parse(&input)?;
    let lag = local.store.lag();
    local.store.write(|tx| apply(tx, caller, &input, &wish, lag))
}

fn apply(
    tx: &Transaction<'_>,
    caller: &Caller,
    input: &Input<'_>,
    wish: &Wish<'_>,
    lag: Option<Duration>,
) -> Result<Value, ServiceError> {
    let scope = &caller.scope;
    let existing = Parameter::get(tx, scope, wish.name)?;
    let kind = check_against(existing.as_ref(), input, wish)?;
    let before = existing.as_ref().and_then(Parameter::latest).cloned();
    let kept = |asked: Option<&str>, before: Option<&String>| {
        asked.map_or_else(|| before.cloned().unwrap_or_default(), str::to_owned)
    };
    let version = Version {
        number: before.as_ref().map_or(1, |version| version.number + 1),
        value: wish.value.to_owned(),
        data_type: wish.data_type.or(before.as_ref().map(|v| v.data_type.as_str())).unwrap_or("text").to_owned(),
        tier: wish.tier(before.as_ref())?.to_owned(),
        description: kept(wish.description, before.as_ref().map(|version| &version.description)),
        allowed_pattern: kept(wish.allowed_pattern, before.as_ref().map(|version| &version.allowed_pattern)),
        labels: Vec::new(),
        key_id: if kind == "SecureString" { wish.key_id.unwrap_or(OWN_KEY).to_owned() } else { String::new() },
        modified_at: caller.now,
        modified_by: caller.principal(),
    };
    wish.check_pattern(&version.allowed_pattern)?;
    let answer = json!({ "Tier": version.tier, "Version": version.number });
    if version.data_type == IMAGE {
        may_name_an_image(&kind)?;
        if let Some(lag) = lag {
            let Scope { account, region } = scope.clone();
            let (name, tags) = (wish.name.to_owned(), wish.tags.clone());
            Checking { account, region, due: caller.now + lag, name, kind, tags, version }.begin(tx)?;
            return Ok(answer);
        }
        if !images::is_launchable(tx, scope, &version.value)? {
            return Ok(answer);
        }
    }
    let mut parameter = existing.unwrap_or_else(|| Parameter {
        name: wish.name.to_owned(),
        kind,
        tags: wish.tags.clone(),
        versions: Vec::new(),
    });
    parameter.versions.push(version);
    forget_oldest(&mut parameter)?;
    parameter.put(tx, scope)?;
    Ok(answer)
}

/// Whether the request goes together with what exists; the parameter's type.
fn check_against(existing: Option<&Parameter>, input: &Input<'_>, wish: &Wish<'_>) -> Result<String, ServiceError> {
    let Some(existing) = existing else {
        let kind = wish.kind.map(str::to_owned);
        return kind.ok_or_else(|| input.invalid("Type", "A parameter type is required when you create a parameter."));
    };
    if !wish.overwrite {
        let text =
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return Err(ServiceError::client("ParameterAlreadyExists", text));
    }
    if wish.kind.is_some_and(|kind| kind != existing.kind) {
        let text = format!("The parameter {} has the type {}, which can't be changed.", existing.name, existing.kind);
        return Err(ServiceError::client("HierarchyTypeMismatchException", text));
    }
    Ok(existing.kind.clone())
}

fn may_name_an_image(kind: &str) -> Result<(), ServiceError> {
    if kind == "String" {
        return Ok(());
    }
    let text = format!("Parameters of data type {IMAGE} must have the type String, not {kind}.");
    Err(ServiceError::client("ValidationException", text))
}

/// Makes room for a version that was added.
pub(super) fn forget_oldest(parameter: &mut Parameter) -> Result<(), ServiceError> {
    if parameter.versions.len() <= MAX_VERSIONS {
        return Ok(());
    }
    let oldest = parameter.versions.remove(0);
    if oldest.labels.is_empty() {
        return Ok(());
    }
    let text = format!(
        "You attempted to create a new version of {} by calling the PutParameter API with the overwrite flag. Version {}, the \
         oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the \
         parameter, and try again.",
        parameter.name, oldest.number
    );
    Err(ServiceError::client("ParameterMaxVersionLimitExceeded", text))
}
