//! `amiforge validate`

use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, work};
use crate::report::{Validated, judged};
use crate::run::Candidate;
use std::path::PathBuf;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// Validate this AMI instead of the candidate.
    #[arg(long, value_name = "AMI", conflicts_with = "parent")]
    pub ami: Option<String>,
    /// Validate the parent image instead: what the recipe has to patch.
    #[arg(long)]
    pub parent: bool,
    /// How the verdicts are printed. All formats but `text` are printed when a gate does not pass, too.
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    pub format: ValidateFormat,
    /// Write the result into this file instead of to stdout.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ValidateFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// JUnit XML: a case for each gate and for each run of tests.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Markdown, for the summary of a pipeline.
    Markdown,
}

pub(crate) async fn run(session: &Session, args: &ValidateArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let rendered = work.check(&session.events)?;
    let candidate = match &args.ami {
        Some(ami) => Candidate::foreign(ami.clone()),
        None if args.parent => Candidate::foreign(work.parent(&rendered, &session.events).await?),
        None => {
            let (built, fingerprint) = work.candidate(&rendered).await?;
            Candidate::built(&built, &fingerprint)
        }
    };
    let judged = work.inspect(&candidate, &session.events).await?;
    let (report, refusal) = (Validated::new(&judged), judged.refusal());
    // For people the failure says it all.
    if refusal.is_none() || args.format != ValidateFormat::Text {
        show(args, &drawn(args.format, &report)?)?;
    }
    refusal.map_or(Ok(Exit::Done), |refusal| Err(refusal.into()))
}

fn drawn(format: ValidateFormat, report: &Validated<'_>) -> Result<String, Failure> {
    Ok(match format {
        ValidateFormat::Text => report.text(),
        ValidateFormat::Json => {
            let unwritable =
                |error| Failure::new(Exit::Unexpected, format!("no JSON can be made of the result: {error}"));
            serde_json::to_string_pretty(report).map_err(unwritable)? + "\n"
        }
        ValidateFormat::Junit => judged::junit(&report.judged()),
        ValidateFormat::Sarif => judged::sarif(&report.judged()),
        ValidateFormat::Markdown => judged::markdown(&report.judged()),
    })
}

fn show(args: &ValidateArgs, text: &str) -> Result<(), Failure> {
    let Some(path) = &args.output else { return print(text) };
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()))
            .next("name a file in a folder that exists and is yours")
    })
}
