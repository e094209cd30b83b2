//! Lists of approved and rejected patches: which entry names a package version (patch-baselines.md section 2).

use super::baseline::Family;
use super::edition::Edition;
use super::glob::{Pattern, is_pattern};
use super::inventory::Advisory;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A package version, as names are made from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) arch: &'a str,
    pub(super) version: &'a str,
}

/// The entry that named something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// The entry, as written.
    pub(super) entry: String,
    /// What it is the name of: one of the forms of the version, or the id of a notice.
    pub(super) matched: String,
    /// Whether a notice was named by its `<id>` although Patch Manager knows it by another one.
    pub(super) by_own_id: bool,
}

/// One of the two lists.
#[derive(Debug)]
pub(super) struct List {
    family: Family,
    texts: Vec<String>,
    /// Which entries named something so far. An entry that never does is told to the user: the service is silent.
    used: Vec<Cell<bool>>,
    /// Entries without wildcards, in lower case.
    exact: BTreeMap<String, usize>,
    globs: Vec<(Pattern, usize)>,
    conditions: Vec<(Condition, usize)>,
}

/// `name op edition` of SUSE lists (patch-baselines.md 2.3; observed, not documented).
#[derive(Debug)]
struct Condition {
    name: Pattern,
    op: &'static str,
    edition: String,
}

impl List {
    pub(super) fn new(family: Family, entries: &[String]) -> Self {
        let mut list = Self {
            family,
            texts: entries.to_vec(),
            used: vec![Cell::new(false); entries.len()],
            exact: BTreeMap::new(),
            globs: vec![],
            conditions: vec![],
        };
        for (index, entry) in entries.iter().enumerate() {
            let condition = (family == Family::Suse).then(|| Condition::read(entry)).flatten();
            if let Some(condition) = condition {
                list.conditions.push((condition, index));
            } else if is_pattern(entry) && family != Family::MacOs {
                list.globs.push((Pattern::new(entry), index));
            } else {
                list.exact.entry(entry.to_lowercase()).or_insert(index);
            }
        }
        list
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Entries that named nothing so far.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().zip(&self.used).filter(|(_, used)| !used.get()).map(|(text, _)| text.as_str())
    }

    fn hit(&self, index: usize, matched: &str) -> Option<Hit> {
        self.used.get(index)?.set(true);
        Some(Hit { entry: self.texts.get(index)?.clone(), matched: matched.to_owned(), by_own_id: false })
    }

    /// The first entry, in the order of the kinds, that names this version.
    pub(super) fn names(&self, named: Named) -> Option<Hit> {
        if self.is_empty() {
            return None;
        }
        let forms = forms(self.family, named);
        // All digits is a Bugzilla id to RPM systems, whatever versions there are.
        let is_bug = |form: &str| self.family == Family::Rpm && all_digits(form);
        for form in forms.iter().filter(|form| !is_bug(form)) {
            if let Some(&index) = self.exact.get(&form.to_lowercase()) {
                return self.hit(index, form);
            }
        }
        for (pattern, index) in &self.globs {
            if let Some(form) = forms.iter().find(|form| pattern.matches(form)) {
                return self.hit(*index, form);
            }
        }
        let (_, index) = self.conditions.iter().find(|(condition, _)| condition.holds(named))?;
        self.hit(*index, &format!("{} {}", named.name, named.version))
    }

    /// The entry that names a notice: its id, a CVE or a bug on RPM systems (exactly, letter by letter), the patch's
    /// name on SUSE, where wildcards are possible.
    pub(super) fn names_notice(&self, notice: &Advisory) -> Option<Hit> {
        if self.is_empty() {
            return None;
        }
        if self.family == Family::Suse {
            let lower = notice.id.to_lowercase();
            let glob = || self.globs.iter().find(|(pattern, _)| pattern.matches(&notice.id)).map(|(_, index)| *index);
            return self.hit(self.exact.get(&lower).copied().or_else(glob)?, &notice.id);
        }
        let find = |id: &str| self.texts.iter().position(|text| text == id);
        let service_id = notice.reference_id.as_deref().unwrap_or(&notice.id);
        let ids = std::iter::once(service_id).chain(notice.cves.iter().map(String::as_str));
        let bugs = notice.bugs.iter().map(String::as_str).filter(|bug| all_digits(bug));
        if let Some((id, index)) = ids.chain(bugs).find_map(|id| Some((id, find(id)?))) {
            return self.hit(index, id);
        }
        let hit = self.hit(find(&notice.id)?, &notice.id)?;
        Some(Hit { by_own_id: true, ..hit })
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The names of a version.
fn forms(family: Family, named: Named) -> Vec<String> {
    let Named { name, arch, version } = named;
    match family {
        Family::Apt => vec![
            name.to_owned(),
            version.to_owned(),
            format!("{name}.{arch}"),
            format!("{name}-{version}"),
            format!("{arch}:{version}"),
            format!("{name}.{arch}:{version}"),
        ],
        Family::Rpm => rpm_forms(named),
        Family::Suse => match Edition::read(version) {
            Some(e) => vec![name.to_owned(), format!("{name}-{}-{}.{arch}.rpm", e.version(), e.release())],
            None => vec![name.to_owned()],
        },
        Family::MacOs | Family::Windows => vec![name.to_owned()],
    }
}

/// The twelve names of patch-baselines.md 2.1.
fn rpm_forms(Named { name, arch, version }: Named) -> Vec<String> {
    let Some(edition) = Edition::read(version) else { return vec![name.to_owned(), format!("{name}.{arch}")] };
    let (epoch, version) = (edition.epoch(), edition.version());
    let build = format!("{version}-{}", edition.release());
    let full = format!("{epoch}:{build}");
    vec![
        name.to_owned(),
        format!("{name}.{arch}"),
        format!("{name}-{version}"),
        format!("{name}-{build}"),
        format!("{name}-{build}.{arch}"),
        version.to_owned(),
        build.clone(),
        full.clone(),
        format!("{name}-{full}"),
        format!("{name}-{full}.{arch}"),
        format!("{epoch}:{name}-{build}.{arch}"),
        format!("{name}.{arch}:{full}"),
    ]
}

impl Condition {
    fn read(entry: &str) -> Option<Self> {
        // The longer operator first.
        let (name, op, edition) = ["!=", "=", "<", ">"].into_iter().find_map(|op| {
            let (name, edition) = entry.split_once(op)?;
            Some((name.trim(), op, edition.trim()))
        })?;
        Edition::read(edition)?;
        (!name.is_empty()).then(|| Self { name: Pattern::new(name), op, edition: edition.to_owned() })
    }

    fn holds(&self, named: Named) -> bool {
        let (Some(version), Some(edition)) = (Edition::read(named.version), Edition::read(&self.edition)) else {
            return false;
        };
        let order = version.condition(&edition);
        let holds = match self.op {
            "=" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            "<" => order == Ordering::Less,
            _ => order == Ordering::Greater,
        };
        holds && self.name.matches(named.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DBUS: Named = Named { name: "dbus", arch: "x86_64", version: "1:1.12.28-1.amzn2023.0.1" };

    fn entry(family: Family, entry: &str, named: Named) -> bool {
        List::new(family, &[entry.to_owned()]).names(named).is_some()
    }

    #[test]
    fn the_twelve_names_of_section_2_1_and_their_wildcards() {
        for name in [
            "dbus",
            "dbus.x86_64",
            "dbus-1.12.28",
            "dbus-1.12.28-1.amzn2023.0.1",
            "dbus-1.12.28-1.amzn2023.0.1.x86_64",
            "1.12.28",
            "1.12.28-1.amzn2023.0.1",
            "1:1.12.28-1.amzn2023.0.1",
            "dbus-1:1.12.28-1.amzn2023.0.1",
            "dbus-1:1.12.28-1.amzn2023.0.1.x86_64",
            "1:dbus-1.12.28-1.amzn2023.0.1.x86_64",
            "dbus.x86_64:1:1.12.28-1.amzn2023.0.1",
            "DBUS",
            "dbus*",
            "dbus-1.12.2*",
            "dbus-*:1.12.28-1.amzn2023.0.1.x86_64",
            "[c-d]bus",
        ] {
            assert!(entry(Family::Rpm, name, DBUS), "{name}");
        }
        for name in ["dbus-libs", "dbus-0:1.12.28-1.amzn2023.0.1", "x86_64", "dbus.", "dbus-1.12.2", "*.i686"] {
            assert!(!entry(Family::Rpm, name, DBUS), "{name}");
        }
        let plain = Named { version: "1.12.28-1", ..DBUS };
        assert!(entry(Family::Rpm, "dbus-0:1.12.28-1", plain), "without an epoch it is written 0");
    }

    #[test]
    fn digits_only_are_a_bug_and_never_a_version() {
        let release = Named { name: "system-release", arch: "noarch", version: "2023-1" };
        assert!(!entry(Family::Rpm, "2023", release));
        let notice = Advisory { id: "A-1".into(), bugs: vec!["2023".into()], ..Advisory::default() };
        assert!(List::new(Family::Rpm, &["2023".to_owned()]).names_notice(&notice).is_some());
    }

    #[test]
    fn ids_are_exact_and_a_notice_is_known_by_its_self_reference() {
        let notice = Advisory {
            id: "ALAS-1".into(),
            reference_id: Some("ALAS2023-1".into()),
            cves: vec!["CVE-2025-1".into()],
            ..Advisory::default()
        };
        let find = |entry: &str| List::new(Family::Rpm, &[entry.to_owned()]).names_notice(&notice);
        assert_eq!(find("ALAS2023-1").unwrap().matched, "ALAS2023-1");
        assert_eq!(find("CVE-2025-1").map(|hit| hit.by_own_id), Some(false));
        assert!(find("ALAS-1").unwrap().by_own_id, "AWS does not match this one");
        assert!(find("cve-2025-1").is_none() && find("CVE-2025-*").is_none());
    }

    #[test]
    fn apt_names_of_section_2_2() {
        let curl = Named { name: "curl", arch: "amd64", version: "7.88-10" };
        for name in ["curl", "7.88-10", "curl.amd64", "curl-7.88-10", "amd64:7.88-10", "curl.amd64:7.88-10", "c*l"] {
            assert!(entry(Family::Apt, name, curl), "{name}");
        }
        assert!(!entry(Family::Apt, "libcurl4", curl) && !entry(Family::Apt, "curl-7.88", curl));
    }

    #[test]
    fn suse_names_of_section_2_3() {
        let package = Named { name: "example-pkg", arch: "x86_64", version: "2023.15.4-46.17.1" };
        for name in [
            "example-pkg-2023.15.4-46.17.1.x86_64.rpm",
            "example-pkg-2023.15.4-46.17.1.*.rpm",
            "example-pkg = 2023.15.4",
            "example-pkg=2023.15.4-46.17.1",
            "example-* < 2024",
            "example-pkg > 2023.15.4-46.16",
            "example-pkg != 2023.15.5",
        ] {
            assert!(entry(Family::Suse, name, package), "{name}");
        }
        for name in ["example-pkg = 2023.15.3", "example-pkg > 2023.15.4", "other < 2024", "example-pkg-2023.15.4.rpm"]
        {
            assert!(!entry(Family::Suse, name, package), "{name}");
        }
        let patch = Advisory { id: "SUSE-SLE-Example-Package-15-2023-123".into(), ..Advisory::default() };
        let named = |entry: &str| List::new(Family::Suse, &[entry.to_owned()]).names_notice(&patch).is_some();
        assert!(named("SUSE-SLE-Example-Package-15-2023-123") && named("SUSE-SLE-Example-Package-15-2023-*"));
        assert!(!named("SUSE-SLE-Example-Package-15-2024-*"));
    }

    #[test]
    fn macos_has_no_wildcards_and_windows_has_ids() {
        let named = |name| Named { name, arch: "", version: "" };
        assert!(entry(Family::MacOs, "MRTConfigData", named("MRTConfigData")));
        assert!(!entry(Family::MacOs, "MRT*", named("MRTConfigData")));
        assert!(entry(Family::Windows, "KB2032276", named("KB2032276")));
    }

    #[test]
    fn entries_that_named_nothing_are_known() {
        let list = List::new(Family::Rpm, &["dbus".to_owned(), "dbsu".to_owned(), "x*".to_owned()]);
        assert!(list.names(DBUS).is_some());
        assert_eq!(list.unused().collect::<Vec<_>>(), ["dbsu", "x*"]);
    }
}
