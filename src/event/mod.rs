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
    /// One of several works that go on at the same time began.
    LaneStarted { lane: String, message: String },
    /// What it is doing now: replaces the line's text.
    LaneProgress { lane: String, message: String },
    /// A line of output of what runs in its instance.
    LaneOutput { lane: String, line: String },
    /// It ended.
    LaneFinished { lane: String, ending: Ending, message: String },
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
