//! Component documents tried on this machine, in seconds: `amiforge test` and `amiforge shell`.
//!
//! A *trial* is one subject (a recipe, a component, a file) on one root. As in Image Builder, the phases `build` and
//! `validate` run in a fresh instance of the root; what that instance changed is cleaned and becomes a layer; the phase
//! `test` runs in a new instance of the result. What has only a test phase is run on the root itself.
//!
//! ```text
//! words ─► select ─► matrix (checks every document) ─► run: several at a time ─► one: instances, layer ─► Report
//! ```
//!
//! | file | what it is for |
//! |---|---|
//! | `select` | words of the command line → recipes, components, files |
//! | `matrix`, `document`, `parameters` | subjects × roots; nothing that fails lint gets further |
//! | `roots` | what a root is made of, each made once |
//! | `run`, `one` | all trials, one trial |
//! | `record`, `explain`, `result` | what the runner told, why it failed, data for reports and gates |
//! | `fact` | what was real and what was not |
//! | `place`, `keep` | folders of running trials; instances that were left |
//! | `enter`, `inventory` | an instance to look around in; what is installed in it and offered to it |
//! | `machine` | what a run with the image's own kernel (`--vm`) needs more |
//! | `stop` | ending all of it from another thread |
//! | [`sanitize`] | cleaning an instance before an image is made of it, shared with the local environment |
//!
//! # Differences from Image Builder
//!
//! * The kernel, the boot id and the metadata service are not an AMI's; each run says so in its [`Fact`]s. With `--vm` the
//!   test phase runs on a machine with the image's own kernel.
//! * Instances have the machine's network and ports unless they are offline: two trials that listen on the same port at
//!   the same time get into each other's way (`--jobs 1`, or `--offline`).
//! * Of the variables the service sets for components only `IMAGE_PHASE` is there: nothing has an ARN.

mod codes;
mod document;
mod enter;
mod error;
mod explain;
pub mod fact;
mod inventory;
mod keep;
mod machine;
mod matrix;
mod one;
mod parameters;
mod place;
mod record;
pub(crate) mod result;
mod roots;
mod run;
pub mod sanitize;
mod select;
mod stop;

pub use crate::sandbox::root::Source;
pub use codes::ENTRIES;
pub use document::{Planned, TrialDocument};
pub use enter::{Entered, Entry, enter};
pub use error::TrialError;
pub use fact::Fact;
pub use inventory::inventory;
pub use keep::{Kept, Shelf};
pub use matrix::Trial;
pub use parameters::Given;
pub use place::sweep;
pub use record::{Status, StepResult};
pub use result::{Left, Outcome, Reason, Report, TrialResult};
pub use run::run;
pub use stop::Stop;

use crate::clock::Clock;
use crate::diagnostic::suggest;
use crate::project::Project;
use crate::runner::outside::Outside;
use crate::runner::table::Values;
use crate::sandbox::{self, Instance, Limits, Machine, Mode, Network, SandboxError, Spec, VM_MEMORY, Vm};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The phase that runs in an instance of the result.
const TEST_PHASE: &str = "test";

/// The phases that Image Builder runs for an AMI, in the order of an image build.
pub const PHASES: [&str; 3] = ["build", "validate", TEST_PHASE];

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A recipe with all its components.
    Recipe,
    /// One component of a project.
    Component,
    /// A document that is no part of a project.
    File,
}

/// Where trials happen.
#[derive(Debug, Clone)]
pub struct World {
    /// The project, where there is one.
    pub project: Option<Project>,
    /// What relative paths of the command line are relative to.
    pub here: PathBuf,
    /// Where instances are kept while they run, and where `--keep` leaves them; absolute.
    pub state: PathBuf,
    /// Where roots are kept; absolute.
    pub cache: PathBuf,
    /// Package sources for bootstrapped roots; the machine's own when absent.
    pub mirror: Option<String>,
    /// Folders of this machine that instances see read-only at the same place.
    pub bind: Vec<PathBuf>,
    /// Tells the time.
    pub clock: Clock,
    /// What documents may ask of the world beyond their instance when it has a network: AWS, where this program was built
    /// with it.
    pub outside: fn() -> Box<dyn Outside + Send>,
}

/// How trials are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Phases to run; those named `test` in a new instance of the result, all others in the build instance.
    pub phases: Vec<String>,
    /// What instances may reach.
    pub network: Network,
    /// What each instance may use up; what is absent gets the limit with which no component can harm the machine.
    pub limits: Limits,
    /// The sandbox mode that is insisted on; the best that this machine permits when absent.
    pub sandbox: Option<String>,
    /// How many trials run at a time; as many as there are processors and memory for when absent.
    pub jobs: Option<usize>,
    /// Whether instances are left to be entered.
    pub keep: bool,
    /// How long one stage of a trial may take, restarts included.
    pub timeout: Option<Duration>,
    /// Whether the test stage runs on a machine with the image's own kernel.
    pub vm: bool,
    /// Whether nothing more is begun after a failure.
    pub fail_fast: bool,
    /// Facts that have to be real for a pass.
    pub required: Vec<String>,
    /// Parameters, metadata, objects and documents that the user has written down; asked before the world beyond.
    pub values: Values,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            phases: PHASES.map(str::to_owned).to_vec(),
            network: Network::Host,
            limits: Limits::default(),
            sandbox: None,
            jobs: None,
            keep: false,
            timeout: None,
            vm: false,
            fail_fast: false,
            required: vec![],
            values: Values::default(),
        }
    }
}

impl Options {
    /// Finds out whether this machine permits instances as they are wanted, before anything else is done.
    fn permitted(&self, scratch: &Path) -> Result<(), SandboxError> {
        if self.vm {
            Vm::available()?;
        }
        match &self.sandbox {
            Some(name) => Mode::named(name).map(drop),
            None => sandbox::probe(scratch).map(drop),
        }
    }

    /// What one trial takes of the machine's memory at most, where that is known.
    fn memory_of_one(&self) -> Option<u64> {
        self.limits.memory.or(self.vm.then_some(VM_MEMORY))
    }

    /// Starts an instance in the mode that is insisted on, else in the best there is; what no limit is given for gets
    /// one that protects the machine.
    fn start(&self, mut spec: Spec) -> Result<Instance, SandboxError> {
        let folder = spec.scratch.parent().unwrap_or(&spec.scratch);
        std::fs::create_dir_all(folder).map_err(|source| SandboxError::File {
            action: "cannot make the folder".to_owned(),
            path: folder.to_owned(),
            source,
        })?;
        let usual = Limits::for_machine(&Machine::here(folder)?);
        let given = self.limits;
        spec.limits = Limits {
            memory: given.memory.or(usual.memory),
            processes: given.processes.or(usual.processes),
            disk: given.disk.or(usual.disk),
        };
        match &self.sandbox {
            Some(name) => Instance::start_as(&spec, &Mode::named(name)?),
            None => Instance::start(&spec),
        }
    }
}

/// What is to be tried, as words of a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Recipes, components, files, patterns; every recipe of the project without any.
    pub subjects: Vec<String>,
    /// Operating systems by name.
    pub systems: Vec<String>,
    /// Roots: sources (see [`Source`]) and folders, also as `OS=SOURCE`.
    pub roots: Vec<String>,
    /// Values for parameters.
    pub given: Vec<Given>,
}

/// Finds what is to be tried on which roots, and checks every document. Nothing is started.
///
/// # Errors
/// Words that mean nothing; documents that fail lint or cannot be executed here, all of them together; a matrix in which
/// nothing would be executed.
pub fn plan(world: &World, wanted: &Wanted, options: &Options) -> Result<Vec<Trial>, TrialError> {
    for name in &options.required {
        if !fact::NAMES.contains(&name.as_str()) {
            let known: Vec<String> = fact::NAMES.map(str::to_owned).to_vec();
            let near = suggest(name, &known).map(str::to_owned);
            return Err(TrialError::Unknown { what: "fact", name: name.clone(), near, known });
        }
    }
    let chosen = select::choose(world.project.as_ref(), &world.here, &wanted.subjects)?;
    let rows = matrix::rows(world, &wanted.systems, &wanted.roots)?;
    let mut trials = matrix::trials(world, &chosen, &rows, &wanted.given)?;
    if options.vm {
        machine::check(&trials, options)?;
        trials.iter_mut().filter_map(|trial| trial.source.as_mut()).for_each(machine::with_kernel);
    }
    let named = !wanted.subjects.is_empty();
    if let Some(trial) = trials.iter().find(|trial| named && trial.skip.is_some()) {
        let why = trial.skip.clone().unwrap_or_default();
        return Err(TrialError::Nothing { why: format!("{}: {why}", trial.subject) });
    }
    let runs = |trial: &&Trial| trial.skip.is_none();
    if !trials.iter().any(|trial| runs(&trial)) {
        let why =
            trials.first().and_then(|trial| trial.skip.clone()).unwrap_or_else(|| "nothing was chosen".to_owned());
        return Err(TrialError::Nothing { why });
    }
    let unknown = |phase: &&String| {
        let known = |trial: &Trial| trial.documents.iter().any(|document| document.has(std::slice::from_ref(*phase)));
        !PHASES.contains(&phase.as_str()) && !trials.iter().any(known)
    };
    if let Some(phase) = options.phases.iter().find(unknown) {
        // Passed over, a slip of the pen would be a test that was never run.
        let known: Vec<String> = PHASES.map(str::to_owned).to_vec();
        let near = suggest(phase, &known).map(str::to_owned);
        return Err(TrialError::Unknown { what: "phase", name: phase.clone(), near, known });
    }
    let idle = |trial: &&Trial| !trial.documents.iter().any(|document| document.has(&options.phases));
    if let Some(trial) = trials.iter().filter(runs).find(idle) {
        let phases = options.phases.join(", ");
        return Err(TrialError::Nothing { why: format!("`{}` has none of the phases {phases}", trial.subject) });
    }
    Ok(trials)
}
