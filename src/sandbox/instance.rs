//! The handle of a running instance.

use self::held::Held;
use self::machine::Machine;
use super::facts::{self, Fact};
use super::launch::{self, LaunchError, SharedTarget};
use super::mode::{Candidates, Mode, PRIVILEGED};
use super::probe::explain;
use super::wire::{Failure, Request, Step};
use super::{Exit, First, Job, Line, Network, SandboxError, Spec, root};
use nix::errno::Errno;
use nix::fcntl::Flock;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod elsewhere;
mod held;
mod machine;
mod outbound;
mod terminal;

pub(super) use elsewhere::other_half;
pub(super) use outbound::Outbound;
pub use terminal::{Program, Size};

/// An instance: a root of its own, processes of its own, and an init that runs jobs. Dropping it ends it.
#[derive(Debug)]
pub struct Instance {
    machine: Arc<Machine>,
    upper: PathBuf,
    /// What is to be said about its mode and its folder.
    notes: Vec<String>,
    // Held, not read: its release tells other processes that the scratch folder may be swept.
    _lock: Flock<File>,
}

/// Ends an instance from any thread.
#[derive(Debug, Clone)]
pub struct Killer {
    target: SharedTarget,
}

impl Killer {
    /// Kills everything in the instance and returns when nothing of it is left. A `run` in another thread ends
    /// with [`SandboxError::Gone`]. Nothing happens when it has ended already.
    pub fn kill(&self) {
        launch::close(&self.target);
    }
}

impl Instance {
    /// Starts an instance in the best mode this machine permits, found out by trying. The scratch folder is made if
    /// need be, closed to other users, and stays locked by this process until the instance is dropped; it is not removed.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when this machine does not permit it, with what mends that.
    pub fn start(spec: &Spec) -> Result<Self, SandboxError> {
        let Candidates { modes, missing } = Mode::candidates();
        let mut refused = None;
        for mode in modes {
            let notes = mode.notes(missing.as_ref());
            // What is wrong with the description is no better in the next mode.
            check(spec, &mode)?;
            match Self::start_in(spec, mode) {
                Ok(mut instance) => {
                    instance.notes.splice(0..0, notes);
                    return Ok(instance);
                }
                Err(error) if error.is_refusal() => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(explain(error)),
            }
        }
        Err(refused.map(explain).or(missing).unwrap_or_else(|| SandboxError::Spec("there is no mode to try".into())))
    }

    /// Starts an instance in a certain mode ([`Mode::named`], or what [`probe`](super::probe()) has found), else as
    /// [`Instance::start`].
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when this machine does not permit that mode, with what mends it.
    pub fn start_as(spec: &Spec, mode: &Mode) -> Result<Self, SandboxError> {
        let mut instance = Self::start_in(spec, mode.clone()).map_err(explain)?;
        instance.notes.splice(0..0, mode.notes(None));
        Ok(instance)
    }

    /// As `start_as`, with the init's own words for what failed.
    pub(super) fn start_in(spec: &Spec, mode: Mode) -> Result<Self, LaunchError> {
        check(spec, &mode)?;
        let lock = root::claim(&spec.scratch)?;
        // What is made in it may have the set-user-id bit, and the owner it has inside.
        let closed = fs::set_permissions(&spec.scratch, fs::Permissions::from_mode(0o700));
        closed.map_err(SandboxError::file("cannot close to other users", &spec.scratch))?;
        let target = SharedTarget::default();
        let held = Arc::new(Held::prepare(spec.limits, &spec.scratch)?);
        let mut place = elsewhere::current(&spec.scratch);
        let mut notes = Vec::new();
        let mut started = Machine::start(spec, mode.clone(), &place, &held, &target);
        if matches!(&started, Err(LaunchError::Failed(failure)) if unsuitable(failure)) && place == spec.scratch {
            place = elsewhere::make(&spec.scratch)?;
            notes.push(format!(
                "the file system of {} cannot hold an overlay's upper layer; it is kept in memory, in {}",
                spec.scratch.display(),
                place.display()
            ));
            started = Machine::start(spec, mode, &place, &held, &target);
        }
        let machine = started.inspect_err(|_| held.release())?;
        let upper = machine.upper();
        Ok(Self { machine, upper, notes, _lock: lock })
    }

    /// Runs a job and hands on its output as it comes; blocks until it has ended. One at a time: another caller waits.
    ///
    /// When the machine restarts under the job, that ends as [`Exit::Restarted`], once the machine is up again.
    ///
    /// # Errors
    /// [`SandboxError::Gone`] when the instance was killed or has broken down, [`SandboxError::SwitchedOff`] when it was
    /// switched off from inside; [`Instance::reboot`] switches it on again.
    pub fn run(&self, job: &Job, on_line: &mut dyn FnMut(Line)) -> Result<Exit, SandboxError> {
        self.run_answering(job, &mut |line| {
            on_line(line);
            None
        })
    }

    /// As [`Instance::run`], and what `on_line` returns goes to the standard input of a builtin job, which so gets
    /// answers to what it has written. A job that leaves more than 64 MiB of them unread is not answered any more.
    pub fn run_answering(
        &self,
        job: &Job,
        on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
    ) -> Result<Exit, SandboxError> {
        let (request, body) = request_of(job);
        let before = self.machine.held.reached();
        let exit = self.perform(&request, body, on_line);
        for text in self.machine.held.said_since(before) {
            on_line(Line::Err(text));
        }
        exit
    }

    /// Proves that the instance works: makes a file and gives it away.
    pub(super) fn prove(&self) -> Result<(), LaunchError> {
        let mut said = Vec::new();
        let exit = self.perform(&Request::Prove, &[], &mut |line| match line {
            Line::Out(text) | Line::Err(text) => {
                said.push(text);
                None
            }
        })?;
        if exit == Exit::Code(0) {
            return Ok(());
        }
        Err(LaunchError::Failed(Failure::other("make a file and give it away", said.join("; "))))
    }

    fn perform(
        &self,
        request: &Request,
        body: &[u8],
        on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
    ) -> Result<Exit, SandboxError> {
        self.machine.perform(request, body, on_line)
    }

    /// Restarts it on the same files, as a machine does: `/run`, `/tmp` and `/dev` are fresh. The image's own systemd is
    /// asked to stop everything first; without one, processes just end.
    ///
    /// # Errors
    /// [`SandboxError::Gone`] when the instance was stopped or killed before, else as [`Instance::start`].
    pub fn reboot(&self) -> Result<(), SandboxError> {
        self.machine.reboot()
    }

    /// As [`Instance::stop`], but gives the image's own systemd time to stop everything in an orderly way, as a machine is
    /// switched off before an image is made of it. Waits for a job that runs.
    pub fn power_off(&self) {
        self.machine.power_off();
        self.stop();
    }

    /// Ends everything and returns when nothing of it is left; the upper layer stays.
    pub fn stop(&self) {
        self.machine.stop();
        if self.machine.mode == Mode::Copy {
            // In case someone has killed the process that does it.
            super::copied::end_processes(&self.machine.spec().scratch);
        }
        self.machine.held.release();
    }

    /// A handle that ends this instance from another thread.
    pub fn killer(&self) -> Killer {
        Killer { target: Arc::clone(&self.machine.target) }
    }

    /// The folder of this machine that receives what the instance writes. On a file system that cannot hold an upper
    /// layer it is not in the scratch folder, but in memory; [`root::remove`](super::root::remove) of the scratch
    /// folder knows of it.
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// The root of the running instance as a path of this machine, for reading files. An absolute symbolic link below
    /// it leads out to this machine's own files: [`layers::read_inside`](super::layers::read_inside) keeps inside.
    pub fn root(&self) -> PathBuf {
        let outer = self.machine.up().outer;
        match (outer, &self.machine.mode) {
            (Some(_), Mode::Copy) => self.upper.clone(),
            // The outer process has moved with process 1, which lets nobody look.
            (Some(outer), _) => PathBuf::from(format!("/proc/{outer}/root")),
            // Process 0 exists on no machine: reading finds nothing once the instance has ended.
            (None, _) => PathBuf::from("/proc/0/root"),
        }
    }

    /// The process of this machine that is process 1 of what jobs see, for programs that enter namespaces, such as
    /// nsenter(1). `None` when the instance has ended.
    pub fn process(&self) -> Option<u32> {
        let ours = u32::try_from(self.machine.up().pid?.as_raw()).ok()?;
        match self.first() {
            First::Ours => Some(ours),
            First::System => inner_first(ours),
        }
    }

    /// How namespaces are made here.
    pub fn mode(&self) -> &Mode {
        &self.machine.mode
    }

    /// What the user should know about its mode and its latest start; mostly nothing.
    pub fn notes(&self) -> Vec<String> {
        self.notes.iter().chain(&self.machine.up().notes).cloned().collect()
    }

    /// What runs as process 1 of what jobs see; [`First::Ours`] also where the image's own was asked for and could not be
    /// had, with a note.
    pub fn first(&self) -> First {
        self.machine.up().first
    }

    /// How often it has started, counted from 1: whoever has seen a smaller number has missed a restart.
    pub fn boots(&self) -> u32 {
        self.machine.up().boots
    }

    /// What is real in it, and what is not.
    pub fn facts(&self) -> Vec<Fact> {
        facts::facts(self.first(), self.machine.spec().network, self.machine.up().outbound)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The child that is process 1 of a pid namespace of its own (`proc_pid_status(5)`, `NSpid`).
fn inner_first(outer: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
    let is_first = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        numbers.split_whitespace().next_back() == Some("1")
    };
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_first)
}

fn request_of(job: &Job) -> (Request, &[u8]) {
    let milliseconds =
        |limit: Option<std::time::Duration>| limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    match job {
        Job::Command { argv, environment, directory, stdin, timeout } => (
            Request::Command {
                argv: argv.clone(),
                environment: environment.clone(),
                directory: directory.clone(),
                timeout_ms: milliseconds(*timeout),
            },
            stdin,
        ),
        Job::Builtin { payload, timeout } => (Request::Builtin { timeout_ms: milliseconds(*timeout) }, payload),
    }
}

fn check(spec: &Spec, mode: &Mode) -> Result<(), SandboxError> {
    if *mode == Mode::Copy && spec.network == Network::Loopback {
        return Err(SandboxError::Unavailable {
            missing: "a network of its own, without a way out".into(),
            reason: format!("the only mode that works here, {}, shares the network of this container", mode.name()),
            mend: PRIVILEGED.into(),
            without: "a run that may reach the network (without --offline)".into(),
        });
    }
    if spec.layers.is_empty() {
        return Err(SandboxError::Spec("it has no layer; at least one root filesystem is needed".into()));
    }
    if let Some(layer) = spec.layers.iter().find(|layer| !layer.is_dir()) {
        return Err(SandboxError::Spec(format!("the layer {} is not a folder", layer.display())));
    }
    let relative = |path: &&PathBuf| !path.is_absolute();
    let all = spec.layers.iter().chain(spec.inject.keys()).chain(&spec.bind).chain(std::iter::once(&spec.scratch));
    if let Some(path) = all.into_iter().find(relative) {
        return Err(SandboxError::Spec(format!("the path {} is not absolute", path.display())));
    }
    Ok(())
}

/// Whether the file system of the upper layer is at fault: the kernel says EINVAL for one that lacks what an upper
/// layer needs (for instance an overlay, as in a container), and EOPNOTSUPP for one without extended attributes.
fn unsuitable(failure: &Failure) -> bool {
    let errno = failure.errno.map(Errno::from_raw);
    failure.step == Step::Overlay && matches!(errno, Some(Errno::EINVAL | Errno::EOPNOTSUPP))
}
