//! Identifiers of what the local environment makes, in the services' own forms.

use super::super::random;
use super::super::wire::ServiceError;

/// `prefix-` and 17 hexadecimal digits: the form of EC2 resource ids.
pub(super) fn resource(prefix: &str) -> Result<String, ServiceError> {
    random::resource_id(prefix)
}

/// A random UUID (version 4).
pub(super) fn uuid() -> Result<String, ServiceError> {
    Ok(uuid_from(&random::hex(32)?))
}

/// Lower-case hexadecimal text of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn uuid_from(hex: &str) -> String {
    let variant = match hex.as_bytes()[16] {
        b'0' | b'4' | b'8' | b'c' => '8',
        b'1' | b'5' | b'9' | b'd' => '9',
        b'2' | b'6' | b'a' | b'e' => 'a',
        _ => 'b',
    };
    format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_services_forms() {
        let id = resource("i").unwrap();
        assert_eq!((id.len(), &id[..2]), (19, "i-"));
        assert_ne!(resource("i").unwrap(), resource("i").unwrap());
        let uuid = uuid().unwrap();
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }

    #[test]
    fn a_uuid_carries_version_and_variant() {
        assert_eq!(uuid_from("ffffffffffffffffffffffffffffffff"), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_from("00000000000000000000000000000000"), "00000000-0000-4000-8000-000000000000");
    }
}
