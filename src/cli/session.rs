//! What the verbs share: the project, the environment, where output goes.

use super::args::{Color, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use crate::event::Events;
use crate::project::{self, Arch, Project, Recipe};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

#[cfg(feature = "aws")]
mod environment;
#[cfg(feature = "aws")]
mod started;
mod world;
#[cfg(feature = "aws")]
pub use environment::{confirm, of_release, work};

/// One invocation of the program.
#[derive(Debug)]
pub struct Session {
    /// Options of every verb.
    pub global: Global,
    /// Where progress goes.
    pub events: Events,
    /// What an interruption has to know.
    #[cfg(feature = "aws")]
    pub(super) started: started::Started,
    #[cfg(feature = "aws")]
    environment: environment::Environment,
}

impl Session {
    /// A session; nothing is opened yet.
    #[must_use]
    pub fn new(global: Global) -> Self {
        let events = super::progress::sink(global.progress);
        #[cfg(feature = "aws")]
        let (events, started) = {
            let started = started::Started::default();
            let seen = started.clone();
            (events.seen_by(move |event| seen.see(event)), started)
        };
        Self {
            global,
            events,
            #[cfg(feature = "aws")]
            started,
            #[cfg(feature = "aws")]
            environment: environment::Environment::default(),
        }
    }

    /// The project folder: `--project`, or the nearest one upwards.
    pub fn root(&self) -> Result<PathBuf, Failure> {
        let start = match &self.global.project {
            Some(directory) => directory.clone(),
            None => std::env::current_dir()?,
        };
        let missing = || {
            Failure::new(Exit::Usage, format!("there is no amiforge.yaml in {} or above it", start.display()))
                .why("every verb but `init`, `lint` of files and `explain` works on a project")
                .next("amiforge init")
        };
        if self.global.project.is_some() {
            return if start.join("amiforge.yaml").is_file() { Ok(start) } else { Err(missing()) };
        }
        project::find(&start).ok_or_else(missing)
    }

    /// The checked project.
    pub fn project(&self) -> Result<Project, Failure> {
        Ok(project::load(&self.root()?)?)
    }

    /// The project without regard to what is wrong in files beside `amiforge.yaml`.
    pub fn lenient_project(&self) -> Result<Project, Failure> {
        Ok(project::load_leniently(&self.root()?)?)
    }

    /// Whether `--project` names a project, or there is one here or above.
    pub fn has_project(&self) -> Result<bool, Failure> {
        Ok(self.global.project.is_some() || project::find(&std::env::current_dir()?).is_some())
    }

    /// Where roots are cached; without a home it is the project itself.
    pub(super) fn cache(&self, project: Option<&Path>) -> Result<PathBuf, Failure> {
        if let Some(directory) = &self.global.cache {
            return Ok(std::path::absolute(directory)?);
        }
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
        match (base, project) {
            (Some(base), _) => Ok(base.join("amiforge")),
            (None, Some(project)) => Ok(project.join(".amiforge/cache")),
            (None, None) => Err(Failure::new(Exit::Usage, "there is no place to keep roots in")
                .why("neither HOME nor XDG_CACHE_HOME is set, and there is no project")
                .next("--cache DIR names one")),
        }
    }

    /// Whether stderr gets colour.
    #[must_use]
    pub fn color_err(&self) -> bool {
        wants_color(self.global.color, std::io::stderr().is_terminal())
    }

    /// Whether stdout gets colour.
    #[must_use]
    pub fn color_out(&self) -> bool {
        wants_color(self.global.color, std::io::stdout().is_terminal())
    }
}

fn wants_color(choice: Color, terminal: bool) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Writes the result to stdout. A reader that has gone away is not an error of ours.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says something on stderr, beside the result; a closed stderr is nobody's problem.
pub fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints `value` as JSON or `text` for people.
pub fn print_as<T: serde::Serialize>(format: Format, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
    match format {
        Format::Text => print(&text()),
        Format::Json => {
            let json = serde_json::to_string_pretty(value).map_err(|error| {
                Failure::new(Exit::Unexpected, format!("the result cannot be written as JSON: {error}"))
            })?;
            print(&format!("{json}\n"))
        }
    }
}

/// The recipe of that name.
pub fn recipe<'a>(project: &'a Project, name: &str) -> Result<&'a Recipe, Failure> {
    project.recipes.get(name).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format!("the project has no recipe `{name}`"));
        let known: Vec<&str> = project.recipes.keys().map(String::as_str).collect();
        match crate::diagnostic::suggest(name, known.iter().copied()) {
            Some(close) => failure.next(format!("did you mean `{close}`?")),
            None => failure.next(format!("recipes/ has: {}", known.join(", "))),
        }
    })
}

/// The architecture to work on: the one named, or the only one of the recipe.
pub fn arch(recipe: &Recipe, named: Option<&str>) -> Result<Arch, Failure> {
    let all: Vec<&str> = recipe.architectures.iter().map(|arch| arch.name()).collect();
    match (named, recipe.architectures.as_slice()) {
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::new(Exit::Usage, format!("recipe `{}` has more than one architecture", recipe.name))
            .next(format!("add --arch with one of: {}", all.join(", ")))),
        (Some(name), list) => list.iter().copied().find(|arch| arch.name() == name).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("recipe `{}` is not built for `{name}`", recipe.name))
                .next(format!("its architectures: {}", all.join(", ")))
        }),
    }
}
