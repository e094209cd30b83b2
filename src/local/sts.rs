//! Security Token Service: who am I, and who may I become.

use super::Local;
use super::credentials::temporary;
use super::input::{Dialect, Input};
use super::wire::{Caller, Operation, ServiceError};
use crate::clock::rfc3339;
use serde_json::{Value, json};

/// How long credentials of a role are good for; the default of the service.
const SESSION: time::Duration = time::Duration::hours(1);

/// The operations this file implements.
pub(super) const OPERATIONS: &[(&str, Operation)] =
    &[("AssumeRole", assume_role), ("GetCallerIdentity", get_caller_identity)];

/// Roles are not looked up, since there is no IAM: every account has every role, and whoever asks gets the account of the role.
fn assume_role(_: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = Input::new(Dialect::Ec2, request);
    let (arn, session) = (input.required("RoleArn")?, input.required("RoleSessionName")?);
    let refused = || ServiceError::client("ValidationError", format!("{arn} is invalid"));
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4).filter(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
    let account = account.ok_or_else(refused)?;
    let role = parts.next().and_then(|path| path.strip_prefix("role/")).and_then(|path| path.rsplit('/').next());
    let role = role.filter(|role| !role.is_empty()).ok_or_else(refused)?;
    let (key, secret) = temporary(account);
    Ok(json!({
        "Credentials": {
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "SessionToken": "local-environment",
            "Expiration": rfc3339(caller.now + SESSION),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROALOCL{account}:{session}"),
            "Arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
        },
    }))
}

/// The ARN under which an account's calls are recorded (`createdBy`, `LastModifiedUser`).
pub(crate) fn principal(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/local")
}

// An operation's signature is the same for all.
#[allow(clippy::unnecessary_wraps)]
fn get_caller_identity(_: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    let account = &caller.scope.account;
    Ok(json!({ "Arn": principal(account), "UserId": format!("AIDALOCL{account}"), "Account": account }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::store::Scope;
    use crate::local::tests::Bench;

    #[test]
    fn a_role_gives_its_account() {
        let bench = Bench::new();
        let caller = Caller {
            scope: Scope { account: "111122223333".into(), region: "us-east-1".into() },
            now: time::OffsetDateTime::UNIX_EPOCH,
        };
        let assume =
            |arn: &str| assume_role(&bench.local, &caller, &json!({ "RoleArn": arn, "RoleSessionName": "amiforge" }));
        let answer = assume("arn:aws:iam::444455556666:role/path/deploy").unwrap();
        assert_eq!(answer["Credentials"]["AccessKeyId"], temporary("444455556666").0);
        assert_eq!(answer["Credentials"]["Expiration"], "1970-01-01T01:00:00Z");
        assert_eq!(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::444455556666:assumed-role/deploy/amiforge");
        for wrong in
            ["deploy", "arn:aws:iam::1:role/x", "arn:aws:iam::444455556666:user/x", "arn:aws:iam::444455556666:role/"]
        {
            assert_eq!(assume(wrong).unwrap_err().code, "ValidationError", "{wrong}");
        }
    }
}
