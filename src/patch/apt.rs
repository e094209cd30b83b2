//! The evaluator for APT systems (patch-baselines.md 4.5).

use super::baseline::{Baseline, Filter, FilterKey, Level, RejectedAction};
use super::evaluate::{EvaluateError, Evaluation, accepts, listed};
use super::inventory::{Inventory, Package};
use super::outcome::{Counts, PatchItem, State};
use super::version::DebianVersion;
use std::collections::{BTreeMap, BTreeSet};

/// Name and architecture. A package for all architectures is the native one to apt: its next version may be built per
/// architecture and still replaces it.
type Key<'a> = (&'a str, &'a str);

/// One version of one package with all that is known of it.
struct Candidate<'a> {
    version: DebianVersion,
    /// Its records: the installed one and those of the indexes.
    records: Vec<&'a Package>,
    /// Whether a trusted security source has it. One is enough; most versions have several origins.
    security: bool,
}

/// Every offer of one package: the record, and whether it comes from a security source.
type Offers<'a> = BTreeMap<Key<'a>, Vec<(&'a Package, bool)>>;

/// Evaluates; that the inventory can be evaluated at all was checked before.
pub(super) fn evaluate(baseline: &Baseline, inventory: &Inventory, product: &str) -> Result<Evaluation, EvaluateError> {
    let policy = Policy { baseline, product };
    let native = native_arch(inventory);
    let security: Vec<bool> = inventory.sources.iter().map(super::PackageSource::is_security).collect();
    let from_security = |index: usize| security.get(index).copied().unwrap_or(false);

    let mut offers = Offers::new();
    for offer in &inventory.offered {
        let records = offers.entry(key(&offer.package.name, &offer.package.arch, native)).or_default();
        records.push((&offer.package, from_security(offer.from)));
    }
    let mut items = vec![];
    for package in &inventory.installed {
        let offered = offers.remove(&key(&package.name, &package.arch, native)).unwrap_or_default();
        items.push(policy.item(package, &offered)?);
    }
    items.sort_by(|a, b| (&a.name, &a.arch, &a.installed).cmp(&(&b.name, &b.arch, &b.installed)));

    let mut counts = Counts::default();
    for item in &items {
        counts.add(item.state);
    }
    // What is left are packages that are installed in another architecture only.
    let mut absent: BTreeSet<Key> = BTreeSet::new();
    for (key, offered) in &offers {
        if candidates(None, offered)?.iter().any(|candidate| policy.level(candidate).is_some()) {
            absent.insert(*key);
        }
    }
    policy.collect_absent(inventory, native, from_security, &mut absent);
    counts.not_applicable = u32::try_from(absent.len()).unwrap_or(u32::MAX);
    Ok(Evaluation { items, counts })
}

fn key<'a>(name: &'a str, arch: &'a str, native: &'a str) -> Key<'a> {
    (name, if arch == "all" { native } else { arch })
}

/// The architecture of the system: the one most installed packages have. Of a system that has packages for all
/// architectures only, the sources tell.
fn native_arch(inventory: &Inventory) -> &str {
    let installed = most_frequent(inventory.installed.iter().map(|package| package.arch.as_str()));
    let offered = || most_frequent(inventory.offered.iter().map(|offer| offer.package.arch.as_str()));
    installed.or_else(offered).unwrap_or("all")
}

fn most_frequent<'a>(archs: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for arch in archs.filter(|&arch| arch != "all") {
        *count.entry(arch).or_default() += 1;
    }
    count.into_iter().max_by_key(|&(arch, packages)| (packages, std::cmp::Reverse(arch))).map(|(arch, _)| arch)
}

/// The versions that count, each once: all of them, or those not older than the installed one.
fn candidates<'a>(
    installed: Option<&'a Package>,
    offered: &[(&'a Package, bool)],
) -> Result<Vec<Candidate<'a>>, EvaluateError> {
    let mut by_text: BTreeMap<&str, Candidate> = BTreeMap::new();
    for (package, security) in installed.map(|package| (package, false)).iter().chain(offered) {
        if let Some(known) = by_text.get_mut(package.version.as_str()) {
            known.records.push(package);
            known.security |= security;
            continue;
        }
        let version = package.version.parse().map_err(|source| EvaluateError::Version {
            package: format!("{}:{}", package.name, package.arch),
            source,
        })?;
        by_text.insert(&package.version, Candidate { version, records: vec![package], security: *security });
    }
    let lowest = installed.and_then(|package| by_text.get(package.version.as_str())).map(|c| c.version.clone());
    let counts = |candidate: &Candidate| lowest.as_ref().is_none_or(|lowest| candidate.version >= *lowest);
    Ok(by_text.into_values().filter(counts).collect())
}

/// A baseline for one product.
struct Policy<'a> {
    baseline: &'a Baseline,
    product: &'a str,
}

impl Policy<'_> {
    /// What the baseline says about an installed package.
    fn item(&self, package: &Package, offered: &[(&Package, bool)]) -> Result<PatchItem, EvaluateError> {
        let candidates = candidates(Some(package), offered)?;
        let best = candidates
            .iter()
            .filter_map(|candidate| Some((candidate, self.level(candidate)?)))
            .max_by(|(a, _), (b, _)| a.version.cmp(&b.version));
        let installed = candidates.iter().find(|c| c.records.iter().any(|record| std::ptr::eq(*record, package)));
        let mut item = PatchItem {
            name: package.name.clone(),
            arch: package.arch.clone(),
            installed: package.version.clone(),
            available: None,
            state: State::InstalledOther,
            classification: String::new(),
            severity: String::new(),
            level: Level::Unspecified.to_string(),
        };
        let Some((best, level)) = best else {
            if self.baseline.rejected_action == RejectedAction::Block && self.rejects(package) {
                item.state = State::InstalledRejected;
            }
            // The service leaves classification and severity out for what no rule approved (5.5).
            return Ok(item);
        };
        item.state = State::Installed;
        if installed.is_some_and(|installed| best.version > installed.version) {
            item.state = State::Missing;
            item.available = best.records.first().map(|record| record.version.clone());
        }
        item.classification = if best.security { "Security".to_owned() } else { String::new() };
        item.severity = best.records.iter().map(|record| record.priority.clone()).max().unwrap_or_default();
        item.level = level.to_string();
        Ok(item)
    }

    /// The compliance level with which a version is approved; nothing when it is not.
    fn level(&self, candidate: &Candidate) -> Option<Level> {
        if candidate.records.iter().any(|record| self.rejects(record)) {
            return None;
        }
        let by_rule = |record: &&Package| self.rule_level(&record.priority, &record.section, candidate.security);
        let rules = candidate.records.iter().filter_map(by_rule).max();
        let list = candidate
            .records
            .iter()
            .find_map(|record| self.list_level(&record.name, &record.arch, &record.version, candidate.security));
        rules.max(list)
    }

    /// The highest level of the rules that approve such a version.
    fn rule_level(&self, priority: &str, section: &str, security: bool) -> Option<Level> {
        if !self.passes(&self.baseline.global_filters, priority, section) {
            return None;
        }
        let approves = |rule: &&super::Rule| {
            (rule.enable_non_security || security) && self.passes(&rule.filters, priority, section)
        };
        self.baseline.rules.iter().filter(approves).map(|rule| rule.level).max()
    }

    /// The level of the list of approved patches. Global filters do not apply to it (conflict 4 of 14.1).
    fn list_level(&self, name: &str, arch: &str, version: &str, security: bool) -> Option<Level> {
        let baseline = self.baseline;
        let approved = (baseline.approved_non_security || security) && listed(&baseline.approved, name, arch, version);
        approved.then_some(baseline.approved_level)
    }

    fn rejects(&self, package: &Package) -> bool {
        listed(&self.baseline.rejected, &package.name, &package.arch, &package.version)
    }

    fn passes(&self, filters: &[Filter], priority: &str, section: &str) -> bool {
        filters.iter().all(|filter| {
            let attribute = match filter.key {
                FilterKey::Product => self.product,
                FilterKey::Priority => priority,
                FilterKey::Section => section,
                // No APT package has the others: only `*` passes.
                _ => "",
            };
            accepts(&filter.values, attribute)
        })
    }

    /// Adds the approved packages among those that are not installed in any architecture.
    fn collect_absent<'a>(
        &self,
        inventory: &'a Inventory,
        native: &'a str,
        from_security: impl Fn(usize) -> bool,
        absent: &mut BTreeSet<Key<'a>>,
    ) {
        for group in &inventory.others {
            let security = from_security(group.from);
            let by_rule = self.rule_level(&group.priority, &group.section, security).is_some();
            if !by_rule && self.baseline.approved.is_empty() {
                continue;
            }
            for line in group.packages.lines() {
                let mut words = line.split(' ');
                let (Some(name), Some(arch), Some(version)) = (words.next(), words.next(), words.next()) else {
                    continue;
                };
                let rejected = listed(&self.baseline.rejected, name, arch, version);
                if !rejected && (by_rule || self.list_level(name, arch, version, security).is_some()) {
                    absent.insert(key(name, arch, native));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "apt_tests.rs"]
mod tests;
