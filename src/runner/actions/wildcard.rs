//! `*` in the last part of a path.

use super::StepError;
use std::path::{Path, PathBuf};

/// Whether a name fits a pattern in which `*` stands for any text, also none.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = &rest[at + middle.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// Whether the last part of a path is a pattern.
pub fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains('*'))
}

/// The paths that a path with a pattern in its last part stands for, sorted. A path without a pattern stands for itself,
/// whether it exists or not.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, StepError> {
    if path.parent().is_some_and(|parent| parent.to_string_lossy().contains('*')) {
        return Err(StepError::Failed(format!("`*` is allowed only in the last part of a path: {}", path.display())));
    }
    let (true, Some(parent), Some(pattern)) = (is_pattern(path), path.parent(), path.file_name()) else {
        return Ok(vec![path.to_owned()]);
    };
    let failed = |error| StepError::io("cannot list", parent, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if fits(&pattern.to_string_lossy(), &entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a", true),
            ("*.log", "a.log", true),
            ("*.log", ".log", true),
            ("*.log", "a.log.1", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "acb", false),
            ("a**b", "ab", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("ab*ba", "aba", false),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_fits_itself_and_any_part_made_a_star(name in "[ab.]{0,8}", start in 0usize..8, length in 0usize..8) {
            let start = start.min(name.len());
            let end = (start + length).min(name.len());
            let pattern = format!("{}*{}", &name[..start], &name[end..]);
            prop_assert!(fits(&name, &name) && fits(&pattern, &name));
        }
    }
}
