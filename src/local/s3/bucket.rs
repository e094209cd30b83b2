//! Buckets.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::asked::Asked;
use super::record::{BUCKET, Bucket, OBJECT, Object, everywhere, xml_date};
use serde_json::{Value, json};

/// The Region whose buckets need no location.
const CLASSIC: &str = "us-east-1";

/// `CreateBucket`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    let (name, region) = (asked.bucket(), &caller.scope.region);
    if !is_name(name) {
        return Err(ServiceError::new(400, "InvalidBucketName", format!("The specified bucket is not valid: {name}")));
    }
    let constraint = constraint(&asked.body())?;
    if constraint.as_deref().unwrap_or(CLASSIC) != region || constraint.as_deref() == Some(CLASSIC) {
        let shown = constraint.unwrap_or_else(|| "unspecified".to_owned());
        let text = format!(
            "The {shown} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        let code = if shown == CLASSIC { "InvalidLocationConstraint" } else { "IllegalLocationConstraintException" };
        return Err(ServiceError::new(400, code, text));
    }
    local.store.write(|tx| match Bucket::find(tx, name)? {
        // Once upon a time there was one Region, in which this was no error; there it is none to this day.
        Some(bucket) if bucket.account == caller.scope.account && bucket.region == *region && region == CLASSIC => Ok(()),
        Some(bucket) if bucket.account == caller.scope.account => {
            let text = "Your previous request to create the named bucket succeeded and you already own it.";
            Err(ServiceError::new(409, "BucketAlreadyOwnedByYou", text))
        }
        Some(_) => {
            let text = "The requested bucket name is not available. The bucket namespace is shared by all users of the system.";
            Err(ServiceError::new(409, "BucketAlreadyExists", text))
        }
        None => {
            let (account, created_at) = (caller.scope.account.clone(), caller.now.unix_timestamp());
            let bucket = Bucket { name: name.to_owned(), account, region: region.clone(), created_at };
            Ok(tx.put(&everywhere(), BUCKET, name, &bucket)?)
        }
    })?;
    Ok(json!({ "Headers": { "location": format!("/{name}") } }))
}

/// 3 to 63 small letters, digits, hyphens and dots, with a letter or digit at both ends, and no address of a host.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(plain) && name.bytes().last().is_some_and(plain);
    let all = name.bytes().all(|byte| plain(byte) || byte == b'-' || byte == b'.');
    let address = name.split('.').count() == 4 && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (3..=63).contains(&name.len()) && ends && all && !name.contains("..") && !address
}

/// The text of `LocationConstraint` in the request's document.
fn constraint(body: &[u8]) -> Result<Option<String>, ServiceError> {
    let malformed = || {
        let text = "The XML you provided was not well-formed or did not validate against our published schema";
        ServiceError::new(400, "MalformedXML", text)
    };
    if body.is_empty() {
        return Ok(None);
    }
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(body).map_err(|_| malformed())?);
    let (mut inside, mut found) = (false, String::new());
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            quick_xml::events::Event::Start(tag) => inside = tag.local_name().as_ref() == "LocationConstraint",
            quick_xml::events::Event::End(_) => inside = false,
            quick_xml::events::Event::Text(text) if inside => found.push_str(&text),
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    Ok(Some(found.trim().to_owned()).filter(|found| !found.is_empty()))
}

/// `HeadBucket`.
pub(super) fn head(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let bucket = local.store.read(|tx| Bucket::of(tx, caller, Asked(request).bucket()))?;
    Ok(json!({ "Headers": { "x-amz-bucket-region": bucket.region, "x-amz-access-point-alias": "false" } }))
}

/// `GetBucketLocation`.
pub(super) fn location(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let bucket = local.store.read(|tx| Bucket::of(tx, caller, Asked(request).bucket()))?;
    let region = if bucket.region == CLASSIC { "" } else { &bucket.region };
    Ok(json!({ "Xml": { "LocationConstraint": region } }))
}

/// `DeleteBucket`.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        let bucket = Bucket::of(tx, caller, Asked(request).bucket())?;
        if !tx.list::<Object>(&everywhere(), OBJECT, &bucket.id(""))?.is_empty() {
            let text = "The bucket you tried to delete is not empty";
            return Err(ServiceError::new(409, "BucketNotEmpty", text));
        }
        Ok(tx.delete(&everywhere(), BUCKET, &bucket.name).map(drop)?)
    })?;
    Ok(json!({ "Status": 204 }))
}

/// `ListBuckets`: those of the account, in every Region.
pub(super) fn list(local: &Local, caller: &Caller, _: &Value) -> Result<Value, ServiceError> {
    let account = &caller.scope.account;
    let all = local.store.read(|tx| tx.list::<Bucket>(&everywhere(), BUCKET, ""))?;
    let own = all.into_iter().map(|(_, bucket)| bucket).filter(|bucket| bucket.account == *account);
    let rows: Vec<Value> =
        own.map(|bucket| json!({ "Name": bucket.name, "CreationDate": xml_date(bucket.created_at) })).collect();
    Ok(json!({ "Xml": { "ListAllMyBucketsResult": { "Owner": { "ID": account }, "Buckets": { "Bucket": rows } } } }))
}
