//! What a baseline says about an image: text and Markdown. The JSON is the evaluation itself.

use crate::diagnostic::render::{markdown_cell, printable};
use crate::patch::{
    Comparison, Counts, Evaluation, InstallPlan, Inventory, Level, Occasion, OverrideList, Package, PackageSource,
    Patch, Planned, Selected, Side,
};
use serde::Serialize;
use std::fmt::Write as _;
use time::OffsetDateTime;

/// Which patches are told of one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Those that make the image non-compliant.
    Open,
    /// Those of these names (or ids, `name.arch`), whatever their state.
    Named(Vec<String>),
    /// All.
    All,
}

impl Told {
    fn tells(&self, patch: &Patch) -> bool {
        match self {
            Self::Open => patch.state.is_non_compliant(),
            Self::Named(names) => names.iter().any(|name| *name == patch.name || *name == patch.id()),
            Self::All => true,
        }
    }

    /// A name that no patch has.
    #[must_use]
    pub fn unknown<'a>(&'a self, evaluation: &Evaluation) -> Option<&'a str> {
        let Self::Named(names) = self else { return None };
        let known = |name: &str| evaluation.patches.iter().any(|patch| patch.name == name || patch.id() == name);
        names.iter().map(String::as_str).find(|name| !known(name))
    }
}

/// `2026-11-26 15:04 UTC`.
fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}

fn verdict(compliant: bool) -> &'static str {
    if compliant { "compliant" } else { "not compliant" }
}

/// Of which image, and how it is called.
fn system(inventory: &Inventory) -> String {
    let name = format!("{} {}", inventory.os_id, inventory.os_version);
    let (packages, sources) = (inventory.installed.len(), inventory.sources.len());
    format!("{} ({}, {})", name.trim(), plural(packages, "package"), plural(sources, "package source"))
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn counts(counts: &Counts, partial: bool) -> String {
    let Counts { missing, failed, installed, installed_other, .. } = counts;
    let mut text = format!("{missing} missing");
    if *failed > 0 {
        let _ = write!(text, ", {failed} failed");
    }
    let _ = write!(
        text,
        ", {} rejected, {} pending reboot; {installed} installed, {installed_other} other",
        counts.installed_rejected, counts.installed_pending_reboot
    );
    if !partial {
        let _ = write!(text, ", {} not applicable", counts.not_applicable);
    }
    text
}

/// The evaluation for a terminal: verdict, counts, what the baseline approves (a sentence each), patches with their
/// reasons, notes.
#[must_use]
pub fn text(evaluation: &Evaluation, inventory: &Inventory, told: &Told, rules: &[String]) -> String {
    let mut text = format!(
        "{} on {}, at {}: {}\n  {}\n",
        printable(&evaluation.baseline),
        printable(&system(inventory)),
        minute(evaluation.now),
        verdict(evaluation.compliant()),
        counts(&evaluation.counts, inventory.partial)
    );
    if let Some(level) = evaluation.severity().filter(|level| *level != Level::Unspecified) {
        let _ = writeln!(text, "  highest level of a patch that is open: {level}");
    }
    for sentence in rules {
        let _ = writeln!(text, "  {}", printable(sentence));
    }
    for patch in evaluation.patches.iter().filter(|patch| told.tells(patch)) {
        text.push_str(&lines(patch, inventory));
    }
    for note in &evaluation.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    for line in evaluation.settings.lines().iter().filter(|line| !line.recommended) {
        let number = line.conflict.map(|number| format!(" (conflict {number})")).unwrap_or_default();
        let _ = writeln!(text, "assumed{number}: {}", line.assumed);
    }
    text
}

/// A patch with a line per reason.
fn lines(patch: &Patch, inventory: &Inventory) -> String {
    let versions = match &patch.available {
        Some(available) => format!("{} → {available}", patch.installed),
        None => patch.installed.clone(),
    };
    let mut text = format!("\n{}  {}  {}", patch.state.as_str(), printable(&patch.id()), printable(&versions));
    let level = Some(patch.level).filter(|level| *level != Level::Unspecified).map(|level| level.to_string());
    let words: Vec<&str> = [patch.classification.as_str(), &patch.severity, level.as_deref().unwrap_or_default()]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    if !words.is_empty() {
        let _ = write!(text, "  [{}]", printable(&words.join(", ")));
    }
    text.push('\n');
    for reason in &patch.reasons {
        let _ = writeln!(text, "  {}", printable(&reason.to_string()));
    }
    let sources = offered_by(patch, inventory);
    let about = [("offered by", &sources), ("notices", &patch.advisories), ("fixes", &patch.cves)];
    for (word, list) in about.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(text, "  {word}: {}", printable(&list.join(", ")));
    }
    text
}

/// The sources that offer the version in question: the approved one, or else the installed one.
fn offered_by(patch: &Patch, inventory: &Inventory) -> Vec<String> {
    // The epoch of an RPM package stands here even when it is 0, and there only when it is not.
    let plain = |text: &str| text.strip_prefix("0:").unwrap_or(text).to_owned();
    let version = plain(patch.available.as_ref().unwrap_or(&patch.installed));
    let same = |package: &Package| package.name == patch.name && plain(&package.version) == version;
    let offers = inventory.offered.iter().filter(|offer| same(&offer.package));
    let mut names: Vec<String> =
        offers.filter_map(|offer| inventory.sources.get(offer.from)).map(PackageSource::name).collect();
    names.sort();
    names.dedup();
    names
}

/// The evaluation for the summary of a pipeline.
#[must_use]
pub fn markdown(evaluation: &Evaluation, inventory: &Inventory, told: &Told) -> String {
    let mut text = format!(
        "### {}: {}\n\n{}, at {}. {}\n",
        markdown_cell(&evaluation.baseline),
        verdict(evaluation.compliant()),
        markdown_cell(&system(inventory)),
        minute(evaluation.now),
        counts(&evaluation.counts, inventory.partial)
    );
    let mut rows = evaluation.patches.iter().filter(|patch| told.tells(patch)).peekable();
    if rows.peek().is_some() {
        text.push_str("\n| patch | state | installed | approved | why |\n|---|---|---|---|---|\n");
    }
    for patch in rows {
        let reasons: Vec<String> = patch.reasons.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            markdown_cell(&patch.id()),
            patch.state.as_str(),
            markdown_cell(&patch.installed),
            markdown_cell(patch.available.as_deref().unwrap_or_default()),
            markdown_cell(&reasons.join("; "))
        );
    }
    text
}

/// What an install override list says about an image.
#[derive(Debug, Serialize)]
pub struct Overridden<'a> {
    schema: &'static str,
    /// What is still to be installed.
    outstanding: &'a [Planned],
    /// Entries whose packages are there in the version that is named, or a newer one.
    satisfied: Vec<&'a str>,
    /// Entries that name nothing that is installed, or no version that is offered.
    inert: Vec<&'a str>,
}

impl<'a> Overridden<'a> {
    /// The report of a list and what it selects.
    #[must_use]
    pub fn new(list: &'a OverrideList, selected: &'a Selected) -> Self {
        let ids = |positions: &[usize]| {
            positions.iter().filter_map(|at| list.entries.get(*at)).map(|entry| entry.id.as_str()).collect()
        };
        let (satisfied, inert) = (ids(&selected.satisfied), ids(&selected.inert));
        Self { schema: "amiforge.override-list-result/1", outstanding: &selected.packages, satisfied, inert }
    }

    fn headline(&self) -> String {
        format!(
            "{} to install; of the list {} there already, {} without effect",
            plural(self.outstanding.len(), "package"),
            plural(self.satisfied.len(), "entry").replace("entrys", "entries"),
            plural(self.inert.len(), "entry").replace("entrys", "entries")
        )
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for Planned { name, arch, from, to } in self.outstanding {
            let _ = writeln!(text, "  to install   {name}.{arch}  {from} → {to}");
        }
        for (word, ids) in [("there", &self.satisfied), ("no effect", &self.inert)] {
            for id in ids {
                let _ = writeln!(text, "  {word:<12} {}", printable(id));
            }
        }
        text
    }

    /// For the summary of a pipeline.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        if !self.outstanding.is_empty() {
            text.push_str("\n| package | installed | wanted |\n|---|---|---|\n");
        }
        for Planned { name, arch, from, to } in self.outstanding {
            let id = markdown_cell(&format!("{name}.{arch}"));
            let _ = writeln!(text, "| {id} | {} | {} |", markdown_cell(from), markdown_cell(to));
        }
        text
    }
}

/// What has to be installed, as the command of the image's package manager; what it must be told before comes before it.
#[must_use]
pub fn install_command(plan: &InstallPlan) -> String {
    let quoted = |words: &[String]| words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    for note in &plan.notes {
        let _ = writeln!(text, "# {}", printable(note).replace('\n', " "));
    }
    let Some(arguments) = plan.arguments() else {
        return text + "# nothing has to be installed\n";
    };
    let pins = plan.apt_preferences();
    if !pins.is_empty() {
        let _ = write!(text, "cat >/etc/apt/preferences.d/amiforge <<'END'\n{pins}END\n");
    }
    if let Some(locks) = plan.zypper_locks() {
        let _ = writeln!(text, "zypper {}", quoted(&locks));
    }
    let _ = writeln!(text, "{} {}", plan.manager.program(), quoted(&arguments));
    text
}

/// A word for a shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:=/+@%,~".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('~') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What changes, for a terminal.
#[must_use]
pub fn comparison_text(comparison: &Comparison) -> String {
    let occasion =
        |it: &Occasion| format!("{}, {}: {}", printable(&it.baseline), minute(it.now), verdict(it.compliant));
    let mut text = format!("before  {}\nafter   {}\n", occasion(&comparison.before), occasion(&comparison.after));
    let _ = writeln!(text, "{}", sum(comparison));
    for change in &comparison.changes {
        let _ = write!(text, "\n{}\n", printable(&change.sentence()));
    }
    text
}

fn sum(comparison: &Comparison) -> String {
    let changes = comparison.changes.len();
    let verb = if changes == 1 { "changes" } else { "change" };
    format!(
        "{} {verb}, {} stay the same",
        if changes == 1 { "1 patch".to_owned() } else { format!("{changes} patches") },
        comparison.unchanged
    )
}

/// What changes, for the summary of a pipeline.
#[must_use]
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let occasion =
        |it: &Occasion| format!("{}, {}: {}", markdown_cell(&it.baseline), minute(it.now), verdict(it.compliant));
    let mut text = format!(
        "### What changes\n\n* before: {}\n* after: {}\n\n{}.\n",
        occasion(&comparison.before),
        occasion(&comparison.after),
        sum(comparison)
    );
    if !comparison.changes.is_empty() {
        text.push_str("\n| patch | before | after | why |\n|---|---|---|---|\n");
    }
    for change in &comparison.changes {
        let state = |side: &Option<Side>| side.as_ref().map_or("not there", |side| side.state.as_str());
        let reasons = change.after.as_ref().or(change.before.as_ref());
        let why: Vec<String> = reasons.iter().flat_map(|side| &side.reasons).map(ToString::to_string).collect();
        let id = format!("{}.{}", change.name, change.arch);
        let (before, after) = (state(&change.before), state(&change.after));
        let _ = writeln!(text, "| {} | {before} | {after} | {} |", markdown_cell(&id), markdown_cell(&why.join("; ")));
    }
    text
}

#[cfg(test)]
#[path = "evaluation_tests.rs"]
mod tests;
