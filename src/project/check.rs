//! What can only be told by looking at several files: components that do not exist or do not fit, baselines, names that
//! become the same.

use super::{ComponentUse, EnvironmentConfig, Project, Recipe, codes, lineage, names, patching, workflows};
use crate::component::modules::Platform;
use crate::component::rules::{self, Target};
use crate::component::{self, Document};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span, suggest};
use crate::patch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The two lists of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Under `build`.
    Build,
    /// Under `test`.
    Test,
    /// In no list: tried by itself, with whichever phases it has.
    Alone,
}

/// The components of a recipe with the list they stand in, in run order.
pub(crate) fn stages(recipe: &Recipe) -> impl Iterator<Item = (&ComponentUse, Stage)> {
    let build = recipe.build.iter().map(|used| (used, Stage::Build));
    build.chain(recipe.test.iter().map(|used| (used, Stage::Test)))
}

/// All checks across files.
pub(super) fn project(project: &Project, found: &mut Vec<Diagnostic>) {
    let documents = documents(project, found);
    for recipe in project.recipes.values() {
        for (used, stage) in stages(recipe) {
            if !project.components.contains_key(&used.name) {
                found.push(unknown_component(project, recipe, used));
            } else if let Some(document) = documents.get(used.name.as_str()) {
                found.extend(fits(document, used, stage, &recipe.source));
            }
        }
    }
    baselines(project, found);
    not_kept_out(project, found);
    collisions(project, found);
    lineage::check(project, found);
    workflows::check(project, found);
    platforms(project, found);
    // In a project with faults a recipe may be missing, or name something else than it means.
    if !found.iter().any(|finding| finding.severity == Severity::Error) {
        unused(project, found);
    }
}

/// Every plain component, parsed. Templates are parsed when they are rendered; their braces mean something else here. What
/// is only doubtful about a component is for the linter to tell.
fn documents<'a>(project: &'a Project, found: &mut Vec<Diagnostic>) -> BTreeMap<&'a str, Document> {
    let mut documents = BTreeMap::new();
    for (name, component) in project.components.iter().filter(|(_, component)| !component.template) {
        let parsed = component::parse(&component.source);
        let findings = rules::lint(&component.source, &parsed, &target(project, name), &project.lint.levels);
        found.extend(findings.into_iter().filter(|finding| finding.severity == Severity::Error));
        if let Some(document) = parsed.readable.filter(|_| parsed.complete) {
            documents.insert(name.as_str(), document);
        }
    }
    documents
}

/// Where a plain component will run: what all recipes that use it have in common.
pub(crate) fn target(project: &Project, component: &str) -> Target {
    let users = || project.recipes.values().filter(|recipe| stages(recipe).any(|(used, _)| used.name == component));
    let platforms: BTreeSet<&str> = users().map(|recipe| recipe.os.platform()).collect();
    let systems: BTreeSet<&str> = users().map(|recipe| recipe.os.name()).collect();
    Target { platform: only(&platforms).map(platform), os: only(&systems).map(str::to_owned), ..common_target(project) }
}

/// The only element.
fn only<'a>(set: &BTreeSet<&'a str>) -> Option<&'a str> {
    set.first().copied().filter(|_| set.len() == 1)
}

/// Image Builder's platform, as the linter knows it.
pub(crate) fn platform(name: &str) -> Platform {
    if name == "Windows" { Platform::Windows } else { Platform::Linux }
}

/// What is known about all components of a project.
pub(crate) fn common_target(project: &Project) -> Target {
    let mut accounts: BTreeSet<String> = project.lint.accounts.iter().cloned().collect();
    for environment in project.environments.values() {
        if let EnvironmentConfig::Aws(aws) = environment {
            accounts.insert(aws.home.account.clone());
            accounts.extend(aws.targets.iter().map(|target| target.location.account.clone()));
        }
    }
    accounts.remove("");
    Target {
        // Without a bucket for them `publish` sends documents as text.
        inline: !project
            .environments
            .values()
            .any(|environment| matches!(environment, EnvironmentConfig::Aws(aws) if aws.document_bucket.is_some())),
        old_awstoe: project.lint.old_awstoe,
        accounts: accounts.into_iter().collect(),
        ..Target::default()
    }
}

/// Components of the project that stand in no recipe.
fn unused(project: &Project, found: &mut Vec<Diagnostic>) {
    let used: BTreeSet<&str> = project.recipes.values().flat_map(stages).map(|(used, _)| used.name.as_str()).collect();
    for (name, component) in &project.components {
        if !used.contains(name.as_str()) && !project.is_built_in(name) {
            found.push(
                Diagnostic::warning(codes::UNUSED, format!("no recipe uses the component `{name}`"))
                    .at(&component.source, Span::default(), "is never built into an image")
                    .help("name it under `build` or `test` of a recipe, or remove it"),
            );
        }
    }
}

fn unknown_component(project: &Project, recipe: &Recipe, used: &ComponentUse) -> Diagnostic {
    // The project's own come first: among equally near names they are the likelier ones.
    let (built_in, own): (Vec<&str>, Vec<&str>) =
        project.components.keys().map(String::as_str).partition(|name| project.is_built_in(name));
    let near = suggest(&used.name, own.iter().chain(&built_in).copied());
    let label = near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
    let mut diagnostic = Diagnostic::error(codes::UNKNOWN_COMPONENT, format!("there is no component `{}`", used.name))
        .at(&recipe.source, used.span, label);
    if !own.is_empty() {
        diagnostic = diagnostic.help(format!("components of the project: {}", own.join(", ")));
    }
    if !built_in.is_empty() {
        diagnostic = diagnostic.help(format!("components that come with amiforge: {}", built_in.join(", ")));
    }
    diagnostic
}

/// Whether a component does anything in the stage it is used in, and whether the parameters fit.
pub(crate) fn fits(
    document: &Document,
    used: &ComponentUse,
    stage: Stage,
    recipe: &Arc<SourceFile>,
) -> Vec<Diagnostic> {
    let mut found = vec![];
    let name = &used.name;
    let has = |phases: &[&str]| phases.iter().any(|phase| document.phase(phase).is_some());
    if used.hook && !has(&["build"]) {
        let message = format!("`{name}` has no build phase and would do nothing under `hooks`");
        let diagnostic = Diagnostic::error(codes::STAGE, message).at(recipe, used.span, "would do nothing");
        found.push(diagnostic.note("phases run one after the other over all components; patching is in the first"));
    }
    let wrong = match stage {
        Stage::Build if used.hook => None,
        Stage::Build if !has(&["build", "validate"]) => Some(("neither a build nor a validate phase", "build", "test")),
        Stage::Test if !has(&["test"]) => Some(("no test phase", "test", "build")),
        _ => None,
    };
    if let Some((lacks, here, there)) = wrong {
        let message = format!("`{name}` has {lacks} and would do nothing under `{here}`");
        let diagnostic = Diagnostic::error(codes::STAGE, message).at(recipe, used.span, "would do nothing");
        found.push(diagnostic.help(format!("move it to `{there}`, or give it the phase")));
    }
    let declared: Vec<&str> = document.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    for given in used.parameters.keys().filter(|given| !declared.contains(&given.as_str())) {
        found.push(undeclared(name, given, &declared, used.span, recipe));
    }
    for parameter in document.parameters.iter().filter(|parameter| parameter.default.is_none()) {
        if !used.parameters.contains_key(&parameter.name) {
            let message = format!("`{name}` needs the parameter `{}`", parameter.name);
            let diagnostic =
                Diagnostic::error(codes::PARAMETER, message).at(recipe, used.span, "a parameter is missing");
            found.push(diagnostic.help(format!("write `- {name}: {{ {}: ... }}`", parameter.name)));
        }
    }
    found
}

/// A parameter the component does not know.
pub(crate) fn undeclared(
    component: &str,
    given: &str,
    declared: &[&str],
    span: Span,
    recipe: &Arc<SourceFile>,
) -> Diagnostic {
    let message = format!("`{component}` has no parameter `{given}`");
    let near = suggest(given, declared.iter().copied());
    let label = near.map_or_else(|| "passes an unknown parameter".to_owned(), |near| format!("did you mean `{near}`?"));
    let known = if declared.is_empty() { "it has none".to_owned() } else { format!("it has: {}", declared.join(", ")) };
    Diagnostic::error(codes::PARAMETER, message).at(recipe, span, label).help(known)
}

/// Baseline files have to be readable baselines, and recipes have to name one that exists.
fn baselines(project: &Project, found: &mut Vec<Diagnostic>) {
    for source in project.baselines.values() {
        if let Err(faults) = patch::parse_baseline(source) {
            found.extend(faults);
        }
    }
    for recipe in project.recipes.values() {
        let name = &recipe.baseline;
        if project.baselines.contains_key(name) || patch::predefined(name).is_some() {
            continue;
        }
        let own = project.baselines.keys().map(String::as_str);
        let near = suggest(name, own.chain(patch::all_predefined().iter().map(|baseline| baseline.name.as_str())));
        let label = near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
        let message = format!("there is no patch baseline `{name}`");
        found.push(
            Diagnostic::error(codes::UNKNOWN_BASELINE, message)
                .at(&recipe.source, value_span(&recipe.source, "baseline").unwrap_or(recipe.span), label)
                .help("name an AWS-owned baseline, or a file in baselines/ without its ending"),
        );
    }
}

/// Entries of `RejectedPatches` that the package manager of a recipe cannot keep out while it patches.
fn not_kept_out(project: &Project, found: &mut Vec<Diagnostic>) {
    let mut told = BTreeSet::new();
    for recipe in project.recipes.values() {
        let patches = recipe.build.iter().any(|used| patching::PATCH.contains(&used.name.as_str()));
        let Some(source) = project.baselines.get(&recipe.baseline).filter(|_| patches) else { continue };
        let Ok(baseline) = patch::parse_baseline(source) else { continue };
        for index in patching::words(recipe.os).of(&baseline.rejected).beyond {
            if !told.insert((&recipe.baseline, index)) {
                continue;
            }
            let manager = recipe.os.package_manager();
            let entry = &baseline.rejected[index];
            let message =
                format!("{manager} has no words for all that `{entry}` rejects: it is not kept out of a build");
            let tree = crate::yaml::parse(source).ok();
            let node = tree.as_ref().and_then(|tree| tree.get("RejectedPatches")?.items()?.get(index));
            let span = node.map(|node| node.span).unwrap_or_default();
            let warning = Diagnostic::warning(codes::NOT_KEPT_OUT, message).at(source, span, "judged after the build");
            found.push(warning.note(format!("recipe `{}` patches by this baseline", recipe.name)));
        }
    }
}

/// Where the value of a top-level key stands.
fn value_span(source: &Arc<SourceFile>, key: &str) -> Option<Span> {
    crate::yaml::parse(source).ok()?.get(key).map(|node| node.span)
}

/// Names that differ in the project and are the same in Image Builder.
fn collisions(project: &Project, found: &mut Vec<Diagnostic>) {
    let mut recipes: BTreeMap<String, &Recipe> = BTreeMap::new();
    let mut components: BTreeMap<String, String> = project
        .components
        .iter()
        .filter(|(_, component)| !component.template)
        .map(|(name, _)| (names::component_resource(&project.name, name), format!("component `{name}`")))
        .collect();
    for recipe in project.recipes.values() {
        for arch in &recipe.architectures {
            let resource = names::recipe_resource(&project.name, &recipe.name, *arch);
            if let Some(other) = recipes.insert(resource.clone(), recipe) {
                let message = format!("recipes `{}` and `{}` are both called `{resource}`", other.name, recipe.name);
                let diagnostic = Diagnostic::error(codes::COLLISION, message);
                found.push(diagnostic.at(&recipe.source, recipe.span, "the second one").help("rename one of them"));
            }
        }
        for (used, _) in stages(recipe) {
            if !project.components.get(&used.name).is_some_and(|component| component.template) {
                continue;
            }
            let resource = names::rendered_component_resource(&project.name, &recipe.name, &used.name);
            let what = format!("`{}` of recipe `{}`", used.name, recipe.name);
            if let Some(other) = components.insert(resource.clone(), what.clone()) {
                let message = format!("{other} and {what} are both called `{resource}`");
                let diagnostic = Diagnostic::error(codes::COLLISION, message);
                found.push(diagnostic.at(&recipe.source, used.span, "the second one").help("rename one of them"));
            }
        }
    }
}

/// A plain component is one resource and has one platform.
fn platforms(project: &Project, found: &mut Vec<Diagnostic>) {
    let mut first: BTreeMap<&str, &Recipe> = BTreeMap::new();
    for recipe in project.recipes.values() {
        for (used, _) in stages(recipe) {
            if project.components.get(&used.name).is_none_or(|component| component.template) {
                continue;
            }
            let before = *first.entry(&used.name).or_insert(recipe);
            if before.os.platform() != recipe.os.platform() {
                let message =
                    format!("`{}` is used for {} and for {}", used.name, before.os.platform(), recipe.os.platform());
                found.push(
                    Diagnostic::error(codes::PLATFORM, message)
                        .at(&recipe.source, used.span, format!("{} here", recipe.os.platform()))
                        .note(format!("recipe `{}` uses it for {}", before.name, before.os.platform()))
                        .help("make it two components"),
                );
            }
        }
    }
}
