//! Listing objects.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::asked::Asked;
use super::record::{Bucket, OBJECT, Object, everywhere, xml_date};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Most rows of a page.
const PAGE: usize = 1000;

/// A row: an object, or what several have in common.
enum Row {
    Object(String, Object),
    Prefix(String),
}

/// `ListObjectsV2`.
pub(super) fn objects(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    let invalid = |name: &str| {
        let text = format!("The value of {name} is not valid.");
        ServiceError::new(400, "InvalidArgument", text)
    };
    let size = match asked.query("max-keys") {
        None => PAGE,
        Some(text) => text.parse::<usize>().map_err(|_| invalid("max-keys"))?.min(PAGE),
    };
    let token = asked.query("continuation-token");
    let last = token.map(|token| URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()));
    let after = match last {
        None => asked.query("start-after").unwrap_or_default().to_owned(),
        Some(Some(last)) => last,
        Some(None) => return Err(invalid("continuation-token")),
    };
    let prefix = asked.query("prefix").unwrap_or_default();
    let (bucket, all) = local.store.read(|tx| {
        let bucket = Bucket::of(tx, caller, asked.bucket())?;
        let all = tx.list::<Object>(&everywhere(), OBJECT, &bucket.id(prefix))?;
        Ok::<_, ServiceError>((bucket, all))
    })?;
    let keys = all.into_iter().filter_map(|(id, object)| Some((id.strip_prefix(&bucket.id(""))?.to_owned(), object)));
    let mut rows = rows(keys, prefix, asked.query("delimiter").filter(|delimiter| !delimiter.is_empty()), &after);
    let truncated = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| truncated).map(|row| URL_SAFE_NO_PAD.encode(row.end()));
    let encoded = asked.query("encoding-type") == Some("url");
    let shown = |text: &str| if encoded { encode(text) } else { text.to_owned() };
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for row in &rows {
        match row {
            Row::Prefix(prefix) => prefixes.push(json!({ "Prefix": shown(prefix) })),
            Row::Object(key, object) => contents.push(json!({
                "Key": shown(key), "LastModified": xml_date(object.modified_at), "ETag": object.etag, "Size": object.size,
                "StorageClass": "STANDARD",
            })),
        }
    }
    Ok(json!({ "Xml": { "ListBucketResult": {
        "Name": bucket.name, "Prefix": shown(prefix), "Delimiter": asked.query("delimiter").map(shown),
        "MaxKeys": size, "KeyCount": rows.len(), "IsTruncated": truncated, "ContinuationToken": token,
        "NextContinuationToken": next, "StartAfter": asked.query("start-after").map(shown),
        "EncodingType": asked.query("encoding-type"), "Contents": contents, "CommonPrefixes": prefixes,
    } } }))
}

impl Row {
    /// Behind what the next page begins.
    fn end(&self) -> String {
        match self {
            Self::Object(key, _) => key.clone(),
            // Behind everything that begins like this.
            Self::Prefix(prefix) => format!("{prefix}\u{10FFFF}"),
        }
    }
}

/// The rows behind `after`; what has the delimiter behind the prefix is one row together.
fn rows(keys: impl Iterator<Item = (String, Object)>, prefix: &str, delimiter: Option<&str>, after: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (key, object) in keys.filter(|(key, _)| key.as_str() > after) {
        let rest = &key[prefix.len()..];
        let cut = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        let Some(cut) = cut else {
            rows.push(Row::Object(key, object));
            continue;
        };
        let common = key[..prefix.len() + cut].to_owned();
        if !matches!(rows.last(), Some(Row::Prefix(last)) if *last == common) {
            rows.push(Row::Prefix(common));
        }
    }
    rows
}

/// A text as it stands in an address.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
