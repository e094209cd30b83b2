//! The handle of a running machine.

use super::message::{self, FromGuest, ToGuest};
use super::qemu::{self, Acceleration, Event, Plan, Qemu, Started};
use super::{DISK, MASKED, MEMORY, VmSpec, disk, initrd, kernel, program};
use crate::sandbox::facts::{self, Fact};
use crate::sandbox::lines::Splitter;
use crate::sandbox::{Exit, Job, Line, SandboxError, root, sys};
use nix::fcntl::Flock;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long hardware acceleration has to show that it works. Where it does, the agent is there in a second or two.
const PROOF: Duration = Duration::from_secs(30);
/// How long the console may be silent meanwhile: where acceleration only seems to be there, nothing ever comes.
const SILENCE: Duration = Duration::from_secs(6);
/// Lines of the console in an error.
const TOLD: usize = 12;

/// How hardware acceleration has failed in this process: nobody tries it again.
static BROKEN: Mutex<Option<String>> = Mutex::new(None);

/// A machine that runs an image with its own kernel. Dropping it switches it off.
#[derive(Debug)]
pub struct Vm {
    state: Mutex<State>,
    target: Arc<Target>,
    patience: Duration,
    offline: bool,
    kernel: String,
    notes: Vec<String>,
    // Held, not read: its release tells other processes that the scratch folder may be swept.
    _lock: Flock<File>,
}

#[derive(Debug)]
struct State {
    qemu: Qemu,
    to_guest: ChildStdin,
    happens: Receiver<Happening>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Happening {
    Said(FromGuest),
    Ended(Event),
}

#[derive(Debug)]
struct Target {
    process: Arc<OwnedFd>,
    killed: AtomicBool,
}

/// Switches a machine off from any thread.
#[derive(Debug, Clone)]
pub struct VmKiller(Arc<Target>);

impl VmKiller {
    /// A job that runs in another thread ends with [`SandboxError::Gone`].
    pub fn kill(&self) {
        self.0.killed.store(true, Ordering::SeqCst);
        // It may have ended already.
        let _ = sys::pidfd_kill(&*self.0.process);
    }
}

impl Vm {
    /// Whether this machine has the programs that are needed, before anything else is done.
    ///
    /// # Errors
    /// [`SandboxError::Program`] for what is not installed.
    pub fn available() -> Result<(), SandboxError> {
        qemu::emulator()?;
        disk::formatter().map(drop)
    }

    /// Boots an image and returns when its systemd has started what there is to start.
    ///
    /// # Errors
    /// [`SandboxError::Program`] without an emulator; [`SandboxError::Spec`] for an image without a kernel or systemd;
    /// [`SandboxError::Crashed`] when the kernel or the start of the system gives up or does not end, with the console's
    /// last lines.
    ///
    /// `on_power` gets what ends the start, and later the machine, from another thread.
    pub fn start(spec: &VmSpec, on_power: &mut dyn FnMut(VmKiller)) -> Result<Self, SandboxError> {
        Self::available()?;
        kernel::check_system(&spec.layers)?;
        let kernel = kernel::find(&spec.layers)?;
        let lock = root::claim(&spec.scratch)?;
        let plan = prepare(spec, &kernel)?;
        let mut notes = Vec::new();
        let (state, target, unaided) = power_on(&plan, spec.patience, on_power)?;
        if let Some(why) = unaided {
            notes.push(format!(
                "the machine is emulated, without the processor's help ({why}): everything takes longer"
            ));
        }
        let (state, patience, offline) = (Mutex::new(state), spec.patience, spec.offline);
        let vm = Self { state, target, patience, offline, kernel: kernel.version, notes, _lock: lock };
        vm.state().ready(vm.patience, "boot").map_err(|error| vm.ending(error))?;
        Ok(vm)
    }

    /// Runs a builtin job; as [`Instance::run_answering`](crate::sandbox::Instance::run_answering). One that runs out of
    /// time takes the machine with it.
    ///
    /// # Errors
    /// [`SandboxError::Gone`], [`SandboxError::SwitchedOff`] or [`SandboxError::Crashed`] by how the machine ended;
    /// [`SandboxError::Spec`] for a job of another kind.
    pub fn run_answering(
        &self,
        job: &Job,
        on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
    ) -> Result<Exit, SandboxError> {
        let Job::Builtin { payload, timeout } = job else {
            return Err(SandboxError::Spec("a machine runs only this program's own jobs".into()));
        };
        let deadline = timeout.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.state();
        let payload = String::from_utf8_lossy(payload).into_owned();
        state.tell(&ToGuest::Job { payload }).map_err(|error| self.ending(error))?;
        loop {
            let Some(happening) = state.next(deadline) else {
                state.qemu.end();
                return Ok(Exit::TimedOut);
            };
            let line = match happening.map_err(|error| self.ending(error))? {
                FromGuest::Out { line } => Line::Out(line),
                FromGuest::Err { line } => Line::Err(line),
                FromGuest::Ended { exit } => return Ok(exit),
                FromGuest::Hello { .. } => {
                    state.ready(self.patience, "restart").map_err(|error| self.ending(error))?;
                    return Ok(Exit::Restarted);
                }
                FromGuest::Ready { .. } => continue,
            };
            if let Some(answer) = on_line(line) {
                let text = String::from_utf8_lossy(&answer).into_owned();
                state.tell(&ToGuest::Answer { text }).map_err(|error| self.ending(error))?;
            }
        }
    }

    /// Restarts it in an orderly way and returns when it is up again.
    ///
    /// # Errors
    /// As [`Vm::start`]; [`SandboxError::Gone`] when it was stopped before.
    pub fn reboot(&self) -> Result<(), SandboxError> {
        let mut state = self.state();
        let again = state.tell(&ToGuest::Reboot).and_then(|()| {
            state.hello(self.patience, "restart")?;
            state.ready(self.patience, "restart")
        });
        again.map_err(|error| self.ending(error))
    }

    /// Switches it off at once.
    pub fn stop(&self) {
        self.killer().kill();
        self.state().end();
    }

    /// A handle that ends it from another thread.
    pub fn killer(&self) -> VmKiller {
        VmKiller(Arc::clone(&self.target))
    }

    /// The kernel that runs, as `uname -r` says it.
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// The last lines of its console.
    pub fn console(&self) -> Vec<String> {
        self.state().qemu.console.last(usize::MAX)
    }

    /// What the user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is real in it, and what is not.
    pub fn facts(&self) -> Vec<Fact> {
        facts::of_machine(&self.kernel, self.offline, &MASKED)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a caller's output handler leaves the machine usable at worst as "gone".
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever was told to end does not report how.
    fn ending(&self, error: SandboxError) -> SandboxError {
        self.target.ending(error)
    }
}

impl Target {
    fn of(state: &State) -> Arc<Self> {
        Arc::new(Self { process: state.qemu.killer(), killed: AtomicBool::new(false) })
    }

    fn ending(&self, error: SandboxError) -> SandboxError {
        if self.killed.load(Ordering::SeqCst) { SandboxError::Gone } else { error }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes what the emulator is started with.
fn prepare(spec: &VmSpec, kernel: &kernel::Kernel) -> Result<Plan, SandboxError> {
    let place = |name: &str| spec.scratch.join(name);
    let plan = Plan {
        kernel: place("kernel"),
        initrd: place("initrd"),
        disk: place("disk"),
        memory: spec.memory.unwrap_or(MEMORY),
        processors: thread::available_parallelism().map_or(1, usize::from).min(4),
        offline: spec.offline,
    };
    let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).map_err(SandboxError::file("cannot write", path));
    write(&plan.kernel, &kernel.image)?;
    let mut archive = initrd::Archive::default();
    archive.device(Path::new("/dev/console"), 5, 1);
    for folder in ["/proc", "/sys", "/new"] {
        archive.folder(Path::new(folder));
    }
    archive.program(Path::new("/init"), &program::own()?);
    for (path, bytes) in program::libraries()? {
        archive.program(&path, &bytes);
    }
    for (number, (name, bytes)) in kernel.modules.iter().enumerate() {
        let name = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        archive.program(&Path::new("/modules").join(format!("{number:03}-{name}")), bytes);
    }
    write(&plan.initrd, &archive.finish())?;
    disk::create(&spec.layers, &spec.scratch, &plan.disk, spec.disk.unwrap_or(DISK))?;
    Ok(plan)
}

/// Starts the emulator in the best way that works, and waits for the agent. Tells why it has to do without acceleration.
fn power_on(
    plan: &Plan,
    patience: Duration,
    on_power: &mut dyn FnMut(VmKiller),
) -> Result<(State, Arc<Target>, Option<String>), SandboxError> {
    let mut begin = |acceleration| {
        let state = State::begin(plan, acceleration)?;
        let target = Target::of(&state);
        on_power(VmKiller(Arc::clone(&target)));
        Ok::<_, SandboxError>((state, target))
    };
    let broken = || BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = broken().clone().or_else(|| qemu::hardware().err());
    let why = if let Some(why) = known {
        why
    } else {
        let (mut state, target) = begin(Acceleration::Hardware)?;
        match state.prove().map_err(|error| target.ending(error)) {
            Ok(()) => return Ok((state, target, None)),
            Err(SandboxError::Gone) => return Err(SandboxError::Gone),
            Err(error) => {
                state.end();
                broken().insert(state.refusal(&error)).clone()
            }
        }
    };
    let (mut state, target) = begin(Acceleration::None)?;
    state.hello(patience, "boot").map_err(|error| target.ending(error))?;
    Ok((state, target, Some(why)))
}

impl State {
    fn begin(plan: &Plan, acceleration: Acceleration) -> Result<Self, SandboxError> {
        let (tell, happens) = channel();
        let ended = tell.clone();
        // Nobody listens any more: it is being switched off.
        let on_event = move |event| drop(ended.send(Happening::Ended(event)));
        let Started { qemu, to_guest, from_guest } = plan.start(acceleration, on_event)?;
        let listening = Some(thread::spawn(move || listen(from_guest, &tell)));
        Ok(Self { qemu, to_guest, happens, listening })
    }

    fn end(&mut self) {
        self.qemu.end();
        if let Some(thread) = self.listening.take() {
            // A panic there has been told on its own.
            let _ = thread.join();
        }
    }

    fn tell(&mut self, message: &ToGuest) -> Result<(), SandboxError> {
        let written = message::line(message).and_then(|line| self.to_guest.write_all(&line));
        match written.and_then(|()| self.to_guest.flush()) {
            Ok(()) => Ok(()),
            // It has ended; how, it tells itself.
            Err(_) => loop {
                match self.next(None) {
                    Some(Err(error)) => return Err(error),
                    Some(Ok(_)) => {}
                    None => return Err(SandboxError::Gone),
                }
            },
        }
    }

    /// The next message, or how the machine ended; `None` when the time is up.
    fn next(&self, deadline: Option<Instant>) -> Option<Result<FromGuest, SandboxError>> {
        let happening = match deadline {
            None => self.happens.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => self.happens.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match happening {
            Ok(Happening::Said(message)) => Some(Ok(message)),
            Ok(Happening::Ended(Event::Trouble(why))) => Some(Err(self.crashed(why))),
            Ok(Happening::Ended(Event::Disk(line))) => Some(Err(self.crashed(format!(
                "its disk failed, most likely because the file system that holds it is full ({line}); free some space"
            )))),
            Ok(Happening::Ended(Event::Ended(Some(status)))) if status.success() => {
                Some(Err(SandboxError::SwitchedOff))
            }
            Ok(Happening::Ended(Event::Ended(status))) => {
                let how = status.map_or("without a status".to_owned(), |status| status.to_string());
                Some(Err(self.crashed(format!("the emulator ended ({how})"))))
            }
            Err(RecvTimeoutError::Disconnected) => Some(Err(SandboxError::Gone)),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    fn crashed(&self, why: String) -> SandboxError {
        SandboxError::Crashed { why, console: self.qemu.console.last(TOLD) }
    }

    fn too_long(&self, what: &str, limit: Duration) -> SandboxError {
        self.crashed(format!("it did not {what} within {} seconds", limit.as_secs()))
    }

    /// Waits for the agent of a new start.
    fn hello(&mut self, limit: Duration, what: &str) -> Result<(), SandboxError> {
        self.greeted(limit).unwrap_or_else(|| Err(self.too_long(what, limit)))
    }

    /// The same; `None` when the time is up.
    fn greeted(&mut self, limit: Duration) -> Option<Result<(), SandboxError>> {
        let deadline = Instant::now().checked_add(limit);
        loop {
            match self.next(deadline)? {
                Ok(FromGuest::Hello { kernel }) => {
                    tracing::debug!(kernel, "the agent is there");
                    return Some(Ok(()));
                }
                // Of the start before.
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits for the agent for as long as the machine makes progress.
    fn prove(&mut self) -> Result<(), SandboxError> {
        let begun = Instant::now();
        loop {
            let seen = self.qemu.console.count();
            if let Some(result) = self.greeted(SILENCE) {
                return result;
            }
            if self.qemu.console.count() == seen || begun.elapsed() > PROOF {
                return Err(self.crashed(format!("nothing came of it in {} seconds", begun.elapsed().as_secs())));
            }
        }
    }

    /// Why acceleration does not work, in a line: the emulator's own word if it has said one, which is more than how it ended.
    fn refusal(&self, error: &SandboxError) -> String {
        let said = self.qemu.console.last(usize::MAX).into_iter().find_map(|line| {
            let (_, said) = line.split_once("qemu-system-")?.1.split_once(": ")?;
            Some(said.to_owned())
        });
        let why = said.or_else(|| error.to_string().lines().next().map(str::to_owned)).unwrap_or_default();
        tracing::debug!(%error, "no hardware acceleration");
        format!("/dev/kvm does not work here: {why}")
    }

    /// Waits until the system is up.
    fn ready(&mut self, limit: Duration, what: &str) -> Result<(), SandboxError> {
        let deadline = Instant::now().checked_add(limit);
        loop {
            match self.next(deadline) {
                Some(Ok(FromGuest::Ready { state })) if state == "maintenance" => {
                    return Err(
                        self.crashed(format!("it did not {what}: its systemd stopped in emergency or rescue mode"))
                    );
                }
                Some(Ok(FromGuest::Ready { state })) => {
                    tracing::debug!(state, "the system is up");
                    return Ok(());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(self.too_long(what, limit)),
            }
        }
    }
}

/// Hands on what comes over the port until that is closed. What is no message is of a start that was cut off.
fn listen(mut from: ChildStdout, tell: &Sender<Happening>) {
    let mut splitter = Splitter::of_messages();
    let mut chunk = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        splitter.feed(&chunk[..count], &mut |line| {
            if let Ok(message) = serde_json::from_str(&line) {
                // Nobody listens any more: it is being switched off.
                let _ = tell.send(Happening::Said(message));
            }
        });
    }
}
