//! Parent images: a root of the cache, made once per machine, or a folder of the project, shown as a publisher's public AMI.

use super::super::records::{AMI, Ami, COMPONENT, INFRASTRUCTURE, RECIPE};
use super::super::service::Service;
use super::super::store::{Scope, StoreError};
use super::super::wire::{Caller, ServiceError};
use super::super::{DEFAULT_ACCOUNT, DEFAULT_REGION, Local, LocalError, random, ssm};
use super::ami::{PUBLIC, machine_architecture};
use super::peer;
use crate::clock::rfc3339;
use crate::project::LocalParent;
use crate::sandbox::layers;
use crate::sandbox::root::{self, Cache, Obtained, Source};
use crate::sandbox::{self, Line, SandboxError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The account of the publisher of Debian's AMIs; parents of the local environment are shown as its.
const PUBLISHER: &str = "136693071363";

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

impl Local {
    /// Makes sure that the parent image is there and returns the id of its AMI, which is the same every time.
    ///
    /// A root that is missing in the cache is made, which can take a minute; other processes that want the same one
    /// wait. `on_line` gets what is done, line by line.
    ///
    /// # Errors
    /// When the root cannot be made or is not usable, or the state cannot be written.
    pub fn ensure_parent(&self, spec: &ParentSpec, on_line: &dyn Fn(String)) -> Result<String, LocalError> {
        if self.config.builds.are_scripted() {
            return announce(self, spec, without_files(self, spec));
        }
        native(spec)?;
        // A machine that cannot run instances is told so before anything is made on it.
        sandbox::probe(&self.config.state).map_err(|error| parent_error(&error))?;
        let root = obtain(self, spec, on_line)?;
        // The AMI stands on the root for as long as this state is there.
        root.pin(&self.config.state).map_err(|error| parent_error(&error))?;
        announce(self, spec, ami(self, spec, &root.digest, vec![root.path.clone()]))
    }

    /// The id of the AMI that [`Local::ensure_parent`] leads to. Nothing is made, but that an image which is not in the
    /// cache yet is fetched: what a tag leads to is known only then.
    ///
    /// # Errors
    /// When the root is not usable.
    pub fn parent_id(&self, spec: &ParentSpec) -> Result<String, LocalError> {
        if self.config.builds.are_scripted() {
            return Ok(without_files(self, spec).id);
        }
        native(spec)?;
        let planned = root::planned(&source(self, spec), &self.cache()).map_err(|error| parent_error(&error))?;
        match planned {
            Some(digest) => Ok(ami_id(&digest)),
            None => Ok(ami_id(&obtain(self, spec, &|_| ())?.digest)),
        }
    }

    fn cache(&self) -> Cache {
        Cache::new(&self.config.cache)
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

fn ami_id(digest: &str) -> String {
    format!("ami-{}", &digest[..17])
}

/// The source of a recipe, with the mirror of this environment where the recipe names none.
fn source(local: &Local, spec: &ParentSpec) -> Source {
    match &spec.source {
        // The environment's mirror is one of Debian.
        Source::Bootstrap { release, packages, mirror: None } if spec.source.is_debian() => Source::Bootstrap {
            release: release.clone(),
            packages: packages.clone(),
            mirror: local.config.mirror.clone(),
        },
        other => other.clone(),
    }
}

fn obtain(local: &Local, spec: &ParentSpec, on_line: &dyn Fn(String)) -> Result<Obtained, LocalError> {
    let source = source(local, spec);
    let say = &mut |line: Line| match line {
        Line::Out(line) | Line::Err(line) => on_line(line),
    };
    let root = root::obtain(&source, &local.cache(), say).map_err(|error| parent_error(&error))?;
    check_system(&root)?;
    for note in &root.notes {
        on_line(note.clone());
    }
    Ok(root)
}

/// What every image of this environment must have: a name of its system, and a package database, because inventories and
/// patch scans read both.
fn check_system(root: &Obtained) -> Result<(), LocalError> {
    let layers = [root.path.clone()];
    let has = |files: &[&str]| {
        files.iter().any(|file| layers::read_file(&layers, Path::new(file)).is_ok_and(|found| found.is_some()))
    };
    let problem = if !has(&["etc/os-release", "usr/lib/os-release"]) {
        "it has no etc/os-release"
    } else if !has(&DATABASES) {
        "it has neither var/lib/dpkg/status nor a database of rpm"
    } else {
        return Ok(());
    };
    Err(LocalError::Parent(format!(
        "{} is no usable root file system: {problem}; an image of a distribution has both, an image of one program has not",
        root.source
    )))
}

/// Package databases: of dpkg, and of rpm in its usual places and formats.
const DATABASES: [&str; 5] = [
    "var/lib/dpkg/status",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
];

/// What is missing on the machine is told in the sandbox's own words, which name the command that mends it.
fn parent_error(error: &SandboxError) -> LocalError {
    match error {
        SandboxError::Unavailable { .. } => LocalError::Sandbox(error.to_string()),
        SandboxError::Program { .. } | SandboxError::Space { .. } | SandboxError::Busy { .. } => {
            LocalError::Machine(error.to_string())
        }
        _ => LocalError::Parent(error.to_string()),
    }
}

/// Shows the AMI in every Region, under the parameter that names it.
fn announce(local: &Local, spec: &ParentSpec, ami: Ami) -> Result<String, LocalError> {
    for region in regions(local)? {
        register(local, &region, &ami)?;
        if let Some(parameter) = &spec.parameter {
            publish(local, &region, parameter, &ami.id)?;
        }
    }
    Ok(ami.id)
}

/// The parent image where builds are scripted: nothing is made, its id follows from what it would be made of.
fn without_files(local: &Local, spec: &ParentSpec) -> Ami {
    let digest = random::hex_of(&Sha256::digest(format!("{} {} {:?}", spec.name, spec.arch, spec.source)));
    ami(local, spec, &digest, Vec::new())
}

fn ami(local: &Local, spec: &ParentSpec, digest: &str, layers: Vec<PathBuf>) -> Ami {
    Ami {
        id: ami_id(digest),
        name: format!("{}-{}", spec.name, &digest[..8]),
        description: description(&spec.source),
        owner: PUBLISHER.to_owned(),
        public: true,
        architecture: spec.arch.clone(),
        state: "available".to_owned(),
        created_at: rfc3339(local.config.clock.now()),
        root_device: "/dev/xvda".to_owned(),
        snapshot: format!("snap-{}", &digest[17..34]),
        volume_size: 8,
        volume_type: "gp3".to_owned(),
        encrypted: false,
        imds_v2: true,
        platform: "Linux/UNIX".to_owned(),
        tags: BTreeMap::new(),
        layers,
        launch_permissions: Vec::new(),
        source: None,
        ..Ami::default()
    }
}

fn description(source: &Source) -> String {
    match source {
        Source::Bootstrap { release, .. } => format!("{release}, release pocket only"),
        Source::Oci { reference } => format!("image {reference}"),
        Source::Image { path, .. } => format!("image in {}", path.display()),
        Source::Tar { path } | Source::Directory { path } => format!("root file system in {}", path.display()),
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
    let caller = Caller::of(scope, local.config.clock.now());
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
    use std::fs;

    fn root(folder: &Path, files: &[&str]) -> Obtained {
        for file in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let cache = Cache::new(folder.join("cache"));
        root::obtain(&Source::Directory { path: folder.to_owned() }, &cache, &mut |_| ()).unwrap()
    }

    #[test]
    fn a_root_without_a_system_is_refused_with_a_reason() {
        for (files, said) in [
            (&["etc/x"] as &[&str], "it has no etc/os-release"),
            (&["etc/os-release"], "neither var/lib/dpkg/status nor a database of rpm"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let error = check_system(&root(folder.path(), files)).err().unwrap().to_string();
            assert!(error.contains(said) && error.contains("an image of a distribution"), "{error}");
        }
        for database in ["var/lib/dpkg/status", "var/lib/rpm/rpmdb.sqlite"] {
            let folder = tempfile::tempdir().unwrap();
            check_system(&root(folder.path(), &["usr/lib/os-release", database])).unwrap();
        }
    }
}
