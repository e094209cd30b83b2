//! A recipe for one architecture with everything filled in.

use super::engine::{Fault, Inputs};
use super::memory::Judged;
use super::{RenderedComponent, RenderedRecipe, codes, patching, targets};
use crate::component::rules::Target;
use crate::component::{self, Document};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::project::check::{self, Stage};
use crate::project::{Arch, ComponentSource, ComponentUse, Project, Recipe, names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Fills in a recipe for one architecture. The same files give the same answer, byte for byte.
///
/// # Errors
/// Everything that is wrong with the templates it uses, with the documents that come out, and with the names a promotion
/// would move.
pub fn recipe(project: &Project, recipe: &Recipe, arch: Arch) -> Result<RenderedRecipe, Vec<Diagnostic>> {
    if !recipe.architectures.contains(&arch) {
        let message = format!("recipe `{}` is not built for {}", recipe.name, arch.name());
        let known: Vec<&str> = recipe.architectures.iter().map(|arch| arch.name()).collect();
        let diagnostic = Diagnostic::error(codes::ARCHITECTURE, message).at(&recipe.source, recipe.span, "");
        return Err(vec![diagnostic.help(format!("architectures of the recipe: {}", known.join(", ")))]);
    }
    let mut found = vec![];
    let mut components = vec![];
    for (used, stage) in check::stages(recipe) {
        match component(project, recipe, used, stage) {
            Ok(component) => components.push(component),
            Err(mut diagnostics) => found.append(&mut diagnostics),
        }
    }
    found.extend(targets::check(project, recipe, arch));
    match targets::parent(project, recipe, arch) {
        Ok(parent) if found.is_empty() => Ok(RenderedRecipe {
            recipe: recipe.name.clone(),
            resource_name: names::recipe_resource(&project.name, &recipe.name, arch),
            os: recipe.os,
            arch,
            platform: recipe.os.platform(),
            parent,
            components,
            description: format!("{} for {} (amiforge project {})", recipe.name, arch.name(), project.name),
            root_device: recipe.os.root_device(),
        }),
        Ok(_) => Err(found),
        Err(diagnostic) => {
            found.push(*diagnostic);
            Err(found)
        }
    }
}

/// One component of a recipe by itself, whichever phases it has; what `amiforge test COMPONENT` runs.
///
/// # Errors
/// As [`recipe`], of this component only.
pub(crate) fn alone(
    project: &Project,
    recipe: &Recipe,
    used: &ComponentUse,
) -> Result<RenderedComponent, Vec<Diagnostic>> {
    component(project, recipe, used, Stage::Alone)
}

/// Whether a component knows a parameter of this name: its document declares it, or its template asks for it.
pub(crate) fn takes(project: &Project, recipe: &Recipe, used: &ComponentUse, name: &str) -> bool {
    let Some(source) = project.components.get(&used.name) else { return false };
    let declares = |source: &Arc<SourceFile>| {
        let document = component::parse(source).readable;
        document.is_some_and(|document| document.parameters.iter().any(|parameter| parameter.name == name))
    };
    if !source.template {
        return declares(&source.source);
    }
    let variables = variables(project, recipe, used);
    let mut parameters = used.parameters.clone();
    parameters.entry(name.to_owned()).or_default();
    let inputs = Inputs { variables, parameters: &parameters, partials: &project.partials };
    match project.memory.templates.render(&source.source, &inputs) {
        Ok(out) => out.asked.contains(name) || declares(&SourceFile::new(used.name.as_str(), out.text)),
        // It asks for others that are missing: what it says about this one is all there is to go by.
        Err(_) => source.source.text.contains(&format!("\"{name}\"")),
    }
}

fn component(
    project: &Project,
    recipe: &Recipe,
    used: &ComponentUse,
    stage: Stage,
) -> Result<RenderedComponent, Vec<Diagnostic>> {
    let Some(source) = project.components.get(&used.name) else {
        // `project::load` refuses this; a project put together otherwise must not lose a component here.
        let message = format!("there is no component `{}`", used.name);
        return Err(vec![Diagnostic::error("P008", message).at(&recipe.source, used.span, "not known")]);
    };
    let used = patching::completed(project, recipe, used);
    if source.template {
        rendered(project, recipe, &used, stage, source)
    } else {
        plain(project, recipe, &used, stage, source)
    }
}

/// A plain document goes out as it is: its braces belong to the runner.
fn plain(
    project: &Project,
    recipe: &Recipe,
    used: &ComponentUse,
    stage: Stage,
    source: &ComponentSource,
) -> Result<RenderedComponent, Vec<Diagnostic>> {
    let document = document(project, recipe, &source.source, None)?;
    let found = check::fits(&document, used, stage, &recipe.source);
    if !found.is_empty() {
        return Err(found);
    }
    Ok(RenderedComponent {
        name: used.name.clone(),
        resource_name: names::component_resource(&project.name, &used.name),
        test: stage == Stage::Test,
        platform: recipe.os.platform(),
        // Shared by all recipes, whatever they are for.
        supported_os: vec![],
        description: described(&document, &used.name),
        document: Arc::clone(&source.source),
        parameters: used.parameters.clone(),
    })
}

fn rendered(
    project: &Project,
    recipe: &Recipe,
    used: &ComponentUse,
    stage: Stage,
    source: &ComponentSource,
) -> Result<RenderedComponent, Vec<Diagnostic>> {
    let variables = variables(project, recipe, used);
    let inputs = Inputs { variables: variables.clone(), parameters: &used.parameters, partials: &project.partials };
    let out = project.memory.templates.render(&source.source, &inputs).map_err(|fault| match fault {
        Fault::Template(diagnostic) => vec![*diagnostic],
        Fault::Parameter(problem, at) => vec![parameter_fault(recipe, used, &problem, *at)],
    })?;
    let name = format!("{} (rendered from {})", used.name, source.source.name);
    let text = SourceFile::new(name, out.text);
    let document = document(project, recipe, &text, Some(&source.source))
        .map_err(|found| found.into_iter().map(|found| patching::too_long(found, recipe, used)).collect::<Vec<_>>())?;
    let mut found = reserved(&document, &text, &variables);
    // Parameters the template has used up are not the document's business; the rest are.
    let declared: BTreeSet<&str> = document.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let mut passed = used.clone();
    passed.parameters.retain(|name, _| declared.contains(name.as_str()));
    found.extend(check::fits(&document, &passed, stage, &recipe.source));
    let known: Vec<&str> = out.asked.iter().map(String::as_str).chain(declared.iter().copied()).collect();
    for given in used.parameters.keys().filter(|given| !known.contains(&given.as_str())) {
        found.push(check::undeclared(&used.name, given, &known, used.span, &recipe.source));
    }
    if !found.is_empty() {
        return Err(found);
    }
    Ok(RenderedComponent {
        name: used.name.clone(),
        resource_name: names::rendered_component_resource(&project.name, &recipe.name, &used.name),
        test: stage == Stage::Test,
        platform: recipe.os.platform(),
        supported_os: vec![recipe.os.supported_prefix().to_owned()],
        description: described(&document, &used.name),
        document: text,
        parameters: passed.parameters,
    })
}

/// The names templates of components know. The architecture is not among them: a component is one resource for all of them.
fn variables(project: &Project, recipe: &Recipe, used: &ComponentUse) -> BTreeMap<&'static str, String> {
    let os = recipe.os;
    BTreeMap::from([
        ("project", project.name.clone()),
        ("recipe", recipe.name.clone()),
        ("component", used.name.clone()),
        ("os", os.name().to_owned()),
        ("os_family", os.family().name().to_owned()),
        ("os_version", os.version().to_owned()),
        ("package_manager", os.package_manager().to_owned()),
        ("platform", os.platform().to_owned()),
    ])
}

/// What is known about where a component of a recipe will run.
pub(crate) fn target(project: &Project, recipe: &Recipe) -> Target {
    Target {
        platform: Some(check::platform(recipe.os.platform())),
        os: Some(recipe.os.name().to_owned()),
        ..check::common_target(project)
    }
}

/// Parses and lints a document; of what a template made, an error is the template's.
fn document(
    project: &Project,
    recipe: &Recipe,
    source: &Arc<SourceFile>,
    template: Option<&Arc<SourceFile>>,
) -> Result<Arc<Document>, Vec<Diagnostic>> {
    let Judged { document, errors } = project.memory.judge(source, target(project, recipe), &project.lint.levels);
    match document {
        Some(document) if errors.is_empty() => Ok(document),
        // A component that disappears without a word would be a test that was never run.
        None if errors.is_empty() => {
            let message = format!("`{}` cannot be read as a component document", source.name);
            Err(vec![Diagnostic::error(codes::SYNTAX, message).at(source, Span::default(), "")])
        }
        _ => Err(match template {
            Some(template) => errors
                .into_iter()
                .map(|diagnostic| diagnostic.help(format!("the text was rendered: correct it in {}", template.name)))
                .collect(),
            None => errors,
        }),
    }
}

fn parameter_fault(recipe: &Recipe, used: &ComponentUse, problem: &str, at: Diagnostic) -> Diagnostic {
    let message = format!("`{}`: {problem}", used.name);
    let mut diagnostic = Diagnostic::error(codes::PARAMETER, message).at(&recipe.source, used.span, "used here");
    if let Some(label) = at.primary {
        diagnostic = diagnostic.also_at(&label.source, label.span, "asked for here");
    }
    diagnostic
}

/// Names of the document that a forgotten backslash would turn into the template's values.
fn reserved(
    document: &Document,
    source: &Arc<SourceFile>,
    variables: &BTreeMap<&'static str, String>,
) -> Vec<Diagnostic> {
    let parameters = document.parameters.iter().map(|parameter| (&parameter.name, parameter.span));
    let constants = document.constants.iter().map(|constant| (&constant.name, constant.span));
    parameters
        .chain(constants)
        .filter(|(name, _)| variables.contains_key(name.as_str()))
        .map(|(name, span)| {
            Diagnostic::error(codes::RESERVED, format!("`{name}` is also a name of templates")).at(
                source,
                span,
                "choose another name",
            )
        })
        .collect()
}

/// The description of the resource; the service takes 1 to 1,024 characters.
fn described(document: &Document, name: &str) -> String {
    let text = document.description.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(name);
    text.chars().take(1_024).collect()
}
