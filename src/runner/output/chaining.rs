//! `chaining.json`: how expressions were resolved.
//!
//! awstoe writes a file of this name; its schema is UNCONFIRMED, so this one is ours and says so in `schema`.

use crate::runner::model::{RunEvent, StepPlace};
use serde_json::{Value, json};

/// Longer values are cut: an output may be megabytes long, and this file is for reading.
const LONGEST_VALUE: usize = 4096;

/// The substitutions of a run.
#[derive(Debug, Default)]
pub struct Chaining {
    place: Option<StepPlace>,
    substitutions: Vec<Value>,
}

impl Chaining {
    /// Takes an event in.
    pub fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { place, .. } => self.place = Some(place.clone()),
            RunEvent::Substituted { expression, value } => {
                let place = self.place.as_ref();
                self.substitutions.push(json!({
                    "document": place.map(|place| &place.document),
                    "phase": place.map(|place| &place.phase),
                    "step": place.map(|place| &place.step),
                    "expression": expression,
                    "value": cut(value),
                }));
            }
            RunEvent::Nested { event } => self.event(event),
            _ => {}
        }
    }

    /// The file's content.
    pub fn json(&self) -> Value {
        json!({"schema": "amiforge/chaining/1", "substitutions": self.substitutions})
    }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}… ({} bytes)", &value[..end], value.len()),
        None => value.to_owned(),
    }
}
