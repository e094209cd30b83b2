//! `amiforge render`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, arch, print_as, recipe};
use crate::render;

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// How the documents are printed: text is one YAML stream, with a comment in front of each document.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) fn run(session: &Session, args: &RenderArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let recipe = recipe(&project, &args.image.recipe)?;
    let rendered = render::recipe(&project, recipe, arch(recipe, args.image.arch.as_deref())?)?;
    let report = crate::report::Rendered::new(&rendered);
    print_as(args.format, &report, || report.text())?;
    Ok(Exit::Done)
}
