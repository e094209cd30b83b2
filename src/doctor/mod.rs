//! `doctor`: is everything there that the verbs need, and if not, what mends it.
//!
//! A check is data: an id, a title, and a function that looks ([`checks`]). Checks run beside each other, a few at a time.
//! One that cannot look, or breaks down, is *unknown*, and unknown is never ok. Nothing is changed: what has a dry run is
//! tried that way, what has not is simulated by IAM, the rest is read.
//!
//! | file | checks |
//! |---|---|
//! | `identity` | `credentials`, `targets`, `clock`, `regions` |
//! | `permission` | `permissions`, `dry-runs` |
//! | `roles` | `instance-profile`, `service-role` |
//! | `network`, `endpoints` | `network`, `security-groups`, `instance-types` |
//! | `stock` | `log-bucket`, `quotas`, `parents` |
//! | `sealed` | `evidence` |
//! | `keys` | `image-keys` |
//! | `machine` | of the local environment: `namespaces`, `limits`, `room`, `programs`, `sources`, `state` |

mod endpoints;
mod identity;
mod keys;
mod machine;
mod model;
mod network;
mod permission;
mod roles;
mod sealed;
mod stock;
#[cfg(test)]
mod tests;

pub use model::{CheckReport, Finding, Report, SCHEMA, Status};

use crate::access::{self, Site, Verb};
use crate::aws::{AwsError, CallError, Cloud};
use crate::project::{AwsConfig, EnvironmentConfig, Project};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Checks at a time: enough that waiting for AWS overlaps, few enough that nothing is throttled.
const AT_ONCE: usize = 4;

/// What checks look at.
#[derive(Debug)]
pub struct Context {
    /// The project.
    pub project: Project,
    /// The environment's name.
    pub environment: String,
    /// Verbs whose permissions count.
    pub verbs: Vec<Verb>,
    /// The environment, or why there is none.
    pub cloud: Result<Cloud, AwsError>,
    /// Folder of the local environment's state.
    pub state: PathBuf,
    /// Folder of roots.
    pub cache: PathBuf,
}

/// An environment in AWS that is connected.
#[derive(Debug)]
struct Aws<'a> {
    context: &'a Context,
    cloud: &'a Cloud,
    config: &'a AwsConfig,
    site: Site,
}

type Findings = Result<Vec<Finding>, CallError>;
type Work = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;

/// A check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// For `--only`.
    pub id: &'static str,
    /// What it looks at.
    pub title: &'static str,
    run: fn(Arc<Context>) -> Work,
}

/// A check in AWS: it needs the connection, and a call that fails makes it unknown.
macro_rules! in_aws {
    ($id:literal, $title:literal, $look:path) => {
        Check {
            id: $id,
            title: $title,
            run: |context| {
                Box::pin(async move {
                    match connected(&context) {
                        Ok(aws) => $look(&aws).await.unwrap_or_else(|error| vec![aws.unknown(&error)]),
                        Err(finding) => vec![finding],
                    }
                })
            },
        }
    };
}

/// A check of this machine: it may block.
macro_rules! here {
    ($id:literal, $title:literal, $look:path) => {
        Check {
            id: $id,
            title: $title,
            run: |context| {
                Box::pin(async move {
                    let looked = tokio::task::spawn_blocking(move || $look(&context)).await;
                    looked.unwrap_or_else(|error| vec![broken(&error)])
                })
            },
        }
    };
}

/// The same wherever images are.
const EVIDENCE: Check = Check {
    id: "evidence",
    title: "the bucket of evidence, and keys in KMS",
    run: |context| Box::pin(async move { sealed::looked(&context).await }),
};

/// So is this.
const IMAGE_KEYS: Check = Check {
    id: "image-keys",
    title: "keys that images are encrypted with",
    run: |context| Box::pin(async move { keys::looked(&context).await }),
};

const IN_AWS: &[Check] = &[
    Check {
        id: "credentials",
        title: "credentials, and whose they are",
        run: |context| Box::pin(async move { identity::credentials(&context).await }),
    },
    in_aws!("targets", "roles of the targets", identity::targets),
    in_aws!("clock", "this machine's clock against the service's", identity::clock),
    in_aws!("regions", "Regions that have to be opted in to", identity::regions),
    in_aws!("permissions", "what the caller may do, as IAM simulates it", permission::simulated),
    in_aws!("dry-runs", "calls tried without being done", permission::tried),
    in_aws!("instance-profile", "instance profile, its role and policies", roles::profile),
    in_aws!("service-role", "the service-linked role of Image Builder", roles::service),
    in_aws!("network", "the way from the subnet to the services", network::way),
    in_aws!("security-groups", "security groups of build instances", network::groups),
    in_aws!("instance-types", "instance types where they are needed", network::types),
    in_aws!("log-bucket", "the bucket of build logs", stock::bucket),
    EVIDENCE,
    IMAGE_KEYS,
    in_aws!("quotas", "quotas of Image Builder", stock::quotas),
    in_aws!("parents", "parent images of the recipes", stock::parents),
];

const HERE: &[Check] = &[
    here!("namespaces", "whether instances can run on this machine", machine::namespaces),
    here!("limits", "limits of memory and processes for instances", machine::limits),
    here!("room", "room on the disk, and memory", machine::room),
    here!("programs", "programs that make roots", machine::programs),
    here!("sources", "files and folders that roots are made of", machine::sources),
    EVIDENCE,
    IMAGE_KEYS,
    Check {
        id: "state",
        title: "the state of the local environment",
        run: |context| Box::pin(async move { vec![machine::state(&context)] }),
    },
];

/// The checks of an environment.
#[must_use]
pub fn checks(config: &EnvironmentConfig) -> &'static [Check] {
    match config {
        EnvironmentConfig::Local(_) => HERE,
        EnvironmentConfig::Aws(_) => IN_AWS,
    }
}

/// Runs checks; the report has them in their own order, whichever ends first.
pub async fn examine(context: Context, checks: &[Check]) -> Report {
    let (project, environment) = (context.project.name.clone(), context.environment.clone());
    let (context, permits) = (Arc::new(context), Arc::new(Semaphore::new(AT_ONCE)));
    let mut running = JoinSet::new();
    let mut numbers = std::collections::HashMap::new();
    for (number, check) in checks.iter().enumerate() {
        let (work, permits) = ((check.run)(Arc::clone(&context)), Arc::clone(&permits));
        let task = running.spawn(async move {
            let _permit = permits.acquire_owned().await;
            work.await
        });
        numbers.insert(task.id(), number);
    }
    let mut found: Vec<Vec<Finding>> = vec![vec![]; checks.len()];
    while let Some(ended) = running.join_next_with_id().await {
        let (id, findings) = match ended {
            Ok((id, findings)) => (id, findings),
            Err(error) => (error.id(), vec![broken(&error)]),
        };
        if let Some(number) = numbers.get(&id) {
            found[*number] = findings;
        }
    }
    let reports = checks.iter().zip(found).map(|(check, findings)| CheckReport::new(check.id, check.title, findings));
    Report::new(project, environment, reports.collect())
}

/// A check that broke down.
fn broken(error: &tokio::task::JoinError) -> Finding {
    Finding::unknown(format!("the check itself broke down: {error}"))
        .why("this is a defect of amiforge; what it looks at is neither right nor wrong by that")
}

/// The connection; without one there is nothing to look at.
fn connected(context: &Context) -> Result<Aws<'_>, Finding> {
    let skipped =
        || Finding::unknown("not looked at: there are no usable credentials").next("mend `credentials` first");
    let cloud = context.cloud.as_ref().map_err(|_| skipped())?;
    let EnvironmentConfig::Aws(config) = cloud.config() else { return Err(skipped()) };
    let site = Site::of(&context.project, &context.environment, config, None);
    Ok(Aws { context, cloud, config, site })
}

impl Aws<'_> {
    /// A call that failed: nothing is known. When it was refused, the permission that it wants is named.
    fn unknown(&self, error: &CallError) -> Finding {
        let finding = Finding::unknown(format!("could not be looked at: {error}")).of_call(error);
        if !error.fault.denied {
            return finding;
        }
        let needs = access::needs(Verb::Doctor).into_iter();
        let asked =
            needs.filter(|need| need.operation.and_then(|name| name.split('.').nth(1)) == Some(error.operation));
        let actions: BTreeSet<&str> = asked.map(|need| need.action).collect();
        let policy = access::caller(&self.site, &[Verb::Doctor]);
        let wanted = policy.statement.iter().flat_map(|one| one.action.iter().map(|a| (one.sid.clone(), a.clone())));
        let wanted = wanted.filter(|(_, action)| actions.contains(action.as_str())).collect();
        finding.allow(access::only(&policy, &wanted))
    }
}
