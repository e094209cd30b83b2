//! Key policies: whom they let in. Without IAM an account is one caller, so that what a policy says of the account's root holds
//! for all of it.

use super::super::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// The policy of a key that is made without one: everything to its own account.
pub(super) fn default(account: &str) -> String {
    let root = format!("arn:aws:iam::{account}:root");
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": { "AWS": root },
            "Action": "kms:*", "Resource": "*",
        }],
    })
    .to_string()
}

/// Refuses what is no policy, and one that locks its maker out.
pub(super) fn check(text: &str, caller: &Caller, may_lock_out: bool) -> Result<(), ServiceError> {
    let malformed = |why: &str| ServiceError::client("MalformedPolicyDocumentException", why);
    let policy: Value = serde_json::from_str(text).map_err(|_| malformed("Policy contains invalid JSON"))?;
    let whole = |statement: &Value| {
        matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"))
            && !statement["Principal"].is_null()
            && !texts(&statement["Action"]).is_empty()
            && !texts(&statement["Resource"]).is_empty()
    };
    let statements = policy["Statement"].as_array().filter(|list| !list.is_empty());
    if !statements.is_some_and(|list| list.iter().all(whole)) {
        return Err(malformed(
            "Policy contains a statement with one or more invalid principals, actions or resources.",
        ));
    }
    if may_lock_out || allows(text, caller, "PutKeyPolicy") {
        return Ok(());
    }
    Err(malformed("The new key policy will not allow you to update the key policy in the future."))
}

/// Whether a policy allows an operation to a caller. Conditions are not looked at: with them a statement allows nothing, and
/// denies all the same.
pub(super) fn allows(text: &str, caller: &Caller, operation: &str) -> bool {
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    let statements = policy["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    let concerns = |statement: &&Value| {
        is_principal(&statement["Principal"], caller)
            && texts(&statement["Action"]).iter().any(|action| is_action(action, operation))
    };
    let mut allowed = false;
    for statement in statements.iter().filter(concerns) {
        match statement["Effect"].as_str() {
            Some("Allow") => allowed |= statement["Condition"].is_null(),
            _ => return false,
        }
    }
    allowed
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

fn is_principal(principal: &Value, caller: &Caller) -> bool {
    let account = &caller.scope.account;
    let root = format!("arn:aws:iam::{account}:root");
    let role = caller.session.as_ref().map(|session| format!("arn:aws:iam::{account}:role/{}", session.role));
    let own = caller.principal();
    let is_caller = |name: &&str| {
        [account.as_str(), root.as_str(), own.as_str(), "*"].contains(name) || role.as_deref() == Some(*name)
    };
    if principal.as_str() == Some("*") {
        return true;
    }
    texts(&principal["AWS"]).iter().any(is_caller)
}

fn is_action(pattern: &str, operation: &str) -> bool {
    let action = format!("kms:{operation}").to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_suffix('*') {
        Some(begin) => action.starts_with(begin),
        None => action == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::store::Scope;
    use crate::local::wire::RoleSession;

    fn caller(account: &str, role: Option<&str>) -> Caller {
        let scope = Scope { account: account.to_owned(), region: "us-east-1".to_owned() };
        let session = role.map(|role| RoleSession { role: role.to_owned(), name: "s".to_owned() });
        Caller { session, ..Caller::of(scope, time::OffsetDateTime::UNIX_EPOCH) }
    }

    fn policy(statements: &Value) -> String {
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }

    #[test]
    fn the_default_lets_the_own_account_in_and_no_other() {
        let text = default("111122223333");
        assert!(allows(&text, &caller("111122223333", None), "Sign"));
        assert!(allows(&text, &caller("111122223333", Some("any")), "Sign"));
        assert!(!allows(&text, &caller("444455556666", None), "Sign"));
        check(&text, &caller("111122223333", None), false).unwrap();
    }

    #[test]
    fn statements_name_accounts_roles_and_actions() {
        let role = "arn:aws:iam::444455556666:role/signer";
        let text = policy(&json!([
            { "Effect": "Allow", "Principal": { "AWS": [role, "777788889999"] }, "Action": ["kms:Sign", "kms:Get*"], "Resource": "*" },
            { "Effect": "Allow", "Principal": { "AWS": "555566667777" }, "Action": "kms:*", "Resource": "*", "Condition": { "Bool": {} } },
            { "Effect": "Deny", "Principal": "*", "Action": "kms:GetKeyPolicy", "Resource": "*" },
        ]));
        assert!(allows(&text, &caller("444455556666", Some("signer")), "Sign"));
        assert!(!allows(&text, &caller("444455556666", Some("other")), "Sign"));
        assert!(!allows(&text, &caller("444455556666", None), "Sign"));
        assert!(allows(&text, &caller("777788889999", None), "GetPublicKey"));
        assert!(!allows(&text, &caller("777788889999", None), "Verify"));
        assert!(!allows(&text, &caller("777788889999", None), "GetKeyPolicy"), "a denial wins");
        assert!(!allows(&text, &caller("555566667777", None), "Sign"), "conditions allow nothing");
    }

    #[test]
    fn what_is_no_policy_or_locks_out_is_refused() {
        let own = caller("111122223333", None);
        for text in ["x", "{}", "{\"Statement\":[]}", "{\"Statement\":[{\"Effect\":\"Allow\"}]}"] {
            assert_eq!(check(text, &own, true).unwrap_err().code, "MalformedPolicyDocumentException", "{text}");
        }
        let other = policy(&json!([{ "Effect": "Allow", "Principal": "*", "Action": "kms:Sign", "Resource": "*" }]));
        assert!(check(&other, &own, false).unwrap_err().message.contains("in the future"));
        check(&other, &own, true).unwrap();
    }
}
