//! What an interruption has to know: which builds this process has started, and which instance refreshes it follows.

use crate::event::Event;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The builds that this process has started, as the stream of events tells them; not those that it has joined. Of instance
/// refreshes both.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Started(Arc<Mutex<Builds>>);

#[derive(Debug, Default)]
struct Builds {
    arns: Vec<String>,
    /// Place and group, and the command that goes on with it.
    refreshes: BTreeMap<String, String>,
    cancel: bool,
}

impl Started {
    fn builds(&self) -> MutexGuard<'_, Builds> {
        // A list of names is whole whenever it can be read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn see(&self, event: &Event) {
        match event {
            Event::Image { what, .. } => self.see(what),
            Event::BuildStarted { image_arn, joined: false, .. } => self.builds().arns.push(image_arn.clone()),
            Event::Refresh { place, group, running: true, resume, .. } => {
                drop(self.builds().refreshes.insert(format!("{place} {group}"), resume.clone()));
            }
            Event::Refresh { place, group, .. } => drop(self.builds().refreshes.remove(&format!("{place} {group}"))),
            _ => {}
        }
    }

    /// ARNs of the builds.
    pub(in crate::cli) fn arns(&self) -> Vec<String> {
        self.builds().arns.clone()
    }

    /// The groups whose refreshes are followed, each with the command that goes on with it.
    pub(in crate::cli) fn refreshes(&self) -> BTreeMap<String, String> {
        self.builds().refreshes.clone()
    }

    /// Whether an interruption cancels them.
    pub(in crate::cli) fn cancel(&self) -> bool {
        self.builds().cancel
    }

    /// An interruption cancels them if `wanted`.
    pub(in crate::cli) fn cancel_on_interrupt(&self, wanted: bool) {
        self.builds().cancel = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stage;

    #[test]
    fn builds_that_were_started_are_remembered_and_those_that_were_joined_are_not() {
        let started = Started::default();
        let build = |arn: &str, joined| Event::BuildStarted { stage: Stage::Build, image_arn: arn.into(), joined };
        started.see(&build("a", false));
        started.see(&build("b", true));
        started.see(&Event::Image { image: "web/arm64".into(), what: Box::new(build("c", false)) });
        assert_eq!(started.arns(), ["a", "c"]);
        let refresh = |group: &str, running| Event::Refresh {
            stage: Stage::Promote,
            place: "1/r".into(),
            group: group.into(),
            refresh: "id".into(),
            running,
            resume: "go on".into(),
        };
        started.see(&refresh("fleet", true));
        started.see(&refresh("other", true));
        started.see(&refresh("other", false));
        assert_eq!(started.refreshes(), BTreeMap::from([("1/r fleet".to_owned(), "go on".to_owned())]));
        assert!(!started.cancel());
        started.cancel_on_interrupt(true);
        assert!(started.cancel());
    }
}
