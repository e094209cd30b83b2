//! What to do to get from what is there to what is desired. Pure.

use super::arn::{Version, normalise, resource};
use super::diff_configuration::configurations;
use super::model::{Action, Change, Desired, DesiredComponent, ImagePlan, Kind, Plan, SCHEMA};
use super::observed::{Observed, ObservedComponent, ObservedRecipe};
use std::collections::BTreeMap;

/// Components are versioned `1.0.N`.
const COMPONENT_SERIES: (u32, u32) = (1, 0);
/// Digits of a fingerprint that people see.
const SHORT: usize = 12;

/// The plan. The same fingerprint anywhere among the versions of a resource keeps that version; otherwise the version
/// after the highest is created. The order of what was observed does not matter.
#[must_use]
pub fn diff(desired: &Desired, observed: &Observed) -> Plan {
    let (mut changes, versions) = components(desired, observed);
    changes.extend(super::workflow::changes(desired, &observed.workflows));
    let recipe = recipe(desired, observed, &versions);
    let configurations = configurations(desired, observed, &recipe);
    changes.push(recipe);
    changes.extend(configurations);
    changes.extend(super::baseline::change(desired, observed.baseline.as_ref()));
    Plan {
        schema: SCHEMA,
        project: desired.project.clone(),
        environment: desired.environment.clone(),
        recipe: desired.recipe.name.clone(),
        arch: desired.arch.clone(),
        fingerprint: desired.fingerprint().to_owned(),
        parent_image: desired.recipe.parent_ami.clone(),
        changes,
        image: image(observed),
        quotas: vec![],
        estimate: None,
        desired: desired.clone(),
        over_quota: false,
    }
}

/// One change per distinct component, and the version each fingerprint has or gets.
fn components(desired: &Desired, observed: &Observed) -> (Vec<Change>, BTreeMap<String, Version>) {
    let mut changes = Vec::new();
    let mut versions: BTreeMap<String, Version> = BTreeMap::new();
    let mut highest: BTreeMap<&str, Version> = BTreeMap::new();
    for component in &desired.components {
        if versions.contains_key(&component.fingerprint) {
            continue;
        }
        let existing = observed.components.get(&component.resource_name).map_or(&[][..], Vec::as_slice);
        let found = newest(existing, &component.fingerprint);
        let change = if let Some(found) = found {
            keep(Kind::Component, &component.resource_name, Some(found.version), &component.fingerprint, &found.arn)
        } else {
            let name = component.resource_name.as_str();
            let known = existing.iter().map(|version| version.version).chain(highest.get(name).copied());
            let version = next(known, COMPONENT_SERIES);
            highest.insert(name, version);
            Change {
                action: Action::Create,
                kind: Kind::Component,
                name: name.to_owned(),
                version: Some(version),
                fingerprint: short(&component.fingerprint),
                reason: component_reason(component, existing),
                ..Change::default()
            }
        };
        if let Some(version) = change.version {
            versions.insert(component.fingerprint.clone(), version);
        }
        changes.push(change);
    }
    (changes, versions)
}

pub(super) fn newest<'a>(existing: &'a [ObservedComponent], fingerprint: &str) -> Option<&'a ObservedComponent> {
    existing
        .iter()
        .filter(|version| version.fingerprint.as_deref() == Some(fingerprint))
        .max_by_key(|version| (version.version, &version.arn))
}

fn component_reason(desired: &DesiredComponent, existing: &[ObservedComponent]) -> String {
    let Some(latest) = existing.iter().max_by_key(|version| (version.version, &version.arn)) else {
        return "new".to_owned();
    };
    let Some(content) = &latest.content else {
        return format!("differs from {}", latest.version);
    };
    let parts = [
        ("document", content.document != desired.content.document),
        ("description", content.description != desired.content.description),
        ("supported operating systems", content.supported_os != desired.content.supported_os),
    ];
    let changed: Vec<_> = parts.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if changed.is_empty() {
        return format!("{} was not made by amiforge or can no longer be used", latest.version);
    }
    format!("{} changed", changed.join(" and "))
}

fn recipe(desired: &Desired, observed: &Observed, versions: &BTreeMap<String, Version>) -> Change {
    let recipe = &desired.recipe;
    let same = observed.recipes.iter().filter(|known| known.fingerprint.as_deref() == Some(&recipe.fingerprint));
    if let Some(found) = same.max_by_key(|known| known.version) {
        return keep(Kind::Recipe, &recipe.resource_name, Some(found.version), &recipe.fingerprint, &found.arn);
    }
    Change {
        action: Action::Create,
        kind: Kind::Recipe,
        name: recipe.resource_name.clone(),
        version: Some(next(observed.recipes.iter().map(|known| known.version), recipe.version)),
        fingerprint: short(&recipe.fingerprint),
        reason: recipe_reason(desired, &observed.recipes, versions),
        ..Change::default()
    }
}

fn recipe_reason(desired: &Desired, existing: &[ObservedRecipe], versions: &BTreeMap<String, Version>) -> String {
    let Some(latest) = existing.iter().max_by_key(|known| known.version) else {
        return "new".to_owned();
    };
    let mut reasons = Vec::new();
    if (latest.version.major, latest.version.minor) != desired.recipe.version {
        let (major, minor) = desired.recipe.version;
        reasons.push(format!("version {}.{} -> {major}.{minor}", latest.version.major, latest.version.minor));
    }
    if latest.parent_image != desired.recipe.parent_ami {
        reasons.push(format!("parent image changed from {} to {}", latest.parent_image, desired.recipe.parent_ami));
    }
    if let Some(content) = &latest.content {
        reasons.extend(component_use_reasons(desired, &content.components, versions));
    }
    if reasons.is_empty() {
        return "volume, tags or settings changed".to_owned();
    }
    reasons.join("; ")
}

/// What differs between the components a recipe uses and those it should use.
fn component_use_reasons(
    desired: &Desired,
    used: &[(String, BTreeMap<String, String>)],
    versions: &BTreeMap<String, Version>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for (arn, _) in used {
        before.push(resource(arn).map_or_else(|| arn.clone(), |resource| resource.name.to_owned()));
    }
    let after: Vec<String> = desired.components.iter().map(|one| normalise(&one.resource_name)).collect();
    for (component, name) in desired.components.iter().zip(&after) {
        let Some(position) = before.iter().position(|known| known == name) else {
            reasons.push(format!("uses {} in addition", component.name));
            continue;
        };
        let (arn, parameters) = &used[position];
        let old = resource(arn).and_then(|resource| resource.version);
        let new = versions.get(&component.fingerprint).copied();
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            reasons.push(format!("uses {} {old} -> {new}", component.name));
        }
        if *parameters != component.parameters {
            reasons.push(format!("parameters of {} changed", component.name));
        }
    }
    reasons.extend(before.iter().filter(|name| !after.contains(name)).map(|name| format!("no longer uses {name}")));
    if reasons.is_empty() && before != after {
        reasons.push("order of components changed".to_owned());
    }
    reasons
}

fn image(observed: &Observed) -> ImagePlan {
    let build_number = |arn: &str| resource(arn).map(|resource| (resource.version, resource.build));
    let available = observed.images.iter().filter(|image| image.available());
    if let Some(image) = available.max_by_key(|image| build_number(&image.arn))
        && let Some(ami) = &image.ami
    {
        return ImagePlan::Keep { arn: image.arn.clone(), version: image.version.clone(), ami: ami.clone() };
    }
    let in_flight = observed.images.iter().filter(|image| image.in_flight());
    if let Some(image) = in_flight.max_by_key(|image| build_number(&image.arn)) {
        return ImagePlan::Join { arn: image.arn.clone(), status: image.status.clone() };
    }
    let reason = match observed.images.iter().max_by_key(|image| build_number(&image.arn)) {
        Some(image) => format!("build {} is {}", image.version, image.status),
        None => "no image with this fingerprint".to_owned(),
    };
    ImagePlan::Build { reason }
}

pub(super) fn keep(kind: Kind, name: &str, version: Option<Version>, fingerprint: &str, arn: &str) -> Change {
    Change {
        action: Action::Keep,
        kind,
        name: name.to_owned(),
        version,
        fingerprint: short(fingerprint),
        reason: "unchanged".to_owned(),
        arn: Some(arn.to_owned()),
        ..Change::default()
    }
}

/// The version after the highest in a `major.minor` series; the first is `.0`.
pub(super) fn next(known: impl Iterator<Item = Version>, (major, minor): (u32, u32)) -> Version {
    let highest = known.filter(|version| (version.major, version.minor) == (major, minor)).max();
    Version::new(major, minor, highest.map_or(0, |version| version.patch.saturating_add(1)))
}

pub(super) fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(SHORT).collect()
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
