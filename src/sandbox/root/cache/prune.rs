//! Making room: which entries go, and why each goes or stays.

use super::lock::Hold;
use super::{Cache, Entry, State};
use crate::sandbox::{SandboxError, root};
use std::time::{Duration, SystemTime};

/// What may go. What processes that were killed have left, and what is damaged, goes always; without any of these
/// nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Roots that were not used for so long.
    pub older_than: Option<Duration>,
    /// The least recently used roots, until the others have at most so many bytes together.
    pub max_size: Option<u64>,
    /// Everything that is not in use.
    pub all: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What happens to an entry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The entry.
    pub entry: Entry,
    /// Whether it goes (with `dry_run`: would go).
    pub remove: bool,
    /// Why, in words.
    pub why: String,
}

impl Cache {
    /// Removes what the policy lets go, and never what is in use. The last used come first in the answer.
    ///
    /// # Errors
    /// When something cannot be removed; what was removed before stays removed.
    pub fn prune(&self, policy: Policy, now: SystemTime) -> Result<Vec<Decision>, SandboxError> {
        let mut decisions = decide(self.list()?, policy, now);
        if policy.dry_run {
            return Ok(decisions);
        }
        for decision in decisions.iter_mut().filter(|decision| decision.remove) {
            if !self.carry_out(&decision.entry)? {
                decision.remove = false;
                "a process has begun to use it".clone_into(&mut decision.why);
            }
        }
        self.forget_references();
        Ok(decisions)
    }

    /// Whether it could be had alone and is gone.
    fn carry_out(&self, entry: &Entry) -> Result<bool, SandboxError> {
        if entry.state == State::Leftover {
            let path = self.roots().join(&entry.key);
            let lock = super::sweep::lock_of_the_dead(&path);
            root::remove(&path)?;
            drop(lock);
            return Ok(true);
        }
        let Some(alone) = Hold::try_alone(&self.lock_of(&entry.key))? else { return Ok(false) };
        self.take_out(&entry.key, alone)?;
        Ok(true)
    }
}

/// The decision about each entry; a pure function of what is there, the policy and the time.
fn decide(entries: Vec<Entry>, policy: Policy, now: SystemTime) -> Vec<Decision> {
    let mut kept: u64 = 0;
    let mut decisions = Vec::new();
    // From the last used on: the others have to make room for these.
    for entry in entries {
        let (remove, why) = one(&entry, policy, now, &mut kept);
        decisions.push(Decision { entry, remove, why });
    }
    decisions
}

fn one(entry: &Entry, policy: Policy, now: SystemTime, kept: &mut u64) -> (bool, String) {
    let size = entry.size.unwrap_or(0);
    let together = kept.saturating_add(size);
    let mut keep = |why: String| {
        *kept = together;
        (false, why)
    };
    match &entry.state {
        State::Making => return keep("a process makes it".into()),
        State::InUse => return keep("a process uses it".into()),
        State::Leftover => return (true, "a process that is no more has left it half-made".into()),
        State::Damaged(why) => return (true, format!("it is damaged: {why}")),
        State::StoodOn(users) => {
            let users: Vec<String> = users.iter().map(|user| user.display().to_string()).collect();
            return keep(format!("images stand on it, in {}", users.join(", ")));
        }
        State::Old if !policy.all => {
            return keep("an earlier amiforge made it; images of a project may stand on it, --all removes it".into());
        }
        State::Old | State::Idle => {}
    }
    let unused = now.duration_since(entry.used).unwrap_or_default();
    if policy.all {
        return (true, "everything that is not in use goes".into());
    }
    if let Some(limit) = policy.older_than.filter(|limit| unused >= *limit) {
        let limit = humantime::format_duration(Duration::from_secs(limit.as_secs()));
        return (true, format!("it was not used for {limit}"));
    }
    if let Some(most) = policy.max_size.filter(|most| together > *most) {
        return (true, format!("with what was used later it has more than {most} bytes"));
    }
    keep("nothing asks for its removal".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * 20_000
    }

    fn entry(key: &str, days: u32, size: u64, state: State) -> Entry {
        let used = now() - DAY * days;
        Entry { key: key.into(), source: Some("debian-12".into()), size: Some(size), made: used, used, state }
    }

    fn removed(decisions: &[Decision]) -> Vec<&str> {
        decisions.iter().filter(|decision| decision.remove).map(|decision| decision.entry.key.as_str()).collect()
    }

    fn some() -> Vec<Entry> {
        vec![
            entry("new", 0, 100, State::Idle),
            entry("used", 1, 100, State::InUse),
            entry("middle", 10, 100, State::Idle),
            entry("stood-on", 40, 100, State::StoodOn(vec!["/p/.amiforge".into()])),
            entry("old", 50, 100, State::Idle),
            entry("damaged", 60, 0, State::Damaged("x".into())),
            entry("leftover", 70, 0, State::Leftover),
            entry("ancient", 80, 0, State::Old),
        ]
    }

    #[test]
    fn without_a_wish_only_rubbish_goes() {
        assert_eq!(removed(&decide(some(), Policy::default(), now())), ["damaged", "leftover"]);
    }

    #[test]
    fn each_wish_takes_what_it_names() {
        let of = |policy| decide(some(), policy, now());
        let older = of(Policy { older_than: Some(DAY * 30), ..Policy::default() });
        assert_eq!(removed(&older), ["old", "damaged", "leftover"]);
        assert_eq!(older[4].why, "it was not used for 30days");
        assert_eq!(older[3].why, "images stand on it, in /p/.amiforge");
        let smaller = of(Policy { max_size: Some(350), ..Policy::default() });
        assert_eq!(removed(&smaller), ["old", "damaged", "leftover"]);
        let all = of(Policy { all: true, ..Policy::default() });
        assert_eq!(removed(&all), ["new", "middle", "old", "damaged", "leftover", "ancient"]);
    }

    #[test]
    fn an_entry_used_in_the_future_is_new() {
        let mut entry = entry("x", 0, 1, State::Idle);
        entry.used = now() + DAY;
        let policy = Policy { older_than: Some(DAY), ..Policy::default() };
        assert_eq!(removed(&decide(vec![entry], policy, now())), Vec::<&str>::new());
    }

    fn states() -> impl Strategy<Value = State> {
        prop::sample::select(vec![
            State::Idle,
            State::InUse,
            State::StoodOn(vec!["/x".into()]),
            State::Making,
            State::Leftover,
            State::Old,
        ])
    }

    proptest! {
        #[test]
        fn nothing_in_use_ever_goes_and_what_is_kept_idle_fits(
            list in prop::collection::vec((0_u32..90, 0_u64..1000, states()), 0..12),
            days in prop::option::of(0_u32..90),
            most in prop::option::of(0_u64..3000),
            all in any::<bool>(),
        ) {
            let mut entries: Vec<Entry> =
                list.into_iter().map(|(days, size, state)| entry("k", days, size, state)).collect();
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
            let policy = Policy { older_than: days.map(|days| DAY * days), max_size: most, all, dry_run: true };
            let decisions = decide(entries, policy, now());
            for decision in &decisions {
                let free = matches!(decision.entry.state, State::Idle | State::Leftover | State::Old | State::Damaged(_));
                prop_assert!(free || !decision.remove);
                prop_assert!(!decision.why.is_empty());
            }
            if let Some(most) = most {
                let mut kept = 0;
                for decision in decisions.iter().filter(|decision| !decision.remove) {
                    kept += decision.entry.size.unwrap_or(0);
                    prop_assert!(decision.entry.state != State::Idle || kept <= most);
                }
            }
        }
    }
}
