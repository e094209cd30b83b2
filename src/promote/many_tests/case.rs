//! One deed, and what the world was like before, while and after it was done undisturbed.

use super::super::execute::{Executor, is_in_doubt};
use super::super::*;
use super::deed::Deed;
use super::end::End;
use super::eyes::{Eyes, Watch};
use super::world::*;
use crate::local::Fault;
use crate::local::picture::Picture;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

/// A deed, and what the world was like before, while and after it was done undisturbed.
pub(super) struct Case<D> {
    pub(super) deed: D,
    pub(super) start: Picture,
    watch: Watch,
    pub(super) old: End,
    pub(super) new: End,
    /// What the world was like before every call, and at the end.
    pub(super) film: Vec<Frame>,
    /// For a deed that carries out a plan: that, and the calls that led to it.
    pub(super) plan: Option<Decision>,
    pub(super) planning: Vec<Frame>,
    pub(super) legs: Vec<Leg>,
    /// Worlds that were looked at: what was right in one is right in the same.
    seen: Arc<Mutex<HashSet<u64>>>,
    /// What was given up, and where: who knows the same in the same world undoes it in the same way.
    given_up: Mutex<HashSet<String>>,
}

/// A phase. Nothing is behind it but what was planned, what was made so far, and the world: who comes to its end with all of
/// these as they were the first time goes on as it went on then.
pub(super) struct Leg {
    phase: usize,
    before: Picture,
    known: Memory,
    /// The steps that were begun before.
    begun: BTreeSet<Step>,
    pub(super) film: Vec<Frame>,
    after: Picture,
    learnt: Memory,
    /// Its steps, each done alone.
    pub(super) solos: Vec<Solo>,
}

/// A step that was done without the others of its phase.
pub(super) struct Solo {
    step: Step,
    pub(super) film: Vec<Frame>,
    after: Picture,
    learnt: Memory,
}

/// What an executor remembers of the steps so far.
#[derive(Debug, Clone, Default, PartialEq)]
struct Memory {
    images: BTreeMap<usize, String>,
    keys: BTreeMap<usize, Vec<String>>,
    templates: BTreeMap<usize, Vec<TemplatePointer>>,
    parameters: BTreeMap<usize, Vec<ParameterPointer>>,
    left_out: BTreeMap<usize, String>,
}

impl Memory {
    fn of(executor: &Executor<'_>) -> Self {
        Self {
            images: executor.images.clone(),
            keys: executor.keys.clone(),
            templates: executor.templates.clone(),
            parameters: executor.parameters.clone(),
            left_out: executor.left_out.clone(),
        }
    }

    fn put_into(self, executor: &mut Executor<'_>) {
        let Self { images, keys, templates, parameters, left_out } = self;
        (executor.images, executor.keys, executor.templates) = (images, keys, templates);
        (executor.parameters, executor.left_out) = (parameters, left_out);
    }

    fn add(&mut self, other: &Self) {
        self.images.extend(other.images.clone());
        self.keys.extend(other.keys.clone());
        self.templates.extend(other.templates.clone());
        self.parameters.extend(other.parameters.clone());
        self.left_out.extend(other.left_out.clone());
    }
}

/// How a part of a deed that was disturbed ended.
pub(super) enum Passed {
    /// As it did undisturbed, in every respect: so will all that comes after it.
    Alike,
    /// The deed was done, in another way.
    Otherwise,
    /// It failed in a state in which it has failed before.
    AsBefore,
    /// It failed.
    Failed(Box<PromoteError>),
}

/// Holders of locks after the first promotions of a world: whoever does the deed, goes on with it, and goes on with that.
pub(super) const DOER: u64 = 100;

impl<D: Deed> Case<D> {
    pub(super) async fn new(deed: D, world: &World) -> Self {
        deed.prepare(world).await;
        let start = world.local.store.picture();
        let watch = Watch { missing: deed.missing(), ..Watch::from(&start) };
        world.back_to(&start, DOER);
        let (film, done) = world.filmed(deed.go(world)).await;
        done.unwrap();
        let (old, new) = (End::of(&start), End::of(&world.local.store.picture()));
        let (seen, given_up) = (Arc::default(), Mutex::default());
        let (plan, planning, legs) = (None, vec![], vec![]);
        let mut case = Self { deed, start, watch, old, new, film, plan, planning, legs, seen, given_up };
        case.walk(world).await;
        case
    }

    /// Does a plan phase by phase, and every step of it alone.
    async fn walk(&mut self, world: &World) {
        world.back_to(&self.start, DOER);
        let (planning, decision) = world.filmed(self.deed.plan(world)).await;
        let Some(decision) = decision else { return };
        let decision = decision.unwrap();
        let Decision::Go(plan) = &decision else { panic!("{:?}: there is nothing to do", self.deed) };
        let events = Events::none();
        let mut executor = Executor::new(&world.cloud, plan, &events);
        let mut begun = BTreeSet::new();
        for (index, phase) in plan.phases().iter().enumerate() {
            let (before, known, before_it) = (world.local.store.picture(), Memory::of(&executor), begun.clone());
            let (film, done) = world.filmed(executor.phase(phase, &mut begun)).await;
            done.unwrap();
            let after = world.local.store.picture();
            let mut leg = Leg {
                phase: index,
                before,
                known,
                begun: before_it,
                film,
                after,
                learnt: Memory::of(&executor),
                solos: vec![],
            };
            for step in phase {
                let solo = leg.alone(world, plan, *step).await;
                leg.solos.push(solo);
            }
            leg.is_sum_of_its_steps();
            world.back_to(&leg.after, DOER);
            self.legs.push(leg);
        }
        let calls = planning.len() - 1 + self.legs.iter().map(|leg| leg.film.len() - 1).sum::<usize>();
        assert_eq!(calls as u64, self.calls(), "{:?}: a plan is all that it does", self.deed);
        let (last, now) = (&self.film.last().unwrap().picture, world.local.store.picture());
        assert!(*last == now, "{:?} does not do the same each time: {:#?}", self.deed, last.differences(&now));
        (self.plan, self.planning) = (Some(decision), planning);
    }

    /// Calls of the undisturbed deed.
    pub(super) fn calls(&self) -> u64 {
        self.film.len() as u64 - 1
    }

    /// From now on every change of a pointer is looked at before the next call, and `fault` says what goes wrong with that.
    pub(super) fn disturb(
        &self,
        world: &World,
        case: &str,
        fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static,
    ) {
        let (local, watch, case, deed) = (Arc::downgrade(&world.local), self.watch.clone(), case.to_owned(), self.deed);
        let (seen, last) = (Arc::clone(&self.seen), Mutex::new(world.local.store.picture()));
        world.faults(move |_, _, nth| {
            look(deed, &watch, &seen, &mut last.lock().unwrap(), &local.upgrade().unwrap().store.picture(), &case);
            fault(nth)
        });
    }

    /// Looks at a world.
    pub(super) fn look(&self, picture: &Picture, case: &str) {
        look(self.deed, &self.watch, &self.seen, &mut Picture::default(), picture, case);
    }

    /// Whether it is the new end; it must be one of the two that there may be, or the new one with targets left out.
    pub(super) fn is_new(&self, world: &World, case: &str) -> bool {
        let picture = world.local.store.picture();
        self.look(&picture, case);
        let end = End::of(&picture);
        let new = self.new.without(&end, &self.old);
        if end == new {
            return true;
        }
        let end = end.swept(&self.old);
        if end == self.old {
            return false;
        }
        let nearest = if end.id() == self.old.id() { &self.old } else { &new };
        panic!("{case}: it is neither the old nor the new end; expected and found:\n{}", nearest.difference(&end));
    }

    /// The planning, with a fault at one call.
    pub(super) async fn planned(&self, world: &World, case: &str, nth: u64, fault: Fault) -> Passed {
        world.back_to(&self.start, DOER);
        self.disturb(world, case, move |call| (call == nth).then_some(fault));
        match self.deed.plan(world).await.unwrap() {
            Err(error) => Passed::Failed(Box::new(error)),
            Ok(decision) if Some(&decision) == self.plan.as_ref() => Passed::Alike,
            Ok(Decision::Nothing(_)) => panic!("{case}: there is nothing to do"),
            Ok(Decision::Go(plan)) => match execute(&world.cloud, &plan, &Events::none()).await {
                Err(error) => Passed::Failed(Box::new(error)),
                Ok(_) => Passed::Otherwise,
            },
        }
    }

    /// One step of a phase, with a fault at one of its calls.
    pub(super) async fn stepped(
        &self,
        world: &World,
        (leg, solo): (&Leg, &Solo),
        case: &str,
        nth: u64,
        fault: Fault,
    ) -> Passed {
        let steps = [solo.step];
        self.disturbed(world, leg, &steps, (&solo.after, &solo.learnt), case, nth, fault).await
    }

    /// A phase, with a fault at one of its calls.
    pub(super) async fn phased(&self, world: &World, leg: &Leg, case: &str, nth: u64, fault: Fault) -> Passed {
        let steps = self.the_plan().phases()[leg.phase].clone();
        self.disturbed(world, leg, &steps, (&leg.after, &leg.learnt), case, nth, fault).await
    }

    /// What was given up is given up anew from now on.
    pub(super) fn forget(&self) {
        self.given_up.lock().unwrap().clear();
    }

    fn the_plan(&self) -> &Plan {
        match &self.plan {
            Some(Decision::Go(plan)) => plan,
            other => panic!("{:?} has no plan: {other:?}", self.deed),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one trial")]
    async fn disturbed(
        &self,
        world: &World,
        leg: &Leg,
        steps: &[Step],
        undisturbed: (&Picture, &Memory),
        case: &str,
        nth: u64,
        fault: Fault,
    ) -> Passed {
        let (plan, events) = (self.the_plan(), Events::none());
        let (mut executor, mut begun) = leg.begin(world, plan, &events);
        self.disturb(world, case, move |call| (call == nth).then_some(fault));
        if let Err(failures) = executor.phase(steps, &mut begun).await {
            return self.fail(world, &executor, failures, &begun).await;
        }
        if (&world.local.store.picture(), &Memory::of(&executor)) == undisturbed {
            return Passed::Alike;
        }
        let phases = plan.phases();
        let others: Vec<Step> = phases[leg.phase].iter().copied().filter(|step| !steps.contains(step)).collect();
        for phase in std::iter::once(&others).chain(&phases[leg.phase + 1..]) {
            if let Err(failures) = executor.phase(phase, &mut begun).await {
                return self.fail(world, &executor, failures, &begun).await;
            }
        }
        Passed::Otherwise
    }

    /// Gives up, unless that was done in the same state before.
    async fn fail(
        &self,
        world: &World,
        executor: &Executor<'_>,
        failures: Vec<Failure>,
        begun: &BTreeSet<Step>,
    ) -> Passed {
        let in_doubt = failures.iter().any(|failure| is_in_doubt(&failure.cause));
        let is_over = failures[0].step.undo() == Undo::Finish;
        let state = (world.local.store.picture().print(), begun, Memory::of(executor), in_doubt, is_over);
        if !self.given_up.lock().unwrap().insert(format!("{state:?}")) {
            return Passed::AsBefore;
        }
        Passed::Failed(Box::new(executor.give_up(failures, begun).await))
    }
}

impl Leg {
    /// Somebody who has come this far.
    fn begin<'a>(&self, world: &'a World, plan: &'a Plan, events: &'a Events) -> (Executor<'a>, BTreeSet<Step>) {
        world.back_to(&self.before, DOER);
        let mut executor = Executor::new(&world.cloud, plan, events);
        self.known.clone().put_into(&mut executor);
        (executor, self.begun.clone())
    }

    async fn alone(&self, world: &World, plan: &Plan, step: Step) -> Solo {
        let events = Events::none();
        let (mut executor, mut begun) = self.begin(world, plan, &events);
        let (film, done) = world.filmed(executor.phase(&[step], &mut begun)).await;
        done.unwrap();
        Solo { step, film, after: world.local.store.picture(), learnt: Memory::of(&executor) }
    }

    /// The steps of a phase have nothing to do with each other: each changes what no other changes, and makes the same calls as
    /// with the others. So what is true of one alone is true of it among the others.
    fn is_sum_of_its_steps(&self) {
        let changes = |after| {
            let all = Picture::differences(&self.before, after).into_iter();
            all.map(|(before, after)| (&*after.or(before).unwrap().key, after.map(crate::local::picture::Row::body)))
        };
        let mut all = BTreeMap::new();
        let (mut learnt, mut calls) = (self.known.clone(), 0);
        for solo in &self.solos {
            for (key, body) in changes(&solo.after) {
                assert!(all.insert(key, body).is_none(), "{:?} and another step change {key:?}", solo.step);
            }
            learnt.add(&solo.learnt);
            calls += solo.film.len() - 1;
        }
        assert_eq!(all, changes(&self.after).collect::<BTreeMap<_, _>>(), "phase {}", self.phase);
        assert_eq!((learnt, calls), (self.learnt.clone(), self.film.len() - 1), "phase {}", self.phase);
    }
}

/// Looks at a world if it differs from the `last` one where it matters and nobody has looked at the same.
fn look<D: Deed>(deed: D, watch: &Watch, seen: &Mutex<HashSet<u64>>, last: &mut Picture, now: &Picture, case: &str) {
    if now == last || !seen.lock().unwrap().insert(now.print()) {
        return;
    }
    if Eyes::concerns(last, now) {
        let eyes = Eyes::on(now);
        eyes.check(watch, case);
        deed.check(&eyes, case);
    }
    *last = now.clone();
}

impl std::fmt::Display for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the phase of {:?}", self.solos[0].step)
    }
}

impl std::fmt::Display for Solo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.step)
    }
}
