//! Writing objects.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::asked::{Asked, lacks};
use super::record::{Bucket, Object};
use super::{checksum, chunked};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most bytes of a key.
const LONGEST: usize = 1024;
/// How objects can be encrypted.
const ENCRYPTION: &str = "x-amz-server-side-encryption";
/// With which key.
const ENCRYPTION_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// `PutObject`.
pub(super) fn put(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    asked.whole()?;
    if asked.key().len() > LONGEST {
        return Err(ServiceError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    let (body, trailer) = body(asked)?;
    let headers = kept(asked, &trailer, &body)?;
    let object = Object {
        size: body.len(),
        etag: checksum::etag(&body),
        modified_at: caller.now.unix_timestamp(),
        content_type: asked.header("content-type").unwrap_or("binary/octet-stream").to_owned(),
        headers,
    };
    local.store.write(|tx| {
        let bucket = Bucket::of(tx, caller, asked.bucket())?;
        may_replace(asked, Object::find(tx, &bucket, asked.key())?.as_ref())?;
        Ok::<_, ServiceError>(object.write(tx, &bucket, asked.key(), &body)?)
    })?;
    let mut answer = Map::from_iter([("etag".to_owned(), json!(object.etag))]);
    answer.extend(
        object.headers.iter().filter(|(name, _)| !name.starts_with("x-amz-meta-")).map(|(n, v)| (n.clone(), json!(v))),
    );
    Ok(json!({ "Headers": answer }))
}

/// The object's bytes, and what stands behind them.
fn body(asked: Asked<'_>) -> Result<(Vec<u8>, BTreeMap<String, String>), ServiceError> {
    let said = asked.header("x-amz-content-sha256").unwrap_or_default();
    if said == chunked::UNSIGNED {
        let (bytes, trailer) = chunked::decode(&asked.body())?;
        let length = asked.header("x-amz-decoded-content-length").and_then(|length| length.parse().ok());
        if length.is_some_and(|length: usize| length != bytes.len()) {
            let text = "You did not provide the number of bytes specified by the Content-Length HTTP header";
            return Err(ServiceError::new(400, "IncompleteBody", text));
        }
        return Ok((bytes, trailer));
    }
    if said.starts_with("STREAMING-") {
        return Err(lacks(&format!("`{said}`")));
    }
    Ok((asked.body(), BTreeMap::new()))
}

/// What is checked of the headers, and kept.
fn kept(
    asked: Asked<'_>,
    trailer: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<BTreeMap<String, String>, ServiceError> {
    if let Some(given) = asked.header("content-md5") {
        checksum::check_md5(given, body)?;
    }
    let mut kept = BTreeMap::new();
    let behind = trailer.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let behind = behind.filter(|(name, _)| name.starts_with(checksum::PREFIX));
    for (name, value) in asked.headers(checksum::PREFIX).chain(behind) {
        checksum::check(name, value, body)?;
        kept.insert(name.to_owned(), value.to_owned());
    }
    if let Some(named) = asked.header("x-amz-trailer").filter(|named| !trailer.contains_key(*named)) {
        let text = format!("The trailer {named} that was announced did not come.");
        return Err(ServiceError::new(400, "MalformedTrailerError", text));
    }
    kept.extend(asked.headers("x-amz-meta-").map(|(name, value)| (name.to_owned(), value.to_owned())));
    let how = asked.header(ENCRYPTION).unwrap_or("AES256");
    match (how, asked.header(ENCRYPTION_KEY)) {
        ("AES256", None) | ("aws:kms", _) => {}
        ("AES256", Some(_)) => {
            let text = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
            return Err(ServiceError::new(400, "InvalidArgument", text));
        }
        _ => {
            let text = "The encryption method specified is not supported";
            return Err(ServiceError::new(400, "InvalidEncryptionAlgorithmError", text));
        }
    }
    kept.insert(ENCRYPTION.to_owned(), how.to_owned());
    kept.extend(asked.header(ENCRYPTION_KEY).map(|key| (ENCRYPTION_KEY.to_owned(), key.to_owned())));
    Ok(kept)
}

/// Refuses a change that is only wanted as long as something else is not there, or is.
fn may_replace(asked: Asked<'_>, present: Option<&Object>) -> Result<(), ServiceError> {
    let failed = || {
        let text = "At least one of the pre-conditions you specified did not hold";
        Err(ServiceError::new(412, "PreconditionFailed", text))
    };
    match asked.header("if-none-match") {
        None => {}
        Some("*") if present.is_some() => return failed(),
        Some("*") => {}
        Some(_) => return Err(lacks("`If-None-Match` with anything but `*`")),
    }
    match (asked.header("if-match"), present) {
        (Some(_), None) => Err(ServiceError::new(404, "NoSuchKey", "The specified key does not exist.")),
        (Some(wanted), Some(object)) if wanted.trim_matches('"') != object.etag.trim_matches('"') => failed(),
        _ => Ok(()),
    }
}
