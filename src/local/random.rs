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
    #[cfg(test)]
    if let Some(text) = foretold::hex(digits) {
        return Ok(text);
    }
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

/// A random UUID (version 4).
///
/// # Errors
/// When the system's random source cannot be read.
pub(crate) fn uuid() -> Result<String, ServiceError> {
    Ok(uuid_of(&hex(32)?))
}

/// An id for one answer. Without digits of its own when there is no randomness: an answer needs no unique id.
pub(crate) fn request_id() -> String {
    uuid_of(&hex(32).unwrap_or_else(|_| "0".repeat(32)))
}

/// The UUID of 32 hexadecimal digits; version and variant take the place of some of them.
pub(crate) fn uuid_of(digits: &str) -> String {
    let variant = match digits.as_bytes()[16] {
        b'0' | b'4' | b'8' | b'c' => '8',
        b'1' | b'5' | b'9' | b'd' => '9',
        b'2' | b'6' | b'a' | b'e' => 'a',
        _ => 'b',
    };
    let [first, second, third, fourth, last] =
        [&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..]];
    format!("{first}-{second}-4{third}-{variant}{fourth}-{last}")
}

/// Identifiers that follow from what is asked for, for tests that compare worlds made in different ways.
#[cfg(test)]
pub(crate) mod foretold {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Does `work`; what it draws on this thread follows from `seed`.
    pub(crate) fn by<T>(seed: u64, work: impl FnOnce() -> T) -> T {
        struct Back(Option<u64>);
        impl Drop for Back {
            fn drop(&mut self) {
                STATE.set(self.0);
            }
        }
        let _back = Back(STATE.replace(Some(seed)));
        work()
    }

    pub(super) fn hex(digits: usize) -> Option<String> {
        use std::fmt::Write as _;
        let mut state = STATE.get()?;
        let mut text = String::new();
        while text.len() < digits {
            let _ = write!(text, "{:016x}", splitmix(&mut state));
        }
        STATE.set(Some(state));
        text.truncate(digits);
        Some(text)
    }

    /// Numbers that look like chance and are the same for the same seed (splitmix64).
    pub(crate) fn splitmix(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foretold_is_the_same_again_and_ends_with_the_work() {
        let draw = |seed| foretold::by(seed, || (hex(17).unwrap(), uuid().unwrap()));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(hex(17).unwrap(), hex(17).unwrap());
    }

    #[test]
    fn ids_have_the_services_form_and_differ() {
        let id = resource_id("lt").unwrap();
        assert_eq!(id.len(), 20);
        assert!(id.strip_prefix("lt-").unwrap().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(id, resource_id("lt").unwrap());
        for uuid in [uuid().unwrap(), request_id()] {
            assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
    }

    #[test]
    fn a_uuid_carries_version_and_variant() {
        assert_eq!(uuid_of("ffffffffffffffffffffffffffffffff"), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_of("00000000000000000000000000000000"), "00000000-0000-4000-8000-000000000000");
    }
}
