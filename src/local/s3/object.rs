//! Reading and deleting objects.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::asked::Asked;
use super::checksum;
use super::record::{Bucket, Object, http_date};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::ops::Range;

/// `GetObject`.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    let (object, body) = found(local, caller, asked)?;
    let mut headers = described(asked, &object);
    let part = asked.header("range").map(|range| part(range, body.len())).transpose()?.flatten();
    let (status, body) = match part {
        None => (200, &body[..]),
        Some(part) => {
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, body.len());
            headers.insert("content-range".to_owned(), json!(range));
            // A checksum is one of the whole.
            headers.retain(|name, _| !name.starts_with(checksum::PREFIX));
            (206, &body[part])
        }
    };
    headers.insert("content-length".to_owned(), json!(body.len().to_string()));
    Ok(json!({ "Status": status, "Headers": headers, "Body": STANDARD.encode(body) }))
}

/// `HeadObject`.
pub(super) fn head(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    let (object, _) = found(local, caller, asked)?;
    Ok(json!({ "Headers": described(asked, &object) }))
}

fn found(local: &Local, caller: &Caller, asked: Asked<'_>) -> Result<(Object, Vec<u8>), ServiceError> {
    asked.whole()?;
    let (object, body) = local.store.read(|tx| {
        let bucket = Bucket::of(tx, caller, asked.bucket())?;
        Object::read(tx, &bucket, asked.key())
    })?;
    let is = |wanted: &str| wanted == "*" || wanted.trim_matches('"') == object.etag.trim_matches('"');
    if asked.header("if-match").is_some_and(|wanted| !is(wanted)) {
        let text = "At least one of the pre-conditions you specified did not hold";
        return Err(ServiceError::new(412, "PreconditionFailed", text));
    }
    if asked.header("if-none-match").is_some_and(is) {
        return Err(ServiceError::new(304, "NotModified", "Not Modified"));
    }
    Ok((object, body))
}

/// The headers that tell of an object.
fn described(asked: Asked<'_>, object: &Object) -> Map<String, Value> {
    let summed = asked.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    let told = |name: &str| summed || !name.starts_with(checksum::PREFIX);
    let kept = object.headers.iter().filter(|(name, _)| told(name));
    let mut headers: Map<String, Value> = kept.map(|(name, value)| (name.clone(), json!(value))).collect();
    headers.insert("etag".to_owned(), json!(object.etag));
    headers.insert("last-modified".to_owned(), json!(http_date(object.modified_at)));
    headers.insert("content-type".to_owned(), json!(object.content_type));
    headers.insert("accept-ranges".to_owned(), json!("bytes"));
    headers.insert("content-length".to_owned(), json!(object.size.to_string()));
    headers
}

/// The bytes that a `Range` header asks for; nothing when it is none that is understood, as if it were not there.
fn part(range: &str, size: usize) -> Result<Option<Range<usize>>, ServiceError> {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let number = |text: &str| text.parse::<usize>().ok();
    let part = match (from, number(from), to, number(to)) {
        ("", _, _, Some(last)) => size.saturating_sub(last)..size,
        (_, Some(from), "", _) => from..size,
        (_, Some(from), _, Some(to)) if from <= to => from..size.min(to.saturating_add(1)),
        _ => return Ok(None),
    };
    if part.start < part.end {
        return Ok(Some(part));
    }
    Err(ServiceError::new(416, "InvalidRange", "The requested range is not satisfiable"))
}

/// `DeleteObject`. What is not there is deleted as well.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked(request);
    asked.whole()?;
    local.store.write(|tx| {
        let bucket = Bucket::of(tx, caller, asked.bucket())?;
        Ok::<_, ServiceError>(Object::remove(tx, &bucket, asked.key())?)
    })?;
    Ok(json!({ "Status": 204 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(part("bytes=0-3", 10).unwrap(), Some(0..4));
        assert_eq!(part("bytes=4-", 10).unwrap(), Some(4..10));
        assert_eq!(part("bytes=-3", 10).unwrap(), Some(7..10));
        assert_eq!(part("bytes=4-99", 10).unwrap(), Some(4..10));
        assert_eq!(part("bytes=10-", 10).unwrap_err().code, "InvalidRange");
        for other in ["lines=1-2", "bytes=x-y", "bytes=3-1", "bytes"] {
            assert_eq!(part(other, 10).unwrap(), None, "{other}");
        }
    }
}
