//! `amiforge schema`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::{component, evidence, project};

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Keep it: amiforge schema component > component.schema.json\n\
    Use it, as first line of a file: # yaml-language-server: $schema=../component.schema.json")]
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
    /// Waivers: waivers.yaml and waivers/*.yaml.
    Waivers,
    /// Evidence: the documents that `validate` writes.
    Evidence,
}

pub(crate) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        Of::Component => component::schema(),
        Of::Recipe => project::schema::recipe(),
        Of::Project => project::schema::project(),
        Of::Waivers => project::schema::waivers(),
        Of::Evidence => evidence::schema(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
