//! An instance to look around in: a fresh one of a root, or one that a test has left.

use super::error::TrialError;
use super::keep::{Kept, Shelf};
use super::matrix::{self, Row};
use super::place::{self, Place};
use super::roots::{RootError, Roots};
use super::select;
use super::stop::{Stop, Watched};
use super::{Options, World};
use crate::sandbox::root::Obtained;
use crate::sandbox::{self, First, Instance, Network, Spec};
use std::path::PathBuf;
use std::sync::Arc;

/// What to enter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name of an instance that was left, or a recipe, component or file whose root is meant.
    pub word: Option<String>,
    /// An operating system.
    pub system: Option<String>,
    /// A root.
    pub root: Option<String>,
}

/// A running instance; what it changed goes with it, unless it is one that was left. Dropping it ends it.
#[derive(Debug)]
pub struct Entered {
    // In this order: the instance ends before its folder is removed.
    instance: Instance,
    _watched: Watched,
    _place: Option<Place>,
    _root: Option<Arc<Obtained>>,
    /// What it is, for the user.
    pub name: String,
    /// Whether what is changed in it stays.
    pub kept: bool,
}

impl Entered {
    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }
}

/// Starts the instance that is meant.
///
/// # Errors
/// When nothing is meant, the root cannot be made, or the instance does not start.
pub fn enter(
    world: &World,
    entry: &Entry,
    options: &Options,
    stop: &Stop,
    on_line: impl FnMut(String) + Send + 'static,
) -> Result<Entered, TrialError> {
    place::sweep(&world.state)?;
    let shelf = Shelf::new(&world.state);
    if let Some(kept) = entry.word.as_deref().and_then(|word| shelf.find(word)) {
        return again(world, &shelf, &kept, options, stop);
    }
    let row = row(world, entry)?;
    let roots = Roots::new(world.cache.clone(), world.mirror.clone());
    let root = roots.obtain(&row.source, stop, on_line).map_err(|error| match error {
        RootError::Stopped => sandbox::SandboxError::Gone.into(),
        RootError::Failed(error) => TrialError::Root {
            root: row.name.clone(),
            reason: error.to_string(),
            next: "name a folder that holds an unpacked system: --root FOLDER".to_owned(),
        },
    })?;
    let place = Place::new(&world.state);
    let spec = spec(world, options, vec![root.path.clone()], place.scratch("shell"));
    let instance = options.start(spec)?;
    let watched = stop.watch(&instance);
    Ok(Entered { instance, _watched: watched, _place: Some(place), _root: Some(root), name: row.name, kept: false })
}

fn again(world: &World, shelf: &Shelf, kept: &Kept, options: &Options, stop: &Stop) -> Result<Entered, TrialError> {
    let (layers, scratch) = shelf.parts(kept);
    if let Some(layer) = layers.iter().find(|layer| !layer.is_dir()) {
        return Err(TrialError::Option {
            message: format!("`{}` cannot be entered any more: its layer {} is gone", kept.name, layer.display()),
            next: format!("amiforge shell --remove {}, and test again with --keep", kept.name),
        });
    }
    let mut options = options.clone();
    if kept.offline {
        options.network = Network::Loopback;
    }
    // Its files belong to the ids of the mode it was made in.
    options.sandbox = Some(options.sandbox.unwrap_or_else(|| kept.mode.clone()));
    let instance = options.start(spec(world, &options, layers, scratch))?;
    let watched = stop.watch(&instance);
    Ok(Entered { instance, _watched: watched, _place: None, _root: None, name: kept.name.clone(), kept: true })
}

fn spec(world: &World, options: &Options, layers: Vec<PathBuf>, scratch: PathBuf) -> Spec {
    Spec {
        hostname: "amiforge-shell".to_owned(),
        layers,
        scratch,
        network: options.network,
        inject: sandbox::host::package_settings(),
        bind: world.bind.clone(),
        first: First::System,
        limits: options.limits,
    }
}

/// The root that is meant: the one that is named, else that of the subject, else the usual one.
fn row(world: &World, entry: &Entry) -> Result<Row, TrialError> {
    let list = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
    let mut rows = matrix::rows(world, &list(&entry.system), &list(&entry.root))?;
    let chosen = match &entry.word {
        Some(word) => select::choose(world.project.as_ref(), &world.here, std::slice::from_ref(word))
            .map_err(|error| also_kept(error, world))?,
        None => vec![select::Chosen::File(PathBuf::new())],
    };
    if rows.is_empty() {
        rows = match chosen.first() {
            Some(chosen) => matrix::default_rows(world, chosen)?,
            None => vec![],
        };
    }
    rows.into_iter().next().ok_or_else(|| TrialError::Root {
        root: entry.word.clone().unwrap_or_default(),
        reason: "the recipe has no root that can be had on this machine".to_owned(),
        next: "name one: --os debian-12, or --root FOLDER".to_owned(),
    })
}

/// Somebody who mistypes the name of an instance that was left is told which there are.
fn also_kept(error: TrialError, world: &World) -> TrialError {
    let names: Vec<String> =
        Shelf::new(&world.state).list().unwrap_or_default().into_iter().map(|kept| kept.name).collect();
    match error {
        TrialError::Unknown { name, near, known, .. } => {
            let near = crate::diagnostic::suggest(&name, &names).map(str::to_owned).or(near);
            let known = names.into_iter().chain(known).collect();
            TrialError::Unknown { what: "instance, recipe, component or file", name, near, known }
        }
        other => other,
    }
}
