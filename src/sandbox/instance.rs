//! The handle of a running instance.

use super::launch::{self, Chain, LaunchError, SharedTarget};
use super::mode::Mode;
use super::wire::{Failure, InjectedFile, InstanceSetup, Request, Setup, Step};
use super::{Exit, Job, Line, Network, SandboxError, Spec, root};
use nix::errno::Errno;
use nix::fcntl::Flock;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod elsewhere;

pub(super) use elsewhere::other_half;

/// An instance: a root of its own, processes of its own, and an init that runs jobs. Dropping it ends it.
#[derive(Debug)]
pub struct Instance {
    spec: Spec,
    mode: Mode,
    upper: PathBuf,
    notes: Vec<String>,
    chain: Mutex<Option<Chain>>,
    target: SharedTarget,
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
    /// Starts an instance. The scratch folder is made if need be and stays locked by this process until the
    /// instance is dropped; it is not removed.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`] when this machine does not permit it, with what mends that.
    pub fn start(spec: &Spec) -> Result<Self, SandboxError> {
        let mode = Mode::of_this_process()?;
        Self::start_in(spec, mode).map_err(super::probe::explain)
    }

    /// As `start`, with the init's own words for what failed.
    pub(super) fn start_in(spec: &Spec, mode: Mode) -> Result<Self, LaunchError> {
        check(spec)?;
        let lock = root::claim(&spec.scratch)?;
        let target = SharedTarget::default();
        let mut place = elsewhere::current(&spec.scratch);
        let mut notes = Vec::new();
        let mut started = boot(spec, &mode, &place, &target);
        if matches!(&started, Err(LaunchError::Failed(failure)) if unsuitable(failure)) && place == spec.scratch {
            place = elsewhere::make(&spec.scratch)?;
            notes.push(format!(
                "the file system of {} cannot hold an overlay's upper layer; it is kept in memory, in {}",
                spec.scratch.display(),
                place.display()
            ));
            started = boot(spec, &mode, &place, &target);
        }
        let chain = started?;
        notes.extend(chain.notes.iter().cloned());
        let upper = place.join("upper");
        Ok(Self { spec: spec.clone(), mode, upper, notes, chain: Mutex::new(Some(chain)), target, _lock: lock })
    }

    /// Runs a job and hands on its output as it comes; blocks until it has ended. One at a time: another caller waits.
    ///
    /// # Errors
    /// [`SandboxError::Gone`] when the instance was killed or has ended by itself, for instance by a reboot from inside.
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
        self.perform(&request, body, on_line)
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
        self.chain().as_mut().ok_or(SandboxError::Gone)?.perform(request, body, on_line)
    }

    /// Ends all processes and starts again on the same files, as a machine does: `/run`, `/tmp` and `/dev` are fresh.
    ///
    /// # Errors
    /// [`SandboxError::Gone`] when the instance was stopped or killed before, else as [`Instance::start`].
    pub fn reboot(&self) -> Result<(), SandboxError> {
        let mut guard = self.chain();
        guard.take().ok_or(SandboxError::Gone)?.end();
        let place = self.upper.parent().unwrap_or(&self.spec.scratch);
        let chain = boot(&self.spec, &self.mode, place, &self.target).map_err(super::probe::explain)?;
        *guard = Some(chain);
        Ok(())
    }

    /// Ends everything and returns when nothing of it is left; the upper layer stays.
    pub fn stop(&self) {
        // First from outside: a job that another thread waits for would hold the handle.
        launch::close(&self.target);
        if let Some(chain) = self.chain().take() {
            chain.end();
        }
    }

    /// A handle that ends this instance from another thread.
    pub fn killer(&self) -> Killer {
        Killer { target: Arc::clone(&self.target) }
    }

    /// The folder of this machine that receives what the instance writes. On a file system that cannot hold an upper
    /// layer it is not in the scratch folder, but in memory; [`root::remove`](super::root::remove) of the scratch
    /// folder knows of it.
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// The root of the running instance as a path of this machine, for reading files. An absolute symbolic link below
    /// it leads out to this machine's own files; consider [`layers`](super::layers).
    pub fn root(&self) -> PathBuf {
        let pid = self.chain().as_ref().map(|chain| chain.pid);
        // Process 0 exists on no machine: reading finds nothing once the instance has ended.
        PathBuf::from(format!("/proc/{}/root", pid.map_or(0, nix::unistd::Pid::as_raw)))
    }

    /// How namespaces are made here.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// What the user should know about how it was started; mostly nothing.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn chain(&self) -> MutexGuard<'_, Option<Chain>> {
        // A panic in a caller's output handler leaves the instance usable at worst as "gone".
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop();
    }
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

fn check(spec: &Spec) -> Result<(), SandboxError> {
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

fn boot(spec: &Spec, mode: &Mode, place: &Path, target: &SharedTarget) -> Result<Chain, LaunchError> {
    let loopback_only = spec.network == Network::Loopback;
    let inject = spec.inject.iter().map(|(path, file)| InjectedFile {
        path: path.clone(),
        mode: file.mode,
        length: file.content.len(),
    });
    let setup = InstanceSetup {
        hostname: spec.hostname.clone(),
        layers: spec.layers.clone(),
        scratch: place.to_owned(),
        loopback_only,
        inject: inject.collect(),
        bind: spec.bind.iter().filter(|path| path.exists()).cloned().collect(),
        resolver: if loopback_only { None } else { fs::read_to_string("/etc/resolv.conf").ok() },
    };
    let body: Vec<u8> = spec.inject.values().flat_map(|file| file.content.iter().copied()).collect();
    launch::launch(mode, Setup::Instance(setup), &body, target)
}
