//! Text encodings of files.

/// An encoding. UTF-16 and UTF-32 without a suffix are little endian; no byte order mark is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, big endian or not.
    Utf16 {
        /// Big endian.
        big: bool,
    },
    /// UTF-32, big endian or not.
    Utf32 {
        /// Big endian.
        big: bool,
    },
}

impl Encoding {
    /// The encoding of a name, in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replacen("utf-", "utf", 1);
        Some(match name.as_str() {
            "utf8" => Self::Utf8,
            "utf16" | "utf16-le" => Self::Utf16 { big: false },
            "utf16-be" => Self::Utf16 { big: true },
            "utf32" | "utf32-le" => Self::Utf32 { big: false },
            "utf32-be" => Self::Utf32 { big: true },
            _ => return None,
        })
    }

    /// Text as bytes.
    pub fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16 { big: true } => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16 { big: false } => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf32 { big: true } => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
            Self::Utf32 { big: false } => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        }
    }

    /// Bytes as text without a byte order mark; `None` if they are not of this encoding.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok()?,
            Self::Utf16 { big } => {
                let (units, rest) = bytes.as_chunks::<2>();
                let read = |unit: &[u8; 2]| if big { u16::from_be_bytes(*unit) } else { u16::from_le_bytes(*unit) };
                let units: Vec<u16> = units.iter().map(read).collect();
                String::from_utf16(&units).ok().filter(|_| rest.is_empty())?
            }
            Self::Utf32 { big } => {
                let (units, rest) = bytes.as_chunks::<4>();
                let read = |unit: &[u8; 4]| if big { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) };
                let text: Option<String> = units.iter().map(|unit| char::from_u32(read(unit))).collect();
                text.filter(|_| rest.is_empty())?
            }
        };
        Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::modules::ENCODINGS;
    use proptest::prelude::*;

    #[test]
    fn all_names_of_the_language_are_known() {
        for name in ENCODINGS {
            assert!(Encoding::parse(name).is_some() && Encoding::parse(&name.to_uppercase()).is_some(), "{name}");
        }
        assert_eq!(Encoding::parse("latin1"), None);
        assert_eq!(Encoding::parse("utf16"), Some(Encoding::Utf16 { big: false }));
        assert_eq!(Encoding::Utf16 { big: false }.encode("é"), [0xe9, 0]);
        assert_eq!(Encoding::Utf32 { big: true }.encode("é"), [0, 0, 0, 0xe9]);
    }

    #[test]
    fn broken_bytes_are_not_text() {
        assert_eq!(Encoding::Utf8.decode(b"\xff"), None);
        assert_eq!(Encoding::Utf16 { big: true }.decode(b"\x00"), None);
        assert_eq!(Encoding::Utf32 { big: true }.decode(b"\xff\xff\xff\xff"), None);
    }

    proptest! {
        #[test]
        fn encoding_and_back_is_the_same(text in "[^\u{feff}]{0,20}", number in 0..ENCODINGS.len()) {
            let encoding = Encoding::parse(ENCODINGS[number]).unwrap();
            prop_assert_eq!(encoding.decode(&encoding.encode(&text)), Some(text));
        }
    }
}
