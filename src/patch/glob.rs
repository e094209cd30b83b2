//! Names with wildcards, as Patch Manager's payload matches them: `fnmatch`, case-insensitive, the whole text.

/// Whether `pattern` matches all of `text`, ignoring case. `*`, `?` and bracket classes (`[a-z]`, `[!0-9]`) are
/// wildcards; a bracket that is never closed stands for itself, as in Python's `fnmatch`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern).matches(text)
}

/// A pattern that is matched many times.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Vec<char>);

impl Pattern {
    /// Reads a pattern; every text is one.
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.chars().flat_map(char::to_lowercase).collect())
    }

    /// See [`matches`].
    pub(crate) fn matches(&self, text: &str) -> bool {
        // Most texts differ from most patterns in the first letter: those need not be taken apart.
        if let (Some(&first), Some(letter)) = (self.0.first(), text.chars().next())
            && !matches!(first, '*' | '?' | '[')
            && letter.to_lowercase().next() != Some(first)
        {
            return false;
        }
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        run(&self.0, &text)
    }
}

/// Whether a text has a wildcard.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn run(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the last `*` has to take one more character.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, t));
            p += 1;
        } else if let (Some(&c), true) = (text.get(t), p < pattern.len())
            && let Some(next) = one(pattern, p, c)
        {
            (p, t) = (next, t + 1);
        } else if t == text.len() && p == pattern.len() {
            return true;
        } else if let Some((star, from)) = retry.filter(|&(_, from)| from < text.len()) {
            retry = Some((star, from + 1));
            (p, t) = (star, from + 1);
        } else {
            return false;
        }
    }
}

/// Whether the element at `p` (not a `*`) takes `c`; the answer is where the next element begins.
fn one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern[p] {
        '?' => Some(p + 1),
        '[' => match class(pattern, p) {
            Some((items, negated, next)) => (contains(items, c) != negated).then_some(next),
            None => (c == '[').then_some(p + 1),
        },
        literal => (literal == c).then_some(p + 1),
    }
}

/// The bracket class that begins at `p`: its items, whether it is negated, and where it ends.
fn class(pattern: &[char], p: usize) -> Option<(&[char], bool, usize)> {
    let negated = pattern.get(p + 1) == Some(&'!');
    let start = p + 1 + usize::from(negated);
    // A `]` right at the beginning is an item of the class.
    let length = pattern.get(start + 1..)?.iter().position(|&c| c == ']')? + 1;
    Some((&pattern[start..start + length], negated, start + length + 1))
}

fn contains(items: &[char], c: char) -> bool {
    let mut rest = items;
    loop {
        match rest {
            [low, '-', high, tail @ ..] => {
                if (*low..=*high).contains(&c) {
                    return true;
                }
                rest = tail;
            }
            [item, tail @ ..] => {
                if *item == c {
                    return true;
                }
                rest = tail;
            }
            [] => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_match_the_whole_text_and_ignore_case() {
        for (pattern, text) in [
            ("curl", "CURL"),
            ("lib*", "libc6"),
            ("lib*6", "libc6"),
            ("*", ""),
            ("*.*:1.*", "dbus.amd64:1.2"),
            ("linux-image-?.*", "linux-image-6.1.0"),
            ("py[0-9]*", "py3"),
            ("py[!a-z]", "py3"),
            ("a[]]b", "a]b"),
            ("a[b", "a[b"),
            ("**a", "aba"),
            ("a*b*c", "axbxbxc"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("curl", "curls"),
            ("curl", "libcurl"),
            ("", "a"),
            ("a?", "a"),
            ("py[0-9]", "pya"),
            ("a*b", "abc"),
            ("?", ""),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_text_without_wildcards_matches_itself_only(a in "[a-z0-9.+-]{0,8}", b in "[a-z0-9.+-]{0,8}") {
            proptest::prop_assert!(matches(&a, &a));
            proptest::prop_assert_eq!(matches(&a, &b), a == b);
            let around = format!("*{a}*");
            proptest::prop_assert_eq!(matches(&around, &b), b.contains(&a));
        }
    }
}
