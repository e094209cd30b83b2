//! What tests of single actions share.

use super::Machine;
use crate::component;
use crate::diagnostic::{SourceFile, render};
use crate::runner::values::{Inputs, Records, Scope};
use std::collections::BTreeMap;
use std::path::Path;

/// The items of a list-shaped action whose `inputs` are written so.
pub fn items(action: &str, inputs: &str) -> Vec<Inputs> {
    let step = format!("{{ name: Run, action: {action}, inputs: {inputs} }}");
    let text = format!("schemaVersion: 1.0\nphases: [{{ name: build, steps: [{step}] }}]\n");
    let parsed = component::parse(&SourceFile::new("d", text));
    let document = parsed.document.unwrap_or_else(|| panic!("{}", render::text(&parsed.diagnostics, false)));
    let scope = Scope { document: &document, parameters: &BTreeMap::new(), records: &Records::new() };
    scope.inputs(&document.phases[0].steps[0]).unwrap()
}

/// A machine whose root and working directory are one folder.
pub fn machine(folder: &Path, environment: &[(&str, &str)]) -> Machine {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Machine {
        root: folder.to_owned(),
        directory: folder.to_owned(),
        environment: environment.iter().map(pair).collect(),
    }
}
