//! `amiforge schema`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::{component, project};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Keep it in a file, and name that in the first line of the files it is for:\n  \
    amiforge schema component > component.schema.json     # yaml-language-server: $schema=../component.schema.json")]
pub struct SchemaArgs {
    /// Which files it is for.
    #[arg(value_enum)]
    pub of: Of,
}

/// What there is a schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// Component documents: components/*.yaml.
    Component,
    /// Recipes: recipes/*.yaml.
    Recipe,
    /// The project file: amiforge.yaml.
    Project,
}

pub(crate) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        Of::Component => component::schema(),
        Of::Recipe => project::schema::recipe(),
        Of::Project => project::schema::project(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
