//! The stages, one function each: what more than one verb does.

use super::before::Before;
use super::error::RunError;
use super::judge::tell;
use super::settle;
use crate::aws::Cloud;
use crate::build::{self, Begun, BuildOptions, Built};
use crate::consume;
use crate::diagnostic::Diagnostic;
use crate::event::{Ending, Events, Stage};
use crate::evidence::{self, CollectRequest, Collected, Evidence, EvidenceError, ScansWanted};
use crate::gate::{self, Verdict, WaiverReport};
use crate::patch::collect::Scope;
use crate::patch::{self, DiffError, Inventory, PackageDiff};
use crate::plan::{self, Action, Desired, ImagePlan, Plan};
use crate::project::{Arch, Channel, ComponentUse, ParentReference, Project, Recipe, names};
use crate::render::{self, RenderedRecipe};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use tokio::sync::Mutex;

/// One image to work on: a recipe for one architecture, in one environment.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The environment.
    pub cloud: &'a Cloud,
    /// The project.
    pub project: &'a Project,
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The architecture.
    pub arch: Arch,
}

/// An image to validate.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// AMI id in the home Region.
    pub ami: String,
    /// What built it; absent for an AMI that amiforge did not build.
    pub built: Option<Built>,
    /// Fingerprint of what went into it, if it was built.
    pub fingerprint: Option<String>,
}

/// What is known of an image, and what the gates say about it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The evidence.
    pub evidence: Evidence,
    /// Its digest.
    pub digest: String,
    /// Where it lies.
    pub file: PathBuf,
    /// The gates' verdicts, now.
    pub verdicts: Vec<Verdict>,
    /// What became of the waivers.
    pub waivers: Vec<WaiverReport>,
    /// Whether evidence from before was used.
    pub reused: bool,
}

impl Judged {
    /// The error that stops a promotion, when a gate does not pass.
    #[must_use]
    pub fn refusal(&self) -> Option<RunError> {
        let gate = || RunError::Gate { ami: self.evidence.candidate.ami.clone(), verdicts: self.verdicts.clone() };
        (!gate::approved(&self.verdicts)).then(gate)
    }
}

impl Candidate {
    /// An image that this project has built.
    #[must_use]
    pub fn built(built: &Built, fingerprint: &str) -> Self {
        Self { ami: built.ami.clone(), built: Some(built.clone()), fingerprint: Some(fingerprint.to_owned()) }
    }

    /// An AMI that is only known by its id.
    #[must_use]
    pub fn foreign(ami: String) -> Self {
        Self { ami, built: None, fingerprint: None }
    }
}

impl Work<'_> {
    /// Renders the recipe and checks every document of it.
    pub fn check(&self, events: &Events) -> Result<RenderedRecipe, RunError> {
        events.started(Stage::Check, format!("recipe {} ({})", self.recipe.name, self.arch.name()));
        let rendered = failing(events, Stage::Check, render::recipe(self.project, self.recipe, self.arch))?;
        let count = rendered.components.len();
        let message = format!("recipe {} and {count} components read, checked, rendered", self.recipe.name);
        events.finished(Stage::Check, Ending::Done, message);
        Ok(rendered)
    }

    /// Compares what should be there with what is there. Creates nothing, not even the parent image.
    pub async fn plan(&self, rendered: &RenderedRecipe, fresh: bool, events: &Events) -> Result<Plan, RunError> {
        events.started(Stage::Plan, format!("comparing with environment {}", self.cloud.environment()));
        let plan = failing(events, Stage::Plan, self.compare(rendered).await)?;
        for change in plan.changes.iter().filter(|change| change.action != Action::Keep) {
            events.note(Stage::Plan, crate::report::change_line(change));
        }
        let (ending, message) = match (&plan.image, fresh) {
            (ImagePlan::Keep { version, ami, .. }, false) if plan.is_empty() => {
                (Ending::Unchanged, format!("nothing to create: image {version} is {ami}"))
            }
            (ImagePlan::Keep { version, .. }, true) => {
                (Ending::Done, format!("image {version} is built again, as asked"))
            }
            (ImagePlan::Join { arn, .. }, _) => (Ending::Done, format!("joins the build under way: {arn}")),
            _ => (Ending::Done, format!("{} resources to create, image to build", creations(&plan))),
        };
        events.finished(Stage::Plan, ending, message);
        Ok(plan)
    }

    async fn compare(&self, rendered: &RenderedRecipe) -> Result<Plan, RunError> {
        let desired = self.desired(rendered, &self.parent_ami(rendered).await?);
        let observed = plan::observe(self.cloud, &desired).await?;
        Ok(plan::diff(&desired, &observed))
    }

    /// What should be there, on this parent image.
    pub(super) fn desired(&self, rendered: &RenderedRecipe, parent: &str) -> Desired {
        plan::desired(self.project, rendered, self.recipe, self.cloud.config(), parent)
    }

    /// The parent image, as far as it is there; nothing is made.
    pub(super) async fn parent_ami(&self, rendered: &RenderedRecipe) -> Result<String, RunError> {
        match self.image_of_recipe(rendered).await? {
            Some(ami) => Ok(ami),
            None => Ok(self.cloud.parent_id(rendered, self.recipe.parent.local.as_ref()).await?),
        }
    }

    /// The parent, when it is an image of another recipe of the project.
    async fn image_of_recipe(&self, rendered: &RenderedRecipe) -> Result<Option<String>, RunError> {
        let ParentReference::Recipe { recipe, channel, .. } = &rendered.parent else { return Ok(None) };
        let Some(base) = self.project.recipes.get(recipe) else {
            let (recipe, base) = (self.recipe.name.clone(), recipe.clone());
            return Err(RunError::NoBase { recipe, base, arch: self.arch.name().to_owned() });
        };
        if let Some(channel) = channel {
            let ami = consume::resolve(self.cloud, self.project, base, self.arch, channel).await?;
            self.cloud.check_parent(rendered, &ami).await?;
            return Ok(Some(ami));
        }
        let work = Work { recipe: base, ..*self };
        let base_rendered = work.check(&Events::none())?;
        // A base may start from another one.
        match Box::pin(work.candidate(&base_rendered)).await {
            Ok((built, _)) => {
                work.respect_revocation(&built.ami).await?;
                Ok(Some(built.ami))
            }
            Err(RunError::NoCandidate { recipe: base, arch }) => {
                Err(RunError::NoBase { recipe: self.recipe.name.clone(), base, arch })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes or finds the parent image.
    pub async fn parent(&self, rendered: &RenderedRecipe, events: &Events) -> Result<String, RunError> {
        events.started(Stage::Parent, format!("parent image of {}", self.recipe.name));
        let parent = if let Some(ami) = failing(events, Stage::Parent, self.image_of_recipe(rendered).await)? {
            ami
        } else {
            let parent = self.cloud.prepare_parent(rendered, self.recipe.parent.local.as_ref(), events).await;
            failing(events, Stage::Parent, parent)?
        };
        events.finished(Stage::Parent, Ending::Done, format!("parent image {parent}"));
        Ok(parent)
    }

    /// Creates what the plan says is missing.
    pub async fn publish(&self, plan: &Plan, events: &Events) -> Result<plan::Published, RunError> {
        let wanted = !plan.publishes_nothing();
        if wanted {
            events.started(Stage::Publish, "creating components and recipe");
        }
        let published = failing(events, Stage::Publish, plan::publish(self.cloud, plan, events).await)?;
        if wanted {
            events.finished(Stage::Publish, Ending::Done, format!("{} resources created", published.changed));
        }
        Ok(published)
    }

    /// An image with the plan's fingerprint: the one that is there, or a new build of it with its test stage.
    pub async fn build(
        &self,
        rendered: &RenderedRecipe,
        plan: &Plan,
        fresh: bool,
        events: &Events,
    ) -> Result<Built, RunError> {
        let published = self.prepare(rendered, plan, fresh, events).await?;
        Ok(build::ensure(self.cloud, plan, &published, BuildOptions { fresh, ..BuildOptions::default() }, events)
            .await?)
    }

    /// What a build needs: the parent image and the resources.
    async fn prepare(
        &self,
        rendered: &RenderedRecipe,
        plan: &Plan,
        fresh: bool,
        events: &Events,
    ) -> Result<plan::Published, RunError> {
        if fresh || !plan.is_empty() {
            self.parent(rendered, events).await?;
        }
        self.publish(plan, events).await
    }

    /// From the project's files to a build under way, or to the image that is there. Whoever does this for several images at
    /// once gives a `turn`: planning and publishing is done by one after the other.
    pub async fn begin(
        &self,
        options: &BuildOptions,
        turn: Option<&Mutex<()>>,
        events: &Events,
    ) -> Result<Begun, RunError> {
        let rendered = self.check(events)?;
        let (plan, published) = {
            let _turn = match turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            let plan = self.plan(&rendered, options.fresh, events).await?.despite_quotas(options.over_quota);
            let published = self.prepare(&rendered, &plan, options.fresh, events).await?;
            (plan, published)
        };
        Ok(build::begin(self.cloud, &plan, &published, options, events).await?)
    }

    /// The newest image that has the fingerprint of the project's files.
    pub async fn candidate(&self, rendered: &RenderedRecipe) -> Result<(Built, String), RunError> {
        // Which baseline is registered has no say in which image it is.
        let desired = Desired { baseline: None, ..self.desired(rendered, &self.parent_ami(rendered).await?) };
        let plan = plan::diff(&desired, &plan::observe(self.cloud, &desired).await?);
        let found = build::find(self.cloud, &plan).await?;
        found.map(|built| (built, plan.fingerprint)).ok_or_else(|| RunError::NoCandidate {
            recipe: self.recipe.name.clone(),
            arch: self.arch.name().to_owned(),
        })
    }

    /// Evidence and verdicts about an image this project has built: from before when it still passes, else collected anew.
    pub async fn validate(&self, built: &Built, fingerprint: &str, events: &Events) -> Result<Judged, RunError> {
        // Two runs at once: the second waits here and finds what the first has collected.
        let _turn = self.evidence_turn(&built.ami).await?;
        settle::visible(self.cloud, &built.ami).await;
        if let Ok(judged) = self.known(&built.ami).await
            && gate::approved(&judged.verdicts)
        {
            events.started(Stage::Validate, "evidence");
            let message = format!("evidence of {} is still good", judged.evidence.collected_at);
            events.finished(Stage::Validate, Ending::Unchanged, message);
            tell(&judged, events);
            return Ok(judged);
        }
        let judged = self.collect(&Candidate::built(built, fingerprint), events).await?;
        judged.refusal().map_or(Ok(judged), Err)
    }

    /// Collects evidence about an image on a fresh instance of it and evaluates the gates. Whether they pass is the
    /// caller's to look at ([`Judged::refusal`]).
    pub async fn inspect(&self, candidate: &Candidate, events: &Events) -> Result<Judged, RunError> {
        self.respect_revocation(&candidate.ami).await?;
        let _turn = self.evidence_turn(&candidate.ami).await?;
        self.collect(candidate, events).await
    }

    /// The inventory of the candidate, taken on a fresh instance of it.
    pub async fn inventory(&self, events: &Events) -> Result<Inventory, RunError> {
        let rendered = self.check(events)?;
        let (built, fingerprint) = self.candidate(&rendered).await?;
        let request = self.collect_request(&Candidate::built(&built, &fingerprint));
        take(self.cloud, &request, events).await
    }

    /// What differs between the packages of two images that this project has evidence about; nothing when the inventory of
    /// one of them is not there any more.
    pub fn package_diff(&self, before: &str, after: &str) -> Result<Option<PackageDiff>, RunError> {
        let load =
            |ami: &str| evidence::file::load_inventory(&self.evidence_folder(), ami).map_err(EvidenceError::from);
        let (Some(before), Some(after)) = (load(before)?, load(after)?) else { return Ok(None) };
        let differ = |error: DiffError| EvidenceError::Inventory { instance: String::new(), reason: error.to_string() };
        Ok(Some(patch::package_diff(&before, &after).map_err(differ)?))
    }

    /// Waits until no other process collects evidence about this image: the file and the digest on the image are written
    /// one after the other and must be of one mind. The lock ends with the returned file, and with the process.
    async fn evidence_turn(&self, ami: &str) -> Result<File, RunError> {
        let folder = self.evidence_folder();
        let path = folder.join(format!(".{ami}.lock"));
        let unusable = |source| RunError::Unreadable { path: path.clone(), source };
        std::fs::create_dir_all(&folder).map_err(unusable)?;
        let file = File::options().create(true).append(true).open(&path).map_err(unusable)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(self.cloud.poll()).await,
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
        }
    }

    async fn collect(&self, candidate: &Candidate, events: &Events) -> Result<Judged, RunError> {
        events.started(Stage::Validate, format!("fresh instance of {}", candidate.ami));
        let mut request = self.collect_request(candidate);
        // A key that is not there is better known before half an hour of work than after.
        let signer = failing(events, Stage::Validate, self.signer().await)?;
        match evidence::sweep(self.cloud, &self.project.name, super::is_gone).await {
            Ok(ended) => ended.iter().for_each(|id| {
                events.note(Stage::Validate, format!("ended {id}, which an inspection that was cut off had left"));
            }),
            // They cost money and disturb nothing; the inspection that is asked for goes on.
            Err(error) => tracing::warn!(%error, "what inspections have left could not be looked for"),
        }
        failing(events, Stage::Validate, self.name_tests(&mut request, events).await)?;
        let collected = evidence::collect(self.cloud, &request, events).await;
        let Collected { evidence, inventory } = failing(events, Stage::Validate, collected)?;
        let counts = evidence.patches.as_ref().map(|scan| scan.counts).unwrap_or_default();
        let message = format!(
            "{} packages; patches: {} installed, {} missing, {} rejected",
            evidence.packages.len(),
            counts.installed,
            counts.missing,
            counts.installed_rejected
        );
        for difference in evidence.evaluation.iter().flat_map(|own| &own.differences) {
            events.note(Stage::Validate, difference.clone());
        }
        self.tell_hygiene(&evidence, events);
        let (evidence, file) =
            failing(events, Stage::Validate, self.keep(evidence, &inventory, signer.as_ref(), events).await)?;
        events.finished(Stage::Validate, Ending::Done, message);
        let judged = self.judged(&candidate.ami, evidence, file).await;
        tell(&judged, events);
        Ok(judged)
    }

    /// Says what the image carries when no gate looks at it: whoever has no such gate yet shall know.
    fn tell_hygiene(&self, evidence: &Evidence, events: &Events) {
        let findings = evidence.hygiene.iter().flat_map(|hygiene| &hygiene.findings);
        let mut rules: Vec<&str> = findings.map(|finding| finding.rule.as_str()).collect();
        let count = rules.len();
        rules.dedup();
        if self.recipe.gates.hygiene.is_none() && count > 0 {
            let names = rules.join(", ");
            let things = if count == 1 { "1 thing".to_owned() } else { format!("{count} things") };
            let line = format!("the image carries {things} that it should not ({names}); no gate looks at `hygiene`");
            events.note(Stage::Validate, line);
        }
    }

    /// What became of each step of the build's tests, as far as that can be known, under the names that the project has for its
    /// components.
    async fn name_tests(&self, request: &mut CollectRequest, events: &Events) -> Result<(), RunError> {
        let (Some(arn), Some(tests)) = (&request.image_arn, &mut request.tests) else { return Ok(()) };
        for gap in build::add_steps(self.cloud, arn, tests).await? {
            events.note(Stage::Validate, gap);
        }
        let (project, recipe) = (&self.project.name, &self.recipe.name);
        let is_published_as = |used: &ComponentUse, name: &str| {
            name == names::component_resource(project, &used.name)
                || name == names::rendered_component_resource(project, recipe, &used.name)
        };
        for step in tests.cases.iter_mut().flat_map(|case| case.steps.iter_mut().flatten()) {
            let mut used = self.recipe.test.iter().chain(&self.recipe.build);
            if let Some(used) = used.find(|used| is_published_as(used, &step.component)) {
                step.component.clone_from(&used.name);
            }
        }
        Ok(())
    }

    /// What is already known of an image, judged now. Only evidence whose digest stands on the AMI counts.
    pub async fn known(&self, ami: &str) -> Result<Judged, RunError> {
        let (evidence, file) = self.evidence(ami).await?;
        super::verify::signed(self.cloud, self.project, &file, &evidence).await?;
        match self.predecessor(ami).await {
            Before::Unseen(error) => Err(error),
            before => Ok(Judged { reused: true, ..self.judged_against(&before, ami, evidence, file) }),
        }
    }

    /// The channel a run promotes to.
    pub fn first_channel(&self) -> Result<&Channel, RunError> {
        self.project.channels.first().ok_or_else(|| RunError::NoChannel { name: String::new(), known: vec![] })
    }

    /// The channel of that name.
    pub fn channel(&self, name: &str) -> Result<&Channel, RunError> {
        let mut channels = self.project.channels.iter();
        channels.find(|channel| channel.name == name).ok_or_else(|| RunError::NoChannel {
            name: name.to_owned(),
            known: self.project.channels.iter().map(|channel| channel.name.clone()).collect(),
        })
    }

    fn collect_request(&self, candidate: &Candidate) -> CollectRequest {
        let built = candidate.built.as_ref();
        let baseline = self.project.baseline(&self.recipe.baseline);
        CollectRequest {
            location: self.cloud.home().clone(),
            project: self.project.name.clone(),
            recipe: self.recipe.name.clone(),
            arch: self.arch.name().to_owned(),
            ami: candidate.ami.clone(),
            image_arn: built.map(|built| built.image_arn.clone()),
            image_version: built.map(|built| built.image_version.clone()),
            fingerprint: candidate.fingerprint.clone(),
            tests: built.and_then(|built| built.tests.clone()),
            scans: self.recipe.gates.vulnerabilities.as_ref().map_or_else(ScansWanted::default, |gate| ScansWanted {
                by: gate.scanned_by.clone(),
                within: gate.scanned_within,
            }),
            expected_baseline: self.project.baseline_name(&self.recipe.baseline),
            baseline,
            caller: super::inspector(),
        }
    }

    pub(super) fn evidence_folder(&self) -> PathBuf {
        self.project.root.join(".amiforge/evidence")
    }
}

/// The inventory of an AMI, whoever made it.
pub async fn inventory(
    cloud: &Cloud,
    project: &Project,
    ami: &str,
    arch: Option<&str>,
    events: &Events,
) -> Result<Inventory, RunError> {
    let request = CollectRequest {
        location: cloud.home().clone(),
        project: project.name.clone(),
        recipe: "inventory".to_owned(),
        arch: arch.unwrap_or("x86_64").to_owned(),
        ami: ami.to_owned(),
        image_arn: None,
        image_version: None,
        fingerprint: None,
        tests: None,
        scans: ScansWanted::default(),
        expected_baseline: String::new(),
        baseline: None,
        caller: super::inspector(),
    };
    take(cloud, &request, events).await
}

async fn take(cloud: &Cloud, request: &CollectRequest, events: &Events) -> Result<Inventory, RunError> {
    events.started(Stage::Validate, format!("fresh instance of {}", request.ami));
    let taken = evidence::inventory(cloud, request, Scope::Whole, events).await;
    let inventory = failing(events, Stage::Validate, taken)?;
    let message = format!("inventory: {} packages", inventory.installed.len());
    events.finished(Stage::Validate, Ending::Done, message);
    Ok(inventory)
}

fn creations(plan: &Plan) -> usize {
    plan.changes.iter().filter(|change| change.action != Action::Keep).count()
}

/// Ends the stage on the screen when its work failed.
fn failing<T, E: Into<RunError>>(events: &Events, stage: Stage, result: Result<T, E>) -> Result<T, RunError> {
    result.map_err(|error| {
        let error = error.into();
        let message = match &error {
            RunError::Files(diagnostics) => first_sentence(diagnostics),
            other => other.to_string(),
        };
        events.finished(stage, Ending::Failed, message);
        error
    })
}

fn first_sentence(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map_or_else(|| "the project's files cannot be used".to_owned(), |first| first.message.clone())
}
