//! `amiforge baseline diff`

use crate::baseline;
use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, print_as};
use crate::patch::{OperatingSystem, baseline_diff};
use clap::ValueEnum;

/// Arguments of `baseline diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Names, ids, the order of filters and the order of lists mean nothing. Rules are compared in order."
)]
pub struct DiffArgs {
    /// The first one: a baseline of the project, one of AWS's, or a file.
    pub from: String,
    /// The second one.
    pub to: String,
    /// The operating system to choose from files with several.
    #[arg(long, value_name = "OS", value_parser = super::system)]
    pub os: Option<OperatingSystem>,
    /// End with 4 when something differs, with 0 when nothing does.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How the difference is printed.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// How a difference is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// Markdown, for a pull request.
    Markdown,
}

pub(super) fn run(session: &Session, args: &DiffArgs) -> Result<Exit, Failure> {
    let project = super::project(session)?;
    let find = |name: &str| baseline::find(project.as_ref(), name, args.os);
    let (from, to) = (find(&args.from)?, find(&args.to)?);
    // Two states of one baseline have the same name; what was asked for tells them apart.
    let diff = baseline_diff(&from.baseline, &to.baseline).called(&args.from, &args.to);
    match args.format {
        DiffFormat::Text => print(&diff.to_text())?,
        DiffFormat::Markdown => print(&diff.to_markdown())?,
        DiffFormat::Json => print_as(Format::Json, &diff, String::new)?,
    }
    Ok(if args.detailed_exitcode && !diff.is_empty() { Exit::Changes } else { Exit::Done })
}
