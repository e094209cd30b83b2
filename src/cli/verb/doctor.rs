//! `amiforge doctor`

use crate::access::Verb;
use crate::cli::args::Format;
use crate::cli::exit::{Exit, exit};
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::diagnostic::suggest;
use crate::doctor::{self, Check, Context};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all ok, warnings included · 12 credentials or a permission are missing · 2 another problem ·\n\
    1 something could not be looked at. What could not be looked at is never ok."
)]
pub struct DoctorArgs {
    /// Run only these checks, by id; several with commas, or several times.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Verbs whose permissions are looked at; all when absent.
    #[arg(long, value_name = "VERB", value_delimiter = ',', value_parser = super::iam_policy::verb)]
    pub verbs: Vec<Verb>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &DoctorArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let environment = session.global.environment.clone();
    let Some(config) = project.environments.get(&environment) else {
        let known: Vec<&str> = project.environments.keys().map(String::as_str).collect();
        return Err(Failure::new(Exit::Usage, format!("there is no environment `{environment}` in this project"))
            .next(format!("it has: {}", known.join(", "))));
    };
    let checks = chosen(doctor::checks(config), &args.only)?;
    let context = Context {
        verbs: if args.verbs.is_empty() { Verb::ENVIRONMENT.to_vec() } else { args.verbs.clone() },
        cloud: session.examined(&project).await?,
        state: project.root.join(".amiforge"),
        cache: session.cache(Some(&project.root))?,
        environment,
        project,
    };
    let report = doctor::examine(context, &checks).await;
    print_as(args.format, &report, || crate::report::doctor(&report))?;
    Ok(exit(report.exit_code()))
}

fn chosen(checks: &[Check], only: &[String]) -> Result<Vec<Check>, Failure> {
    if only.is_empty() {
        return Ok(checks.to_vec());
    }
    let known: Vec<&str> = checks.iter().map(|check| check.id).collect();
    if let Some(id) = only.iter().find(|id| !known.contains(&id.as_str())) {
        let failure = Failure::new(Exit::Usage, format!("this environment has no check `{id}`"));
        return Err(match suggest(id, known.iter().copied()) {
            Some(close) => failure.next(format!("did you mean `{close}`?")),
            None => failure.next(format!("it has: {}", known.join(", "))),
        });
    }
    Ok(checks.iter().filter(|check| only.iter().any(|id| id == check.id)).copied().collect())
}
