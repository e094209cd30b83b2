//! `waivers.yaml` and `waivers/*.yaml`: findings that somebody answers for, for a while.

use super::fields::{Fields, Findings, text};
use super::load::{folder, read_file};
use super::{Project, codes, gates};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::yaml::{self, Node};
use std::path::Path;
use std::sync::Arc;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// The file that holds waivers when there are few.
const FILE: &str = "waivers.yaml";
/// How `expires` is written.
const DATE: &[BorrowedFormatItem<'static>] = format_description!("[year]-[month]-[day]");
/// The same, for the schema.
pub(super) const DATE_PATTERN: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";

/// An accepted finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The gate that found it.
    pub gate: String,
    /// What was found: a CVE id, the name of a patch or of a package, the name of a rule.
    pub finding: String,
    /// Only in images of this recipe.
    pub recipe: Option<String>,
    /// Only in this package.
    pub package: Option<String>,
    /// Only in this version.
    pub version: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it counts, in UTC.
    pub expires: Date,
    /// Where it stands: `waivers.yaml:3`.
    pub place: String,
}

impl Waiver {
    /// Whether it does not count any more.
    #[must_use]
    pub fn expired(&self, now: OffsetDateTime) -> bool {
        now.to_offset(time::UtcOffset::UTC).date() > self.expires
    }
}

/// Reads all waivers of a project whose settings and recipes have been read.
pub(super) fn load(root: &Path, project: &Project, found: &mut Vec<Diagnostic>) -> Vec<Waiver> {
    let mut sources: Vec<Arc<SourceFile>> = vec![];
    // Whatever is there under this name is meant to be read.
    if std::fs::symlink_metadata(root.join(FILE)).is_ok() {
        sources.extend(read_file(root, FILE, found));
    }
    sources.extend(folder(root, "waivers", &[".yaml"], found).into_iter().map(|(_, source)| source));
    let mut waivers: Vec<Waiver> = vec![];
    for source in sources {
        let mut out = Findings::new(&source);
        file(&source, project, &mut waivers, &mut out);
        found.append(&mut out.into_list());
    }
    waivers
}

fn file(source: &Arc<SourceFile>, project: &Project, into: &mut Vec<Waiver>, out: &mut Findings) {
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(faults) => return out.list.extend(faults),
    };
    let Some(mut fields) = Fields::new(&root, "", false, out) else { return };
    fields.required("waivers", out);
    for node in fields.list("waivers", out) {
        let Some(waiver) = one(node, project, out) else { continue };
        if let Some(first) = into.iter().find(|first| same(first, &waiver)) {
            let message = format!("`{}` of gate `{}` is waived twice", waiver.finding, waiver.gate);
            let note = format!("first in {}", first.place);
            out.error(codes::TWICE, node.span, message, "again here").notes.push(note);
        } else {
            into.push(waiver);
        }
    }
    fields.finish(out);
}

/// Whether two waivers accept the same.
fn same(a: &Waiver, b: &Waiver) -> bool {
    (&a.gate, &a.finding, &a.recipe, &a.package, &a.version) == (&b.gate, &b.finding, &b.recipe, &b.package, &b.version)
}

fn one(node: &Node, project: &Project, out: &mut Findings) -> Option<Waiver> {
    let mut fields = Fields::new(node, "waivers", false, out)?;
    let place = fields.span();
    let gate = words(&mut fields, "gate", out);
    let finding = words(&mut fields, "finding", out);
    let owner = words(&mut fields, "owner", out);
    let reason = words(&mut fields, "reason", out);
    let expires = fields.required("expires", out).and_then(|node| date(node, out));
    let (recipe, package, version) =
        (fields.text("recipe", out), fields.text("package", out), fields.text("version", out));
    fields.finish(out);
    if let Some(gate) = &gate {
        known_gate(gate, node, project, out);
    }
    if let Some(name) = recipe.as_ref().filter(|name| !project.recipes.contains_key(*name)) {
        let known: Vec<&str> = project.recipes.keys().map(String::as_str).collect();
        let message = format!("a waiver is for recipe `{name}`, which is not there");
        out.unknown(codes::WAIVER, value(node, "recipe"), message, name, &known);
    }
    let line = out.source.line(place.start);
    Some(Waiver {
        gate: gate?,
        finding: finding?,
        recipe,
        package,
        version,
        owner: owner?,
        reason: reason?,
        expires: expires?,
        place: format!("{}:{line}", out.source.name),
    })
}

/// Text that has to be there and to say something.
fn words(fields: &mut Fields<'_>, key: &'static str, out: &mut Findings) -> Option<String> {
    let node = fields.required(key, out)?;
    let words = text(node, &fields.path(key), out)?;
    if words.trim().is_empty() {
        out.error(codes::WAIVER, node.span, format!("`{}` says nothing", fields.path(key)), "empty");
        return None;
    }
    Some(words)
}

fn known_gate(gate: &str, node: &Node, project: &Project, out: &mut Findings) {
    if !gates::NAMES.contains(&gate) {
        out.unknown(codes::NOT_ALLOWED, value(node, "gate"), format!("`{gate}` is not a gate"), gate, &gates::NAMES);
    } else if !project.gates.waivable && project.gates.required.contains(&gate) {
        let message = format!("findings of the gate `{gate}` cannot be waived in this project");
        let found = out.error(codes::WAIVER, value(node, "gate"), message, "required, and not waivable");
        found.notes.push("amiforge.yaml has `waivable: false` and names the gate under `required`".to_owned());
    }
}

fn value(node: &Node, key: &str) -> Span {
    node.get(key).map_or(node.span, |node| node.span)
}

fn date(node: &Node, out: &mut Findings) -> Option<Date> {
    let words = text(node, "waivers.expires", out)?;
    let date = Date::parse(&words, DATE).ok();
    if date.is_none() {
        let found = out.error(codes::WAIVER, node.span, format!("`{words}` is not a date"), "not a date");
        found.help.push("write the last day on which the waiver counts, as 2026-12-31".to_owned());
    }
    date
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RECIPE, SETTINGS, at, faults, places, shown, write};
    use super::*;
    use time::macros::{date, datetime};

    const GOOD: &str = "waivers:\n  - gate: vulnerabilities\n    finding: CVE-2026-1\n    package: openssl\n    recipe: web\n    \
        owner: platform\n    reason: not reachable\n    expires: 2026-12-31\n";

    fn wrong(from: &str, to: &str) -> Vec<Diagnostic> {
        assert!(GOOD.contains(from), "{from}");
        faults(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("waivers.yaml", &GOOD.replace(from, to))])
    }

    #[test]
    fn waivers_are_read_from_the_file_and_the_folder() {
        let other = GOOD.replace("CVE-2026-1", "CVE-2026-2").replace("    recipe: web\n", "");
        let folder =
            write(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("waivers.yaml", GOOD), ("waivers/q4.yaml", &other)]);
        let project = super::super::load(folder.path()).unwrap();
        assert_eq!(project.waivers.len(), 2);
        let first = &project.waivers[0];
        assert_eq!((first.place.as_str(), first.recipe.as_deref()), ("waivers.yaml:2", Some("web")));
        assert_eq!((project.waivers[1].place.as_str(), &project.waivers[1].recipe), ("waivers/q4.yaml:2", &None));
        assert_eq!(first.expires, date!(2026 - 12 - 31));
    }

    #[test]
    fn a_waiver_counts_to_the_end_of_its_last_day() {
        let folder = write(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("waivers.yaml", GOOD)]);
        let waiver = super::super::load(folder.path()).unwrap().waivers.remove(0);
        assert!(!waiver.expired(datetime!(2026-12-31 23:59:59 UTC)));
        assert!(waiver.expired(datetime!(2027-01-01 0:00 UTC)));
        assert!(!waiver.expired(datetime!(2027-01-01 1:00 +2)), "the day is one of UTC");
    }

    #[test]
    fn a_waiver_without_owner_reason_or_end_is_refused_where_it_stands() {
        for key in ["owner: platform", "reason: not reachable", "expires: 2026-12-31", "finding: CVE-2026-1"] {
            let found = wrong(&format!("    {key}\n"), "");
            assert_eq!(places(&found), at("P004", "waivers.yaml:2:5"), "{key}");
        }
        assert_eq!(places(&wrong("owner: platform", "owner: ' '")), at("P041", "waivers.yaml:6:12"));
        assert_eq!(places(&wrong("2026-12-31", "2026-13-31")), at("P041", "waivers.yaml:8:14"));
        assert_eq!(places(&wrong("2026-12-31", "soon")), at("P041", "waivers.yaml:8:14"));
        assert_eq!(places(&wrong("recipe: web", "recipe: wob")), at("P041", "waivers.yaml:5:13"));
        assert_eq!(places(&wrong("gate: v", "gate: w")), at("P005", "waivers.yaml:2:11"));
        assert_eq!(places(&wrong("package:", "packages:")), at("P002", "waivers.yaml:4:5"));
        assert_eq!(places(&wrong("waivers:", "waiver:")).first().unwrap().0, "P004");
        let twice = format!("{GOOD}{}", GOOD.replace("waivers:\n", ""));
        let found = faults(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("waivers.yaml", &twice)]);
        assert!(shown(&found).contains("is waived twice"), "{}", shown(&found));
    }

    #[test]
    fn what_the_project_requires_without_exception_is_not_waived() {
        let settings =
            "project: acme\ngates:\n  required: [vulnerabilities]\n  waivable: false\n  vulnerabilities: {}\n";
        let found = faults(&[("amiforge.yaml", settings), ("recipes/web.yaml", RECIPE), ("waivers.yaml", GOOD)]);
        assert_eq!(places(&found), at("P041", "waivers.yaml:2:11"));
    }
}
