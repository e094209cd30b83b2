//! How bad each rule is in a project.

use super::model::{Basis, Rule};
use super::registry;
use crate::diagnostic::{Diagnostic, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// How bad a rule is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It says nothing.
    Off,
    /// Background.
    Note,
    /// Probably a mistake.
    Warning,
    /// Refused.
    Error,
}

impl Level {
    /// The words for it, from mild to strict.
    pub const NAMES: [&str; 4] = ["off", "note", "warning", "error"];

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "note" => Some(Self::Note),
            "warning" => Some(Self::Warning),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// What differs from the levels that the rules have by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Levels {
    /// By rule id.
    chosen: BTreeMap<&'static str, Level>,
    /// If not empty, the rules that speak at all; what the service refuses is told in any case.
    only: BTreeSet<&'static str>,
}

impl Levels {
    /// Sets the level of a rule; `false` if the rule cannot be lowered to it, because the service refuses what it reports.
    pub fn set(&mut self, rule: &'static Rule, level: Level) -> bool {
        if rule.is_firm() && level != Level::Error {
            return false;
        }
        self.chosen.insert(rule.id, level);
        true
    }

    /// Lets this rule speak, and no others that are not named likewise.
    pub fn only(&mut self, rule: &'static Rule) {
        self.only.insert(rule.id);
    }

    /// Takes over what another one says, over what this one says.
    pub fn extend(&mut self, other: &Self) {
        self.chosen.extend(&other.chosen);
        self.only.extend(&other.only);
    }

    /// Whether a rule may say something.
    pub fn is_on(&self, rule: &Rule) -> bool {
        let chosen = self.chosen.get(rule.id).copied();
        chosen != Some(Level::Off) && (self.only.is_empty() || self.only.contains(rule.id))
    }

    /// The diagnostics with their levels as chosen, without those that are switched off. What the service refuses stays
    /// an error, and codes that are no rules stay as they are.
    pub fn apply(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        found.into_iter().filter_map(|diagnostic| self.leveled(diagnostic)).collect()
    }

    fn leveled(&self, diagnostic: Diagnostic) -> Option<Diagnostic> {
        let Some(rule) = registry::find(diagnostic.code) else { return Some(diagnostic) };
        if is_firm(rule, &diagnostic) {
            return Some(diagnostic);
        }
        if !self.is_on(rule) {
            return None;
        }
        match self.chosen.get(rule.id) {
            Some(level) => level.severity().map(|severity| Diagnostic { severity, ..diagnostic }),
            None => Some(diagnostic),
        }
    }
}

/// Whether nothing can make this finding go away but a change of the file.
pub(super) fn is_firm(rule: &Rule, diagnostic: &Diagnostic) -> bool {
    rule.basis == Basis::Service && diagnostic.severity == Severity::Error && !diagnostic.inferred
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::rules::find;

    fn diagnostic(code: &'static str) -> Diagnostic {
        Diagnostic::new(code, find(code).map_or(Severity::Error, |rule| rule.level), "m")
    }

    fn codes(levels: &Levels, all: &[&'static str]) -> Vec<(&'static str, Severity)> {
        let found = levels.apply(all.iter().map(|code| diagnostic(code)).collect());
        found.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.severity)).collect()
    }

    #[test]
    fn rules_are_raised_lowered_and_switched_off() {
        let rule = find("S014").unwrap();
        let mut levels = Levels::default();
        assert_eq!(codes(&levels, &["S014", "P001"]), [("S014", Severity::Warning), ("P001", Severity::Error)]);
        assert!(levels.set(rule, Level::Error));
        assert_eq!(codes(&levels, &["S014"]), [("S014", Severity::Error)]);
        assert!(levels.set(rule, Level::Off));
        assert_eq!(codes(&levels, &["S014", "P001"]), [("P001", Severity::Error)]);
        assert!(!levels.is_on(rule));
    }

    #[test]
    fn only_some_rules_speak_but_the_service_is_always_heard() {
        let mut levels = Levels::default();
        levels.only(find("S014").unwrap());
        assert_eq!(codes(&levels, &["S014", "S012", "S001"]), [("S014", Severity::Warning), ("S001", Severity::Error)]);
    }

    #[test]
    fn what_the_service_refuses_cannot_be_lowered_but_what_is_inferred_can() {
        let mut levels = Levels::default();
        assert!(!levels.set(find("S001").unwrap(), Level::Warning));
        assert!(levels.set(find("S001").unwrap(), Level::Error));
        assert!(levels.set(find("S008").unwrap(), Level::Off));
        assert!(levels.set(find("D001").unwrap(), Level::Off));
        let duplicate = Diagnostic::error("D001", "m").inferred();
        assert_eq!(levels.apply(vec![duplicate, Diagnostic::error("D001", "m")]).len(), 1);
    }
}
