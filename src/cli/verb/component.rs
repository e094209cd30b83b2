//! `amiforge component`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

mod run;
mod validate;

/// Component documents, as awstoe takes them.
#[derive(Debug, clap::Subcommand)]
pub enum ComponentVerb {
    /// Run documents on this machine, in place of awstoe. It changes this machine.
    Run(Box<run::RunArgs>),
    /// Check documents and print what `awstoe validate` prints.
    Validate(validate::ValidateArgs),
}

pub(crate) fn run(session: &Session, verb: ComponentVerb) -> Result<Exit, Failure> {
    match verb {
        ComponentVerb::Run(args) => run::run(session, &args),
        ComponentVerb::Validate(args) => validate::run(&args),
    }
}

/// What documents may ask of the world: AWS, where this program was built with it.
pub(crate) fn outside() -> impl crate::runner::outside::Outside + Send {
    #[cfg(feature = "aws")]
    return crate::aws::Sdk::new();
    #[cfg(not(feature = "aws"))]
    crate::runner::outside::Nowhere
}

/// `NAME=VALUE`. awstoe refuses an empty value, too.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter is given as NAME=VALUE; the value must not be empty".to_owned()),
    }
}
