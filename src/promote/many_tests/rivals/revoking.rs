//! Revocations among promoters: whatever was asked for at the same time, what is revoked ends in no channel, and nothing that a
//! channel points to is ever disabled.

use super::super::super::revoke::Withdraw;
use super::*;
use crate::aws::tags;
use crate::local::records::AMI;
use crate::promote::revoke;

/// What revoking leaves: it stays.
pub(super) const REVOCATIONS: &str = "/revocations/";
/// What it locks.
const REVOKING: &str = "/revoking/";

pub(super) async fn perform(world: &World, ami: &str, resume: bool) -> Result<bool, PromoteError> {
    let order = Order { reason: "a key is in it".into(), ..world.order() };
    let order = Withdraw { orders: vec![order], release: ami.to_owned(), allow_empty: false, resume };
    let revoked = Box::pin(revoke::revoke(&world.cloud, &order, &Events::none())).await?;
    Ok(revoked.changed)
}

/// Parameters at home that are called so.
fn books(world: &World, part: &str) -> Vec<String> {
    End::of(&world.local.store.picture()).books.into_iter().filter(|name| name.contains(part)).collect()
}

/// Images of revocations that were begun.
fn begun(world: &World) -> Vec<&'static str> {
    let all = books(world, REVOCATIONS);
    AMIS.into_iter().filter(|ami| all.iter().any(|name| name.contains(ami))).collect()
}

/// Ends what nobody is at any more, as whoever is called at night would: first the channel, then the revocations.
async fn settle(world: &World, chance: &Chance, case: &str) {
    let is_channel = |name: &String| !name.contains(REVOCATIONS) && !name.contains(REVOKING);
    if End::of(&world.local.store.picture()).books.iter().any(is_channel) {
        match world.resume(chance.direction()).await {
            // What was revoked since is not gone on to.
            Err(PromoteError::Revoked { .. }) => {
                world.resume(Direction::Undo).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            }
            Err(PromoteError::NothingToResume { .. }) | Ok(_) => {}
            Err(error) => panic!("{case}: {error}"),
        }
    }
    for ami in begun(world) {
        perform(world, ami, true).await.unwrap_or_else(|error| panic!("{case}, {ami}: {error}"));
        assert!(!perform(world, ami, false).await.unwrap(), "{case}: {ami} is revoked, and again");
    }
}

/// What is revoked can be launched by nobody and is in no channel; everything else can.
fn withdrawn(world: &World, ami: &str, revoked: &[&str], case: &str) {
    assert!(!revoked.contains(&ami), "{case}: the channel is at {ami}, revoked are {revoked:?}");
    assert_eq!(books(world, REVOKING), Vec::<String>::new(), "{case}");
    let (picture, mut images) = (world.local.store.picture(), 0);
    let eyes = Eyes::on(&picture);
    for row in picture.rows().filter(|row| row.key.kind == AMI) {
        let (image, is_revoked) = (row.value(), revoked.contains(&&*eyes.source(&row.key.id)));
        assert_eq!(image["state"] == "disabled", is_revoked, "{case}: {image}");
        assert_eq!(image["tags"].get(tags::REVOKED).is_some(), is_revoked, "{case}: {image}");
        assert!(!is_revoked || image["tags"].get(tags::APPROVED).is_none(), "{case}: {image}");
        images += usize::from(is_revoked);
    }
    assert!(images >= revoked.len(), "{case}");
}

/// Three releases were in the channel, which is at the last one or has gone back to the one before.
fn history(distribute: Distribute, back: bool) -> Picture {
    alone(async {
        let world = World::new(distribute);
        for ami in AMIS {
            world.promote(ami).await.unwrap();
        }
        if back {
            world.rollback().await.unwrap();
        }
        world.local.store.picture()
    })
}

impl Chance {
    fn revocation(&self) -> Act {
        Act::Revoke(AMIS[1 + usize::from(self.below(2) == 0)])
    }
}

impl Schedule<'_> {
    /// A revocation and others, which do or do not die. Of three there is always one that revokes.
    async fn revoking(&self, wild: bool) {
        self.disturb(wild);
        let (world, chance) = (self.world, &self.chance);
        let mut acts = [chance.revocation(), chance.act(), if wild { chance.act() } else { chance.revocation() }];
        acts.rotate_left(usize::try_from(chance.below(3)).unwrap());
        let life = if wild { chance.seconds(60) } else { Duration::from_hours(1) };
        let later = [Duration::ZERO, chance.seconds(20), chance.seconds(40)];
        let one = async {
            let done = tokio::time::timeout(life, acts[0].perform(world)).await;
            done.ok()
        };
        let at = async |index: usize| {
            tokio::time::sleep(later[index]).await;
            acts[index].perform(world).await
        };
        let told = tokio::join!(one, at(1), at(2));
        world.calm();
        let case = format!("{}: {acts:?}: {told:?}", self.name());
        self.looked_at(&world.local.store.picture(), &case);
        settle(world, chance, &case).await;
        let revoked = begun(world);
        let (_, ami) = self.ended();
        withdrawn(world, &ami, &revoked, &case);
    }

    /// Nothing in use is disabled, even before anybody has ended what was cut off.
    fn looked_at(&self, picture: &Picture, case: &str) {
        Eyes::on(picture).check(&Watch::from(self.start), case);
        launchable(picture, case);
    }
}

/// No pointer of the channel names an image that cannot be launched.
pub(super) fn launchable(picture: &Picture, case: &str) {
    let eyes = Eyes::on(picture);
    for place in places() {
        let template = eyes.template(&place).map(|(default, versions)| versions[&default].clone());
        for ami in template.into_iter().chain(eyes.parameter(&place, PARAMETER)) {
            assert_eq!(eyes.ami(&ami)["state"], "available", "{case}: {place:?} points at {ami}");
        }
    }
}

#[test]
fn revocations_among_promoters_leave_no_channel_at_what_is_revoked() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let starts = [history(distribute, false), history(distribute, true)];
        let seeds = seeds(24);
        spread(
            || World::new(distribute),
            &seeds,
            async |world, seed| {
                let start = &starts[usize::from(!seed.is_multiple_of(3))];
                Box::pin(Schedule::new(world, start, *seed).revoking(!seed.is_multiple_of(2))).await;
            },
        );
        println!("{distribute:?}: {} seeds from {}", seeds.len(), seeds[0]);
    }
}
