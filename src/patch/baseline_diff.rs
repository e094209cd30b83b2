//! What differs between two baselines, by what they mean: the order of filters and of list entries means nothing, names and
//! ids are no part of the meaning. Rules are compared in order. A filter that everything passes (`*`) is compared as it is
//! written, because the service keeps it as it is written.

use super::baseline::{Approval, Baseline, Filter, OperatingSystem, Rule, Source};
use super::explain;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;

/// The schema of a baseline diff as a document.
pub const BASELINE_DIFF_SCHEMA: &str = "amiforge.baseline-diff/1";

/// What differs between two baselines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineDiff {
    /// [`BASELINE_DIFF_SCHEMA`].
    pub schema: String,
    /// What the first one is called.
    pub from: String,
    /// What the second one is called.
    pub to: String,
    /// The differences, in the order of the definition.
    pub changes: Vec<BaselineChange>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineChange {
    /// What happened to it.
    pub kind: ChangeKind,
    /// The rule it is in, counted from one: in the second baseline, or in the first where it is only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// The field in the API's words, or the key of a filter; `PatchRule` for a whole rule.
    pub field: String,
    /// In the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// In the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// For people: what was and what is.
    pub text: String,
}

/// What happened to a part of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Only the second one has it.
    Added,
    /// Only the first one has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
}

/// Compares what two baselines mean.
#[must_use]
pub fn baseline_diff(from: &Baseline, to: &Baseline) -> BaselineDiff {
    let mut out = Out { rule: None, changes: vec![] };
    out.value("OperatingSystem", &json!(from.operating_system), &json!(to.operating_system));
    out.optional("Description", &json!(from.description), &json!(to.description));
    out.filters(&from.global_filters, &to.global_filters);
    rules(from, to, &mut out);
    out.list("ApprovedPatches", &from.approved, &to.approved);
    out.value("ApprovedPatchesComplianceLevel", &json!(from.approved_level), &json!(to.approved_level));
    let flags = [json!(from.approved_non_security), json!(to.approved_non_security)];
    out.value("ApprovedPatchesEnableNonSecurity", &flags[0], &flags[1]);
    out.list("RejectedPatches", &from.rejected, &to.rejected);
    out.value("RejectedPatchesAction", &json!(from.rejected_action), &json!(to.rejected_action));
    sources(&from.sources, &to.sources, &mut out);
    let statuses = (json!(from.available_security_updates), json!(to.available_security_updates));
    out.optional("AvailableSecurityUpdatesComplianceStatus", &statuses.0, &statuses.1);
    BaselineDiff {
        schema: BASELINE_DIFF_SCHEMA.to_owned(),
        from: from.name.clone(),
        to: to.name.clone(),
        changes: out.changes,
    }
}

impl BaselineDiff {
    /// The same, with other words for the two.
    #[must_use]
    pub fn called(mut self, from: &str, to: &str) -> Self {
        from.clone_into(&mut self.from);
        to.clone_into(&mut self.to);
        self
    }

    /// Whether the two mean the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Pairs the rules: those that are the same in both, in order, are passed over; between them they are compared one by one.
fn rules(from: &Baseline, to: &Baseline, out: &mut Out) {
    let keys = |baseline: &Baseline| baseline.rules.iter().map(key).collect::<Vec<String>>();
    for op in capture_diff_slices(Algorithm::Myers, &keys(from), &keys(to)) {
        let (old, new) = match op {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete { old_index, old_len, .. } => (old_index..old_index + old_len, 0..0),
            DiffOp::Insert { new_index, new_len, .. } => (0..0, new_index..new_index + new_len),
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                (old_index..old_index + old_len, new_index..new_index + new_len)
            }
        };
        let pairs = old.len().min(new.len());
        for (before, after) in old.clone().zip(new.clone()) {
            out.rule = Some(after + 1);
            let systems = (from.operating_system, to.operating_system);
            rule(systems, &from.rules[before], &to.rules[after], out);
        }
        for before in old.skip(pairs) {
            out.rule = Some(before + 1);
            out.whole(ChangeKind::Removed, from.operating_system, &from.rules[before]);
        }
        for after in new.skip(pairs) {
            out.rule = Some(after + 1);
            out.whole(ChangeKind::Added, to.operating_system, &to.rules[after]);
        }
        out.rule = None;
    }
}

/// A text that is the same for rules that mean the same.
fn key(rule: &Rule) -> String {
    let rest = (rule.approval, rule.level, rule.enable_non_security);
    json!([grouped(&rule.filters), rest]).to_string()
}

fn rule((old_os, new_os): (OperatingSystem, OperatingSystem), from: &Rule, to: &Rule, out: &mut Out) {
    out.filters(&from.filters, &to.filters);
    if from.approval != to.approval {
        let without = if old_os.is_apt() && new_os.is_apt() { " (no effect on this system)" } else { "" };
        let text = format!("{} → {}{without}", approval(from.approval), approval(to.approval));
        out.add(ChangeKind::Changed, "Approval", Some(json!(from.approval)), Some(json!(to.approval)), text);
    }
    out.value("ComplianceLevel", &json!(from.level), &json!(to.level));
    out.value("EnableNonSecurity", &json!(from.enable_non_security), &json!(to.enable_non_security));
}

fn approval(approval: Approval) -> String {
    match approval {
        Approval::AfterDays(days) => format!("after {}", explain::days_of(days)),
        Approval::UntilDate(date) => format!("until {date}"),
    }
}

/// Filters by key; several of one key all have to pass, so each keeps its own values.
fn grouped(filters: &[Filter]) -> BTreeMap<&'static str, Vec<Vec<&str>>> {
    let mut groups: BTreeMap<&'static str, Vec<Vec<&str>>> = BTreeMap::new();
    for filter in filters {
        let mut values: Vec<&str> = filter.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        values.dedup();
        groups.entry(filter.key.as_str()).or_default().push(values);
    }
    for group in groups.values_mut() {
        group.sort();
        group.dedup();
    }
    groups
}

fn sources(from: &[Source], to: &[Source], out: &mut Out) {
    let (old, new) = (repositories(from), repositories(to));
    for (name, bodies) in &old {
        match new.get(name) {
            None => out.add(ChangeKind::Removed, "Sources", Some(bodies_of(name, bodies)), None, (*name).to_owned()),
            Some(others) if others != bodies => {
                let text = format!("{name}: another configuration or other products");
                let (from, to) = (bodies_of(name, bodies), bodies_of(name, others));
                out.add(ChangeKind::Changed, "Sources", Some(from), Some(to), text);
            }
            Some(_) => {}
        }
    }
    for (name, bodies) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        out.add(ChangeKind::Added, "Sources", None, Some(bodies_of(name, bodies)), (*name).to_owned());
    }
}

/// Repositories of one name in the API's shape. Texts name them only: a configuration may hold a password.
fn bodies_of(name: &str, bodies: &[(Vec<&str>, &str)]) -> Value {
    let body = |(products, configuration): &(Vec<&str>, &str)| json!({ "Name": name, "Products": products, "Configuration": configuration });
    bodies.iter().map(body).collect()
}

/// Repositories by name: products in order, and configuration. A name may stand there more than once.
fn repositories(sources: &[Source]) -> BTreeMap<&str, Vec<(Vec<&str>, &str)>> {
    let mut named: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for source in sources {
        let mut products: Vec<&str> = source.products.iter().map(String::as_str).collect();
        products.sort_unstable();
        named.entry(&source.name).or_default().push((products, source.configuration.as_str()));
    }
    for bodies in named.values_mut() {
        bodies.sort();
    }
    named
}

/// The differences found so far, and the rule that is looked at.
struct Out {
    rule: Option<usize>,
    changes: Vec<BaselineChange>,
}

impl Out {
    fn add(&mut self, kind: ChangeKind, field: &str, from: Option<Value>, to: Option<Value>, text: String) {
        self.changes.push(BaselineChange { kind, rule: self.rule, field: field.to_owned(), from, to, text });
    }

    fn value(&mut self, field: &str, from: &Value, to: &Value) {
        if from != to {
            let text = format!("{} → {}", plain(from), plain(to));
            self.add(ChangeKind::Changed, field, Some(from.clone()), Some(to.clone()), text);
        }
    }

    /// A field that may be absent (null).
    fn optional(&mut self, field: &str, from: &Value, to: &Value) {
        match (from.is_null(), to.is_null()) {
            (false, true) => self.add(ChangeKind::Removed, field, Some(from.clone()), None, plain(from)),
            (true, false) => self.add(ChangeKind::Added, field, None, Some(to.clone()), plain(to)),
            _ => self.value(field, from, to),
        }
    }

    /// Entries of a list whose order means nothing.
    fn list(&mut self, field: &str, from: &[String], to: &[String]) {
        let mut only = |kind: ChangeKind, these: &[String], those: &[String]| {
            let mut alone: Vec<&String> = these.iter().filter(|entry| !those.contains(entry)).collect();
            alone.sort();
            alone.dedup();
            for entry in alone {
                let (old, new) =
                    if kind == ChangeKind::Added { (None, Some(json!(entry))) } else { (Some(json!(entry)), None) };
                self.add(kind, field, old, new, entry.clone());
            }
        };
        only(ChangeKind::Removed, from, to);
        only(ChangeKind::Added, to, from);
    }

    fn filters(&mut self, from: &[Filter], to: &[Filter]) {
        let (old, new) = (grouped(from), grouped(to));
        for (key, values) in &old {
            match new.get(key) {
                None => self.add(ChangeKind::Removed, key, Some(flat(values)), None, filter_text(values)),
                Some(other) if other != values => {
                    let text = format!("{} → {}", filter_text(values), filter_text(other));
                    self.add(ChangeKind::Changed, key, Some(flat(values)), Some(flat(other)), text);
                }
                Some(_) => {}
            }
        }
        for (key, values) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            self.add(ChangeKind::Added, key, None, Some(flat(values)), filter_text(values));
        }
    }

    fn whole(&mut self, kind: ChangeKind, os: OperatingSystem, rule: &Rule) {
        let body = super::export::rule(rule);
        let delay = if os.is_apt() { String::new() } else { format!(" {}", approval(rule.approval)) };
        let text = format!("{}{delay}", explain::short(os, rule));
        let (from, to) = if kind == ChangeKind::Added { (None, Some(body)) } else { (Some(body), None) };
        self.add(kind, "PatchRule", from, to, text);
    }
}

/// The values of the only filter of a key, or lists of values.
fn flat(values: &[Vec<&str>]) -> Value {
    if let [only] = values { json!(only) } else { json!(values) }
}

fn filter_text(values: &[Vec<&str>]) -> String {
    let one = |values: &Vec<&str>| values.join(", ");
    values.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[path = "baseline_diff_tests.rs"]
mod tests;
