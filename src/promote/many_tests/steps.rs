//! Whatever is planned, its steps are the same each time, stand in DESIGN section 8's order and have their undo.

use super::super::image::Image;
use super::super::state::{Pointers, TemplateNow};
use super::super::*;
use super::world::{AMIS, approval, candidate, digest, project};
use crate::project::{Distribute, EnvironmentConfig, LocalConfig, Location, Target};
use proptest::prelude::*;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-10 12:00:00 UTC);
/// Most places.
const MOST: usize = 4 * 5;

/// What a plan is made from.
#[derive(Debug, Clone)]
struct Given {
    accounts: usize,
    regions: usize,
    distribute: Distribute,
    /// Whether home is among the targets.
    at_home: bool,
    /// How many launch templates and parameters a place has.
    pointers: (usize, usize),
    /// Whether there are launch templates, parameters, and a copy of the image.
    there: Vec<(bool, bool, bool)>,
    quorum: Option<usize>,
}

prop_compose! {
    fn given()(
        accounts in 1..=4_usize,
        regions in 1..=5_usize,
        copies in any::<bool>(),
        at_home in any::<bool>(),
        templates in 0..=2_usize,
        parameters in 0..=2_usize,
        there in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), MOST),
        quorum in prop::option::of(1..=MOST),
    ) -> Given {
        let distribute = if copies { Distribute::Copy } else { Distribute::Share };
        let pointers = (templates, if templates == 0 { parameters.max(1) } else { parameters });
        Given { accounts, regions, distribute, at_home: at_home || accounts * regions == 1, pointers, there, quorum }
    }
}

fn place(account: usize, region: usize) -> Location {
    Location { account: format!("{account:012}"), region: format!("region-{region}") }
}

impl Given {
    fn state(&self) -> State {
        let home = place(0, 0);
        let all = (0..self.accounts).flat_map(|account| (0..self.regions).map(move |region| place(account, region)));
        let places: Vec<Location> = all.filter(|place| self.at_home || *place != home).collect();
        let mut copies = BTreeMap::new();
        let mut seen = Vec::new();
        for (place, (template, parameter, copy)) in places.iter().zip(&self.there) {
            let before = template.then(|| TemplateBefore { id: "lt-1".into(), default_version: 3 });
            let template = TemplateNow { ami: before.as_ref().map(|_| "ami-1".to_owned()), before };
            seen.push(Ok(Pointers {
                templates: vec![template; self.pointers.0],
                parameters: vec![parameter.then(|| "ami-1".to_owned()); self.pointers.1],
            }));
            if *copy {
                copies.insert(place.clone(), ("ami-9".to_owned(), How::Copied));
            }
        }
        State {
            environment: "local".into(),
            config: EnvironmentConfig::Local(LocalConfig { distribute: self.distribute, ..LocalConfig::default() }),
            home,
            targets: places.into_iter().map(|location| Target { location, role: None }).collect(),
            record: None,
            journal: None,
            lock: None,
            before: None,
            revoked: None,
            consent: None,
            builder: super::super::approve::Builder::Unknown,
            image: Image { state: Some("available".into()), evidence: Some(digest(AMIS[1])), ..Image::default() },
            copies,
            keys: vec![],
            seen,
        }
    }

    fn plan(&self) -> Plan {
        let project = project();
        let order = Order {
            project: &project,
            recipe: "debian-12",
            arch: "x86_64",
            channel: "candidate",
            launch_templates: (0..self.pointers.0).map(|number| format!("debian-12-{number}")).collect(),
            parameters: (0..self.pointers.1).map(|number| format!("/golden/debian-12/{number}")).collect(),
            reason: "test".into(),
            holder: "host/1".into(),
            quorum: self.quorum,
            caller: None,
            override_reason: None,
        };
        match plan(&order, &candidate(AMIS[1]), Some(&approval(AMIS[1])), &self.state(), NOW).unwrap() {
            Decision::Go(plan) => *plan,
            Decision::Nothing(_) => unreachable!("nothing is there yet"),
        }
    }
}

/// The order of DESIGN section 8: of kinds of steps, and first the source and then its copies.
fn rank(step: Step) -> usize {
    match step {
        Step::Lock => 0,
        Step::Verify => 1,
        Step::Journal => 2,
        Step::Distribute(0) => 3,
        Step::Distribute(_) => 4,
        Step::Note => 5,
        Step::Stage(_) => 6,
        Step::Prove(_) => 7,
        Step::Canary(_) => 8,
        Step::Hold => 9,
        Step::FlipTemplate(_) => 10,
        Step::FlipParameter(_) => 11,
        Step::RemoveParameter(_) => 12,
        Step::Record => 13,
        Step::Clear => 14,
        Step::Unlock => 15,
    }
}

/// What a step leaves that must go when it is undone.
fn leaves_something(step: Step) -> bool {
    !matches!(step, Step::Verify | Step::Note | Step::Prove(_) | Step::Hold)
}

proptest! {
    #[test]
    fn the_same_is_planned_each_time(given in given()) {
        let (one, two) = (given.plan(), given.plan());
        prop_assert_eq!(&one, &two);
        prop_assert_eq!(one.phases(), two.phases());
        prop_assert_eq!(one.steps(), one.phases().concat());
    }

    #[test]
    fn what_the_journal_says_has_the_same_steps(given in given()) {
        let plan = given.plan();
        let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        prop_assert_eq!(read.phases(), plan.phases());
    }

    #[test]
    fn steps_stand_in_order_and_each_is_there_once(given in given()) {
        let plan = given.plan();
        let phases = plan.phases();
        for phase in &phases {
            prop_assert!(phase.iter().all(|step| rank(*step) == rank(phase[0])), "{:?}", phase);
        }
        prop_assert!(phases.is_sorted_by(|a, b| rank(a[0]) < rank(b[0])), "{:?}", phases);
        let of = |wanted: usize| plan.steps().iter().filter(|step| rank(**step) == wanted).count();
        let (targets, copies) = (plan.moves.len(), plan.supplies.len() - 1);
        let unknown = usize::from(plan.supplies.iter().any(|one| one.ami.is_none()));
        let counts: Vec<usize> = (0..=15).map(of).collect();
        let (templates, parameters) = (given.pointers.0.min(1) * targets, given.pointers.1.min(1) * targets);
        let wanted = [1, 1, 1, 1, copies, unknown, templates, targets, 0, 1, templates, parameters, 0, 1, 1, 1];
        prop_assert_eq!(counts, wanted.to_vec());
        // The executor keeps begun steps in a set and undoes them in the opposite of its order.
        prop_assert!(plan.steps().is_sorted_by(|a, b| a < b), "{:?}", plan.steps());
    }

    #[test]
    fn nothing_flips_before_everything_is_proven_and_the_lock_is_looked_at(given in given()) {
        let plan = given.plan();
        let steps = plan.steps();
        let first = steps.iter().position(|step| step.is_flip()).unwrap();
        for target in 0..plan.moves.len() {
            let proof = steps.iter().position(|step| *step == Step::Prove(target));
            prop_assert!(proof.is_some_and(|proof| proof < first));
            let stage = steps.iter().position(|step| *step == Step::Stage(target));
            prop_assert!(stage < proof);
        }
        prop_assert!(steps[..first].contains(&Step::Hold));
        let record = steps.iter().position(|step| *step == Step::Record).unwrap();
        prop_assert!(steps[record..].iter().all(|step| !step.is_flip()));
    }

    #[test]
    fn every_step_that_leaves_something_says_how_it_is_undone(given in given()) {
        for step in given.plan().steps() {
            prop_assert_eq!(step.undo() != Undo::Nothing, leaves_something(step), "{:?}", step);
            let number = match step.undo() {
                Undo::Unmark(number) | Undo::RemoveStaged(number) | Undo::TemplateBack(number)
                | Undo::ParameterBack(number) | Undo::EndCanary(number) | Undo::ParameterAgain(number) => Some(number),
                _ => None,
            };
            let own = match step {
                Step::Distribute(supply) => Some(supply),
                Step::Prove(_) => None,
                _ => step.target(),
            };
            prop_assert_eq!(number, own, "{:?} is undone where it was done", step);
        }
    }

    #[test]
    fn every_target_has_an_image_that_it_may_launch(given in given()) {
        let plan = given.plan();
        for one in &plan.moves {
            let supply = &plan.supplies[one.supply];
            prop_assert_eq!(&supply.region, &one.region);
            prop_assert!(supply.account == one.account || supply.launched_by.contains(&one.account));
        }
        for (index, copy) in plan.supplies.iter().enumerate().skip(1) {
            let may_copy = copy.account == plan.supplies[0].account || plan.supplies[0].copied_by.contains(&copy.account);
            prop_assert!(may_copy, "image {} is copied from an account that lets it", index);
        }
    }
}
