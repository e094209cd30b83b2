//! File names as URI references.

use std::fmt::Write as _;

/// The name of a file as a URI reference (RFC 3986): relative with `/` between its parts, `file:///` in front of an
/// absolute one, everything that could mean something else percent-encoded.
pub(super) fn from_name(name: &str) -> String {
    let name = if std::path::MAIN_SEPARATOR == '\\' { name.replace('\\', "/") } else { name.to_owned() };
    let name = name.strip_prefix("./").unwrap_or(&name);
    let mut uri = String::from(if name.starts_with('/') { "file://" } else { "" });
    for byte in name.bytes() {
        match byte {
            // A colon in the first part would make it a scheme, so it is always encoded.
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_references() {
        let cases = [
            ("components/app.yaml", "components/app.yaml"),
            ("./a b.yaml", "a%20b.yaml"),
            ("c:d/größe#1?.yaml", "c%3Ad/gr%C3%B6%C3%9Fe%231%3F.yaml"),
            ("/srv/100%.yaml", "file:///srv/100%25.yaml"),
        ];
        for (name, uri) in cases {
            assert_eq!(from_name(name), uri);
        }
    }
}
