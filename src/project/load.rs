//! Reading a project from its folder.

use super::fields::Findings;
use super::{
    ComponentSource, Project, ProjectGates, Recipe, WorkflowKind, builtin, check, codes, patching, recipe, settings,
    waivers,
};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "amiforge.yaml";

/// A project as far as it could be read, and everything that is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// What could be read; complete if none of the findings is an error.
    pub project: Project,
    /// Everything found: settings first, then recipes, components, templates and baselines by name.
    pub found: Vec<Diagnostic>,
}

/// Reads and checks a whole project. All faults of all files are reported together; the answer is a project only when
/// none of them is an error.
///
/// # Errors
/// Everything that is wrong, with its place: settings first, then recipes, components, templates and baselines by name.
pub fn load(root: &Path) -> Result<Project, Vec<Diagnostic>> {
    let Loaded { mut project, found } = load_all(root)?;
    if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(found);
    }
    project.warnings = found;
    Ok(project)
}

/// Reads a project for whoever needs no more than its environments and the files they name themselves: faults of other files
/// than `amiforge.yaml` do not matter.
///
/// # Errors
/// What is wrong with `amiforge.yaml`.
pub fn load_leniently(root: &Path) -> Result<Project, Vec<Diagnostic>> {
    let Loaded { project, mut found } = load_all(root)?;
    found.retain(|finding| finding.primary.as_ref().is_some_and(|label| label.source.name == PROJECT_FILE));
    if found.iter().any(|finding| finding.severity == Severity::Error) { Err(found) } else { Ok(project) }
}

/// Reads a whole project as far as it can be read.
///
/// # Errors
/// Only if there is no `amiforge.yaml` that could be read at all.
pub fn load_all(root: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let mut found = vec![];
    let Some(source) = read_file(root, PROJECT_FILE, &mut found) else { return Err(found) };
    let mut out = Findings::new(&source);
    let settings = settings::read(&source, &mut out);
    found.append(&mut out.into_list());

    let recipes = recipes(root, &settings.gates, &mut found);
    let mut project = Project {
        root: root.to_path_buf(),
        name: settings.name,
        environments: settings.environments,
        channels: settings.channels,
        tags: settings.tags,
        lint: settings.lint,
        gates: settings.gates,
        waivers: vec![],
        signing: settings.signing,
        recipes,
        components: builtin::components(),
        partials: builtin::partials(),
        workflows: BTreeMap::new(),
        baselines: BTreeMap::new(),
        warnings: vec![],
        memory: Arc::default(),
    };
    components(root, &mut project.components, &mut found);
    for (name, source) in folder(root, "templates/partials", &[".hbs"], &mut found) {
        project.partials.insert(name, source);
    }
    for (name, source) in folder(root, "baselines", &[".yaml", ".json"], &mut found) {
        unique(project.baselines.insert(name, Arc::clone(&source)).as_ref(), &source, "baseline", &mut found);
    }
    for kind in WorkflowKind::ALL {
        for (name, source) in folder(root, &format!("workflows/{}", kind.folder()), &[".yaml"], &mut found) {
            let mut out = Findings::new(&source);
            settings::check_name(&name, Span::default(), "workflow", false, &mut out);
            found.append(&mut out.into_list());
            project.workflows.insert((kind, name), source);
        }
    }
    project.waivers = waivers::load(root, &project, &mut found);
    check::project(&project, &mut found);
    Ok(Loaded { project, found })
}

/// The nearest folder with an `amiforge.yaml`, from `start` upwards.
#[must_use]
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf)
}

fn recipes(root: &Path, policy: &ProjectGates, found: &mut Vec<Diagnostic>) -> BTreeMap<String, Recipe> {
    let mut recipes = BTreeMap::new();
    for (name, source) in folder(root, "recipes", &[".yaml"], found) {
        let mut out = Findings::new(&source);
        let read = recipe::read(&source, &name, policy, &mut out);
        found.append(&mut out.into_list());
        if let Some(mut recipe) = read {
            patching::load(root, &mut recipe, found);
            recipes.insert(name, recipe);
        }
    }
    recipes
}

/// The project's components take the place of built-in ones of the same name; among themselves names are unique.
fn components(root: &Path, into: &mut BTreeMap<String, ComponentSource>, found: &mut Vec<Diagnostic>) {
    let mut own: BTreeMap<String, Arc<SourceFile>> = BTreeMap::new();
    for (place, ending, template) in [("components", ".yaml", false), ("templates/components", ".yaml.hbs", true)] {
        for (name, source) in folder(root, place, &[ending], found) {
            let mut out = Findings::new(&source);
            settings::check_name(&name, Span::default(), "component", false, &mut out);
            found.append(&mut out.into_list());
            unique(own.insert(name.clone(), Arc::clone(&source)).as_ref(), &source, "component", found);
            into.insert(name.clone(), ComponentSource { name, template, source });
        }
    }
}

/// Reports that two files define the same thing.
fn unique(first: Option<&Arc<SourceFile>>, second: &Arc<SourceFile>, what: &str, found: &mut Vec<Diagnostic>) {
    if let Some(first) = first {
        let message = format!("`{}` and `{}` define the same {what}", first.name, second.name);
        found.push(
            Diagnostic::error(codes::COLLISION, message)
                .at(second, Span::default(), "the second one")
                .help("rename or remove one of them"),
        );
    }
}

/// The files of a folder with one of these endings, by name without the ending. A folder that is not there is empty.
pub(super) fn folder(
    root: &Path,
    place: &str,
    endings: &[&str],
    found: &mut Vec<Diagnostic>,
) -> Vec<(String, Arc<SourceFile>)> {
    let entries = match std::fs::read_dir(root.join(place)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return vec![],
        Err(error) => {
            found.push(Diagnostic::error(codes::UNREADABLE, format!("the folder `{place}` cannot be read: {error}")));
            return vec![];
        }
    };
    let mut names = vec![];
    for entry in entries {
        match entry {
            Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
            Err(error) => {
                found.push(Diagnostic::error(
                    codes::UNREADABLE,
                    format!("the folder `{place}` cannot be read: {error}"),
                ));
            }
        }
    }
    names.sort();
    let mut files = vec![];
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        let path = format!("{place}/{name}");
        if let Some(stem) = endings.iter().find_map(|ending| name.strip_suffix(ending)) {
            if let Some(source) = read_file(root, &path, found) {
                files.push((stem.to_owned(), source));
            }
        } else if let Some("yml" | "yaml" | "hbs") = Path::new(name).extension().and_then(|ending| ending.to_str()) {
            // It looks as if it belonged here; to pass over it would be to ignore what it says.
            let message = format!("`{path}` would not be read");
            found.push(
                Diagnostic::error(codes::UNREADABLE, message)
                    .help(format!("files in {place}/ end in {}: rename it or move it elsewhere", endings.join(" or "))),
            );
        }
    }
    files
}

/// The text of a file, or why there is none, as the second half of a sentence.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err("there is no such file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn read_file(root: &Path, name: &str, found: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let why = match read_text(&root.join(name)) {
        Ok(text) => return Some(SourceFile::new(name, text)),
        Err(why) => why,
    };
    let mut diagnostic = Diagnostic::error(codes::UNREADABLE, format!("`{name}` cannot be read: {why}"))
        .note(format!("looked in {}", root.display()));
    if name == PROJECT_FILE {
        diagnostic = diagnostic.help("`amiforge init` writes a first project");
    }
    found.push(diagnostic);
    None
}
