//! `ExecuteBash` and `ExecuteBinary`.

use super::{Done, Machine, Outputs, StepError};
use crate::runner::capture::Sink;
use crate::runner::process::{self, Finished, Limit, Program};
use crate::runner::values::Inputs;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The exit code with which a program asks for a reboot on Linux (reference/component-documents.md section 5).
const REBOOT: i32 = 194;

/// Writes all commands into one script and runs it with bash. Its exit code is that of the last command.
pub fn bash(
    inputs: &Inputs,
    machine: &Machine,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<(Done, Outputs), StepError> {
    let folder = Folder::make(&machine.directory)?;
    let script = folder.0.join("script-1.sh");
    let mut text = inputs.texts("commands").join("\n");
    text.push('\n');
    fs::write(&script, text).map_err(|error| StepError::io("cannot write", &script, &error))?;
    let argv = vec!["bash".to_owned(), script.display().to_string()];
    judge(&process::run(&program(argv, machine, limit), sink)?)
}

/// Runs a program without a shell in between.
pub fn binary(
    inputs: &Inputs,
    machine: &Machine,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<(Done, Outputs), StepError> {
    let mut argv = vec![inputs.required("path").to_owned()];
    argv.extend(inputs.texts("arguments").iter().cloned());
    judge(&process::run(&program(argv, machine, limit), sink)?)
}

fn program(argv: Vec<String>, machine: &Machine, limit: Limit) -> Program<'_> {
    Program { argv, environment: &machine.environment, directory: &machine.directory, limit }
}

fn judge(finished: &Finished) -> Result<(Done, Outputs), StepError> {
    let outputs = vec![BTreeMap::from([("stdout".to_owned(), finished.stdout.text())])];
    match finished.status.code() {
        Some(0) => Ok((Done::Finished, outputs)),
        Some(REBOOT) => Ok((Done::RebootThenAgain, outputs)),
        _ => Err(StepError::Failed(finished.describe())),
    }
}

/// A folder of its own below the working directory, named as awstoe names it; gone when the step ends.
struct Folder(PathBuf);

impl Folder {
    fn make(directory: &Path) -> Result<Self, StepError> {
        let process = std::process::id();
        for number in 0..1000 {
            let path = directory.join(format!("AWSTOE{process}{number:03}"));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StepError::io("cannot make the folder for the script,", &path, &error)),
            }
        }
        Err(StepError::Failed(format!("a thousand folders AWSTOE{process}… are left in {}", directory.display())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The script may have removed it itself.
        let _ = fs::remove_dir_all(&self.0);
    }
}
