//! Making keys and describing them.

use super::super::Local;
use super::super::input::Input;
use super::super::random;
use super::super::wire::{Caller, ServiceError};
use super::key::Key;
use super::material::Spec;
use super::{find, input, lacks, policy};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Every spec of the service's model.
const SPECS: [&str; 20] = [
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
/// Every usage of the service's model.
const USAGES: [&str; 5] =
    ["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"];
/// Members that ask for keys of another make.
const OTHER_MAKES: [&str; 2] = ["CustomKeyStoreId", "XksKeyId"];

/// `CreateKey`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let spec = spec(&input)?;
    if let Some(member) = OTHER_MAKES.iter().find(|member| input.get(member).is_some()) {
        return Err(lacks(&format!("A key with {member}")));
    }
    let origin = input.one_of("Origin", &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])?;
    if origin.is_some_and(|origin| origin != "AWS_KMS") {
        return Err(lacks("Key material from elsewhere"));
    }
    if input.flag("MultiRegion")? == Some(true) {
        return Err(lacks("A multi-Region key"));
    }
    let given = input.limited("Policy", 1..=131_072)?;
    if let Some(given) = given {
        policy::check(given, caller, input.flag("BypassPolicyLockoutSafetyCheck")?.unwrap_or(false))?;
    }
    let key = Key {
        id: random::uuid()?,
        account: caller.scope.account.clone(),
        region: caller.scope.region.clone(),
        spec,
        description: input.limited("Description", 0..=8192)?.unwrap_or_default().to_owned(),
        enabled: true,
        created_at: caller.now.unix_timestamp(),
        deletion: None,
        policy: given.map_or_else(|| policy::default(&caller.scope.account), str::to_owned),
        tags: tags(&input)?,
        material: spec.generate()?,
    };
    local.store.write(|tx| key.put(tx))?;
    Ok(json!({ "KeyMetadata": key.metadata() }))
}

/// What kind of key is asked for.
fn spec(input: &Input<'_>) -> Result<Spec, ServiceError> {
    let (new, old) = (input.one_of("KeySpec", &SPECS)?, input.one_of("CustomerMasterKeySpec", &SPECS)?);
    if new.is_some() && old.is_some() {
        let text = "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.";
        return Err(ServiceError::client("ValidationException", text));
    }
    let name = new.or(old).unwrap_or("SYMMETRIC_DEFAULT");
    let usage = input.one_of("KeyUsage", &USAGES)?.unwrap_or("ENCRYPT_DECRYPT");
    let Some(spec) = Spec::ALL.into_iter().find(|spec| spec.name() == name) else {
        return Err(lacks(&format!("A key of {name}")));
    };
    if usage == spec.usage() {
        return Ok(spec);
    }
    if usage == "KEY_AGREEMENT" && spec == Spec::P256 {
        return Err(lacks("Key agreement"));
    }
    let text = format!("KeyUsage {usage} is not compatible with KeySpec {name}");
    Err(ServiceError::client("ValidationException", text))
}

fn tags(input: &Input<'_>) -> Result<BTreeMap<String, String>, ServiceError> {
    let tag = |tag: Input<'_>| {
        let (key, value) = (tag.required("TagKey")?, tag.text("TagValue")?.unwrap_or_default());
        if key.to_ascii_lowercase().starts_with("aws:") || key.chars().count() > 128 || value.chars().count() > 256 {
            let text = format!("The tag `{key}` is not valid.");
            return Err(ServiceError::client("TagException", text));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    input.objects("Tags")?.into_iter().map(tag).collect()
}

/// `DescribeKey`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let name = input.required("KeyId")?;
    let key = local.store.read(|tx| find::key(tx, caller, name, "DescribeKey"))?;
    Ok(json!({ "KeyMetadata": key.metadata() }))
}
