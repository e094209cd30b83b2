//! What runs in this process: instances, builds in flight, and the threads that work on them.

use super::super::Local;
use super::image::scripted::Agenda;
use crate::drive::Place;
use crate::sandbox::{Exit, Fact, Instance, Job, Line, SandboxError};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// State of this process's running instances and builds; the durable part is in the store.
#[derive(Debug, Default)]
pub struct Compute {
    local: OnceLock<Weak<Local>>,
    pub(super) shared: Arc<Shared>,
    pub(super) agenda: Agenda,
}

/// The part that threads hold without keeping the local environment open.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closing: bool,
    supervised: bool,
    instances: BTreeMap<String, Arc<Live>>,
    /// How many that were taken out are being ended now.
    ending: usize,
    /// Those that failed builds have left.
    left: BTreeSet<String>,
    /// Image build version ARN of every build of this process, running or waiting.
    builds: BTreeMap<String, Build>,
    slots_taken: usize,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Build {
    cancelled: bool,
    /// The instances it works on now.
    instances: Vec<String>,
}

/// An instance that runs in this process. Its folder stays locked until the last holder lets go.
#[derive(Debug)]
pub(super) struct Live {
    instance: Instance,
}

impl Live {
    pub(super) fn new(instance: Instance) -> Self {
        Self { instance }
    }

    /// Runs a job; waits until the instance is free.
    pub(super) fn run(&self, job: &Job, on_line: &mut dyn FnMut(Line)) -> Result<Exit, SandboxError> {
        self.instance.run(job, on_line)
    }

    /// Restarts it: processes end, files stay.
    pub(super) fn reboot(&self) -> Result<(), SandboxError> {
        self.instance.reboot()
    }

    /// What is real in it, and what is not.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.instance.facts()
    }

    /// How often it has started, counted from 1; by itself or because it was told to.
    pub(super) fn boots(&self) -> u32 {
        self.instance.boots()
    }

    /// Its root as a path of this machine, for reading files.
    pub(super) fn root(&self) -> PathBuf {
        self.instance.root()
    }

    /// Ends everything that runs in it; a job of another thread returns with [`SandboxError::Gone`]. Files stay.
    pub(super) fn stop(&self) {
        self.instance.killer().kill();
        self.instance.stop();
    }

    /// As [`Live::stop`], but services are stopped in an orderly way first, where the image's systemd runs.
    pub(super) fn power_off(&self) {
        self.instance.power_off();
    }

    /// Name of the sandbox's mode; its files belong to the ids of that mode.
    pub(super) fn mode(&self) -> &'static str {
        self.instance.mode().name()
    }

    /// The layer that holds its changes.
    pub(super) fn upper(&self) -> &Path {
        self.instance.upper()
    }
}

impl Place for Live {
    fn run_answering(&self, job: &Job, on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>) -> Result<Exit, SandboxError> {
        self.instance.run_answering(job, on_line)
    }

    fn reboot(&self) -> Result<(), SandboxError> {
        Live::reboot(self)
    }
}

impl Compute {
    /// Remembers the environment this belongs to, so that threads can be given a handle on it.
    pub(super) fn attach(&self, local: &Arc<Local>) {
        // A second call names the same environment: `recover` runs once per environment.
        let _ = self.local.set(Arc::downgrade(local));
    }

    fn handle(&self) -> Option<Arc<Local>> {
        self.local.get()?.upgrade()
    }

    /// Runs `work` on a thread of its own, which [`Compute::join`] waits for.
    ///
    /// # Errors
    /// When the environment is being closed, or no thread can be had.
    pub(super) fn spawn(&self, name: &str, work: impl FnOnce(&Arc<Local>) + Send + 'static) -> io::Result<()> {
        let closing = || io::Error::other("the local environment is being closed");
        let local = self.handle().ok_or_else(closing)?;
        let mut state = self.shared.state();
        if state.closing {
            return Err(closing());
        }
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&local))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        Ok(())
    }

    /// Starts the supervisor if it does not run. It ends by itself when nothing runs any more.
    pub(super) fn supervise(&self) -> io::Result<()> {
        if std::mem::replace(&mut self.shared.state().supervised, true) {
            self.shared.wake();
            return Ok(());
        }
        let local = self.local.get().cloned().unwrap_or_default();
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new()
            .name("local-supervisor".to_owned())
            .spawn(move || super::supervisor::watch(&local, &shared));
        match spawned {
            Ok(_) => Ok(()),
            Err(error) => {
                self.shared.state().supervised = false;
                Err(error)
            }
        }
    }

    /// Refuses new work and takes all instances out, marking builds as cancelled.
    pub(super) fn close(&self) -> Vec<(String, Arc<Live>)> {
        let mut state = self.shared.state();
        state.closing = true;
        for build in state.builds.values_mut() {
            build.cancelled = true;
        }
        let instances = std::mem::take(&mut state.instances).into_iter().collect();
        drop(state);
        self.shared.wake();
        instances
    }

    /// Waits for every thread of [`Compute::spawn`].
    pub(super) fn join(&self) {
        loop {
            let threads = std::mem::take(&mut self.shared.state().threads);
            if threads.is_empty() {
                return;
            }
            for thread in threads {
                if thread.thread().id() != std::thread::current().id() {
                    // A panic in it has been reported by the panic hook; there is nothing to add here.
                    let _ = thread.join();
                }
            }
        }
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        for (_, live) in self.close() {
            live.stop();
        }
    }
}

/// An instance that is being ended; dropped when that is done.
#[derive(Debug)]
pub(super) struct Ending<'a> {
    pub(super) live: Arc<Live>,
    shared: &'a Shared,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.state().ending -= 1;
        self.shared.wake();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is complete in one statement or harmless when repeated.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the supervisor and waiting builds look again.
    pub(super) fn wake(&self) {
        self.bell.notify_all();
    }

    /// Waits for [`Shared::wake`], at most `patience`; false when there is nothing left to watch.
    pub(super) fn doze(&self, patience: Duration) -> bool {
        let state = self.state();
        let (mut state, _) = self.bell.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
        let idle = state.closing || (state.instances.is_empty() && state.builds.is_empty());
        if idle {
            state.supervised = false;
        }
        !idle
    }

    /// Waits for [`Shared::wake`], at most `patience`.
    pub(super) fn rest(&self, patience: Duration) {
        let state = self.state();
        drop(self.bell.wait_timeout(state, patience));
    }

    /// Adds a running instance.
    ///
    /// # Errors
    /// Gives it back when the environment is being closed.
    pub(super) fn add_instance(&self, id: &str, live: Arc<Live>) -> Result<(), Arc<Live>> {
        let mut state = self.state();
        if state.closing {
            return Err(live);
        }
        state.instances.insert(id.to_owned(), live);
        Ok(())
    }

    /// The running instance of that id.
    pub(super) fn instance(&self, id: &str) -> Option<Arc<Live>> {
        self.state().instances.get(id).cloned()
    }

    /// Remembers that a failed build has left this instance.
    pub(super) fn leave(&self, id: &str) {
        self.state().left.insert(id.to_owned());
    }

    /// Whether one has.
    pub(super) fn was_left(&self, id: &str) -> bool {
        self.state().left.contains(id)
    }

    /// Takes the running instance out; whoever takes it ends it.
    pub(super) fn take_instance(&self, id: &str) -> Option<Arc<Live>> {
        self.state().instances.remove(id)
    }

    /// Takes the running instance out to end it. Until that is done the environment is not closed: the process would be gone
    /// before the folder is.
    pub(super) fn end_instance(&self, id: &str) -> Option<Ending<'_>> {
        let mut state = self.state();
        let live = state.instances.remove(id)?;
        state.ending += 1;
        Some(Ending { live, shared: self })
    }

    /// Waits until none is being ended any more.
    pub(super) fn wait_for_endings(&self) {
        let mut state = self.state();
        while state.ending > 0 {
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ids of the running instances.
    pub(super) fn instance_ids(&self) -> Vec<String> {
        self.state().instances.keys().cloned().collect()
    }

    /// Adds a build.
    pub(super) fn add_build(&self, arn: &str) {
        self.state().builds.insert(arn.to_owned(), Build::default());
    }

    /// Removes a build that has ended.
    pub(super) fn remove_build(&self, arn: &str) {
        self.state().builds.remove(arn);
        self.wake();
    }

    /// ARNs of the builds.
    pub(super) fn builds(&self) -> Vec<String> {
        self.state().builds.keys().cloned().collect()
    }

    /// Whether the build has been told to stop.
    pub(super) fn is_cancelled(&self, arn: &str) -> bool {
        let state = self.state();
        state.closing || state.builds.get(arn).is_none_or(|build| build.cancelled)
    }

    /// Notes that the build works on an instance from now on.
    pub(super) fn add_build_instance(&self, arn: &str, instance: &str) {
        if let Some(build) = self.state().builds.get_mut(arn) {
            build.instances.push(instance.to_owned());
        }
    }

    /// Notes that it does so no longer.
    pub(super) fn remove_build_instance(&self, arn: &str, instance: &str) {
        if let Some(build) = self.state().builds.get_mut(arn) {
            build.instances.retain(|known| known != instance);
        }
    }

    /// Tells a build to stop and kills what it runs.
    pub(super) fn cancel_build(&self, arn: &str) {
        let mut state = self.state();
        let instances = state.builds.get_mut(arn).map(|build| {
            build.cancelled = true;
            build.instances.clone()
        });
        let known = instances.unwrap_or_default();
        let live: Vec<_> = known.iter().filter_map(|id| state.instances.get(id).cloned()).collect();
        drop(state);
        for live in live {
            live.stop();
        }
        self.wake();
    }

    /// Waits until fewer than `limit` builds work, then counts this one; false when it was cancelled meanwhile.
    pub(super) fn take_slot(&self, arn: &str, limit: usize) -> bool {
        let mut state = self.state();
        loop {
            if state.closing || state.builds.get(arn).is_none_or(|build| build.cancelled) {
                return false;
            }
            if state.slots_taken < limit {
                state.slots_taken += 1;
                return true;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the slot of [`Shared::take_slot`] back.
    pub(super) fn give_slot(&self) {
        self.state().slots_taken -= 1;
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_nobody_knows_is_cancelled() {
        let shared = Shared::default();
        assert!(shared.is_cancelled("arn"));
        shared.add_build("arn");
        assert!(!shared.is_cancelled("arn"));
        shared.cancel_build("arn");
        assert!(shared.is_cancelled("arn"));
    }

    #[test]
    fn a_slot_is_free_again_when_given_back() {
        let shared = Shared::default();
        shared.add_build("a");
        shared.add_build("b");
        assert!(shared.take_slot("a", 1));
        shared.cancel_build("b");
        assert!(!shared.take_slot("b", 1), "a cancelled build does not wait");
        shared.give_slot();
        shared.add_build("c");
        assert!(shared.take_slot("c", 1));
    }

    #[test]
    fn closing_refuses_threads() {
        let compute = Compute::default();
        compute.close();
        assert!(compute.spawn("x", |_| ()).is_err());
    }
}
