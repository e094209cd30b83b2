//! What the rules and lists of a baseline say about one version (patch-baselines.md 4.1). Every family of systems
//! prepares its versions as [`Subject`]s.

use super::baseline::{Baseline, Family, Filter, FilterKey, Level, OperatingSystem, RejectedAction};
use super::evaluate::Context;
use super::inventory::Advisory;
use super::listed::{Hit, List, Named};
use super::moment::{DateOrigin, Dated};
use super::reason::{Chain, Why};
use super::settings::{ApprovedList, InstalledRejected, MissingDate, MissingSeverity, NoNotices, RejectedIds};
use std::cell::Cell;

/// One version as rules look at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) named: Named<'a>,
    /// The notice that lists it.
    pub(super) notice: Option<&'a Advisory>,
    /// Whether it counts as a security update (patch-baselines.md 3.1).
    pub(super) security: bool,
    /// Its date; absent on systems where no date counts.
    pub(super) date: Option<Dated>,
    /// Whether its repository has any notice.
    pub(super) source_has_notices: bool,
    /// APT: priority.
    pub(super) priority: &'a str,
    /// APT: section.
    pub(super) section: &'a str,
}

/// A baseline, made ready for one evaluation.
pub(super) struct Policy<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) context: &'a Context,
    pub(super) family: Family,
    approved: List,
    rejected: List,
    /// Whether a list named a notice by an id that Patch Manager does not know it by.
    own_id_matched: Cell<bool>,
}

impl<'a> Policy<'a> {
    pub(super) fn new(baseline: &'a Baseline, context: &'a Context) -> Self {
        let family = baseline.operating_system.family();
        Self {
            baseline,
            context,
            family,
            approved: List::new(family, &baseline.approved),
            rejected: List::new(family, &baseline.rejected),
            own_id_matched: Cell::new(false),
        }
    }

    /// The compliance level with which a version is approved; nothing when it is not. Rejection wins over everything
    /// (patch-baselines.md 2.6).
    pub(super) fn level(&self, subject: &Subject, chain: &mut Chain) -> Option<Level> {
        // Looked up in any case, so that an entry of both lists does not count as one that names nothing.
        let listed = self.list_hit(subject);
        if let Some(hit) = self.rejected(subject.named, subject.notice) {
            chain.say(|| self.rejection(hit));
            return None;
        }
        let by_list = listed.and_then(|hit| self.by_list(subject, hit, chain));
        by_list.max(self.by_rules(subject, chain))
    }

    /// The entry that rejects.
    pub(super) fn rejected(&self, named: Named, notice: Option<&Advisory>) -> Option<Hit> {
        if let Some(hit) = self.rejected.names(named) {
            return Some(hit);
        }
        let ids = self.family == Family::Suse || self.context.settings.rejected_ids == RejectedIds::Reject;
        let notice = notice.filter(|_| ids)?;
        Some(self.remember(self.rejected.names_notice(notice)?))
    }

    /// Looks a version up in the list of approved patches only to know that an entry names it.
    pub(super) fn look_up(&self, named: Named) {
        self.approved.names(named);
    }

    pub(super) fn rejection(&self, hit: Hit) -> Why {
        Why::Rejected { entry: hit.entry, matched: hit.matched, action: self.baseline.rejected_action }
    }

    /// Whether a rejected package that is installed counts as rejected (conflict 5).
    pub(super) fn rejects_installed(&self) -> bool {
        self.baseline.rejected_action == RejectedAction::Block
            || (self.context.settings.installed_rejected == InstalledRejected::Always && self.family != Family::Apt)
    }

    fn list_hit(&self, subject: &Subject) -> Option<Hit> {
        if let Some(hit) = self.approved.names(subject.named) {
            return Some(hit);
        }
        if self.family == Family::Apt {
            return None;
        }
        Some(self.remember(self.approved.names_notice(subject.notice?)?))
    }

    fn remember(&self, hit: Hit) -> Hit {
        if hit.by_own_id {
            self.own_id_matched.set(true);
        }
        hit
    }

    fn by_list(&self, subject: &Subject, hit: Hit, chain: &mut Chain) -> Option<Level> {
        let baseline = self.baseline;
        // SUSE asks no more of approved names (patch-baselines.md 4.6).
        let security = subject.security || baseline.approved_non_security || self.family == Family::Suse;
        if !security {
            chain.say(|| Why::ListedNotSecurity { entry: hit.entry });
            return None;
        }
        let passes = self.context.settings.approved_list == ApprovedList::BypassesGlobalFilters
            || self.passes(&baseline.global_filters, 0, subject, chain);
        if !passes {
            return None;
        }
        let level = baseline.approved_level;
        chain.say(|| Why::Listed { entry: hit.entry, matched: hit.matched, level });
        Some(level)
    }

    /// The highest level of the rules that approve.
    fn by_rules(&self, subject: &Subject, chain: &mut Chain) -> Option<Level> {
        if !self.passes(&self.baseline.global_filters, 0, subject, chain) {
            return None;
        }
        let rules = self.baseline.rules.iter().enumerate();
        rules.filter_map(|(index, rule)| self.by_rule(index + 1, rule, subject, chain)).max()
    }

    fn by_rule(&self, number: usize, rule: &super::Rule, subject: &Subject, chain: &mut Chain) -> Option<Level> {
        let settings = &self.context.settings;
        if !self.passes(&rule.filters, number, subject, chain) {
            return None;
        }
        if !subject.security && !rule.enable_non_security {
            chain.say(|| Why::NotSecurity { rule: number });
            return None;
        }
        if settings.no_notices == NoNotices::Nothing && !subject.source_has_notices && self.family != Family::Apt {
            chain.say(|| Why::SourceWithoutNotices { rule: number });
            return None;
        }
        if let Some(date) = subject.date {
            let undated = !matches!(date.origin, DateOrigin::Updated | DateOrigin::Issued);
            if undated && settings.missing_date == MissingDate::Excluded && !rule.enable_non_security {
                chain.say(|| Why::Undated { rule: number });
                return None;
            }
            if !rule.approval.approves(date.at, self.context.now) {
                let (approval, from) = (rule.approval, rule.approval.from(date.at));
                chain.say(|| Why::NotInTime { rule: number, date, approval, from });
                return None;
            }
        }
        let approval = subject.date.map(|_| rule.approval);
        chain.say(|| Why::Approved { rule: number, level: rule.level, date: subject.date, approval });
        Some(rule.level)
    }

    /// Whether all filters pass; the first that does not is said.
    fn passes(&self, filters: &[Filter], rule: usize, subject: &Subject, chain: &mut Chain) -> bool {
        let failed = filters.iter().find(|filter| !self.passes_one(filter, subject));
        if let Some(Filter { key, values }) = failed {
            let attribute = self.attribute(*key, subject);
            // As the service writes it; compared without regard to case, it is the notice's own word.
            let attribute = attribute.and_then(|text| match key {
                FilterKey::Classification => classification(text),
                _ => Some(text.to_owned()),
            });
            chain.say(|| Why::Filtered { rule, key: *key, values: values.clone(), attribute });
        }
        failed.is_none()
    }

    fn passes_one(&self, filter: &Filter, subject: &Subject) -> bool {
        if filter.values.iter().any(|value| value == "*") {
            return true;
        }
        match (filter.key, self.attribute(filter.key, subject)) {
            // What the node's product is called is for SSM Agent to say; who does not know it leaves it out.
            (FilterKey::Product, None) => true,
            (FilterKey::Severity, None) => {
                let classified = subject.notice.is_some_and(|notice| !notice.kind.is_empty());
                classified && self.context.settings.missing_severity == MissingSeverity::Ignored
            }
            (_, None) => false,
            (key, Some(attribute)) => filter.values.iter().any(|value| self.same(key, value, attribute)),
        }
    }

    fn same(&self, key: FilterKey, value: &str, attribute: &str) -> bool {
        // `Medium` also means what says `Moderate`, on Amazon Linux 2023 only (patch-baselines.md 1.3).
        let moderate = key == FilterKey::Severity
            && self.baseline.operating_system == OperatingSystem::AmazonLinux2023
            && value.eq_ignore_ascii_case("Medium")
            && attribute.eq_ignore_ascii_case("Moderate");
        let ascii = value.is_ascii() && attribute.is_ascii();
        moderate
            || value.eq_ignore_ascii_case(attribute)
            || (!ascii && value.to_lowercase() == attribute.to_lowercase())
    }

    /// What a version has where a filter looks; nothing when it has nothing there.
    fn attribute<'s>(&'s self, key: FilterKey, subject: &Subject<'s>) -> Option<&'s str> {
        let text = match key {
            FilterKey::Product => self.context.product.as_deref()?,
            FilterKey::Classification => subject.notice?.kind.as_str(),
            FilterKey::Severity => subject.notice?.severity.as_str(),
            FilterKey::Priority => subject.priority,
            FilterKey::Section => subject.section,
            FilterKey::ProductFamily | FilterKey::PatchSet | FilterKey::MsrcSeverity => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Whether names do not matter.
    pub(super) fn has_no_lists(&self) -> bool {
        self.approved.is_empty() && self.rejected.is_empty()
    }

    /// Whether nothing without a notice can be approved, whatever it is called.
    pub(super) fn needs_notice(&self) -> bool {
        let rules = self.baseline.rules.iter().any(|rule| rule.enable_non_security);
        !rules && self.has_no_lists()
    }

    /// What there is to say about the lists after everything was looked at.
    pub(super) fn notes(&self, notes: &mut Vec<String>) {
        for (list, key) in [(&self.approved, "ApprovedPatches"), (&self.rejected, "RejectedPatches")] {
            notes.extend(list.unused().map(|entry| format!("the entry `{entry}` of {key} names nothing here")));
        }
        if self.own_id_matched.get() {
            notes.push(
                "a list names a notice by its <id>; Patch Manager knows it by the id of its self reference and would not \
                 find it (patch-baselines.md 2.1)"
                    .to_owned(),
            );
        }
        if self.baseline.rejected_action == RejectedAction::Block && !self.rejected.is_empty() {
            notes.push(
                "which updates need a rejected package is not evaluated: Patch Manager may leave such an update missing \
                 (conflict 6)"
                    .to_owned(),
            );
        }
        let product =
            |filter: &Filter| filter.key == FilterKey::Product && !filter.values.iter().any(|value| value == "*");
        let rules = self.baseline.rules.iter().flat_map(|rule| &rule.filters);
        if self.context.product.is_none() && self.baseline.global_filters.iter().chain(rules).any(product) {
            notes.push("the product is not known, so every PRODUCT filter counted as passed".to_owned());
        }
    }
}

/// `Security` of `security`: the classification of a notice is its type with a capital letter (patch-baselines.md 4.4).
pub(super) fn classification(kind: &str) -> Option<String> {
    let mut letters = kind.chars();
    let first = letters.next()?;
    Some(first.to_uppercase().chain(letters).collect())
}
