//! What a group tracked, as a tag on the group: written before it is pinned, removed when it tracks that again.

use std::collections::BTreeMap;
use std::fmt;

/// The tag's key.
pub(super) const KEY: &str = "amiforge:refresh";

/// Versions by place: 0 is the main launch template, 1 and up are overrides.
pub(super) type Tracks = BTreeMap<usize, String>;

/// The tag's value: `3 from 2, tracks 0=D 2=L`, with `D` for `$Default` and `L` for `$Latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// The version that it is brought to.
    pub(super) to: i64,
    /// The version that it is pinned to.
    pub(super) from: Option<i64>,
    /// What it tracked.
    pub(super) tracks: Tracks,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to)?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        f.write_str(", tracks")?;
        // With single letters all that a policy may have fits the 256 characters of a tag's value.
        self.tracks.iter().try_for_each(|(at, version)| write!(f, " {at}={}", short(version)))
    }
}

/// `$Default` and `$Latest` are the only words there are.
fn short(version: &str) -> &str {
    match version {
        "$Latest" => "L",
        _ => "D",
    }
}

impl Note {
    /// Reads a tag's value; nothing when it is not one of ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (versions, tracks) = text.split_once(", tracks")?;
        let (to, from) = match versions.split_once(" from ") {
            Some((to, from)) => (to, Some(from.parse().ok()?)),
            None => (versions, None),
        };
        let mut read = Tracks::new();
        for word in tracks.split_whitespace() {
            let (at, version) = word.split_once('=')?;
            let version = match version {
                "D" => "$Default",
                "L" => "$Latest",
                _ => return None,
            };
            read.insert(at.parse().ok()?, version.to_owned());
        }
        Some(Self { to: to.parse().ok()?, from, tracks: read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_a_note_is_none() {
        for text in ["", "3", "x from 2, tracks 0=D", "3 from 2, tracks 0=$Default", "3, tracks a=D", "3, tracks 0"] {
            assert_eq!(Note::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn notes_are_read_as_they_were_written(
            to in 1_i64..10_000, from in proptest::option::of(1_i64..10_000),
            tracks in proptest::collection::btree_map(0_usize..41, prop_oneof!["\\$Default", "\\$Latest"], 0..41),
        ) {
            let note = Note { to, from, tracks };
            let text = note.to_string();
            prop_assert!(text.len() <= 256, "{}", text);
            prop_assert_eq!(Note::parse(&text), Some(note));
        }
    }
}
