//! Subjects × roots: what is run on what.

use super::document::{self, TrialDocument};
use super::error::TrialError;
use super::parameters::{Given, Givens};
use super::roots;
use super::select::Chosen;
use super::{Kind, World};
use crate::component::rules::Levels;
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span, suggest};
use crate::project::check::stages;
use crate::project::{Arch, ComponentUse, Gates, Os, Parent, ParentReference, Project, Promote, Recipe, RootVolume};
use crate::render;
use crate::sandbox::root::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The system of components that no recipe uses, where nothing says which.
const USUAL: Os = Os::Debian12;

/// One subject on one root.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// `subject@row`; no other trial of the matrix has this name.
    pub name: String,
    /// The recipe, component or file.
    pub subject: String,
    /// The word that chooses it on a command line.
    pub word: String,
    /// What the subject is.
    pub kind: Kind,
    /// The row of the matrix, mostly the name of an operating system.
    pub row: String,
    /// What the root is made of; absent: it cannot be run here, for the reason in `skip`.
    pub source: Option<Source>,
    /// Documents in run order.
    pub documents: Vec<TrialDocument>,
    /// Why it is not run.
    pub skip: Option<String>,
    /// The option that chooses this row again; empty for what is chosen by itself.
    pub option: String,
}

/// A root of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) os: Option<Os>,
    pub(super) source: Source,
    /// The recipe whose root this is.
    recipe: Option<String>,
    /// The option that names it.
    option: String,
}

/// The rows that the command line names; empty if it names none.
pub(super) fn rows(world: &World, systems: &[String], roots: &[String]) -> Result<Vec<Row>, TrialError> {
    let mut rows = Vec::new();
    for name in systems {
        let os = os(name)?;
        let recipe = world.project.as_ref().and_then(|project| recipe_of(project, os));
        let source = match recipe.and_then(|recipe| own(world, recipe)) {
            Some(row) => row.source,
            None => roots::of(os)?,
        };
        let (recipe, option) = (recipe.map(|recipe| recipe.name.clone()), format!("--os {name}"));
        rows.push(Row { name: name.clone(), os: Some(os), source, recipe, option });
    }
    for text in roots {
        // `debian-12=FOLDER` says which system it is to be taken for.
        let named = text.split_once('=').and_then(|(name, rest)| Some((Os::parse(name)?, rest)));
        let source = roots::parse(named.map_or(text.as_str(), |(_, rest)| rest), &world.here)?;
        let os = named.map(|(os, _)| os).or_else(|| roots::system(&source));
        let name = named.map_or_else(|| short(text), |(os, _)| os.name().to_owned());
        rows.push(Row { name, os, source, recipe: None, option: format!("--root {text}") });
    }
    let mut once: Vec<Row> = Vec::new();
    for row in rows {
        if !once.contains(&row) {
            once.push(row);
        }
    }
    distinct(&mut once);
    Ok(once)
}

fn os(name: &str) -> Result<Os, TrialError> {
    let known: Vec<String> =
        Os::all().into_iter().filter(|os| os.platform() == "Linux").map(|os| os.name().to_owned()).collect();
    match Os::parse(name) {
        Some(os) if os.platform() == "Linux" => Ok(os),
        Some(_) => Err(TrialError::Root {
            root: name.to_owned(),
            reason: "instances of this machine run Linux".to_owned(),
            next: "build it in an AWS environment".to_owned(),
        }),
        None => {
            let near = suggest(name, &known).map(str::to_owned);
            Err(TrialError::Unknown { what: "operating system", name: name.to_owned(), near, known })
        }
    }
}

/// A name for a root that has none: the last part of its path.
fn short(text: &str) -> String {
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text);
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    if name.trim_matches(['.', '-']).is_empty() { "root".to_owned() } else { name }
}

/// Gives rows of the same name different ones.
fn distinct(rows: &mut [Row]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let count = seen.entry(row.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            row.name = match &row.recipe {
                Some(recipe) => recipe.clone(),
                None => format!("{}-{count}", row.name),
            };
        }
    }
}

/// The recipe that describes the root of a system.
fn recipe_of(project: &Project, os: Os) -> Option<&Recipe> {
    project.recipes.values().find(|recipe| recipe.os == os && recipe.parent.local.is_some())
}

/// The row of a recipe's own root; `None` if it has none that can be had here.
fn own(world: &World, recipe: &Recipe) -> Option<Row> {
    let project = world.project.as_ref()?;
    let source = roots::of_parent(recipe.parent.local.as_ref()?, &project.root);
    (recipe.os.platform() == "Linux").then(|| Row {
        name: recipe.os.name().to_owned(),
        os: Some(recipe.os),
        source,
        recipe: Some(recipe.name.clone()),
        option: String::new(),
    })
}

/// The roots of the project's recipes that use a component (all of them for `None`), each once for each set of parameters.
fn own_rows(world: &World, component: Option<&str>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut seen = BTreeSet::new();
    for recipe in world.project.iter().flat_map(|project| project.recipes.values()) {
        let used = stages(recipe).map(|(used, _)| used).find(|used| Some(used.name.as_str()) == component);
        if component.is_some() && used.is_none() {
            continue;
        }
        if let Some(row) = own(world, recipe)
            && seen.insert((row.source.clone(), used.map(|used| used.parameters.clone())))
        {
            rows.push(row);
        }
    }
    distinct(&mut rows);
    rows
}

/// The rows of something that the command line names none for: the roots of the recipes that use it, else of all, else of
/// the usual system.
pub(super) fn default_rows(world: &World, chosen: &Chosen) -> Result<Vec<Row>, TrialError> {
    let name = match chosen {
        Chosen::Recipe(name) => {
            let recipe = world.project.as_ref().and_then(|project| project.recipes.get(name));
            return Ok(recipe.and_then(|recipe| own(world, recipe)).into_iter().collect());
        }
        Chosen::Component(name) => name.as_str(),
        Chosen::File(_) => "",
    };
    let using = own_rows(world, Some(name));
    if !using.is_empty() {
        return Ok(using);
    }
    let all = own_rows(world, None);
    if !all.is_empty() {
        return Ok(all);
    }
    let (name, source) = (USUAL.name().to_owned(), roots::of(USUAL)?);
    Ok(vec![Row { name, os: Some(USUAL), source, recipe: None, option: String::new() }])
}

/// All trials of the matrix.
///
/// # Errors
/// Everything that is wrong with all the documents, together.
pub(super) fn trials(
    world: &World,
    chosen: &[Chosen],
    rows: &[Row],
    given: &[Given],
) -> Result<Vec<Trial>, TrialError> {
    let mut givens = Givens::new(given);
    let (mut trials, mut refused): (Vec<Trial>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    for one in chosen {
        let rows = if rows.is_empty() { default_rows(world, one)? } else { rows.to_vec() };
        if let (Chosen::Recipe(name), []) = (one, rows.as_slice()) {
            trials.push(unmakeable(world, name));
        }
        for row in rows {
            match trial(world, one, &row, &mut givens) {
                Ok(trial) => trials.push(trial),
                Err(Fault::Documents(found)) => refused.extend(found),
                Err(Fault::Other(error)) => return Err(error),
            }
        }
    }
    if !refused.is_empty() {
        let mut once: Vec<Diagnostic> = Vec::new();
        for finding in refused {
            if !once.contains(&finding) {
                once.push(finding);
            }
        }
        return Err(TrialError::Refused(once));
    }
    givens.finish()?;
    Ok(trials)
}

/// A recipe whose root cannot be had on this machine.
fn unmakeable(world: &World, name: &str) -> Trial {
    let recipe = world.project.as_ref().and_then(|project| project.recipes.get(name));
    let row = recipe.map_or("?", |recipe| recipe.os.name());
    let why = if recipe.is_some_and(|recipe| recipe.os.platform() != "Linux") {
        "instances of this machine run Linux".to_owned()
    } else {
        format!("its `parent` has no `local` root; give one: amiforge test {name} --root {row}=FOLDER")
    };
    Trial {
        name: format!("{name}@{row}"),
        subject: name.to_owned(),
        word: name.to_owned(),
        kind: Kind::Recipe,
        row: row.to_owned(),
        source: None,
        documents: vec![],
        skip: Some(why),
        option: String::new(),
    }
}

enum Fault {
    Documents(Vec<Diagnostic>),
    Other(TrialError),
}

impl From<TrialError> for Fault {
    fn from(error: TrialError) -> Self {
        Self::Other(error)
    }
}

fn trial(world: &World, chosen: &Chosen, row: &Row, givens: &mut Givens<'_>) -> Result<Trial, Fault> {
    let (subject, kind, documents) = match (chosen, &world.project) {
        (Chosen::Recipe(name), Some(project)) => {
            (name.clone(), Kind::Recipe, recipe_documents(project, name, row, givens)?)
        }
        (Chosen::Component(name), Some(project)) => {
            (name.clone(), Kind::Component, vec![component_document(project, name, row, givens)?])
        }
        (Chosen::File(path), _) => (short_file(path), Kind::File, vec![file_document(world, path, row, givens)?]),
        (Chosen::Recipe(name) | Chosen::Component(name), None) => {
            return Err(TrialError::NoProject { what: format!("`{name}` is not known") }.into());
        }
    };
    Ok(Trial {
        name: format!("{subject}@{}", row.name),
        word: match chosen {
            Chosen::File(path) => path.strip_prefix(&world.here).unwrap_or(path).display().to_string(),
            _ => subject.clone(),
        },
        subject,
        kind,
        row: row.name.clone(),
        source: Some(row.source.clone()),
        documents,
        skip: None,
        option: row.option.clone(),
    })
}

fn short_file(path: &Path) -> String {
    path.file_stem().map_or_else(|| "document".to_owned(), |stem| short(&stem.to_string_lossy()))
}

fn native(recipe: &Recipe) -> Result<Arch, TrialError> {
    let arch = Arch::parse(roots::machine()).filter(|arch| recipe.architectures.contains(arch));
    arch.ok_or_else(|| TrialError::Root {
        root: recipe.name.clone(),
        reason: format!("the recipe is not built for this machine's processor ({})", roots::machine()),
        next: "test it on such a machine, or add the architecture to the recipe".to_owned(),
    })
}

fn recipe_documents(
    project: &Project,
    name: &str,
    row: &Row,
    givens: &mut Givens<'_>,
) -> Result<Vec<TrialDocument>, Fault> {
    let Some(recipe) = project.recipes.get(name) else {
        return Err(TrialError::NoProject { what: format!("`{name}` is not known") }.into());
    };
    // On another system's root its templates become what they are for that system.
    let mut recipe = Recipe { os: row.os.unwrap_or(recipe.os), ..recipe.clone() };
    let arch = native(&recipe)?;
    let asked = recipe.clone();
    for used in recipe.build.iter_mut().chain(recipe.test.iter_mut()) {
        givens.apply(&used.name, &mut used.parameters, |name| {
            render::takes(project, &asked, &as_in(&asked, &used.name), name)
        });
    }
    let rendered = render::recipe(project, &recipe, arch).map_err(Fault::Documents)?;
    let document = |component: render::RenderedComponent| {
        checked(component.name, component.document, component.parameters, Some(recipe.os), &project.lint.levels)
    };
    rendered.components.into_iter().map(document).collect()
}

fn as_in(recipe: &Recipe, component: &str) -> ComponentUse {
    let found = stages(recipe).map(|(used, _)| used).find(|used| used.name == component);
    found.cloned().unwrap_or_else(|| ComponentUse {
        name: component.to_owned(),
        parameters: BTreeMap::new(),
        span: Span::default(),
        hook: false,
    })
}

fn component_document(
    project: &Project,
    name: &str,
    row: &Row,
    givens: &mut Givens<'_>,
) -> Result<TrialDocument, Fault> {
    let recipe = context(project, name, row);
    let mut used = as_in(&recipe, name);
    let before = used.clone();
    givens.apply(name, &mut used.parameters, |parameter| render::takes(project, &recipe, &before, parameter));
    let rendered = render::alone(project, &recipe, &used).map_err(Fault::Documents)?;
    checked(rendered.name, rendered.document, rendered.parameters, row.os, &project.lint.levels)
}

/// The recipe that a component is tried in: the one whose root it is, else one for the same system, else any that uses it;
/// a made-up one for a component that stands nowhere.
fn context(project: &Project, component: &str, row: &Row) -> Recipe {
    let uses = |recipe: &&Recipe| stages(recipe).any(|(used, _)| used.name == component);
    let users = || project.recipes.values().filter(uses);
    let own = users().find(|recipe| Some(&recipe.name) == row.recipe.as_ref());
    let found = own.or_else(|| users().find(|recipe| Some(recipe.os) == row.os)).or_else(|| users().next());
    let os = row.os.or(found.map(|recipe| recipe.os)).unwrap_or(USUAL);
    match found {
        Some(recipe) => Recipe { os, ..recipe.clone() },
        None => made_up(component, os),
    }
}

fn made_up(component: &str, os: Os) -> Recipe {
    let source = SourceFile::new("<command line>", format!("amiforge test {component}\n"));
    let start = "amiforge test ".len();
    Recipe {
        name: component.to_owned(),
        os,
        architectures: Arch::all().to_vec(),
        version: (0, 0),
        parent: Parent { reference: ParentReference::Ssm(String::new()), local: None },
        build: vec![ComponentUse {
            name: component.to_owned(),
            parameters: BTreeMap::new(),
            span: Span::new(start, start + component.len()),
            hook: false,
        }],
        test: vec![],
        baseline: os.default_baseline().to_owned(),
        patch_overrides: None,
        root_volume: RootVolume { size_gib: os.default_root_gib(), volume_type: "gp3".to_owned(), encrypted: true },
        gates: Gates::default(),
        workflows: vec![],
        pipeline: None,
        promote: Promote { launch_templates: vec![], parameters: vec![] },
        span: Span::new(start, start + component.len()),
        source,
    }
}

fn file_document(world: &World, path: &Path, row: &Row, givens: &mut Givens<'_>) -> Result<TrialDocument, Fault> {
    let bytes = fs::read(path).map_err(TrialError::io("read", path))?;
    let shown = path.strip_prefix(&world.here).unwrap_or(path).display().to_string();
    let source = crate::lint::decode(&shown, bytes).map_err(|fault| Fault::Documents(vec![fault]))?;
    let mut parameters = BTreeMap::new();
    let (name, known) = (short_file(path), document::parameters(&source));
    givens.apply(&name, &mut parameters, |parameter| known.iter().any(|known| known == parameter));
    let levels = world.project.as_ref().map(|project| project.lint.levels.clone()).unwrap_or_default();
    checked(name, source, parameters, row.os, &levels)
}

fn checked(
    name: String,
    source: Arc<SourceFile>,
    parameters: BTreeMap<String, String>,
    os: Option<Os>,
    levels: &Levels,
) -> Result<TrialDocument, Fault> {
    let steps = document::steps(&source, os.map(Os::name), levels).map_err(Fault::Documents)?;
    let mut missing = document::missing(&source, &parameters);
    missing.retain(|finding| finding.severity == Severity::Error);
    if !missing.is_empty() {
        return Err(Fault::Documents(missing));
    }
    Ok(TrialDocument { name, source, parameters, steps })
}

#[cfg(test)]
mod tests;
