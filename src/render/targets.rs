//! The small templates in recipes: the parent's reference, launch template and parameter names.

use super::codes;
use super::engine::{Fault, Inputs, Templates};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::project::{Arch, ParentReference, Project, Recipe};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name a promotion moves, from a template such as `/golden/{{ name }}/{{ arch }}/{{ channel }}`. Known names: `name`,
/// `os`, `arch`, `debian_arch` and `channel`.
///
/// # Errors
/// One located diagnostic: a template that does not parse or uses an unknown name.
pub fn promote_name(template: &str, recipe: &Recipe, arch: Arch, channel: &str) -> Result<String, Diagnostic> {
    name(&Templates::default(), template, recipe, arch, channel)
}

fn name(
    templates: &Templates,
    template: &str,
    recipe: &Recipe,
    arch: Arch,
    channel: &str,
) -> Result<String, Diagnostic> {
    let mut variables = variables(recipe, arch);
    variables.insert("channel", channel.to_owned());
    small(templates, template, recipe, variables).map_err(|diagnostic| *diagnostic)
}

/// The parent's reference for one architecture.
pub(super) fn parent(project: &Project, recipe: &Recipe, arch: Arch) -> Result<ParentReference, Box<Diagnostic>> {
    let fill = |text: &str| small(&project.memory.templates, text, recipe, variables(recipe, arch));
    Ok(match &recipe.parent.reference {
        ParentReference::Ssm(text) => ParentReference::Ssm(fill(text)?),
        ParentReference::Ami(text) => ParentReference::Ami(fill(text)?),
        ParentReference::Image(text) => ParentReference::Image(fill(text)?),
        ParentReference::Named { pattern, owner } => {
            ParentReference::Named { pattern: fill(pattern)?, owner: owner.clone() }
        }
        other @ ParentReference::Recipe { .. } => other.clone(),
    })
}

fn variables(recipe: &Recipe, arch: Arch) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("name", recipe.name.clone()),
        ("os", recipe.os.name().to_owned()),
        ("arch", arch.name().to_owned()),
        ("debian_arch", arch.debian_arch().to_owned()),
    ])
}

/// Renders one line. The template is part of the recipe's file; errors are shown there.
fn small(
    templates: &Templates,
    template: &str,
    recipe: &Recipe,
    variables: BTreeMap<&'static str, String>,
) -> Result<String, Box<Diagnostic>> {
    let (parameters, partials) = (BTreeMap::new(), BTreeMap::new());
    let source = SourceFile::new("template", template);
    let inputs = Inputs { variables, parameters: &parameters, partials: &partials };
    match templates.render(&source, &inputs) {
        Ok(rendered) => Ok(rendered.text),
        Err(Fault::Template(diagnostic) | Fault::Parameter(_, diagnostic)) => {
            Err(relocate(diagnostic, template, recipe))
        }
    }
}

/// Moves a place in the one-line template to where that line stands in the recipe.
fn relocate(mut diagnostic: Box<Diagnostic>, template: &str, recipe: &Recipe) -> Box<Diagnostic> {
    let start = recipe.source.text.find(template);
    if let Some(label) = &mut diagnostic.primary {
        label.span = match start {
            Some(start) => Span::new(start + label.span.start, start + label.span.end),
            None => recipe.span,
        };
        label.source = Arc::clone(&recipe.source);
    }
    // What is said about the runner's expressions does not concern these.
    diagnostic.help.retain(|help| !help.contains("backslash"));
    diagnostic
}

/// Whether everything a promotion of this recipe would move has a usable name, for every channel.
pub(super) fn check(project: &Project, recipe: &Recipe, arch: Arch) -> Vec<Diagnostic> {
    let mut found = vec![];
    let targets = [
        ("launch_template", &recipe.promote.launch_template, launch_template_fault as fn(&str) -> Option<&'static str>),
        ("parameter", &recipe.promote.parameter, parameter_fault),
    ];
    for (key, template, fault) in targets {
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for channel in &project.channels {
            let name = match name(&project.memory.templates, template, recipe, arch, &channel.name) {
                Ok(name) => name,
                Err(diagnostic) => {
                    found.push(diagnostic);
                    continue;
                }
            };
            found.extend(fault(&name).map(|why| unusable(&name, template, recipe, why)));
            // A shared pointer would move production whenever a candidate is promoted.
            if let Some(other) = taken.insert(name.clone(), &channel.name) {
                let why = format!("channels `{other}` and `{}` would share it", channel.name);
                let help = format!("put {{{{ channel }}}} into `promote.{key}`");
                found.push(unusable(&name, template, recipe, &why).help(help));
            }
        }
    }
    // One fault of one template shows once, not once per channel.
    let mut once: Vec<Diagnostic> = vec![];
    for diagnostic in found {
        if !once.iter().any(|other| other.primary == diagnostic.primary && other.code == diagnostic.code) {
            once.push(diagnostic);
        }
    }
    once
}

fn unusable(name: &str, template: &str, recipe: &Recipe, why: &str) -> Diagnostic {
    let start = recipe.source.text.find(template);
    let span = start.map_or(recipe.span, |start| Span::new(start, start + template.len()));
    Diagnostic::error(codes::TARGET_NAME, format!("`{name}` cannot be used: {why}")).at(
        &recipe.source,
        span,
        "makes this name",
    )
}

/// `LaunchTemplateName`: 3 to 128 of `[a-zA-Z0-9\(\)\.\-/_]`.
fn launch_template_fault(name: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"().-/_".contains(&b);
    if !(3..=128).contains(&name.len()) {
        Some("a launch template name has 3 to 128 characters")
    } else if !name.bytes().all(allowed) {
        Some("a launch template name has letters, digits and ().-/_ only")
    } else {
        None
    }
}

/// Parameter names: absolute, `[a-zA-Z0-9_.-/]`, at most 1,011 characters and 15 levels, not below /aws or /ssm.
fn parameter_fault(name: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
    let lower = name.to_ascii_lowercase();
    if !name.starts_with('/') || name.ends_with('/') || name.contains("//") {
        Some("a parameter name begins with a slash, does not end with one and has no empty level")
    } else if !name.bytes().all(allowed) || name.len() > 1_011 {
        Some("a parameter name has at most 1,011 letters, digits and _.-/")
    } else if name.split('/').count() > 16 {
        Some("a parameter name has at most 15 levels")
    } else if lower.starts_with("/aws") || lower.starts_with("/ssm") {
        Some("names that begin with /aws or /ssm are reserved")
    } else {
        None
    }
}
