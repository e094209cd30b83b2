//! The cache of roots, as text and JSON.

use crate::clock::rfc3339;
use crate::sandbox::root::{Decision, Entry, State};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The JSON of `amiforge cache list`.
#[derive(Debug, Serialize)]
pub struct Listed {
    schema: &'static str,
    folder: PathBuf,
    size: u64,
    entries: Vec<Item>,
}

/// The JSON of `amiforge cache prune`.
#[derive(Debug, Serialize)]
pub struct Pruned {
    schema: &'static str,
    folder: PathBuf,
    dry_run: bool,
    removed_size: u64,
    entries: Vec<Decided>,
}

#[derive(Debug, Serialize)]
struct Item {
    key: String,
    source: Option<String>,
    /// Bytes.
    size: Option<u64>,
    made: String,
    used: String,
    state: &'static str,
    /// Why it is damaged, or who has images that stand on it.
    detail: Option<String>,
}

#[derive(Debug, Serialize)]
struct Decided {
    #[serde(flatten)]
    item: Item,
    removed: bool,
    why: String,
}

impl Listed {
    /// Of what is in a cache.
    #[must_use]
    pub fn new(folder: &Path, entries: &[Entry]) -> Self {
        let size = entries.iter().filter_map(|entry| entry.size).sum();
        Self {
            schema: "amiforge.cache/1",
            folder: folder.to_owned(),
            size,
            entries: entries.iter().map(item).collect(),
        }
    }
}

impl Pruned {
    /// Of what was decided.
    #[must_use]
    pub fn new(folder: &Path, decisions: &[Decision], dry_run: bool) -> Self {
        let entries = decisions.iter().map(|decision| Decided {
            item: item(&decision.entry),
            removed: decision.remove && !dry_run,
            why: decision.why.clone(),
        });
        Self {
            schema: "amiforge.cache-pruned/1",
            folder: folder.to_owned(),
            dry_run,
            removed_size: removed(decisions).1,
            entries: entries.collect(),
        }
    }
}

fn item(entry: &Entry) -> Item {
    let (state, detail) = words(&entry.state);
    Item {
        key: entry.key.clone(),
        source: entry.source.clone(),
        size: entry.size,
        made: rfc3339(entry.made.into()),
        used: rfc3339(entry.used.into()),
        state,
        detail,
    }
}

fn words(state: &State) -> (&'static str, Option<String>) {
    match state {
        State::Idle => ("idle", None),
        State::InUse => ("in use", None),
        State::StoodOn(users) => {
            let users: Vec<String> = users.iter().map(|user| user.display().to_string()).collect();
            ("stood on", Some(users.join(", ")))
        }
        State::Making => ("being made", None),
        State::Damaged(why) => ("damaged", Some(why.clone())),
        State::Leftover => ("left over", None),
        State::Old => ("of an earlier amiforge", None),
    }
}

/// The text of `amiforge cache list`.
#[must_use]
pub fn cache_list(folder: &Path, entries: &[Entry], now: SystemTime) -> String {
    if entries.is_empty() {
        return format!("the cache is empty ({})\n", folder.display());
    }
    let rows: Vec<[String; 5]> = entries.iter().map(|entry| row(entry, now)).collect();
    let mut text = table(["ROOT", "SIZE", "USED", "STATE", "SOURCE"], &rows);
    let total = entries.iter().filter_map(|entry| entry.size).sum();
    let _ = writeln!(text, "\n{} in {}", count(entries.len(), total), folder.display());
    text
}

fn row(entry: &Entry, now: SystemTime) -> [String; 5] {
    let (state, detail) = words(&entry.state);
    let state = detail.map_or_else(|| state.to_owned(), |detail| format!("{state} ({detail})"));
    [
        short(&entry.key),
        entry.size.map_or_else(|| "-".to_owned(), size),
        ago(now, entry.used),
        state,
        entry.source.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

/// The text of `amiforge cache prune`.
#[must_use]
pub fn cache_prune(folder: &Path, decisions: &[Decision], dry_run: bool) -> String {
    let word = |decision: &Decision| match (decision.remove, dry_run) {
        (true, false) => "removed",
        (true, true) => "would be removed",
        (false, _) => "kept",
    };
    let mut text = String::new();
    for decision in decisions {
        let entry = &decision.entry;
        let source = entry.source.as_deref().map(|source| format!(" ({source})")).unwrap_or_default();
        let bytes = entry.size.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
        let _ = writeln!(text, "{} {}{source}{bytes}: {}", word(decision), short(&entry.key), decision.why);
    }
    let (number, bytes) = removed(decisions);
    let verb = if dry_run { "would be removed from" } else { "removed from" };
    let _ = writeln!(text, "{} {verb} {}", count(number, bytes), folder.display());
    text
}

fn removed(decisions: &[Decision]) -> (usize, u64) {
    let gone = decisions.iter().filter(|decision| decision.remove);
    (gone.clone().count(), gone.filter_map(|decision| decision.entry.size).sum())
}

fn count(number: usize, bytes: u64) -> String {
    let noun = if number == 1 { "entry" } else { "entries" };
    format!("{number} {noun}, {}", size(bytes))
}

fn short(key: &str) -> String {
    // Enough to tell roots apart; names of half-made ones are longer and rare.
    if key.starts_with('.') { key.chars().take(13).collect() } else { key.chars().take(12).collect() }
}

/// Columns as wide as their widest cell; numbers to the right.
fn table(head: [&str; 5], rows: &[[String; 5]]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([head[at].len()]).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    let mut line = |cells: [&str; 5]| {
        let _ = writeln!(
            text,
            "{:w0$}  {:>w1$}  {:w2$}  {:w3$}  {}",
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            cells[4],
            w0 = widths[0],
            w1 = widths[1],
            w2 = widths[2],
            w3 = widths[3]
        );
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    text
}

fn ago(now: SystemTime, then: SystemTime) -> String {
    let seconds = now.duration_since(then).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// Units of sizes: what they are called and how many bytes they have.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

/// A size for people, in units of a thousand, as disks are sold and `df -H` counts.
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut unit = UNITS[0];
    for other in UNITS.iter().take(5) {
        if bytes >= other.1 {
            unit = *other;
        }
    }
    if unit.1 == 1 {
        return format!("{bytes} B");
    }
    let tenths = bytes / (unit.1 / 10);
    format!("{}.{} {}", tenths / 10, tenths % 10, unit.0)
}

/// Bytes of a size as people write it: `10GB`, `1.5 GiB`, `800000`.
///
/// # Errors
/// A sentence, when it is no size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB");
    let compact = text.trim();
    let end = compact.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(compact.len());
    let (number, unit) = compact.split_at(end);
    let unit = unit.trim().to_ascii_uppercase();
    let unit = if unit.is_empty() { "B" } else { &unit };
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = fraction.parse().map_err(|_| wrong())?;
    let scale = 10_u64.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let part = u128::from(part) * u128::from(*factor) / u128::from(scale);
    let bytes = u128::from(whole) * u128::from(*factor) + part;
    u64::try_from(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Duration = Duration::from_hours(500_000);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    fn entry(key: &str, source: Option<&str>, size: Option<u64>, hours: u64, state: State) -> Entry {
        let used = now() - Duration::from_secs(hours * 3600);
        Entry { key: key.repeat(64 / key.len()), source: source.map(str::to_owned), size, made: used, used, state }
    }

    fn entries() -> Vec<Entry> {
        vec![
            entry("1a", Some("debian-12:curl"), Some(161_234_567), 0, State::InUse),
            entry("2b", Some("oci:amazonlinux:2023"), Some(1_400_000_000), 5, State::Idle),
            entry("3c", None, None, 700, State::Damaged("entry.json: cut".into())),
        ]
    }

    #[test]
    fn the_list_is_a_table() {
        insta::assert_snapshot!(cache_list(Path::new("/c"), &entries(), now()), @r"
        ROOT              SIZE  USED      STATE                      SOURCE
        1a1a1a1a1a1a  161.2 MB  now       in use                     debian-12:curl
        2b2b2b2b2b2b    1.4 GB  5 h ago   idle                       oci:amazonlinux:2023
        3c3c3c3c3c3c         -  29 d ago  damaged (entry.json: cut)  -

        3 entries, 1.5 GB in /c
        ");
        assert_eq!(cache_list(Path::new("/c"), &[], now()), "the cache is empty (/c)\n");
    }

    #[test]
    fn what_is_pruned_is_told_one_by_one() {
        let whys = ["a process uses it", "it was not used for 5h", "it is damaged: entry.json: cut"];
        let decisions: Vec<Decision> = entries()
            .into_iter()
            .zip(whys)
            .map(|(entry, why)| Decision { remove: entry.state != State::InUse, entry, why: why.into() })
            .collect();
        insta::assert_snapshot!(cache_prune(Path::new("/c"), &decisions, false), @r"
        kept 1a1a1a1a1a1a (debian-12:curl), 161.2 MB: a process uses it
        removed 2b2b2b2b2b2b (oci:amazonlinux:2023), 1.4 GB: it was not used for 5h
        removed 3c3c3c3c3c3c: it is damaged: entry.json: cut
        2 entries, 1.4 GB removed from /c
        ");
        let json = serde_json::to_value(Pruned::new(Path::new("/c"), &decisions, true)).unwrap();
        assert_eq!(json["schema"], "amiforge.cache-pruned/1");
        assert_eq!(
            (json["removed_size"].as_u64(), &json["entries"][1]["removed"]),
            (Some(1_400_000_000), &false.into())
        );
        assert_eq!(json["entries"][1]["used"], "2027-01-15T03:00:00Z");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("0", 0), ("800000", 800_000), ("10GB", 10_000_000_000), ("1.5 GiB", 1_610_612_736), ("3mb", 3_000_000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "1.GB", ".5GB", "-1", "10XB", "1e9", "99999999999TB", "1.2.3"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back_to_within_its_last_digit(bytes in any::<u64>()) {
            let read = parse_size(&size(bytes)).unwrap();
            prop_assert!(read <= bytes);
            prop_assert!(bytes - read <= bytes / 10 + 1);
        }
    }
}
