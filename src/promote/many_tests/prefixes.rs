//! Undo of any prefix of the steps restores the state before.

use super::super::execute::Executor;
use super::super::*;
use super::end::End;
use super::eyes::{Eyes, Watch};
use super::world::*;
use crate::clock::Clock;
use crate::project::{Distribute, Location};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A small world, what is in it, and how far a promotion comes.
#[derive(Debug, Clone)]
struct Given {
    accounts: usize,
    regions: usize,
    distribute: Distribute,
    /// Whether anything was promoted before.
    released: bool,
    /// Which of the launch templates and parameters of that somebody has removed.
    removed: Vec<(bool, bool)>,
    /// How far the promotion comes.
    far: prop::sample::Index,
}

prop_compose! {
    fn given()(
        accounts in 1..=3_usize,
        regions in 1..=3_usize,
        copies in any::<bool>(),
        released in prop::bool::weighted(0.7),
        removed in prop::collection::vec((prop::bool::weighted(0.2), prop::bool::weighted(0.2)), 9),
        far in any::<prop::sample::Index>(),
    ) -> Given {
        let distribute = if copies { Distribute::Copy } else { Distribute::Share };
        Given { accounts, regions, distribute, released, removed, far }
    }
}

impl Given {
    fn places(&self) -> Vec<Location> {
        let all = ACCOUNTS[..self.accounts]
            .iter()
            .flat_map(|account| REGIONS[..self.regions].iter().map(move |region| (account, region)));
        all.map(|(account, region)| Location { account: (*account).into(), region: (*region).into() }).collect()
    }

    async fn world(&self) -> World {
        let world = World::over(&self.places(), &Clock::fixed(START), self.distribute);
        if !self.released {
            return world;
        }
        world.promote(AMIS[0]).await.unwrap();
        for (place, (template, parameter)) in self.places().iter().zip(&self.removed) {
            if *template {
                let request = world.cloud.ec2(place).delete_launch_template().launch_template_name(TEMPLATE);
                request.send().await.unwrap();
            }
            if *parameter {
                store::delete(&world.cloud, place, PARAMETER).await.unwrap();
            }
        }
        world
    }

    /// Performs a prefix of the steps, one by one, and undoes it.
    async fn there_and_back(&self) -> Result<(), TestCaseError> {
        let world = self.world().await;
        let start = world.local.store.picture();
        let decision = prepare(&world.cloud, &world.order(), &candidate(AMIS[1]), &approval(AMIS[1])).await.unwrap();
        let Decision::Go(plan) = decision else { return Err(TestCaseError::fail("there is nothing to do")) };
        // From the record on it has happened.
        let steps: Vec<Step> = plan.steps().into_iter().filter(|step| step.undo() != Undo::Finish).collect();
        let far = self.far.index(steps.len() + 1);
        let events = Events::none();
        let mut executor = Executor::new(&world.cloud, &plan, &events);
        let (mut begun, watch) = (BTreeSet::new(), Watch { places: self.places(), ..Watch::from(&start) });
        for step in &steps[..far] {
            executor.phase(&[*step], &mut begun).await.unwrap();
            Eyes::on(&world.local.store.picture()).check(&watch, &format!("{step:?}"));
        }
        let begun: Vec<Step> = begun.into_iter().collect();
        executor.undo_all(&begun).await.unwrap();
        let (old, end) = (End::of(&start), End::of(&world.local.store.picture()));
        let end = end.swept(&old);
        prop_assert!(end == old, "after {:?}:\n{}", steps[..far].last(), old.difference(&end));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn undo_of_any_prefix_restores_what_was_before(given in given()) {
        alone(given.there_and_back())?;
    }
}
