//! The entries of a distribution configuration, checked (image-builder.md section 9).

use super::super::input::Input;
use super::super::wire::ServiceError;
use serde_json::Value;
use std::collections::BTreeSet;

/// Launch templates of one Region's entry (image-builder.md section 16).
const MAX_TEMPLATES: usize = 5;
/// Parameters of one Region's entry.
const MAX_PARAMETERS: usize = 10;
/// What an entry can have on AWS and not here: the local environment has nothing that it could be done to.
const ELSEWHERE: [&str; 4] = [
    "containerDistributionConfiguration",
    "licenseConfigurationArns",
    "s3ExportConfiguration",
    "fastLaunchConfigurations",
];
/// Tags that Image Builder sets itself.
const RESERVED: [&str; 2] = ["CreatedBy", "Ec2ImageBuilderArn"];

/// `distributions` of a request as given.
pub(super) fn checked(input: &Input<'_>) -> Result<Value, ServiceError> {
    let entries = input.objects("distributions")?;
    if entries.is_empty() {
        return Err(input.missing("distributions"));
    }
    let mut regions = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let region = entry.required("region")?;
        if !regions.insert(region) {
            return Err(entry.invalid("region", &format!("The Region '{region}' is listed more than once.")));
        }
        for name in ELSEWHERE {
            if entry.get(name).is_some() {
                return Err(entry.invalid(name, "The local environment does not have it; leave it out."));
            }
        }
        let outputs = ["amiDistributionConfiguration", "launchTemplateConfigurations", "ssmParameterConfigurations"];
        if outputs.iter().all(|name| entry.get(name).is_none_or(is_empty)) {
            let why = "One or more outputs should be provided for each region in a distribution configuration.";
            return Err(input.invalid(&format!("distributions[{index}]"), why));
        }
        let accounts = ami(entry)?;
        templates(entry)?;
        parameters(entry, &accounts)?;
    }
    Ok(input.get("distributions").cloned().unwrap_or_default())
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Checks the AMI part and gives the accounts that get copies.
fn ami<'a>(entry: &Input<'a>) -> Result<Vec<&'a str>, ServiceError> {
    let Some(ami) = entry.object("amiDistributionConfiguration")? else { return Ok(Vec::new()) };
    if let Some(name) = ami.limited("name", 1..=127)? {
        let inner = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || "-_:{}.".contains(c);
        let edge = |c: Option<char>, more: char| {
            c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == more)
        };
        let fits = name.chars().count() >= 3
            && name.chars().all(inner)
            && edge(name.chars().next(), '{')
            && edge(name.chars().last(), '}');
        if !fits {
            let why = "It must match the pattern ^[-_A-Za-z0-9{][-_A-Za-z0-9\\s:{}\\.]+[-_A-Za-z0-9}]$.";
            return Err(ami.invalid("name", why));
        }
    }
    ami.limited("description", 1..=1024)?;
    ami.limited("kmsKeyId", 1..=1024)?;
    let tags = ami.map("amiTags")?;
    if let Some(key) = tags.keys().find(|key| RESERVED.contains(&key.as_str()) || key.starts_with("aws:")) {
        return Err(ami.invalid("amiTags", &format!("The tag key '{key}' is reserved.")));
    }
    let targets = ami.texts("targetAccountIds")?;
    accounts(&ami, "targetAccountIds", &targets)?;
    if let Some(permission) = ami.object("launchPermission")? {
        accounts(&permission, "userIds", &permission.texts("userIds")?)?;
        if permission.texts("userGroups")?.iter().any(|group| *group != "all") {
            return Err(permission.invalid("userGroups", "The only group is 'all'."));
        }
        for name in ["organizationArns", "organizationalUnitArns"] {
            if !permission.texts(name)?.is_empty() {
                return Err(permission.invalid(name, "The local environment knows no organizations."));
            }
        }
    }
    Ok(targets)
}

fn accounts(input: &Input<'_>, name: &str, ids: &[&str]) -> Result<(), ServiceError> {
    if ids.len() > 1_536 {
        return Err(input.invalid(name, "At most 1536 accounts are allowed."));
    }
    match ids.iter().find(|id| id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(id) => Err(input.invalid(name, &format!("'{id}' is not an account ID of twelve digits."))),
        None => Ok(()),
    }
}

fn templates(entry: &Input<'_>) -> Result<(), ServiceError> {
    let templates = entry.objects("launchTemplateConfigurations")?;
    if templates.len() > MAX_TEMPLATES {
        let why = format!("At most {MAX_TEMPLATES} launch templates are allowed for a Region.");
        return Err(entry.invalid("launchTemplateConfigurations", &why));
    }
    for template in templates {
        let id = template.required("launchTemplateId")?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if !id.strip_prefix("lt-").is_some_and(|rest| rest.len() == 17 && rest.bytes().all(allowed)) {
            return Err(template.invalid("launchTemplateId", "It must match the pattern ^lt-[a-z0-9-_]{17}$."));
        }
        if let Some(account) = template.text("accountId")? {
            accounts(&template, "accountId", &[account])?;
        }
        template.flag("setDefaultVersion")?;
    }
    Ok(())
}

fn parameters(entry: &Input<'_>, targets: &[&str]) -> Result<(), ServiceError> {
    let parameters = entry.objects("ssmParameterConfigurations")?;
    if parameters.len() > MAX_PARAMETERS {
        let why = format!("At most {MAX_PARAMETERS} parameters are allowed for a Region.");
        return Err(entry.invalid("ssmParameterConfigurations", &why));
    }
    for parameter in parameters {
        let name = parameter.required("parameterName")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
        if name.len() > 1_011 || !name.bytes().all(allowed) {
            let why = "It must have 1 to 1011 characters and match the pattern ^[a-zA-Z0-9_.\\-\\/]+$.";
            return Err(parameter.invalid("parameterName", why));
        }
        parameter.one_of("dataType", &["text", "aws:ec2:image"])?;
        if let Some(account) = parameter.text("amiAccountId")? {
            accounts(&parameter, "amiAccountId", &[account])?;
            if !targets.is_empty() && !targets.contains(&account) {
                let why = "It must be one of the target accounts of this Region.";
                return Err(parameter.invalid("amiAccountId", why));
            }
        }
    }
    Ok(())
}
