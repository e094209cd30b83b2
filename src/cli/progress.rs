//! Sinks of the event stream on stderr: live bars, plain lines, NDJSON.

use super::args::Progress;
use crate::event::{Ending, Event, Events, Stage, human_duration};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
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
    let state = Mutex::new(BTreeMap::<Stage, (Instant, String)>::new());
    let said = Mutex::new(BTreeMap::<String, String>::new());
    Events::new(move |event| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::LaneStarted { lane, message } => write_line(&lane_line(&lane, ' ', &message)),
            Event::LaneProgress { lane, message } => {
                if said.get(&lane) != Some(&message) {
                    write_line(&lane_line(&lane, '…', &message));
                    said.insert(lane, message);
                }
            }
            // Of works that go on at the same time the lines would be a jumble; what failed is told with its last ones.
            Event::LaneOutput { .. } => {}
            Event::LaneFinished { lane, ending, message } => {
                said.remove(&lane);
                write_line(&lane_line(&lane, mark(ending), &message));
            }
            Event::StageStarted { stage, message } => {
                state.insert(stage, (Instant::now(), String::new()));
                write_line(&format!("{:>8}  {message}", stage.word()));
            }
            // Progress repeats itself on every poll; a log wants each text once.
            Event::Progress { stage, message } => {
                let entry = state.entry(stage).or_insert_with(|| (Instant::now(), String::new()));
                if entry.1 != message {
                    write_line(&format!("{:>8}  … {message}", stage.word()));
                    entry.1 = message;
                }
            }
            Event::Output { stage, line } => write_line(&format!("{:>8}  | {line}", stage.word())),
            Event::Note { stage, message } => write_line(&format!("{:>8}  · {message}", stage.word())),
            Event::StageFinished { stage, ending, message } => {
                let elapsed = state.get(&stage).map_or(Duration::ZERO, |(since, _)| since.elapsed());
                write_line(&finished_line(stage, ending, &message, elapsed));
            }
        }
    })
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

/// One line per stage, and per work of several: a spinner while it works, a mark when it has ended.
fn bars() -> Events {
    let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let stages = Arc::new(Mutex::new(BTreeMap::<Stage, ProgressBar>::new()));
    let lanes = Mutex::new(BTreeMap::<String, ProgressBar>::new());
    Events::new(move |event| {
        let mut stages = stages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::LaneStarted { lane, message } => {
                let bar = multi.add(ProgressBar::new_spinner());
                bar.set_style(running_style());
                bar.set_prefix(lane.clone());
                bar.set_message(cut(&message));
                bar.enable_steady_tick(TICK);
                lanes.insert(lane, bar);
            }
            Event::LaneProgress { lane, message } => {
                if let Some(bar) = lanes.get(&lane) {
                    bar.set_message(cut(&message));
                }
            }
            // The step that runs is worth more on the one line there is than what it writes.
            Event::LaneOutput { .. } => {}
            Event::LaneFinished { lane, ending, message } => {
                if let Some(bar) = lanes.remove(&lane) {
                    bar.finish_and_clear();
                }
                let _ = multi.println(lane_line(&lane, mark(ending), &message));
            }
            Event::StageStarted { stage, message } => {
                let bar = multi.add(ProgressBar::new_spinner());
                bar.set_style(running_style());
                bar.set_prefix(stage.word());
                bar.set_message(cut(&message));
                bar.enable_steady_tick(TICK);
                stages.insert(stage, bar);
            }
            Event::Progress { stage, message } | Event::Output { stage, line: message } => {
                if let Some(bar) = stages.get(&stage) {
                    bar.set_message(cut(&message));
                }
            }
            Event::Note { stage, message } => {
                let _ = multi.println(format!("{:>8}  · {message}", stage.word()));
            }
            Event::StageFinished { stage, ending, message } => {
                // A line above the bars stays; a finished bar would go with the next line that is printed.
                let elapsed = stages.remove(&stage).map_or(Duration::ZERO, |bar| {
                    let elapsed = bar.elapsed();
                    bar.finish_and_clear();
                    elapsed
                });
                let _ = multi.println(finished_line(stage, ending, &message, elapsed));
            }
        }
    })
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

    #[test]
    fn a_finished_stage_says_how_it_ended_and_how_long_it_took() {
        assert_eq!(
            finished_line(Stage::Build, Ending::Done, "image 1.0.0/1", Duration::from_millis(12_340)),
            "   build  ✓ image 1.0.0/1 (12.3 s)"
        );
    }
}
