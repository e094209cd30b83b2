//! How often builds are looked at, all that this process follows together, so that the calls per minute stay the same however
//! many there are.
//!
//! A few builds are asked for one by one. Many are found in one reading of all build versions of the account
//! ([`Follow::glance`]): 25 of them per call instead of one. When that turns out to be dearer than asking one by one (an account
//! with a long history) or does not show the builds, they are asked for one by one again, more seldom. The steps of a
//! build's workflow, which only serve to show where it is, are looked up from what is left over.

use super::cloud::Cloud;
use super::error::CallError;
use super::pace::{Pace, READING};
use aws_sdk_imagebuilder::types::ImageSummary;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Up to so many builds are asked for one by one, each at the shortest interval.
const FEW: usize = 20;
/// Shortest time from the beginning of one reading of all builds to that of the next, and between looks at many builds one by one:
/// 15 to 30 s is the advice of image-builder.md section 4.
const SWEEP: Duration = Duration::from_secs(15);
/// Part of the calls that may be spent on states, and on steps. The rest is for what starts, ends and failed.
const FOR_STATES: f64 = READING * 0.4;
const FOR_STEPS: f64 = READING * 0.2;
/// Calls that show the steps of one build: its workflows, and the steps of the running one.
const STEP_CALLS: f64 = 2.0;
/// `ListImages` may miss a new image for up to two minutes (image-builder.md section 3), and a minute for good measure.
const LAG: Duration = Duration::from_mins(3);

/// The builds that this process follows in one account and Region.
#[derive(Debug)]
pub(crate) struct Looks {
    pace: Option<Pace>,
    followed: Mutex<HashMap<String, Followed>>,
    sweep: Mutex<Sweep>,
    /// Held by the follower that reads all builds.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Followed {
    since: Instant,
    /// When its steps may be looked up next.
    steps: Instant,
    /// Several may follow one build.
    followers: usize,
    /// What the last reading of all builds said.
    status: Option<String>,
    /// Wakes its followers when a reading has found it ended: they need not wait for their next look, nor for the reading's end.
    ended: Arc<Notify>,
}

/// The last reading of all builds.
#[derive(Debug, Default, Clone, Copy)]
struct Sweep {
    /// When it began.
    at: Option<Instant>,
    /// Calls it took.
    pages: usize,
    /// It is of no use in this account.
    useless: bool,
}

/// What a glance at a build says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Glance {
    /// It has to be asked for by itself.
    Ask,
    /// It is in this state, and has not ended.
    Going(String),
    /// It is too new to be listed.
    New,
}

impl Looks {
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Self { pace, followed: Mutex::default(), sweep: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn sweep(&self) -> MutexGuard<'_, Sweep> {
        // Numbers that are written together.
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<String, Followed>> {
        // Entries are inserted and removed whole.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a build among those that are followed, until the result is dropped.
    pub(crate) fn follow(&self, arn: &str) -> Follow<'_> {
        let now = Instant::now();
        let mut followed = self.followed();
        let new = || Followed { since: now, steps: now, followers: 0, status: None, ended: Arc::default() };
        let entry = followed.entry(arn.to_owned()).or_insert_with(new);
        entry.followers += 1;
        Follow { looks: self, arn: arn.to_owned(), ended: Arc::clone(&entry.ended) }
    }

    /// Builds that are followed now.
    pub(crate) fn count(&self) -> usize {
        self.followed().len()
    }

    /// Whether each build may be given the calls that only serve to show more of it.
    pub(crate) fn few(&self) -> bool {
        self.pace.is_none() || self.count() <= FEW
    }

    /// One call per build within this time is what the pace allows.
    fn spread(&self, calls: f64, rate: f64) -> Duration {
        let share = self.pace.as_ref().map_or(1.0, Pace::share);
        Duration::from_secs_f64(calls / (rate * share))
    }

    /// Reads all builds. The caller holds the turn.
    async fn read(&self, cloud: &Cloud) -> Result<(), CallError> {
        let began = Instant::now();
        let mut pages = cloud.imagebuilder().list_image_build_versions().into_paginator().send();
        let (mut count, mut seen) = (0, HashSet::new());
        while let Some(page) = pages.next().await {
            count += 1;
            let page = page.map_err(CallError::of("ListImageBuildVersions", cloud.home()))?;
            self.note(page.image_summary_list(), &mut seen);
        }
        let mut followed = self.followed();
        let mut missed = 0;
        #[allow(clippy::iter_over_hash_type, reason = "each entry is brought up to date by itself")]
        for (arn, entry) in followed.iter_mut() {
            if !seen.contains(arn) {
                entry.status = None;
                missed += usize::from(entry.since.elapsed() > LAG);
            }
        }
        // Dearer than asking for each, or blind for most of them.
        let useless = count > followed.len() || missed * 2 > followed.len();
        *self.sweep() = Sweep { at: Some(began), pages: count, useless };
        Ok(())
    }

    /// Keeps what one page says of the builds that are followed.
    fn note(&self, page: &[ImageSummary], seen: &mut HashSet<String>) {
        let mut followed = self.followed();
        for image in page {
            let status = image.state().and_then(|state| state.status());
            let Some((arn, status)) = image.arn().zip(status) else { continue };
            let Some(entry) = followed.get_mut(arn) else { continue };
            entry.status = Some(status.as_str().to_owned());
            seen.insert(arn.to_owned());
            if !going(status.as_str()) {
                entry.ended.notify_waiters();
                entry.ended.notify_one();
            }
        }
    }
}

/// One build that is followed.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    looks: &'a Looks,
    arn: String,
    ended: Arc<Notify>,
}

impl Drop for Follow<'_> {
    fn drop(&mut self) {
        let mut followed = self.looks.followed();
        if let Some(entry) = followed.get_mut(&self.arn) {
            entry.followers -= 1;
            if entry.followers == 0 {
                followed.remove(&self.arn);
            }
        }
    }
}

impl Follow<'_> {
    /// Time until the next look; `shortest` is the environment's own.
    pub(crate) fn interval(&self, shortest: Duration) -> Duration {
        if self.looks.few() {
            return shortest;
        }
        let sweep = *self.looks.sweep();
        #[allow(clippy::cast_precision_loss, reason = "counts of builds and pages")]
        let calls = if sweep.useless { self.looks.count() } else { sweep.pages } as f64;
        let every = self.looks.spread(calls, FOR_STATES).max(SWEEP);
        match sweep.at {
            // All wake up when the next reading is due, so that nobody looks at an old one.
            Some(at) if !sweep.useless => every.saturating_sub(at.elapsed()).max(Duration::from_secs(1)),
            _ => every,
        }
    }

    /// Waits until a reading of all builds has found this one ended.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// What is known of the build without a call of its own.
    pub(crate) async fn glance(&self, cloud: &Cloud) -> Glance {
        if self.looks.few() || self.looks.sweep().useless || self.over() {
            return Glance::Ask;
        }
        let _turn = tokio::select! {
            turn = self.looks.turn.lock() => turn,
            () = self.ended() => return Glance::Ask,
        };
        // Followers come one after the other; the first one reads for all.
        let sweep = *self.looks.sweep();
        let fresh = sweep.at.is_some_and(|at| at.elapsed() < SWEEP);
        if !fresh && let Err(error) = self.looks.read(cloud).await {
            tracing::debug!(%error, "the builds of the account cannot be read at once");
            // After a passing trouble the others make do with what was known until the next reading is due.
            let useless = !(error.fault.throttled || error.fault.may_have_been_applied());
            *self.looks.sweep() = Sweep { at: Some(Instant::now()), useless, ..sweep };
            return Glance::Ask;
        }
        let followed = self.looks.followed();
        match followed.get(&self.arn) {
            Some(Followed { status: Some(status), .. }) if going(status) => Glance::Going(status.clone()),
            Some(Followed { status: None, since, .. }) if since.elapsed() < LAG => Glance::New,
            _ => Glance::Ask,
        }
    }

    /// Whether a reading has found it ended.
    fn over(&self) -> bool {
        let followed = self.looks.followed();
        let status = followed.get(&self.arn).and_then(|entry| entry.status.as_deref());
        status.is_some_and(|status| !going(status))
    }

    /// Whether the build's steps may be looked up now. It is not asked for twice within the time that its share allows.
    pub(crate) fn may_show_steps(&self) -> bool {
        if self.looks.pace.is_none() {
            return true;
        }
        #[allow(clippy::cast_precision_loss, reason = "a count of builds")]
        let calls = STEP_CALLS * self.looks.count() as f64;
        let (now, every) = (Instant::now(), self.looks.spread(calls, FOR_STEPS));
        let mut followed = self.looks.followed();
        let position = followed.len();
        let Some(entry) = followed.get_mut(&self.arn) else { return false };
        if entry.steps > now {
            return false;
        }
        // The first time of each lies somewhere in its interval, so that they do not come all at once.
        let first = entry.steps == entry.since && position > FEW;
        entry.steps = now + if first { every.mul_f64(fraction(&self.arn)) } else { every };
        !first
    }
}

/// A number from 0 to 1 that follows from the ARN.
fn fraction(arn: &str) -> f64 {
    let hash = arn.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    f64::from(hash) / f64::from(u32::MAX)
}

/// Whether a build in this state has not ended (image-builder.md 11.1).
fn going(status: &str) -> bool {
    matches!(status, "PENDING" | "CREATING" | "BUILDING" | "TESTING" | "DISTRIBUTING" | "INTEGRATING")
}

#[cfg(test)]
#[path = "looks_tests.rs"]
mod tests;
