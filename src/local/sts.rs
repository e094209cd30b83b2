//! Security Token Service: who am I, and who may I become.

use super::Local;
use super::input::{Dialect, Input};
use super::random::hex_of;
use super::wire::{Caller, Operation, RoleSession, ServiceError};
use crate::clock::rfc3339;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;

/// Seconds that credentials of a role are good for; the default of the service.
const SESSION: i64 = 3600;
/// The most that can be asked for; by a role at most [`SESSION`] (role chaining).
const LONGEST: i64 = 43_200;
/// The least.
const SHORTEST: i64 = 900;

/// The operations this file implements.
pub(super) const OPERATIONS: &[(&str, Operation)] =
    &[("AssumeRole", assume_role), ("GetCallerIdentity", get_caller_identity)];

/// Roles are not looked up, since there is no IAM: every account has every role, and whoever asks gets the account of the role.
fn assume_role(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = Input::new(Dialect::Ec2, request);
    let (arn, name) = (input.required("RoleArn")?, input.required("RoleSessionName")?);
    let (account, role) =
        role_of(arn).ok_or_else(|| ServiceError::client("ValidationError", format!("{arn} is invalid")))?;
    let session = RoleSession { role: role.to_owned(), name: session_name(name)?.to_owned() };
    let until = caller.now + Duration::seconds(seconds(&input, caller)?);
    let made = local.keys.session(account, &session, until)?;
    let of_role = Caller {
        session: Some(session),
        ..Caller::of(super::store::Scope { account: account.to_owned(), ..caller.scope.clone() }, caller.now)
    };
    Ok(json!({
        "Credentials": {
            "AccessKeyId": made.key,
            "SecretAccessKey": made.secret,
            "SessionToken": made.token,
            "Expiration": rfc3339(until),
        },
        "AssumedRoleUser": { "AssumedRoleId": user_id(&of_role), "Arn": of_role.principal() },
    }))
}

/// Account and name of a role's ARN.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4).filter(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))?;
    let role = parts.next()?.strip_prefix("role/")?.rsplit('/').next()?;
    (!role.is_empty()).then_some((account, role))
}

fn session_name(name: &str) -> Result<&str, ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (2..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name);
    }
    let text = format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: [\\w+=,.@-]*, with a length between 2 and 64"
    );
    Err(ServiceError::client("ValidationError", text))
}

fn seconds(input: &Input<'_>, caller: &Caller) -> Result<i64, ServiceError> {
    let Some(seconds) = input.integer("DurationSeconds")? else { return Ok(SESSION) };
    let refused = |text: String| Err(ServiceError::client("ValidationError", text));
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        return refused(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have \
             a value between {SHORTEST} and {LONGEST}"
        ));
    }
    if caller.session.is_some() && seconds > SESSION {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return refused(text.to_owned());
    }
    Ok(seconds)
}

/// The unique id of a caller; the same for every session of a role but for the session's name.
fn user_id(caller: &Caller) -> String {
    let account = &caller.scope.account;
    match &caller.session {
        None => format!("AIDALOCL{account}"),
        Some(RoleSession { role, name }) => {
            let digest = hex_of(&Sha256::digest(format!("{account} {role}"))).to_ascii_uppercase();
            format!("AROA{}:{name}", &digest[..17])
        }
    }
}

// An operation's signature is the same for all.
#[allow(clippy::unnecessary_wraps)]
fn get_caller_identity(_: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    Ok(json!({ "Arn": caller.principal(), "UserId": user_id(caller), "Account": caller.scope.account }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::store::Scope;
    use crate::local::tests::Bench;

    fn caller() -> Caller {
        let scope = Scope { account: "111122223333".into(), region: "us-east-1".into() };
        Caller::of(scope, time::OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_role_gives_its_account() {
        let bench = Bench::new();
        let assume =
            |arn: &str| assume_role(&bench.local, &caller(), &json!({ "RoleArn": arn, "RoleSessionName": "amiforge" }));
        let answer = assume("arn:aws:iam::444455556666:role/path/deploy").unwrap();
        assert_eq!(answer["Credentials"]["AccessKeyId"].as_str().unwrap().len(), 20);
        assert_eq!(answer["Credentials"]["Expiration"], "1970-01-01T01:00:00Z");
        assert_eq!(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::444455556666:assumed-role/deploy/amiforge");
        for wrong in
            ["deploy", "arn:aws:iam::1:role/x", "arn:aws:iam::444455556666:user/x", "arn:aws:iam::444455556666:role/"]
        {
            assert_eq!(assume(wrong).unwrap_err().code, "ValidationError", "{wrong}");
        }
    }

    #[test]
    fn sessions_have_a_name_and_a_length_within_limits() {
        let bench = Bench::new();
        let assume = |caller: &Caller, name: &str, seconds: &str| {
            let arn = "arn:aws:iam::444455556666:role/deploy";
            let request = json!({ "RoleArn": arn, "RoleSessionName": name, "DurationSeconds": seconds });
            assume_role(&bench.local, caller, &request)
        };
        assert_eq!(
            assume(&caller(), "amiforge", "43200").unwrap()["Credentials"]["Expiration"],
            "1970-01-01T12:00:00Z"
        );
        for (name, seconds) in [("amiforge", "899"), ("amiforge", "43201"), ("a", "900"), ("a b", "900")] {
            assert_eq!(assume(&caller(), name, seconds).unwrap_err().code, "ValidationError", "{name} {seconds}");
        }
        let role = Caller { session: Some(RoleSession { role: "r".into(), name: "s".into() }), ..caller() };
        assert!(assume(&role, "amiforge", "3600").is_ok());
        assert!(assume(&role, "amiforge", "3601").unwrap_err().message.contains("role chaining"));
    }
}
