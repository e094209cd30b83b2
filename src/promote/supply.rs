//! Which images a release consists of, and which target uses which. Pure.
//!
//! An AMI lives in one Region and belongs to one account. With [`Distribute::Share`] the home account has one image per
//! Region and lets the other accounts launch it; with [`Distribute::Copy`] every account gets an image of its own, so that
//! it keeps working when the home account's goes away. Copies are made from the home account's image in the home Region.

use super::model::{How, Supply};
use crate::project::{Distribute, EnvironmentConfig, Location};
use std::collections::BTreeMap;

/// The images, the one in the home account and Region first, and for every place in order the index of its image.
///
/// `known` are images that are there already: copies of earlier attempts, and what Image Builder has distributed.
pub(super) fn supplies(
    config: &EnvironmentConfig,
    home: &Location,
    ami: &str,
    places: &[Location],
    known: &BTreeMap<Location, (String, How)>,
) -> (Vec<Supply>, Vec<usize>) {
    let mut all = vec![Supply { ami: Some(ami.to_owned()), ..supply(home, How::Built) }];
    let mut indices = Vec::new();
    for place in places {
        let owner = owner(config.distribute(), home, place);
        let index = all.iter().position(|one| one.location() == owner).unwrap_or_else(|| {
            all.push(copy(config, &owner, known));
            all.len() - 1
        });
        let one = &mut all[index];
        if owner.account != place.account && !one.launched_by.contains(&place.account) {
            one.launched_by.push(place.account.clone());
        }
        indices.push(index);
    }
    let copying: Vec<String> = all.iter().map(|one| one.account.clone()).filter(|one| *one != home.account).collect();
    for account in copying {
        if !all[0].copied_by.contains(&account) {
            all[0].copied_by.push(account);
        }
    }
    (all, indices)
}

/// Where the image of a target is.
pub(super) fn owner(how: Distribute, home: &Location, place: &Location) -> Location {
    match how {
        Distribute::Share => Location { account: home.account.clone(), region: place.region.clone() },
        Distribute::Copy => place.clone(),
    }
}

fn copy(config: &EnvironmentConfig, owner: &Location, known: &BTreeMap<Location, (String, How)>) -> Supply {
    let kms_key = config.kms_key(&owner.region).map(str::to_owned);
    match known.get(owner) {
        Some((ami, how)) => Supply { ami: Some(ami.clone()), ..supply(owner, *how) },
        None => Supply { kms_key, ..supply(owner, How::Copied) },
    }
}

fn supply(place: &Location, how: How) -> Supply {
    Supply {
        account: place.account.clone(),
        region: place.region.clone(),
        ami: None,
        how,
        launched_by: vec![],
        copied_by: vec![],
        kms_key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::LocalConfig;

    fn at(account: &str, region: &str) -> Location {
        Location { account: account.into(), region: region.into() }
    }

    fn config(distribute: Distribute) -> EnvironmentConfig {
        EnvironmentConfig::Local(LocalConfig { distribute, ..LocalConfig::default() })
    }

    fn places() -> Vec<Location> {
        let accounts = ["1", "2", "3"].into_iter();
        accounts.flat_map(|account| [at(account, "home-1"), at(account, "far-1")]).collect()
    }

    #[test]
    fn shared_images_are_one_per_region_and_every_other_account_may_launch_them() {
        let home = at("1", "home-1");
        let (all, indices) = supplies(&config(Distribute::Share), &home, "ami-1", &places(), &BTreeMap::new());
        assert_eq!(indices, [0, 1, 0, 1, 0, 1]);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].ami.as_deref(), all[1].ami.as_deref()), (Some("ami-1"), None));
        assert_eq!(all[1].location(), at("1", "far-1"));
        for one in &all {
            assert_eq!((one.launched_by.as_slice(), one.copied_by.len()), (&["2".to_owned(), "3".to_owned()][..], 0));
        }
    }

    #[test]
    fn copied_images_are_one_per_target_and_only_the_source_is_opened_to_others() {
        let home = at("1", "home-1");
        let known = BTreeMap::from([(at("2", "far-1"), ("ami-9".to_owned(), How::Copied))]);
        let (all, indices) = supplies(&config(Distribute::Copy), &home, "ami-1", &places(), &known);
        assert_eq!(indices, [0, 1, 2, 3, 4, 5]);
        assert_eq!(all[0].copied_by, ["2", "3"]);
        assert!(all.iter().all(|one| one.launched_by.is_empty()));
        assert_eq!(all[3].ami.as_deref(), Some("ami-9"), "it is there already");
    }

    #[test]
    fn the_source_is_there_though_home_is_no_target() {
        let home = at("1", "home-1");
        let far = [at("2", "far-1")];
        let (all, indices) = supplies(&config(Distribute::Share), &home, "ami-1", &far, &BTreeMap::new());
        assert_eq!((all.len(), indices), (2, vec![1]));
        assert!(all[0].launched_by.is_empty() && all[0].copied_by.is_empty());
    }
}
