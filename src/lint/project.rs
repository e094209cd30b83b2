//! A whole project: its own files, its components for the recipes that use them, what its templates become.

use super::{Checkable, Checked, Options, parallel, source};
use crate::component::rules::{Levels, Target};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::project::{self, Loaded, Project, check};
use crate::render;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Checks the project in a folder: `amiforge.yaml`, recipes, baselines, component documents, and every recipe rendered for
/// each of its architectures. What is wrong with one file does not hide what is wrong with the others.
#[must_use]
pub fn project(root: &Path, options: &Options) -> Checked {
    let Loaded { mut project, found } = match project::load_all(root) {
        Ok(loaded) => loaded,
        Err(diagnostics) => return Checked { diagnostics, ..Checked::default() },
    };
    project.lint.levels.extend(&options.levels);
    let mut checked = Checked { fail_on: Some(project.lint.fail_on), ..Checked::default() };
    checked.recipes = project.recipes.len();
    let jobs = plain(&project);
    let mut component_files: BTreeSet<&str> = BTreeSet::new();
    for (source, _) in &jobs {
        component_files.insert(&source.name);
    }
    // Of component documents the loading tells the errors only; the rules tell all of it.
    let is_component = |finding: &Diagnostic| {
        finding.primary.as_ref().is_some_and(|label| component_files.contains(label.source.name.as_str()))
            && crate::component::rules::find(finding.code).is_some()
    };
    checked.add(found.into_iter().filter(|finding| !is_component(finding)).collect());
    let levels = &project.lint.levels;
    for result in parallel::map(&jobs, |(file, target)| source::document(file, target, levels)) {
        checked.components += result.components;
        checked.documents.extend(result.documents);
        checked.add(result.diagnostics);
    }
    checked.files = jobs.iter().filter_map(|(file, target)| mendable(&project, file, target, levels)).collect();
    rendered(&project, &mut checked);
    checked
}

/// Plain components that are the project's own or used by it, each with what its recipes say about it.
fn plain(project: &Project) -> Vec<(Arc<SourceFile>, Target)> {
    let used: BTreeSet<&str> =
        project.recipes.values().flat_map(check::stages).map(|(used, _)| used.name.as_str()).collect();
    project
        .components
        .iter()
        .filter(|(name, component)| !component.template && (used.contains(name.as_str()) || !project.is_built_in(name)))
        .map(|(name, component)| (Arc::clone(&component.source), check::target(project, name)))
        .collect()
}

/// A file of the project; what is built in cannot be mended.
fn mendable(project: &Project, file: &SourceFile, target: &Target, levels: &Levels) -> Option<Checkable> {
    let path = project.root.join(&file.name);
    path.is_file().then(|| Checkable { name: file.name.clone(), path, target: target.clone(), levels: levels.clone() })
}

/// Every recipe for every architecture; templates are checked as what they become.
fn rendered(project: &Project, checked: &mut Checked) {
    let mut seen = BTreeSet::new();
    for recipe in project.recipes.values() {
        for &arch in &recipe.architectures {
            match render::recipe(project, recipe, arch) {
                Ok(rendered) => {
                    for one in rendered.components {
                        let template = project.components.get(&one.name).is_some_and(|source| source.template);
                        if template && seen.insert((one.name.clone(), one.document.text.clone())) {
                            let target = render::target(project, recipe);
                            let result = source::document(&one.document, &target, &project.lint.levels);
                            checked.components += 1;
                            checked.documents.extend(result.documents);
                            checked.add(result.diagnostics);
                        }
                    }
                }
                // What is wrong with a plain component has been told above, at the component.
                Err(findings) => checked.add(findings),
            }
        }
    }
}
