//! What keeps packages of apt as they are: pins (`/etc/apt/preferences`, `/etc/apt/preferences.d/*`) and holds.
//!
//! These are facts about an image, for its owner. Patch Manager does not honour pins, and whether it honours holds is not
//! known (patch-baselines.md 3.2 and 14.2), so nothing is concluded from them here.

use super::InventoryError;
use super::stanza::stanzas;

/// A pin: which versions of packages apt prefers or refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Patterns of package names: with wildcards, or `/regular expressions/`.
    pub packages: Vec<String>,
    /// Which versions, in apt's own words: `version 1.2*`, `release n=bookworm`, `origin "deb.example"`.
    pub pin: String,
    /// Above 1000 even a downgrade is done, below 0 never an installation (`apt_preferences(5)`).
    pub priority: i32,
}

/// A file of pins that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// A line is no field.
    #[error("{file}: `{line}` is not a field")]
    Damaged {
        /// The file, as the caller called it.
        file: String,
        /// The beginning of the line.
        line: String,
    },
    /// A field is missing or cannot be understood.
    #[error("{file}: stanza {stanza} has no readable {field}")]
    Field {
        /// The file, as the caller called it.
        file: String,
        /// Which stanza, from 1.
        stanza: usize,
        /// The field.
        field: &'static str,
    },
}

/// Reads a file of pins.
pub fn pins(file: &str, text: &str) -> Result<Vec<Pin>, PinError> {
    let mut pins = vec![];
    for (at, stanza) in stanzas(text, ["Package", "Pin", "Pin-Priority"]).enumerate() {
        let stanza = stanza.map_err(|damage| PinError::Damaged { file: file.to_owned(), line: damage.line })?;
        let missing = |field| PinError::Field { file: file.to_owned(), stanza: at + 1, field };
        let [packages, pin, priority] = stanza.map(|value| value.filter(|value| !value.is_empty()));
        pins.push(Pin {
            packages: packages.ok_or_else(|| missing("Package"))?.split_whitespace().map(str::to_owned).collect(),
            pin: pin.ok_or_else(|| missing("Pin"))?.to_owned(),
            priority: priority.and_then(|text| text.parse().ok()).ok_or_else(|| missing("Pin-Priority"))?,
        });
    }
    Ok(pins)
}

/// The packages that are on hold according to dpkg's status: `name:architecture`, sorted.
pub fn holds(status: &str) -> Result<Vec<String>, InventoryError> {
    let mut holds = vec![];
    for stanza in stanzas(status, ["Package", "Status", "Architecture"]) {
        let [name, status, arch] = stanza
            .map_err(|damage| InventoryError::Damaged { file: "/var/lib/dpkg/status".into(), line: damage.line })?;
        let missing = |field| InventoryError::Status { package: name.unwrap_or("?").to_owned(), field };
        let name = name.ok_or_else(|| missing("Package"))?;
        if status.ok_or_else(|| missing("Status"))?.split_ascii_whitespace().next() == Some("hold") {
            holds.push(format!("{name}:{}", arch.unwrap_or("?")));
        }
    }
    holds.sort();
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read() {
        let text = "Explanation: keep\nPackage: nginx* libssl3\nPin: release n=bookworm, l=Debian\nPin-Priority: 1001\n\n\
            # comment\nPackage: *\nPin: origin \"deb.example\"\nPin-Priority: -10\n";
        let read = pins("preferences", text).unwrap();
        assert_eq!(read[0].packages, ["nginx*", "libssl3"]);
        assert_eq!((read[0].pin.as_str(), read[0].priority), ("release n=bookworm, l=Debian", 1001));
        assert_eq!((read.len(), read[1].priority), (2, -10));
        assert_eq!(pins("p", ""), Ok(vec![]));
        for (text, why) in [
            ("Package: a\nPin: version 1\n", "p: stanza 1 has no readable Pin-Priority"),
            ("Package: a\nPin: version 1\nPin-Priority: high\n", "p: stanza 1 has no readable Pin-Priority"),
            ("Pin: version 1\nPin-Priority: 1\n", "p: stanza 1 has no readable Package"),
            ("garbage\n", "p: `garbage` is not a field"),
        ] {
            assert_eq!(pins("p", text).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn holds_are_read() {
        let text = "Package: b\nStatus: hold ok installed\nArchitecture: amd64\n\nPackage: a\nStatus: install ok installed\n\n";
        assert_eq!(holds(text).unwrap(), ["b:amd64"]);
        assert!(holds("Package: a\n").is_err() && holds("garbage").is_err());
    }
}
