//! Install override lists (patch-baselines.md 7.2): exactly what to install, whatever the baseline says.

use super::baseline::Family;
use super::compare::Kind;
use super::evaluate::EvaluateError;
use super::glob::{Pattern, is_pattern};
use super::install::Planned;
use super::inventory::{Inventory, OtherOffers};
use super::parse::{Reader, with_suggestion};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::yaml::{self, Node};
use serde_json::json;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An install override list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OverrideList {
    /// Its entries, in file order.
    pub entries: Vec<OverrideEntry>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideEntry {
    /// `id`: `name.arch` on Linux, a KB or bulletin id on Windows.
    pub id: String,
    /// `title`: `name.arch:version`; when it is there, both have to match. Informational on Windows.
    pub title: Option<String>,
}

/// What was read: a list when there is no error, and everything there is to say.
#[derive(Debug, Clone)]
pub struct ParsedOverrideList {
    /// The list; absent when a diagnostic is an error.
    pub list: Option<OverrideList>,
    /// Errors and warnings, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a list selects on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// What would be installed: of each package the highest version that an entry names, where it is newer.
    pub packages: Vec<Planned>,
    /// Positions of the entries that are satisfied: what they name is installed already, or newer.
    pub satisfied: Vec<usize>,
    /// Positions of the entries that do nothing: no installed package, or no version that is offered, is called so.
    pub inert: Vec<usize>,
}

/// Reads an override list for a family of systems. Keys that the service ignores are ignored here too, those that look
/// misspelt are warned about.
pub fn parse_override_list(source: &Arc<SourceFile>, family: Family) -> ParsedOverrideList {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(diagnostics) => return ParsedOverrideList { list: None, diagnostics },
    };
    let mut reader = Reader { source, diagnostics: vec![] };
    let entries = entries(&mut reader, &node, family);
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|d| d.primary.as_ref().map_or(0, |label| label.span.start));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    ParsedOverrideList { list: (!failed).then_some(OverrideList { entries }), diagnostics }
}

fn entries(reader: &mut Reader, node: &Node, family: Family) -> Vec<OverrideEntry> {
    let Some(list) = node.get("patches").and_then(Node::items) else {
        let place = node.get("patches").unwrap_or(node);
        let error = Diagnostic::error("B011", "an install override list is a mapping with a list `patches`")
            .help("write `patches:` and below it entries as `- id: 'kernel.x86_64'`");
        reader.say(error, place.span, format!("this is {}", place.describe()));
        return vec![];
    };
    if list.is_empty() {
        let error =
            Diagnostic::error("B011", "this install override list names nothing, so nothing would be installed");
        reader.say(error, node.get("patches").map_or(node.span, |list| list.span), "");
    }
    list.iter().filter_map(|item| entry(reader, item, family)).collect()
}

fn entry(reader: &mut Reader, node: &Node, family: Family) -> Option<OverrideEntry> {
    let Some(keys) = node.entries() else {
        let error = Diagnostic::error("B011", "an entry is a mapping with an `id`");
        reader.say(error, node.span, format!("this is {}", node.describe()));
        return None;
    };
    for (key, _) in keys {
        let word = key.as_str().unwrap_or_default();
        // Anything else is ignored by the service; only a near miss of a key that counts is worth a word.
        if !["id", "title"].contains(&word) && crate::diagnostic::suggest(word, ["id", "title"]).is_some() {
            let warning = Diagnostic::warning("B012", format!("`{word}` is ignored"));
            reader.say(with_suggestion(warning, word, &["id", "title"]), key.span, "");
        }
    }
    let id_node = node.get("id");
    let Some(id) = id_node.and_then(Node::as_str).filter(|id| !id.trim().is_empty()).map(str::to_owned) else {
        let error = Diagnostic::error("B011", "an entry needs an `id`");
        reader.say(error, id_node.map_or(node.span, |id| id.span), "");
        return None;
    };
    let title_node = node.get("title").filter(|title| !title.is_null());
    let title = title_node.and_then(Node::as_str).map(str::to_owned);
    if let (Some(found), None) = (title_node, &title) {
        reader.say(
            Diagnostic::error("B011", "`title` must be text"),
            found.span,
            format!("this is {}", found.describe()),
        );
    }
    if let Some(place) = id_node {
        shape(reader, family, (place, &id), title_node.zip(title.as_deref()));
    }
    Some(OverrideEntry { id, title })
}

/// Warns about an entry that can hardly match: ids and titles are compared as a whole.
fn shape(reader: &mut Reader, family: Family, (place, id): (&Node, &str), title: Option<(&Node, &str)>) {
    match family {
        Family::Windows => {
            let known = super::names::is_windows_id(id);
            if !known {
                let warning = Diagnostic::warning("B012", format!("`{id}` is neither a KB id nor a bulletin id"))
                    .note("ids are as `KB2032276` or `MS10-048`");
                reader.say(warning, place.span, "");
            }
        }
        Family::MacOs => {}
        Family::Apt | Family::Rpm | Family::Suse => {
            if !id.contains('.') && !is_pattern(id) {
                let warning = Diagnostic::warning("B012", format!("`{id}` has no architecture and so names nothing"))
                    .help(format!("write `{id}.*`, or the architecture behind a dot"));
                reader.say(warning, place.span, "");
            }
            if let Some((node, text)) = title.filter(|(_, text)| !text.contains(':') && !text.contains('*')) {
                let warning = Diagnostic::warning(
                    "B012",
                    format!("the title `{text}` is compared as a whole and so names nothing"),
                )
                .help(format!("write `'*{text}'`"));
                reader.say(warning, node.span, "");
            }
        }
    }
}

impl OverrideList {
    /// The list as a file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let entry = |entry: &OverrideEntry| match &entry.title {
            Some(title) => json!({ "id": entry.id, "title": title }),
            None => json!({ "id": entry.id }),
        };
        yaml::emit(&json!({ "patches": self.entries.iter().map(entry).collect::<Vec<_>>() }))
    }

    /// The list as a table with `ID<tab>TITLE` in each line, which is what the component `patch-linux` keeps in the image.
    ///
    /// # Errors
    /// The position of the first entry with a character that no name, architecture or version has: a shell, YAML or the
    /// runner of components could read something else than was meant.
    pub(crate) fn table(&self) -> Result<String, usize> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._~^:*?[]!".contains(&b));
        let mut table = String::new();
        for (index, OverrideEntry { id, title }) in self.entries.iter().enumerate() {
            let title = title.as_deref().unwrap_or_default();
            if !plain(id) || !plain(title) {
                return Err(index);
            }
            table.extend([id, "\t", title, "\n"]);
        }
        Ok(table)
    }

    /// What the list selects on an image, from any source, among the packages that are installed. Linux only: on Windows
    /// and macOS the service decides what an entry means.
    pub fn select(&self, inventory: &Inventory) -> Result<Selected, EvaluateError> {
        if inventory.installed.is_empty() {
            return Err(EvaluateError::NothingInstalled);
        }
        if inventory.sources.is_empty() {
            return Err(EvaluateError::NoSources);
        }
        if let Some(unread) = inventory.unread.first() {
            return Err(EvaluateError::SourceUnread { name: unread.name.clone(), why: unread.why.clone() });
        }
        if inventory.offered.is_empty() && inventory.others.iter().all(|group| group.packages.is_empty()) {
            return Err(EvaluateError::NothingOffered { sources: inventory.sources.len() });
        }
        let matchers: Vec<Matcher> = self.entries.iter().map(Matcher::new).collect();
        let mut hits = vec![Hits::default(); matchers.len()];
        let mut packages = vec![];
        for (key, package) in Packages::read(inventory)? {
            packages.extend(package.choose(key, &matchers, &mut hits)?);
        }
        packages.sort();
        let which = |wanted: fn(&Hits) -> bool| {
            hits.iter().enumerate().filter(|(_, hit)| wanted(hit)).map(|(index, _)| index).collect()
        };
        Ok(Selected {
            packages,
            satisfied: which(|hit| hit.present && !hit.newer),
            inert: which(|hit| !hit.present && !hit.newer),
        })
    }
}

/// What an entry met.
#[derive(Debug, Clone, Copy, Default)]
struct Hits {
    /// The installed version, or an offered one that is older.
    present: bool,
    /// A newer version.
    newer: bool,
}

struct Matcher {
    id: Pattern,
    title: Option<Pattern>,
}

impl Matcher {
    fn new(entry: &OverrideEntry) -> Self {
        Self { id: Pattern::new(&entry.id), title: entry.title.as_deref().map(Pattern::new) }
    }

    fn names(&self, name: &str, arch: &str, version: &str) -> bool {
        let id = format!("{name}.{arch}");
        self.id.matches(&id) && self.title.as_ref().is_none_or(|title| title.matches(&format!("{id}:{version}")))
    }
}

/// A package with its versions.
struct Packages<'a> {
    kind: Kind,
    arch: &'a str,
    /// The architecture of the system, which a package for all architectures also answers to.
    native: Option<&'a str>,
    /// The highest installed version.
    installed: &'a str,
    offered: Vec<&'a str>,
}

impl<'a> Packages<'a> {
    /// The installed packages, by name and by architecture as far as it tells packages apart.
    fn read(inventory: &'a Inventory) -> Result<BTreeMap<(&'a str, &'a str), Self>, EvaluateError> {
        let kind = Kind::of(&inventory.os_id);
        let native = (kind == Kind::Debian).then(|| super::apt::native_arch(inventory));
        let key = |name: &'a str, arch: &'a str| (name, native.filter(|_| arch == "all").unwrap_or(arch));
        let mut found: BTreeMap<(&str, &str), Self> = BTreeMap::new();
        for package in &inventory.installed {
            let (arch, version) = (package.arch.as_str(), package.version.as_str());
            let new = || Self { kind, arch, native, installed: version, offered: vec![] };
            let known = found.entry(key(&package.name, arch)).or_insert_with(new);
            if known.order(version, known.installed, &package.name)?.is_gt() {
                known.installed = version;
            }
        }
        let offered = inventory.offered.iter().map(|offer| &offer.package);
        let offered = offered.map(|package| (package.name.as_str(), package.arch.as_str(), package.version.as_str()));
        let others = inventory.others.iter().flat_map(OtherOffers::records);
        for (name, arch, version) in offered.chain(others.map(|record| (record.name, record.arch, record.version))) {
            if let Some(package) = found.get_mut(&key(name, arch)) {
                package.offered.push(version);
            }
        }
        Ok(found)
    }

    fn order(&self, a: &str, b: &str, name: &str) -> Result<Ordering, EvaluateError> {
        self.kind.order(a, b).ok_or_else(|| {
            let bad = if self.kind.is_version(a) { b } else { a };
            EvaluateError::RpmVersion { package: name.to_owned(), version: bad.to_owned() }
        })
    }

    /// The highest newer version that an entry names; what entries meet is noted.
    fn choose(
        &self,
        (name, _): (&'a str, &'a str),
        matchers: &[Matcher],
        hits: &mut [Hits],
    ) -> Result<Option<Planned>, EvaluateError> {
        let mut best: Option<&str> = None;
        for &version in std::iter::once(&self.installed).chain(&self.offered) {
            let newer = self.order(version, self.installed, name)?.is_gt();
            let full = self.kind.full(version);
            let mut named = false;
            for (matcher, hit) in matchers.iter().zip(hits.iter_mut()) {
                let native = self.native.filter(|_| self.arch == "all");
                let archs = std::iter::once(self.arch).chain(native);
                if archs.into_iter().any(|arch| matcher.names(name, arch, &full)) {
                    named = true;
                    hit.newer |= newer;
                    hit.present |= !newer;
                }
            }
            let higher = match best {
                Some(best) => self.order(version, best, name)?.is_gt(),
                None => true,
            };
            if named && newer && higher {
                best = Some(version);
            }
        }
        let (name, arch) = (name.to_owned(), self.arch.to_owned());
        let from = self.kind.full(self.installed);
        Ok(best.map(|to| Planned { name, arch, from, to: self.kind.full(to) }))
    }
}

#[cfg(test)]
#[path = "override_list_tests.rs"]
mod tests;
