//! The local environment: the AWS operations amiforge uses, served from this machine.
//!
//! An HTTP request goes in and an HTTP response comes out ([`Local::handle`]), in the services' own wire protocols: rest-json
//! for Image Builder and Amazon Inspector, the query protocol for EC2, Auto Scaling and STS, awsJson 1.1 for Systems Manager and
//! KMS, rest-xml for S3. The SDK's clients reach it in-process through an HTTP client of their own, other tools through
//! [`serve()`]. State is one SQLite file that processes share.
//!
//! | part | what it has |
//! |---|---|
//! | `dispatch`, `service`, `protocol` | from a request to an operation and back |
//! | `credentials`, `sigv4`, `denial` | who asks, proved by keys of the environment |
//! | `past`, `lag` | EC2 as it was a moment ago, on request |
//! | `input`, `paging`, `tokens` | what all operations share: parameters, pages, client tokens |
//! | `ec2` | AMIs, snapshots, launch templates, tags |
//! | `ssm` | parameters, patch baselines, patch groups |
//! | `s3` | buckets and objects |
//! | `kms` | keys that sign or that disks are encrypted with, aliases, key policies, grants |
//! | `imagebuilder` | components, recipes, configurations, pipelines, workflows |
//! | [`compute`] | what runs: images, instances, commands, patch scans, scans for vulnerabilities |
//! | `autoscaling` | groups of instances and their refreshes |
//! | `faults` | faults on demand, for tests of failure paths |
//!
//! # Differences from AWS
//!
//! What answers look like is checked by strangers (`tests/strangers.rs`): every answer of every operation against botocore's
//! models, and the same scripts against moto, with a written list of what moto does otherwise.
//!
//! Everywhere:
//! * Requests must be signed with keys of the environment, which are made at random for each state folder: one of every account,
//!   and those of role sessions. Beyond that there is no IAM: every call is allowed that AWS would allow to the account. Presigned
//!   URLs are refused, so that no web page can make a browser call the loopback port. How old a signature may be is checked of
//!   requests from the network only.
//! * `AssumeRole` gives a session of any role to whoever asks: roles are not looked up; policies, tags, external ids and MFA of the
//!   request are ignored.
//! * Every Region exists. There are no rate limits unless a fault plan asks for them. EC2 is eventually consistent only on
//!   request ([`Local::set_lag`], `local serve --lag`), by one fixed time for all of it; a change of an existing resource sees what
//!   is, and which versions a launch template has is only behind for who reads them.
//! * Client tokens are remembered for 24 hours; AWS does not say how long it does.
//! * Members of a request that an operation does not know are ignored in JSON, as on AWS; an operation that is not here is an
//!   error that names it (HTTP 400, so that no SDK repeats it).
//!
//! EC2:
//! * An AMI of another account that the caller may not see does not exist for it, whatever the operation.
//! * Tags exist on AMIs, instances, launch templates and snapshots; there are no volumes.
//! * A snapshot is what an AMI was made of, and there are no others: size, encryption and state are the AMI's. Archiving, recycle
//!   bin, locks and fast restore are not here.
//! * Launch permissions for organizations are refused.
//! * Nothing is encrypted, but keys are obeyed: a copy fails, and an instance ends by itself, when a key is not there, of another Region,
//!   disabled, to be deleted, not for encrypting, or does not let in who asks: `DescribeKey`, `CreateGrant`, `Decrypt` and
//!   `ReEncryptFrom` of the key of what is read; `DescribeKey`, `CreateGrant`, `GenerateDataKeyWithoutPlaintext` and `ReEncryptTo`
//!   of the key of what is written. Those are AWS's lists of what EBS needs; whether each of them is needed each time it does not
//!   say. Instances and snapshots that are there outlive their key, and EC2 makes no grants for what it attaches. Keys that a
//!   launch or a launch template names for its disks are not looked at.
//! * Of an image of somebody else, the copy and the instance are encrypted with the account's default key, if the image is encrypted.
//! * An instance whose key cannot be used ends with `Client.InternalError`, and a copy with `Client.InvalidKmsKey`. These are not
//!   confirmed.
//! * `ModifyEbsDefaultKmsKeyId` with a key that cannot be used answers as if it could, and changes nothing. Encryption by default is
//!   not here: what is not encrypted is encrypted on request.
//! * `CopyImage`: Regions only, no Outposts and Local Zones. A copy is there at once where builds are real, because layers are
//!   shared; with scripted builds it takes a minute and a quarter of one for each GiB, whatever was copied before.
//! * Without `IncludeDisabled` a disabled AMI is left out of `DescribeImages` even when it is asked for by id, which AWS's
//!   documentation leaves open.
//! * `DeregisterImage` leaves the layers on disk, because other images may stand on them.
//! * Launch template data is stored without checking it against instance types and the like; an AMI that does not
//!   exist gives a warning, as on AWS. The version that was last is never used again after its deletion.
//! * The owner `amazon` has no images.
//! * `GetImageFindings` and `scanResults` show scans on demand; no image is scanned by itself. The filters `scan-result.*` are
//!   refused.
//!
//! Auto Scaling:
//! * Keys are used in the name of `AWSServiceRoleForAutoScaling` of the group's account, and what lets in the account lets in the
//!   role. On AWS the role has no permissions of its own for keys: a policy or a grant must name it, even in the account of the key.
//!   A group tries a launch that has failed again when it is looked at; of a minute, one failed instance is shown.
//! * Instances of groups are records: `DescribeInstances` shows them, and nothing runs in them. They are no managed nodes of Systems
//!   Manager, and live until their group or somebody ends them. One that was ended is replaced when the group is looked at next.
//! * With real builds they are in service at once; with scripted ones half a minute after their launch.
//! * Launch templates and mixed instances policies only; of a policy, the first override is launched. No launch configurations,
//!   load balancers, lifecycle hooks, warm pools, scaling policies, maintenance policies, health checks and root volume replacement:
//!   a request with them is refused. Availability Zones are those of the request, subnets are names.
//! * There is no `CloudWatch`: alarms ring when [`Local::set_alarm`] or `amiforge local alarm` says so, also ones that never were made.
//! * A refresh replaces instances in batches of as many as the healthy percentages allow: the new ones are launched, the old ones
//!   end at once. There is no delay after the last checkpoint. An alarm that rings already when it begins makes it fail. It is not
//!   certain which of these AWS does otherwise; nor in which words it refuses a rollback of `$Latest` and `$Default` at the start.
//!
//! Systems Manager:
//! * `PutParameter` with data type `aws:ec2:image` is checked when the lag is over; without a lag within the call. If the AMI does not
//!   exist or is not available, the call succeeds with a version number, and the parameter keeps its value or is not made. There is
//!   no event that says so.
//! * `SecureString` is stored in the clear; without decryption a digest of the value is answered in place of the ciphertext.
//!   `KeyId` is kept as it is given, without looking the key up.
//! * No parameter policies, no sharing between accounts, no `aws:ssm:integration`. Public parameters are those that
//!   parent images have been made for. Standard values count 4096 bytes.
//! * The AWS-owned patch baselines have their us-east-1 ids and owner in every Region.
//! * A patch group without a baseline of its own is answered with the account's default, which AWS's documentation leaves open.
//!
//! S3:
//! * Path style only (`/bucket/key`): there are no names of hosts for buckets. No versions, parts, copies, policies, lists of access or
//!   website; a bucket is its account's, and the Region that is asked has to be its own.
//! * Every object is as good as encrypted with AES256 unless another way is named; keys are names. Bodies of `local serve` have at most
//!   one MiB, as all requests.
//!
//! KMS:
//! * Keys of `ECC_NIST_P256` and `ECC_NIST_EDWARDS25519` really sign; those of `SYMMETRIC_DEFAULT` are records that others refer
//!   to and encrypt nothing. Of other specs, of other origins, or in more than one Region there are none.
//! * `Sign` and `Verify` take messages only. A digest (`MessageType: DIGEST`) is refused.
//! * An account's own calls are checked against the key's policy, too. Conditions on `kms:CallerAccount`, `kms:ViaService` and
//!   `kms:GrantIsForAWSResource` are looked at (`Bool`, `StringEquals`, `StringLike`); with others a statement allows nothing, and
//!   denies all the same.
//! * Grants hold at once, and grant tokens are needed by `RetireGrant` only. Principals of grants must look like some; they are not looked
//!   up. What a grant gives to the root of an account it gives to all of it, as a policy does. A grant with constraints opens
//!   `DescribeKey` and `RetireGrant` only, because there are no encryption contexts. Every call of the account that made a grant
//!   may retire it.
//! * A key whose waiting time is over is not found any more. Of AWS's own keys there is that of EBS, `alias/aws/ebs`, which
//!   always was there.
//!
//! Image Builder:
//! * With [`Builds::Scripted`] nothing is built: states and steps follow a script by the clock, images have no files and
//!   cannot be launched, and build instances are ids only; one that a failed build leaves is a record without a machine.
//! * An instance that a failed build leaves (`terminateInstanceOnFailure` is false) runs as long as the process that built it;
//!   then it is stopped with its files, which only `amiforge shell` enters: instances cannot be started here.
//! * No Amazon-managed, shared or marketplace resources, no S3 (`uri`), no keys for documents, no user data, no container recipes, no image
//!   scans and no lifecycle policies.
//! * Schedules of pipelines are checked and stored, but no run is started by itself, and there is no `dateNextRun`;
//!   `imageTags`, which are for scheduled runs, have no effect.
//! * Nothing is published: what a topic of an infrastructure configuration would be told of an image stands in `notification.json`
//!   beside the build's logs, without the ids of its inner jobs.
//! * Distribution: copies are there at once; one that takes longer than 720 minutes, the `timeoutMinutes` of every configuration,
//!   times out (only scripts take time); an entry with `targetAccountIds` copies to these accounts only; a launch
//!   template version is made from the template's default version; `{{ imagebuilder:buildVersion }}` is the build number.
//!   No organizations, licences, containers, fast launch or disk image export. Keys are obeyed as in EC2, in the name of
//!   `AWSServiceRoleForImageBuilder`, and in other accounts of `EC2ImageBuilderDistributionCrossAccountRole`; in the image's own
//!   Region the AMI gets the key of the configuration without a copy. A key of the recipe that cannot be used ends the build in CREATING.
//! * Execution roles are stored, not looked up. With one, parameters of any name can be written; without one only those below
//!   `/imagebuilder/`.
//! * A resource that does not exist is `ResourceNotFoundException` (404) in every operation, and a value that is refused is
//!   `InvalidParameterValueException`; AWS's models have both for a part of the operations only, and leave the others open.
//! * `ssm:` parents are not looked up when a recipe is made, only when a build starts. The operating system of a parent is
//!   not compared with a component's `supportedOsVersions`.
//! * Instance profiles, subnets and security groups of infrastructure configurations are stored, not looked up.
//! * A recipe cannot be deleted while an image made from it or a pipeline with it exists; the configurations of a pipeline
//!   cannot be deleted while it exists.

mod autoscaling;
mod builds;
pub mod compute;
mod credentials;
mod denial;
mod dispatch;
mod ec2;
mod fault_rule;
mod faults;
mod imagebuilder;
mod input;
mod kms;
mod lag;
mod open;
mod paging;
mod past;
#[cfg(test)]
pub(crate) mod picture;
mod protocol;
mod random;
pub mod records;
mod s3;
mod serve;
mod service;
mod sigv4;
mod ssm;
pub mod store;
mod sts;
mod tokens;
pub mod wire;

#[cfg(test)]
mod tests;

pub use builds::{Builds, Failure, Script, Scripts, Wait};
#[cfg(test)]
pub(crate) use credentials::credentials;
pub use fault_rule::{FaultRule, FaultRuleError};
pub(crate) use faults::Delay;
pub use faults::{Fault, FaultPlan};
#[cfg(test)]
pub(crate) use random::foretold;
pub use serve::serve;
pub use service::operations;

use crate::clock::Clock;
use crate::event::Events;
use crate::runner::outside::{Nowhere, Outside};
use std::path::PathBuf;
use std::sync::Arc;

/// The account of calls whose credentials name none.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The home Region of the local environment.
pub const DEFAULT_REGION: &str = crate::project::LOCAL_REGION;

/// How to open the local environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of its state (database, layers, instances); created when absent.
    pub state: PathBuf,
    /// Folder of parent roots, shared by projects; created when absent.
    pub cache: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Where progress of builds goes.
    pub events: Events,
    /// Package mirror for bootstrapped parents; the host's when absent.
    pub mirror: Option<String>,
    /// Host folders visible read-only in instances.
    pub bind: Vec<PathBuf>,
    /// Where the components of a build find objects of S3.
    pub beyond: Beyond,
    /// How images are built.
    pub builds: Builds,
}

/// What lies beyond the local environment for the components of a build: opened anew for each that runs.
#[derive(Clone)]
pub struct Beyond(Arc<dyn Fn() -> Box<dyn Outside + Send> + Send + Sync>);

impl Beyond {
    /// A world that `open` opens.
    pub fn new(open: impl Fn() -> Box<dyn Outside + Send> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(crate) fn open(&self) -> Box<dyn Outside + Send> {
        (self.0)()
    }
}

impl Default for Beyond {
    /// Nothing.
    fn default() -> Self {
        Self::new(|| Box::new(Nowhere))
    }
}

impl std::fmt::Debug for Beyond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beyond")
    }
}

/// Why the local environment could not work.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Its state.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A parent image could not be made.
    #[error("the parent image could not be made: {0}")]
    Parent(String),
    /// This machine does not permit what the sandbox needs.
    #[error("{0}")]
    Sandbox(String),
    /// This machine lacks something: a program, room on a disk, the processor's architecture.
    #[error("{0}")]
    Machine(String),
}

impl LocalError {
    /// The exit code of DESIGN section 9: what the machine lacks is its set-up (2), what is not permitted is 12, a parent
    /// image that could not be made is a failed build (5).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match self {
            Self::Machine(_) => 2,
            Self::Parent(_) => 5,
            Self::Sandbox(_) => 12,
            Self::Io { source, .. } if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) => 12,
            Self::Store(_) | Self::Io { .. } => 1,
        }
    }

    /// What to do next, when it is not in the message already.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Machine(_) | Self::Sandbox(_) => None,
            Self::Parent(_) => Some(
                "check `parent.local` in the recipe and that the package mirror can be reached, then run again".into(),
            ),
            Self::Io { .. } => Some("the project's folder and the cache (--cache DIR) must be writable".into()),
            Self::Store(_) => Some(
                "the state is .amiforge/local/local.sqlite of the project; moved away, the local environment starts empty, \
                 and images in it are made again"
                    .into(),
            ),
        }
    }
}

/// The local environment of one project, in this process.
#[derive(Debug)]
pub struct Local {
    pub(crate) config: Config,
    pub(crate) store: store::Store,
    pub(crate) compute: compute::Compute,
    faults: faults::Faults,
    keys: credentials::Keys,
}
