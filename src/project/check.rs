//! What can only be told by looking at several files: components that do not exist or do not fit, baselines, names that
//! become the same.

use super::{COMPONENT_LIMITS_NOTE, ComponentUse, Project, Recipe, codes, names};
use crate::component::{self, Document};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, suggest};
use crate::patch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All checks across files.
pub(super) fn project(project: &Project, found: &mut Vec<Diagnostic>) {
    let documents = documents(project, found);
    for recipe in project.recipes.values() {
        for (used, stage) in stages(recipe) {
            match project.components.get(&used.name) {
                None => found.push(unknown_component(project, recipe, used)),
                Some(component) if component.template => {}
                Some(_) => {
                    if let Some(document) = documents.get(used.name.as_str()) {
                        found.extend(fits(document, used, stage, &recipe.source));
                    }
                }
            }
        }
        if let Some(diagnostic) = baseline(project, recipe) {
            found.push(diagnostic);
        }
    }
    baselines(project, found);
    collisions(project, found);
    platforms(project, found);
}
