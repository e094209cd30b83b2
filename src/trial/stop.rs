//! Ending everything at once, from another thread.

use crate::sandbox::{Instance, Killer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tells trials to stop, and kills what they run. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    next: u64,
    killers: BTreeMap<u64, Killer>,
}

/// While it lives, its instance is killed by [`Stop::stop`].
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
        killers.iter().for_each(Killer::kill);
    }

    /// Whether [`Stop::stop`] was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Has an instance killed on [`Stop::stop`]; at once, if that has been called already.
    pub(super) fn watch(&self, instance: &Instance) -> Watched {
        let killer = instance.killer();
        let (number, stopped) = {
            let mut state = self.state();
            state.next += 1;
            let number = state.next;
            state.killers.insert(number, killer.clone());
            (number, state.stopped)
        };
        if stopped {
            killer.kill();
        }
        Watched { stop: self.clone(), number }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is a single statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.state().killers.remove(&self.number);
    }
}
