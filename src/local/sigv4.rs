//! Signature Version 4: what an `Authorization` header says of a request, and whether that is true.
//!
//! The signature is computed anew from the request as it came and compared in constant time. Written here and not taken from the
//! SDK, whose signer only signs: so the SDK's and botocore's are each checked by something that is neither.

use super::random::hex_of;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::macros::format_description;

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service whose paths are signed as they are, and which takes bodies that nobody has signed.
const S3: &str = "s3";
/// How such bodies are announced in place of their hash.
const UNSIGNED: [&str; 2] = ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"];
/// Behind the path of a credential scope.
const TERMINATOR: &str = "aws4_request";

type HmacSha256 = Hmac<Sha256>;

/// Why a signature is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    /// There is none in the header.
    Missing,
    /// It lacks something; says what.
    Incomplete(String),
    /// It is another one than the request's.
    Mismatch,
}

/// What the `Authorization` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    /// Access key id.
    pub(super) key: String,
    /// `YYYYMMDD`.
    date: String,
    pub(super) region: String,
    pub(super) service: String,
    /// Names of the signed headers, as given.
    headers: Vec<String>,
    signature: Vec<u8>,
}

impl Authorization {
    /// Reads `AWS4-HMAC-SHA256 Credential=KEY/date/REGION/SERVICE/aws4_request, SignedHeaders=a;b, Signature=hex`.
    ///
    /// Only the header is read. A signature in the query string (a presigned URL) is refused on purpose: a web page could
    /// make a browser send such a request to the loopback port, but it cannot make it send the header.
    ///
    /// # Errors
    /// [`Flaw::Missing`], [`Flaw::Incomplete`].
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Flaw> {
        let header = headers.get(http::header::AUTHORIZATION).ok_or(Flaw::Missing)?;
        let lacks = |what: &str| Flaw::Incomplete(format!("Authorization header requires '{what}' parameter."));
        let text = header.to_str().ok().and_then(|text| text.strip_prefix(ALGORITHM));
        let fields = text.ok_or_else(|| lacks(ALGORITHM))?;
        let field = |name: &str| {
            let wanted = fields.split([',', ' ']).find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            wanted.filter(|value| !value.is_empty()).ok_or_else(|| lacks(name))
        };
        let (scope, signed, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
        let [key, date, region, service] = scope_of(scope).ok_or_else(|| {
            Flaw::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{scope}'"
            ))
        })?;
        Ok(Self {
            key: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            headers: signed.split(';').map(str::to_owned).collect(),
            signature: bytes_of(signature).ok_or(Flaw::Mismatch)?,
        })
    }

    /// When the request was signed.
    ///
    /// # Errors
    /// [`Flaw::Incomplete`] without a time, or with one that is not of the day of the scope.
    pub(super) fn time<B>(&self, request: &Request<B>) -> Result<OffsetDateTime, Flaw> {
        let text = request.headers().get("x-amz-date").and_then(|date| date.to_str().ok());
        let text = text.ok_or_else(|| {
            Flaw::Incomplete("Authorization header requires existence of an 'X-Amz-Date' header.".into())
        })?;
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        let time = time::PrimitiveDateTime::parse(text, &format)
            .map_err(|_| Flaw::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{text}'.")))?;
        if !text.starts_with(&self.date) {
            let text = format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{text}'.",
                self.date
            );
            return Err(Flaw::Incomplete(text));
        }
        Ok(time.assume_utc())
    }

    /// Checks that `secret` has signed this request: method, path, query, the signed headers and the body.
    ///
    /// # Errors
    /// [`Flaw::Mismatch`]; [`Flaw::Incomplete`] when a header that must be signed is not.
    pub(super) fn verify<B: AsRef<[u8]>>(&self, request: &Request<B>, secret: &str) -> Result<(), Flaw> {
        self.time(request)?;
        self.covers(request.headers())?;
        let said = request.headers().get("x-amz-content-sha256").and_then(|said| said.to_str().ok());
        let hash = match said.filter(|said| self.service == S3 && UNSIGNED.contains(said)) {
            Some(said) => said.to_owned(),
            None => hex_of(&Sha256::digest(request.body().as_ref())),
        };
        if request.headers().contains_key("x-amz-content-sha256") && said != Some(hash.as_str()) {
            return Err(Flaw::Mismatch);
        }
        let canonical = canonical(request, &self.headers, &hash, self.service == S3).ok_or(Flaw::Mismatch)?;
        let at = request.headers().get("x-amz-date").and_then(|date| date.to_str().ok()).unwrap_or_default();
        let mac = self.mac(secret, at, &canonical);
        mac.verify_slice(&self.signature).map_err(|_| Flaw::Mismatch)
    }

    /// Whether everything is signed that says what is done.
    fn covers(&self, headers: &HeaderMap) -> Result<(), Flaw> {
        let is_signed = |name: &str| self.headers.iter().any(|signed| signed.eq_ignore_ascii_case(name));
        let names = headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
        match std::iter::once("host").chain(names).find(|name| !is_signed(name)) {
            None => Ok(()),
            Some(name) => Err(Flaw::Incomplete(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))),
        }
    }

    fn mac(&self, secret: &str, at: &str, canonical: &str) -> HmacSha256 {
        let scope = format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service);
        let text = format!("{ALGORITHM}\n{at}\n{scope}\n{}", hex_of(&Sha256::digest(canonical)));
        let key = [&self.region, &self.service, TERMINATOR]
            .iter()
            .fold(hmac(format!("AWS4{secret}").as_bytes(), self.date.as_bytes()), |key, part| {
                hmac(&key, part.as_bytes())
            });
        keyed(&key, text.as_bytes())
    }
}

/// Key, date, Region and service of a credential scope.
fn scope_of(scope: &str) -> Option<[&str; 4]> {
    let mut parts = scope.split('/');
    let named = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let ends = parts.next() == Some(TERMINATOR) && parts.next().is_none();
    (ends && named.iter().all(|part| !part.is_empty())).then_some(named)
}

/// A MAC over `data` that is not finished.
fn keyed(key: &[u8], data: &[u8]) -> HmacSha256 {
    // HMAC takes keys of every length; longer ones than a block are hashed.
    let mut mac = HmacSha256::new_from_slice(key)
        .unwrap_or_else(|_| HmacSha256::new(&hmac::digest::Key::<HmacSha256>::default()));
    mac.update(data);
    mac
}

/// HMAC-SHA256.
pub(super) fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    keyed(key, data).finalize().into_bytes().to_vec()
}

/// Whether `code` is the HMAC-SHA256 of `data`, in constant time.
pub(super) fn is_mac(key: &[u8], data: &[u8], code: &[u8]) -> bool {
    keyed(key, data).verify_slice(code).is_ok()
}

/// The bytes of hexadecimal digits.
pub(super) fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// The request in the one form that is signed; nothing when a signed header is not there or no text. Most services encode the path
/// of the address once more, S3 takes it as it is (`once`).
fn canonical<B>(request: &Request<B>, signed: &[String], payload: &str, once: bool) -> Option<String> {
    let mut headers = String::new();
    for name in signed {
        let mut values: Vec<&str> =
            request.headers().get_all(name).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
        if values.is_empty() && name == "host" {
            // A request that never was on a wire has its host in its address alone.
            values.push(request.uri().authority()?.as_str());
        }
        if values.is_empty() {
            return None;
        }
        let values: Vec<String> =
            values.iter().map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(headers, "{}:{}", name.to_ascii_lowercase(), values.join(","));
    }
    let path = request.uri().path();
    let path = match path {
        "" => "/".to_owned(),
        path if once => encoded(&decoded(path), true),
        path => encoded(path.as_bytes(), true),
    };
    let query = query(request.uri().query().unwrap_or_default());
    Some(format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload}", request.method(), signed.join(";")))
}

fn query(text: &str) -> String {
    let mut pairs: Vec<(String, String)> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(&decoded(name), false), encoded(&decoded(value), false))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Everything but letters, digits and `-._~` as `%XX`; in a path, slashes stay. What is encoded already is so once more.
fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(*byte)),
            b'/' if is_path => out.push('/'),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escape = (byte == b'%').then(|| bytes_of(std::str::from_utf8(tail.get(..2)?).ok()?)).flatten();
        if let Some(value) = escape {
            bytes.extend(value);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    bytes
}

/// Signs a request as a client does: all of its headers, for tests that are their own client.
#[cfg(test)]
pub(super) fn sign<B: AsRef<[u8]>>(
    request: &mut Request<B>,
    (key, secret): (&str, &str),
    (region, service): (&str, &str),
    now: OffsetDateTime,
) {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = now.format(&format).unwrap();
    request.headers_mut().insert("x-amz-date", at.parse().unwrap());
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", "localhost".parse().unwrap());
    }
    let mut headers: Vec<String> = request.headers().keys().map(|name| name.as_str().to_owned()).collect();
    headers.sort();
    let mut authorization = Authorization {
        key: key.to_owned(),
        date: at[..8].to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        headers,
        signature: Vec::new(),
    };
    let said = request.headers().get("x-amz-content-sha256").and_then(|said| said.to_str().ok());
    let said = said.filter(|said| service == S3 && UNSIGNED.contains(said)).map(str::to_owned);
    let hash = said.unwrap_or_else(|| hex_of(&Sha256::digest(request.body().as_ref())));
    let canonical = canonical(request, &authorization.headers, &hash, service == S3).unwrap();
    authorization.signature = authorization.mac(secret, &at, &canonical).finalize().into_bytes().to_vec();
    let Authorization { date, headers, signature, .. } = &authorization;
    let text = format!(
        "{ALGORITHM} Credential={key}/{date}/{region}/{service}/{TERMINATOR}, SignedHeaders={}, Signature={}",
        headers.join(";"),
        hex_of(signature)
    );
    request.headers_mut().insert("authorization", text.parse().unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// The example of AWS's documentation of the signing process.
    fn example() -> Request<Bytes> {
        Request::get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            )
            .body(Bytes::new())
            .unwrap()
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn verify(request: &Request<Bytes>, secret: &str) -> Result<(), Flaw> {
        Authorization::of(request.headers())?.verify(request, secret)
    }

    #[test]
    fn the_published_example_is_good() {
        assert_eq!(verify(&example(), SECRET), Ok(()));
        assert_eq!(verify(&example(), "another"), Err(Flaw::Mismatch));
    }

    #[test]
    fn whatever_is_changed_breaks_the_signature() {
        let mut body = example();
        *body.body_mut() = Bytes::from_static(b"x");
        let mut uri = example();
        *uri.uri_mut() = "https://iam.amazonaws.com/?Action=DeleteUsers&Version=2010-05-08".parse().unwrap();
        let mut host = example();
        host.headers_mut().insert("host", "elsewhere".parse().unwrap());
        let mut header = example();
        header.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        let mut hash = example();
        hash.headers_mut().insert("x-amz-content-sha256", "0".repeat(64).parse().unwrap());
        let mut method = example();
        *method.method_mut() = http::Method::DELETE;
        for request in [body, uri, host, header, method] {
            assert_eq!(verify(&request, SECRET), Err(Flaw::Mismatch), "{request:?}");
        }
        assert!(matches!(verify(&hash, SECRET), Err(Flaw::Incomplete(_))), "what is x-amz must be signed");
    }

    #[test]
    fn a_request_that_was_signed_is_good() {
        let now = time::macros::datetime!(2026-03-01 12:00 UTC);
        let mut request = Request::delete("/tags/arn%3Aaws%3Ax%2Fy?tagKeys=b%20c&tagKeys=a&x")
            .header("x-amz-target", "A.  B")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        sign(&mut request, ("key", "secret"), ("r", "s"), now);
        assert_eq!(verify(&request, "secret"), Ok(()));
        assert_eq!(Authorization::of(request.headers()).unwrap().time(&request), Ok(now));
        request.headers_mut().insert("x-amz-security-token", "later".parse().unwrap());
        assert!(matches!(verify(&request, "secret"), Err(Flaw::Incomplete(_))));
    }

    #[test]
    fn unreadable_headers_say_what_they_lack() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().unwrap());
            match Authorization::of(&headers) {
                Err(Flaw::Incomplete(text)) => text,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(Authorization::of(&HeaderMap::new()), Err(Flaw::Missing));
        let rest = "SignedHeaders=host, Signature=ab";
        for (text, lacks) in [
            ("Basic abc".to_owned(), "'AWS4-HMAC-SHA256'"),
            (format!("AWS4-HMAC-SHA256 {rest}"), "'Credential'"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=ab".to_owned(), "'SignedHeaders'"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host".to_owned(), "'Signature'"),
            (format!("AWS4-HMAC-SHA256 Credential=a/b/c/aws4_request, {rest}"), "5 slash-delimited"),
            (format!("AWS4-HMAC-SHA256 Credential=a/b//d/aws4_request, {rest}"), "5 slash-delimited"),
        ] {
            let said = with(&text);
            assert!(said.contains(lacks), "{text}: {said}");
        }
    }

    #[test]
    fn the_day_of_the_scope_is_that_of_the_request() {
        let mut request = example();
        request.headers_mut().insert("x-amz-date", "20150831T003600Z".parse().unwrap());
        assert!(matches!(verify(&request, SECRET), Err(Flaw::Incomplete(_))));
        request.headers_mut().insert("x-amz-date", "yesterday".parse().unwrap());
        assert!(matches!(verify(&request, SECRET), Err(Flaw::Incomplete(_))));
        request.headers_mut().remove("x-amz-date");
        assert!(matches!(verify(&request, SECRET), Err(Flaw::Incomplete(_))));
    }
}
