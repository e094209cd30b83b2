//! The runner as a whole, by the items of the test matrix of reference/component-documents.md section 16: `m01_…` to
//! `m12_…`, and what the matrix does not name. Items 7 and 8 are tested action by action as well (see `actions`).

mod m01_statuses;
mod m02_attempts;
mod m03_restarts;
mod m04_chaining;
mod m05_conditions;
mod m06_loops;
mod m08_texts;
mod m10_documents;
mod m11_phases;
mod m12_refused;
mod misbehaviour;
mod program;
mod secrets;
mod values;

use super::execution::run_on;
use super::model::*;
use super::outside::{Chunk, Nowhere, Object, Outside, OutsideError, Parameter};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A machine in a temporary directory.
struct Bench {
    directory: TempDir,
    events: Vec<RunEvent>,
    outside: Table,
}

fn bench() -> Bench {
    Bench { directory: tempfile::tempdir().unwrap(), events: Vec::new(), outside: Table::default() }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The lines of a file; none if it is missing.
    fn read(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn request(&self, documents: &[&str]) -> Request {
        let text = |steps: &&str| steps.replace("DIR", self.directory.path().to_str().unwrap());
        Request {
            execution_id: "test".into(),
            documents: documents
                .iter()
                .enumerate()
                .map(|(number, steps)| DocumentRequest {
                    name: format!("doc{number}"),
                    text: text(steps),
                    parameters: BTreeMap::new(),
                })
                .collect(),
            phases: vec!["build".into(), "validate".into()],
            state_directory: self.path("state").to_str().unwrap().into(),
            working_directory: self.directory.path().to_str().unwrap().into(),
            environment: BTreeMap::from([("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into())]),
            ..Request::default()
        }
    }

    fn run(&mut self, request: &Request) -> Summary {
        self.events.clear();
        let events = &mut self.events;
        run_on(self.directory.path(), request, &mut self.outside, &mut |event| events.push(event))
    }

    /// Runs documents whose steps are these lines.
    fn steps(&mut self, documents: &[&str]) -> Summary {
        let texts: Vec<String> = documents.iter().map(|steps| document(steps)).collect();
        let request = self.request(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        self.run(&request)
    }

    fn statuses(&self) -> Vec<(String, StepStatus)> {
        let status = |event: &RunEvent| match event {
            RunEvent::StepFinished { place, status, .. } => Some((place.step.clone(), *status)),
            _ => None,
        };
        self.events.iter().filter_map(status).collect()
    }

    fn lines(&self) -> Vec<String> {
        lines(&self.events)
    }

    /// The `StepFinished` of a step.
    fn finished(&self, name: &str) -> &RunEvent {
        let found = |event: &&RunEvent| matches!(event, RunEvent::StepFinished { place, .. } if place.step == name);
        self.events.iter().find(found).unwrap_or_else(|| panic!("{name} has not ended"))
    }

    /// Why a step failed or was skipped.
    fn message(&self, name: &str) -> String {
        let RunEvent::StepFinished { message, .. } = self.finished(name) else { unreachable!() };
        message.clone().unwrap_or_default()
    }

    /// Inputs and outputs that are told of a step, as JSON.
    fn told(&self, name: &str) -> (String, String) {
        let RunEvent::StepFinished { inputs, outputs, .. } = self.finished(name) else { unreachable!() };
        (serde_json::to_string(inputs).unwrap(), serde_json::to_string(outputs).unwrap())
    }

    /// Everything that left the machine.
    fn heard(&self) -> String {
        serde_json::to_string(&self.events).unwrap()
    }
}

fn lines(events: &[RunEvent]) -> Vec<String> {
    let line = |event: &RunEvent| match event {
        RunEvent::Output { line, .. } => Some(line.clone()),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

/// The events of nested documents, without their wrapping.
fn inside(events: &[RunEvent]) -> Vec<RunEvent> {
    let inner = |event: &RunEvent| match event {
        RunEvent::Nested { event } => Some((**event).clone()),
        _ => None,
    };
    events.iter().filter_map(inner).collect()
}

/// A document with these steps in phase `build`.
fn document(steps: &str) -> String {
    format!("schemaVersion: 1.0\nphases:\n{}", phase("build", steps))
}

/// A phase with these steps.
fn phase(name: &str, steps: &str) -> String {
    let steps = steps.lines().flat_map(|line| ["      ", line, "\n"]).collect::<String>();
    format!("  - name: {name}\n    steps:\n{steps}")
}

fn bash(name: &str, command: &str, more: &str) -> String {
    format!("- {{ name: {name}, action: ExecuteBash, inputs: {{ commands: ['{command}'] }}{more} }}\n")
}

/// A world beyond the machine that is written down.
#[derive(Debug, Default)]
struct Table {
    parameters: BTreeMap<String, (String, bool)>,
    metadata: BTreeMap<String, String>,
    documents: BTreeMap<String, String>,
}

impl Table {
    fn look(table: &BTreeMap<String, String>, name: &str) -> Result<String, OutsideError> {
        table.get(name).cloned().ok_or_else(|| OutsideError(format!("{name} is not in the table")))
    }
}

impl Outside for Table {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        let found = self.parameters.get(name).cloned();
        let (value, secret) = found.ok_or_else(|| OutsideError(format!("{name} is not in the table")))?;
        Ok(Parameter { value, secret })
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        Self::look(&self.metadata, path)
    }

    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        Self::look(&self.documents, &format!("{reference}{}", owner.unwrap_or_default()))
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        Nowhere.list(prefix)
    }

    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        Nowhere.read(object, offset, etag)
    }

    fn write(
        &mut self,
        object: &Object,
        next: &mut dyn FnMut() -> std::io::Result<Vec<u8>>,
    ) -> Result<(), OutsideError> {
        Nowhere.write(object, next)
    }
}
