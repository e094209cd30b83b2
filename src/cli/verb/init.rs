//! `amiforge init`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::project;
use std::path::PathBuf;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Folder to make the project in.
    #[arg(default_value = ".")]
    pub directory: PathBuf,
    /// Project name, the prefix of resource names; the folder's name when absent.
    #[arg(long)]
    pub name: Option<String>,
}

pub(crate) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let report = project::init(&args.directory, args.name.as_deref())?;
    print(&crate::report::init(&report, &args.directory))?;
    Ok(Exit::Done)
}
