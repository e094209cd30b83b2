//! The stanza format of dpkg and apt: `Field: value` lines, continuation lines that begin with a space, a blank line
//! between stanzas.
//!
//! Own code instead of a parser crate, because one use is a 50 MB text of 60,000 stanzas of which a handful of
//! fields per stanza matter: nothing is allocated for the rest.

/// Calls `each` with the values of the `N` fields named `wanted` (first line only; `None` when absent) of every
/// stanza. Field names match without regard to case, as dpkg reads them; when a field stands twice, the first counts.
pub(super) fn each_stanza<'a, const N: usize, E>(
    text: &'a str,
    wanted: [&str; N],
    mut each: impl FnMut([Option<&'a str>; N]) -> Result<(), E>,
) -> Result<(), E> {
    let mut values = [None; N];
    let mut content = false;
    for line in text.lines() {
        if line.trim_ascii_end().is_empty() {
            if content {
                each(std::mem::replace(&mut values, [None; N]))?;
            }
            content = false;
        } else if !line.starts_with([' ', '\t', '#']) {
            content = true;
            take(line, &wanted, &mut values);
        }
    }
    if content { each(values) } else { Ok(()) }
}

/// Remembers the value when `line` is one of the `wanted` fields.
fn take<'a, const N: usize>(line: &'a str, wanted: &[&str; N], values: &mut [Option<&'a str>; N]) {
    for (name, value) in wanted.iter().zip(values) {
        // `get` and the colon first: most lines are decided by one comparison.
        if line.as_bytes().get(name.len()) == Some(&b':')
            && line.as_bytes()[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        {
            value.get_or_insert(line[name.len() + 1..].trim_ascii());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<[Option<&str>; 2]> {
        let mut all = vec![];
        each_stanza(text, ["Package", "Version"], |fields| {
            all.push(fields);
            Ok::<(), ()>(())
        })
        .unwrap();
        all
    }

    #[test]
    fn stanzas_end_at_blank_lines_and_at_the_end_of_the_text() {
        let text = "\n\nPackage: a\nVersion: 1\n\n \nPackage: b\r\nVersion:2\r\n\r\nPackage: c";
        assert_eq!(read(text), [[Some("a"), Some("1")], [Some("b"), Some("2")], [Some("c"), None]]);
        assert!(read("").is_empty());
    }

    #[test]
    fn continuation_lines_comments_and_similar_names_are_not_fields() {
        let text = "Package: a\nDescription: x\n Version: 9\n\tVersion: 8\n#Version: 7\nVersion-Of: 6\nversion: 1\nVersion: 2\n";
        assert_eq!(read(text), [[Some("a"), Some("1")]]);
    }

    #[test]
    fn an_error_ends_the_reading() {
        let mut seen = 0;
        let result = each_stanza("Package: a\n\nPackage: b\n", ["Package"], |_| {
            seen += 1;
            Err("no")
        });
        assert_eq!((result, seen), (Err("no"), 1));
    }
}
