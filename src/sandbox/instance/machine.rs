//! What stays of an instance over its restarts, and the restarts.

use super::super::launch::{self, Chain, Fate, Interruption, LaunchError, SharedTarget};
use super::super::mode::Mode;
use super::super::wire::{Failure, InjectedFile, InstanceSetup, Request, Setup, Step, Walls};
use super::super::{Exit, First, Injected, Line, Network, SandboxError, Spec, layers, probe};
use super::held::Held;
use super::outbound::{self, Outbound};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a machine may take to stop everything by itself; systemd's own limit for a unit is 90 seconds.
const GOING_DOWN: Duration = Duration::from_secs(100);

/// Restarts in a row, before anything else could be done: more than any installer needs.
const RESTARTS: usize = 5;

/// An instance without the locks on its folder.
#[derive(Debug)]
pub(super) struct Machine {
    spec: Spec,
    pub(super) mode: Mode,
    /// Where its layer is kept.
    place: PathBuf,
    /// Held while a job runs.
    chain: Mutex<Option<Chain>>,
    up: Mutex<Up>,
    pub(super) held: Arc<Held>,
    pub(super) target: SharedTarget,
}

/// What is known of the present start.
#[derive(Debug, Clone, Default)]
pub(super) struct Up {
    pub(super) notes: Vec<String>,
    pub(super) first: First,
    /// Starts so far.
    pub(super) boots: u32,
    /// Our process 1 as the host numbers it.
    pub(super) pid: Option<Pid>,
    /// Its parent, outside of the namespaces, whose root is the instance's.
    pub(super) outer: Option<Pid>,
    /// Whether it has a network of its own with a way out.
    pub(super) outbound: bool,
    /// Why it did not come back from a restart of its own.
    trouble: Option<String>,
}

impl Machine {
    /// Starts it for the first time.
    pub(super) fn start(
        spec: &Spec,
        mode: Mode,
        place: &Path,
        held: &Arc<Held>,
        target: &SharedTarget,
    ) -> Result<Arc<Self>, LaunchError> {
        let chain = boot(spec, &mode, place, held, target)?;
        let machine = Arc::new(Self {
            spec: spec.clone(),
            mode,
            place: place.to_owned(),
            chain: Mutex::new(None),
            up: Mutex::default(),
            held: Arc::clone(held),
            target: Arc::clone(target),
        });
        machine.adopt(&mut machine.chain(), chain);
        Ok(machine)
    }

    /// Where its layer is kept.
    pub(super) fn upper(&self) -> PathBuf {
        self.place.join("upper")
    }

    /// What it was started as.
    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What is known of the present start; does not wait for a job.
    pub(super) fn up(&self) -> MutexGuard<'_, Up> {
        // Every change is a single assignment.
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chain(&self) -> MutexGuard<'_, Option<Chain>> {
        // A panic in a caller's output handler leaves the instance usable at worst as "gone".
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the init do something. When the machine restarts before that has begun, it is done after the restart.
    pub(super) fn perform(
        self: &Arc<Self>,
        request: &Request,
        body: &[u8],
        on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
    ) -> Result<Exit, SandboxError> {
        let mut guard = self.chain();
        for _ in 0..RESTARTS {
            let Some(chain) = guard.as_mut() else { return Err(self.absence()) };
            match chain.perform(request, body, on_line) {
                Ok(exit) => return Ok(exit),
                Err(Interruption::Failed(error)) => return Err(error),
                Err(Interruption::Ended { begun }) => {
                    self.come_back(&mut guard)?;
                    if begun {
                        return Ok(Exit::Restarted);
                    }
                }
            }
        }
        Err(again_and_again())
    }

    fn absence(&self) -> SandboxError {
        let trouble = self.up().trouble.take();
        trouble.map_or(SandboxError::Gone, |reason| SandboxError::Start {
            step: "come back from a restart".into(),
            reason,
        })
    }

    /// Starts again what has ended in order to restart.
    fn come_back(self: &Arc<Self>, guard: &mut MutexGuard<'_, Option<Chain>>) -> Result<(), SandboxError> {
        match guard.as_mut().map_or(Fate::Gone, Chain::fate) {
            Fate::Restart => self.start_again(guard),
            Fate::Off => Err(SandboxError::SwitchedOff),
            Fate::Gone => Err(SandboxError::Gone),
        }
    }

    fn start_again(self: &Arc<Self>, guard: &mut MutexGuard<'_, Option<Chain>>) -> Result<(), SandboxError> {
        if let Some(chain) = guard.take() {
            chain.end();
        }
        let chain = boot(&self.spec, &self.mode, &self.place, &self.held, &self.target).map_err(probe::explain)?;
        self.adopt(guard, chain);
        Ok(())
    }

    /// Takes a started init over. One with a system of its own may want to restart at any time, and does so without
    /// anybody asking for a job.
    fn adopt(self: &Arc<Self>, guard: &mut MutexGuard<'_, Option<Chain>>, chain: Chain) {
        let boots = {
            let mut up = self.up();
            let first = if chain.system { First::System } else { First::Ours };
            let (pid, outer) = (Some(chain.pid), Some(chain.outer()));
            let (boots, outbound) = (up.boots + 1, chain.outbound.is_some());
            *up = Up { notes: chain.notes.clone(), first, boots, pid, outer, outbound, trouble: None };
            up.boots
        };
        if chain.system
            && let Some(watched) = chain.watched()
        {
            let machine = Arc::downgrade(self);
            // Without a thread it comes back when the next job is asked for.
            let _ = std::thread::Builder::new().name("sandbox-watch".into()).spawn(move || {
                launch::await_end(&watched, None);
                if let Some(machine) = machine.upgrade() {
                    machine.ended_by_itself(boots);
                }
            });
        }
        **guard = Some(chain);
    }

    /// Called when the init of that start has ended, for whatever reason.
    fn ended_by_itself(self: &Arc<Self>, boots: u32) {
        let mut guard = self.chain();
        // Whoever was faster has seen to it.
        if self.up().boots != boots || guard.is_none() {
            return;
        }
        if guard.as_mut().map(Chain::fate) == Some(Fate::Restart)
            && let Err(error) = self.start_again(&mut guard)
        {
            self.up().trouble = Some(error.to_string());
        }
    }

    /// Restarts it from outside.
    pub(super) fn reboot(self: &Arc<Self>) -> Result<(), SandboxError> {
        let mut guard = self.chain();
        guard.as_mut().ok_or(SandboxError::Gone)?.go_down(true, GOING_DOWN);
        self.start_again(&mut guard)
    }

    /// Has it stop everything in an orderly way, if it is able to.
    pub(super) fn power_off(&self) {
        if let Some(chain) = self.chain().as_mut() {
            chain.go_down(false, GOING_DOWN);
        }
    }

    /// Ends everything, for good.
    pub(super) fn stop(&self) {
        // First from outside: a job that another thread waits for would hold the handle.
        launch::close(&self.target);
        if let Some(chain) = self.chain().take() {
            chain.end();
        }
        let mut up = self.up();
        (up.pid, up.outer) = (None, None);
    }
}

fn again_and_again() -> SandboxError {
    SandboxError::Start {
        step: "start the image".into(),
        reason: format!("it restarted {RESTARTS} times in a row before it could be used"),
    }
}

/// How a start goes about process 1 and the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As described, in the machine's network or with loopback only.
    AsDescribed,
    /// With the image's system, in a network of its own that gets a way out.
    Outbound,
    /// Without the image's system: it would be in the machine's network.
    Ours,
}

fn boot(spec: &Spec, mode: &Mode, place: &Path, held: &Held, target: &SharedTarget) -> Result<Chain, LaunchError> {
    let start = |way| boot_as(way, spec, mode, place, held, target);
    let wants_both = spec.first == First::System && spec.network == Network::Host;
    if !wants_both || !outbound::has_systemd(&spec.layers) {
        return start(Way::AsDescribed);
    }
    let reason = match Outbound::program() {
        None => "slirp4netns is not installed".to_owned(),
        Some(program) => {
            let mut chain = start(Way::Outbound)?;
            if !chain.system {
                // Then nothing needs a network of its own; the same reason is found, and said, again.
                chain.end();
                return start(Way::AsDescribed);
            }
            let first = u32::try_from(chain.pid.as_raw()).ok().and_then(super::inner_first);
            let attached = first.ok_or_else(|| "its process 1 is not there any more".to_owned());
            match attached.and_then(|first| Outbound::attach(&program, first)) {
                Ok(outbound) => {
                    chain.outbound = Some(outbound);
                    return Ok(chain);
                }
                Err(reason) => {
                    chain.end();
                    reason
                }
            }
        }
    };
    let mut chain = start(Way::Ours)?;
    chain.notes.push(outbound::without(&reason));
    Ok(chain)
}

fn boot_as(
    way: Way,
    spec: &Spec,
    mode: &Mode,
    place: &Path,
    held: &Held,
    target: &SharedTarget,
) -> Result<Chain, LaunchError> {
    let files = injected(spec, mode);
    // Bytes of the files, one after the other.
    let body: Vec<u8> = files.values().flat_map(|file| file.content.iter().copied()).collect();
    for _ in 0..RESTARTS {
        let mut setup = setup(spec, place, &files);
        match way {
            Way::AsDescribed => {}
            Way::Outbound => (setup.loopback_only, setup.resolver) = (true, Some(outbound::RESOLVER.to_owned())),
            Way::Ours => setup.system = false,
        }
        let setup = Setup::Instance(setup);
        match launch::launch(mode, setup, &body, target, &mut |outer, first| held.apply(outer, first)) {
            Err(LaunchError::Failed(Failure { step: Step::Restart, .. })) => {}
            other => return other,
        }
    }
    Err(again_and_again().into())
}

/// Where apt shall be told not to become another user, and what it is told; apt.conf(5).
const APT_AS_ROOT: (&str, &[u8]) = ("/etc/apt/apt.conf.d/98amiforge-one-id", b"APT::Sandbox::User \"root\";\n");

/// The files to inject, with one more where there is no other user that apt could become.
fn injected(spec: &Spec, mode: &Mode) -> BTreeMap<PathBuf, Injected> {
    let mut files = spec.inject.clone();
    let has_apt = layers::resolve(&spec.layers, Path::new("/etc/apt"), true).is_ok_and(|place| place.node.is_some());
    if mode.walls() == Walls::OneId && has_apt {
        let (path, content) = APT_AS_ROOT;
        files.insert(path.into(), Injected { content: content.to_vec(), mode: 0o644 });
    }
    files
}

fn setup(spec: &Spec, place: &Path, files: &BTreeMap<PathBuf, Injected>) -> InstanceSetup {
    let loopback_only = spec.network == Network::Loopback;
    let inject = files.iter().map(|(path, file)| InjectedFile {
        path: path.clone(),
        mode: file.mode,
        length: file.content.len(),
    });
    InstanceSetup {
        hostname: spec.hostname.clone(),
        layers: spec.layers.clone(),
        scratch: place.to_owned(),
        loopback_only,
        inject: inject.collect(),
        bind: spec.bind.iter().filter(|path| path.exists()).cloned().collect(),
        limits: spec.limits,
        system: spec.first == First::System,
        resolver: if loopback_only { None } else { fs::read_to_string("/etc/resolv.conf").ok() },
    }
}
