//! The inventory of a root: the collector, in a fresh instance of it.

use super::enter::Entered;
use super::error::TrialError;
use crate::patch::Inventory;
use crate::patch::collect::{self, Refresh, Scope};
use crate::sandbox::{self, Exit, Job, Line};

/// Takes the inventory of a running instance; its package sources are asked. What the package manager says on standard
/// error goes to `on_line`.
///
/// # Errors
/// The collector does not know the system or could not run, or what it says is not whole.
pub fn inventory(
    entered: &Entered,
    scope: Scope,
    refresh: Refresh,
    mut on_line: impl FnMut(&str),
) -> Result<Inventory, TrialError> {
    let job = Job::Command {
        argv: vec!["/bin/sh".to_owned(), "-s".to_owned()],
        environment: sandbox::environment(),
        directory: "/".to_owned(),
        stdin: collect::collector(scope, refresh).into_bytes(),
        timeout: None,
    };
    let (mut text, mut last) = (String::new(), String::new());
    let exit = entered.instance().run(&job, &mut |line| match line {
        Line::Out(line) => {
            text.push_str(&line);
            text.push('\n');
        }
        Line::Err(line) => {
            on_line(&line);
            last = line;
        }
    })?;
    let failed = |reason: String| TrialError::Inventory { root: entered.name.clone(), reason };
    match exit {
        Exit::Code(0) => collect::read(&text).map_err(|error| failed(error.to_string())),
        Exit::Code(code) => Err(failed(format!("the collector ended with {code}: {last}"))),
        other => Err(failed(format!("the collector ended with {other:?}"))),
    }
}
