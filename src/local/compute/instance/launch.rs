//! Starting an instance: a sandbox on the layers of an AMI, and the record of it.

use super::{INSTANCE, InstanceRecord, InstanceState, hostname};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::process::Owner;
use crate::local::compute::state::Live;
use crate::local::ec2::keys::Reason;
use crate::local::random;
use crate::local::records::Ami;
use crate::local::store::{Scope, StoreError};
use crate::local::wire::ServiceError;
use crate::sandbox::{self, Injected, Instance, Network, SandboxError, Spec};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to launch.
#[derive(Debug, Clone)]
pub(in crate::local::compute) struct Order {
    pub(in crate::local::compute) ami: Ami,
    pub(in crate::local::compute) reservation: String,
    pub(in crate::local::compute) instance_type: String,
    pub(in crate::local::compute) tags: BTreeMap<String, String>,
    pub(in crate::local::compute) http_tokens: String,
    pub(in crate::local::compute) hop_limit: i64,
    pub(in crate::local::compute) client_token: String,
    /// Why it will end instead of running, if it will: code and message of its state reason.
    pub(in crate::local::compute) failure: Option<Reason>,
}

/// Why an instance could not be launched.
#[derive(Debug, thiserror::Error)]
pub(in crate::local::compute) enum LaunchError {
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A folder.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// A layer of the AMI is not on this machine.
    #[error("a layer of {ami} is missing on this machine: {}; build the image again", layer.display())]
    Layer { ami: String, layer: PathBuf },
    /// The AMI has no files: it was built by a script.
    #[error("{ami} has no files to run: images of scripted builds cannot be launched")]
    NoFiles { ami: String },
    /// The environment is being closed.
    #[error("the local environment is being closed")]
    Closing,
    /// No thread for the supervisor.
    #[error("no thread to watch the instance: {0}")]
    Thread(std::io::Error),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An id could not be made.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Starts an instance and records it as running; where builds follow scripts nothing is started. Nothing is left when it fails.
pub(in crate::local::compute) fn launch(
    local: &Local,
    scope: &Scope,
    order: &Order,
) -> Result<InstanceRecord, LaunchError> {
    if local.config.builds.are_scripted() {
        return super::modelled::start(local, scope, order);
    }
    if let Some(reason) = &order.failure {
        return stillborn(local, scope, order, reason);
    }
    if order.ami.layers.is_empty() {
        return Err(LaunchError::NoFiles { ami: order.ami.id.clone() });
    }
    if let Some(layer) = order.ami.layers.iter().find(|layer| !layer.is_dir()) {
        return Err(LaunchError::Layer { ami: order.ami.id.clone(), layer: layer.clone() });
    }
    let mut record = new_record(local, order)?;
    // Recorded before it runs: should this process die now, the next one knows what to clean.
    local.store.write(|tx| tx.put(scope, INSTANCE, &record.id, &record))?;
    match start(local, &record, &order.ami) {
        Ok(os) => {
            (record.os_id, record.os_name, record.os_version) = os;
            record.state = InstanceState::Running;
            local.store.write(|tx| tx.put(scope, INSTANCE, &record.id, &record))?;
            Ok(record)
        }
        Err(error) => {
            super::discard(local, &record.id);
            local.store.write(|tx| tx.delete(scope, INSTANCE, &record.id))?;
            Err(error)
        }
    }
}

/// Records an instance that has ended before it ran.
fn stillborn(local: &Local, scope: &Scope, order: &Order, reason: &Reason) -> Result<InstanceRecord, LaunchError> {
    let mut record = new_record(local, order)?;
    record.state = InstanceState::Terminated;
    record.state_reason = Some(reason.clone());
    record.terminated_at = Some(record.launched_at.clone());
    local.store.write(|tx| tx.put(scope, INSTANCE, &record.id, &record))?;
    Ok(record)
}

pub(super) fn new_record(local: &Local, order: &Order) -> Result<InstanceRecord, LaunchError> {
    let id = random::resource_id("i")?;
    let owner = Owner::current().map_err(|source| LaunchError::Io { path: "/proc/self/stat".into(), source })?;
    Ok(InstanceRecord {
        reservation: order.reservation.clone(),
        image: order.ami.id.clone(),
        architecture: order.ami.architecture.clone(),
        instance_type: order.instance_type.clone(),
        state: InstanceState::Pending,
        state_reason: None,
        launched_at: rfc3339(local.config.clock.now()),
        terminated_at: None,
        tags: order.tags.clone(),
        http_tokens: order.http_tokens.clone(),
        hop_limit: order.hop_limit,
        client_token: order.client_token.clone(),
        address: address(&id),
        os_id: String::new(),
        os_name: String::new(),
        os_version: String::new(),
        owner,
        id,
    })
}

/// An address that looks like one of a default VPC; nothing listens on it.
fn address(id: &str) -> String {
    let number = |from: usize| u8::from_str_radix(&id[from..from + 2], 16).unwrap_or(1);
    format!("172.31.{}.{}", number(2), number(4).clamp(4, 254))
}

/// The folder of an instance.
pub(super) fn scratch(local: &Local, id: &str) -> PathBuf {
    local.config.state.join("instances").join(id)
}

type OperatingSystem = (String, String, String);

fn start(local: &Local, record: &InstanceRecord, ami: &Ami) -> Result<OperatingSystem, LaunchError> {
    let folder = scratch(local, &record.id);
    fs::create_dir_all(&folder).map_err(|source| LaunchError::Io { path: folder.clone(), source })?;
    let limits = sandbox::Limits::for_machine(&sandbox::Machine::here(&folder)?);
    let instance = Instance::start(&Spec {
        hostname: hostname(&record.address),
        layers: ami.layers.clone(),
        scratch: folder,
        network: Network::Host,
        inject: injected(),
        bind: local.config.bind.clone(),
        // As on AWS, for builds and for tests alike: a component that starts a service must be able to.
        first: sandbox::First::System,
        limits,
    })?;
    for note in instance.notes() {
        tracing::info!(instance = record.id, "{note}");
    }
    let os = operating_system(&instance.root());
    let live = Arc::new(Live::new(instance));
    local.compute.shared.add_instance(&record.id, live).map_err(|live| {
        live.stop();
        LaunchError::Closing
    })?;
    local.compute.supervise().map_err(LaunchError::Thread)?;
    Ok(os)
}

/// The host's package settings, and one of ours: package indexes stay uncompressed, because patch scans read them.
fn injected() -> BTreeMap<PathBuf, Injected> {
    let mut files = sandbox::host::package_settings();
    let content = b"Acquire::GzipIndexes \"false\";\n".to_vec();
    files.insert(PathBuf::from("/etc/apt/apt.conf.d/95amiforge-indexes"), Injected { content, mode: 0o644 });
    files
}

/// `ID`, `NAME` and `VERSION_ID` of the image; empty when it has no os-release.
fn operating_system(root: &Path) -> OperatingSystem {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let text = read("etc/os-release").or_else(|| read("usr/lib/os-release")).unwrap_or_default();
    let value = |key: &str| os_release_value(&text, key).unwrap_or_default();
    (value("ID"), value("NAME"), value("VERSION_ID"))
}

fn os_release_value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_read_with_and_without_quotes() {
        let text = "PRETTY_NAME=\"Debian\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\nID=debian\nID_LIKE=x\n";
        assert_eq!(os_release_value(text, "ID").as_deref(), Some("debian"));
        assert_eq!(os_release_value(text, "NAME").as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(os_release_value(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(os_release_value(text, "ABSENT"), None);
    }

    #[test]
    fn addresses_are_those_of_a_host() {
        assert_eq!(address("i-ff00aa"), "172.31.255.4");
        assert_eq!(address("i-0110aa"), "172.31.1.16");
    }
}
