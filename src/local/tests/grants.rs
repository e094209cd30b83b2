//! Grants: made, listed, revoked, retired, and what they open. And the key that AWS manages.

use super::{Bench, Refusal, code};
use serde_json::{Value, json};

const OTHER: &str = "111122223333";
const THIRD: &str = "444455556666";
const SIGNING: &str = "ECC_NIST_P256";

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Asks for a grant to an account: its id and token.
fn grant(bench: &Bench, key: &str, account: &str, operations: &[&str], more: &Value) -> Result<Value, Refusal> {
    let mut request = json!({ "KeyId": key, "GranteePrincipal": root(account), "Operations": operations });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    bench.kms("CreateGrant", &request)
}

fn grants(bench: &Bench, request: &Value) -> Vec<Value> {
    bench.kms("ListGrants", request).unwrap()["Grants"].as_array().unwrap().clone()
}

fn look(bench: &Bench, key: &str) -> Result<Value, Refusal> {
    bench.kms("DescribeKey", &json!({ "KeyId": key }))
}

#[test]
fn a_grant_opens_its_operations_until_it_is_revoked() {
    let bench = Bench::new();
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    assert_eq!(code(look(&other, &key)), "AccessDeniedException");
    let more = json!({ "Name": "look", "RetiringPrincipal": root(THIRD) });
    let made = grant(&bench, &key, OTHER, &["DescribeKey", "Decrypt", "DescribeKey"], &more).unwrap();
    look(&other, &key).unwrap();
    assert_eq!(code(look(&bench.by(THIRD), &key)), "AccessDeniedException");
    let entry = json!({
        "KeyId": key, "GrantId": made["GrantId"], "Name": "look", "CreationDate": 1_772_366_400,
        "GranteePrincipal": root(OTHER), "RetiringPrincipal": root(THIRD), "IssuingAccount": root(&bench.scope().account),
        "Operations": ["DescribeKey", "Decrypt"],
    });
    assert_eq!(grants(&bench, &json!({ "KeyId": key, "GrantId": made["GrantId"] })), [entry]);
    let second = grant(&bench, &key, THIRD, &["Decrypt"], &json!({})).unwrap();
    let of = |account: &str| grants(&bench, &json!({ "KeyId": key, "GranteePrincipal": root(account) }));
    assert_eq!((of(THIRD).len(), &of(THIRD)[0]["GrantId"]), (1, &second["GrantId"]));
    let page = bench.kms("ListGrants", &json!({ "KeyId": key, "Limit": 1 })).unwrap();
    let rest = bench.kms("ListGrants", &json!({ "KeyId": key, "Limit": 1, "Marker": page["NextMarker"] })).unwrap();
    assert_eq!((&page["Truncated"], &rest["Truncated"]), (&json!(true), &json!(false)));
    assert_ne!(page["Grants"][0]["GrantId"], rest["Grants"][0]["GrantId"]);
    let end = json!({ "KeyId": key, "GrantId": made["GrantId"] });
    let dry = json!({ "KeyId": key, "GrantId": made["GrantId"], "DryRun": true });
    assert_eq!(code(bench.kms("RevokeGrant", &dry)), "DryRunOperationException");
    look(&other, &key).unwrap();
    bench.kms("RevokeGrant", &end).unwrap();
    assert_eq!(code(look(&other, &key)), "AccessDeniedException");
    assert_eq!(code(bench.kms("RevokeGrant", &end)), "NotFoundException");
    let malformed = json!({ "KeyId": key, "GrantId": "x" });
    assert_eq!(code(bench.kms("RevokeGrant", &malformed)), "InvalidGrantIdException");
}

#[test]
fn a_name_makes_one_grant_of_a_repeated_request() {
    let bench = Bench::new();
    let key = bench.disk_key();
    let ask = |operations: &[&str], more: Value| grant(&bench, &key, OTHER, operations, &more).unwrap();
    let first = ask(&["Decrypt", "DescribeKey"], json!({ "Name": "copy" }));
    let again = ask(&["DescribeKey", "Decrypt"], json!({ "Name": "copy" }));
    assert_eq!(again["GrantId"], first["GrantId"]);
    assert_ne!(again["GrantToken"], first["GrantToken"]);
    let wider = ask(&["DescribeKey", "Decrypt", "CreateGrant"], json!({ "Name": "copy" }));
    assert_ne!(wider["GrantId"], first["GrantId"], "with other parameters it is another grant");
    assert_ne!(ask(&["Decrypt"], json!({}))["GrantId"], ask(&["Decrypt"], json!({}))["GrantId"]);
    bench.kms("RevokeGrant", &json!({ "KeyId": key, "GrantId": first["GrantId"] })).unwrap();
    assert_ne!(ask(&["Decrypt", "DescribeKey"], json!({ "Name": "copy" }))["GrantId"], first["GrantId"]);
}

#[test]
fn who_has_made_it_has_it_or_is_named_for_it_retires_a_grant() {
    let bench = Bench::new();
    let (key, other, third) = (bench.disk_key(), bench.by(OTHER), bench.by(THIRD));
    let retire = |by: &Bench, request: &Value| by.kms("RetireGrant", request);
    let made = |operations: &[&str], more: Value| grant(&bench, &key, OTHER, operations, &more).unwrap();
    let by_id = |made: &Value| json!({ "KeyId": key, "GrantId": made["GrantId"] });
    let by_token = |made: &Value| json!({ "GrantToken": made["GrantToken"] });
    let one = made(&["Decrypt"], json!({ "RetiringPrincipal": root(THIRD) }));
    assert_eq!(code(retire(&other, &by_id(&one))), "AccessDeniedException", "it may only with RetireGrant");
    let of_third = || third.kms("ListRetirableGrants", &json!({ "RetiringPrincipal": root(THIRD) })).unwrap();
    assert_eq!(of_third()["Grants"][0]["GrantId"], one["GrantId"]);
    let foreign = bench.kms("ListRetirableGrants", &json!({ "RetiringPrincipal": root(THIRD) }));
    assert_eq!(code(foreign), "AccessDeniedException");
    let dry = json!({ "GrantToken": one["GrantToken"], "DryRun": true });
    assert_eq!(code(retire(&third, &dry)), "DryRunOperationException");
    retire(&third, &by_token(&one)).unwrap();
    assert_eq!(of_third()["Grants"], json!([]));
    assert_eq!(code(retire(&third, &by_token(&one))), "NotFoundException");
    retire(&other, &by_id(&made(&["Decrypt", "RetireGrant"], json!({})))).unwrap();
    let last = made(&["Decrypt"], json!({}));
    assert_eq!(code(retire(&third, &by_token(&last))), "AccessDeniedException");
    retire(&bench, &by_token(&last)).unwrap();
    let id = key.rsplit('/').next().unwrap();
    for (request, expected) in [
        (json!({ "GrantToken": "x" }), "InvalidGrantTokenException"),
        (json!({ "KeyId": key }), "ValidationException"),
        (json!({}), "ValidationException"),
        (json!({ "KeyId": id, "GrantId": last["GrantId"] }), "InvalidArnException"),
        (json!({ "KeyId": key, "GrantId": "x" }), "InvalidGrantIdException"),
    ] {
        assert_eq!(code(retire(&bench, &request)), expected, "{request}");
    }
}

#[test]
fn what_is_no_grant_is_refused() {
    let bench = Bench::new();
    let (key, signs) = (bench.disk_key(), bench.new_key(SIGNING));
    let context = json!({ "EncryptionContextEquals": { "a": "b" } });
    let pairs: Value = (0..9).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    for (change, expected) in [
        (json!({ "GranteePrincipal": "111122223333" }), "InvalidArnException"),
        (json!({ "GranteePrincipal": "a b" }), "ValidationException"),
        (json!({ "GranteePrincipal": null }), "ValidationException"),
        (json!({ "RetiringPrincipal": "ec2.amazonaws.com" }), "InvalidArnException"),
        (json!({ "Operations": [] }), "ValidationException"),
        (json!({ "Operations": ["ListGrants"] }), "ValidationException"),
        (json!({ "Operations": ["Sign"] }), "ValidationException"),
        (json!({ "KeyId": signs, "Operations": ["Decrypt"] }), "ValidationException"),
        (json!({ "KeyId": signs, "Operations": ["Sign"], "Constraints": context }), "ValidationException"),
        (json!({ "Constraints": { "EncryptionContextSubset": pairs } }), "ValidationException"),
        (json!({ "Name": "a b" }), "ValidationException"),
        (json!({ "Name": "" }), "ValidationException"),
        (json!({ "GrantTokens": ["x"] }), "InvalidGrantTokenException"),
        (json!({ "KeyId": "00000000-0000-4000-8000-000000000000" }), "NotFoundException"),
        (json!({ "KeyId": "alias/aws/ebs" }), "NotFoundException"),
        (json!({ "DryRun": true }), "DryRunOperationException"),
    ] {
        assert_eq!(code(grant(&bench, &key, OTHER, &["Decrypt"], &change)), expected, "{change}");
    }
    assert_eq!(grants(&bench, &json!({ "KeyId": key })).len(), 0, "nothing of all that was stored");
    grant(&bench, &signs, OTHER, &["Sign", "DescribeKey"], &json!({})).unwrap();
    bench.kms("DisableKey", &json!({ "KeyId": key })).unwrap();
    assert_eq!(code(grant(&bench, &key, OTHER, &["Decrypt"], &json!({}))), "DisabledException");
    bench.kms("ScheduleKeyDeletion", &json!({ "KeyId": key })).unwrap();
    assert_eq!(code(grant(&bench, &key, OTHER, &["Decrypt"], &json!({}))), "KMSInvalidStateException");
}

#[test]
fn a_denial_wins_and_constraints_open_little() {
    let bench = Bench::new();
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    let subset = json!({ "Constraints": { "EncryptionContextSubset": { "a": "b" } } });
    let made = grant(&bench, &key, OTHER, &["DescribeKey", "CreateGrant"], &subset).unwrap();
    look(&other, &key).unwrap();
    assert_eq!(grants(&bench, &json!({ "KeyId": key }))[0]["Constraints"], subset["Constraints"]);
    assert_eq!(code(grant(&other, &key, THIRD, &["DescribeKey"], &json!({}))), "AccessDeniedException");
    bench.kms("RevokeGrant", &json!({ "KeyId": key, "GrantId": made["GrantId"] })).unwrap();
    grant(&bench, &key, OTHER, &["DescribeKey"], &json!({})).unwrap();
    look(&other, &key).unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": root(&bench.scope().account) }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Deny", "Principal": { "AWS": OTHER }, "Action": "kms:DescribeKey", "Resource": "*" },
    ] });
    bench.kms("PutKeyPolicy", &json!({ "KeyId": key, "Policy": policy.to_string() })).unwrap();
    assert_eq!(code(look(&other, &key)), "AccessDeniedException");
}

#[test]
fn grants_are_made_across_accounts_by_policy_or_by_grant() {
    let bench = Bench::new();
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    assert_eq!(code(grant(&other, &key, THIRD, &["Decrypt"], &json!({}))), "AccessDeniedException");
    grant(&bench, &key, OTHER, &["Decrypt", "CreateGrant"], &json!({})).unwrap();
    let passed = grant(&other, &key, THIRD, &["Decrypt"], &json!({})).unwrap();
    assert_eq!(code(grant(&other, &key, THIRD, &["Encrypt"], &json!({}))), "AccessDeniedException", "more than it has");
    let made = grants(&bench, &json!({ "KeyId": key, "GrantId": passed["GrantId"] }));
    assert_eq!(made[0]["IssuingAccount"], json!(root(OTHER)));
    assert_eq!(code(other.kms("ListGrants", &json!({ "KeyId": key }))), "AccessDeniedException");
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": root(&bench.scope().account) }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
          "Resource": "*" },
    ] });
    bench.kms("PutKeyPolicy", &json!({ "KeyId": key, "Policy": policy.to_string() })).unwrap();
    let own = grant(&other, &key, OTHER, &["Encrypt"], &json!({})).unwrap();
    assert_eq!(grants(&other, &json!({ "KeyId": key })).len(), 3);
    other.kms("RevokeGrant", &json!({ "KeyId": key, "GrantId": own["GrantId"] })).unwrap();
    assert_eq!(grants(&other, &json!({ "KeyId": key })).len(), 2);
}

#[test]
fn every_account_and_region_has_a_key_of_awss_for_disks() {
    let bench = Bench::new();
    let shown = |bench: &Bench, name: &str| look(bench, name).unwrap()["KeyMetadata"].clone();
    let own = shown(&bench, "alias/aws/ebs");
    assert_eq!((&own["KeyManager"], &own["KeyState"]), (&json!("AWS"), &json!("Enabled")));
    let (id, arn) = (own["KeyId"].as_str().unwrap(), own["Arn"].as_str().unwrap());
    let alias = format!("arn:aws:kms:us-east-1:{}:alias/aws/ebs", bench.scope().account);
    for name in [id, arn, &alias] {
        assert_eq!(shown(&bench, name), own, "{name}");
    }
    assert_ne!(shown(&bench.region("eu-west-1"), "alias/aws/ebs")["KeyId"], own["KeyId"]);
    assert_ne!(shown(&bench.by(OTHER), "alias/aws/ebs")["KeyId"], own["KeyId"]);
    assert_eq!(code(look(&bench.by(OTHER), arn)), "AccessDeniedException");
    let aliases = bench.kms("ListAliases", &json!({ "KeyId": id })).unwrap();
    assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/aws/ebs");
    for operation in ["DisableKey", "EnableKey", "ScheduleKeyDeletion"] {
        assert_eq!(code(bench.kms(operation, &json!({ "KeyId": id }))), "AccessDeniedException", "{operation}");
    }
    let policy = bench.kms("GetKeyPolicy", &json!({ "KeyId": id })).unwrap()["Policy"].clone();
    assert!(policy.as_str().unwrap().contains("kms:ViaService"), "{policy}");
    let open = json!({ "KeyId": id, "BypassPolicyLockoutSafetyCheck": true, "Policy": policy });
    assert_eq!(code(bench.kms("PutKeyPolicy", &open)), "AccessDeniedException");
    assert_eq!(code(grant(&bench, id, OTHER, &["Decrypt"], &json!({}))), "AccessDeniedException");
    assert_eq!(grants(&bench, &json!({ "KeyId": id })).len(), 0);
    let renamed = json!({ "AliasName": "alias/aws/ebs", "TargetKeyId": bench.disk_key() });
    assert_eq!(code(bench.kms("UpdateAlias", &renamed)), "ValidationException");
    assert_eq!(code(bench.kms("DeleteAlias", &json!({ "AliasName": "alias/aws/ebs" }))), "ValidationException");
}
