//! `amiforge lint`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::lint;
use std::path::PathBuf;

/// Arguments of `lint`.
#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// Component documents to check; the whole project when absent.
    pub paths: Vec<PathBuf>,
}

pub(crate) fn run(session: &Session, args: &LintArgs) -> Result<Exit, Failure> {
    let checked = if args.paths.is_empty() { lint::project(&session.project()?) } else { lint::files(&args.paths)? };
    if checked.has_errors() {
        return Err(Failure::files(checked.diagnostics));
    }
    print(&crate::report::lint(&checked, session.color_out()))?;
    Ok(Exit::Done)
}
