//! The key that AWS manages for EBS: `alias/aws/ebs`, one for every account and Region.
//!
//! It stands in no document: its id follows from account and Region. What can be done with it is what its policy says, which is
//! the one that AWS gives such keys: EBS uses it for whoever is in the account, who may look at it and nothing more.

use super::super::random;
use super::super::store::Scope;
use super::key::{Key, arn};
use super::material::Spec;
use super::principal::root;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Its name.
pub(in crate::local) const ALIAS: &str = "alias/aws/ebs";
/// Its description, in AWS's words.
const DESCRIPTION: &str = "Default key that protects my EBS volumes when no other key is defined";
/// 2020-01-01, in seconds since 1970: on AWS the key is made when it is needed first, here it always was there.
pub(super) const MADE_AT: i64 = 1_577_836_800;

/// Its id.
pub(super) fn id(scope: &Scope) -> String {
    let digest = Sha256::digest(format!("{ALIAS} {} {}", scope.account, scope.region));
    random::uuid_of(&random::hex_of(&digest)[..32])
}

/// Its ARN.
pub(in crate::local) fn arn_in(scope: &Scope) -> String {
    arn(scope, &format!("key/{}", id(scope)))
}

/// The key.
pub(super) fn key(scope: &Scope) -> Key {
    Key {
        id: id(scope),
        account: scope.account.clone(),
        region: scope.region.clone(),
        spec: Spec::Symmetric,
        description: DESCRIPTION.to_owned(),
        enabled: true,
        created_at: MADE_AT,
        deletion: None,
        policy: policy(scope),
        tags: BTreeMap::new(),
        material: String::new(),
    }
}

fn policy(scope: &Scope) -> String {
    let Scope { account, region } = scope;
    json!({
        "Version": "2012-10-17",
        "Id": "auto-ebs-2",
        "Statement": [
            {
                "Sid": "Allow access through EBS for all principals in the account that are authorized to use EBS",
                "Effect": "Allow",
                "Principal": { "AWS": "*" },
                "Action": [
                    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": { "StringEquals": {
                    "kms:CallerAccount": account, "kms:ViaService": format!("ec2.{region}.amazonaws.com"),
                } },
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": { "AWS": root(account) },
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    })
    .to_string()
}
