//! `amiforge diff`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::patch::{self, Inventory};
use clap::ValueEnum;
use std::path::Path;

#[cfg(feature = "aws")]
mod channels;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// A channel, an inventory as a file, or the id of an AMI that the project has evidence about. Of two channels packages,
    /// CVEs and attributes are compared, else packages.
    #[arg(value_name = "BEFORE")]
    pub before: String,
    /// The same of the other image.
    #[arg(value_name = "AFTER")]
    pub after: String,
    /// The recipe whose channels are compared; needed when the project has more than one.
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<String>,
    /// Its CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH", requires = "recipe")]
    pub arch: Option<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// Markdown, for the summary of a pipeline or a pull request.
    Markdown,
}

pub(crate) fn run(session: &Session, args: &DiffArgs) -> Result<Exit, Failure> {
    #[cfg(feature = "aws")]
    if let Some(project) = channels::project(session, args)? {
        return crate::cli::environment::block(session, channels::run(session, &project, args));
    }
    let (before, after) = (inventory(session, &args.before)?, inventory(session, &args.after)?);
    let diff = patch::package_diff(&before, &after)?;
    print(&match args.format {
        DiffFormat::Text => diff.to_text(),
        DiffFormat::Markdown => diff.to_markdown(),
        DiffFormat::Json => {
            let json = diff.to_json().map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
            json + "\n"
        }
    })?;
    Ok(Exit::Done)
}

fn inventory(session: &Session, word: &str) -> Result<Inventory, Failure> {
    #[cfg(feature = "aws")]
    if word.starts_with("ami-") {
        let folder = session.root()?.join(".amiforge/evidence");
        let found =
            crate::evidence::file::load_inventory(&folder, word).map_err(crate::evidence::EvidenceError::from)?;
        return found.ok_or_else(|| {
            Failure::new(Exit::NoEvidence, format!("there is no inventory of {word} in {}", folder.display()))
                .next(format!("take one: amiforge baseline test BASELINE --image {word} --save FILE"))
        });
    }
    let _ = session;
    read(Path::new(word))
}

/// Reads an inventory.
pub(super) fn read(path: &Path) -> Result<Inventory, Failure> {
    let unusable = |why: String| {
        Failure::new(Exit::NoEvidence, format!("{} is no inventory: {why}", path.display()))
            .next("make one: amiforge baseline test BASELINE --root debian-12 --save FILE")
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    Inventory::from_json(&text).map_err(|error| unusable(error.to_string()))
}
