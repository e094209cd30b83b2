//! Keys of disks: which one encrypts what is made of an AMI, and whether whoever makes it may use the keys.
//!
//! EC2 looks keys up when it works, not when it is asked: who may not use one gets an answer, and then a copy that has failed or
//! an instance that has ended.

use super::super::kms::{EBS_ALIAS, Principal, Purpose, ebs_key, usable};
use super::super::records::Ami;
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::ebs_default;
use ::time::OffsetDateTime;

/// In whose name instances of Auto Scaling groups are launched: path and name of a role of the group's account.
pub(in crate::local) const AUTO_SCALING: &str =
    "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
/// In whose name Image Builder works in its own account.
pub(in crate::local) const IMAGE_BUILDER: &str =
    "aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder";
/// In whose name it copies to other accounts: a role there.
pub(in crate::local) const IMAGE_BUILDER_ABROAD: &str = "EC2ImageBuilderDistributionCrossAccountRole";

/// Who asks, and when.
pub(in crate::local) type Asking<'a> = (&'a Principal, OffsetDateTime);

/// Code and message of a state reason.
pub(in crate::local) type Reason = (String, String);

/// The ARN of the key with which an AMI of that Region is encrypted, if it is.
pub(in crate::local) fn arn(ami: &Ami, region: &str) -> Option<String> {
    let owner = || Scope { account: ami.owner.clone(), region: region.to_owned() };
    ami.encrypted.then(|| ami.kms_key.clone().unwrap_or_else(|| ebs_key(&owner())))
}

/// Finds the key that is to encrypt something new: the one of that name, else the account's default one. Its ARN; nothing for the
/// one that AWS manages.
///
/// # Errors
/// KMS's, when it cannot be used.
pub(in crate::local) fn writing(
    tx: &Transaction<'_>,
    (who, now): Asking<'_>,
    given: Option<&str>,
) -> Result<Option<String>, ServiceError> {
    let default = ebs_default::of(tx, who.scope())?;
    let name = given.or(default.as_deref()).unwrap_or(EBS_ALIAS);
    let key = usable(tx, (who, now), name, Purpose::Write)?;
    Ok((!key.managed).then_some(key.arn))
}

/// Makes sure that what an AMI is made of can be read.
///
/// # Errors
/// KMS's, when it is encrypted and its key cannot be used.
pub(in crate::local) fn reading(tx: &Transaction<'_>, asking: Asking<'_>, ami: &Ami) -> Result<(), ServiceError> {
    match arn(ami, &asking.0.scope().region) {
        Some(key) => usable(tx, asking, &key, Purpose::Read).map(drop),
        None => Ok(()),
    }
}

/// Finds the key of a disk that is made of an AMI when it is launched: the one of that name; without a name the AMI's own key, or
/// the account's default one when the AMI is somebody else's. Nothing for the key that AWS manages.
///
/// # Errors
/// KMS's, when a key cannot be used.
pub(in crate::local) fn launching(
    tx: &Transaction<'_>,
    asking: Asking<'_>,
    ami: &Ami,
    given: Option<&str>,
) -> Result<Option<String>, ServiceError> {
    reading(tx, asking, ami)?;
    if given.is_none() && ami.owner == asking.0.account() {
        return Ok(ami.kms_key.clone());
    }
    if given.is_none() && !ami.encrypted {
        return Ok(None);
    }
    writing(tx, asking, given)
}

/// Why an instance of an AMI will end instead of running: one of the keys of its disk cannot be used. Nothing when it will run.
///
/// # Errors
/// A database error.
pub(in crate::local) fn launch_failure(
    tx: &Transaction<'_>,
    asking: Asking<'_>,
    ami: &Ami,
) -> Result<Option<Reason>, ServiceError> {
    match launching(tx, asking, ami, None) {
        Ok(_) => Ok(None),
        Err(error) if error.status >= 500 => Err(error),
        Err(error) => {
            tracing::debug!(image = ami.id, %error, "the key of an image cannot be used for a launch");
            // UNCONFIRMED: the code and the message are those that EC2 is reported to show; it says nothing of the key.
            let code = "Client.InternalError";
            Ok(Some((code.to_owned(), format!("{code}: Client error on launch"))))
        }
    }
}

/// Why a copy fails whose key cannot be used.
pub(in crate::local) fn copy_failure(key: &str, region: &str, why: &ServiceError) -> Reason {
    let code = "Client.InvalidKmsKey";
    (code.to_owned(), format!("{code}: The KMS key {key} cannot be used in {region}. {}", why.message))
}
