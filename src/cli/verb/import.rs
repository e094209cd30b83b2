//! `amiforge import`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::diagnostic::{Severity, suggest};
use crate::import::{self, Order, Settings};
use crate::lint;
use crate::project::{Arch, Os};
use crate::report::ImportReport;
use std::path::PathBuf;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is changed in the account. Without --pipeline and --recipe all pipelines are imported, and the newest\n\
    version of every recipe that belongs to none.\n\
    Exit codes: 0 imported · 2 not there, or not possible · 3 imported, and `lint` finds errors in it · 11 files differ"
)]
pub struct ImportArgs {
    /// A pipeline, with its recipe, components, infrastructure and distribution; several times for several.
    #[arg(long, value_name = "NAME|ARN")]
    pub pipeline: Vec<String>,
    /// An image recipe with its components; several times for several.
    #[arg(long, value_name = "ARN")]
    pub recipe: Vec<String>,
    /// Folder for the files; the project itself when absent. An amiforge.yaml that is there is never replaced.
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Operating system of recipes that do not show it.
    #[arg(long, value_name = "OS", value_parser = os)]
    pub os: Option<Os>,
    /// CPU architecture of recipes that do not show it.
    #[arg(long, value_name = "ARCH", value_parser = arch)]
    pub arch: Option<Arch>,
    /// Replace recipes and components that are there and differ.
    #[arg(long)]
    pub force: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

fn os(text: &str) -> Result<Os, String> {
    let names: Vec<&str> = Os::all().into_iter().map(Os::name).collect();
    Os::parse(text).ok_or_else(|| match suggest(text, names.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("known are {}", names.join(", ")),
    })
}

fn arch(text: &str) -> Result<Arch, String> {
    Arch::parse(text).ok_or_else(|| "x86_64 and arm64 are known".to_owned())
}

pub(crate) async fn run(session: &Session, args: &ImportArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let cloud = session.cloud(&project).await?;
    let order = Order { pipelines: args.pipeline.clone(), recipes: args.recipe.clone() };
    let account = import::read(cloud, &order).await?;
    let environment = (!cloud.is_local()).then(|| (cloud.environment().to_owned(), cloud.home().clone()));
    let settings = Settings { project: project.name.clone(), environment, os: args.os, arch: args.arch };
    let imported = import::convert(&account, &settings)?;
    let folder = args.into.clone().unwrap_or_else(|| project.root.clone());
    let written = import::write(&folder, &imported.files, args.force)?;
    let checked = lint::project(&folder, &lint::Options::default());
    let report = ImportReport {
        folder: folder.display().to_string(),
        errors: checked.count(Severity::Error),
        warnings: checked.count(Severity::Warning),
        imported,
        written,
    };
    print_as(args.format, &report.json(), || report.text())?;
    Ok(if checked.has_errors() { Exit::Findings } else { Exit::Done })
}
