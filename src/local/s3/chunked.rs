//! `aws-chunked`: bodies in pieces, with a checksum behind them.

use super::super::wire::ServiceError;
use std::collections::BTreeMap;

/// What `x-amz-content-sha256` says of such a body when the pieces are not signed.
pub(super) const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The bytes, and the headers that stand behind them.
pub(super) fn decode(body: &[u8]) -> Result<(Vec<u8>, BTreeMap<String, String>), ServiceError> {
    pieces(body).ok_or_else(|| {
        let text = "The request body terminated unexpectedly or is not encoded as aws-chunked.";
        ServiceError::new(400, "IncompleteBody", text)
    })
}

fn pieces(mut rest: &[u8]) -> Option<(Vec<u8>, BTreeMap<String, String>)> {
    let mut bytes = Vec::new();
    loop {
        let (line, tail) = line(rest)?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some((bytes, trailer(tail)?));
        }
        bytes.extend(tail.get(..size)?);
        rest = tail.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn trailer(mut rest: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    while let Some((line, tail)) = line(rest) {
        rest = tail;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    rest.is_empty().then_some(headers)
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together() {
        let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let (bytes, headers) = decode(body).unwrap();
        assert_eq!(bytes, b"hello world");
        assert_eq!(headers["x-amz-checksum-crc32"], "DUoRhQ==");
        super::super::checksum::check("x-amz-checksum-crc32", &headers["x-amz-checksum-crc32"], &bytes).unwrap();
        assert_eq!(decode(b"0\r\n\r\n").unwrap(), (Vec::new(), BTreeMap::new()));
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for body in [
            &b""[..],
            b"5\r\nhell",
            b"5\r\nhello",
            b"x\r\nhello\r\n",
            b"5\r\nhello\r\n",
            b"0\r\na\r\n\r\n",
            b"0\r\n\r\nmore",
        ] {
            assert_eq!(decode(body).unwrap_err().code, "IncompleteBody", "{}", String::from_utf8_lossy(body));
        }
    }
}
