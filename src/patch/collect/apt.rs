//! The sections of an APT system.

use super::CollectError;
use super::sections::{Section, Sections};
use crate::patch::debian::{InventoryError, Reader, pins, trusted_prefixes};
use crate::patch::inventory::{Hold, Inventory, Unread};
use std::collections::BTreeMap;

pub(super) fn read(sections: &Sections, os_release: &str, status: &str) -> Result<Inventory, CollectError> {
    let mut reader = Reader::new(os_release, status)?;
    for file in sections.of("apt-sources") {
        for prefix in trusted_prefixes(file.name, &file.text) {
            reader.declare_trusted(prefix);
        }
    }
    for signature in sections.of("apt-signature") {
        reader.add(signature.name, b"")?;
    }
    for release in sections.of("apt-release") {
        reader.add(release.name, release.text.as_bytes())?;
    }
    for index in sections.of("apt-index") {
        let (name, size, sha256) = head(index)?;
        reader.add_checked(name, &index.text, size, sha256)?;
    }
    let unread: Vec<Unread> = sections.of("unread").map(unread).collect();
    let mut inventory = match (reader.finish(), unread.first()) {
        // That is the reason, and not merely that nothing is there.
        (Err(InventoryError::NoSources), Some(unread)) => return Err(CollectError::Unread(unread.why.clone())),
        (inventory, _) => inventory?,
    };
    inventory.unread = unread;
    for file in sections.of("apt-preferences") {
        inventory.holds.extend(pinned(file)?);
    }
    let times = times(sections.text("dpkg-times").unwrap_or_default());
    for package in &mut inventory.installed {
        package.installed_at = times.get(&(package.name.as_str(), package.arch.as_str())).copied();
    }
    Ok(inventory)
}

/// `name size sha256`.
fn head<'a>(section: &Section<'a>) -> Result<(&'a str, u64, &'a str), CollectError> {
    let mut words = section.name.split(' ');
    let (name, size, sum) = (words.next(), words.next().and_then(|size| size.parse().ok()), words.next());
    let whole = name.zip(size).zip(sum.filter(|sum| sum.len() == 64));
    let ((name, size), sum) = whole.ok_or_else(|| CollectError::Section(section.name.to_owned()))?;
    Ok((name, size, sum))
}

fn unread(section: &Section) -> Unread {
    let why = section.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    Unread { name: section.name.to_owned(), why }
}

/// Pins that keep a version where it is, or away; the others only choose between sources.
fn pinned(file: &Section) -> Result<Vec<Hold>, CollectError> {
    let by = format!("apt preferences ({})", file.name);
    let mut holds = vec![];
    for pin in pins(file.name, &file.text)? {
        let version = pin.pin.strip_prefix("version ").map(str::trim).filter(|version| *version != "*");
        if version.is_none() && pin.priority >= 0 {
            continue;
        }
        for name in &pin.packages {
            let version = version.map(str::to_owned);
            holds.push(Hold { name: name.clone(), version, by: by.clone() });
        }
    }
    Ok(holds)
}

/// When packages were installed, by name and architecture. dpkg before 1.19.3 does not know.
fn times(text: &str) -> BTreeMap<(&str, &str), i64> {
    fn line(line: &str) -> Option<((&str, &str), i64)> {
        let mut fields = line.split('\t');
        Some(((fields.next()?, fields.next()?), fields.next()?.parse().ok()?))
    }
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_versions_and_of_nothing_hold() {
        let text = "amiforge-inventory 1\n= apt-preferences p\n Package: nginx*\n Pin: version 1.2*\n Pin-Priority: 1001\n \n \
            Package: snapd\n Pin: release a=*\n Pin-Priority: -10\n \n Package: *\n Pin: origin x\n Pin-Priority: 600\n= end 1\n";
        let sections = Sections::read(text).unwrap();
        let holds = pinned(sections.of("apt-preferences").next().unwrap()).unwrap();
        let read: Vec<_> = holds.iter().map(|hold| (hold.name.as_str(), hold.version.as_deref())).collect();
        assert_eq!(read, [("nginx*", Some("1.2*")), ("snapd", None)]);
    }

    #[test]
    fn times_may_be_unknown() {
        let times = times("bash\tamd64\t1700000000\nold\tamd64\t\n");
        assert_eq!(times.get(&("bash", "amd64")), Some(&1_700_000_000));
        assert_eq!(times.len(), 1);
    }
}
