//! The local environment: what this machine lacks.

use super::{Context, Finding};
use crate::project::LocalParent;
use crate::sandbox::{self, Machine, Mode, SandboxError, root};
use std::collections::BTreeSet;
use std::path::Path;

/// Free space below which a build is likely to fail: a parent root of some hundred MB, its copy, and what is installed.
const LEAST_DISK: u64 = 2 << 30;
/// Below this a few images fill the disk.
const LITTLE_DISK: u64 = 10 << 30;
/// Below this package managers of large distributions are killed.
const LITTLE_MEMORY: u64 = 1 << 30;

/// Makes the folder of state; it is what builds would do first, and where they would work.
fn place(context: &Context) -> Result<&Path, Finding> {
    let failed = |error: std::io::Error| {
        Finding::problem(format!("{} cannot be written: {error}", context.state.display()))
            .why("the local environment keeps images and instances there")
    };
    std::fs::create_dir_all(&context.state).map(|()| context.state.as_path()).map_err(failed)
}

/// `namespaces`: an instance of nothing is really started.
pub(super) fn namespaces(context: &Context) -> Vec<Finding> {
    let folder = match place(context) {
        Ok(folder) => folder,
        Err(finding) => return vec![finding],
    };
    vec![match sandbox::probe(folder) {
        Ok(mode @ Mode::OneId(_)) => Finding::warning(format!("instances run in mode {}", mode.name()))
            .why("with one id alone every file of an image belongs to root")
            .next("sudo apt-get install -y uidmap (or: sudo dnf install -y shadow-utils), and an entry in /etc/subuid"),
        Ok(mode @ Mode::Copy) => Finding::warning(format!("instances run in mode {}", mode.name()))
            .why("without namespaces there is no wall around what components do, but for the container's")
            .next("start the container with --privileged"),
        Ok(mode) => Finding::ok(format!("instances run in mode {}", mode.name())),
        Err(error) => lacking(&error),
    }]
}

/// What a sandbox says that it lacks; anything else is nobody's knowledge.
fn lacking(error: &SandboxError) -> Finding {
    match error {
        SandboxError::Unavailable { missing, reason, mend, without } => {
            Finding::problem(format!("this machine lacks {missing}: {reason}"))
                .why(format!("without it: {without}"))
                .next(mend.clone())
                .denied()
        }
        SandboxError::Program { program, purpose, mend, without } => {
            Finding::problem(format!("{program} is not installed"))
                .why(format!("{purpose}; without it: {without}"))
                .next(mend.clone())
        }
        SandboxError::Spec(text) => Finding::problem(text.clone()),
        SandboxError::Source { from, why, next } => {
            Finding::problem(format!("no root can be made of {from}: {why}")).next(next.clone())
        }
        error => Finding::unknown(error.to_string()),
    }
}

/// `limits`: whether the machine can hold instances to them.
pub(super) fn limits(context: &Context) -> Vec<Finding> {
    let folder = match place(context) {
        Ok(folder) => folder,
        Err(finding) => return vec![finding],
    };
    match sandbox::limits_hold(folder) {
        Ok(notes) if notes.is_empty() => vec![Finding::ok("memory, processes and disk are limited by control groups")],
        Ok(notes) => notes
            .into_iter()
            .map(|note| Finding::warning(note).why("a component that runs wild can slow this machine down"))
            .collect(),
        Err(error) => vec![lacking(&error)],
    }
}

/// `room`: for roots and for instances.
pub(super) fn room(context: &Context) -> Vec<Finding> {
    if let Err(finding) = place(context) {
        return vec![finding];
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (what, folder) in [("state", &context.state), ("roots", &context.cache)] {
        // A cache that is not there yet will be made in the nearest folder that is.
        let Some(there) = folder.ancestors().find(|path| path.is_dir()) else { continue };
        findings.push(match Machine::here(there) {
            Ok(machine) => disk(what, folder, machine.free_disk),
            Err(error) => Finding::unknown(error.to_string()),
        });
    }
    findings.push(match Machine::here(&context.state) {
        Ok(machine) if machine.memory < LITTLE_MEMORY => {
            Finding::warning(format!("{} of memory", size(machine.memory)))
                .why("package managers of large distributions are killed")
        }
        Ok(machine) => Finding::ok(format!("{} of memory", size(machine.memory))),
        Err(error) => Finding::unknown(error.to_string()),
    });
    findings
}

pub(super) fn disk(what: &str, folder: &Path, free: u64) -> Finding {
    let text = format!("{} free for {what} in {}", size(free), folder.display());
    let next = "amiforge cache prune removes roots that nobody has used for long";
    match free {
        0..LEAST_DISK => Finding::problem(text).why("a root with what is installed in it needs more").next(next),
        LEAST_DISK..LITTLE_DISK => Finding::warning(text).why("a few images fill it").next(next),
        _ => Finding::ok(text),
    }
}

fn size(bytes: u64) -> String {
    crate::report::size(bytes)
}

/// Where the parent roots of the recipes come from.
fn parents(context: &Context) -> BTreeSet<LocalParent> {
    let root = &context.project.root;
    let recipes = context.project.recipes.values();
    recipes.filter_map(|recipe| recipe.parent.local.as_ref()).map(|source| source.within(root)).collect()
}

/// `programs`: those that the recipes' roots need, and no others.
pub(super) fn programs(context: &Context) -> Vec<Finding> {
    let sources = parents(context);
    let made: Vec<Finding> = sources
        .iter()
        .filter_map(|source| match root::equipped(source) {
            Ok(program) => program.map(|program| Finding::ok(format!("{source}: {}", program.display()))),
            Err(error) => Some(lacking(&error)),
        })
        .collect();
    if made.is_empty() { vec![Finding::ok("no recipe makes or fetches a root by a program")] } else { made }
}

/// `sources`: files and folders that recipes name.
pub(super) fn sources(context: &Context) -> Vec<Finding> {
    let look = |source: &LocalParent| {
        let (LocalParent::Image { path, .. } | LocalParent::Tar { path } | LocalParent::Directory { path }) = source
        else {
            return None;
        };
        Some(if path.exists() {
            Finding::ok(path.display().to_string())
        } else {
            Finding::problem(format!("{} does not exist", path.display()))
                .why("the parent image of a recipe is made of it")
                .next("correct `parent.local` in the recipe")
        })
    };
    let found: Vec<Finding> = parents(context).iter().filter_map(look).collect();
    if found.is_empty() { vec![Finding::ok("no recipe names one")] } else { found }
}

/// `state`: the local environment opens.
pub(super) fn state(context: &Context) -> Finding {
    match &context.cloud {
        Ok(_) => Finding::ok(format!("the environment opens; its state is in {}", context.state.display())),
        Err(error) => {
            let finding = Finding::problem(error.to_string());
            error.next().into_iter().fold(finding, Finding::next)
        }
    }
}
