//! The small templates in recipes: the parent's reference, launch template and parameter names.

use super::codes;
use super::engine::{Fault, Inputs, Templates};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::project::{Arch, Os, ParentReference, PointerName, Project, Promote, Recipe};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name a promotion moves, from a template such as `/golden/{{ name }}/{{ arch }}/{{ channel }}`. Known names: `name`,
/// `os`, `arch`, `debian_arch` and `channel`.
///
/// # Errors
/// One located diagnostic: a template that does not parse or uses an unknown name.
pub fn promote_name(template: &str, recipe: &Recipe, arch: Arch, channel: &str) -> Result<String, Diagnostic> {
    name(&Templates::default(), &template.into(), recipe, arch, channel)
}

/// The same of several, in their order.
///
/// # Errors
/// As [`promote_name`], of the first that is wrong.
pub fn promote_names(
    names: &[PointerName],
    recipe: &Recipe,
    arch: Arch,
    channel: &str,
) -> Result<Vec<String>, Diagnostic> {
    let templates = Templates::default();
    names.iter().map(|one| name(&templates, one, recipe, arch, channel)).collect()
}

fn name(
    templates: &Templates,
    template: &PointerName,
    recipe: &Recipe,
    arch: Arch,
    channel: &str,
) -> Result<String, Diagnostic> {
    let mut variables = variables(recipe, arch);
    variables.insert("channel", channel.to_owned());
    small(templates, &template.text, template.span, recipe, variables).map_err(|diagnostic| *diagnostic)
}

/// The parent's reference for one architecture.
pub(super) fn parent(project: &Project, recipe: &Recipe, arch: Arch) -> Result<ParentReference, Box<Diagnostic>> {
    let fill = |text: &str| small(&project.memory.templates, text, Span::default(), recipe, variables(recipe, arch));
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

/// Renders one line. The template is part of the recipe's file, `at` that place if it is known; errors are shown there.
fn small(
    templates: &Templates,
    template: &str,
    at: Span,
    recipe: &Recipe,
    variables: BTreeMap<&'static str, String>,
) -> Result<String, Box<Diagnostic>> {
    let (parameters, partials) = (BTreeMap::new(), BTreeMap::new());
    let source = SourceFile::new("template", template);
    let inputs = Inputs { variables, parameters: &parameters, partials: &partials };
    match templates.render(&source, &inputs) {
        Ok(rendered) => Ok(rendered.text),
        Err(Fault::Template(diagnostic) | Fault::Parameter(_, diagnostic)) => {
            Err(relocate(diagnostic, template, at, recipe))
        }
    }
}

/// Where a template stands in the recipe: from `at` on, which may begin with a quote. One that is written with escapes is not
/// found.
fn place(template: &str, at: Span, recipe: &Recipe) -> Option<Span> {
    let text = recipe.source.text.get(at.start..)?;
    let start = at.start + text.find(template)?;
    Some(Span::new(start, start + template.len()))
}

/// The place to show when the template itself is not found.
fn about(at: Span, recipe: &Recipe) -> Span {
    if at == Span::default() { recipe.span } else { at }
}

/// Moves a place in the one-line template to where that line stands in the recipe.
fn relocate(mut diagnostic: Box<Diagnostic>, template: &str, at: Span, recipe: &Recipe) -> Box<Diagnostic> {
    let found = place(template, at, recipe);
    if let Some(label) = &mut diagnostic.primary {
        label.span = match found {
            Some(found) => Span::new(found.start + label.span.start, found.start + label.span.end),
            None => about(at, recipe),
        };
        label.source = Arc::clone(&recipe.source);
    }
    // What is said about the runner's expressions does not concern these.
    diagnostic.help.retain(|help| !help.contains("backslash"));
    diagnostic
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    LaunchTemplate,
    Parameter,
}

impl Kind {
    const ALL: [Self; 2] = [Self::LaunchTemplate, Self::Parameter];

    const fn key(self) -> &'static str {
        match self {
            Self::LaunchTemplate => "launch_template",
            Self::Parameter => "parameter",
        }
    }

    fn names(self, promote: &Promote) -> &[PointerName] {
        match self {
            Self::LaunchTemplate => &promote.launch_templates,
            Self::Parameter => &promote.parameters,
        }
    }

    fn fault(self, name: &str) -> Option<&'static str> {
        match self {
            Self::LaunchTemplate => launch_template_fault(name),
            Self::Parameter => parameter_fault(name),
        }
    }
}

/// Who moves a pointer: a channel of a recipe for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mover {
    recipe: String,
    arch: Arch,
    channel: String,
}

/// Who moves what in a project.
pub(super) type Movers = BTreeMap<(Kind, String), BTreeSet<Mover>>;

/// What [`movers`] follows from.
pub(super) type Moving = (Vec<String>, Vec<(String, Os, Vec<Arch>, Promote)>);

pub(super) fn moving(project: &Project) -> Moving {
    let recipes = project.recipes.values();
    let recipes = recipes.map(|one| (one.name.clone(), one.os, one.architectures.clone(), one.promote.clone()));
    (project.channels.iter().map(|channel| channel.name.clone()).collect(), recipes.collect())
}

/// Who moves what. Names that cannot be made are left out: they are told where they stand.
pub(super) fn movers(project: &Project) -> Movers {
    let mut movers = Movers::new();
    for recipe in project.recipes.values() {
        for (arch, channel) in
            recipe.architectures.iter().flat_map(|arch| project.channels.iter().map(move |one| (*arch, one)))
        {
            for kind in Kind::ALL {
                for template in kind.names(&recipe.promote) {
                    if let Ok(name) = name(&project.memory.templates, template, recipe, arch, &channel.name) {
                        let (recipe, channel) = (recipe.name.clone(), channel.name.clone());
                        movers.entry((kind, name)).or_default().insert(Mover { recipe, arch, channel });
                    }
                }
            }
        }
    }
    movers
}

/// Whether everything a promotion of this recipe would move has a usable name, for every channel, and is moved by nothing
/// else: a shared pointer would move production whenever a candidate is promoted.
pub(super) fn check(project: &Project, recipe: &Recipe, arch: Arch) -> Vec<Diagnostic> {
    let movers = project.memory.movers(project);
    let mut found = vec![];
    for channel in &project.channels {
        let this = Mover { recipe: recipe.name.clone(), arch, channel: channel.name.clone() };
        for kind in Kind::ALL {
            let mut taken = BTreeSet::new();
            for template in kind.names(&recipe.promote) {
                let name = match name(&project.memory.templates, template, recipe, arch, &channel.name) {
                    Ok(name) => name,
                    Err(diagnostic) => {
                        found.push(diagnostic);
                        continue;
                    }
                };
                found.extend(kind.fault(&name).map(|why| unusable(&name, template, recipe, why)));
                let others = movers.get(&(kind, name.clone()));
                let other = others.and_then(|others| others.iter().find(|other| **other != this));
                found.extend(other.map(|other| shared(kind, &name, template, recipe, &this, other)));
                if !taken.insert(name.clone()) {
                    let why = format!("`promote.{}` makes it twice", kind.key());
                    found.push(unusable(&name, template, recipe, &why));
                }
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

/// Two would move the same.
fn shared(kind: Kind, name: &str, template: &PointerName, recipe: &Recipe, this: &Mover, other: &Mover) -> Diagnostic {
    let (why, variable) = if this.recipe != other.recipe {
        (format!("recipes `{}` and `{}` would share it", this.recipe, other.recipe), "name")
    } else if this.arch != other.arch {
        (format!("architectures `{}` and `{}` would share it", this.arch.name(), other.arch.name()), "arch")
    } else {
        (format!("channels `{}` and `{}` would share it", this.channel, other.channel), "channel")
    };
    unusable(name, template, recipe, &why).help(format!("put {{{{ {variable} }}}} into `promote.{}`", kind.key()))
}

fn unusable(name: &str, template: &PointerName, recipe: &Recipe, why: &str) -> Diagnostic {
    let span = place(&template.text, template.span, recipe).unwrap_or_else(|| about(template.span, recipe));
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
