//! An inventory against the offers of another moment.

use super::inventory::{Inventory, Offer, OtherOffers, Package};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why the offers of one inventory say nothing about another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OffersError {
    /// They are of another system.
    #[error(
        "the newer inventory is of `{fresh}`, the image is `{image}`: its package sources say nothing about the image"
    )]
    OtherSystem {
        /// System of the image.
        image: String,
        /// System of the other inventory.
        fresh: String,
    },
    /// Offers were left out of it that are needed.
    #[error(
        "the newer inventory leaves out what is not installed where it was taken, such as {package}, which the image has: \
         take it whole"
    )]
    Partial {
        /// A package of the image that is not installed there.
        package: String,
    },
}

impl Inventory {
    /// This image with the package sources as another inventory of the same system has read them, later as a rule: what
    /// is installed, held and running stays, what is offered and the notices are the other one's.
    pub fn with_offers_of(&self, fresh: &Self) -> Result<Self, OffersError> {
        let system = |inventory: &Self| format!("{} {}", inventory.os_id, inventory.os_version);
        let same =
            |a: &Self, b: &Self| (&a.os_id, &a.os_version, &a.os_codename) == (&b.os_id, &b.os_version, &b.os_codename);
        if !same(self, fresh) {
            return Err(OffersError::OtherSystem { image: system(self), fresh: system(fresh) });
        }
        let known: BTreeSet<&str> = fresh.installed.iter().map(|package| package.name.as_str()).collect();
        let lacking = self.installed.iter().find(|package| !known.contains(package.name.as_str()));
        if let Some(lacking) = lacking.filter(|_| fresh.partial) {
            return Err(OffersError::Partial { package: lacking.name.clone() });
        }
        let mixed = Self {
            offered: fresh.offered.clone(),
            others: fresh.others.clone(),
            sources: fresh.sources.clone(),
            unread: fresh.unread.clone(),
            partial: fresh.partial,
            advisories: fresh.advisories.clone(),
            ..self.clone()
        };
        Ok(mixed.with_offers_in_place().into_owned())
    }

    /// The same with every offer of an installed package among [`Inventory::offered`], wherever it stood before.
    pub(super) fn with_offers_in_place(&self) -> Cow<'_, Self> {
        let names: BTreeSet<&str> = self.installed.iter().map(|package| package.name.as_str()).collect();
        let displaced = |group: &OtherOffers| group.records().any(|record| names.contains(record.name));
        if !self.others.iter().any(displaced) {
            return Cow::Borrowed(self);
        }
        let mut moved = vec![];
        let mut others = vec![];
        for group in &self.others {
            let mut rest = OtherOffers { packages: String::new(), ..group.clone() };
            for record in group.records() {
                if !names.contains(record.name) {
                    rest.push(record);
                    continue;
                }
                let package = Package {
                    name: record.name.to_owned(),
                    arch: record.arch.to_owned(),
                    version: record.version.to_owned(),
                    priority: group.priority.clone(),
                    section: group.section.clone(),
                    built_at: record.built_at,
                    ..Package::default()
                };
                moved.push(Offer { package, from: group.from });
            }
            others.push(rest);
        }
        let mut whole = Self { others, ..self.clone() };
        whole.offered.extend(moved);
        Cow::Owned(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::PackageSource;

    fn image(installed: &[&str], others: &str) -> Inventory {
        let package = |name: &&str| Package {
            name: (*name).into(),
            arch: "amd64".into(),
            version: "1".into(),
            ..Package::default()
        };
        Inventory {
            os_id: "debian".into(),
            installed: installed.iter().map(package).collect(),
            others: vec![OtherOffers {
                priority: "extra".into(),
                section: "x".into(),
                from: 0,
                packages: others.into(),
            }],
            sources: vec![PackageSource::default()],
            ..Inventory::default()
        }
    }

    #[test]
    fn what_is_installed_is_never_among_the_others() {
        let whole = image(&["a"], "a amd64 2\nb amd64 2\n");
        let placed = whole.with_offers_in_place();
        assert_eq!(placed.others[0].packages, "b amd64 2\n");
        let offer = &placed.offered[0].package;
        assert_eq!((offer.name.as_str(), offer.version.as_str(), offer.priority.as_str()), ("a", "2", "extra"));
        assert!(matches!(image(&["c"], "a amd64 2\n").with_offers_in_place(), Cow::Borrowed(_)));
    }

    #[test]
    fn the_offers_of_another_day_are_taken_for_the_same_system_only() {
        let (old, new) = (image(&["a", "b"], "c amd64 1\n"), image(&["a"], "b amd64 9\nc amd64 2\n"));
        let mixed = old.with_offers_of(&new).unwrap();
        assert_eq!((mixed.installed.len(), mixed.offered.len()), (2, 1));
        assert_eq!(mixed.others[0].packages, "c amd64 2\n");
        let part = Inventory { partial: true, ..new.clone() };
        assert_eq!(old.with_offers_of(&part).unwrap_err(), OffersError::Partial { package: "b".into() });
        let other = Inventory { os_version: "13".into(), ..new };
        let error = old.with_offers_of(&other).unwrap_err();
        assert_eq!(error, OffersError::OtherSystem { image: "debian ".into(), fresh: "debian 13".into() });
    }
}
