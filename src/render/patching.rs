//! What a recipe says about patching as a whole reaches the component that patches and the one that proves it: the baseline's
//! rejected patches, what the baseline asks for, and that an install override list stands in for both.

use super::takes;
use crate::diagnostic::Diagnostic;
use crate::patch::{self, Baseline};
use crate::project::{ComponentUse, Project, Recipe, patching};
use std::borrow::Cow;

/// The components that prove that nothing is left, of Linux and of Windows.
const PROVE: [&str; 2] = ["patched", "patched-windows"];

/// A component with the parameters that follow from the recipe. What the recipe passes itself stays as it is, and a
/// component of the project that takes the place of a built-in one gets only what it asks for.
pub(super) fn completed<'a>(project: &Project, recipe: &Recipe, used: &'a ComponentUse) -> Cow<'a, ComponentUse> {
    let name = used.name.as_str();
    let mut used = Cow::Borrowed(used);
    if PROVE.contains(&name) && recipe.patch_overrides.is_some() {
        let patch = recipe.build.iter().find(|used| patching::PATCH.contains(&used.name.as_str()));
        let list = if name == PROVE[1] { "only" } else { patching::LIST };
        if let Some(value) = patch.and_then(|patch| patch.parameters.get(list)) {
            add(project, recipe, &mut used, list, value.clone());
        }
    }
    if PROVE.contains(&name) || patching::PATCH.contains(&name) {
        // A list is followed whatever the baseline says (patch-baselines.md 7.2).
        if let Some(baseline) = own_baseline(project, recipe).filter(|_| !used.parameters.contains_key(patching::LIST))
        {
            by_baseline(project, recipe, &mut used, &baseline);
        }
    }
    used
}

/// The baseline of the recipe when it is a file of the project. Those that AWS owns reject nothing, and recipes say
/// themselves how far they follow them.
fn own_baseline(project: &Project, recipe: &Recipe) -> Option<Baseline> {
    patch::parse_baseline(project.baselines.get(&recipe.baseline)?).ok()
}

fn by_baseline(project: &Project, recipe: &Recipe, used: &mut Cow<'_, ComponentUse>, baseline: &Baseline) {
    let rejected = patching::words(recipe.os).of(&baseline.rejected).words.join(" ");
    if recipe.os.platform() == "Windows" {
        // There are no dependencies: both actions mean the same (patch-baselines.md 4.3).
        if rejected.is_empty() {
            return;
        }
        match used.parameters.get("exclude").map(|given| format!("{given} {rejected}")) {
            Some(all) => drop(used.to_mut().parameters.insert("exclude".to_owned(), all)),
            None => add(project, recipe, used, "exclude", rejected),
        }
        return;
    }
    if !rejected.is_empty() {
        add(project, recipe, used, if baseline.blocks() { "blocked" } else { "dependency_only" }, rejected);
    }
    // The gate counts all that the baseline approves as missing, so all of it has to come in.
    if baseline.asks_for_more_than_security() {
        add(project, recipe, used, "scope", "all".to_owned());
    }
}

fn add(project: &Project, recipe: &Recipe, used: &mut Cow<'_, ComponentUse>, name: &str, value: String) {
    if !used.parameters.contains_key(name) && takes(project, recipe, used, name) {
        used.to_mut().parameters.insert(name.to_owned(), value);
    }
}

/// Of a document that is too long, the list that a recipe puts into it is the likeliest reason.
pub(super) fn too_long(found: Diagnostic, recipe: &Recipe, used: &ComponentUse) -> Diagnostic {
    match &recipe.patch_overrides {
        Some(list) if found.code == "D010" && used.parameters.contains_key(patching::ENTRIES) => found
            .also_at(&recipe.source, list.span, "this list is part of the document")
            .help(format!("shorten {}, or name it with `url` and `sha256`", list.from)),
        _ => found,
    }
}

#[cfg(test)]
#[path = "patching_tests.rs"]
mod tests;
