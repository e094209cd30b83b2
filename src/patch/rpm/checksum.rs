//! Whether bytes are those that repomd.xml tells of.

use super::error::{MetadataError, Problem};
use sha2::Digest;
use std::fmt::Write as _;
use std::io::{self, Read};

/// A checksum with its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
    pub kind: String,
    /// Hexadecimal, lower case.
    pub value: String,
}

/// Digits of the kinds that are understood. MD5 is not: whoever can change a file can keep its MD5.
const KINDS: [(&str, usize); 5] = [("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)];

impl Checksum {
    /// Reads kind and value; `sha` is what old repositories call SHA-1. The error says what is wrong.
    pub(super) fn read(kind: &str, value: &str) -> Result<Self, &'static str> {
        let kind = kind.to_ascii_lowercase();
        let kind = if kind == "sha" { "sha1" } else { &kind };
        let digits = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, digits)| *digits);
        let digits = digits.ok_or("it is no kind of checksum that can be checked here")?;
        if value.len() != digits || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("it is no hexadecimal number of the right length");
        }
        Ok(Self { kind: kind.to_owned(), value: value.to_ascii_lowercase() })
    }
}

/// The kinds of sums while they are being made.
#[derive(Clone)]
enum Sum {
    Sha1(sha1::Sha1),
    Sha224(sha2::Sha224),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Sum {
    fn new(kind: &str) -> Self {
        match kind {
            "sha1" => Self::Sha1(sha1::Sha1::new()),
            "sha224" => Self::Sha224(sha2::Sha224::new()),
            "sha384" => Self::Sha384(sha2::Sha384::new()),
            "sha512" => Self::Sha512(sha2::Sha512::new()),
            _ => Self::Sha256(sha2::Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(sum) => sum.update(bytes),
            Self::Sha224(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
            Self::Sha384(sum) => sum.update(bytes),
            Self::Sha512(sum) => sum.update(bytes),
        }
    }

    fn hex(self) -> String {
        match self {
            Self::Sha1(sum) => hex(&sum.finalize()),
            Self::Sha224(sum) => hex(&sum.finalize()),
            Self::Sha256(sum) => hex(&sum.finalize()),
            Self::Sha384(sum) => hex(&sum.finalize()),
            Self::Sha512(sum) => hex(&sum.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A reader whose end is an error unless the bytes until there are those that were expected. The readers of this module
/// report that error as what it is, a [`Problem::Differs`].
pub struct Checked<R> {
    reader: R,
    sum: Sum,
    expected: Checksum,
    size: Option<u64>,
    count: u64,
    done: bool,
}

impl<R> Checked<R> {
    /// Expects such a checksum and, where it is known, a size in bytes.
    pub fn new(reader: R, expected: Checksum, size: Option<u64>) -> Self {
        Self { reader, sum: Sum::new(&expected.kind), expected, size, count: 0, done: false }
    }

    fn verdict(&mut self) -> Result<(), Problem> {
        let differs =
            |what: &str, found: String, expected: String| Problem::Differs { what: what.to_owned(), found, expected };
        if let Some(size) = self.size.filter(|size| *size != self.count) {
            // A shorter file is a transfer that was cut off, far more often than anything else; the size tells it.
            return Err(differs("size", format!("{} bytes", self.count), size.to_string()));
        }
        let found = self.sum.clone().hex();
        if found == self.expected.value {
            Ok(())
        } else {
            Err(differs(&self.expected.kind, found, self.expected.value.clone()))
        }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count += count as u64;
        self.sum.update(buffer.get(..count).unwrap_or_default());
        // More than there should be need not be read to its end, which may never come.
        let too_many = self.size.is_some_and(|size| self.count > size);
        if too_many || (count == 0 && !buffer.is_empty() && !self.done) {
            self.verdict().map_err(io::Error::other)?;
            self.done = true;
        }
        Ok(count)
    }
}

/// Checks bytes that are all there.
pub(super) fn check(file: &str, bytes: &[u8], expected: &Checksum, size: Option<u64>) -> Result<(), MetadataError> {
    let mut checked = Checked::new(bytes, expected.clone(), size);
    checked.sum.update(bytes);
    checked.count = bytes.len() as u64;
    let failed =
        |problem| MetadataError { file: file.to_owned(), at: bytes.len() as u64, element: String::new(), problem };
    checked.verdict().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `abc`, from FIPS 180-4's examples.
    const ABC: [(&str, &str); 3] = [
        ("sha", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("SHA256", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
        ("sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
    ];

    fn read(reader: &mut impl Read) -> Result<Vec<u8>, String> {
        let mut bytes = vec![];
        reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    #[test]
    fn the_right_bytes_pass_and_others_do_not() {
        for (kind, value) in ABC {
            let sum = Checksum::read(kind, value).unwrap();
            assert_eq!(read(&mut Checked::new(&b"abc"[..], sum.clone(), Some(3))).unwrap(), b"abc");
            assert_eq!(check("f", b"abc", &sum, Some(3)), Ok(()));
            let error = check("f", b"abd", &sum, None).unwrap_err();
            assert!(matches!(&error.problem, Problem::Differs { what, .. } if *what == sum.kind), "{error}");
            assert!(read(&mut Checked::new(&b"abd"[..], sum.clone(), Some(3))).unwrap_err().contains(&sum.value));
            let error = read(&mut Checked::new(&b"ab"[..], sum.clone(), Some(3))).unwrap_err();
            assert_eq!(error, "its size is 2 bytes and not 3 as repomd.xml says");
            assert!(read(&mut Checked::new(io::repeat(0), sum, Some(3))).unwrap_err().contains("size"));
        }
        for kind in ["sha384", "sha512"] {
            let digits = KINDS.iter().find(|(known, _)| *known == kind).unwrap().1;
            let sum = Checksum::read(kind, &"0".repeat(digits)).unwrap();
            assert!(check("f", b"abc", &sum, None).unwrap_err().to_string().contains(kind));
        }
    }

    #[test]
    fn what_is_no_checksum_is_an_error() {
        for (kind, value) in
            [("md5", &ABC[0].1[..32]), ("sha256", ""), ("sha256", ABC[0].1), ("sha", &"x".repeat(40)), ("", "")]
        {
            assert!(Checksum::read(kind, value).is_err(), "{kind} {value}");
        }
    }
}
