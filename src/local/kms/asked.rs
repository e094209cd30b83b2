//! What other services ask of keys: which one is meant, and whether they may use it in somebody's name.

use super::super::store::Transaction;
use super::super::wire::ServiceError;
use super::find;
use super::managed;
use super::material::Spec;
use super::principal::Principal;
use time::OffsetDateTime;

/// What EC2 does with a key in somebody's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::local) enum Purpose {
    /// It reads what the key has encrypted: a snapshot of which a disk or another snapshot is made.
    Read,
    /// It encrypts with the key.
    Write,
}

impl Purpose {
    /// The operations that must be allowed for it (EBS User Guide, "Requirements for Amazon EBS encryption"). Looking at the key
    /// is the first, because it is what EC2 does first.
    const fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom"],
            Self::Write => &["DescribeKey", "CreateGrant", "GenerateDataKeyWithoutPlaintext", "ReEncryptTo"],
        }
    }
}

/// A key that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct Usable {
    /// Its ARN.
    pub(in crate::local) arn: String,
    /// Whether AWS manages it.
    pub(in crate::local) managed: bool,
}

/// The key of that id, ARN or alias in the Region of `who`, which may be used for that.
///
/// # Errors
/// KMS's: that there is no such key, that it is of another Region, disabled, to be deleted or not for encrypting, or that it does
/// not let `who` in.
pub(in crate::local) fn usable(
    tx: &Transaction<'_>,
    (who, now): (&Principal, OffsetDateTime),
    name: &str,
    purpose: Purpose,
) -> Result<Usable, ServiceError> {
    let key = find::permitted(tx, (who, now), name, purpose.operations())?;
    key.usable()?;
    if key.spec != Spec::Symmetric {
        let text = format!("{} is a key of {}; EBS needs one of SYMMETRIC_DEFAULT.", key.arn(), key.spec.name());
        return Err(ServiceError::client("InvalidKeyUsageException", text));
    }
    Ok(Usable { arn: key.arn(), managed: key.id == managed::id(&key.scope()) })
}
