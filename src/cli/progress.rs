//! Sinks of the event stream on stderr: live bars, plain lines, NDJSON.

use super::args::Progress;
use crate::event::{Ending, Event, Events, Stage, StepNow, human_duration};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a spinner frame stays.
const TICK: Duration = Duration::from_millis(120);
/// A progress text longer than this is cut: a bar must stay on one line.
const LINE: usize = 100;

/// The sink for `choice`.
#[must_use]
pub fn sink(choice: Progress) -> Events {
    match choice {
        Progress::None => Events::none(),
        Progress::Ndjson => Events::new(|event| {
            if let Ok(line) = serde_json::to_string(&event) {
                write_line(&line);
            }
        }),
        Progress::Auto if std::io::stderr().is_terminal() => bars(),
        Progress::Bars => bars(),
        Progress::Auto | Progress::Plain => plain(),
    }
}

/// A line on stderr; a closed stderr is nobody's problem.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn plain() -> Events {
    let lines = Mutex::new(Lines::default());
    Events::new(move |event| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.line("", event) {
            write_line(&line);
        }
    })
}

/// What was said so far; a log wants each text once, and progress repeats itself on every look.
#[derive(Debug, Default)]
struct Lines {
    /// By image (empty when there is only one) and stage: when it began, and its last text.
    stages: BTreeMap<(String, Stage), (Instant, String)>,
    lanes: BTreeMap<String, String>,
}

impl Lines {
    /// The line for an event, if it is worth one. Lines about one of several images begin with its name.
    fn line(&mut self, image: &str, event: Event) -> Option<String> {
        let line = match event {
            Event::Image { image, what } => return self.line(&image, *what),
            Event::LaneStarted { lane, message } => return Some(lane_line(&lane, ' ', &message)),
            Event::LaneProgress { lane, message } => {
                if self.lanes.get(&lane) == Some(&message) {
                    return None;
                }
                let line = lane_line(&lane, '…', &message);
                self.lanes.insert(lane, message);
                return Some(line);
            }
            // Of works that go on at the same time the lines would be a jumble; what failed is told with its last ones.
            Event::LaneOutput { .. } | Event::BuildStarted { .. } | Event::Refresh { .. } => return None,
            Event::LaneFinished { lane, ending, message } => {
                self.lanes.remove(&lane);
                return Some(lane_line(&lane, mark(ending), &message));
            }
            Event::StageStarted { stage, message } => {
                self.stages.insert((image.to_owned(), stage), (Instant::now(), String::new()));
                format!("{:>8}  {}", stage.word(), cut(&message))
            }
            Event::Progress { stage, message } => self.once(image, stage, message)?,
            // How far a step is changes with every look; once it is told that it began.
            Event::Step { stage, step } => self.once(image, stage, StepNow { elapsed_seconds: None, ..step }.text())?,
            Event::Output { .. } if !image.is_empty() => return None,
            Event::Output { stage, line } => format!("{:>8}  | {line}", stage.word()),
            Event::Note { stage, message } => format!("{:>8}  · {message}", stage.word()),
            Event::StageFinished { stage, ending, message } => {
                let since = self.stages.get(&(image.to_owned(), stage));
                finished_line(stage, ending, &message, since.map_or(Duration::ZERO, |(since, _)| since.elapsed()))
            }
        };
        Some(if image.is_empty() { line } else { format!("{image}  {}", line.trim_start()) })
    }

    fn once(&mut self, image: &str, stage: Stage, message: String) -> Option<String> {
        let entry = self.stages.entry((image.to_owned(), stage)).or_insert_with(|| (Instant::now(), String::new()));
        if entry.1 == message {
            return None;
        }
        let line = format!("{:>8}  … {message}", stage.word());
        entry.1 = message;
        Some(line)
    }
}

fn mark(ending: Ending) -> char {
    match ending {
        Ending::Done => '✓',
        Ending::Unchanged => '=',
        Ending::Failed => '✗',
    }
}

/// A line about one of several works.
fn lane_line(lane: &str, mark: char, message: &str) -> String {
    format!("{lane}  {mark} {}", cut(message))
}

fn finished_line(stage: Stage, ending: Ending, message: &str, elapsed: Duration) -> String {
    format!("{:>8}  {} {message} ({})", stage.word(), mark(ending), human_duration(elapsed))
}

/// One line per stage, and per work or image of several: a spinner while it works, a mark when it has ended.
fn bars() -> Events {
    let bars = Mutex::new(Bars {
        multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
        stages: BTreeMap::new(),
        lanes: BTreeMap::new(),
    });
    Events::new(move |event| bars.lock().unwrap_or_else(PoisonError::into_inner).show(event))
}

#[derive(Debug)]
struct Bars {
    multi: MultiProgress,
    stages: BTreeMap<Stage, ProgressBar>,
    lanes: BTreeMap<String, ProgressBar>,
}

impl Bars {
    fn show(&mut self, event: Event) {
        match event {
            Event::Image { image, what } => self.image(&image, *what),
            Event::LaneStarted { lane, message } => {
                let bar = self.bar(lane.clone(), &message);
                self.lanes.insert(lane, bar);
            }
            Event::LaneProgress { lane, message } => set(self.lanes.get(&lane), &message),
            // The step that runs is worth more on the one line there is than what it writes.
            Event::LaneOutput { .. } | Event::BuildStarted { .. } | Event::Refresh { .. } => {}
            Event::LaneFinished { lane, ending, message } => {
                if let Some(bar) = self.lanes.remove(&lane) {
                    bar.finish_and_clear();
                }
                self.print(lane_line(&lane, mark(ending), &message));
            }
            Event::StageStarted { stage, message } => {
                let bar = self.bar(stage.word().to_owned(), &message);
                self.stages.insert(stage, bar);
            }
            Event::Progress { stage, message } | Event::Output { stage, line: message } => {
                set(self.stages.get(&stage), &message);
            }
            Event::Step { stage, step } => set(self.stages.get(&stage), &step.text()),
            Event::Note { stage, message } => self.print(format!("{:>8}  · {message}", stage.word())),
            Event::StageFinished { stage, ending, message } => {
                // A line above the bars stays; a finished bar would go with the next line that is printed.
                let elapsed = self.stages.remove(&stage).map_or(Duration::ZERO, |bar| {
                    let elapsed = bar.elapsed();
                    bar.finish_and_clear();
                    elapsed
                });
                self.print(finished_line(stage, ending, &message, elapsed));
            }
        }
    }

    /// One of several images: whatever it is at stands on its one line. Only what somebody may have to act upon gets a line that
    /// stays, so that many images at once can still be read.
    fn image(&mut self, image: &str, what: Event) {
        let bar = self.lanes.get(image);
        match what {
            Event::StageStarted { stage, message } | Event::Progress { stage, message } => {
                set(bar, &format!("{}: {message}", stage.word()));
            }
            Event::Step { stage, step } => set(bar, &format!("{}: {}", stage.word(), step.text())),
            Event::Note { stage: stage @ (Stage::Build | Stage::Test), message } => {
                self.print(format!("{image}  {}  · {message}", stage.word()));
            }
            _ => {}
        }
    }

    fn bar(&self, prefix: String, message: &str) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new_spinner());
        bar.set_style(running_style());
        bar.set_prefix(prefix);
        bar.set_message(cut(message));
        bar.enable_steady_tick(TICK);
        bar
    }

    fn print(&self, line: String) {
        let _ = self.multi.println(line);
    }
}

fn set(bar: Option<&ProgressBar>, message: &str) {
    if let Some(bar) = bar {
        bar.set_message(cut(message));
    }
}

fn running_style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:>8}  {spinner} {msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// One line, without control characters (output of a build is not trusted), at most [`LINE`] characters.
fn cut(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= LINE {
        return clean;
    }
    clean.chars().take(LINE - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_a_build_cannot_move_the_cursor() {
        assert_eq!(cut("a\u{1b}[2Jb\rc"), "a [2Jb c");
    }

    #[test]
    fn a_long_line_is_cut_to_one_line() {
        assert_eq!(cut(&"x".repeat(500)).chars().count(), LINE);
    }

    fn step(elapsed: u64) -> StepNow {
        StepNow {
            name: "Apply".into(),
            elapsed_seconds: Some(elapsed),
            expected_seconds: Some(720),
            waits_for_answer: None,
        }
    }

    #[test]
    fn a_log_has_a_step_once_and_names_images_only_when_there_are_several() {
        let mut lines = Lines::default();
        let build = Stage::Build;
        let mut say = |image: &str, event: Event| match image {
            "" => lines.line("", event),
            image => lines.line("", Event::Image { image: image.into(), what: Box::new(event) }),
        };
        let expected = "   build  … Apply, about 12 min";
        assert_eq!(say("", Event::Step { stage: build, step: step(3) }).as_deref(), Some(expected));
        assert_eq!(say("", Event::Step { stage: build, step: step(60) }), None);
        let note = |message: &str| Event::Note { stage: build, message: message.into() };
        assert_eq!(say("web/arm64", note("started")).as_deref(), Some("web/arm64  build  · started"));
        let expected = "web/arm64  build  … Apply, about 12 min";
        assert_eq!(say("web/arm64", Event::Step { stage: build, step: step(3) }).as_deref(), Some(expected));
        let output = Event::Output { stage: build, line: "x".into() };
        assert_eq!(say("web/arm64", output.clone()), None);
        assert_eq!(say("", output).as_deref(), Some("   build  | x"));
    }

    #[test]
    fn a_finished_stage_says_how_it_ended_and_how_long_it_took() {
        assert_eq!(
            finished_line(Stage::Build, Ending::Done, "image 1.0.0/1", Duration::from_millis(12_340)),
            "   build  ✓ image 1.0.0/1 (12.3 s)"
        );
    }
}
