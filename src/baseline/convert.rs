//! Baselines in the SDK's types, there and back.

use super::error::BaselineError;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::patch::{self, Approval, Baseline, Filter, Rule, Source};
use aws_sdk_ssm::error::BuildError;
use aws_sdk_ssm::operation::get_patch_baseline::GetPatchBaselineOutput;
use aws_sdk_ssm::types as ssm;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The parts of a definition that `CreatePatchBaseline` and `UpdatePatchBaseline` have in common, in the SDK's types.
pub(super) struct Parts {
    pub(super) global_filters: ssm::PatchFilterGroup,
    pub(super) approval_rules: ssm::PatchRuleGroup,
    pub(super) approved_level: ssm::PatchComplianceLevel,
    pub(super) rejected_action: ssm::PatchAction,
    pub(super) sources: Option<Vec<ssm::PatchSource>>,
    pub(super) available_security_updates: Option<ssm::PatchComplianceStatus>,
}

impl Parts {
    /// The parts of a baseline.
    pub(super) fn of(baseline: &Baseline) -> Result<Self, BaselineError> {
        let wrong = |error: BuildError| BaselineError::Answer { operation: "PatchBaseline", what: error.to_string() };
        let rules = baseline.rules.iter().map(rule).collect::<Result<_, _>>().map_err(wrong)?;
        let sources = baseline.sources.iter().map(source).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        Ok(Self {
            global_filters: group(&baseline.global_filters).map_err(wrong)?,
            approval_rules: ssm::PatchRuleGroup::builder().set_patch_rules(Some(rules)).build().map_err(wrong)?,
            approved_level: baseline.approved_level.as_str().into(),
            rejected_action: baseline.rejected_action.as_str().into(),
            // On Windows even an empty list is refused.
            sources: Some(sources).filter(|sources| !sources.is_empty()),
            available_security_updates: baseline.available_security_updates.map(|status| status.as_str().into()),
        })
    }
}

fn group(filters: &[Filter]) -> Result<ssm::PatchFilterGroup, BuildError> {
    let filter = |filter: &Filter| {
        let key = ssm::PatchFilterKey::from(filter.key.as_str());
        ssm::PatchFilter::builder().key(key).set_values(Some(filter.values.clone())).build()
    };
    let filters = filters.iter().map(filter).collect::<Result<_, _>>()?;
    ssm::PatchFilterGroup::builder().set_patch_filters(Some(filters)).build()
}

fn rule(rule: &Rule) -> Result<ssm::PatchRule, BuildError> {
    let built = ssm::PatchRule::builder()
        .patch_filter_group(group(&rule.filters)?)
        .compliance_level(rule.level.as_str().into())
        .enable_non_security(rule.enable_non_security);
    Ok(match rule.approval {
        Approval::AfterDays(days) => built.approve_after_days(i32::from(days)).build(),
        Approval::UntilDate(date) => built.approve_until_date(date.to_string()).build(),
    })
}

fn source(source: &Source) -> Result<ssm::PatchSource, BuildError> {
    ssm::PatchSource::builder()
        .name(&source.name)
        .set_products(Some(source.products.clone()))
        .configuration(&source.configuration)
        .build()
}

/// Tags in the SDK's types.
pub(super) fn tags(tags: &BTreeMap<String, String>) -> Result<Vec<ssm::Tag>, BaselineError> {
    let tag = |(key, value)| ssm::Tag::builder().key(key).value(value).build();
    let wrong = |error: BuildError| BaselineError::Answer { operation: "Tag", what: error.to_string() };
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(wrong)
}

/// Reads an answer of `GetPatchBaseline`.
pub(super) fn read(answer: &GetPatchBaselineOutput) -> Result<Baseline, Vec<Diagnostic>> {
    let id = answer.baseline_id().unwrap_or("without an id");
    patch::parse_baseline(&SourceFile::new(
        format!("patch baseline {id}"),
        format!("{:#}", Value::Object(body(answer))),
    ))
}

/// The answer in the API's JSON; the SDK's types have no way back to it.
fn body(answer: &GetPatchBaselineOutput) -> Map<String, Value> {
    let rules = answer.approval_rules().map(ssm::PatchRuleGroup::patch_rules).unwrap_or_default();
    let all = json!({
        "BaselineId": answer.baseline_id(),
        "Name": answer.name(),
        "OperatingSystem": answer.operating_system().map(ssm::OperatingSystem::as_str),
        "Description": answer.description().filter(|text| !text.is_empty()),
        "GlobalFilters": { "PatchFilters": filters(answer.global_filters()) },
        "ApprovalRules": { "PatchRules": rules.iter().map(rule_body).collect::<Vec<_>>() },
        "ApprovedPatches": answer.approved_patches(),
        "ApprovedPatchesComplianceLevel":
            answer.approved_patches_compliance_level().map(ssm::PatchComplianceLevel::as_str),
        "ApprovedPatchesEnableNonSecurity": answer.approved_patches_enable_non_security(),
        "RejectedPatches": answer.rejected_patches(),
        "RejectedPatchesAction": answer.rejected_patches_action().map(ssm::PatchAction::as_str),
        "Sources": answer.sources().iter().map(source_body).collect::<Vec<_>>(),
        "AvailableSecurityUpdatesComplianceStatus":
            answer.available_security_updates_compliance_status().map(ssm::PatchComplianceStatus::as_str),
    });
    let Value::Object(members) = all else { return Map::new() };
    members.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn filters(group: Option<&ssm::PatchFilterGroup>) -> Vec<Value> {
    let filters = group.map(ssm::PatchFilterGroup::patch_filters).unwrap_or_default();
    filters.iter().map(|filter| json!({ "Key": filter.key().as_str(), "Values": filter.values() })).collect()
}

fn rule_body(rule: &ssm::PatchRule) -> Value {
    let mut body = json!({ "PatchFilterGroup": { "PatchFilters": filters(rule.patch_filter_group()) } });
    if let Some(level) = rule.compliance_level() {
        body["ComplianceLevel"] = json!(level.as_str());
    }
    if let Some(days) = rule.approve_after_days() {
        body["ApproveAfterDays"] = json!(days);
    }
    if let Some(date) = rule.approve_until_date() {
        body["ApproveUntilDate"] = json!(date);
    }
    body["EnableNonSecurity"] = json!(rule.enable_non_security().unwrap_or(false));
    body
}

fn source_body(source: &ssm::PatchSource) -> Value {
    json!({ "Name": source.name(), "Products": source.products(), "Configuration": source.configuration() })
}
