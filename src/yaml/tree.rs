//! The tree.

use crate::diagnostic::Span;

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands, in bytes. For block scalars the lines of text without the `|`; for block collections from the first
    /// key or dash to the end of the last value.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Its tag without the leading `!`, where tags are read ([`super::Options::foreign`]): `Sub` for `!Sub`.
    pub tag: Option<Box<str>>,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Text, number, boolean or null; which of them is decided by who reads it.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in file order. Keys are scalars and occur once.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// Its text after quotes, escapes and block indentation are taken away. Numbers are not normalised.
    pub text: String,
    /// How it is written.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes, so that it may be a number, a boolean or null.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`: lines are kept.
    Literal,
    /// `>`: lines are joined.
    Folded,
}

impl Style {
    /// Whether it is a `|` or `>` block.
    pub fn is_block(self) -> bool {
        matches!(self, Self::Literal | Self::Folded)
    }
}

impl Node {
    /// A node without a tag.
    pub fn new(span: Span, kind: Kind) -> Self {
        Self { span, kind, tag: None }
    }

    /// How a scalar is written; `None` for lists and mappings.
    pub fn style(&self) -> Option<Style> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar.style),
            _ => None,
        }
    }

    /// The text of a scalar of any kind, as written; `None` for lists and mappings.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text of an unquoted scalar, the only kind that has other readings than text.
    fn plain(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Plain => Some(&scalar.text),
            _ => None,
        }
    }

    /// The boolean it is in YAML 1.2; `yes`, `on` and quoted text are not.
    pub fn as_bool(&self) -> Option<bool> {
        match self.plain()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The integer it is in YAML 1.2: decimal (leading zeros mean nothing), `0o` octal or `0x` hexadecimal.
    pub fn as_int(&self) -> Option<i64> {
        let text = self.plain()?;
        if let Some(digits) = text.strip_prefix("0o") {
            return i64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-']));
        }
        if let Some(digits) = text.strip_prefix("0x") {
            return i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-']));
        }
        text.parse().ok()
    }

    /// The number it is in YAML 1.2, integer or float.
    pub fn as_float(&self) -> Option<f64> {
        if let Some(integer) = self.as_int() {
            #[expect(clippy::cast_precision_loss, reason = "a float reading was asked for")]
            return Some(integer as f64);
        }
        let text = self.plain()?;
        let numeric = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
            && text.bytes().any(|b| b.is_ascii_digit());
        if numeric { text.parse().ok() } else { None }
    }

    /// Whether it is null: nothing at all, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.plain().is_some_and(|text| matches!(text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether it is a scalar that some reader takes for something else than text: number, boolean or null.
    pub fn is_typed(&self) -> bool {
        self.is_null() || self.as_bool().is_some() || self.as_float().is_some()
    }

    /// The value of a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value of a key of a mapping.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.entries()?.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(name, value)| (name, value))
    }

    /// The entries of a mapping, in file order.
    pub fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// What it is, in words for messages: `a mapping`, `a list`, `the number 5`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar(_) if self.is_null() => "nothing".to_owned(),
            Kind::Scalar(scalar) if self.as_bool().is_some() => format!("the boolean {}", scalar.text),
            Kind::Scalar(scalar) if self.as_float().is_some() => format!("the number {}", scalar.text),
            Kind::Scalar(_) => "text".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Node {
        Node::new(Span::default(), Kind::Scalar(Scalar { text: text.into(), style: Style::Plain }))
    }

    #[test]
    fn readings_follow_the_core_schema() {
        for text in ["yes", "on", "y", "No", "truE"] {
            assert_eq!(plain(text).as_bool(), None, "{text}");
        }
        assert_eq!(plain("TRUE").as_bool(), Some(true));
        for (text, value) in [("010", 10), ("-1", -1), ("+7", 7), ("0o17", 15), ("0x1F", 31)] {
            assert_eq!(plain(text).as_int(), Some(value), "{text}");
        }
        for text in ["1_000", "0o8", "0x", "0x-1", "1.0", "", "99999999999999999999", "12:30"] {
            assert_eq!(plain(text).as_int(), None, "{text}");
        }
        assert_eq!(plain("1.10").as_float(), Some(1.1));
        assert_eq!(plain("nan").as_float(), None);
        assert_eq!(plain("e").as_float(), None);
        assert!(plain("~").is_null() && plain("").is_null() && !plain("none").is_null());
    }

    #[test]
    fn quotes_make_text_of_everything() {
        let quoted =
            |text: &str| Node::new(Span::default(), Kind::Scalar(Scalar { text: text.into(), style: Style::Single }));
        assert!(!quoted("true").is_typed() && !quoted("1").is_typed() && !quoted("").is_typed());
        assert_eq!(quoted("true").as_bool(), None);
        assert_eq!(quoted("1").as_int(), None);
        assert_eq!(quoted("1").as_str(), Some("1"));
    }
}
