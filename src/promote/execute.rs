//! Carries out the phases of a plan, and undoes them when a step fails.

use super::error::{Failure, PromoteError, StepError};
use super::model::{Again, LeftOut, Move, ParameterPointer, Placed, Plan, Promotion, Release, Supply, TemplatePointer};
use super::state::LANES;
use super::steps::{Step, Undo};
use super::undo::Undone;
use super::{document, names};
use crate::aws::Cloud;
use crate::aws::wait::Poller;
use crate::event::{Events, Stage, human_duration};
use futures_util::StreamExt as _;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long it is waited for a pointer to show what was written.
const READ_BACK: Duration = Duration::from_mins(1);
/// Longest time between two looks while reading back.
const READ_EVERY: Duration = Duration::from_secs(2);

/// Carries out a plan.
///
/// # Errors
/// [`PromoteError::Failed`] when everything was put back, [`PromoteError::Stuck`] when that failed as well and
/// [`PromoteError::Untidy`] when the promotion has happened but the journal or the lock is left.
pub async fn execute(cloud: &Cloud, plan: &Plan, events: &Events) -> Result<Promotion, PromoteError> {
    Executor::new(cloud, plan, events).run(&plan.phases(), &[]).await
}

/// What a step has made, to be remembered.
#[derive(Debug)]
pub(super) enum Done {
    Nothing,
    Image { ami: String, keys: Vec<String> },
    Templates(Vec<TemplatePointer>),
    Parameters(Vec<ParameterPointer>),
}

/// A promotion being carried out.
#[derive(Debug, Clone)]
pub(super) struct Executor<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) plan: &'a Plan,
    /// Who carries it out: whoever began it, or whoever resumes it.
    pub(super) holder: String,
    /// Nobody has done any of it before, so nothing has to be looked for.
    pub(super) fresh: bool,
    /// Who has gone on with it after it was cut off, for the record.
    pub(super) again: Vec<Again>,
    pub(super) events: &'a Events,
    /// AMI ids by supply.
    pub(super) images: BTreeMap<usize, String>,
    /// ARNs of the keys that they are encrypted with, by supply.
    pub(super) keys: BTreeMap<usize, Vec<String>>,
    /// What is staged, by target; in the order of its launch templates.
    pub(super) templates: BTreeMap<usize, Vec<TemplatePointer>>,
    pub(super) parameters: BTreeMap<usize, Vec<ParameterPointer>>,
    /// Targets that failed before anything was flipped, with a quorum: why.
    pub(super) left_out: BTreeMap<usize, String>,
}

impl<'a> Executor<'a> {
    pub(super) fn new(cloud: &'a Cloud, plan: &'a Plan, events: &'a Events) -> Self {
        let known = plan.supplies.iter().enumerate();
        Self {
            cloud,
            plan,
            fresh: true,
            again: vec![],
            holder: plan.release.by.clone(),
            events,
            images: known.filter_map(|(index, one)| Some((index, one.ami.clone()?))).collect(),
            keys: BTreeMap::new(),
            templates: BTreeMap::new(),
            parameters: BTreeMap::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// The same of a promotion that another process has begun.
    pub(super) fn resumed(cloud: &'a Cloud, plan: &'a Plan, holder: String, events: &'a Events) -> Self {
        Self { fresh: false, holder, ..Self::new(cloud, plan, events) }
    }

    /// Performs the phases; `before` are steps that an earlier process has performed and that are undone with them.
    pub(super) async fn run(mut self, phases: &[Vec<Step>], before: &[Step]) -> Result<Promotion, PromoteError> {
        let mut begun: BTreeSet<Step> = before.iter().copied().collect();
        for phase in phases {
            if let Err(failures) = self.phase(phase, &mut begun).await {
                return Err(self.give_up(failures, &begun).await);
            }
        }
        Ok(Promotion::moved(self.release()))
    }

    /// Performs one phase after those whose steps have `begun`; what failed, when it cannot go on.
    pub(super) async fn phase(&mut self, phase: &[Step], begun: &mut BTreeSet<Step>) -> Result<(), Vec<Failure>> {
        let steps: Vec<Step> = phase.iter().copied().filter(|step| self.takes_part(*step)).collect();
        let (ran, failures) = self.perform_all(&steps).await;
        begun.extend(ran);
        if failures.is_empty() || self.leave_out(&failures).await { Ok(()) } else { Err(failures) }
    }

    /// Performs steps about different places at the same time. When one fails the others end what they do, because a call
    /// that is cut off leaves nobody knowing what it did, and no more are begun.
    async fn perform_all(&mut self, steps: &[Step]) -> (Vec<Step>, Vec<Failure>) {
        let failed = AtomicBool::new(false);
        let (this, flag) = (&*self, &failed);
        let works = steps.iter().map(|step| async move {
            if this.plan.quorum.is_none() && flag.load(Ordering::Relaxed) {
                return (*step, None);
            }
            this.events.progress(Stage::Promote, step.describe(this.plan));
            // Boxed, because the steps' futures are large and would be part of every caller's.
            let result = Box::pin(this.perform(*step)).await;
            flag.fetch_or(result.is_err(), Ordering::Relaxed);
            (*step, Some(result))
        });
        let results: Vec<_> = stream::iter(works.collect::<Vec<_>>()).buffer_unordered(LANES).collect().await;
        let (mut ran, mut failures): (Vec<Step>, Vec<Failure>) = (Vec::new(), Vec::new());
        for (step, result) in results {
            match result {
                None => continue,
                Some(Ok(done)) => self.remember(step, done),
                Some(Err(cause)) => failures.push(Failure { step, place: step.place(self.plan), cause }),
            }
            ran.push(step);
        }
        failures.sort_by_key(|failure| failure.step);
        (ran, failures)
    }

    fn remember(&mut self, step: Step, done: Done) {
        match (step, done) {
            (Step::Distribute(supply), Done::Image { ami, keys }) => {
                self.images.insert(supply, ami);
                self.keys.insert(supply, keys);
            }
            (Step::Stage(target), Done::Templates(pointers)) => drop(self.templates.insert(target, pointers)),
            (Step::FlipParameter(target), Done::Parameters(pointers)) => drop(self.parameters.insert(target, pointers)),
            _ => {}
        }
    }

    /// Whether a step is still to be done: not for a target that is left out, nor for an image only such targets use.
    fn takes_part(&self, step: Step) -> bool {
        match (step, step.target()) {
            (_, Some(target)) => !self.left_out.contains_key(&target),
            (Step::Distribute(supply), _) if supply > 0 => {
                let mut users = self.plan.moves.iter().enumerate().filter(|(_, one)| one.supply == supply);
                users.any(|(target, _)| !self.left_out.contains_key(&target))
            }
            _ => true,
        }
    }

    /// With a quorum, goes on without the targets that failed before anything was flipped, if enough are left. What was
    /// made in them is removed as far as that can be done.
    async fn leave_out(&mut self, failures: &[Failure]) -> bool {
        let Some(quorum) = self.plan.quorum else { return false };
        let mut out = self.left_out.clone();
        for Failure { step, cause, .. } in failures {
            match step {
                // The home account's image is the source of all.
                Step::Distribute(supply) if *supply > 0 => {
                    let users = self.plan.moves.iter().enumerate().filter(|(_, one)| one.supply == *supply);
                    out.extend(users.map(|(target, _)| (target, cause.to_string())));
                }
                Step::Stage(target) | Step::Prove(target) | Step::Canary(target) => {
                    drop(out.insert(*target, cause.to_string()));
                }
                _ => return false,
            }
        }
        if self.plan.moves.len().saturating_sub(out.len()) < quorum.max(1) {
            return false;
        }
        for (target, why) in out.iter().filter(|(target, _)| !self.left_out.contains_key(target)) {
            let place = self.plan.moves[*target].place();
            self.events.note(Stage::Promote, format!("{place} is left out: {why}"));
        }
        self.left_out = out;
        let staged = failures.iter().filter_map(|failure| failure.step.target());
        let (stages, canaries): (Vec<Step>, Vec<Step>) =
            staged.map(|target| (Step::Stage(target), Step::Canary(target))).unzip();
        let canaries = canaries.into_iter().filter(|_| self.plan.canary.is_some());
        let begun: Vec<Step> = stages.into_iter().chain(canaries).collect();
        // What cannot be removed there is a version that nothing points at, or an instance that costs money.
        if let Err((error, _)) = self.undo_all(&begun).await {
            self.events.note(Stage::Promote, error.to_string());
        }
        true
    }

    /// Puts back what the begun steps did. The failed ones are among them: their answers may have been lost.
    pub(super) async fn give_up(&self, mut failures: Vec<Failure>, begun: &BTreeSet<Step>) -> PromoteError {
        let Failure { step, place, cause } = failures.remove(0);
        // A failed call says itself where it was made.
        let cause = match (place, cause) {
            (Some(place), StepError::Refused(text)) => StepError::Refused(format!("{place}: {text}")),
            (_, cause) => cause,
        };
        let others = failures;
        let channel = self.plan.release.channel.clone();
        match (step, &cause) {
            _ if step.undo() == Undo::Finish => return PromoteError::Untidy { step, cause },
            (Step::Lock, StepError::Locked { holder, since }) => {
                return PromoteError::Locked { channel, holder: holder.clone(), since: since.clone() };
            }
            // Whoever has the lock now finishes or undoes it; meddling would break what that one does.
            (Step::Hold, StepError::Locked { .. } | StepError::Changed(_)) => {
                return PromoteError::TakenOver { channel, cause };
            }
            _ => {}
        }
        let in_doubt = !self.fresh
            || is_in_doubt(&cause)
            || others.iter().any(|failure| is_in_doubt(&failure.cause))
            || std::iter::once(step)
                .chain(others.iter().map(|failure| failure.step))
                .any(|step| self.is_half_known(step));
        let begun: Vec<Step> = begun.iter().copied().collect();
        match self.put_back(&begun, in_doubt).await {
            Ok(restored) => PromoteError::Failed { step, cause, others, restored },
            Err((undo, restored)) => PromoteError::Stuck { step, cause, others, undo, restored },
        }
    }

    /// Whether a step that failed may have made something that nobody remembers: versions of the launch templates before the one
    /// that failed.
    fn is_half_known(&self, step: Step) -> bool {
        match step {
            Step::Stage(target) => self.plan.moves.get(target).is_some_and(|one| one.launch_templates.len() > 1),
            _ => false,
        }
    }

    /// Undoes steps. `in_doubt`: something may have been done that does not show yet. Then what is in use and does show is put
    /// back at once, and everything when the rest must show, too: what is looked for too early is left behind.
    pub(super) async fn put_back(
        &self,
        steps: &[Step],
        in_doubt: bool,
    ) -> Result<Vec<String>, (StepError, Vec<String>)> {
        let settles = self.cloud.settles();
        if !in_doubt || settles.is_zero() {
            return self.undo_all(steps).await;
        }
        let flips: Vec<Step> = steps.iter().copied().filter(|step| step.is_flip()).collect();
        // What fails here fails again below.
        let mut restored = self.undo_all(&flips).await.unwrap_or_else(|(_, restored)| restored);
        let patience = human_duration(settles);
        self.events.progress(Stage::Promote, format!("waiting {patience} for what was done and may not show yet"));
        tokio::time::sleep(settles).await;
        match self.undo_all(steps).await {
            Ok(rest) => {
                restored.extend(rest);
                Ok(restored)
            }
            Err((error, rest)) => {
                restored.extend(rest);
                Err((error, restored))
            }
        }
    }

    /// Undoes steps, latest first, each kind in all places at the same time; what was put back, and why it could not go on.
    ///
    /// A place in which it fails keeps no other place from being put back, but the journal and the lock stay.
    pub(super) async fn undo_all(&self, steps: &[Step]) -> Result<Vec<String>, (StepError, Vec<String>)> {
        let (mut restored, mut failed, mut first) = (Vec::new(), BTreeSet::new(), None);
        for group in groups(steps).into_iter().rev() {
            let group: Vec<Step> = group.into_iter().filter(|step| !failed.contains(&step.place(self.plan))).collect();
            let alone = group.iter().all(|step| step.place(self.plan).is_none());
            // Nothing about the whole promotion is undone while a place is not: the journal is needed for it.
            if first.is_some() && alone {
                break;
            }
            let works = group.iter().map(|step| async move { (*step, Box::pin(self.undo(step.undo())).await) });
            let results: Vec<_> = stream::iter(works.collect::<Vec<_>>()).buffered(LANES).collect().await;
            for (step, Undone { lines, failed: why }) in results {
                for line in lines {
                    self.events.note(Stage::Promote, line.clone());
                    restored.push(line);
                }
                if let Some(error) = why {
                    failed.insert(step.place(self.plan));
                    first.get_or_insert(error);
                }
            }
            if first.is_some() && alone {
                break;
            }
        }
        match first {
            None => Ok(restored),
            Some(error) => Err((error, restored)),
        }
    }

    pub(super) fn target(&self, target: usize) -> Result<&'a Move, StepError> {
        self.plan.moves.get(target).ok_or_else(|| StepError::Refused(format!("the plan has no target {target}")))
    }

    pub(super) fn supply(&self, supply: usize) -> Result<&'a Supply, StepError> {
        self.plan.supplies.get(supply).ok_or_else(|| StepError::Refused(format!("the plan has no image {supply}")))
    }

    /// The AMI id of a supply, once it is known.
    pub(super) fn image(&self, supply: usize) -> Option<&str> {
        self.images.get(&supply).map(String::as_str)
    }

    /// The AMI id that a target gets. Without it nothing can have been staged there.
    pub(super) fn ami(&self, target: &Move) -> Result<&str, StepError> {
        let unknown = || StepError::Refused(format!("there is no image for {}", target.place()));
        self.image(target.supply).ok_or_else(unknown)
    }

    /// The plan with the ids that are known by now: what the journal says after copying.
    pub(super) fn known_plan(&self) -> Plan {
        let supplies = self.plan.supplies.iter().enumerate();
        let known = |(index, one): (usize, &Supply)| Supply { ami: self.images.get(&index).cloned(), ..one.clone() };
        Plan { supplies: supplies.map(known).collect(), ..self.plan.clone() }
    }

    fn name(&self, of: fn(&str, &str, &str, &str) -> String) -> String {
        let release = &self.plan.release;
        of(&release.project, &release.recipe, &release.arch, &release.channel)
    }

    pub(super) fn lock_name(&self) -> String {
        self.name(names::lock)
    }

    pub(super) fn journal_name(&self) -> String {
        self.name(names::journal)
    }

    pub(super) fn record_name(&self) -> String {
        self.name(names::record)
    }

    /// Parameters that the journal has beside its own: as many as the longest form of it needs.
    pub(super) fn journal_parts(&self) -> Result<usize, StepError> {
        let mut longest = self.plan.clone();
        for supply in longest.supplies.iter_mut().filter(|one| one.ami.is_none()) {
            // Digits that do not compress, as those of real ids.
            let unlike = crate::plan::token(&[&supply.account, &supply.region]).replace('-', "");
            supply.ami = Some(format!("ami-{}", &unlike[..17]));
        }
        let parts = |plan: &Plan| -> Result<usize, StepError> {
            Ok(document::pack(&plan.release.id, &super::perform::json(plan)?).parts.len())
        };
        let most = parts(&longest)?.max(parts(self.plan)?);
        // What is compressed may become longer with other ids; what is not does not.
        let exact = longest == *self.plan || super::perform::json(&longest)?.len() <= document::ROOM;
        Ok(if exact { most } else { most + 1 })
    }

    pub(super) fn read_back(&self) -> Poller {
        Poller { every: self.cloud.poll().min(READ_EVERY), deadline: READ_BACK }
    }

    /// The release as it goes into the record.
    pub(super) fn release(&self) -> Release {
        let placed = |(target, one): (usize, &Move)| {
            let templates =
                if one.launch_templates.is_empty() { Some(vec![]) } else { self.templates.get(&target).cloned() };
            let parameters =
                if one.parameters.is_empty() { Some(vec![]) } else { self.parameters.get(&target).cloned() };
            Some(Placed {
                account: one.account.clone(),
                region: one.region.clone(),
                ami: self.image(one.supply)?.to_owned(),
                launch_templates: templates?,
                parameters: parameters?,
            })
        };
        let out = self.left_out.iter().map(|(target, reason)| {
            let one = &self.plan.moves[*target];
            LeftOut { account: one.account.clone(), region: one.region.clone(), reason: reason.clone() }
        });
        let mut release = Release {
            targets: self.plan.moves.iter().enumerate().filter_map(placed).collect(),
            left_out: self.plan.left_out.iter().cloned().chain(out).collect(),
            previous: self.plan.previous.clone().map(Box::new),
            ..self.plan.release.clone()
        };
        for Again { by, overridden } in self.again.clone() {
            release.resumed_by.push(by);
            let rules = [release.overridden.take(), overridden].into_iter().flatten().collect::<Vec<_>>();
            release.overridden = (!rules.is_empty()).then(|| rules.join("; when it was finished: "));
        }
        release
    }
}

/// How to look for what may have been made by a call without an answer.
pub(super) fn soon(cloud: &Cloud) -> Poller {
    Poller { every: cloud.poll().min(READ_EVERY), deadline: cloud.settles() }
}

/// Whether a step that failed so may have done what it was to do all the same.
pub(super) fn is_in_doubt(cause: &StepError) -> bool {
    match cause {
        StepError::Call(error) => error.fault.may_have_been_applied(),
        StepError::NotSeen { .. } => true,
        StepError::Canary(failure) => failure.left.is_some(),
        StepError::Refused(_) | StepError::Locked { .. } | StepError::Changed(_) => false,
    }
}

/// Steps of the same kind that stand together.
fn groups(steps: &[Step]) -> Vec<Vec<Step>> {
    steps.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)).map(<[Step]>::to_vec).collect()
}
