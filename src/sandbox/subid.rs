//! Subordinate ids: `/etc/subuid` and `/etc/subgid` (subuid(5): `name-or-uid:start:count`).

/// Ids a user namespace needs besides the user's own, so that 1 to 65535 exist inside.
pub(super) const NEEDED: u64 = 65_535;

/// Where ranges are taken from when a user has none; the default of `SUB_UID_MIN` in login.defs(5).
const FIRST: u64 = 100_000;

/// A run of ids on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) count: u64,
}

struct Entry<'a> {
    owner: &'a str,
    range: Range,
}

fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (owner, start, count) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Entry { owner, range: Range { start: start.parse().ok()?, count: count.parse().ok()? } })
    })
}

/// The first range of a user that is large enough; entries may name the user or carry the number.
pub(super) fn range_of(text: &str, user: &str, uid: u32) -> Option<Range> {
    let number = uid.to_string();
    entries(text)
        .filter(|entry| entry.owner == user || entry.owner == number)
        .map(|entry| entry.range)
        .find(|range| range.count >= NEEDED)
}

/// The start of a range that overlaps no entry, for the advice we print.
pub(super) fn free_start(texts: &[&str]) -> u64 {
    let ends = texts.iter().flat_map(|text| entries(text)).map(|entry| entry.range.start + entry.range.count);
    ends.max().unwrap_or(FIRST).max(FIRST)
}

/// The name of a user in the text of passwd(5).
pub(super) fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_by_name_and_by_number_and_must_be_large_enough() {
        let text = "# comment\nann:100000:1000\nann:200000:65536\n1001:300000:65536\nbad:x:1\n";
        assert_eq!(range_of(text, "ann", 1000), Some(Range { start: 200_000, count: 65_536 }));
        assert_eq!(range_of(text, "bob", 1001), Some(Range { start: 300_000, count: 65_536 }));
        assert_eq!(range_of(text, "eve", 1002), None);
        assert_eq!(range_of("", "ann", 1000), None);
    }

    #[test]
    fn the_advised_range_overlaps_none() {
        assert_eq!(free_start(&["", ""]), 100_000);
        assert_eq!(free_start(&["a:100000:65536\nb:165536:65536\n", "a:100000:65536\n"]), 231_072);
    }

    #[test]
    fn names_come_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000), Some("ann"));
        assert_eq!(user_name(passwd, 7), None);
    }
}
