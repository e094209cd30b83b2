//! Identifiers of what the local environment makes. The only randomness in the program.

use super::wire::ServiceError;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;

/// `digits` random hexadecimal digits from the system's random source.
///
/// # Errors
/// When the system's random source cannot be read.
pub(crate) fn hex(digits: usize) -> Result<String, ServiceError> {
    let mut bytes = vec![0_u8; digits.div_ceil(2)];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).map_err(|error| {
        ServiceError::new(500, "InternalFailure", format!("no random numbers from /dev/urandom: {error}"))
    })?;
    let mut text = hex_of(&bytes);
    text.truncate(digits);
    Ok(text)
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// An EC2 resource id: `prefix-` and 17 hexadecimal digits.
///
/// # Errors
/// When the system's random source cannot be read.
pub(crate) fn resource_id(prefix: &str) -> Result<String, ServiceError> {
    Ok(format!("{prefix}-{}", hex(17)?))
}

/// An id for one answer, in the form of a UUID. Zeros when there is no randomness: an answer needs no unique id.
pub(crate) fn request_id() -> String {
    let digits = hex(32).unwrap_or_else(|_| "0".repeat(32));
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_services_form_and_differ() {
        let id = resource_id("lt").unwrap();
        assert_eq!(id.len(), 20);
        assert!(id.strip_prefix("lt-").unwrap().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(id, resource_id("lt").unwrap());
        assert_eq!(request_id().len(), 36);
    }
}
