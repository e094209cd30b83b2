//! Percent-encoding as URLs and forms use it.

/// `text` with `%XX` decoded; in a form, `+` is a space. `None` when the bytes are not UTF-8.
pub(super) fn decode(text: &str, form: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => match escape(tail) {
                Some(value) => {
                    bytes.push(value);
                    rest = &tail[2..];
                }
                None => bytes.push(b'%'),
            },
            b'+' if form => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn escape(tail: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*tail.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// The pairs of `a=b&c=d`; a name without `=` has the empty value. `None` when one of them is not UTF-8.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(text: &str) -> String {
        text.bytes().flat_map(|byte| format!("%{byte:02X}").chars().collect::<Vec<_>>()).collect()
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in ".{0,40}") {
            prop_assert_eq!(decode(&encode(&text), true), Some(text));
        }
    }

    #[test]
    fn broken_escapes_stand_for_themselves() {
        assert_eq!(decode("a%2", false).unwrap(), "a%2");
        assert_eq!(decode("100%", false).unwrap(), "100%");
        assert_eq!(decode("%zz", false).unwrap(), "%zz");
        assert_eq!(decode("%ff", false), None);
    }

    #[test]
    fn pairs_keep_order_and_empty_values() {
        assert_eq!(
            pairs("a=1&b&c=x+y&&a=%26").unwrap(),
            [
                ("a".into(), "1".into()),
                ("b".into(), String::new()),
                ("c".into(), "x y".into()),
                ("a".into(), "&".into())
            ]
        );
    }
}
