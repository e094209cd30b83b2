//! Checksums that come with objects: whether they are those of the bytes.

use super::super::wire::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// Prefix of the headers that carry checksums.
pub(super) const PREFIX: &str = "x-amz-checksum-";

/// The checksum of bytes in base64; nothing for an algorithm that there is none of.
fn of(algorithm: &str, bytes: &[u8]) -> Option<String> {
    Some(match algorithm {
        "crc32" => STANDARD.encode(crc32(0xEDB8_8320, bytes).to_be_bytes()),
        "crc32c" => STANDARD.encode(crc32(0x82F6_3B78, bytes).to_be_bytes()),
        "crc64nvme" => STANDARD.encode(crc64(0x9A6C_9329_AC4B_C9B5, bytes).to_be_bytes()),
        "sha1" => STANDARD.encode(Sha1::digest(bytes)),
        "sha256" => STANDARD.encode(Sha256::digest(bytes)),
        _ => return None,
    })
}

/// Refuses a checksum that is not that of the bytes. `name` is the header's.
pub(super) fn check(name: &str, given: &str, bytes: &[u8]) -> Result<(), ServiceError> {
    let algorithm = name.trim_start_matches(PREFIX);
    // Words about checksums, which are none.
    if matches!(algorithm, "mode" | "type" | "algorithm") {
        return Ok(());
    }
    let Some(wanted) = of(algorithm, bytes) else {
        let text = format!("The algorithm of the header {name} is not one of the service.");
        return Err(ServiceError::new(400, "InvalidRequest", text));
    };
    if wanted == given {
        return Ok(());
    }
    let text = format!("The {} you specified did not match the calculated checksum.", algorithm.to_ascii_uppercase());
    Err(ServiceError::new(400, "BadDigest", text))
}

/// Refuses an MD5 that is not that of the bytes.
pub(super) fn check_md5(given: &str, bytes: &[u8]) -> Result<(), ServiceError> {
    if STANDARD.encode(Md5::digest(bytes)) == given {
        return Ok(());
    }
    Err(ServiceError::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
}

/// The tag of an object that came in one piece, with its quotes.
pub(super) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", super::super::random::hex_of(&Md5::digest(bytes)))
}

/// A cyclic redundancy check whose polynomial is given with its bits reflected; bit by bit, because objects are small here.
fn crc32(polynomial: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn crc64(polynomial: u64, bytes: &[u8]) -> u64 {
    let step = |crc: u64, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 };
    !bytes.iter().fold(u64::MAX, |crc, byte| (0..8).fold(crc ^ u64::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_catalogues_come_out() {
        let bytes = b"123456789";
        assert_eq!(crc32(0xEDB8_8320, bytes), 0xCBF4_3926);
        assert_eq!(crc32(0x82F6_3B78, bytes), 0xE306_9283);
        assert_eq!(crc64(0x9A6C_9329_AC4B_C9B5, bytes), 0xAE8B_1486_0A79_9888);
        assert_eq!(etag(b""), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    }

    #[test]
    fn another_checksum_is_refused() {
        check("x-amz-checksum-crc32", "y/Q5Jg==", b"123456789").unwrap();
        assert_eq!(check("x-amz-checksum-crc32", "y/Q5Jg==", b"123456780").unwrap_err().code, "BadDigest");
        assert_eq!(check("x-amz-checksum-crc16", "y/Q5Jg==", b"").unwrap_err().code, "InvalidRequest");
        assert_eq!(check_md5("x", b"").unwrap_err().code, "BadDigest");
        check_md5("1B2M2Y8AsgTpgAmY7PhCfg==", b"").unwrap();
    }
}
