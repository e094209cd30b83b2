//! Reads a patch baseline from a project file: YAML or JSON with the API's own field names, which is also what
//! `aws ssm get-patch-baseline` prints.

use super::baseline::{
    Approval, AvailableSecurityUpdates, Baseline, Filter, FilterKey, Level, OperatingSystem, RejectedAction, Rule,
    Source,
};
use super::override_file;
use super::validate::{self, limits};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span, suggest};
use crate::yaml::{self, Node};
use std::sync::Arc;

/// What was read: a baseline when there is no error, and everything there is to say.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The baseline; absent when a diagnostic is an error.
    pub baseline: Option<Baseline>,
    /// Errors and warnings, in file order where they have a place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks a baseline file. Warnings are dropped: [`check_baseline`] has them.
pub fn parse_baseline(source: &Arc<SourceFile>) -> Result<Baseline, Vec<Diagnostic>> {
    let Parsed { baseline, diagnostics } = check_baseline(source);
    baseline.ok_or(diagnostics)
}

/// Reads and checks a baseline file.
pub fn check_baseline(source: &Arc<SourceFile>) -> Parsed {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(diagnostics) => return Parsed { baseline: None, diagnostics },
    };
    let mut reader = Reader { source, diagnostics: vec![] };
    let baseline = reader.baseline(&node, false);
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|d| d.primary.as_ref().map_or(0, |label| label.span.start));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    Parsed { baseline: baseline.filter(|_| !failed), diagnostics }
}

const TOP: &[&str] = &[
    "Name",
    "OperatingSystem",
    "Description",
    "GlobalFilters",
    "ApprovalRules",
    "ApprovedPatches",
    "ApprovedPatchesComplianceLevel",
    "ApprovedPatchesEnableNonSecurity",
    "RejectedPatches",
    "RejectedPatchesAction",
    "Sources",
    "AvailableSecurityUpdatesComplianceStatus",
    "BaselineId",
    "PatchGroups",
    "CreatedDate",
    "ModifiedDate",
    "ClientToken",
    "Tags",
];
const RULE: &[&str] =
    &["PatchFilterGroup", "ApproveAfterDays", "ApproveUntilDate", "ComplianceLevel", "EnableNonSecurity"];

pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn say(&mut self, diagnostic: Diagnostic, span: Span, label: impl Into<String>) {
        self.diagnostics.push(diagnostic.at(self.source, span, label));
    }

    /// Reads a definition. One that need not have a name gets one that follows from its operating system.
    pub(super) fn baseline(&mut self, node: &Node, nameless: bool) -> Option<Baseline> {
        if !self.keys(node, "a baseline", TOP) {
            return None;
        }
        let operating_system = self.required(node, "OperatingSystem").and_then(|n| self.word(n, OperatingSystem::ALL));
        let name = match (node.get("Name"), operating_system) {
            (None, Some(os)) if nameless => override_file::name(os),
            (None, None) if nameless => String::new(),
            _ => self.required(node, "Name").and_then(|n| self.text(n)).unwrap_or_default(),
        };
        let group = |reader: &mut Self, key: &str, inner: &'static str| {
            node.get(key).map(|n| reader.group(n, key, inner)).unwrap_or_default()
        };
        let filters = group(self, "GlobalFilters", "PatchFilters");
        let rules = group(self, "ApprovalRules", "PatchRules");
        let baseline = Baseline {
            name,
            id: self.optional(node, "BaselineId"),
            // Checked against `None` below: what depends on it is not checked then.
            operating_system: operating_system.unwrap_or(OperatingSystem::Windows),
            description: self.optional(node, "Description"),
            global_filters: filters.iter().filter_map(|n| self.filter(n, operating_system)).collect(),
            rules: rules.iter().filter_map(|n| self.rule(n, operating_system)).collect(),
            approved: self.texts(node, "ApprovedPatches"),
            approved_level: self.choice(node, "ApprovedPatchesComplianceLevel", Level::ALL, Level::Unspecified),
            approved_non_security: self.flag(node, "ApprovedPatchesEnableNonSecurity"),
            rejected: self.texts(node, "RejectedPatches"),
            rejected_action: self.choice(
                node,
                "RejectedPatchesAction",
                RejectedAction::ALL,
                RejectedAction::AllowAsDependency,
            ),
            sources: self.sources(node),
            available_security_updates: node
                .get("AvailableSecurityUpdatesComplianceStatus")
                .and_then(|n| self.word(n, AvailableSecurityUpdates::ALL)),
        };
        limits(self, node, filters, rules);
        operating_system?;
        validate::baseline(self, node, &baseline);
        Some(baseline)
    }

    /// The list inside `GlobalFilters: {PatchFilters: […]}` and its like.
    fn group<'n>(&mut self, node: &'n Node, key: &str, inner: &'static str) -> &'n [Node] {
        if !self.keys(node, key, &[inner]) {
            return &[];
        }
        let Some(list) = node.get(inner) else { return &[] };
        self.list(list)
    }

    fn rule(&mut self, node: &Node, os: Option<OperatingSystem>) -> Option<Rule> {
        if !self.keys(node, "a rule", RULE) {
            return None;
        }
        let group = self.required(node, "PatchFilterGroup")?;
        let nodes = self.group(group, "PatchFilterGroup", "PatchFilters");
        validate::filter_count(self, group.span, nodes.len());
        let filters = nodes.iter().filter_map(|n| self.filter(n, os)).collect();
        Some(Rule {
            filters,
            approval: self.approval(node)?,
            level: self.choice(node, "ComplianceLevel", Level::ALL, Level::Unspecified),
            enable_non_security: self.flag(node, "EnableNonSecurity"),
        })
    }

    fn approval(&mut self, node: &Node) -> Option<Approval> {
        match (node.get("ApproveAfterDays"), node.get("ApproveUntilDate")) {
            (Some(days), None) => {
                let value = days.as_int().and_then(|days| u16::try_from(days).ok()).filter(|&days| days <= 360);
                if value.is_none() {
                    let error = Diagnostic::error("B004", "`ApproveAfterDays` must be a whole number from 0 to 360");
                    self.say(error, days.span, days.describe());
                }
                value.map(Approval::AfterDays)
            }
            (None, Some(date)) => {
                let format = time::macros::format_description!("[year]-[month]-[day]");
                let value = date.as_str().and_then(|text| time::Date::parse(text, format).ok());
                if value.is_none() {
                    let error = Diagnostic::error("B004", "`ApproveUntilDate` must be a date as `2026-01-31`");
                    self.say(error, date.span, "");
                }
                value.map(Approval::UntilDate)
            }
            (days, _) => {
                let both = days.is_some();
                let how = if both { "has both" } else { "has neither" };
                let error =
                    Diagnostic::error("B007", format!("a rule {how} `ApproveAfterDays` and `ApproveUntilDate`"))
                        .help("give exactly one of the two; `ApproveAfterDays: 0` approves at once");
                self.say(error, node.span, "");
                None
            }
        }
    }

    fn filter(&mut self, node: &Node, os: Option<OperatingSystem>) -> Option<Filter> {
        if !self.keys(node, "a filter", &["Key", "Values"]) {
            return None;
        }
        let key_node = self.required(node, "Key")?;
        let key = self.word(key_node, FilterKey::ALL)?;
        let values_node = self.required(node, "Values")?;
        let values = self.list(values_node);
        let values: Vec<String> = values.iter().filter_map(|n| self.text(n)).collect();
        if let Some(os) = os {
            validate::filter(self, os, (key_node, key), (values_node, &values));
        }
        Some(Filter { key, values })
    }

    fn sources(&mut self, node: &Node) -> Vec<Source> {
        let Some(list) = node.get("Sources") else { return vec![] };
        let nodes = self.list(list);
        let mut sources = vec![];
        for node in nodes {
            if !self.keys(node, "a source", &["Name", "Products", "Configuration"]) {
                continue;
            }
            let name = self.required(node, "Name").and_then(|n| self.text(n));
            let configuration = self.required(node, "Configuration").and_then(|n| self.text(n));
            let products = self.texts(node, "Products");
            if let (Some(name), Some(configuration)) = (name, configuration) {
                sources.push(Source { name, products, configuration });
            }
        }
        sources
    }

    /// Whether it is a mapping; its unknown keys are errors.
    fn keys(&mut self, node: &Node, what: &str, known: &[&str]) -> bool {
        let Some(entries) = node.entries() else {
            let error = Diagnostic::error("B001", format!("{what} must be a mapping"));
            self.say(error, node.span, format!("this is {}", node.describe()));
            return false;
        };
        for (key, _) in entries {
            let word = key.as_str().unwrap_or_default();
            if !known.contains(&word) {
                let error = Diagnostic::error("B002", format!("unknown key `{word}` in {what}"));
                self.say(with_suggestion(error, word, known), key.span, "");
            }
        }
        true
    }

    fn required<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            let mut error = Diagnostic::error("B003", format!("`{key}` is missing"));
            if key == "OperatingSystem" {
                error = error
                    .note("the service takes a baseline without it for one of WINDOWS")
                    .help("add for example `OperatingSystem: DEBIAN`");
            }
            let span = Span::new(node.span.start, node.span.start);
            self.say(error, span, "");
        }
        found
    }

    fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        node.items().unwrap_or_else(|| {
            self.say(
                Diagnostic::error("B001", "this must be a list"),
                node.span,
                format!("this is {}", node.describe()),
            );
            &[]
        })
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        let text = node.as_str().filter(|_| !node.is_null());
        if text.is_none() {
            self.say(Diagnostic::error("B001", "this must be text"), node.span, format!("this is {}", node.describe()));
        }
        text.map(str::to_owned)
    }

    fn texts(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Some(list) = node.get(key) else { return vec![] };
        self.list(list).iter().filter_map(|item| self.text(item)).collect()
    }

    fn optional(&mut self, node: &Node, key: &str) -> Option<String> {
        node.get(key).and_then(|node| self.text(node))
    }

    fn flag(&mut self, node: &Node, key: &str) -> bool {
        let Some(value) = node.get(key) else { return false };
        value.as_bool().unwrap_or_else(|| {
            let error = Diagnostic::error("B001", format!("`{key}` must be true or false"));
            self.say(error, value.span, format!("this is {}", value.describe()));
            false
        })
    }

    fn choice<T: Copy + std::fmt::Display>(&mut self, node: &Node, key: &str, all: &[T], default: T) -> T {
        node.get(key).and_then(|value| self.word(value, all)).unwrap_or(default)
    }

    /// One of the API's words.
    fn word<T: Copy + std::fmt::Display>(&mut self, node: &Node, all: &[T]) -> Option<T> {
        let text = self.text(node)?;
        let found = all.iter().copied().find(|value| value.to_string() == text);
        if found.is_none() {
            let words: Vec<String> = all.iter().map(ToString::to_string).collect();
            let error = Diagnostic::error("B004", format!("`{text}` is none of the values that are possible here"))
                .note(format!("possible are {}", words.join(", ")));
            let known: Vec<&str> = words.iter().map(String::as_str).collect();
            self.say(with_suggestion(error, &text, &known), node.span, "");
        }
        found
    }
}

/// Adds a "did you mean" when a candidate is near.
pub(super) fn with_suggestion(diagnostic: Diagnostic, word: &str, candidates: &[&str]) -> Diagnostic {
    match suggest(word, candidates.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
