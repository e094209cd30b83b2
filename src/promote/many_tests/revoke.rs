//! Revocations and restorations over three accounts and four Regions, stopped and disturbed at every single call.

use super::*;
use crate::aws::tags;
use crate::project::Channel;
use crate::promote::revoke as withdrawal;
use crate::promote::{Revoked, Withdraw};
use serde_json::Value;
use std::collections::BTreeMap;

mod every;

const PRODUCTION: &str = "production";
const CHANNELS: [(&str, &str, &str); 2] = [
    ("candidate", TEMPLATE, PARAMETER),
    (PRODUCTION, "debian-12-x86_64-production", "/golden/debian-12/x86_64/production"),
];
/// Calls that change something that users of a channel, or whoever launches an image, can see.
const CHANGES: [&str; 8] = [
    "ModifyLaunchTemplate",
    "PutParameter",
    "DeleteParameter",
    "DeleteTags",
    "CreateTags",
    "DisableImage",
    "EnableImage",
    "ModifyImageAttribute",
];

fn world(distribute: Distribute) -> World {
    let mut world = World::new(distribute);
    world.project.channels.push(Channel { name: PRODUCTION.into(), ..Channel::default() });
    world
}

fn orders(world: &World) -> Vec<Order<'_>> {
    let order = world.order();
    let of = |(channel, template, parameter): &(&'static str, &str, &str)| Order {
        channel,
        launch_templates: vec![(*template).to_owned()],
        parameters: vec![(*parameter).to_owned()],
        ..order.clone()
    };
    CHANNELS.iter().map(of).collect()
}

fn withdraw<'a>(world: &'a World, ami: &str) -> Withdraw<'a> {
    Withdraw { orders: orders(world), release: ami.to_owned(), allow_empty: false, resume: false }
}

async fn go(world: &World, ami: &str) -> Result<Revoked, PromoteError> {
    withdrawal::revoke(&world.cloud, &withdraw(world, ami), &Events::none()).await
}

async fn again(world: &World, ami: &str) -> Result<Revoked, PromoteError> {
    let order = Withdraw { resume: true, ..withdraw(world, ami) };
    withdrawal::revoke(&world.cloud, &order, &Events::none()).await
}

async fn back(world: &World, ami: &str, resume: bool) -> Result<Restored, PromoteError> {
    let order = Withdraw { resume, ..withdraw(world, ami) };
    withdrawal::restore(&world.cloud, &order, async |ami: &str| Ok(Ok(approval(ami))), &Events::none()).await
}

async fn promote_to(world: &World, channel: usize, ami: &str) -> Result<Promotion, PromoteError> {
    let order = &orders(world)[channel];
    promote(&world.cloud, order, &candidate(ami), &approval(ami), &Events::none()).await
}

/// Both channels are at the second release, and were at the first one before.
async fn prepared(world: &World) {
    for ami in &AMIS[..2] {
        for channel in 0..CHANNELS.len() {
            promote_to(world, channel, ami).await.unwrap();
        }
    }
}

/// What there is at an end, without what differs from attempt to attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    /// By channel and place: the images at home that template and parameter stand for.
    pointers: BTreeMap<String, (Option<String>, Option<String>)>,
    /// By place and image at home: state, whether approved, whether it says that it was revoked, who may launch it.
    images: BTreeMap<String, (String, bool, bool, Vec<String>)>,
    /// Locks, journals, revocations and their images.
    books: Vec<String>,
}

fn template(eyes: &Eyes, place: &Location, name: &str) -> Option<String> {
    let (id, template) = eyes.of(place, "ec2-launch-template").find(|(_, one)| one["name"] == name)?;
    let default = &template["default_version"];
    let mut versions = eyes.of(place, "ec2-launch-template-version").filter(|(key, _)| key.starts_with(id));
    let (_, version) = versions.find(|(_, one)| one["number"] == *default)?;
    version["data"]["imageId"].as_str().map(str::to_owned)
}

impl State {
    fn of(eyes: &Eyes) -> Self {
        let mut pointers = BTreeMap::new();
        for (channel, name, parameter) in CHANNELS {
            for place in places() {
                let template = template(eyes, &place, name).map(|ami| eyes.source(&ami));
                let parameter = eyes.parameter(&place, parameter).map(|ami| eyes.source(&ami));
                pointers.insert(format!("{channel} {}/{}", place.account, place.region), (template, parameter));
            }
        }
        let list = |value: &Value| -> Vec<String> {
            let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut all: Vec<String> = all.map(str::to_owned).collect();
            all.sort();
            all
        };
        let images = eyes.rows.iter().filter(|((_, _, kind, _), _)| kind == crate::local::records::AMI);
        let image = |((account, region, _, id), ami): (&(String, String, String, String), &Value)| {
            let (approved, revoked) = (ami["tags"].get(tags::APPROVED), ami["tags"].get(tags::REVOKED));
            let state = ami["state"].as_str().unwrap().to_owned();
            let key = format!("{account}/{region} {}", eyes.source(id));
            (key, (state, approved.is_some(), revoked.is_some(), list(&ami["launch_permissions"])))
        };
        let kinds = ["/journal/", "/locks/", "/revoking/", "/revocations/"];
        let home = places()[0].clone();
        let books = eyes.of(&home, "ssm-parameter").map(|(id, _)| id.to_owned());
        let books = books.filter(|id| kinds.iter().any(|kind| id.contains(kind)));
        // Parts of documents are named by what is in them.
        let books: std::collections::BTreeSet<String> =
            books.map(|id| id.split("/images/").next().unwrap().to_owned()).collect();
        Self { pointers, images: images.map(image).collect(), books: books.into_iter().collect() }
    }

    fn now(world: &World) -> Self {
        Self::of(&Eyes::on(&world.local.store.picture()))
    }
}

/// No pointer of a channel that is not empty names an image that cannot be launched or is not approved.
fn safe(eyes: &Eyes, case: &str) {
    for (channel, name, parameter) in CHANNELS {
        for place in places() {
            let there = format!("{case}: {channel} in {}/{}", place.account, place.region);
            let named = [template(eyes, &place, name), eyes.parameter(&place, parameter)];
            for id in named.into_iter().flatten() {
                let ami = eyes.ami(&id);
                assert_eq!(ami["state"], "available", "{there} points at {ami}");
                assert!(ami["tags"].get(tags::APPROVED).is_some(), "{there} points at {ami}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_release_is_in_no_channel_and_comes_back_to_none_until_it_is_restored() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = world(distribute);
        prepared(&world).await;
        let before = State::now(&world);
        let plan = prepare_revocation(&world.cloud, &withdraw(&world, AMIS[1])).await.unwrap();
        let planned: Vec<_> = plan.channels.iter().map(|one| (one.channel.as_str(), one.to.as_deref())).collect();
        assert_eq!(planned, [("candidate", Some(AMIS[0])), (PRODUCTION, Some(AMIS[0]))]);
        assert_eq!(State::now(&world), before, "a plan changes nothing");
        let images = if distribute == Distribute::Share { 4 } else { 12 };
        assert_eq!(plan.images.len(), images);

        let revoked = go(&world, AMIS[1]).await.unwrap();
        assert!(revoked.changed && !revoked.is_partial(), "{revoked:?}");
        assert_eq!(revoked.revocation.channels, ["candidate", PRODUCTION]);
        let after = State::now(&world);
        assert!(after.pointers.values().all(|one| *one == (Some(AMIS[0].into()), Some(AMIS[0].into()))));
        for (place, (state, approved, tagged, launched_by)) in &after.images {
            let withdrawn = place.ends_with(AMIS[1]);
            assert_eq!((state == "disabled", *tagged), (withdrawn, withdrawn), "{place}");
            assert_eq!(*approved, place.ends_with(AMIS[0]), "{place}");
            assert!(!withdrawn || launched_by.is_empty(), "{place}");
        }
        let unchanged = go(&world, AMIS[1]).await.unwrap();
        assert!(!unchanged.changed && unchanged.images.len() == images);

        let refused = promote_to(&world, 0, AMIS[1]).await.unwrap_err();
        assert_eq!(refused.exit_code(), 8, "{refused}");
        assert!(matches!(refused, PromoteError::Revoked { .. }), "{refused}");
        let order = &orders(&world)[0];
        let refused = rollback(&world.cloud, order, Some(AMIS[1]), &Events::none()).await.unwrap_err();
        assert!(matches!(refused, PromoteError::Revoked { .. }), "{refused}");

        let restored = back(&world, AMIS[1], false).await.unwrap();
        assert!(restored.complete && restored.unapproved.is_none(), "{restored:?}");
        let end = State::now(&world);
        assert_eq!((&end.images, &end.books), (&before.images, &before.books), "who could launch them can again");
        assert_eq!(end.pointers, after.pointers, "no channel is moved");
        assert!(matches!(back(&world, AMIS[1], false).await, Err(PromoteError::NotRevoked { .. })));
        assert!(promote_to(&world, 0, AMIS[1]).await.unwrap().changed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_tag_alone_keeps_a_release_out_of_every_channel() {
    let world = world(Distribute::Share);
    prepared(&world).await;
    go(&world, AMIS[1]).await.unwrap();
    let name = names::revocation("acme", "debian-12", "x86_64", AMIS[1]);
    store::delete(&world.cloud, world.cloud.home(), &name).await.unwrap();
    let refused = promote_to(&world, 0, AMIS[1]).await.unwrap_err();
    assert!(matches!(refused, PromoteError::Revoked { .. }), "{refused}");
    // Without the record it is restored by the tags.
    let restored = back(&world, AMIS[1], false).await.unwrap();
    assert!(restored.complete && restored.images.len() == 4, "{restored:?}");
    assert!(promote_to(&world, 0, AMIS[1]).await.unwrap().changed);
}

#[tokio::test(start_paused = true)]
async fn without_evidence_the_mark_does_not_come_back() {
    let world = world(Distribute::Share);
    prepared(&world).await;
    go(&world, AMIS[1]).await.unwrap();
    let order = withdraw(&world, AMIS[1]);
    // What cannot be looked at is no judgement.
    let before = State::now(&world);
    let unseen = async |_: &str| Err(PromoteError::NoReason);
    let unseen = withdrawal::restore(&world.cloud, &order, unseen, &Events::none()).await;
    assert!(matches!(unseen, Err(PromoteError::NoReason)), "{unseen:?}");
    assert_eq!(State::now(&world), before);
    let other =
        async |_: &str| Ok::<_, PromoteError>(Ok(Approval { digest: "sha256:other".into(), ..approval(AMIS[1]) }));
    let restored = withdrawal::restore(&world.cloud, &order, other, &Events::none()).await.unwrap();
    assert!(restored.complete && restored.unapproved.as_ref().is_some_and(|why| why.contains("sha256:other")));
    let end = State::now(&world);
    let of_it = end.images.iter().filter(|(place, _)| place.ends_with(AMIS[1]));
    for (place, (state, approved, tagged, _)) in of_it {
        assert_eq!((state.as_str(), *approved, *tagged), ("available", false, false), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_becomes_empty_only_when_it_may() {
    let world = world(Distribute::Share);
    for channel in 0..CHANNELS.len() {
        promote_to(&world, channel, AMIS[0]).await.unwrap();
    }
    let before = State::now(&world);
    let refused = go(&world, AMIS[0]).await.unwrap_err();
    assert!(matches!(&refused, PromoteError::WouldBeEmpty { channels, .. } if channels.len() == 2), "{refused}");
    assert_eq!((refused.exit_code(), State::now(&world)), (2, before));
    let order = Withdraw { allow_empty: true, ..withdraw(&world, AMIS[0]) };
    let revoked = withdrawal::revoke(&world.cloud, &order, &Events::none()).await.unwrap();
    assert!(!revoked.is_partial() && revoked.channels.iter().all(|one| one.empty), "{revoked:?}");
    let empty = State::now(&world);
    assert!(empty.pointers.values().all(|(template, parameter)| template.is_some() && parameter.is_none()));
    let order = &orders(&world)[0];
    let history = history(&world.cloud, order).await.unwrap();
    assert_eq!(
        history.iter().map(|one| (one.ami.as_str(), one.empty)).collect::<Vec<_>>(),
        [(AMIS[0], true), (AMIS[0], false)]
    );
    assert_eq!(drift(&world.cloud, order).await.unwrap(), None);
    assert_eq!(previous(&world.cloud, order).await.unwrap(), (None, vec![]), "an empty channel has none");
    assert!(matches!(rollback(&world.cloud, order, None, &Events::none()).await, Err(PromoteError::NoEarlier { .. })));
    // The next release fills it, and the templates launch again.
    let filled = promote_to(&world, 0, AMIS[1]).await.unwrap();
    assert!(filled.changed && filled.release.previous.is_none());
    let full = State::now(&world);
    let of_candidate = full.pointers.iter().filter(|(name, _)| name.starts_with("candidate"));
    assert!(of_candidate.map(|(_, one)| one).all(|one| *one == (Some(AMIS[1].into()), Some(AMIS[1].into()))));
    let again = go(&world, AMIS[0]).await.unwrap();
    assert!(!again.changed, "{again:?}");
}

/// Emptying a channel is undone in every target when it fails in one.
#[tokio::test(start_paused = true)]
async fn emptying_holds_everywhere_or_nowhere() {
    let world = world(Distribute::Share);
    promote_to(&world, 0, AMIS[0]).await.unwrap();
    let before = State::now(&world);
    let count = AtomicU64::new(0);
    world.faults(move |_, operation, _| {
        (operation == "DeleteParameter" && count.fetch_add(1, Ordering::SeqCst) == 4).then_some(Fault::Deny)
    });
    let order = Withdraw { allow_empty: true, ..withdraw(&world, AMIS[0]) };
    let revoked = withdrawal::revoke(&world.cloud, &order, &Events::none()).await.unwrap();
    world.calm();
    assert!(revoked.is_partial() && revoked.channels[0].failed.is_some(), "{revoked:?}");
    let state = State::now(&world);
    assert_eq!((&state.pointers, &state.images), (&before.pointers, &before.images));
    safe(&Eyes::on(&world.local.store.picture()), "put back");
    let order = Withdraw { allow_empty: true, ..withdraw(&world, AMIS[0]) };
    assert!(!withdrawal::revoke(&world.cloud, &order, &Events::none()).await.unwrap().is_partial());
}

#[tokio::test(start_paused = true)]
async fn a_channel_goes_back_past_releases_that_were_revoked_or_rolled_back_from() {
    let world = world(Distribute::Share);
    for ami in AMIS {
        promote_to(&world, 0, ami).await.unwrap();
    }
    go(&world, AMIS[1]).await.unwrap();
    // Who stays one release behind goes past it as well.
    let (before, passed_over) = previous(&world.cloud, &orders(&world)[0]).await.unwrap();
    assert_eq!(before.unwrap().ami, AMIS[0]);
    assert!(passed_over.len() == 1 && passed_over[0].contains("was revoked at"), "{passed_over:?}");
    let plan = prepare_revocation(&world.cloud, &withdraw(&world, AMIS[2])).await.unwrap();
    assert_eq!(plan.channels[0].to.as_deref(), Some(AMIS[0]));
    assert!(plan.channels[0].passed_over[0].contains(AMIS[1]), "{plan:?}");
    go(&world, AMIS[2]).await.unwrap();
    let end = State::now(&world);
    assert_eq!(end.pointers["candidate 000000000000/us-east-1"].0.as_deref(), Some(AMIS[0]));
}

/// Pointers that somebody has moved to the release by hand are put right before its images are disabled.
#[tokio::test(start_paused = true)]
async fn pointers_that_were_moved_to_it_by_hand_are_put_right() {
    let world = world(Distribute::Share);
    prepared(&world).await;
    rollback(&world.cloud, &orders(&world)[1], None, &Events::none()).await.unwrap();
    let (place, parameter) = (places()[5].clone(), CHANNELS[1].2);
    let there = Eyes::on(&world.local.store.picture()).parameter(&place, PARAMETER).unwrap();
    store::put_image(&world.cloud, &place, parameter, &there).await.unwrap();
    let plan = prepare_revocation(&world.cloud, &withdraw(&world, AMIS[1])).await.unwrap();
    assert_eq!(plan.channels.iter().map(|one| one.repair).collect::<Vec<_>>(), [false, true]);
    assert!(!go(&world, AMIS[1]).await.unwrap().is_partial());
    safe(&Eyes::on(&world.local.store.picture()), "by hand");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_looked_at_is_named_and_never_nobody() {
    let world = world(Distribute::Copy);
    prepared(&world).await;
    let count = AtomicU64::new(0);
    // The list of instances of one place is denied, once for the plan and once for the result.
    world.faults(move |_, operation, _| {
        let nth = (operation == "DescribeInstances").then(|| count.fetch_add(1, Ordering::SeqCst));
        nth.is_some_and(|nth| nth % 12 == 7).then_some(Fault::Deny)
    });
    let revoked = go(&world, AMIS[1]).await.unwrap();
    world.calm();
    assert_eq!(revoked.users.unseen.len(), 1, "{:?}", revoked.users);
    assert!(revoked.users.unseen[0].reason.contains("UnauthorizedOperation"), "{:?}", revoked.users);
    assert!(!revoked.is_partial(), "its images are withdrawn all the same");
}

/// A Region is unreachable: with a quorum the others are left, what the unreachable one may use stays, and the same command
/// ends it later.
#[tokio::test(start_paused = true)]
async fn with_a_quorum_the_rest_is_revoked_without_a_target() {
    let world = world(Distribute::Copy);
    prepared(&world).await;
    let count = AtomicU64::new(0);
    // One target cannot be staged in, in both channels.
    world.faults(move |_, operation, _| {
        let nth = (operation == "CreateLaunchTemplateVersion").then(|| count.fetch_add(1, Ordering::SeqCst));
        nth.is_some_and(|nth| nth % 12 == 5).then_some(Fault::Deny)
    });
    let orders = orders(&world).into_iter().map(|order| Order { quorum: Some(11), ..order }).collect();
    let order = Withdraw { orders, ..withdraw(&world, AMIS[1]) };
    let revoked = withdrawal::revoke(&world.cloud, &order, &Events::none()).await.unwrap();
    world.calm();
    assert!(revoked.is_partial() && revoked.channels.iter().all(|one| one.left_out.len() == 1), "{revoked:?}");
    let kept: Vec<_> = revoked.images.iter().filter(|one| !one.withdrawn).collect();
    assert!(!kept.is_empty() && kept.len() <= 2, "{kept:?}");
    safe(&Eyes::on(&world.local.store.picture()), "with a quorum");
    let whole = go(&world, AMIS[1]).await.unwrap();
    assert!(!whole.is_partial(), "{whole:?}");
    safe(&Eyes::on(&world.local.store.picture()), "whole");
}

/// A promoter and somebody who revokes what is promoted, every call delayed by chance.
#[tokio::test(start_paused = true)]
async fn whoever_promotes_what_is_being_revoked_is_stopped_or_seen() {
    let world = world(Distribute::Share);
    for channel in 0..CHANNELS.len() {
        promote_to(&world, channel, AMIS[0]).await.unwrap();
    }
    // Its copies are there, so that both have something to find.
    promote_to(&world, 0, AMIS[1]).await.unwrap();
    let start = world.local.store.picture();
    let first = std::env::var("AMIFORGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + if everything() { 100 } else { 2 } {
        world.local.store.restore(&start);
        let case = format!("AMIFORGE_SEED={seed}");
        let (state, local) = (AtomicU64::new(seed), Arc::downgrade(&world.local));
        let (wrote, name) = (AtomicU64::new(0), case.clone());
        world.faults(move |_, operation, _| {
            if wrote.swap(u64::from(CHANGES.contains(&operation)), Ordering::SeqCst) == 1 {
                safe(&Eyes::on(&local.upgrade().unwrap().store.picture()), &name);
            }
            Some(Fault::Delay(Duration::from_millis(chance(&state) % 2000)))
        });
        let (promoted, revoked) = tokio::join!(promote_to(&world, 1, AMIS[1]), go(&world, AMIS[1]));
        world.calm();
        if let Err(error) = &promoted {
            assert!(matches!(error.exit_code(), 8 | 11), "{case}: {error}");
        }
        if let Err(error) = &revoked {
            assert_eq!(error.exit_code(), 11, "{case}: {error}");
        }
        let whole = go(&world, AMIS[1]).await.unwrap();
        assert!(!whole.is_partial(), "{case}: {whole:?}");
        let end = State::now(&world);
        let at_it = end.pointers.values().filter(|(one, other)| [one, other].contains(&&Some(AMIS[1].to_owned())));
        assert_eq!(at_it.count(), 0, "{case}");
        safe(&Eyes::on(&world.local.store.picture()), &case);
    }
}
