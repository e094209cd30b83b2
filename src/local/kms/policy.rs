//! Key policies: whom they let in. Without IAM an account is one caller, so that what a policy says of the account's root holds
//! for all of it.

use super::super::ec2::fits;
use super::super::wire::{Caller, ServiceError};
use super::principal::{Principal, root};
use serde_json::{Value, json};

/// The policy of a key that is made without one: everything to its own account.
pub(super) fn default(account: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": { "AWS": root(account) },
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
    if may_lock_out || verdict(text, &Principal::of(caller), "PutKeyPolicy") == Verdict::Allowed {
        return Ok(());
    }
    Err(malformed("The new key policy will not allow you to update the key policy in the future."))
}

/// What a policy says of somebody who wants something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Denied,
    /// Nothing: a grant may allow it.
    Silent,
}

/// What a policy says of an operation of somebody. Conditions are looked at as far as they concern services that use keys for
/// somebody (see [`Principal::condition`]); with others a statement allows nothing, and denies all the same.
pub(super) fn verdict(text: &str, who: &Principal, operation: &str) -> Verdict {
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    let statements = policy["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    let concerns = |statement: &&Value| {
        is_principal(&statement["Principal"], who)
            && texts(&statement["Action"]).iter().any(|action| is_action(action, operation))
    };
    let mut said = Verdict::Silent;
    for statement in statements.iter().filter(concerns) {
        let holds = holds(&statement["Condition"], who, operation);
        match statement["Effect"].as_str() {
            Some("Allow") if holds == Some(true) => said = Verdict::Allowed,
            Some("Allow") => {}
            _ if holds == Some(false) => {}
            _ => return Verdict::Denied,
        }
    }
    said
}

/// Whether the conditions of a statement hold; nothing when that cannot be told here.
fn holds(condition: &Value, who: &Principal, operation: &str) -> Option<bool> {
    let mut all = true;
    for (operator, tests) in condition.as_object().into_iter().flatten() {
        for (key, wanted) in tests.as_object()? {
            let value = who.condition(key, operation)?;
            let wanted: Vec<String> = match wanted {
                Value::Bool(wanted) => vec![wanted.to_string()],
                other => texts(other).into_iter().map(str::to_owned).collect(),
            };
            all &= match operator.as_str() {
                "Bool" | "StringEquals" => wanted.contains(&value),
                "StringLike" => wanted.iter().any(|pattern| fits(pattern, &value)),
                _ => return None,
            };
        }
    }
    Some(all)
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

fn is_principal(principal: &Value, who: &Principal) -> bool {
    if principal.as_str() == Some("*") {
        return true;
    }
    texts(&principal["AWS"]).iter().any(|name| *name == "*" || who.is(name))
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

    fn allows(text: &str, caller: &Caller, operation: &str) -> bool {
        verdict(text, &Principal::of(caller), operation) == Verdict::Allowed
    }

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
            { "Effect": "Allow", "Principal": { "AWS": "555566667777" }, "Action": "kms:*", "Resource": "*", "Condition": { "Bool": { "aws:SecureTransport": "true" } } },
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
    fn conditions_say_through_whom_a_key_is_used() {
        let condition = |condition: Value| {
            policy(&json!([
                { "Effect": "Allow", "Principal": { "AWS": "444455556666" }, "Action": "kms:*", "Resource": "*", "Condition": condition },
            ]))
        };
        let (direct, ec2) = (caller("444455556666", None), Principal::of_ec2(&caller("444455556666", None)));
        let through = |text: &str, operation: &str| verdict(text, &ec2, operation) == Verdict::Allowed;
        let resource = condition(json!({ "Bool": { "kms:GrantIsForAWSResource": "true" } }));
        assert!(through(&resource, "CreateGrant") && !through(&resource, "Decrypt"));
        assert!(!allows(&resource, &direct, "CreateGrant"));
        let service = condition(json!({ "StringLike": { "kms:ViaService": "ec2.*.amazonaws.com" } }));
        assert!(through(&service, "Decrypt") && !allows(&service, &direct, "Decrypt"));
        let other = condition(json!({ "StringEquals": { "kms:ViaService": "ec2.eu-west-1.amazonaws.com" } }));
        assert!(!through(&other, "Decrypt"));
        let account = condition(json!({ "StringEquals": { "kms:CallerAccount": ["1", "444455556666"] } }));
        assert!(through(&account, "Decrypt") && allows(&account, &direct, "Decrypt"));
        let deny = policy(&json!([{ "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": { "StringEquals": { "kms:CallerAccount": "1" } } }]));
        assert_eq!(verdict(&deny, &ec2, "Decrypt"), Verdict::Silent, "a denial that does not hold");
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
