//! Promotions over three accounts and four Regions: what comes of them.

use super::super::*;
use super::end::End;
use super::eyes::{Eyes, Watch};
use super::world::*;
use crate::clock::Clock;
use crate::local::{DEFAULT_ACCOUNT, Fault};
use crate::project::{Distribute, Location};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn every_target_gets_the_image_of_its_own_account_and_region() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = World::new(distribute);
        let first = world.promote(AMIS[0]).await.unwrap();
        let eyes = Eyes::on(&world.local.store.picture());
        assert_eq!(first.release.targets.len(), 12);
        for placed in &first.release.targets {
            let place = Location { account: placed.account.clone(), region: placed.region.clone() };
            let owner = if distribute == Distribute::Copy { &*placed.account } else { DEFAULT_ACCOUNT };
            assert_eq!(eyes.ami(&placed.ami)["owner"], owner, "{placed:?}");
            assert_eq!(eyes.source(&placed.ami), AMIS[0]);
            assert_eq!(eyes.parameter(&place, PARAMETER).as_deref(), Some(&*placed.ami));
            let (default, versions) = eyes.template(&place).unwrap();
            assert_eq!(versions[&default], placed.ami);
        }
        let again = world.promote(AMIS[0]).await.unwrap();
        assert!(!again.changed && again.release == first.release);
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_denied_holds_everything_or_is_left_out_by_a_quorum() {
    let world = World::new(Distribute::Share);
    world.promote(AMIS[0]).await.unwrap();
    let start = world.local.store.picture();
    let (old, before) = (End::of(&start), Eyes::on(&start).targets());
    // The staging of one target fails for good.
    let deny = || {
        let count = AtomicU64::new(0);
        world.faults(move |_, operation, _| {
            let third = operation == "CreateLaunchTemplateVersion" && count.fetch_add(1, Ordering::SeqCst) == 2;
            third.then_some(Fault::Deny)
        });
    };
    deny();
    let error = world.promote(AMIS[1]).await.unwrap_err();
    assert_eq!(error.exit_code(), 12, "{error}");
    assert_eq!(End::of(&world.local.store.picture()).swept(&old), old);
    let quorum = async |quorum: usize| {
        deny();
        let order = Order { quorum: Some(quorum), ..world.order() };
        let result = promote(&world.cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1]), &Events::none()).await;
        world.calm();
        result
    };
    assert!(quorum(12).await.is_err());
    let done = quorum(11).await.unwrap();
    assert!(done.is_partial());
    assert_eq!((done.release.targets.len(), done.release.left_out.len()), (11, 1));
    assert!(done.release.left_out[0].reason.contains("UnauthorizedOperation"), "{:?}", done.release.left_out);
    let targets = Eyes::on(&world.local.store.picture()).targets();
    let behind: Vec<_> = targets.iter().filter(|(_, one)| one.parameter.as_deref() == Some(AMIS[0])).collect();
    assert_eq!(behind.len(), 1, "{behind:?}");
    assert_eq!(behind[0].1, &before[behind[0].0], "it is as it was");
    // The next promotion of the same image takes it along.
    let whole = world.promote(AMIS[1]).await.unwrap();
    assert!(whole.changed && !whole.is_partial());
    let targets = Eyes::on(&world.local.store.picture()).targets();
    assert!(targets.values().all(|one| one.parameter.as_deref() == Some(AMIS[1])));
}

#[tokio::test(start_paused = true)]
async fn pointers_that_were_moved_by_hand_are_seen_and_put_right() {
    let world = World::new(Distribute::Share);
    assert_eq!(drift(&world.cloud, &world.order()).await.unwrap(), None);
    assert_eq!(repair(&world.cloud, &world.order(), &Events::none()).await.unwrap_err().exit_code(), 2);
    let first = world.promote(AMIS[0]).await.unwrap().release;
    let clean = drift(&world.cloud, &world.order()).await.unwrap().unwrap();
    assert_eq!((clean.0.id.as_str(), clean.1.len()), (first.id.as_str(), 0));
    let (one, two) = (&first.targets[3], &first.targets[7]);
    let at = |placed: &Placed| Location { account: placed.account.clone(), region: placed.region.clone() };
    let ec2 = world.cloud.ec2(&at(one));
    let version =
        ec2.create_launch_template_version().launch_template_id(&one.launch_templates[0].id).source_version("1");
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id(AMIS[2]).build();
    version.launch_template_data(data).send().await.unwrap();
    let moved = ec2.modify_launch_template().launch_template_id(&one.launch_templates[0].id).default_version("2");
    moved.send().await.unwrap();
    store::delete(&world.cloud, &at(two), PARAMETER).await.unwrap();
    let seen = drift(&world.cloud, &world.order()).await.unwrap().unwrap().1;
    let told: Vec<_> = seen.iter().map(|one| (one.region.as_str(), one.what)).collect();
    assert_eq!(told, [(&*one.region, "launch template"), (&*two.region, "parameter")]);
    assert!(seen[0].found.contains("default version 2 with ami-00000000000000003"), "{seen:?}");
    let order = Order { caller: Some("arn:whoever-repairs".into()), ..world.order() };
    let repaired = repair(&world.cloud, &order, &Events::none()).await.unwrap();
    assert!(repaired.changed);
    assert_eq!(repaired.release.caller, first.caller, "who repairs has not promoted it");
    assert_eq!((&repaired.release.ami, &repaired.release.promoted_at), (&first.ami, &first.promoted_at));
    assert_eq!(drift(&world.cloud, &world.order()).await.unwrap().unwrap().1, []);
    assert!(!repair(&world.cloud, &world.order(), &Events::none()).await.unwrap().changed);
}

/// EC2 shows what was written a second later.
#[tokio::test(start_paused = true)]
async fn what_does_not_show_yet_is_waited_for() {
    const LAG: Duration = Duration::from_secs(1);
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = World::by(&Clock::with_tokio(START), distribute);
        world.local.set_lag(LAG);
        for (back, ami, versions) in [(false, 0, 1), (false, 1, 2), (true, 0, 3)] {
            let watch = Watch::from(&world.local.store.picture());
            let began = tokio::time::Instant::now();
            let moved = if back { world.rollback().await } else { world.promote(AMIS[ami]).await };
            let case = format!("{distribute:?} {versions}");
            assert!(moved.as_ref().is_ok_and(|moved| moved.changed && !moved.is_partial()), "{case}: {moved:?}");
            assert!(began.elapsed() >= LAG, "{case}: the lag was not felt");
            let picture = world.local.store.picture();
            let (eyes, end) = (Eyes::on(&picture), End::of(&picture));
            eyes.check(&watch, &case);
            assert!(end.books.is_empty(), "{case}: {:?}", end.books);
            for (place, target) in &eyes.targets() {
                assert_eq!(target.template.as_ref().map(|(_, ami)| ami.as_str()), Some(AMIS[ami]), "{case}: {place}");
                assert_eq!(
                    (target.parameter.as_deref(), target.versions),
                    (Some(AMIS[ami]), versions),
                    "{case}: {place}"
                );
            }
        }
    }
}
