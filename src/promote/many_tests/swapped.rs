//! Images that somebody has put in the place of a release's copies: they carry every tag that a copy of ours carries.

use super::super::Release;
use super::eyes::{Eyes, Watch};
use super::world::*;
use crate::aws::tags;
use crate::local::Fault;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::project::Distribute;
use std::collections::BTreeMap;

/// What EC2 says that an image was made of: AMI and Region.
type Source = Option<(&'static str, &'static str)>;

/// Puts one into every account and Region but home's own, older than any copy.
fn swap(world: &World, index: usize, source: Source) {
    for (number, place) in places().iter().enumerate().filter(|(_, place)| *place != world.cloud.home()) {
        let id = format!("ami-{:017x}", 0xbad0 + number);
        let claims = [
            (tags::SOURCE, AMIS[index].to_owned()),
            (tags::EVIDENCE, digest(AMIS[index])),
            (tags::APPROVED, "0123456789abcdef".to_owned()),
        ];
        let ami = Ami {
            id: id.clone(),
            name: "swapped".into(),
            owner: place.account.clone(),
            architecture: "x86_64".into(),
            state: "available".into(),
            created_at: "2025-01-01T00:00:00Z".into(),
            root_device: "/dev/xvda".into(),
            snapshot: format!("snap-{}", &id[4..]),
            volume_size: 8,
            volume_type: "gp3".into(),
            platform: "Linux/UNIX".into(),
            tags: claims.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            source: source.map(|(ami, _)| ami.to_owned()),
            source_region: source.map(|(_, region)| region.to_owned()),
            ..Ami::default()
        };
        let scope = Scope { account: place.account.clone(), region: place.region.clone() };
        let done: Result<(), StoreError> = world.local.store.write(|tx| tx.put(&scope, AMI, &id, &ami));
        done.unwrap();
    }
}

/// Every target points to the image, or what EC2 says was copied of it; and not to a swapped one.
fn points_to(world: &World, watch: &Watch, index: usize, case: &str) {
    let eyes = Eyes::on(&world.local.store.picture());
    eyes.check(watch, case);
    for place in places() {
        let versions = eyes.template(&place).into_iter().flat_map(|(_, versions)| versions.into_values());
        for id in versions.chain(eyes.parameter(&place, PARAMETER)) {
            assert_ne!(eyes.ami(&id)["name"], "swapped", "{case}: {place:?}");
        }
    }
    for (place, target) in eyes.targets() {
        assert_eq!(target.parameter.as_deref(), Some(AMIS[index]), "{case}: {place}");
        assert_eq!(target.template.map(|(_, ami)| ami).as_deref(), Some(AMIS[index]), "{case}: {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_swapped_image_never_passes_for_a_copy() {
    let sources: [Source; 3] = [None, Some((AMIS[2], REGIONS[0])), Some((AMIS[1], REGIONS[1]))];
    for distribute in [Distribute::Share, Distribute::Copy] {
        for source in sources {
            let case = format!("{distribute:?}, made of {source:?}");
            let world = World::new(distribute);
            world.promote(AMIS[0]).await.unwrap();
            swap(&world, 1, source);
            let watch = Watch::from(&world.local.store.picture());
            assert!(world.promote(AMIS[1]).await.unwrap().changed, "{case}");
            points_to(&world, &watch, 1, &case);
        }
    }
}

/// Whoever goes back, too, looks for the copies that are there.
#[tokio::test(start_paused = true)]
async fn a_swapped_image_is_not_gone_back_to() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let case = format!("{distribute:?}");
        let world = World::new(distribute);
        for ami in &AMIS[..2] {
            world.promote(ami).await.unwrap();
        }
        swap(&world, 0, None);
        let watch = Watch::from(&world.local.store.picture());
        assert!(world.rollback().await.unwrap().changed, "{case}");
        points_to(&world, &watch, 0, &case);
    }
}

/// Where EC2 does not say what a copy was made of, the channel's record does.
#[tokio::test(start_paused = true)]
async fn what_a_channel_has_recorded_is_a_copy_whatever_ec2_knows_of_it() {
    let world = World::new(Distribute::Copy);
    let first = world.promote(AMIS[0]).await.unwrap().release;
    for place in places().iter().filter(|place| *place != world.cloud.home()) {
        let scope = Scope { account: place.account.clone(), region: place.region.clone() };
        let done: Result<(), StoreError> = world.local.store.write(|tx| {
            for (id, ami) in tx.list::<Ami>(&scope, AMI, "")? {
                tx.put(&scope, AMI, &id, &Ami { source: None, source_region: None, ..ami })?;
            }
            Ok(())
        });
        done.unwrap();
    }
    let images = |release: &Release| release.targets.iter().map(|one| one.ami.clone()).collect::<Vec<_>>();
    assert!(!world.promote(AMIS[0]).await.unwrap().changed);
    world.promote(AMIS[1]).await.unwrap();
    swap(&world, 0, None);
    assert_eq!(images(&world.rollback().await.unwrap().release), images(&first));
}

/// The answer of a copy is lost: what is looked for then is the copy, whatever else claims to be one.
#[tokio::test(start_paused = true)]
async fn a_swapped_image_is_not_taken_for_a_copy_whose_answer_was_lost() {
    let world = World::new(Distribute::Copy);
    swap(&world, 0, None);
    let watch = Watch::from(&world.local.store.picture());
    world.faults(|_, operation, _| (operation == "CopyImage").then_some(Fault::LoseResponse));
    let lost = world.promote(AMIS[0]).await;
    world.calm();
    assert!(lost.is_ok_and(|promotion| promotion.changed));
    points_to(&world, &watch, 0, "answers lost");
}
