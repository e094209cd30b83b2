//! `gates:` of `amiforge.yaml` and of recipes: once for the project, refined by recipes.
//!
//! A recipe that says nothing has the project's gates, or the usual ones when the project has none. What it says refines
//! them key by key; lists of what is demanded grow, and `without` leaves a gate out. What the project names under
//! `required` may only become stricter.

mod one;
mod packages;
mod weaker;

use super::codes;
use super::fields::{Fields, Findings};
use super::policy::{Gates, PatchGate, ProjectGates, TestGate};
use crate::yaml::Node;
use std::time::Duration;

pub(super) use one::{BOOT_MODES, COUNT, FACTS, PATCHES, PER_CENT, SEVERITIES, SIZES, TEST_NAME, rules, scanners};
pub(super) use packages::PACKAGE;

const DAY: Duration = Duration::from_hours(24);

/// The gates by name, in the order in which they are evaluated.
pub(super) const NAMES: [&str; 10] =
    ["patches", "vulnerabilities", "image", "tests", "packages", "size", "age", "parent", "hygiene", "commands"];

/// The policy of a recipe that has no `gates`, in a project that has none: nothing missing, nothing rejected, tested, and
/// not older than two weeks.
pub(super) fn default() -> Gates {
    Gates {
        patches: Some(patches_default()),
        tests: Some(TestGate::default()),
        max_age: Some(14 * DAY),
        ..Gates::default()
    }
}

pub(super) fn patches_default() -> PatchGate {
    let (levels, grace) = Default::default();
    PatchGate { missing: 0, rejected: 0, levels, grace, scanned_within: DAY }
}

/// Reads `gates` of `amiforge.yaml`.
pub(super) fn read_project(node: &Node, out: &mut Findings) -> ProjectGates {
    let mut policy = ProjectGates { gates: None, required: vec![], waivable: true };
    let Some(mut fields) = Fields::new(node, "gates", false, out) else { return policy };
    let mut gates = Gates::default();
    read_all(&mut fields, &mut gates, out);
    let required = fields.texts("required", out);
    policy.waivable = fields.boolean("waivable", true, out);
    fields.finish(out);
    for (name, span) in required {
        let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
            out.unknown(codes::NOT_ALLOWED, span, format!("`{name}` is not a gate"), &name, &NAMES);
            continue;
        };
        if !has(&gates, known) {
            let message = format!("`{name}` is required, but it is not among the gates of this file");
            let found = out.error(codes::NO_GATE, span, message, "no such gate here");
            found.help.push(format!("add `{name}` under `gates`"));
        }
        policy.required.push(known);
    }
    if NAMES.iter().any(|name| has(&gates, name)) {
        policy.gates = Some(gates);
    } else if out.list.is_empty() {
        let found = out.error(codes::NO_GATE, node.span, "`gates` holds no gate", "nothing would be checked");
        found.help.push("leave `gates` out, or add a gate".to_owned());
    }
    policy
}

/// Reads `gates` of a recipe on top of the project's. Only the gates that stand there, or in the project, are evaluated
/// later, so at least one has to.
pub(super) fn read(node: &Node, has_tests: bool, project: &ProjectGates, out: &mut Findings) -> Gates {
    let mut gates = project.gates.clone().unwrap_or_default();
    // A gate that is not required, and may become weaker, must not make what a required one looks at older.
    if let (Some(project), false) = (&project.gates, project.required.is_empty()) {
        gates.validated_within = Some(project.valid_within());
    }
    let Some(mut fields) = Fields::new(node, "gates", true, out) else { return of_project(project) };
    let before = out.list.len();
    if node.entries().is_none_or(<[_]>::is_empty) {
        let found = out.error(codes::NO_GATE, node.span, "`gates` holds no gate", "nothing would be checked");
        found.help.push("leave `gates` out to get the defaults".to_owned());
    }
    without(&mut fields, &mut gates, project, out);
    read_all(&mut fields, &mut gates, out);
    if let (Some(_), false, Some((key, _))) = (&gates.tests, has_tests, node.entry("tests")) {
        let found = out.error(codes::NO_GATE, key.span, "tests are required, but the recipe names none", "cannot pass");
        found.help.push("name a component under `test`, for example `boots`".to_owned());
    }
    fields.elsewhere("waivers", "waivers.yaml", out);
    fields.finish(out);
    if out.list.len() == before && !NAMES.iter().any(|name| has(&gates, name)) {
        let message = "the recipe has no gate, and amiforge.yaml leaves none to it";
        let found = out.error(codes::NO_GATE, node.span, message, "nothing would be checked");
        found.help.push("leave `gates` out to get the defaults, or add a gate".to_owned());
    }
    weaker::refuse(node, &gates, project, out);
    gates.unwaivable = unwaivable(project);
    gates
}

/// The gates of a recipe that has none of its own.
pub(super) fn of_project(project: &ProjectGates) -> Gates {
    let mut gates = project.gates.clone().unwrap_or_else(default);
    gates.unwaivable = unwaivable(project);
    gates
}

fn unwaivable(project: &ProjectGates) -> Vec<&'static str> {
    if project.waivable { vec![] } else { project.required.clone() }
}

/// Each gate that stands there, on top of what is there already.
fn read_all(fields: &mut Fields<'_>, gates: &mut Gates, out: &mut Findings) {
    if let Some(node) = fields.take("patches") {
        gates.patches = one::patches(node, gates.patches.take(), out);
    }
    if let Some(node) = fields.take("vulnerabilities") {
        gates.vulnerabilities = one::vulnerabilities(node, gates.vulnerabilities.take(), out);
    }
    if let Some(node) = fields.take("image") {
        gates.image = one::image(node, gates.image.take(), out);
    }
    gates.tests = one::tests(fields, gates.tests.take(), out);
    if let Some(node) = fields.take("packages") {
        gates.packages = packages::read(node, gates.packages.take(), out);
    }
    if let Some(node) = fields.take("size") {
        gates.size = one::size(node, gates.size.take(), out);
    }
    if let Some(node) = fields.take("age") {
        gates.max_age = one::age(node, out);
    }
    if let Some(node) = fields.take("parent") {
        gates.parent = one::parent(node, gates.parent.take(), out);
    }
    if let Some(node) = fields.take("hygiene") {
        gates.hygiene = one::hygiene(node, gates.hygiene.take(), out);
    }
    if let Some(node) = fields.take("commands") {
        one::commands(node, &mut gates.commands, out);
    }
    gates.validated_within = fields.duration("validated_within", out).or(gates.validated_within);
}

/// `without`: gates of the project that do not hold for this recipe.
fn without(fields: &mut Fields<'_>, gates: &mut Gates, project: &ProjectGates, out: &mut Findings) {
    for (name, span) in fields.texts("without", out) {
        if !NAMES.contains(&name.as_str()) {
            out.unknown(codes::NOT_ALLOWED, span, format!("`{name}` is not a gate"), &name, &NAMES);
        } else if project.required.contains(&name.as_str()) {
            let message = format!("the gate `{name}` is required by amiforge.yaml");
            let found = out.error(codes::WEAKER, span, message, "cannot be left out");
            found.help.push("take it out of `without`".to_owned());
        } else if !has(gates, &name) {
            let message = format!("`without` names the gate `{name}`, which amiforge.yaml does not have");
            out.error(codes::NOT_ALLOWED, span, message, "nothing to leave out");
        } else {
            remove(gates, &name);
        }
    }
}

/// Whether a gate is there.
pub(super) fn has(gates: &Gates, name: &str) -> bool {
    match name {
        "patches" => gates.patches.is_some(),
        "vulnerabilities" => gates.vulnerabilities.is_some(),
        "image" => gates.image.is_some(),
        "tests" => gates.tests.is_some(),
        "packages" => gates.packages.is_some(),
        "size" => gates.size.is_some(),
        "age" => gates.max_age.is_some(),
        "parent" => gates.parent.is_some(),
        "hygiene" => gates.hygiene.is_some(),
        "commands" => !gates.commands.is_empty(),
        _ => false,
    }
}

fn remove(gates: &mut Gates, name: &str) {
    match name {
        "patches" => gates.patches = None,
        "vulnerabilities" => gates.vulnerabilities = None,
        "image" => gates.image = None,
        "tests" => gates.tests = None,
        "packages" => gates.packages = None,
        "size" => gates.size = None,
        "age" => gates.max_age = None,
        "parent" => gates.parent = None,
        "hygiene" => gates.hygiene = None,
        _ => gates.commands.clear(),
    }
}

#[cfg(test)]
mod tests;
