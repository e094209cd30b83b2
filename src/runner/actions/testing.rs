//! What tests of single actions share.

use super::Machine;
use crate::component;
use crate::diagnostic::{SourceFile, render};
use crate::runner::capture::Sink;
use crate::runner::model::Context;
use crate::runner::outside::Nowhere;
use crate::runner::secrets::Secrets;
use crate::runner::values::{Facts, Inputs, Records, Scope};
use std::collections::BTreeMap;
use std::path::Path;

/// The items of a list-shaped action whose `inputs` are written so.
pub fn items(action: &str, inputs: &str) -> Vec<Inputs> {
    let step = format!("{{ name: Run, action: {action}, inputs: {inputs} }}");
    let text = format!("schemaVersion: 1.0\nphases: [{{ name: build, steps: [{step}] }}]\n");
    let parsed = component::parse(&SourceFile::new("d", text));
    let document = parsed.document.unwrap_or_else(|| panic!("{}", render::text(&parsed.diagnostics, false)));
    let (secrets, context) = (Secrets::default(), Context::default());
    let mut listen = |_| ();
    let mut scope = Scope {
        document: &document,
        parameters: &BTreeMap::new(),
        records: &Records::new(),
        environment: &BTreeMap::new(),
        facts: Facts { execution_id: "test", context: &context, root: Path::new("/"), phase: "build", step: "Run" },
        turn: None,
        outside: &mut Nowhere,
        sink: &mut Sink::new(&mut listen, false).knowing(&secrets),
        secrets: &secrets,
    };
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
