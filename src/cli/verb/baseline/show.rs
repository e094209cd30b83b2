//! `amiforge baseline show`

use crate::baseline;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::patch::{Baseline, OperatingSystem};
use crate::report;
use clap::ValueEnum;

/// Arguments of `baseline show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// A baseline of the project, one of AWS's by name, or a file: a definition as files of baselines/ have it, what `aws ssm
    /// get-patch-baseline` prints, or a `BaselineOverride` file.
    pub name: String,
    /// The operating system to choose from a file with several.
    #[arg(long, value_name = "OS", value_parser = super::system)]
    pub os: Option<OperatingSystem>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = ShowFormat::Text)]
    pub format: ShowFormat,
}

/// How a baseline is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// For people: every rule in a sentence.
    Text,
    /// As a file of baselines/.
    Yaml,
    /// One JSON document that names its schema.
    Json,
    /// The JSON that `aws ssm create-patch-baseline --cli-input-json` takes.
    CreateRequest,
    /// The file that AWS-RunPatchBaseline takes as `BaselineOverride`.
    Override,
}

pub(super) fn run(session: &Session, args: &ShowArgs) -> Result<Exit, Failure> {
    let project = super::project(session)?;
    let found = baseline::find(project.as_ref(), &args.name, args.os)?;
    super::warn(session, &found.warnings);
    let baseline = &found.baseline;
    print(&match args.format {
        ShowFormat::Text => report::baseline(&found),
        ShowFormat::Yaml => baseline.to_yaml(),
        ShowFormat::Json => format!("{:#}\n", report::baseline_json(&found)),
        ShowFormat::CreateRequest => format!("{:#}\n", baseline.to_create_request()),
        ShowFormat::Override => format!("{:#}\n", Baseline::to_override_file(std::slice::from_ref(baseline))),
    })?;
    Ok(Exit::Done)
}
