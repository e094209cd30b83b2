//! `amiforge baseline list`

use crate::baseline;
use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};

/// Arguments of `baseline list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(super) fn run(session: &Session, args: &ListArgs) -> Result<Exit, Failure> {
    let project = if session.has_project()? { Some(session.project()?) } else { None };
    let listing = baseline::list(project.as_ref());
    print_as(args.format, &listing, || crate::report::baselines(&listing))?;
    Ok(Exit::Done)
}
