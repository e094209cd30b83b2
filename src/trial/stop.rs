//! Ending everything at once, from another thread.

use crate::sandbox::Instance;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tells trials to stop, and kills what they run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    stopped: bool,
    next: u64,
    killers: BTreeMap<u64, Killer>,
}

/// Ends something that runs, from any thread.
type Killer = Arc<dyn Fn() + Send + Sync>;

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

/// While it lives, what it watches over is killed by [`Stop::stop`].
#[derive(Debug)]
pub(super) struct Watched {
    stop: Stop,
    number: u64,
}

impl Stop {
    /// Kills every instance that runs, and keeps new ones from starting.
    pub fn stop(&self) {
        let killers: Vec<Killer> = {
            let mut state = self.state();
            state.stopped = true;
            state.killers.values().cloned().collect()
        };
        // Without the lock: a kill waits for the end of all processes.
        for kill in &killers {
            kill();
        }
    }

    /// Whether [`Stop::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Has an instance killed on [`Stop::stop`]; at once, if that has been called already.
    pub(super) fn watch(&self, instance: &Instance) -> Watched {
        let (watched, killer) = (self.token(), instance.killer());
        watched.on_stop(move || killer.kill());
        watched
    }

    /// For something that is still to be started.
    pub(super) fn token(&self) -> Watched {
        let mut state = self.state();
        state.next += 1;
        Watched { stop: self.clone(), number: state.next }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is a single statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// What ends it, on [`Stop::stop`]; at once, if that has been called already.
    pub(super) fn on_stop(&self, kill: impl Fn() + Send + Sync + 'static) {
        let kill: Killer = Arc::new(kill);
        let stopped = {
            let mut state = self.stop.state();
            state.killers.insert(self.number, Arc::clone(&kill));
            state.stopped
        };
        if stopped {
            kill();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.state().killers.remove(&self.number);
    }
}
