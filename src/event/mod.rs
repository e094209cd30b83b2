//! The one stream of progress events. Whoever works sends; bars, plain lines and NDJSON are sinks in `cli`.

use std::sync::Arc;
use std::time::Duration;

/// The stages of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Project files are read, checked and rendered.
    Check,
    /// Desired resources are compared with the account.
    Plan,
    /// Components, recipe and infrastructure configuration are created.
    Publish,
    /// The parent image is resolved (and made, in the local environment).
    Parent,
    /// The image is built: build and validate phases, new image.
    Build,
    /// The test phase runs in a fresh instance of the new image.
    Test,
    /// Inventory and patch state are captured on a fresh instance.
    Validate,
    /// Gates are evaluated.
    Gate,
    /// The channel is moved.
    Promote,
    /// Component documents run on this machine.
    Run,
}

impl Stage {
    /// The word shown in front of a progress line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plan => "plan",
            Self::Publish => "publish",
            Self::Parent => "parent",
            Self::Build => "build",
            Self::Test => "test",
            Self::Validate => "validate",
            Self::Gate => "gate",
            Self::Promote => "promote",
            Self::Run => "run",
        }
    }
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Work was done.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// It failed; the error that is returned says why.
    Failed,
}

/// Something that happened.
#[allow(missing_docs, reason = "the fields are what the variants speak of")]
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage began.
    StageStarted { stage: Stage, message: String },
    /// What the stage is doing now: replaces the line's text.
    Progress { stage: Stage, message: String },
    /// A line of output of what runs in an instance.
    Output { stage: Stage, line: String },
    /// A fact worth keeping on the screen.
    Note { stage: Stage, message: String },
    /// A stage ended.
    StageFinished { stage: Stage, ending: Ending, message: String },
    /// A build was started, or one that was under way is joined. Notes say the same to people.
    BuildStarted { stage: Stage, image_arn: String, joined: bool },
    /// An instance refresh was started or joined, or has ended. Lanes say the same to people.
    Refresh { stage: Stage, place: String, group: String, refresh: String, running: bool, resume: String },
    /// The step of a build's workflow that runs now, whenever it is looked at. Expectations are medians of earlier builds.
    Step { stage: Stage, step: StepNow },
    /// One of several works that go on at the same time began.
    LaneStarted { lane: String, message: String },
    /// What it is doing now: replaces the line's text.
    LaneProgress { lane: String, message: String },
    /// A line of output of what runs in its instance.
    LaneOutput { lane: String, line: String },
    /// It ended.
    LaneFinished { lane: String, ending: Ending, message: String },
    /// What happened to one of several images that are worked on at the same time.
    Image { image: String, what: Box<Event> },
}

/// A step of a build's workflow that runs or waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct StepNow {
    /// Its name in the workflow, for example `ApplyBuildComponents`.
    pub name: String,
    /// Seconds since it began.
    pub elapsed_seconds: Option<u64>,
    /// Seconds it took in earlier builds of the same image.
    pub expected_seconds: Option<u64>,
    /// It waits for an answer of somebody (`WaitForAction`): the id to answer to.
    pub waits_for_answer: Option<String>,
}

impl StepNow {
    /// `ApplyBuildComponents, 4 min of about 12 min`.
    #[must_use]
    pub fn text(&self) -> String {
        if self.waits_for_answer.is_some() {
            return format!("{} waits for an answer", self.name);
        }
        let about = |seconds| human_minutes(Duration::from_secs(seconds));
        match (self.elapsed_seconds, self.expected_seconds) {
            (Some(elapsed), Some(expected)) => {
                format!("{}, {} of about {}", self.name, about(elapsed), about(expected))
            }
            (Some(elapsed), None) => format!("{}, {}", self.name, about(elapsed)),
            (None, Some(expected)) => format!("{}, about {}", self.name, about(expected)),
            (None, None) => self.name.clone(),
        }
    }
}

/// Where events go. Cheap to clone; sending never blocks for long and never fails.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events handed to `sink`.
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Nobody listens.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// Sends one event.
    pub fn send(&self, event: Event) {
        (self.0)(event);
    }

    /// A stage began.
    pub fn started(&self, stage: Stage, message: impl Into<String>) {
        self.send(Event::StageStarted { stage, message: message.into() });
    }

    /// What the stage is doing now.
    pub fn progress(&self, stage: Stage, message: impl Into<String>) {
        self.send(Event::Progress { stage, message: message.into() });
    }

    /// A fact worth keeping.
    pub fn note(&self, stage: Stage, message: impl Into<String>) {
        self.send(Event::Note { stage, message: message.into() });
    }

    /// One of several works began.
    pub fn lane_started(&self, lane: &str, message: impl Into<String>) {
        self.send(Event::LaneStarted { lane: lane.to_owned(), message: message.into() });
    }

    /// What it is doing now.
    pub fn lane_progress(&self, lane: &str, message: impl Into<String>) {
        self.send(Event::LaneProgress { lane: lane.to_owned(), message: message.into() });
    }

    /// A line that something in its instance has written.
    pub fn lane_output(&self, lane: &str, line: impl Into<String>) {
        self.send(Event::LaneOutput { lane: lane.to_owned(), line: line.into() });
    }

    /// It ended.
    pub fn lane_finished(&self, lane: &str, ending: Ending, message: impl Into<String>) {
        self.send(Event::LaneFinished { lane: lane.to_owned(), ending, message: message.into() });
    }

    /// The same stream, for one of several images: every event says which one it is about.
    #[must_use]
    pub fn of_image(&self, image: &str) -> Self {
        let (all, image) = (self.clone(), image.to_owned());
        Self::new(move |what| all.send(Event::Image { image: image.clone(), what: Box::new(what) }))
    }

    /// The same stream, which `also` sees first.
    #[must_use]
    pub fn seen_by(self, also: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self::new(move |event| {
            also(&event);
            self.send(event);
        })
    }

    /// A stage ended.
    pub fn finished(&self, stage: Stage, ending: Ending, message: impl Into<String>) {
        self.send(Event::StageFinished { stage, ending, message: message.into() });
    }
}

/// A duration as people read it: `0.3 s`, `12.4 s`, `3 min 05 s`.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

/// The same in round figures, for what is only an estimate: `40 s`, `4 min`, `1 h 10 min`.
#[must_use]
pub fn human_minutes(duration: Duration) -> String {
    let (seconds, minutes) = (duration.as_secs(), (duration.as_secs() + 30) / 60);
    match minutes {
        _ if seconds < 60 => format!("{seconds} s"),
        0..60 => format!("{minutes} min"),
        _ if minutes % 60 == 0 => format!("{} h", minutes / 60),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_figures_are_round() {
        let text = |seconds| human_minutes(Duration::from_secs(seconds));
        assert_eq!([text(0), text(59), text(60), text(89), text(90)], ["0 s", "59 s", "1 min", "1 min", "2 min"]);
        assert_eq!([text(3600), text(4200), text(3599)], ["1 h", "1 h 10 min", "1 h"]);
    }

    #[test]
    fn a_step_says_how_far_it_is_as_well_as_it_knows() {
        let mut step = StepNow { name: "Apply".into(), ..StepNow::default() };
        assert_eq!(step.text(), "Apply");
        step.expected_seconds = Some(720);
        assert_eq!(step.text(), "Apply, about 12 min");
        step.elapsed_seconds = Some(240);
        assert_eq!(step.text(), "Apply, 4 min of about 12 min");
        step.waits_for_answer = Some("step-1".into());
        assert_eq!(step.text(), "Apply waits for an answer");
    }

    #[test]
    fn events_of_one_image_say_so_and_keep_their_form() {
        let seen = Arc::new(std::sync::Mutex::new(vec![]));
        let sink = Arc::clone(&seen);
        let events = Events::new(move |event| sink.lock().unwrap().push(serde_json::to_value(event).unwrap()));
        events.of_image("web/arm64").note(Stage::Build, "started");
        assert_eq!(
            seen.lock().unwrap()[0],
            serde_json::json!({"event": "image", "image": "web/arm64",
                "what": {"event": "note", "stage": "build", "message": "started"}})
        );
    }
}
