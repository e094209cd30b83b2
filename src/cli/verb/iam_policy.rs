//! `amiforge iam-policy`

use crate::access::{self, Policy, Role, Site, Verb};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, tell};
use crate::diagnostic::suggest;
use crate::project::{AwsConfig, EnvironmentConfig, Project};
use crate::report;
use clap::ValueEnum;

/// Arguments of `iam-policy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Nothing is asked of AWS. Use it: amiforge -e aws iam-policy build validate > policy.json\n\
    aws iam put-role-policy --role-name ROLE --policy-name amiforge --policy-document file://policy.json")]
pub struct IamPolicyArgs {
    /// Verbs to allow: plan, publish, build, validate, promote, rollback, revoke, restore, resolve, channels,
    /// releases, run, logs, why, baseline, doctor, import, component. All but `component`, which reads whatever documents name, when absent.
    #[arg(value_name = "VERB", value_parser = verb)]
    pub verbs: Vec<Verb>,
    /// Whose policy.
    #[arg(long = "for", value_enum, default_value_t = For::Caller)]
    pub audience: For,
    /// Print the trust policy of the role instead: who may assume it.
    #[arg(long)]
    pub trust: bool,
    /// The account of the target role, when there are several.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// The role in the instance profile; taken to be called like the profile when absent.
    #[arg(long, value_name = "NAME")]
    pub instance_role: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = PolicyFormat::Json)]
    pub format: PolicyFormat,
}

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum For {
    /// Who runs amiforge.
    Caller,
    /// The instances that builds and validations run on.
    Instance,
    /// The role that is assumed in targets.
    Target,
    /// The role of custom workflows.
    Execution,
    /// The role that Image Builder assumes in accounts it distributes to.
    Distribution,
}

/// How a policy is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyFormat {
    /// The policy document alone, as IAM takes it. What else there is to know goes to stderr.
    Json,
    /// For people: which verbs need which statement, and what to attach.
    Text,
}

pub(super) fn verb(text: &str) -> Result<Verb, String> {
    let known = Verb::ENVIRONMENT.into_iter().chain([Verb::Component]);
    let names: Vec<&str> = known.clone().map(Verb::name).collect();
    known.into_iter().find(|verb| verb.name() == text).ok_or_else(|| match suggest(text, names.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("no verb that calls AWS; those are: {}", names.join(", ")),
    })
}

pub(crate) fn run(session: &Session, args: &IamPolicyArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let environment = &session.global.environment;
    let config = aws(&project, environment)?;
    let site = Site::of(&project, environment, config, args.instance_role.as_deref());
    let verbs = if args.verbs.is_empty() { Verb::ENVIRONMENT.to_vec() } else { args.verbs.clone() };
    let role = match args.audience {
        For::Caller if args.trust => {
            return Err(Failure::new(Exit::Usage, "who runs amiforge has no trust policy of its own")
                .next("--for instance, target, execution or distribution names a role that has one"));
        }
        For::Caller => return show(args, &verbs, &access::caller(&site, &verbs), None, &access::caller_notes(&site)),
        For::Instance => access::instance(&site),
        For::Execution => access::execution(&site),
        For::Distribution => access::distribution(&site),
        For::Target => target(&site, &verbs, args.account.as_deref())?,
    };
    let policy = if args.trust { role.trust.clone() } else { role.policy.clone() };
    let notes = role.notes.clone();
    show(args, &verbs, &policy, Some(&role), &notes)
}

fn show(
    args: &IamPolicyArgs,
    verbs: &[Verb],
    policy: &Policy,
    role: Option<&Role>,
    notes: &[String],
) -> Result<Exit, Failure> {
    match args.format {
        PolicyFormat::Text => print(&report::access(policy, verbs, role, notes))?,
        PolicyFormat::Json => {
            tell(&report::access_notes(policy, role, notes));
            print(&policy.json())?;
        }
    }
    Ok(Exit::Done)
}

/// The environment's settings, which must be AWS's: this machine has no IAM.
pub(super) fn aws<'a>(project: &'a Project, environment: &str) -> Result<&'a AwsConfig, Failure> {
    if let Some(EnvironmentConfig::Aws(aws)) = project.environments.get(environment) {
        return Ok(aws);
    }
    let named = project.environments.iter().filter(|(_, config)| matches!(config, EnvironmentConfig::Aws(_)));
    let named: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
    let failure = match project.environments.get(environment) {
        Some(_) => Failure::new(Exit::Usage, format!("environment `{environment}` is this machine, which has no IAM")),
        None => Failure::new(Exit::Usage, format!("there is no environment `{environment}` in this project")),
    };
    Err(match named.as_slice() {
        [] => failure.next("add an environment with `home: { account, region }` to amiforge.yaml"),
        names => failure.next(format!("-e names one in AWS: {}", names.join(", "))),
    })
}

/// The role of a target: the only one, or that of the account.
fn target(site: &Site, verbs: &[Verb], account: Option<&str>) -> Result<Role, Failure> {
    let roles = site.target_roles();
    let fits = |arn: &str| account.is_none_or(|account| arn.split(':').nth(4) == Some(account));
    let fitting: Vec<_> = roles.iter().filter(|(arn, _)| fits(arn)).collect();
    match fitting.as_slice() {
        [(arn, places)] => Ok(access::target(site, verbs, arn, places)),
        [] => Err(Failure::new(Exit::Usage, "no target is reached through a role of its own")
            .why("targets in the home account without `role` belong to the caller's policy")
            .next("--for caller prints that")),
        several => {
            let accounts: Vec<&str> = several.iter().filter_map(|(arn, _)| arn.split(':').nth(4)).collect();
            Err(Failure::new(Exit::Usage, "the targets have several roles")
                .next(format!("--account with one of: {}", accounts.join(", "))))
        }
    }
}
