//! The evaluator for APT systems (patch-baselines.md 4.5).

use super::baseline::Level;
use super::evaluate::EvaluateError;
use super::evaluation::Patch;
use super::inventory::{Inventory, OtherOffer, Package};
use super::listed::Named;
use super::outcome::State;
use super::policy::{Policy, Subject};
use super::reason::{Chain, Reason, Why};
use super::rpms::Found;
use super::settings::AptSecurity;
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

impl Candidate<'_> {
    /// The version as written.
    fn text(&self) -> &str {
        self.records.first().map_or("", |record| &record.version)
    }
}

/// Every offer of one package: the record, and whether it comes from a security source.
type Offers<'a> = BTreeMap<Key<'a>, Vec<(&'a Package, bool)>>;

/// Evaluates; that the inventory can be evaluated at all was checked before.
pub(super) fn evaluate(policy: &Policy, inventory: &Inventory) -> Result<Found, EvaluateError> {
    let evaluator = Evaluator { policy };
    let native = native_arch(inventory);
    let security: Vec<bool> = inventory.sources.iter().map(super::PackageSource::is_security).collect();
    let from_security = |index: usize| security.get(index).copied().unwrap_or(false);

    let mut offers = Offers::new();
    for offer in &inventory.offered {
        let records = offers.entry(key(&offer.package.name, &offer.package.arch, native)).or_default();
        records.push((&offer.package, from_security(offer.from)));
    }
    let mut patches = vec![];
    for package in &inventory.installed {
        let offered = offers.remove(&key(&package.name, &package.arch, native)).unwrap_or_default();
        patches.push(evaluator.patch(package, &offered)?);
    }
    // What is left are packages that are installed in another architecture only.
    let mut absent: BTreeSet<Key> = BTreeSet::new();
    for (key, offered) in &offers {
        let approved = |candidate: &Candidate| evaluator.level(candidate, &mut Chain::dropped()).is_some();
        if evaluator.candidates(None, offered)?.iter().any(approved) {
            absent.insert(*key);
        }
    }
    evaluator.collect_absent(inventory, native, from_security, &mut absent);
    Ok(Found { patches, not_applicable: absent.len() })
}

fn key<'a>(name: &'a str, arch: &'a str, native: &'a str) -> Key<'a> {
    (name, if arch == "all" { native } else { arch })
}

/// The architecture of the system: that of dpkg, which decides it. Where dpkg is not installed the one most packages have;
/// of a system that has packages for all architectures only, the sources tell.
pub(super) fn native_arch(inventory: &Inventory) -> &str {
    let dpkg = inventory.installed.iter().find(|package| package.name == "dpkg" && package.arch != "all");
    if let Some(dpkg) = dpkg {
        return &dpkg.arch;
    }
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

struct Evaluator<'a> {
    policy: &'a Policy<'a>,
}

impl Evaluator<'_> {
    /// The versions that count, each once: all of them, or those not older than the installed one.
    fn candidates<'a>(
        &self,
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
        let mut found: Vec<Candidate> = by_text.into_values().filter(counts).collect();
        if self.policy.context.settings.apt_security == AptSecurity::CandidateOnly {
            let highest = found.iter().map(|candidate| candidate.version.clone()).max();
            for candidate in &mut found {
                candidate.security &= Some(&candidate.version) == highest.as_ref();
            }
        }
        Ok(found)
    }

    /// What the baseline says about an installed package.
    fn patch(&self, package: &Package, offered: &[(&Package, bool)]) -> Result<Patch, EvaluateError> {
        let candidates = self.candidates(Some(package), offered)?;
        let mut judged = vec![];
        for candidate in &candidates {
            let mut chain = Chain::kept();
            let level = self.level(candidate, &mut chain);
            let reasons: Vec<Reason> = chain.about(candidate.text(), None).collect();
            judged.push((candidate, level, reasons));
        }
        let best = judged.iter().filter_map(|(candidate, level, _)| Some((*candidate, (*level)?)));
        let best = best.max_by(|(a, _), (b, _)| a.version.cmp(&b.version));
        let newest = candidates.iter().map(|candidate| &candidate.version).max();
        let mut patch = plain(package);
        for (candidate, level, reasons) in judged {
            if best.is_some_and(|(best, _)| best.version == candidate.version) && level.is_some() {
                patch.reasons.extend(reasons.into_iter().filter(Reason::approves));
            } else if level.is_none() && newest == Some(&candidate.version) {
                patch.reasons.extend(reasons);
            }
        }
        match best {
            Some((best, level)) => approved(package, best, level, &mut patch)?,
            None => self.unapproved(package, offered.is_empty(), &mut patch),
        }
        Ok(patch)
    }

    /// Nothing is approved: the service leaves classification and severity out for those (patch-baselines.md 5.5).
    fn unapproved(&self, package: &Package, alone: bool, patch: &mut Patch) {
        patch.reasons.push(if alone { Why::NotOffered.into() } else { Why::NothingApproved.into() });
        if let Some(hit) = self.policy.rejected(named(package), None).filter(|_| self.policy.rejects_installed()) {
            patch.state = State::InstalledRejected;
            let why = self.policy.rejection(hit);
            let rejection = Reason { version: package.version.clone(), advisory: None, why };
            if !patch.reasons.contains(&rejection) {
                patch.reasons.push(rejection);
            }
            patch.reasons.push(Why::Blocked.into());
        }
    }

    /// The compliance level with which a version is approved; nothing when it is not.
    fn level(&self, candidate: &Candidate, chain: &mut Chain) -> Option<Level> {
        let rejected = |record: &&Package| self.policy.rejected(named(record), None);
        if let Some(hit) = candidate.records.iter().find_map(rejected) {
            chain.say(|| self.policy.rejection(hit));
            return None;
        }
        // The records of a version seldom differ in what rules look at; each such reason is said once.
        let mut seen: Vec<(&str, &str, &str)> = vec![];
        let mut level = None;
        for record in &candidate.records {
            let attributes = (record.arch.as_str(), record.priority.as_str(), record.section.as_str());
            if !seen.contains(&attributes) {
                seen.push(attributes);
                level = level.max(self.policy.level(&subject(record, candidate.security), chain));
            }
        }
        level
    }

    /// Adds the approved packages among those that are not installed in any architecture.
    fn collect_absent<'a>(
        &self,
        inventory: &'a Inventory,
        native: &'a str,
        from_security: impl Fn(usize) -> bool,
        absent: &mut BTreeSet<Key<'a>>,
    ) {
        let plain = self.policy.has_no_lists();
        for group in &inventory.others {
            let security = from_security(group.from);
            let approves = |record: OtherOffer| {
                let named = Named { name: record.name, arch: record.arch, version: record.version };
                let subject = Subject { named, ..blank(&group.priority, &group.section, security) };
                self.policy.level(&subject, &mut Chain::dropped()).is_some()
            };
            // Without lists the names do not matter, and one answer holds for the group.
            let nameless = OtherOffer { name: "", arch: "", version: "", built_at: None };
            if plain && !approves(nameless) {
                continue;
            }
            for record in group.records().filter(|record| plain || approves(*record)) {
                absent.insert(key(record.name, record.arch, native));
            }
        }
    }
}

fn plain(package: &Package) -> Patch {
    Patch {
        name: package.name.clone(),
        arch: package.arch.clone(),
        installed: package.version.clone(),
        available: None,
        state: State::InstalledOther,
        classification: String::new(),
        severity: String::new(),
        level: Level::Unspecified,
        installed_at: package.installed_at,
        advisories: vec![],
        cves: vec![],
        reasons: vec![],
    }
}

/// Fills in what an approved version means.
fn approved(package: &Package, best: &Candidate, level: Level, patch: &mut Patch) -> Result<(), EvaluateError> {
    let present: DebianVersion = package
        .version
        .parse()
        .map_err(|source| EvaluateError::Version { package: format!("{}:{}", package.name, package.arch), source })?;
    patch.state = State::Installed;
    if best.version > present {
        patch.state = State::Missing;
        patch.available = Some(best.text().to_owned());
    }
    patch.classification = if best.security { "Security".to_owned() } else { String::new() };
    patch.severity = best.records.iter().map(|record| record.priority.clone()).max().unwrap_or_default();
    patch.level = level;
    Ok(())
}

fn named(package: &Package) -> Named<'_> {
    Named { name: &package.name, arch: &package.arch, version: &package.version }
}

fn subject(package: &Package, security: bool) -> Subject<'_> {
    Subject { named: named(package), ..blank(&package.priority, &package.section, security) }
}

/// A version without a name. No date counts on APT systems (patch-baselines.md 1.5), and there are no notices.
fn blank<'a>(priority: &'a str, section: &'a str, security: bool) -> Subject<'a> {
    let named = Named { name: "", arch: "", version: "" };
    Subject { named, notice: None, security, date: None, source_has_notices: false, priority, section }
}

#[cfg(test)]
#[path = "apt_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "apt_oracle.rs"]
mod oracle;
