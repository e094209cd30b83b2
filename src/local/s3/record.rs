//! Records of buckets and objects. Names of buckets are one space for all accounts and Regions.

use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::macros::format_description;

/// Kind of [`Bucket`] documents; the id is the name.
pub(super) const BUCKET: &str = "s3-bucket";
/// Kind of [`Object`] documents; the id is the bucket's name, a slash, and the key.
pub(super) const OBJECT: &str = "s3-object";
/// Kind of the documents with what is in objects, in base64, under the same ids.
const BODY: &str = "s3-body";

/// Where all of them are.
pub(super) fn everywhere() -> Scope {
    Scope { account: "*".to_owned(), region: "*".to_owned() }
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub name: String,
    /// Account of the owner.
    pub account: String,
    pub region: String,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// An object, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    pub size: usize,
    /// With its quotes.
    pub etag: String,
    /// Seconds since 1970.
    pub modified_at: i64,
    pub content_type: String,
    /// Headers that come back as they were given: metadata, checksums, encryption.
    pub headers: BTreeMap<String, String>,
}

impl Bucket {
    pub(super) fn find(tx: &Transaction<'_>, name: &str) -> Result<Option<Self>, StoreError> {
        tx.get(&everywhere(), BUCKET, name)
    }

    /// The bucket of that name, if the caller may use it there.
    pub(super) fn of(tx: &Transaction<'_>, caller: &Caller, name: &str) -> Result<Self, ServiceError> {
        let bucket = Self::find(tx, name)?.ok_or_else(|| {
            ServiceError::new(404, "NoSuchBucket", format!("The specified bucket does not exist: {name}"))
        })?;
        if bucket.account != caller.scope.account {
            return Err(ServiceError::new(403, "AccessDenied", "Access Denied"));
        }
        if bucket.region != caller.scope.region {
            let text = format!(
                "The bucket you are attempting to access must be addressed using the specified endpoint. It is in {}.",
                bucket.region
            );
            return Err(ServiceError::new(301, "PermanentRedirect", text));
        }
        Ok(bucket)
    }

    /// The id of an object in it.
    pub(super) fn id(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }
}

impl Object {
    pub(super) fn find(tx: &Transaction<'_>, bucket: &Bucket, key: &str) -> Result<Option<Self>, StoreError> {
        tx.get(&everywhere(), OBJECT, &bucket.id(key))
    }

    /// The object, and what is in it.
    pub(super) fn read(tx: &Transaction<'_>, bucket: &Bucket, key: &str) -> Result<(Self, Vec<u8>), ServiceError> {
        let missing = || ServiceError::new(404, "NoSuchKey", format!("The specified key does not exist: {key}"));
        let object = Self::find(tx, bucket, key)?.ok_or_else(missing)?;
        let body: Option<String> = tx.get(&everywhere(), BODY, &bucket.id(key))?;
        let body = STANDARD.decode(body.unwrap_or_default());
        let broken = |error: base64::DecodeError| ServiceError::new(500, "InternalError", error.to_string());
        Ok((object, body.map_err(broken)?))
    }

    pub(super) fn write(
        &self,
        tx: &Transaction<'_>,
        bucket: &Bucket,
        key: &str,
        body: &[u8],
    ) -> Result<(), StoreError> {
        tx.put(&everywhere(), BODY, &bucket.id(key), &STANDARD.encode(body))?;
        tx.put(&everywhere(), OBJECT, &bucket.id(key), self)
    }

    pub(super) fn remove(tx: &Transaction<'_>, bucket: &Bucket, key: &str) -> Result<(), StoreError> {
        tx.delete(&everywhere(), BODY, &bucket.id(key))?;
        tx.delete(&everywhere(), OBJECT, &bucket.id(key)).map(drop)
    }
}

/// A time as it stands in headers.
pub(super) fn http_date(seconds: i64) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&format).unwrap_or_default()
}

/// A time as it stands in documents.
pub(super) fn xml_date(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    crate::clock::rfc3339(at).replace('Z', ".000Z")
}
