//! `amiforge why`

use crate::build::why::{Diagnosis, bundle, diagnose};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::report;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    #[command(flatten)]
    pub(crate) build: BuildSelection,
    /// Explain a bundle of `amiforge logs`, or the folder (or an archive of it) that awstoe left, instead of a build.
    #[arg(long, value_name = "DIR|FILE.tar.gz", conflicts_with = "build")]
    pub bundle: Option<PathBuf>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = WhyFormat::Text)]
    pub format: WhyFormat,
}

/// Which build a verb is about.
#[derive(Debug, Clone, clap::Args)]
pub struct BuildSelection {
    /// ARN of an image build version, or `1.0.3/1` with --recipe; the newest build that failed when absent.
    #[arg(value_name = "BUILD")]
    pub build: Option<String>,
    /// Recipe whose builds are looked at; all of the project when absent.
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<String>,
    /// CPU architecture; all of the recipe when absent.
    #[arg(long, value_name = "ARCH", requires = "recipe")]
    pub arch: Option<String>,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhyFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// Markdown, for the summary of a pipeline or a ticket.
    Markdown,
}

pub(crate) fn run(session: &Session, args: &WhyArgs) -> Result<Exit, Failure> {
    match &args.bundle {
        Some(path) => saved(path, args),
        None => live(session, args),
    }
}

/// Of a bundle: neither a project nor an environment is asked.
fn saved(path: &Path, args: &WhyArgs) -> Result<Exit, Failure> {
    let (manifest, record) = bundle::read(path)?;
    let recipe = args.build.recipe.clone().or(manifest.recipe);
    show(&diagnose(&record, recipe.as_deref()), args.format)
}

#[cfg(feature = "aws")]
fn live(session: &Session, args: &WhyArgs) -> Result<Exit, Failure> {
    crate::cli::environment::block(session, async {
        let known = super::logs::known(session, &args.build).await?;
        show(&diagnose(&known.record, known.recipe.as_deref()), args.format)
    })
}

#[cfg(not(feature = "aws"))]
fn live(_: &Session, _: &WhyArgs) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Usage, "this program was made without the environments: it explains bundles only")
        .next("--bundle FILE.tar.gz names one"))
}

fn show(diagnosis: &Diagnosis, format: WhyFormat) -> Result<Exit, Failure> {
    print(&match format {
        WhyFormat::Text => report::why(diagnosis),
        WhyFormat::Markdown => report::why_markdown(diagnosis),
        WhyFormat::Json => {
            let json = serde_json::to_string_pretty(diagnosis).map_err(|error| {
                Failure::new(Exit::Unexpected, format!("the result cannot be written as JSON: {error}"))
            })?;
            json + "\n"
        }
    })?;
    Ok(Exit::Done)
}
