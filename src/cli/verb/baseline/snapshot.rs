//! `amiforge baseline snapshot`

use crate::baseline::{self, Frozen, Which, Written};
use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::patch::OperatingSystem;
use crate::report;

/// Arguments of `baseline snapshot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Read from the home account and Region of the environment.\n\
    Exit codes: 0 written, or the same already · 10 the file differs and is not overwritten, or --check found a difference.")]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct SnapshotArgs {
    /// Name of a baseline of the account or of AWS.
    #[arg(group = "which")]
    pub name: Option<String>,
    /// Id of a baseline, or its ARN.
    #[arg(long, group = "which", value_name = "ID")]
    pub id: Option<String>,
    /// The default of an operating system.
    #[arg(long, group = "which", value_name = "OS", value_parser = super::system)]
    pub default_for: Option<OperatingSystem>,
    /// Name of the file in baselines/, without its ending; the baseline's own name when absent.
    #[arg(long = "as", value_name = "NAME")]
    pub file: Option<String>,
    /// Write nothing; end with 10 when the account's baseline differs from the file.
    #[arg(long)]
    pub check: bool,
    /// Overwrite a file that differs.
    #[arg(long, conflicts_with = "check")]
    pub force: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

impl SnapshotArgs {
    fn which(&self) -> Which {
        match (&self.name, &self.id, self.default_for) {
            (_, Some(id), _) => Which::Id(id.clone()),
            (_, _, Some(os)) => Which::DefaultFor(os),
            (name, None, None) => Which::Name(name.clone().unwrap_or_default()),
        }
    }

    /// The command that compares the file with the account.
    fn again(&self, session: &Session) -> String {
        let which = match self.which() {
            Which::Name(name) => name,
            Which::Id(id) => format!("--id {id}"),
            Which::DefaultFor(os) => format!("--default-for {os}"),
        };
        let file = self.file.as_ref().map_or_else(String::new, |name| format!(" --as {name}"));
        format!("amiforge -e {} baseline snapshot {which}{file} --check", session.global.environment)
    }
}

pub(super) async fn run(session: &Session, args: &SnapshotArgs) -> Result<Exit, Failure> {
    // A recipe may name the very baseline that is to be frozen, so the rest of the project need not be complete.
    let project = session.lenient_project()?;
    let cloud = session.cloud(&project).await?;
    let frozen: Frozen = baseline::fetch(cloud, &args.which()).await?;
    let name = args.file.as_deref().unwrap_or(&frozen.baseline.name);
    let again = args.again(session);
    let done = if args.check {
        baseline::check(&project.root, name, &frozen)?
    } else {
        let text = frozen.to_yaml(cloud.clock().now(), &again);
        baseline::write(&project.root, name, &frozen, &text, args.force)?
    };
    print_as(args.format, &done, || report::snapshot(&done))?;
    if matches!(done.outcome, Written::Differs | Written::Missing) {
        let what = if done.outcome == Written::Missing { "does not exist" } else { "differs from the account" };
        return Err(Failure::new(Exit::Drift, format!("{} {what}", done.file.display()))
            .next(format!("{} writes what the account has", again.replace("--check", "--force"))));
    }
    Ok(Exit::Done)
}
