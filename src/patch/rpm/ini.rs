//! Files of sections with keys, as dnf, yum and zypp have them.

/// A section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// Name, without its brackets.
    pub(super) name: &'a str,
    /// Line of its name, from 1.
    pub(super) line: usize,
    /// Keys and values.
    pub(super) entries: Vec<Entry<'a>>,
}

/// A key with its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Key, as it stands there.
    pub(super) key: &'a str,
    /// Value, without the white space around it; the lines of a longer one are separated by ends of lines.
    pub(super) value: String,
    /// Line, from 1.
    pub(super) line: usize,
}

/// A line that has no place in such a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Line, from 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) why: &'static str,
}

impl Section<'_> {
    /// The entry of a key. When it stands there several times the last one counts, as for dnf.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'_>> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The value of a key, unless it is empty.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.entry(key).map(|entry| entry.value.as_str()).filter(|value| !value.is_empty())
    }
}

/// The sections of a text, in order. A line that begins with white space goes on with the value before it; lines that
/// begin with `#` or `;` are comments.
pub(super) fn sections(text: &str) -> Result<Vec<Section<'_>>, Malformed> {
    let mut all: Vec<Section> = vec![];
    for (at, raw) in text.lines().enumerate() {
        let malformed = |why| Malformed { line: at + 1, why };
        let trimmed = raw.trim();
        if trimmed.is_empty() || raw.starts_with(['#', ';']) {
            continue;
        }
        let section = all.last_mut();
        if raw.starts_with([' ', '\t']) {
            let open = section.and_then(|section| section.entries.last_mut());
            let entry = open.ok_or_else(|| malformed("an indented line has no key before it"))?;
            entry.value.push('\n');
            entry.value.push_str(trimmed);
        } else if let Some(name) = trimmed.strip_prefix('[') {
            let name = name.strip_suffix(']').filter(|name| !name.trim().is_empty());
            let name = name.ok_or_else(|| malformed("the name of a section is empty or has no end"))?;
            all.push(Section { name: name.trim(), line: at + 1, entries: vec![] });
        } else {
            let (key, value) =
                trimmed.split_once('=').ok_or_else(|| malformed("it is neither a section nor a key with a value"))?;
            let section = section.ok_or_else(|| malformed("a key stands before the first section"))?;
            section.entries.push(Entry { key: key.trim_end(), value: value.trim_start().to_owned(), line: at + 1 });
        }
    }
    Ok(all)
}

/// The words of a list: separated by white space and commas.
pub(super) fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keys_and_long_values() {
        let text = "# c\n[a]\nx=1\n; c\ny = 2 = 3\n\nz=\n  one\n\ttwo\nx=4\n[ b ]\n";
        let read = sections(text).unwrap();
        assert_eq!(read.len(), 2);
        let a = &read[0];
        assert_eq!(
            (a.name, a.line, a.value("x"), a.value("y"), a.value("w")),
            ("a", 2, Some("4"), Some("2 = 3"), None)
        );
        assert_eq!(a.entry("z").map(|entry| (entry.value.as_str(), entry.line)), Some(("\none\ntwo", 7)));
        assert_eq!((read[1].name, read[1].value("x")), ("b", None));
        assert_eq!(words("\none, two,three").collect::<Vec<_>>(), ["one", "two", "three"]);
    }

    #[test]
    fn other_lines_are_errors() {
        for (text, line) in
            [("x=1\n", 1), ("[a\n", 1), ("[]\n", 1), ("[a]\n\nx\n", 3), (" x=1\n", 1), ("[a]\n x\n", 2), ("<html>", 1)]
        {
            assert_eq!(sections(text).unwrap_err().line, line, "{text}");
        }
    }
}
