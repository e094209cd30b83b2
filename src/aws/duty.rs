//! What this process has started in a cloud and has to end itself. Whoever interrupts it learns of everything that is left, and
//! can wait until there is nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The duties of a process. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Duties(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    open: BTreeMap<u64, Left>,
}

/// Something that has to be ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What it is: `instance i-0123 of ami-0123`.
    pub what: String,
    /// The command that ends it by hand.
    pub undo: Option<String>,
    /// Nobody tries any more.
    pub given_up: bool,
}

/// One duty. Dropped without [`Duty::done`] it stays, as one that nobody fulfils any more.
#[derive(Debug)]
pub struct Duty {
    duties: Duties,
    number: u64,
}

impl Duties {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Every change of the map is one call, so that it is whole whenever it can be read.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes on a duty.
    #[must_use]
    pub fn take(&self, what: impl Into<String>, undo: Option<String>) -> Duty {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.open.insert(number, Left { what: what.into(), undo, given_up: false });
        Duty { duties: self.clone(), number }
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Vec<Left> {
        self.entries().open.values().cloned().collect()
    }

    /// Whether somebody still works on something.
    fn is_at_work(&self) -> bool {
        self.entries().open.values().any(|left| !left.given_up)
    }

    /// Waits until nobody works on any duty any more. What is left then is left for good.
    pub async fn settled(&self) {
        let mut changes = self.0.changed.subscribe();
        while self.is_at_work() {
            // The sender lives as long as the duties do.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn change(&self, work: impl FnOnce(&mut Entries)) {
        work(&mut self.entries());
        self.0.changed.send_modify(|count| *count += 1);
    }
}

impl Duty {
    /// It is fulfilled.
    pub fn done(self) {
        let number = self.number;
        self.duties.change(|entries| drop(entries.open.remove(&number)));
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        let number = self.number;
        self.duties.change(|entries| {
            if let Some(left) = entries.open.get_mut(&number) {
                left.given_up = true;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn duties_are_waited_for_until_they_are_done_or_given_up() {
        let duties = Duties::default();
        duties.settled().await;
        let (one, other) = (duties.take("one", None), duties.take("other", Some("end it".into())));
        let waiting = tokio::spawn({
            let duties = duties.clone();
            async move { duties.settled().await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        one.done();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(other);
        waiting.await.unwrap();
        let left = Left { what: "other".into(), undo: Some("end it".into()), given_up: true };
        assert_eq!(duties.left(), [left]);
    }
}
