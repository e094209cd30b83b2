//! The result tree of a component run, in the form of `detailedoutput.json` (component-documents.md 11.1).

use crate::runner::{RunEvent, StepPlace, StepStatus, Summary};
use serde_json::{Value, json};

/// Builds the tree from the events of a run. A step that runs again (another attempt, or after a restart) replaces its
/// earlier entry.
#[derive(Debug, Default)]
pub(super) struct Detail {
    documents: Vec<Named<Named<Step>>>,
}

#[derive(Debug)]
struct Named<T> {
    name: String,
    items: Vec<T>,
}

#[derive(Debug)]
struct Step {
    name: String,
    action: String,
    attempt: u32,
    started: String,
    ended: Option<String>,
    status: Option<StepStatus>,
    message: Option<String>,
}

impl Detail {
    /// Takes an event in, which happened at `now`.
    pub(super) fn event(&mut self, event: &RunEvent, now: &str) {
        match event {
            RunEvent::StepStarted { place: StepPlace { document, phase, step, action, .. }, attempt, .. } => {
                let steps = self.steps(document, phase);
                steps.retain(|known| known.name != *step);
                steps.push(Step {
                    name: step.clone(),
                    action: action.clone(),
                    attempt: *attempt,
                    started: now.to_owned(),
                    ended: None,
                    status: None,
                    message: None,
                });
            }
            RunEvent::StepFinished { place: StepPlace { document, phase, step, .. }, status, message, .. } => {
                let found = self.steps(document, phase).iter_mut().find(|known| known.name == *step);
                if let Some(found) = found {
                    found.ended = Some(now.to_owned());
                    found.status = Some(*status);
                    found.message.clone_from(message);
                }
            }
            _ => {}
        }
    }

    fn steps(&mut self, document: &str, phase: &str) -> &mut Vec<Step> {
        &mut entry(&mut entry(&mut self.documents, document).items, phase).items
    }

    /// The tree with the result of the whole run.
    pub(super) fn json(&self, summary: Option<&Summary>) -> Value {
        let documents: Vec<Value> = self
            .documents
            .iter()
            .map(|document| {
                let phases: Vec<Value> = document
                    .items
                    .iter()
                    .map(|phase| {
                        let steps: Vec<Value> = phase.items.iter().map(Step::json).collect();
                        json!({"name": phase.name, "status": worst(&phase.items), "steps": steps})
                    })
                    .collect();
                let all = document.items.iter().flat_map(|phase| &phase.items);
                json!({"name": document.name, "filePath": document.name, "status": worst(all), "phases": phases})
            })
            .collect();
        json!({
            "executionId": summary.map(|summary| &summary.execution_id),
            "status": summary.map(|summary| summary.status),
            "failureMessage": summary.map_or("", |summary| &summary.failure_message),
            "documents": documents,
        })
    }
}

fn entry<'a, T>(list: &'a mut Vec<Named<T>>, name: &str) -> &'a mut Named<T> {
    let index = list.iter().position(|known| known.name == name).unwrap_or_else(|| {
        list.push(Named { name: name.to_owned(), items: Vec::new() });
        list.len() - 1
    });
    &mut list[index]
}

fn worst<'a>(steps: impl IntoIterator<Item = &'a Step>) -> &'static str {
    let failed = |step: &&Step| matches!(step.status, None | Some(StepStatus::Failed | StepStatus::TimedOut));
    if steps.into_iter().any(|step| failed(&step)) { "failed" } else { "success" }
}

impl Step {
    fn json(&self) -> Value {
        let status = match self.status {
            Some(StepStatus::Success) => "success",
            Some(StepStatus::IgnoredFailure) => "ignoredFailure",
            Some(StepStatus::Skipped) => "skipped",
            Some(StepStatus::TimedOut) => "timedOut",
            Some(StepStatus::Failed) => "failed",
            None => "interrupted",
        };
        json!({
            "name": self.name,
            "status": status,
            "failureMessage": self.message.clone().unwrap_or_default(),
            "action": self.action,
            "attempt": self.attempt,
            "startTime": self.started,
            "endTime": self.ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_runs_again_is_told_once() {
        let mut detail = Detail::default();
        for attempt in 1..=2 {
            let place = StepPlace {
                document: "doc".into(),
                phase: "build".into(),
                step: "S".into(),
                action: "ExecuteBash".into(),
                line: 1,
            };
            let (on_failure, max_attempts) = ("Abort".into(), 2);
            let begun = RunEvent::StepStarted {
                place: place.clone(),
                attempt,
                timeout_seconds: 7200,
                on_failure,
                max_attempts,
            };
            detail.event(&begun, "t1");
            let status = if attempt == 1 { StepStatus::Failed } else { StepStatus::Success };
            let ended = RunEvent::StepFinished {
                place,
                status,
                seconds: 1.0,
                message: None,
                attempts: attempt,
                last_lines: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                repeat: None,
            };
            detail.event(&ended, "t2");
        }
        let tree = detail.json(None);
        assert_eq!(tree["documents"][0]["status"], "success");
        let steps = tree["documents"][0]["phases"][0]["steps"].as_array().unwrap();
        assert_eq!((steps.len(), &steps[0]["attempt"]), (1, &json!(2)));
    }
}
