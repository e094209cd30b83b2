//! Finding an AMI as a caller sees it.

use super::super::records::{AMI, Ami};
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;

/// The account of what belongs to nobody: public AMIs and parameters.
pub(super) const PUBLIC: &str = "*";

/// The AMI of that id that the caller may launch.
///
/// # Errors
/// EC2's: `InvalidAMIID.Malformed`, `InvalidAMIID.NotFound` (also when it is not shared with the caller),
/// `InvalidAMIID.Unavailable`.
pub(super) fn launchable(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Ami, ServiceError> {
    if !id.starts_with("ami-") {
        let message = format!("Invalid id: \"{id}\" (expecting \"ami-...\")");
        return Err(ServiceError::new(400, "InvalidAMIID.Malformed", message));
    }
    let ami = visible(tx, scope, id)?.filter(|ami| ami.state != "deregistered").ok_or_else(|| {
        ServiceError::new(400, "InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
    })?;
    if ami.state != "available" {
        let message = format!("The image ID '{id}' is not available for launch; its state is '{}'.", ami.state);
        return Err(ServiceError::new(400, "InvalidAMIID.Unavailable", message));
    }
    Ok(ami)
}

/// The AMI in the caller's Region: its own, a public one, or one shared with its account.
fn visible(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Option<Ami>, ServiceError> {
    if let Some(own) = tx.get::<Ami>(scope, AMI, id)? {
        return Ok(Some(own));
    }
    for other in tx.scopes(AMI)?.into_iter().filter(|other| other.region == scope.region && other != scope) {
        let Some(ami) = tx.get::<Ami>(&other, AMI, id)? else { continue };
        if ami.public || ami.launch_permissions.contains(&scope.account) {
            return Ok(Some(ami));
        }
    }
    Ok(None)
}

/// The architecture of this machine in EC2's spelling.
pub(super) fn machine_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

/// Refuses an AMI whose programs this machine cannot execute.
pub(super) fn runs_here(ami: &Ami) -> Result<(), ServiceError> {
    let machine = machine_architecture();
    if ami.architecture == machine {
        return Ok(());
    }
    let message = format!(
        "{} is an {} image and this machine is {machine}: the local environment runs programs on the machine's own \
         processor. Build it on a machine of that architecture, or in an AWS environment.",
        ami.id, ami.architecture
    );
    Err(ServiceError::new(400, "Unsupported", message))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::local::store::Store;
    use std::collections::BTreeMap;

    /// An available AMI, for tests of record logic.
    pub(in super::super) fn ami(id: &str) -> Ami {
        Ami {
            id: id.to_owned(),
            name: "parent".into(),
            description: String::new(),
            owner: "000000000000".into(),
            public: false,
            architecture: "x86_64".into(),
            state: "available".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            root_device: "/dev/sda1".into(),
            snapshot: "snap-1".into(),
            volume_size: 8,
            volume_type: "gp3".into(),
            encrypted: false,
            imds_v2: true,
            platform: "Linux/UNIX".into(),
            tags: BTreeMap::new(),
            layers: vec![],
            launch_permissions: vec![],
            source: None,
            ..Ami::default()
        }
    }

    fn scope(account: &str, region: &str) -> Scope {
        Scope { account: account.into(), region: region.into() }
    }

    #[test]
    fn visibility_follows_ownership_and_permission() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let public = Ami { public: true, ..ami("ami-public") };
        let shared = Ami { launch_permissions: vec!["222222222222".into()], ..ami("ami-shared") };
        let pending = Ami { state: "pending".into(), ..ami("ami-pending") };
        let (owner, other) = (scope("111111111111", "r"), scope("222222222222", "r"));
        let done: Result<(), ServiceError> = store.write(|tx| {
            tx.put(&scope(PUBLIC, "r"), AMI, "ami-public", &public)?;
            for ami in [&shared, &pending, &ami("ami-own")] {
                tx.put(&owner, AMI, &ami.id, ami)?;
            }
            assert!(launchable(tx, &owner, "ami-own").is_ok() && launchable(tx, &owner, "ami-public").is_ok());
            assert!(launchable(tx, &other, "ami-public").is_ok() && launchable(tx, &other, "ami-shared").is_ok());
            assert_eq!(launchable(tx, &other, "ami-own").unwrap_err().code, "InvalidAMIID.NotFound");
            let elsewhere = scope("222222222222", "elsewhere");
            assert_eq!(launchable(tx, &elsewhere, "ami-public").unwrap_err().code, "InvalidAMIID.NotFound");
            assert_eq!(launchable(tx, &owner, "ami-pending").unwrap_err().code, "InvalidAMIID.Unavailable");
            assert_eq!(launchable(tx, &owner, "debian").unwrap_err().code, "InvalidAMIID.Malformed");
            Ok(())
        });
        done.unwrap();
    }

    #[test]
    fn a_foreign_architecture_is_refused() {
        assert_eq!(runs_here(&Ami { architecture: "sparc".into(), ..ami("ami-1") }).unwrap_err().code, "Unsupported");
        assert!(runs_here(&Ami { architecture: machine_architecture().into(), ..ami("ami-1") }).is_ok());
    }
}
