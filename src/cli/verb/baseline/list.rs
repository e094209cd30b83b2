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
    let listing = baseline::list(session.some_project()?.as_ref());
    print_as(args.format, &listing, || crate::report::baselines(&listing))?;
    Ok(Exit::Done)
}
