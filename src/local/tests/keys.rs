//! Keys: made, named, used, shared, disabled and deleted.

use super::copies::Hands;
use super::{Bench, Refusal, code};
use crate::local::Builds;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};

const OTHER: &str = "111122223333";

impl Bench {
    /// KMS.
    pub(super) fn kms(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        let head = Request::post("/").header("x-amz-target", format!("TrentService.{operation}"));
        super::json_answer(&self.send("kms", head, &request.to_string()))
    }

    /// The ARN of a new key with which disks are encrypted.
    pub(super) fn disk_key(&self) -> String {
        self.new_key("SYMMETRIC_DEFAULT")
    }

    /// Lets another account use such a key for its disks, by the policy that AWS's documentation has for that.
    pub(super) fn share_key(&self, key: &str, account: &str) {
        let principal = |account: &str| json!({ "AWS": format!("arn:aws:iam::{account}:root") });
        let attach = json!({ "Bool": { "kms:GrantIsForAWSResource": true } });
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": principal(&self.scope().account), "Action": "kms:*", "Resource": "*" },
            { "Sid": "Allow use of the key", "Effect": "Allow", "Principal": principal(account), "Resource": "*",
              "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"] },
            { "Sid": "Allow attachment of persistent resources", "Effect": "Allow", "Principal": principal(account), "Resource": "*",
              "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"], "Condition": attach },
        ] });
        self.kms("PutKeyPolicy", &json!({ "KeyId": key, "Policy": policy.to_string() })).unwrap();
    }

    /// The ARN of a new key.
    pub(super) fn new_key(&self, spec: &str) -> String {
        let usage = if spec == "SYMMETRIC_DEFAULT" { "ENCRYPT_DECRYPT" } else { "SIGN_VERIFY" };
        let made = self.kms("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": usage })).unwrap();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    fn sign_text(&self, key: &str, algorithm: &str, text: &str) -> Result<Value, Refusal> {
        let request = json!({ "KeyId": key, "Message": STANDARD.encode(text), "SigningAlgorithm": algorithm });
        self.kms("Sign", &request)
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn signatures_are_real() {
    let bench = Bench::new();
    let kinds: [(&str, &str, &'static dyn VerificationAlgorithm, usize); 2] = [
        ("ECC_NIST_P256", "ECDSA_SHA_256", &ECDSA_P256_SHA256_ASN1, 26),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", &ED25519, 12),
    ];
    for (spec, algorithm, check, head) in kinds {
        let key = bench.new_key(spec);
        let signed = bench.sign_text(&key, algorithm, "what is signed").unwrap();
        assert_eq!((&signed["KeyId"], &signed["SigningAlgorithm"]), (&json!(key), &json!(algorithm)));
        let public = bench.kms("GetPublicKey", &json!({ "KeyId": key })).unwrap();
        assert_eq!((&public["KeySpec"], &public["KeyUsage"]), (&json!(spec), &json!("SIGN_VERIFY")));
        let public = bytes(&public["PublicKey"]);
        let signature = bytes(&signed["Signature"]);
        UnparsedPublicKey::new(check, &public[head..]).verify(b"what is signed", &signature).unwrap();
        let verify = |text: &str, signature: &[u8]| {
            let request = json!({ "KeyId": key, "Message": STANDARD.encode(text), "SigningAlgorithm": algorithm,
                "Signature": STANDARD.encode(signature) });
            bench.kms("Verify", &request)
        };
        assert_eq!(verify("what is signed", &signature).unwrap()["SignatureValid"], true);
        assert_eq!(code(verify("what is signee", &signature)), "KMSInvalidSignatureException");
        let mut flipped = signature.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(code(verify("what is signed", &flipped)), "KMSInvalidSignatureException");
    }
}

#[test]
fn a_key_is_found_by_id_arn_and_alias() {
    let bench = Bench::new();
    let arn = bench.new_key("ECC_NIST_P256");
    let id = arn.rsplit('/').next().unwrap();
    bench.kms("CreateAlias", &json!({ "AliasName": "alias/evidence", "TargetKeyId": id })).unwrap();
    let alias = format!("arn:aws:kms:us-east-1:{}:alias/evidence", bench.scope().account);
    for name in [id, &arn, "alias/evidence", &alias] {
        let found = bench.kms("DescribeKey", &json!({ "KeyId": name })).unwrap();
        assert_eq!(found["KeyMetadata"]["Arn"], json!(arn), "{name}");
    }
    let again = bench.kms("CreateAlias", &json!({ "AliasName": "alias/evidence", "TargetKeyId": id }));
    assert_eq!(code(again), "AlreadyExistsException");
    let other = bench.new_key("ECC_NIST_P256");
    bench.kms("UpdateAlias", &json!({ "AliasName": "alias/evidence", "TargetKeyId": other })).unwrap();
    let found = bench.kms("DescribeKey", &json!({ "KeyId": "alias/evidence" })).unwrap();
    assert_eq!(found["KeyMetadata"]["Arn"], json!(other));
    let sealing = bench.new_key("SYMMETRIC_DEFAULT");
    let mixed = bench.kms("UpdateAlias", &json!({ "AliasName": "alias/evidence", "TargetKeyId": sealing }));
    assert_eq!(code(mixed), "ValidationException");
    bench.kms("CreateAlias", &json!({ "AliasName": "alias/volumes", "TargetKeyId": sealing })).unwrap();
    let all = bench.kms("ListAliases", &json!({ "Limit": 2 })).unwrap();
    assert_eq!((all["Aliases"].as_array().unwrap().len(), &all["Truncated"]), (2, &json!(true)));
    let rest = bench.kms("ListAliases", &json!({ "Limit": 2, "Marker": all["NextMarker"] })).unwrap();
    assert_eq!((&rest["Aliases"][0]["AliasName"], &rest["Truncated"]), (&json!("alias/volumes"), &json!(false)));
    assert_eq!(code(bench.kms("ListAliases", &json!({ "Marker": "x" }))), "InvalidMarkerException");
    for name in
        ["alias/none", "nonsense", "00000000-0000-4000-8000-000000000000", &arn.replace("us-east-1", "eu-west-1")]
    {
        assert_eq!(code(bench.kms("DescribeKey", &json!({ "KeyId": name }))), "NotFoundException", "{name}");
    }
    for name in ["evidence", "alias/aws/ebs", "alias/"] {
        let made = bench.kms("CreateAlias", &json!({ "AliasName": name, "TargetKeyId": id }));
        assert_eq!(code(made), "ValidationException", "{name}");
    }
    bench.kms("DeleteAlias", &json!({ "AliasName": "alias/volumes" })).unwrap();
    assert_eq!(code(bench.kms("DeleteAlias", &json!({ "AliasName": "alias/volumes" }))), "NotFoundException");
}

#[test]
fn other_accounts_need_the_keys_policy() {
    let bench = Bench::new();
    let arn = bench.new_key("ECC_NIST_P256");
    let other = bench.by(OTHER);
    let refused = other.sign_text(&arn, "ECDSA_SHA_256", "x").unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(refused.message.contains("not authorized to perform: kms:Sign"), "{}", refused.message);
    let unknown = arn.replace(&arn[arn.len() - 4..], "0000");
    assert_eq!(code(other.sign_text(&unknown, "ECDSA_SHA_256", "x")), "AccessDeniedException", "nor whether it exists");
    let account = &bench.scope().account;
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "kms:GetPublicKey", "Resource": "*" },
    ] });
    let put = |policy: &str| bench.kms("PutKeyPolicy", &json!({ "KeyId": arn, "Policy": policy }));
    put(&policy.to_string()).unwrap();
    assert_eq!(bench.kms("GetKeyPolicy", &json!({ "KeyId": arn })).unwrap()["Policy"], json!(policy.to_string()));
    other.kms("GetPublicKey", &json!({ "KeyId": arn })).unwrap();
    assert_eq!(code(other.sign_text(&arn, "ECDSA_SHA_256", "x")), "AccessDeniedException");
    assert_eq!(code(other.kms("DisableKey", &json!({ "KeyId": arn }))), "AccessDeniedException");
    assert_eq!(code(put("{}")), "MalformedPolicyDocumentException");
}

#[test]
fn what_is_disabled_or_to_be_deleted_does_not_sign() {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::Real);
    let arn = bench.new_key("ECC_NIST_EDWARDS25519");
    let with = json!({ "KeyId": arn });
    let sign = || bench.sign_text(&arn, "ED25519_SHA_512", "x");
    bench.kms("DisableKey", &with).unwrap();
    assert_eq!(code(sign()), "DisabledException");
    assert_eq!(code(bench.kms("GetPublicKey", &with)), "DisabledException");
    assert_eq!(bench.kms("DescribeKey", &with).unwrap()["KeyMetadata"]["KeyState"], "Disabled");
    bench.kms("EnableKey", &with).unwrap();
    sign().unwrap();
    let short = bench.kms("ScheduleKeyDeletion", &json!({ "KeyId": arn, "PendingWindowInDays": 6 }));
    assert_eq!(code(short), "ValidationException");
    let gone = bench.kms("ScheduleKeyDeletion", &json!({ "KeyId": arn, "PendingWindowInDays": 7 })).unwrap();
    assert_eq!((&gone["KeyState"], &gone["KeyId"]), (&json!("PendingDeletion"), &json!(arn)));
    assert_eq!(code(sign()), "KMSInvalidStateException");
    for operation in ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "GetPublicKey"] {
        assert_eq!(code(bench.kms(operation, &with)), "KMSInvalidStateException", "{operation}");
    }
    bench.kms("CancelKeyDeletion", &with).unwrap();
    assert_eq!(code(sign()), "DisabledException");
    bench.kms("ScheduleKeyDeletion", &json!({ "KeyId": arn, "PendingWindowInDays": 7 })).unwrap();
    hands.forward(7 * 24 * 60 * 60);
    assert_eq!(code(bench.kms("DescribeKey", &with)), "NotFoundException");
}

#[test]
fn what_a_key_cannot_do_is_refused() {
    let bench = Bench::new();
    let (p256, edwards) = (bench.new_key("ECC_NIST_P256"), bench.new_key("ECC_NIST_EDWARDS25519"));
    let symmetric = bench.new_key("SYMMETRIC_DEFAULT");
    assert_eq!(code(bench.sign_text(&symmetric, "ECDSA_SHA_256", "x")), "InvalidKeyUsageException");
    assert_eq!(code(bench.sign_text(&p256, "ED25519_SHA_512", "x")), "InvalidKeyUsageException");
    assert_eq!(code(bench.sign_text(&edwards, "ECDSA_SHA_256", "x")), "InvalidKeyUsageException");
    assert_eq!(code(bench.sign_text(&p256, "ECDSA_SHA_256", &"x".repeat(4097))), "ValidationException");
    assert_eq!(code(bench.sign_text(&p256, "SHA", "x")), "ValidationException");
    bench.sign_text(&p256, "ECDSA_SHA_256", &"x".repeat(4096)).unwrap();
    assert_eq!(code(bench.kms("GetPublicKey", &json!({ "KeyId": symmetric }))), "UnsupportedOperationException");
    let digest = json!({ "KeyId": p256, "Message": STANDARD.encode([1; 32]), "SigningAlgorithm": "ECDSA_SHA_256",
        "MessageType": "DIGEST" });
    assert!(bench.kms("Sign", &digest).unwrap_err().message.contains("not in the local environment"));
    let dry = json!({ "KeyId": p256, "Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": true });
    assert_eq!(code(bench.kms("Sign", &dry)), "DryRunOperationException");
    for (request, expected) in [
        (json!({ "KeySpec": "ECC_NIST_P256" }), "ValidationException"),
        (json!({ "KeySpec": "ECC_NIST_P255", "KeyUsage": "SIGN_VERIFY" }), "ValidationException"),
        (json!({ "KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY" }), "UnsupportedOperationException"),
        (json!({ "Origin": "EXTERNAL" }), "UnsupportedOperationException"),
        (json!({ "MultiRegion": true }), "UnsupportedOperationException"),
        (json!({ "Policy": "x" }), "MalformedPolicyDocumentException"),
        (json!({ "Tags": [{ "TagKey": "aws:x", "TagValue": "" }] }), "TagException"),
    ] {
        assert_eq!(code(bench.kms("CreateKey", &request)), expected, "{request}");
    }
}
