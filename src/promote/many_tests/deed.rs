//! What is stopped and disturbed.

use super::super::*;
use super::end::End;
use super::eyes::Eyes;
use super::world::*;
use crate::project::Distribute;
use std::fmt::Debug;

/// What is stopped and disturbed: how its world begins, what it does, and how it goes on after it was cut off.
///
/// A new one needs `distribute`, `prepare` and `go`. One that carries out a [`Plan`] says it in `plan`, too: then faults are
/// tried phase by phase, which takes a tenth of the time. One that goes on in its own way says so in `recover`, and in `ends_new`
/// where it then ends.
pub(super) trait Deed: Copy + Debug + Send + Sync + 'static {
    /// How images come to the targets.
    fn distribute(self) -> Distribute;

    /// A world before it is prepared.
    fn world(self) -> World {
        World::new(self.distribute())
    }

    /// Makes a world in which it can begin.
    async fn prepare(self, world: &World);

    /// Does it.
    async fn go(self, world: &World) -> Result<(), PromoteError>;

    /// What it will do, when that is all that [`Deed::go`] does.
    async fn plan(self, _world: &World) -> Option<Result<Decision, PromoteError>> {
        None
    }

    /// Goes on after it was cut off.
    async fn recover(self, world: &World, direction: Direction) -> Result<(), PromoteError> {
        world.resume(direction).await.map(drop)
    }

    /// Whether it ends at the new end when it was cut off in that world and went on in that direction.
    fn ends_new(self, cut: &End, old: &End, direction: Direction) -> bool {
        let recorded = cut.id() != old.id();
        let begun = cut.books.iter().any(|name| name == JOURNAL);
        recorded || (begun && direction == Direction::Finish)
    }

    /// Targets that it may do without.
    fn missing(self) -> usize {
        0
    }

    /// What must be true of every world that anybody may see, beside what [`Eyes::check`] says.
    fn check(self, _eyes: &Eyes, _case: &str) {}
}

/// A promotion or a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The first release of all.
    First(Distribute),
    /// The second release over the first.
    Next(Distribute),
    /// The same, and three targets may be left out.
    Most(Distribute),
    /// Back from the second to the first.
    Back(Distribute),
}

impl What {
    fn order(self, world: &World) -> Order<'_> {
        Order { quorum: matches!(self, Self::Most(_)).then_some(TARGETS - self.missing()), ..world.order() }
    }
}

impl Deed for What {
    fn distribute(self) -> Distribute {
        let (Self::First(how) | Self::Next(how) | Self::Most(how) | Self::Back(how)) = self;
        how
    }

    async fn prepare(self, world: &World) {
        let before: &[&str] = match self {
            Self::First(_) => &[],
            Self::Next(_) | Self::Most(_) => &AMIS[..1],
            Self::Back(_) => &AMIS[..2],
        };
        for ami in before {
            world.promote(ami).await.unwrap();
        }
    }

    async fn go(self, world: &World) -> Result<(), PromoteError> {
        let (order, cloud, events) = (self.order(world), &world.cloud, Events::none());
        let done = match self {
            Self::First(_) => promote(cloud, &order, &candidate(AMIS[0]), &approval(AMIS[0]), &events).await,
            Self::Next(_) | Self::Most(_) => {
                promote(cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1]), &events).await
            }
            Self::Back(_) => rollback(cloud, &order, None, &events).await,
        };
        done.map(drop)
    }

    async fn plan(self, world: &World) -> Option<Result<Decision, PromoteError>> {
        let (order, cloud) = (self.order(world), &world.cloud);
        Some(match self {
            Self::First(_) => prepare(cloud, &order, &candidate(AMIS[0]), &approval(AMIS[0])).await,
            Self::Next(_) | Self::Most(_) => prepare(cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1])).await,
            Self::Back(_) => prepare_rollback(cloud, &order, None).await,
        })
    }

    fn missing(self) -> usize {
        if matches!(self, Self::Most(_)) { 3 } else { 0 }
    }
}
