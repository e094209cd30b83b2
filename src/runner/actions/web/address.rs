//! Web addresses: the file name in one, and how one is shown.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The file name that a web address ends with: the last part of its path, decoded. `None` if that cannot name a file.
pub fn file_name(address: &str) -> Option<OsString> {
    let (_, rest) = address.split_once("://")?;
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (_, path) = rest.split_once('/')?;
    let name = decode(path.rsplit('/').next()?);
    let usable = !name.is_empty() && name != b"." && name != b".." && !name.iter().any(|byte| matches!(byte, 0 | b'/'));
    usable.then(|| OsString::from_vec(name))
}

/// Bytes that a percent-encoded text stands for. What is no valid code stays as it is.
pub fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = if bytes[at] == b'%' { digit(at + 1).zip(digit(at + 2)) } else { None };
        let code = code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        decoded.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    decoded
}

/// An address for messages: without user and password, and without the query, which holds the signature of presigned ones.
pub fn shown(address: &str) -> String {
    let (before, query) = address.split_once('?').map_or((address, ""), |(before, _)| (before, "?…"));
    let Some((scheme, rest)) = before.split_once("://") else { return format!("{before}{query}") };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..host_end].rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}{query}", &rest[host_end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_file_name_is_the_last_part_of_the_path() {
        for (address, expected) in [
            ("https://h/a/b.tar.gz", Some("b.tar.gz")),
            ("https://h/b?x=/y#z/w", Some("b")),
            ("https://h/b#frag?x", Some("b")),
            ("https://h:1/a%20b%2Bc.txt", Some("a b+c.txt")),
            ("https://h/100%", Some("100%")),
            ("https://h/%C3%A4", Some("ä")),
            ("https://h/a/", None),
            ("https://h", None),
            ("https://h?a/b", None),
            ("https://h/a/..", None),
            ("https://h/%2e%2e", None),
            ("https://h/.", None),
            ("https://h/%2Fetc%2Fpasswd", None),
            ("https://h/a%00b", None),
            ("no address", None),
        ] {
            assert_eq!(file_name(address), expected.map(OsString::from), "{address}");
        }
    }

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        for (address, expected) in [
            ("https://u:p@h/a?X-Amz-Signature=s", "https://h/a?…"),
            ("http://h:8080/a@b", "http://h:8080/a@b"),
            ("http://h", "http://h"),
            ("nonsense?x", "nonsense?…"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }

    proptest! {
        #[test]
        fn a_name_never_leaves_its_folder(path in "[a-z./%0-9A-F]{0,20}") {
            if let Some(name) = file_name(&format!("http://h/{path}")) {
                let joined = std::path::Path::new("/x").join(&name);
                prop_assert_eq!(joined.parent(), Some(std::path::Path::new("/x")));
                prop_assert!(name != *"..");
            }
        }
    }
}
