//! Real instances in proving: launched from the staged versions, waited for, ended.
//!
//! A dry run says that a launch is permitted. That the account may use the key which the snapshots are encrypted with, and that the
//! image comes up, shows only an instance: one that may not use the key is `pending` for a moment and then ends by itself, with
//! `Client.InternalError` as its reason.
//!
//! It is ended on every path. The step itself ends it; when the work is dropped, [`Temporary`] does; after a crash the step's undo
//! and the resumed step find it, by its tag and by a client token that the same promotion makes again. Its user data is not the launch
//! template's: what an application does at its first boot (registering, joining a cluster) must not happen to an instance that is
//! ended a minute later.

use super::error::{CanaryFailure, StepError};
use super::execute::Executor;
use super::model::{Canary, Move, TemplatePointer};
use super::template;
use super::undo::Undone;
use crate::aws::temporary::{self, Shown, Temporary};
use crate::aws::wait::Poller;
use crate::aws::{CallError, tags};
use crate::event::Stage;
use crate::project::{CanaryCheck, Location};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateSpecification, ResourceType, ShutdownBehavior, SummaryStatus, Tag, TagSpecification,
};
use aws_sdk_ssm::types::{InstanceInformationStringFilter, PingStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

/// How long EC2 may know nothing of an instance that was started.
const UNSHOWN: Duration = Duration::from_mins(1);
/// Time between two looks, where the environment does not ask for more: the first one is at once, and an instance that is not up
/// then takes a while.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Instead of the launch template's user data.
const USER_DATA: &str = "#cloud-config\n{}\n";
/// The reason of an instance that somebody has ended.
const ENDED_BY_USER: &str = "Client.UserInitiatedShutdown";
/// Lines of the console that are shown.
const CONSOLE_LINES: usize = 5;

/// Why an instance did not come to what was waited for.
enum NotUp {
    /// It ended.
    Ended(Shown),
    /// It was not there in time.
    Late(String),
    Call(CallError),
}

impl From<CallError> for NotUp {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Executor<'_> {
    fn look_every(&self) -> Duration {
        self.cloud.poll().max(LOOK_EVERY)
    }

    /// How long canaries may take: those of one place after each other, all places at the same time.
    pub(super) fn canaries_within(&self) -> Duration {
        let moves = self.plan.moves.iter().filter(|one| one.canary);
        let most = moves.map(|one| one.launch_templates.len()).max().unwrap_or_default();
        let each = self.plan.canary.as_ref().map_or(Duration::ZERO, |canary| Duration::from_secs(canary.timeout));
        (each + UNSHOWN).saturating_mul(u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// One instance after the other from each staged version of a target.
    pub(super) async fn canary(&self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        let missing = || StepError::Refused("the plan does not say how to launch a canary".to_owned());
        let canary = self.plan.canary.as_ref().ok_or_else(missing)?;
        for pointer in self.staged(target)? {
            self.try_version(one, pointer, canary).await?;
        }
        Ok(())
    }

    /// Who resumes asks with the token of who began, and gets that one's instance if there was one. If it was ended already another
    /// one is needed.
    async fn try_version(&self, one: &Move, pointer: &TemplatePointer, canary: &Canary) -> Result<(), StepError> {
        let mut again = (!self.fresh).then_some(self.holder.as_str());
        let mut attempt = "";
        loop {
            let instance = self.launch_canary(one, pointer, canary, attempt).await?;
            let id = instance.id().to_owned();
            let came = self.come_up(&instance, one, canary).await;
            let console = if came.is_err() { self.console(&one.location(), &id).await } else { vec![] };
            let left = instance.end(Poller { every: self.look_every(), deadline: UNSHOWN }.start()).await.err();
            if let Err(NotUp::Ended(shown)) = &came
                && shown.reason.as_ref().is_some_and(|(code, _)| code == ENDED_BY_USER)
                && let Some(holder) = again.take()
            {
                attempt = holder;
                continue;
            }
            let why = match (came, &left) {
                (Ok(()), None) => return Ok(()),
                // It says nothing about the instance, but what is wrong with the call.
                (Err(NotUp::Call(error)), None) => return Err(error.into()),
                (Ok(()), Some(_)) => "it came up".to_owned(),
                (Err(why), _) => told(why),
            };
            let version = format!("version {} of {}", pointer.version, pointer.name);
            let failure = CanaryFailure {
                instance: id,
                place: one.place(),
                version,
                why,
                console,
                left: left.map(|error| error.to_string()),
            };
            return Err(StepError::Canary(Box::new(failure)));
        }
    }

    async fn launch_canary(
        &self,
        one: &Move,
        pointer: &TemplatePointer,
        canary: &Canary,
        attempt: &str,
    ) -> Result<Temporary, StepError> {
        let place = one.location();
        let staged = template::version(self.cloud, &place, &pointer.id, pointer.version).await?;
        let own = staged.is_some_and(|staged| staged.instance_type.is_some());
        let kind = canary.instance_type.clone().or_else(|| (!own).then(|| one.instance_type.clone()));
        let id = &self.plan.release.id;
        let token = crate::plan::token(&["canary", id, &place.account, &place.region, &pointer.name, attempt]);
        let order = self.order(&place, pointer).client_token(&token).set_subnet_id(canary.subnet.clone());
        let order = order.set_instance_type(kind.as_deref().map(InstanceType::from));
        let looking = Poller { every: self.look_every(), deadline: UNSHOWN }.start();
        let launched = Temporary::launch((self.cloud.ec2(&place), place), order, &token, looking).await?;
        launched.ok_or_else(|| StepError::Refused("RunInstances named no instance".to_owned()))
    }

    fn order(&self, place: &Location, pointer: &TemplatePointer) -> RunInstancesFluentBuilder {
        let release = &self.plan.release;
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let tagged = |resource| {
            TagSpecification::builder()
                .resource_type(resource)
                .tags(tag("Name", &format!("amiforge canary {}", release.recipe)))
                .tags(tag(tags::PROJECT, &release.project))
                .tags(tag(tags::RECIPE, &release.recipe))
                .tags(tag(tags::PROMOTION, &release.id))
                .build()
        };
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(&pointer.id)
            .version(pointer.version.to_string())
            .build();
        let request = self.cloud.ec2(place).run_instances().launch_template(template).min_count(1).max_count(1);
        request
            .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
            .user_data(STANDARD.encode(USER_DATA))
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume))
    }

    async fn come_up(&self, instance: &Temporary, one: &Move, canary: &Canary) -> Result<(), NotUp> {
        let mut waiting = Poller { every: self.look_every(), deadline: Duration::from_secs(canary.timeout) }.start();
        let (id, place) = (instance.id(), one.location());
        loop {
            let shown = instance.look().await?;
            let state = shown.as_ref().map_or("not shown yet", |shown| shown.state.as_str()).to_owned();
            match (shown, state.as_str()) {
                (_, "running") if self.fulfils(&place, id, canary.check).await? => return Ok(()),
                (None, _) | (_, "pending" | "running") => {}
                (Some(shown), _) => return Err(NotUp::Ended(shown)),
            }
            let waited = waiting.elapsed().as_secs();
            let line = format!("{}: waiting for canary {id} ({state}, {waited} s)", one.place());
            self.events.progress(Stage::Promote, line);
            if waiting.pause().await.is_err() {
                let check = match (state.as_str(), canary.check) {
                    ("running", CanaryCheck::Status) => "its status checks are not ok",
                    ("running", CanaryCheck::Ssm) => "Systems Manager does not reach it",
                    _ => "it does not run",
                };
                return Err(NotUp::Late(format!("{check} after {} (state: {state})", duration(canary.timeout))));
            }
        }
    }

    /// Whether a running instance has come to what is waited for.
    async fn fulfils(&self, place: &Location, id: &str, check: CanaryCheck) -> Result<bool, CallError> {
        match check {
            CanaryCheck::Running => Ok(true),
            CanaryCheck::Status => {
                let answer = self.cloud.ec2(place).describe_instance_status().instance_ids(id).send().await;
                let answer = answer.map_err(CallError::of("DescribeInstanceStatus", place))?;
                let ok = |status: Option<&aws_sdk_ec2::types::InstanceStatusSummary>| {
                    status.and_then(|status| status.status()) == Some(&SummaryStatus::Ok)
                };
                Ok(answer.instance_statuses().iter().any(|one| ok(one.instance_status()) && ok(one.system_status())))
            }
            CanaryCheck::Ssm => {
                // The builder refuses a filter only without key or values, and this has both.
                let filter = InstanceInformationStringFilter::builder().key("InstanceIds").values(id).build().ok();
                let request =
                    self.cloud.ssm(place).describe_instance_information().set_filters(filter.map(|one| vec![one]));
                let answer = request.send().await.map_err(CallError::of("DescribeInstanceInformation", place))?;
                let mut nodes = answer.instance_information_list().iter();
                Ok(nodes.any(|one| one.instance_id() == Some(id) && one.ping_status() == Some(&PingStatus::Online)))
            }
        }
    }

    /// The last lines of the console, if EC2 has them: it is only told for whom something went wrong already.
    async fn console(&self, place: &Location, id: &str) -> Vec<String> {
        let answer = self.cloud.ec2(place).get_console_output().instance_id(id).send().await;
        let Ok(answer) = answer.map_err(CallError::of("GetConsoleOutput", place)) else { return vec![] };
        let bytes = STANDARD.decode(answer.output.unwrap_or_default()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(CONSOLE_LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// Ends what this promotion has launched in a place and what still runs. After a crash EC2 may not show it yet, so who resumes
    /// looks for a while.
    pub(super) async fn end_canaries(&self, target: usize) -> Undone {
        let one = match self.target(target) {
            Ok(one) => one,
            Err(error) => return Undone::of(Err(error)),
        };
        let (place, mut undone) = (one.location(), Undone::default());
        let ec2 = self.cloud.ec2(&place);
        let mut waiting = Poller { every: self.look_every(), deadline: UNSHOWN }.start();
        loop {
            let found = match temporary::tagged(&ec2, &place, tags::PROMOTION, &self.plan.release.id).await {
                Ok(found) => found,
                Err(error) => return Undone::of(Err(error.into())),
            };
            for id in &found {
                let ended = temporary::terminate(&ec2, &place, id).await;
                let line = format!("{}: canary {id} is terminated", one.place());
                let left = |error: CallError| StepError::Refused(left(id, &one.place(), &error));
                undone.and(ended.map(|()| Some(line)).map_err(left));
            }
            if self.fresh || !found.is_empty() || waiting.pause().await.is_err() {
                return undone;
            }
        }
    }
}

fn told(why: NotUp) -> String {
    match why {
        NotUp::Ended(Shown { state, reason }) => {
            let reason = reason.map_or_else(
                || "no reason is given".to_owned(),
                |(code, message)| {
                    if message.starts_with(&code) { message } else { format!("{code}: {message}") }
                },
            );
            format!("it is {state}: {reason}")
        }
        NotUp::Late(text) => text,
        NotUp::Call(error) => error.to_string(),
    }
}

fn duration(seconds: u64) -> String {
    crate::event::human_duration(Duration::from_secs(seconds))
}

/// What is said of an instance that runs on.
pub(super) fn left(id: &str, place: &str, error: &CallError) -> String {
    format!("canary {id} in {place} STILL RUNS and costs money until it is terminated: {error}")
}
