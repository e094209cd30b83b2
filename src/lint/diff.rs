//! The difference of two texts, as `diff -u` writes it and `patch` and `git apply` read it.

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};
use std::fmt::Write as _;

/// How many unchanged lines are shown around a change.
const CONTEXT: usize = 3;

/// A unified diff; empty where nothing differs.
///
/// A line ends with a line feed and with nothing else, as `patch` sees it: the carriage return of a Windows file belongs
/// to its line. The text is not made fit for a terminal, because it must be fit for `patch`; whoever shows it to a person
/// puts [`printable`](crate::diagnostic::render::printable) around it.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let hunks = group_diff_ops(capture_diff_slices(Algorithm::Myers, &old, &new), CONTEXT);
    let mut out = String::new();
    for hunk in hunks.iter().filter(|hunk| hunk.iter().any(|op| op.tag() != DiffTag::Equal)) {
        if out.is_empty() {
            let _ = write!(out, "--- {}\n+++ {}\n", header("a", name), header("b", name));
        }
        write_hunk(hunk, &old, &new, &mut out);
    }
    out
}

/// A name as `git` writes it: in quotes if need be, and with a tab behind it if it has a space, which would end it.
fn header(side: &str, name: &str) -> String {
    let name = name.strip_prefix('/').unwrap_or(name);
    if !name.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        return format!("{side}/{name}{}", if name.contains(' ') { "\t" } else { "" });
    }
    let mut quoted = format!("\"{side}/");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn write_hunk(hunk: &[DiffOp], old: &[&str], new: &[&str], out: &mut String) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let lines = |start: usize, end: usize| match end - start {
        // A place between two lines is named by the line in front of it.
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    };
    let removed = lines(first.old_range().start, last.old_range().end);
    let added = lines(first.new_range().start, last.new_range().end);
    let _ = writeln!(out, "@@ -{removed} +{added} @@");
    for op in hunk {
        if op.tag() == DiffTag::Equal {
            write_lines(' ', &old[op.old_range()], out);
        } else {
            write_lines('-', &old[op.old_range()], out);
            write_lines('+', &new[op.new_range()], out);
        }
    }
}

fn write_lines(sign: char, lines: &[&str], out: &mut String) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_reads_like_diff_u() {
        let before = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9\nj: 10\nk: 11\n";
        let after = before.replace("b: 2", "b: two").replace("k: 11\n", "k: 11\nl: 12\n");
        insta::assert_snapshot!(diff("components/app.yaml", before, &after), @r"
        --- a/components/app.yaml
        +++ b/components/app.yaml
        @@ -1,5 +1,5 @@
         a: 1
        -b: 2
        +b: two
         c: 3
         d: 4
         e: 5
        @@ -9,3 +9,4 @@
         i: 9
         j: 10
         k: 11
        +l: 12
        ");
    }

    #[test]
    fn line_breaks_are_told_apart() {
        let cases = [
            ("a\n", "a\n", ""),
            ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            (
                "a\nb",
                "a\nc",
                "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n",
            ),
            ("a\r\nb\r\n", "a\nb\r\n", "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\r\n"),
            ("a\rb\n", "a\rc\n", "@@ -1 +1 @@\n-a\rb\n+a\rc\n"),
            ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
            ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
        ];
        for (before, after, hunks) in cases {
            let expected = if hunks.is_empty() { String::new() } else { format!("--- a/f\n+++ b/f\n{hunks}") };
            assert_eq!(diff("f", before, after), expected, "{before:?} to {after:?}");
        }
    }

    #[test]
    fn names_that_would_be_misread_are_protected() {
        let cases = [
            ("a b.yaml", "--- a/a b.yaml\t"),
            ("/srv/a.yaml", "--- a/srv/a.yaml"),
            ("x\n+++ y", "--- \"a/x\\012+++ y\""),
            ("a\"\\\u{1b}", "--- \"a/a\\\"\\\\\\033\""),
        ];
        for (name, first) in cases {
            assert_eq!(
                diff(name, "a\n", "b\n").split("\n+++ b").next().unwrap().split("\n+++ \"b").next(),
                Some(first)
            );
        }
    }

    /// Carries out a diff the way `patch` does, believing nothing but its lines.
    fn patch(before: &str, diff: &str) -> String {
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let (mut at, mut out) = (0, String::new());
        let mut lines = diff.split_inclusive('\n').skip(2).peekable();
        while let Some(line) = lines.next() {
            let whole = lines.peek().is_none_or(|next| !next.starts_with('\\'));
            let text = if whole { &line[1..] } else { line[1..].strip_suffix('\n').unwrap() };
            match line.as_bytes()[0] {
                b'@' => {
                    let from = line.split(['-', ',', ' ']).nth(2).unwrap().parse::<usize>().unwrap();
                    let empty = line.split(' ').nth(1).unwrap().ends_with(",0");
                    let until = if empty { from } else { from - 1 };
                    out.extend(old[at..until].iter().copied());
                    at = until;
                }
                b'+' => out.push_str(text),
                sign => {
                    assert_eq!(old[at], text, "{diff}");
                    at += 1;
                    if sign == b' ' {
                        out.push_str(text);
                    }
                }
            }
            if !whole {
                lines.next();
            }
        }
        out.extend(old[at..].iter().copied());
        out
    }

    proptest! {
        #[test]
        fn a_patch_makes_the_one_of_the_other(before in "([ab\r]{0,2}\n){0,12}[ab]?", after in "([ab\r]{0,2}\n){0,12}[ab]?") {
            let diff = diff("f", &before, &after);
            prop_assert_eq!(diff.is_empty(), before == after);
            prop_assert_eq!(patch(&before, &diff), after);
        }
    }
}
