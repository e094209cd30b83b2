//! The evaluator for RPM systems and SUSE (patch-baselines.md 4.4 and 4.6).

use super::baseline::{Family, Level, OperatingSystem};
use super::edition::Edition;
use super::evaluate::EvaluateError;
use super::evaluation::Patch;
use super::inventory::{Advisory, Inventory, Package};
use super::listed::Named;
use super::moment::{self, Dated};
use super::outcome::State;
use super::policy::{Policy, Subject, classification};
use super::reason::{Chain, Reason, Why};
use super::settings::{DateOrder, SecurityNotice, Vanished};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Name and architecture: what a patch is. The same package in two architectures is two patches.
type Key<'a> = (&'a str, &'a str);

/// One version that a source offers.
#[derive(Debug, Clone, Copy)]
struct Build<'a> {
    edition: Edition<'a>,
    text: &'a str,
    built_at: Option<i64>,
    from: usize,
}

/// One line of a notice: a version of a package.
#[derive(Debug, Clone, Copy)]
struct Listing<'a> {
    edition: Edition<'a>,
    text: &'a str,
    notice: &'a Advisory,
    /// The notice's date, read once for all its lines.
    date: Option<Dated>,
}

/// A version and the notice that brings it up, if one does.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    build: Build<'a>,
    listing: Option<Listing<'a>>,
    /// Whether the version of the listing is gone, and the build takes its place.
    instead: bool,
}

impl Candidate<'_> {
    /// Whether it says something about a system with that version: it is not older, and neither is what its notice is
    /// about. A notice about a version that is gone and that the installed one has left behind makes no update of the newer
    /// build, as `dnf check-update --security` sees it, too.
    fn counts_from(&self, present: Edition) -> bool {
        let behind = self.instead && self.listing.is_some_and(|listing| listing.edition <= present);
        self.build.edition >= present && !(behind && self.build.edition > present)
    }
}

/// What the sources say of a package.
#[derive(Debug, Default)]
struct Offered<'a> {
    builds: Vec<Build<'a>>,
    listings: Vec<Listing<'a>>,
}

/// What the sources say. One table for both, because most of the time goes into looking packages up.
struct Offers<'a> {
    packages: HashMap<Key<'a>, Offered<'a>>,
    /// Of each source, whether it has any notice.
    has_notices: Vec<bool>,
}

/// What was found.
pub(super) struct Found {
    pub(super) patches: Vec<Patch>,
    pub(super) not_applicable: usize,
}

/// Evaluates; that the inventory can be evaluated at all was checked before.
pub(super) fn evaluate(policy: &Policy, inventory: &Inventory) -> Result<Found, EvaluateError> {
    let offers = Offers::read(inventory, policy.context.settings.date_order)?;
    // Public keys are entries of the package database, not packages (patch-baselines.md 4.4).
    let packages = inventory.installed.iter().filter(|package| package.name != "gpg-pubkey");
    let mut installed: BTreeMap<Key, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        installed.entry((&package.name, &package.arch)).or_default().push(package);
    }
    if !installed.keys().any(|key| offers.packages.contains_key(key)) {
        return Err(EvaluateError::UnrelatedSources);
    }
    let evaluator = Evaluator { policy, offers, inherit: inherits(policy) };
    let patches = installed.iter().map(|(key, versions)| evaluator.patch(*key, versions)).collect::<Result<_, _>>()?;
    let absent =
        |(key, offered): (&Key, &Offered)| evaluator.approves_any(*key, offered) && !installed.contains_key(key);
    let not_applicable = evaluator.offers.packages.iter().filter(|&entry| absent(entry)).count();
    Ok(Found { patches, not_applicable })
}

/// Whether notices about vanished versions count for the newer build (conflict 9).
fn inherits(policy: &Policy) -> bool {
    match policy.context.settings.vanished {
        Vanished::PerSystem => {
            matches!(policy.baseline.operating_system, OperatingSystem::AlmaLinux | OperatingSystem::RockyLinux)
        }
        Vanished::Dropped => false,
        Vanished::UsesNewer => true,
    }
}

/// Reads a version; the package is named in the error.
fn edition<'a>(text: &'a str, (name, arch): Key) -> Result<Edition<'a>, EvaluateError> {
    Edition::read(text)
        .ok_or_else(|| EvaluateError::RpmVersion { package: format!("{name}.{arch}"), version: text.to_owned() })
}

impl<'a> Offers<'a> {
    fn read(inventory: &'a Inventory, dates: DateOrder) -> Result<Self, EvaluateError> {
        let mut packages: HashMap<Key, Offered> = HashMap::new();
        let mut add = |key: Key<'a>, text: &'a str, built_at, from| {
            let edition = edition(text, key)?;
            let known = &mut packages.entry(key).or_default().builds;
            // The same package in two repositories is one version.
            if !known.iter().any(|build: &Build| build.edition.is(&edition)) {
                known.push(Build { edition, text, built_at, from });
            }
            Ok::<_, EvaluateError>(())
        };
        for offer in &inventory.offered {
            let package = &offer.package;
            add((&package.name, &package.arch), &package.version, package.built_at, offer.from)?;
        }
        for (group, record) in
            inventory.others.iter().flat_map(|group| group.records().map(move |record| (group, record)))
        {
            add((record.name, record.arch), record.version, record.built_at, group.from)?;
        }
        let mut has_notices = vec![false; inventory.sources.len()];
        for notice in inventory.advisories.iter().filter(|notice| notice.in_force()) {
            if let Some(has) = has_notices.get_mut(notice.from) {
                *has = true;
            }
            let date = moment::of_notice(dates, notice);
            for line in &notice.packages {
                let key = (line.name.as_str(), line.arch.as_str());
                let enabled = line.module.is_empty() || inventory.modules.contains(&line.module);
                if let Some(offered) = packages.get_mut(&key).filter(|_| enabled) {
                    let edition = edition(&line.version, key)?;
                    offered.listings.push(Listing { edition, text: &line.version, notice, date });
                }
            }
        }
        Ok(Self { packages, has_notices })
    }

    fn listings(&self, key: Key<'a>) -> &[Listing<'a>] {
        self.packages.get(&key).map_or(&[], |offered| &offered.listings)
    }
}

impl<'a> Offered<'a> {
    /// One candidate per version and notice, in the order of the sources.
    fn candidates(&self, inherit: bool) -> Vec<Candidate<'a>> {
        let Self { builds, listings } = self;
        let mut found = vec![];
        for &build in builds {
            let exact = listings.iter().filter(|listing| listing.edition.is(&build.edition));
            let before = found.len();
            found.extend(exact.map(|listing| Candidate { build, listing: Some(*listing), instead: false }));
            if found.len() == before {
                found.push(Candidate { build, listing: None, instead: false });
            }
        }
        let newest = builds.iter().max_by_key(|build| build.edition);
        if let Some(&build) = newest.filter(|_| inherit) {
            let gone = |listing: &&Listing| !builds.iter().any(|build| build.edition.is(&listing.edition));
            let older = listings.iter().filter(|listing| listing.edition < build.edition).filter(gone);
            found.extend(older.map(|listing| Candidate { build, listing: Some(*listing), instead: true }));
        }
        found
    }
}

/// The installed version of a package: of several the highest.
struct Present<'a> {
    package: &'a Package,
    edition: Edition<'a>,
}

struct Evaluator<'a> {
    policy: &'a Policy<'a>,
    offers: Offers<'a>,
    inherit: bool,
}

impl<'a> Evaluator<'a> {
    /// What the baseline says about an installed package.
    fn patch(&self, key: Key<'a>, versions: &[&'a Package]) -> Result<Patch, EvaluateError> {
        let mut present: Option<Present> = None;
        for package in versions {
            let edition = edition(&package.version, key)?;
            if present.as_ref().is_none_or(|present| present.edition < edition) {
                present = Some(Present { package, edition });
            }
        }
        let Some(present) = present else { return Err(EvaluateError::NothingInstalled) };
        let mut patch = Patch {
            name: key.0.to_owned(),
            arch: key.1.to_owned(),
            installed: present.edition.full(),
            available: None,
            state: State::InstalledOther,
            classification: String::new(),
            severity: String::new(),
            level: Level::Unspecified,
            installed_at: present.package.installed_at,
            advisories: vec![],
            cves: vec![],
            reasons: vec![],
        };
        if self.rejected(key, &present, &mut patch) {
            return Ok(patch);
        }
        self.decide(key, &present, &mut patch);
        Ok(patch)
    }

    /// Whether the installed version is rejected in a way that decides the state.
    fn rejected(&self, key: Key<'a>, present: &Present, patch: &mut Patch) -> bool {
        if !self.policy.rejects_installed() {
            return false;
        }
        let named = Named { name: key.0, arch: key.1, version: &present.package.version };
        let notices = self.offers.listings(key).iter().filter(|listing| listing.edition.is(&present.edition));
        let by_notice = notices.map(|listing| Some(listing.notice));
        let Some(hit) = std::iter::once(None).chain(by_notice).find_map(|notice| self.policy.rejected(named, notice))
        else {
            return false;
        };
        self.policy.look_up(named);
        patch.state = State::InstalledRejected;
        let why = self.policy.rejection(hit);
        patch.reasons.push(Reason { version: patch.installed.clone(), advisory: None, why });
        patch.reasons.push(Why::Blocked.into());
        true
    }

    /// Finds the highest approved version from the installed one on, and what follows from it.
    fn decide(&self, key: Key<'a>, present: &Present, patch: &mut Patch) {
        let offered = self.offers.packages.get(&key);
        let candidates = offered.map(|offered| offered.candidates(self.inherit)).unwrap_or_default();
        let mut judged = vec![];
        for candidate in candidates.into_iter().filter(|candidate| candidate.counts_from(present.edition)) {
            let mut chain = Chain::kept();
            if let Some(gone) = candidate.listing.filter(|_| candidate.instead) {
                chain.say(|| Why::Inherited { from: gone.text.to_owned() });
            }
            let level = self.policy.level(&self.subject(key, &candidate), &mut chain);
            let notice = candidate.listing.map(|listing| listing.notice.id.as_str());
            let reasons: Vec<Reason> = chain.about(&candidate.build.edition.full(), notice).collect();
            judged.push((candidate, level, reasons));
        }
        let newest = judged.iter().map(|(candidate, ..)| candidate.build.edition).max();
        let rank =
            |(candidate, level, _): &&(Candidate<'a>, Option<Level>, Vec<Reason>)| (candidate.build.edition, *level);
        let best =
            judged.iter().filter(|(_, level, _)| level.is_some()).max_by_key(rank).map(|(c, level, _)| (*c, *level));
        if let Some((best, level)) = best {
            self.approved(key, present, (&best, level.unwrap_or(Level::Unspecified)), patch);
        }
        let best = best.map(|(candidate, _)| candidate.build.edition);
        for (candidate, level, reasons) in judged {
            let edition = candidate.build.edition;
            if level.is_some() && best == Some(edition) {
                patch.reasons.extend(reasons.into_iter().filter(Reason::approves));
            } else if level.is_none() && newest == Some(edition) && best != newest {
                patch.reasons.extend(reasons);
            }
        }
        match (best, newest) {
            (None, None) => patch.reasons.push(Why::NotOffered.into()),
            (None, Some(_)) => patch.reasons.push(Why::NothingApproved.into()),
            (Some(_), _) => {}
        }
    }

    /// Fills in what an approved version means.
    fn approved(&self, key: Key<'a>, present: &Present, (best, level): (&Candidate, Level), patch: &mut Patch) {
        patch.level = level;
        if let Some(notice) = best.listing.map(|listing| listing.notice) {
            patch.classification = classification(&notice.kind).unwrap_or_default();
            patch.severity.clone_from(&notice.severity);
        }
        if best.build.edition <= present.edition {
            patch.state = State::Installed;
            return;
        }
        patch.state = State::Missing;
        patch.available = Some(best.build.edition.full());
        let between = |listing: &&Listing| present.edition < listing.edition && listing.edition <= best.build.edition;
        let notices: Vec<&Advisory> =
            self.offers.listings(key).iter().filter(between).map(|listing| listing.notice).collect();
        let sorted = |texts: BTreeSet<&String>| texts.into_iter().cloned().collect();
        patch.advisories = sorted(notices.iter().map(|notice| &notice.id).collect());
        patch.cves = sorted(notices.iter().flat_map(|notice| &notice.cves).collect());
    }

    fn subject<'s>(&self, (name, arch): Key<'s>, candidate: &Candidate<'s>) -> Subject<'s> {
        let settings = &self.policy.context.settings;
        let notice = candidate.listing.map(|listing| listing.notice);
        let notice_date = candidate.listing.and_then(|listing| listing.date);
        let named = notice.is_some_and(|notice| !notice.kind.is_empty() && !notice.severity.is_empty());
        Subject {
            named: Named { name, arch, version: candidate.build.text },
            notice,
            security: match settings.security_notice {
                // On SUSE every package in a patch is a security update (patch-baselines.md 4.6).
                SecurityNotice::WithTypeAndSeverity if self.policy.family == Family::Rpm => named,
                _ => notice.is_some(),
            },
            date: Some(moment::of(settings.date_order, notice.is_some(), notice_date, candidate.build.built_at)),
            source_has_notices: self.offers.has_notices.get(candidate.build.from).copied().unwrap_or(false),
            priority: "",
            section: "",
        }
    }

    /// Whether any version of a package that is not installed is approved.
    fn approves_any(&self, key: Key<'a>, offered: &Offered<'a>) -> bool {
        if self.policy.needs_notice() && offered.listings.is_empty() {
            return false;
        }
        let candidates = offered.candidates(self.inherit);
        candidates
            .iter()
            .any(|candidate| self.policy.level(&self.subject(key, candidate), &mut Chain::dropped()).is_some())
    }
}

#[cfg(test)]
#[path = "rpms_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rpms_errors.rs"]
mod errors;

#[cfg(test)]
#[path = "rpms_properties.rs"]
mod properties;
