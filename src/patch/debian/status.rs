//! `/var/lib/dpkg/status`: what is installed.

use super::InventoryError;
use super::stanza::stanzas;
use crate::patch::inventory::{Hold, Package};

/// The installed packages, sorted. A package whose installation did not finish is an error: apt would refuse to work,
/// and Patch Manager fails there too (patch-baselines.md 4.5).
pub(super) fn installed(text: &str) -> Result<Vec<Package>, InventoryError> {
    let mut packages = vec![];
    let mut unfinished = vec![];
    let fields = ["Package", "Status", "Architecture", "Version", "Priority", "Section", "Source"];
    for stanza in stanzas(text, fields) {
        let [name, status, arch, version, priority, section, source] = stanza
            .map_err(|damage| InventoryError::Damaged { file: "/var/lib/dpkg/status".into(), line: damage.line })?;
        let missing = |field| InventoryError::Status { package: name.unwrap_or("?").to_owned(), field };
        let name = name.ok_or_else(|| missing("Package"))?;
        let status = status.ok_or_else(|| missing("Status"))?;
        match Status::read(status).ok_or_else(|| missing("readable Status"))? {
            Status::Absent => {}
            Status::Unfinished(state) => unfinished.push(format!("{name}:{} ({state})", arch.unwrap_or("?"))),
            Status::Installed => packages.push(package(
                name,
                arch.ok_or_else(|| missing("Architecture"))?,
                version.ok_or_else(|| missing("Version"))?,
                (priority, section, source),
            )),
        }
    }
    if !unfinished.is_empty() {
        unfinished.sort();
        return Err(InventoryError::Unfinished { packages: unfinished });
    }
    if packages.is_empty() {
        return Err(InventoryError::NothingInstalled);
    }
    packages.sort();
    Ok(packages)
}

/// What the administrator holds (`apt-mark hold`), in file order. Records that cannot be read are [`installed`]'s business.
pub(super) fn held(text: &str) -> Vec<Hold> {
    let hold = |[name, status]: [Option<&str>; 2]| {
        let wanted = status?.split_ascii_whitespace().next()?;
        (wanted == "hold").then(|| Some(Hold { name: name?.to_owned(), version: None, by: "apt-mark".to_owned() }))?
    };
    stanzas(text, ["Package", "Status"]).filter_map(|stanza| hold(stanza.ok()?)).collect()
}

/// A package from the fields of its record.
pub(super) fn package(
    name: &str,
    arch: &str,
    version: &str,
    (priority, section, source): (Option<&str>, Option<&str>, Option<&str>),
) -> Package {
    // `Source: glibc (2.36-9)` when the source's version differs.
    let source = source.and_then(|source| source.split_whitespace().next()).unwrap_or(name);
    Package {
        name: name.to_owned(),
        arch: arch.to_owned(),
        version: version.to_owned(),
        priority: priority.unwrap_or_default().to_lowercase(),
        section: section.unwrap_or_default().to_owned(),
        source: source.to_owned(),
        ..Package::default()
    }
}

/// What the `Status` field comes down to.
enum Status<'a> {
    Installed,
    Absent,
    Unfinished(&'a str),
}

impl<'a> Status<'a> {
    /// Reads `want error state`. What the administrator wants (`hold`, `deinstall`) does not change what is there.
    fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (Some(_want), Some(error), Some(state), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        Some(match (error, state) {
            ("reinstreq", _) => Self::Unfinished("reinstreq"),
            (_, "installed") => Self::Installed,
            (_, "not-installed" | "config-files") => Self::Absent,
            _ => Self::Unfinished(state),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(name: &str, status: &str) -> String {
        format!("Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: 1\nPriority: Required\n\n")
    }

    #[test]
    fn held_and_unwanted_packages_are_installed_and_leftovers_are_not() {
        let text = [
            stanza("b", "hold ok installed"),
            stanza("a", "install ok installed"),
            stanza("c", "deinstall ok installed"),
            stanza("d", "deinstall ok config-files"),
            stanza("e", "purge ok not-installed"),
        ]
        .concat();
        let names: Vec<_> = installed(&text).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(held(&text), [Hold { name: "b".into(), version: None, by: "apt-mark".into() }]);
    }

    #[test]
    fn a_package_whose_installation_did_not_finish_is_an_error_that_names_it() {
        for state in ["half-installed", "half-configured", "unpacked", "triggers-awaited", "triggers-pending"] {
            let text = stanza("a", "install ok installed") + &stanza("bash", &format!("install ok {state}"));
            let error = installed(&text).unwrap_err();
            assert_eq!(error, InventoryError::Unfinished { packages: vec![format!("bash:amd64 ({state})")] });
            assert!(error.to_string().contains("a package is not completely installed: bash:amd64"), "{error}");
        }
        let error = installed(&stanza("x", "install reinstreq installed")).unwrap_err();
        assert_eq!(error, InventoryError::Unfinished { packages: vec!["x:amd64 (reinstreq)".into()] });
    }

    #[test]
    fn an_empty_or_damaged_database_is_an_error() {
        assert_eq!(installed(""), Err(InventoryError::NothingInstalled));
        assert_eq!(installed(&stanza("d", "deinstall ok config-files")), Err(InventoryError::NothingInstalled));
        let damaged = |text: &str| installed(text).unwrap_err().to_string();
        assert!(damaged("Package: a\nVersion: 1\n").contains("package `a` has no Status"));
        assert!(damaged("Package: a\ngarbage\n").contains("/var/lib/dpkg/status is damaged: `garbage`"));
        assert!(damaged("Status: install ok installed\n").contains("package `?` has no Package"));
        assert!(damaged("Package: a\nStatus: installed\n").contains("has no readable Status"));
        assert!(damaged("Package: a\nStatus: install ok installed\nArchitecture: all\n").contains("has no Version"));
    }

    #[test]
    fn the_source_package_is_the_name_without_its_version() {
        let record = package("libc6", "amd64", "1", (Some("Optional"), None, Some("glibc (2.36-9)")));
        assert_eq!(
            (record.source.as_str(), record.priority.as_str(), record.section.as_str()),
            ("glibc", "optional", "")
        );
        assert_eq!(package("bash", "amd64", "1", (None, None, None)).source, "bash");
    }
}
