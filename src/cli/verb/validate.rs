//! `amiforge validate`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};
use crate::run::Candidate;

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
    /// How the verdicts are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
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
    let report = crate::report::Validated::new(&judged);
    print_as(args.format, &report, || report.text())?;
    Ok(Exit::Done)
}
