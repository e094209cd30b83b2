//! Parent images: a Debian root made once per machine, or a folder of the project, shown as a publisher's public AMI.

use super::super::random;
use super::super::records::{AMI, Ami, COMPONENT, INFRASTRUCTURE, RECIPE};
use super::super::service::Service;
use super::super::store::{Scope, StoreError};
use super::super::wire::{Caller, ServiceError};
use super::super::{DEFAULT_ACCOUNT, DEFAULT_REGION, Local, LocalError, ssm};
use super::ami::{PUBLIC, machine_architecture};
use super::peer;
use crate::clock::rfc3339;
use crate::project::LocalParent;
use crate::sandbox::root::{self, BootstrapSpec};
use crate::sandbox::{self, Line, SandboxError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The account of the publisher of Debian's AMIs; parents of the local environment are shown as its.
const PUBLISHER: &str = "136693071363";

/// Part of the key of a bootstrapped root: to be raised when roots are made in another way, so that old ones are not used.
const ROOT_RECIPE: u32 = 1;

/// The parent image that a recipe needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentSpec {
    /// The SSM parameter that names it, when the recipe refers to one.
    pub parameter: Option<String>,
    /// Name of the AMI.
    pub name: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// Where it comes from; paths are absolute.
    pub source: LocalParent,
}

/// A root on this machine.
struct Root {
    /// The same for the same content, made the same way.
    key: String,
    folder: PathBuf,
    description: String,
}

impl Local {
    /// Makes sure that the parent image is there and returns the id of its AMI, which is the same every time.
    ///
    /// A bootstrapped root is made when it is missing, which takes a minute; other processes that want the same one
    /// wait. `on_line` gets what is done, line by line.
    ///
    /// # Errors
    /// When the root cannot be made or is not usable, or the state cannot be written.
    pub fn ensure_parent(&self, spec: &ParentSpec, on_line: &dyn Fn(String)) -> Result<String, LocalError> {
        native(spec)?;
        // A machine that cannot run instances is told so before anything is made on it.
        sandbox::probe(&self.config.state).map_err(|error| parent_error(&error))?;
        let root = match &spec.source {
            LocalParent::Bootstrap { release, packages } => bootstrapped(self, spec, release, packages, on_line)?,
            LocalParent::Directory { path } => directory(path)?,
        };
        let ami = ami(self, spec, &root);
        for region in regions(self)? {
            register(self, &region, &ami)?;
            if let Some(parameter) = &spec.parameter {
                publish(self, &region, parameter, &ami.id)?;
            }
        }
        Ok(ami.id)
    }

    /// The id of the AMI that [`Local::ensure_parent`] leads to; nothing is made.
    ///
    /// # Errors
    /// When a folder is not a usable root.
    pub fn parent_id(&self, spec: &ParentSpec) -> Result<String, LocalError> {
        native(spec)?;
        let root = match &spec.source {
            LocalParent::Bootstrap { release, packages } => wanted(self, spec, release, packages).0,
            LocalParent::Directory { path } => directory(path)?,
        };
        Ok(ami_id(&root))
    }
}

/// Only the machine's own architecture can be built here.
fn native(spec: &ParentSpec) -> Result<(), LocalError> {
    if spec.arch == machine_architecture() {
        return Ok(());
    }
    Err(LocalError::Machine(format!(
        "{} is for {}, and this machine is {}: the local environment runs programs on the machine's own processor; build \
         this architecture on such a machine, or in an AWS environment",
        spec.name,
        spec.arch,
        machine_architecture()
    )))
}

fn ami_id(root: &Root) -> String {
    format!("ami-{}", &root.key[..17])
}

/// What a bootstrapped parent is made of, and where it lies once it is made.
fn wanted(local: &Local, spec: &ParentSpec, release: &str, packages: &[String]) -> (Root, BootstrapSpec) {
    let packages: BTreeSet<&String> = packages.iter().collect();
    let packages: Vec<String> = packages.into_iter().cloned().collect();
    let mirror = local.config.mirror.clone();
    let key = digest(&[&json!([ROOT_RECIPE, release, packages, mirror, spec.arch]).to_string()]);
    let folder = local.config.cache.join("roots").join(&key[..32]);
    let root = Root { key, folder, description: format!("Debian {release}, release pocket only") };
    let wanted = BootstrapSpec {
        release: release.to_owned(),
        packages,
        mirror,
        architecture: spec.arch.clone(),
        destination: root.folder.clone(),
    };
    (root, wanted)
}

fn bootstrapped(
    local: &Local,
    spec: &ParentSpec,
    release: &str,
    packages: &[String],
    on_line: &dyn Fn(String),
) -> Result<Root, LocalError> {
    let (root, wanted) = wanted(local, spec, release, packages);
    // What a killed process has left half-made goes, whether or not a root has to be made now.
    if let Some(parent) = root.folder.parent() {
        root::sweep(parent).map_err(|error| parent_error(&error))?;
    }
    // Held while the root is made: another process that wants it waits here instead of making it, too.
    let lock = lock(&root.folder)?;
    if !root.folder.is_dir() {
        on_line(format!("making the parent root {} ({release}, {})", spec.name, spec.arch));
        make(&wanted, on_line).map_err(|error| parent_error(&error))?;
    }
    drop(lock);
    Ok(root)
}

fn make(wanted: &BootstrapSpec, on_line: &dyn Fn(String)) -> Result<(), SandboxError> {
    root::bootstrap(wanted, &mut |line| match line {
        Line::Out(line) | Line::Err(line) => on_line(line),
    })
}

/// What is missing on the machine is told in the sandbox's own words, which name the command that mends it.
fn parent_error(error: &SandboxError) -> LocalError {
    match error {
        SandboxError::Unavailable { .. } => LocalError::Sandbox(error.to_string()),
        SandboxError::Program { .. } | SandboxError::Space { .. } => LocalError::Machine(error.to_string()),
        _ => LocalError::Parent(error.to_string()),
    }
}

/// An exclusive lock next to `folder`, released when dropped and with the process.
fn lock(folder: &Path) -> Result<File, LocalError> {
    let path = folder.with_extension("lock");
    let wrong = |source: io::Error| LocalError::Io { path: path.clone(), source };
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(wrong)?;
    }
    let file = File::options().create(true).append(true).open(&path).map_err(wrong)?;
    file.lock().map_err(wrong)?;
    Ok(file)
}

/// A folder with a root file system, used where it is.
fn directory(path: &Path) -> Result<Root, LocalError> {
    let unusable = |problem: String| {
        LocalError::Parent(format!(
            "{} is not a usable root file system: {problem}; name a folder that holds an unpacked Debian or Ubuntu \
             system in `parent.local.directory`",
            path.display()
        ))
    };
    let read = |file: &str| {
        fs::read_to_string(path.join(file)).map_err(|error| unusable(format!("{file} cannot be read: {error}")))
    };
    let status = read("var/lib/dpkg/status")?;
    read("etc/os-release").or_else(|_| read("usr/lib/os-release"))?;
    let sources = package_sources(path).map_err(|error| unusable(format!("etc/apt cannot be read: {error}")))?;
    let key = digest(&[&path.display().to_string(), &status, &sources]);
    Ok(Root { key, folder: path.to_owned(), description: format!("root file system in {}", path.display()) })
}

fn package_sources(root: &Path) -> io::Result<String> {
    let mut files = vec![root.join("etc/apt/sources.list")];
    match fs::read_dir(root.join("etc/apt/sources.list.d")) {
        Ok(entries) => files.extend(entries.collect::<io::Result<Vec<_>>>()?.into_iter().map(|entry| entry.path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.sort();
    let mut all = String::new();
    for file in files {
        match fs::read_to_string(&file) {
            Ok(text) => all.push_str(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    random::hex_of(&hash.finalize())
}

fn ami(local: &Local, spec: &ParentSpec, root: &Root) -> Ami {
    Ami {
        id: ami_id(root),
        name: format!("{}-{}", spec.name, &root.key[..8]),
        description: root.description.clone(),
        owner: PUBLISHER.to_owned(),
        public: true,
        architecture: spec.arch.clone(),
        state: "available".to_owned(),
        created_at: rfc3339(local.config.clock.now()),
        root_device: "/dev/xvda".to_owned(),
        snapshot: format!("snap-{}", &root.key[17..34]),
        volume_size: 8,
        volume_type: "gp3".to_owned(),
        encrypted: false,
        imds_v2: true,
        platform: "Linux/UNIX".to_owned(),
        tags: BTreeMap::new(),
        layers: vec![root.folder.clone()],
        launch_permissions: Vec::new(),
        source: None,
    }
}

/// Every Region that anything was made in, and the home Region.
fn regions(local: &Local) -> Result<BTreeSet<String>, StoreError> {
    local.store.read(|tx| {
        let mut regions = BTreeSet::from([DEFAULT_REGION.to_owned()]);
        for kind in [AMI, COMPONENT, RECIPE, INFRASTRUCTURE] {
            regions.extend(tx.scopes(kind)?.into_iter().map(|scope| scope.region));
        }
        Ok(regions)
    })
}

fn register(local: &Local, region: &str, ami: &Ami) -> Result<(), StoreError> {
    let scope = Scope { account: PUBLIC.to_owned(), region: region.to_owned() };
    local.store.write(|tx| {
        let known: Option<Ami> = tx.get(&scope, AMI, &ami.id)?;
        // An AMI keeps the time at which it was first seen.
        let created_at = known.as_ref().map_or_else(|| ami.created_at.clone(), |known| known.created_at.clone());
        let ami = Ami { created_at, ..ami.clone() };
        if known.as_ref() == Some(&ami) { Ok(()) } else { tx.put(&scope, AMI, &ami.id, &ami) }
    })
}

/// Lets the parameter name the AMI: a public one of the publisher, or one of the project's own account.
fn publish(local: &Local, region: &str, parameter: &str, ami: &str) -> Result<(), LocalError> {
    if parameter.starts_with("/aws/") {
        return Ok(ssm::put_public_parameter(local, region, parameter, ami)?);
    }
    let scope = Scope { account: DEFAULT_ACCOUNT.to_owned(), region: region.to_owned() };
    let caller = Caller { scope, now: local.config.clock.now() };
    let refused = |error: ServiceError| {
        LocalError::Parent(format!("the parameter {parameter} could not be set to {ami}: {error}"))
    };
    let known = peer::call(local, &caller, Service::Ssm, "GetParameter", &json!({"Name": parameter}));
    if known.is_ok_and(|known| known.pointer("/Parameter/Value").and_then(Value::as_str) == Some(ami)) {
        return Ok(());
    }
    let request = json!({
        "Name": parameter, "Value": ami, "Type": "String", "DataType": "aws:ec2:image", "Overwrite": true,
    });
    peer::call(local, &caller, Service::Ssm, "PutParameter", &request).map(drop).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(folder: &Path) {
        for (file, text) in [
            ("var/lib/dpkg/status", "Package: bash\n"),
            ("usr/lib/os-release", "ID=debian\n"),
            ("etc/apt/sources.list", "deb http://mirror bookworm main\n"),
        ] {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_folder_has_the_same_key_until_its_packages_change() {
        let folder = tempfile::tempdir().unwrap();
        root(folder.path());
        let first = directory(folder.path()).unwrap().key;
        assert_eq!(directory(folder.path()).unwrap().key, first);
        fs::create_dir_all(folder.path().join("etc/apt/sources.list.d")).unwrap();
        fs::write(folder.path().join("etc/apt/sources.list.d/more.list"), "deb http://more x main\n").unwrap();
        assert_ne!(directory(folder.path()).unwrap().key, first);
    }

    #[test]
    fn a_folder_without_a_system_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let error = directory(folder.path()).err().unwrap().to_string();
        assert!(error.contains("var/lib/dpkg/status") && error.contains("name a folder"), "{error}");
    }

    #[test]
    fn digests_know_where_parts_end() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
