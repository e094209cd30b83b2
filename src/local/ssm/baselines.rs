//! Patch baselines.

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::random;
use super::super::store::StoreError;
use super::super::tokens::Once;
use super::super::wire::{Caller, ServiceError};
use super::baseline_record::{Baseline, Found, Registration};
use super::{input, no_token_error, owned_baselines, tags};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `OperatingSystem` (patch-baselines.md section 1.2).
pub(super) const SYSTEMS: [&str; 15] = [
    "WINDOWS",
    "AMAZON_LINUX",
    "AMAZON_LINUX_2",
    "AMAZON_LINUX_2022",
    "AMAZON_LINUX_2023",
    "UBUNTU",
    "DEBIAN",
    "RASPBIAN",
    "REDHAT_ENTERPRISE_LINUX",
    "CENTOS",
    "ORACLE_LINUX",
    "ROCKY_LINUX",
    "ALMA_LINUX",
    "SUSE",
    "MACOS",
];
const LEVELS: [&str; 6] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNSPECIFIED"];
/// Filter keys that mean something in a baseline (patch-baselines.md section 1.3).
const FILTER_KEYS: [&str; 8] =
    ["PATCH_SET", "PRODUCT", "PRODUCT_FAMILY", "CLASSIFICATION", "MSRC_SEVERITY", "PRIORITY", "SECTION", "SEVERITY"];
/// Own baselines per Region; AWS's quota.
const MAX_BASELINES: usize = 50;

/// `DescribePatchBaselines`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let mut filters = BTreeMap::new();
    for filter in input.objects("Filters")? {
        let key = filter.one_of("Key", &["OWNER", "NAME_PREFIX", "OPERATING_SYSTEM"])?;
        let key = key.ok_or_else(|| filter.missing("Key"))?;
        filters.insert(key, filter.texts("Values")?);
    }
    let wanted = |key: &str, accept: &dyn Fn(&str) -> bool| {
        filters.get(key).is_none_or(|values| values.iter().any(|value| accept(value)))
    };
    let size = input.page_size("MaxResults", 1..=100, 100)?;
    let scope = &caller.scope;
    let rows = local.store.read(|tx| {
        let own = Baseline::all(tx, scope)?.into_iter().map(Found::Own);
        let mut rows = BTreeMap::new();
        for found in owned_baselines::all().map(Found::Owned).chain(own) {
            let owner = if matches!(found, Found::Owned(_)) { "AWS" } else { "Self" };
            let fits = wanted("OWNER", &|value| value.eq_ignore_ascii_case(owner))
                && wanted("NAME_PREFIX", &|value| found.name().starts_with(value))
                && wanted("OPERATING_SYSTEM", &|value| value == found.os());
            if !fits {
                continue;
            }
            rows.insert(format!("{} {}", found.name(), found.id(scope)), found.identity(tx, scope)?);
        }
        Ok::<_, StoreError>(rows)
    })?;
    let (baselines, next) =
        paging::page(&input, "DescribePatchBaselines", size, rows.into_iter().collect()).map_err(no_token_error)?;
    Ok(json!({ "BaselineIdentities": baselines, "NextToken": next }))
}

/// `GetPatchBaseline`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let id = input(request).required("BaselineId")?;
    local.store.read(|tx| {
        let found = Found::by_id(tx, &caller.scope, id)?.ok_or_else(|| does_not_exist(id))?;
        Ok(found.render(tx, &caller.scope)?)
    })
}

pub(super) fn does_not_exist(id: &str) -> ServiceError {
    let text = format!("Patch baseline {id} does not exist; a baseline that AWS owns is named by its whole ARN.");
    ServiceError::client("DoesNotExistException", text)
}

/// `GetDefaultPatchBaseline`; Windows when no operating system is given.
pub(super) fn get_default(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let os = input(request).one_of("OperatingSystem", &SYSTEMS)?.unwrap_or("WINDOWS");
    let found = local.store.read(|tx| Found::default_for(tx, &caller.scope, os))?;
    let found = found.ok_or_else(|| does_not_exist(&format!("for {os}")))?;
    Ok(json!({ "BaselineId": found.id(&caller.scope), "OperatingSystem": os }))
}

/// `RegisterDefaultPatchBaseline`.
pub(super) fn register_default(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let id = input(request).required("BaselineId")?;
    local.store.write(|tx| {
        let found = Found::by_id(tx, &caller.scope, id)?.ok_or_else(|| does_not_exist(id))?;
        found.register(tx, &caller.scope)?;
        Ok(json!({ "BaselineId": found.id(&caller.scope) }))
    })
}

/// `DeletePatchBaseline`: succeeds for a baseline that does not exist, as on AWS.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let id = input(request).required("BaselineId")?;
    let scope = &caller.scope;
    if owned_baselines::by_arn(id, &scope.region).is_some() {
        let text = format!("Patch baseline {id} belongs to AWS and cannot be deleted.");
        return Err(ServiceError::client("AccessDeniedException", text));
    }
    local.store.write(|tx| {
        if let Some(baseline) = Baseline::own(tx, scope, id)? {
            let default = Found::default_for(tx, scope, &baseline.os)?;
            if default.is_some_and(|default| default.id(scope) == baseline.id) {
                let text = format!("Patch baseline {id} is the default of {}; register another first.", baseline.os);
                return Err(ServiceError::client("ResourceInUseException", text));
            }
            let groups = Registration::of(tx, scope, &baseline.id)?;
            if !groups.is_empty() {
                let text = format!("Patch baseline {id} is registered for patch groups: {}.", groups.join(", "));
                return Err(ServiceError::client("ResourceInUseException", text));
            }
            baseline.delete(tx, scope)?;
        }
        Ok(json!({ "BaselineId": id }))
    })
}

/// `CreatePatchBaseline`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = name(&input, input.required("Name")?)?;
    // Windows is AWS's own default, a trap for whoever forgets it (patch-baselines.md section 1.1).
    let os = input.one_of("OperatingSystem", &SYSTEMS)?.unwrap_or("WINDOWS");
    let body = body(&input)?;
    let new_tags = input.pairs("Tags")?;
    tags::check(&new_tags)?;
    let once = Once {
        operation: "CreatePatchBaseline",
        token: "ClientToken",
        input: &input,
        mismatch: "IdempotentParameterMismatch",
    };
    local.store.write(|tx| {
        once.run(tx, caller, || {
            if Baseline::all(tx, &caller.scope)?.len() >= MAX_BASELINES {
                let text = format!("The account has {MAX_BASELINES} patch baselines in this Region, the limit.");
                return Err(ServiceError::client("ResourceLimitExceededException", text));
            }
            let baseline = Baseline {
                id: random::resource_id("pb")?,
                name: name.to_owned(),
                os: os.to_owned(),
                body: body.clone(),
                tags: new_tags.clone(),
                created_at: caller.now,
                modified_at: None,
            };
            baseline.put(tx, &caller.scope)?;
            Ok(json!({ "BaselineId": baseline.id }))
        })
    })
}

/// A name, checked.
fn name<'a>(input: &Input<'_>, name: &'a str) -> Result<&'a str, ServiceError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (3..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(input.invalid("Name", "It must have 3 to 128 letters, digits, or _ - . characters."))
}

/// `UpdatePatchBaseline`. With `Replace` what is not given gets its default, else it stays; the operating system always does.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("BaselineId")?;
    let scope = &caller.scope;
    if owned_baselines::by_arn(id, &scope.region).is_some() {
        let text = format!("Patch baseline {id} belongs to AWS and cannot be changed.");
        return Err(ServiceError::client("AccessDeniedException", text));
    }
    let replace = input.flag("Replace")?.unwrap_or(false);
    let given = if replace { Some(input.required("Name")?) } else { input.text("Name")? };
    let given = given.map(|given| name(&input, given)).transpose()?;
    let new = body(&input)?;
    local.store.write(|tx| {
        let mut baseline = Baseline::own(tx, scope, id)?.ok_or_else(|| does_not_exist(id))?;
        match (&mut baseline.body, &new) {
            (Value::Object(old), Value::Object(new)) if !replace => {
                old.extend(new.iter().filter(|(key, _)| input.get(key).is_some()).map(|(k, v)| (k.clone(), v.clone())));
            }
            (old, new) => *old = new.clone(),
        }
        if let Some(given) = given {
            given.clone_into(&mut baseline.name);
        }
        baseline.modified_at = Some(caller.now);
        baseline.put(tx, scope)?;
        let mut answer = Found::Own(baseline).render(tx, scope)?;
        if let Value::Object(members) = &mut answer {
            members.remove("PatchGroups");
        }
        Ok(answer)
    })
}

/// The members that are kept as they are given, checked (patch-baselines.md section 1.1).
fn body(input: &Input<'_>) -> Result<Value, ServiceError> {
    let level = input.one_of("ApprovedPatchesComplianceLevel", &LEVELS)?.unwrap_or("UNSPECIFIED");
    let action = input.one_of("RejectedPatchesAction", &["ALLOW_AS_DEPENDENCY", "BLOCK"])?;
    let security = input.one_of("AvailableSecurityUpdatesComplianceStatus", &["COMPLIANT", "NON_COMPLIANT"])?;
    Ok(json!({
        "GlobalFilters": { "PatchFilters": global_filters(input)? },
        "ApprovalRules": { "PatchRules": rules(input)? },
        "ApprovedPatches": patches(input, "ApprovedPatches")?,
        "ApprovedPatchesComplianceLevel": level,
        "ApprovedPatchesEnableNonSecurity": input.flag("ApprovedPatchesEnableNonSecurity")?.unwrap_or(false),
        "RejectedPatches": patches(input, "RejectedPatches")?,
        "RejectedPatchesAction": action.unwrap_or("ALLOW_AS_DEPENDENCY"),
        "Description": input.limited("Description", 1..=1024)?,
        "Sources": sources(input)?,
        "AvailableSecurityUpdatesComplianceStatus": security,
    }))
}

fn patches<'a>(input: &Input<'a>, name: &str) -> Result<Vec<&'a str>, ServiceError> {
    let patches = input.texts(name)?;
    if patches.len() > 50 || patches.iter().any(|patch| !(1..=100).contains(&patch.chars().count())) {
        return Err(input.invalid(name, "It can have at most 50 entries of 1 to 100 characters."));
    }
    Ok(patches)
}

fn sources(input: &Input<'_>) -> Result<Vec<Value>, ServiceError> {
    let sources = input.objects("Sources")?;
    if sources.len() > 20 {
        return Err(input.invalid("Sources", "At most 20 sources are allowed."));
    }
    for source in &sources {
        source.required("Name")?;
        source.required("Configuration")?;
        if source.texts("Products")?.is_empty() {
            return Err(source.missing("Products"));
        }
    }
    Ok(sources.iter().map(|source| source.value().clone()).collect())
}

fn global_filters(input: &Input<'_>) -> Result<Vec<Value>, ServiceError> {
    let Some(group) = input.object("GlobalFilters")? else { return Ok(Vec::new()) };
    filters(&group)
}

/// The `PatchFilters` of a group: at most four.
fn filters(group: &Input<'_>) -> Result<Vec<Value>, ServiceError> {
    let filters = group.objects("PatchFilters")?;
    if filters.len() > 4 {
        return Err(group.invalid("PatchFilters", "At most 4 filters are allowed."));
    }
    for filter in &filters {
        filter.required("Key")?;
        filter.one_of("Key", &FILTER_KEYS)?;
        let values = filter.texts("Values")?;
        if !(1..=20).contains(&values.len()) || values.iter().any(|value| !(1..=64).contains(&value.chars().count())) {
            return Err(filter.invalid("Values", "It must have 1 to 20 values of 1 to 64 characters."));
        }
    }
    Ok(filters.iter().map(|filter| filter.value().clone()).collect())
}

fn rules(input: &Input<'_>) -> Result<Vec<Value>, ServiceError> {
    let Some(group) = input.object("ApprovalRules")? else { return Ok(Vec::new()) };
    let rules = group.objects("PatchRules")?;
    if rules.len() > 10 {
        return Err(group.invalid("PatchRules", "At most 10 rules are allowed."));
    }
    rules.iter().map(rule).collect()
}

fn rule(rule: &Input<'_>) -> Result<Value, ServiceError> {
    let Some(group) = rule.object("PatchFilterGroup")? else { return Err(rule.missing("PatchFilterGroup")) };
    let mut answer = json!({
        "PatchFilterGroup": { "PatchFilters": filters(&group)? },
        "ComplianceLevel": rule.one_of("ComplianceLevel", &LEVELS)?.unwrap_or("UNSPECIFIED"),
        "EnableNonSecurity": rule.flag("EnableNonSecurity")?.unwrap_or(false),
    });
    match (rule.between("ApproveAfterDays", 0..=360)?, rule.text("ApproveUntilDate")?) {
        (Some(days), None) => answer["ApproveAfterDays"] = json!(days),
        (None, Some(date)) if is_date(date) => answer["ApproveUntilDate"] = json!(date),
        (None, Some(_)) => return Err(rule.invalid("ApproveUntilDate", "It must be a date like 2026-01-31.")),
        _ => {
            let why = "A rule needs exactly one of ApproveAfterDays and ApproveUntilDate.";
            return Err(rule.invalid("ApproveAfterDays", why));
        }
    }
    Ok(answer)
}

fn is_date(text: &str) -> bool {
    time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).is_ok()
}
