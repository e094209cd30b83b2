//! `amiforge local serve` and `amiforge local alarm`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::local::store::Scope;
use crate::local::{self, Local, LocalError};
use crate::report::ServedKeys;
use clap::Subcommand;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Verbs of the local environment.
#[derive(Debug, Subcommand)]
pub enum LocalVerb {
    /// Serve the local environment on a loopback port, for the AWS CLI, boto3 or Terraform.
    Serve(ServeArgs),
    /// Let an alarm ring: instance refreshes that name it fail, and roll back if they are to.
    Alarm(AlarmArgs),
}

/// Arguments of `local alarm`.
#[derive(Debug, clap::Args)]
pub struct AlarmArgs {
    /// Name of the alarm.
    pub name: String,
    /// Let it be quiet again.
    #[arg(long)]
    pub ok: bool,
    /// Account; that in which the project's verbs work when absent.
    #[arg(long, value_name = "ID", value_parser = account, default_value = local::DEFAULT_ACCOUNT)]
    pub account: String,
    /// Region.
    #[arg(long, default_value = local::DEFAULT_REGION)]
    pub region: String,
}

/// Arguments of `local serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Port on 127.0.0.1; 0 lets the system choose.
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// Makes EC2 eventually consistent, as it is on AWS: for so long after a change clients see what was before it, and what was
    /// made a moment ago does not exist yet. Systems Manager takes as long to check parameters that name an image.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "0s")]
    pub lag: std::time::Duration,

    /// Prints the keys of this account; may be given several times. Without it those of the account in which the project's verbs
    /// work.
    #[arg(long = "account", value_name = "ID", value_parser = account)]
    pub accounts: Vec<String>,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not an account id, which has twelve digits"))
}

pub(crate) async fn run(session: &Session, verb: LocalVerb) -> Result<Exit, Failure> {
    let project = session.project()?;
    let cloud = session.cloud(&project).await?;
    let Some(environment) = cloud.local() else {
        return Err(Failure::new(Exit::Usage, "this is for the local environment only").next("leave --environment out"));
    };
    match verb {
        LocalVerb::Serve(args) => serve(environment, args).await,
        LocalVerb::Alarm(args) => {
            let AlarmArgs { name, ok, account, region } = args;
            let scope = Scope { account, region };
            environment.set_alarm(&scope, &name, !ok).map_err(LocalError::from)?;
            let state = if ok { "quiet" } else { "in the state ALARM" };
            print(&format!("{}/{}: alarm {name} is {state}\n", scope.account, scope.region))?;
            Ok(Exit::Done)
        }
    }
}

async fn serve(environment: Arc<Local>, args: ServeArgs) -> Result<Exit, Failure> {
    environment.set_lag(args.lag);
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|error| {
        Failure::new(Exit::Unexpected, format!("127.0.0.1:{} cannot be listened on: {error}", args.port))
            .next("--port 0 lets the system choose a free port")
    })?;
    let port = listener.local_addr()?.port();
    let accounts = if args.accounts.is_empty() { vec![local::DEFAULT_ACCOUNT.to_owned()] } else { args.accounts };
    let keys = accounts.into_iter().map(|account| {
        let (key, secret) = environment.credentials(&account);
        ServedKeys { account, key, secret }
    });
    print(&crate::report::serving(port, &keys.collect::<Vec<_>>()))?;
    local::serve(environment, listener, std::future::pending()).await?;
    Ok(Exit::Done)
}
