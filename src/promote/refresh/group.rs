//! One group: noted, pinned, its refresh started or joined, followed, and its configuration put right.

use super::configuration::Launch;
use super::look;
use super::model::{Group, Outcome, Planned, Point, Refreshed, Work};
use super::note::{KEY, Note, Tracks};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::event::{Ending, Event, Events, Stage};
use crate::project::{Location, Refresh};
use aws_sdk_autoscaling::types::{
    AlarmSpecification, InstanceRefresh, InstanceRefreshStatus as Status, RefreshPreferences, Tag,
};
use std::time::Duration;

/// How long it is waited for a group to show what was written.
const READ_BACK: Duration = Duration::from_mins(1);
/// Longest time between two looks while reading back.
const READ_EVERY: Duration = Duration::from_secs(2);

/// What is done with the groups of a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) point: &'a Point,
    /// The number that groups are brought to.
    pub(super) to: i64,
    pub(super) settings: &'a Refresh,
    pub(super) events: &'a Events,
    /// The command that goes on with it.
    pub(super) resume: &'a str,
}

/// What came of the wish to start a refresh.
enum Started {
    /// It runs under this id.
    Runs(String),
    /// Somebody else's does.
    Busy(String),
}

impl Job<'_> {
    fn place(&self) -> &Location {
        &self.point.place
    }

    /// The name under which its progress is told.
    fn lane(&self, group: &Group) -> String {
        format!("{} {}", crate::promote::model::place(self.place()), group.name)
    }

    fn outcome(&self, planned: &Planned, outcome: Outcome) -> Refreshed {
        let (group, id) = (&planned.group, self.point.template_id.as_deref());
        Refreshed {
            from: planned.from,
            to: Some(self.to),
            launches: Some(group.launch.versions(id, &self.point.template)).filter(|text| !text.is_empty()),
            ..Refreshed::new(self.place(), &group.name, outcome)
        }
    }

    /// Does what is planned, to its end.
    pub(super) async fn run(&self, planned: &Planned) -> Refreshed {
        let lane = self.lane(&planned.group);
        self.events.lane_started(&lane, format!("to version {}", self.to));
        let done = match self.carry_out(planned).await {
            Ok(done) => done,
            Err(error) => {
                let failed = self.outcome(planned, Outcome::Failed).because(error.to_string());
                Refreshed { denied: error.fault.denied, ..failed }
            }
        };
        let ending = match done.outcome {
            Outcome::Unchanged => Ending::Unchanged,
            outcome if outcome.is_done() => Ending::Done,
            _ => Ending::Failed,
        };
        let reason = done.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        self.events.lane_finished(&lane, ending, format!("{}{reason}", done.outcome.word()));
        done
    }

    async fn carry_out(&self, planned: &Planned) -> Result<Refreshed, CallError> {
        match &planned.work {
            Work::Cannot(why) => Ok(self.outcome(planned, Outcome::Cannot).because(why)),
            Work::Busy(why) => Ok(self.outcome(planned, Outcome::Busy).because(why)),
            Work::Nothing => Ok(self.outcome(planned, Outcome::Unchanged)),
            Work::Settle => self.settle(planned, Outcome::Settled).await,
            Work::Join(id) => self.follow(planned, id).await,
            Work::Start { pin } => match self.start(planned, *pin).await? {
                Started::Runs(id) => self.follow(planned, &id).await,
                Started::Busy(why) => Ok(self.outcome(planned, Outcome::Busy).because(why)),
            },
        }
    }

    /// The places of a group's configuration that name the template, with a version for each.
    fn versions(&self, launch: &Launch, version: impl Fn(usize) -> String) -> Tracks {
        let spots = launch.spots_of(self.point.template_id.as_deref(), &self.point.template);
        spots.iter().map(|spot| (spot.at, version(spot.at))).collect()
    }

    /// Starts a refresh, or finds the one that is running already. What the group tracks is written down first: from here on a
    /// program may die at any time.
    async fn start(&self, planned: &Planned, pin: Option<i64>) -> Result<Started, CallError> {
        let group = &planned.group;
        if !planned.tracks.is_empty() {
            let note = Note { to: self.to, from: planned.from, tracks: planned.tracks.clone() };
            if group.note.as_ref() != Some(&note) {
                self.write(group, &note).await?;
            }
        }
        if let Some(pin) = pin {
            let spots = group.launch.spots_of(self.point.template_id.as_deref(), &self.point.template);
            let tracking = spots.iter().filter(|spot| spot.number().is_none());
            let pinned: Tracks = tracking.map(|spot| (spot.at, pin.to_string())).collect();
            self.update(group, &group.launch.with(&pinned)).await?;
        }
        let numbers = self.versions(&group.launch, |_| self.to.to_string());
        let request = self
            .cloud
            .autoscaling(self.place())
            .start_instance_refresh()
            .auto_scaling_group_name(&group.name)
            .desired_configuration(group.launch.with(&numbers).as_desired())
            .preferences(preferences(self.settings));
        let answer = request.send().await.map_err(CallError::of("StartInstanceRefresh", self.place()));
        let error = match answer.map(|answer| answer.instance_refresh_id) {
            Ok(Some(id)) => return Ok(Started::Runs(id)),
            Ok(None) => None,
            Err(error) if error.fault.may_have_been_applied() => Some(error),
            Err(error) if error.fault.is(&["InstanceRefreshInProgress"]) => Some(error),
            Err(error) => return Err(error),
        };
        // Ours, if the answer was lost; or somebody was faster.
        let found = look::active(self.cloud, self.place(), &group.name).await?;
        match (found, error) {
            (Some(found), _) if self.is_ours(&found.desired) => Ok(Started::Runs(found.id)),
            (Some(found), _) => {
                Ok(Started::Busy(format!("instance refresh {} to another version is {}", found.id, found.status)))
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Started::Busy("the refresh that was started has no id".to_owned())),
        }
    }

    /// Whether a refresh brings the group to our version.
    fn is_ours(&self, desired: &Launch) -> bool {
        let spots = desired.spots_of(self.point.template_id.as_deref(), &self.point.template);
        !spots.is_empty() && spots.iter().all(|spot| spot.number() == Some(self.to))
    }

    /// Follows a refresh to its end, or until the deadline.
    async fn follow(&self, planned: &Planned, id: &str) -> Result<Refreshed, CallError> {
        let name = &planned.group.name;
        self.tell(name, id, true);
        let lane = self.lane(&planned.group);
        let mut waiting = Poller { every: self.cloud.poll(), deadline: self.settings.deadline() }.start();
        let mut percent = None;
        loop {
            let found = match look::refresh(self.cloud, self.place(), name, id).await {
                // What is made a moment ago need not show yet, and a look that fails in passing is made again.
                Err(error) if error.fault.throttled || error.fault.may_have_been_applied() => None,
                found => found?,
            };
            if let Some(found) = found {
                percent = found.percentage_complete.or(percent);
                if found.status.as_ref().is_some_and(|status| !look::goes_on(status)) {
                    self.tell(name, id, false);
                    let done = self.ended(planned, &found).await?;
                    return Ok(Refreshed { refresh: Some(id.to_owned()), percent, ..done });
                }
                self.events.lane_progress(&lane, progress(&found));
            }
            if let Err(timed_out) = waiting.pause().await {
                let done = self.outcome(planned, Outcome::TimedOut).because(timed_out.to_string());
                return Ok(Refreshed { refresh: Some(id.to_owned()), percent, launches: None, ..done });
            }
        }
    }

    /// Tells those that have to know what goes on without this process.
    fn tell(&self, group: &str, id: &str, running: bool) {
        self.events.send(Event::Refresh {
            stage: Stage::Promote,
            place: crate::promote::model::place(self.place()),
            group: group.to_owned(),
            refresh: id.to_owned(),
            running,
            resume: self.resume.to_owned(),
        });
    }

    /// What the end of a refresh means for the group.
    async fn ended(&self, planned: &Planned, found: &InstanceRefresh) -> Result<Refreshed, CallError> {
        let outcome = match &found.status {
            Some(Status::Successful) => return self.settle(planned, Outcome::Refreshed).await,
            Some(Status::RollbackSuccessful) => Outcome::RolledBack,
            Some(Status::Cancelled) => Outcome::Cancelled,
            _ => Outcome::Failed,
        };
        let status = found.status.as_ref().map_or("unknown", Status::as_str);
        let details = found.rollback_details.as_ref().and_then(|details| details.rollback_reason.as_deref());
        let reason = found.status_reason.as_deref().or(details).unwrap_or("the service gives no reason");
        let now = look::group(self.cloud, self.place(), &planned.group.name).await?;
        let Some(now) = now else {
            return Ok(self.outcome(planned, outcome).because(format!("{status}: {reason}; the group is gone")));
        };
        let stray = match planned.from.filter(|_| outcome == Outcome::RolledBack) {
            Some(from) => strays(&now, from),
            None => 0,
        };
        let stray = if stray == 0 { String::new() } else { format!("; {stray} instances are not on it") };
        // What was never pinned needs no note any more.
        if now.note.is_some() && self.is_as_it_was(&now, &planned.tracks) {
            self.erase(&now).await?;
        }
        let done = self.outcome(&Planned { group: now, ..planned.clone() }, outcome);
        Ok(done.because(format!("{status}: {reason}{stray}")))
    }

    /// Whether every place tracks what it tracked.
    fn is_as_it_was(&self, group: &Group, tracks: &Tracks) -> bool {
        let spots = group.launch.spots_of(self.point.template_id.as_deref(), &self.point.template);
        spots.iter().all(|spot| tracks.get(&spot.at).is_none_or(|tracked| spot.version() == tracked))
    }

    /// Makes the group track again what it tracked, or have the number of the release; then removes the note.
    async fn settle(&self, planned: &Planned, outcome: Outcome) -> Result<Refreshed, CallError> {
        let wanted = |at: usize| planned.tracks.get(&at).cloned().unwrap_or_else(|| self.to.to_string());
        let name = &planned.group.name;
        let mut waiting = Poller { every: self.cloud.poll().min(READ_EVERY), deadline: READ_BACK }.start();
        let mut written = false;
        loop {
            let Some(now) = look::group(self.cloud, self.place(), name).await? else {
                return Ok(self.outcome(planned, Outcome::Failed).because("the group is gone"));
            };
            let versions = self.versions(&now.launch, wanted);
            let spots = now.launch.spots_of(self.point.template_id.as_deref(), &self.point.template);
            if spots.iter().all(|spot| versions.get(&spot.at).map(String::as_str) == Some(spot.version())) {
                if now.note.is_some() {
                    self.erase(&now).await?;
                }
                return Ok(self.outcome(&Planned { group: now, ..planned.clone() }, outcome));
            }
            if !written {
                self.update(&now, &now.launch.with(&versions)).await?;
                written = true;
                continue;
            }
            if let Err(timed_out) = waiting.pause().await {
                let why = format!("its configuration was written but does not show: {timed_out}");
                return Ok(self.outcome(planned, Outcome::Failed).because(why));
            }
        }
    }

    /// Lets a group launch from something else.
    async fn update(&self, group: &Group, launch: &Launch) -> Result<(), CallError> {
        let (template, policy) = launch.parts();
        let request = self.cloud.autoscaling(self.place()).update_auto_scaling_group();
        let request = request.auto_scaling_group_name(&group.name);
        let request = request.set_launch_template(template).set_mixed_instances_policy(policy);
        request.send().await.map(drop).map_err(CallError::of("UpdateAutoScalingGroup", self.place()))
    }

    async fn write(&self, group: &Group, note: &Note) -> Result<(), CallError> {
        let request = self.cloud.autoscaling(self.place()).create_or_update_tags();
        let request = request.tags(tag(group).value(note.to_string()).propagate_at_launch(false).build());
        request.send().await.map(drop).map_err(CallError::of("CreateOrUpdateTags", self.place()))
    }

    async fn erase(&self, group: &Group) -> Result<(), CallError> {
        let request = self.cloud.autoscaling(self.place()).delete_tags().tags(tag(group).build());
        request.send().await.map(drop).map_err(CallError::of("DeleteTags", self.place()))
    }
}

fn tag(group: &Group) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder().resource_id(&group.name).resource_type("auto-scaling-group").key(KEY)
}

/// Instances that are not of that version.
fn strays(group: &Group, version: i64) -> usize {
    group.instances.iter().filter(|one| one.from.as_ref().is_none_or(|(_, number)| *number != version)).count()
}

/// How far a refresh is, in one line.
fn progress(found: &InstanceRefresh) -> String {
    let status = found.status.as_ref().map_or("unknown", Status::as_str);
    let percent = found.percentage_complete.unwrap_or(0);
    let left = match found.instances_to_update {
        Some(1) => ", 1 instance left".to_owned(),
        Some(left) if left > 0 => format!(", {left} instances left"),
        _ => String::new(),
    };
    let reason = found.status_reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{percent} %{left} ({status}){reason}")
}

fn preferences(settings: &Refresh) -> RefreshPreferences {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
    let stops: Vec<i32> = settings.checkpoints.iter().map(|one| number(*one)).collect();
    let alarms = (!settings.alarms.is_empty())
        .then(|| AlarmSpecification::builder().set_alarms(Some(settings.alarms.clone())).build());
    RefreshPreferences::builder()
        .set_min_healthy_percentage(settings.min_healthy.map(number))
        .set_max_healthy_percentage(settings.max_healthy.map(number))
        .set_instance_warmup(settings.warmup.map(seconds))
        .set_checkpoint_percentages((!stops.is_empty()).then_some(stops))
        .set_checkpoint_delay(settings.checkpoint_delay.map(seconds))
        .set_bake_time(settings.bake.map(seconds))
        .set_alarm_specification(alarms)
        .auto_rollback(settings.rollback)
        .skip_matching(settings.skip_matching)
        .build()
}
