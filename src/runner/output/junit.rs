//! `JUnit` XML of a run, for CI systems that show test results.

use crate::diagnostic::render::printable;
use crate::runner::model::{RunEvent, RunStatus, StepPlace, StepStatus};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Where a run took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Host name.
    pub hostname: String,
    /// Name and version of the operating system.
    pub os: String,
}

/// Collects the events of one run. A suite for each phase of each document, in it a case for each step.
#[derive(Debug, Default)]
pub struct JunitReport {
    execution_id: String,
    steps: Vec<Step>,
    /// A failure that no step is to blame for.
    refused: Option<String>,
}

#[derive(Debug)]
struct Step {
    place: StepPlace,
    status: Option<StepStatus>,
    seconds: f64,
    message: Option<String>,
    attempts: u32,
    last_lines: Vec<String>,
}

impl JunitReport {
    /// The report of an execution.
    pub fn new(execution_id: &str) -> Self {
        Self { execution_id: execution_id.to_owned(), ..Self::default() }
    }

    /// Takes an event in. Steps of executed documents count with the step that executes them.
    pub fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { place, .. } => drop(self.step(place)),
            RunEvent::StepFinished { place, status, seconds, message, attempts, last_lines, .. } => {
                let step = self.step(place);
                (step.status, step.seconds, step.attempts) = (Some(*status), *seconds, *attempts);
                step.message.clone_from(message);
                step.last_lines.clone_from(last_lines);
            }
            RunEvent::Finished { summary } => {
                let failed = matches!(summary.status, RunStatus::Failed | RunStatus::TimedOut);
                if failed && summary.failure.is_none() {
                    self.refused = Some(summary.failure_message.clone());
                }
            }
            _ => {}
        }
    }

    /// The run has ended without a result, for this reason.
    pub fn broken(&mut self, reason: &str) {
        self.refused = Some(reason.to_owned());
    }

    fn step(&mut self, place: &StepPlace) -> &mut Step {
        let index = self.steps.iter().position(|known| known.place == *place).unwrap_or_else(|| {
            let place = place.clone();
            let (status, message, last_lines) = (None, None, Vec::new());
            self.steps.push(Step { place, status, seconds: 0.0, message, attempts: 1, last_lines });
            self.steps.len() - 1
        });
        &mut self.steps[index]
    }

    /// The suites, for a report of several runs; `name` goes before the name of each, if there is one.
    pub fn suites(&self, name: &str, machine: &Machine) -> Vec<TestSuite> {
        let mut suites: Vec<(String, TestSuite)> = Vec::new();
        let begin = |title: &str| {
            let full = if name.is_empty() { title.to_owned() } else { format!("{name}: {title}") };
            let mut suite = TestSuite::new(one_line(&full));
            for (name, value) in
                [("executionId", &self.execution_id), ("hostname", &machine.hostname), ("os", &machine.os)]
            {
                suite.add_property(Property::new(name, one_line(value)));
            }
            suite
        };
        for step in &self.steps {
            let title = format!("{} {}", step.place.document, step.place.phase);
            let index = suites.iter().position(|(known, _)| *known == title).unwrap_or_else(|| {
                suites.push((title.clone(), begin(&title)));
                suites.len() - 1
            });
            suites[index].1.add_test_case(step.case());
        }
        if let Some(reason) = &self.refused {
            let mut suite = begin("run");
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(one_line(reason.lines().next().unwrap_or_default())).set_description(printable(reason));
            suite.add_test_case(TestCase::new("run", status));
            suites.push(("run".to_owned(), suite));
        }
        suites.into_iter().map(|(_, suite)| suite).collect()
    }

    /// The whole document. A run in which no step ran is told by a case that failed: nothing tested is no pass.
    pub fn xml(&self, machine: &Machine) -> String {
        let mut report = Report::new("amiforge component run");
        let suites = self.suites("", machine);
        if suites.is_empty() {
            let mut suite = TestSuite::new("run");
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message("no step ran: no document has one of the phases that were asked for");
            suite.add_test_case(TestCase::new("run", status));
            report.add_test_suite(suite);
        }
        report.add_test_suites(suites);
        // Writing into memory cannot fail.
        report.to_string().unwrap_or_default()
    }
}

impl Step {
    fn case(&self) -> TestCase {
        let StepPlace { document, step, line, action, .. } = &self.place;
        let place = format!("{document}:{line}");
        let message = self.message.as_deref().unwrap_or("it did not end");
        let text = [&[format!("{place}: step {step} ({action}): {message}")], self.last_lines.as_slice()].concat();
        let mut status = match self.status {
            Some(StepStatus::Success | StepStatus::IgnoredFailure) => TestCaseStatus::success(),
            Some(StepStatus::Skipped) => TestCaseStatus::skipped(),
            Some(StepStatus::Failed) => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Some(StepStatus::TimedOut) | None => TestCaseStatus::non_success(NonSuccessKind::Error),
        };
        let failed = matches!(self.status, None | Some(StepStatus::Failed | StepStatus::TimedOut));
        if failed {
            status
                .set_message(one_line(message))
                .set_type(action.as_str())
                .set_description(printable(&text.join("\n")));
        } else if self.status == Some(StepStatus::Skipped) {
            status.set_message(one_line(self.message.as_deref().unwrap_or("its condition says so")));
        }
        let mut case = TestCase::new(one_line(step), status);
        case.set_classname(one_line(&place));
        case.set_time(Duration::try_from_secs_f64(self.seconds).unwrap_or_default());
        if self.status == Some(StepStatus::IgnoredFailure) {
            let text = printable(&text.join("\n"));
            case.set_system_out(format!("failed, and `onFailure: Ignore` says not to mind\n{text}"));
        } else if self.attempts > 1 && !failed {
            case.set_system_out(format!("it took {} attempts", self.attempts));
        }
        case
    }
}

/// One line without what a terminal would obey or XML refuses.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}
