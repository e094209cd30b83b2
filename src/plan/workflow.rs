//! Workflows: what should be there, what is, and how they are made. As components they are versioned `1.0.N` and never
//! edited.

use super::arn::Version;
use super::configuration::tagged;
use super::diff::{keep, newest, next, short};
use super::error::PlanError;
use super::fingerprint::{digest, token};
use super::lists::Lists;
use super::model::{Action, Change, Desired, DesiredWorkflow, Kind, Plan};
use super::observe::fingerprint;
use super::observed::ObservedComponent;
use super::publish::{Next, PublishedWorkflow, doubtful, look, map, token_of};
use crate::aws::{CallError, Cloud, tags};
use crate::project::{Location, Project, Recipe, WorkflowUse, names};
use aws_sdk_imagebuilder::types as ib;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Workflows are versioned `1.0.N`.
const SERIES: (u32, u32) = (1, 0);

/// The workflows of a recipe, in order.
pub(super) fn desired(project: &Project, recipe: &Recipe) -> Vec<DesiredWorkflow> {
    recipe.workflows.iter().map(|used| one(project, used)).collect()
}

fn one(project: &Project, used: &WorkflowUse) -> DesiredWorkflow {
    let source = project.workflows.get(&(used.kind, used.name.clone())).filter(|_| !used.managed);
    let document = source.map(|source| source.text.clone());
    let resource_name = match &document {
        Some(_) => names::component_resource(&project.name, &used.name),
        None => used.name.clone(),
    };
    let fingerprint = digest(&json!({
        "schema": "amiforge.workflow/1",
        "name": resource_name,
        "kind": used.kind.service(),
        "managed": used.managed,
        "document": document,
    }));
    DesiredWorkflow {
        name: used.name.clone(),
        kind: used.kind.service().to_owned(),
        tags: tagged(project, &[(tags::FINGERPRINT, &fingerprint)]),
        resource_name,
        document,
        parameters: used.parameters.clone(),
        parallel_group: used.parallel_group.clone(),
        continue_on_failure: used.continue_on_failure,
        fingerprint,
    }
}

impl DesiredWorkflow {
    /// What goes into the fingerprint of an image.
    pub(super) fn value(&self) -> serde_json::Value {
        json!({
            "fingerprint": self.fingerprint, "parameters": self.parameters, "group": self.parallel_group,
            "continue": self.continue_on_failure,
        })
    }

    /// ARN of one of AWS, whose newest version is the only one that may be named (image-builder.md 2.3).
    fn managed(&self, place: &Location) -> String {
        let (partition, region) = (place.partition(), &place.region);
        let kind = self.kind.to_lowercase();
        format!("arn:{partition}:imagebuilder:{region}:aws:workflow/{kind}/{}/x.x.x", self.resource_name)
    }
}

/// The project's own, each once.
fn own(desired: &Desired) -> Vec<&DesiredWorkflow> {
    let mut seen = BTreeSet::new();
    desired.workflows.iter().filter(|one| one.document.is_some() && seen.insert(&one.fingerprint)).collect()
}

/// A version of a workflow in the account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    name: String,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    kind: String,
    pub(super) arn: String,
}

impl Listed {
    /// Whether it is a version of a workflow that the project has and this image uses.
    pub(super) fn is_of(&self, desired: &Desired) -> bool {
        own(desired).iter().any(|one| self.name == one.resource_name && self.kind == one.kind)
    }
}

/// Whether an image uses workflows of the project.
pub(super) fn has_own(desired: &Desired) -> bool {
    desired.workflows.iter().any(|one| one.document.is_some())
}

/// The account's workflows.
pub(super) async fn listed(cloud: &Cloud) -> Result<Vec<Listed>, PlanError> {
    let mut pages = cloud.imagebuilder().list_workflows().owner(ib::Ownership::SelfValue).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListWorkflows", cloud.home()))?;
        let rows = page.workflow_version_list.unwrap_or_default().into_iter();
        found.extend(rows.filter_map(|one| {
            let kind = one.r#type?.as_str().to_owned();
            Some(Listed { name: one.name?, kind, arn: one.arn? })
        }));
    }
    Ok(found)
}

/// The versions that exist of the desired workflows, by name and type.
pub(super) async fn observe(lists: &Lists<'_>, desired: &Desired) -> Result<Vec<ObservedComponent>, PlanError> {
    let mut found = Vec::new();
    if !has_own(desired) {
        return Ok(found);
    }
    for one in lists.workflows().await?.iter().filter(|one| one.is_of(desired)) {
        found.extend(lists.workflow_builds(&one.arn).await?);
    }
    Ok(found)
}

pub(super) async fn builds(cloud: &Cloud, version_arn: &str) -> Result<Vec<ObservedComponent>, PlanError> {
    let mut pages =
        cloud.imagebuilder().list_workflow_build_versions().workflow_version_arn(version_arn).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListWorkflowBuildVersions", cloud.home()))?;
        for build in page.workflow_summary_list.unwrap_or_default() {
            let deprecated = build.state.as_ref().and_then(|state| state.status.as_ref()).is_some();
            let fingerprint = fingerprint(build.tags.as_ref()).filter(|_| !deprecated);
            let version = build.version.as_deref().and_then(|text| Version::parse(text.split('/').next()?));
            if let (Some(arn), Some(version)) = (build.arn, version) {
                found.push(ObservedComponent { version, arn, fingerprint, content: None });
            }
        }
    }
    Ok(found)
}

/// One change per workflow of the project.
pub(super) fn changes(desired: &Desired, observed: &[ObservedComponent]) -> Vec<Change> {
    let mut taken: BTreeMap<(&str, &str), Version> = BTreeMap::new();
    own(desired)
        .into_iter()
        .map(|one| {
            let place = format!("workflow/{}/{}/", one.kind.to_lowercase(), one.resource_name);
            let existing: Vec<ObservedComponent> =
                observed.iter().filter(|known| known.arn.contains(&place)).cloned().collect();
            if let Some(found) = newest(&existing, &one.fingerprint) {
                return keep(Kind::Workflow, &one.resource_name, Some(found.version), &one.fingerprint, &found.arn);
            }
            let id = (one.kind.as_str(), one.resource_name.as_str());
            let known = existing.iter().map(|known| known.version).chain(taken.get(&id).copied());
            let version = next(known, SERIES);
            taken.insert(id, version);
            Change {
                action: Action::Create,
                kind: Kind::Workflow,
                name: one.resource_name.clone(),
                version: Some(version),
                fingerprint: short(&one.fingerprint),
                reason: if existing.is_empty() { "new" } else { "document changed" }.to_owned(),
                ..Change::default()
            }
        })
        .collect()
}

/// The workflow changes of a plan, each with what is desired.
fn planned(plan: &Plan) -> impl Iterator<Item = (&Change, &DesiredWorkflow)> {
    let changes = plan.changes.iter().filter(|change| change.kind == Kind::Workflow);
    changes.filter_map(|change| {
        let mut all = plan.desired().workflows.iter();
        let wanted =
            all.find(|one| one.resource_name == change.name && one.fingerprint.starts_with(&change.fingerprint));
        wanted.map(|wanted| (change, wanted))
    })
}

/// Has the service check every workflow that will be created; as for components.
pub(super) async fn dry_run(cloud: &Cloud, plan: &Plan) -> Result<(), PlanError> {
    for (change, wanted) in planned(plan).filter(|(change, _)| change.action == Action::Create) {
        let now = crate::clock::rfc3339(cloud.clock().now());
        let answer = request(cloud, wanted, change)
            .dry_run(true)
            .client_token(token(&["dry run", &wanted.fingerprint, &now]))
            .send()
            .await
            .map_err(CallError::of("CreateWorkflow", cloud.home()));
        if let Err(error) = answer
            && !error.fault.is(&["DryRunOperationException"])
            && !doubtful(&error)
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Makes what is missing; the workflows of the image in order, with their ARNs.
pub(super) async fn publish(cloud: &Cloud, plan: &Plan) -> Result<Vec<PublishedWorkflow>, PlanError> {
    let mut arns: BTreeMap<&str, String> = BTreeMap::new();
    for (change, wanted) in planned(plan) {
        let arn = match (&change.arn, change.action) {
            (Some(arn), Action::Keep) => arn.clone(),
            _ => create(cloud, plan.desired(), wanted, change).await?,
        };
        arns.insert(&wanted.fingerprint, arn);
    }
    let used = plan.desired().workflows.iter().map(|one| PublishedWorkflow {
        arn: arns.get(one.fingerprint.as_str()).cloned().unwrap_or_else(|| one.managed(cloud.home())),
        parameters: one.parameters.clone(),
        parallel_group: one.parallel_group.clone(),
        // What is said for a build or distribution workflow is refused.
        continue_on_failure: (one.kind == "TEST").then_some(one.continue_on_failure),
    });
    Ok(used.collect())
}

async fn create(
    cloud: &Cloud,
    desired: &Desired,
    wanted: &DesiredWorkflow,
    change: &Change,
) -> Result<String, PlanError> {
    let error = match send(cloud, wanted, change).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    let known = observe(&Lists::by_name(cloud), desired).await?;
    let same = newest(&known, &wanted.fingerprint).map(|found| found.arn.clone());
    match look(error, change, same)? {
        Next::There(arn) => Ok(arn),
        Next::Again => send(cloud, wanted, change).await,
    }
}

async fn send(cloud: &Cloud, wanted: &DesiredWorkflow, change: &Change) -> Result<String, PlanError> {
    let answer = request(cloud, wanted, change)
        .client_token(token_of(cloud, &wanted.resource_name, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("CreateWorkflow", cloud.home()))?;
    answer
        .workflow_build_version_arn
        .ok_or(PlanError::Answer { operation: "CreateWorkflow", what: "workflowBuildVersionArn" })
}

fn request(
    cloud: &Cloud,
    wanted: &DesiredWorkflow,
    change: &Change,
) -> aws_sdk_imagebuilder::operation::create_workflow::builders::CreateWorkflowFluentBuilder {
    cloud
        .imagebuilder()
        .create_workflow()
        .name(&wanted.resource_name)
        .semantic_version(change.version.map(|version| version.to_string()).unwrap_or_default())
        .change_description(format!("fingerprint {}", change.fingerprint))
        .r#type(ib::WorkflowType::from(wanted.kind.as_str()))
        .set_data(wanted.document.clone())
        .set_tags(Some(map(&wanted.tags)))
}

impl PublishedWorkflow {
    /// As the service takes it.
    pub(crate) fn configuration(&self) -> Result<ib::WorkflowConfiguration, PlanError> {
        let incomplete = |_| PlanError::Answer { operation: "a workflow", what: "its ARN and parameters" };
        let mut one = ib::WorkflowConfiguration::builder().workflow_arn(&self.arn);
        for (name, values) in &self.parameters {
            let parameter = ib::WorkflowParameter::builder().name(name).set_value(Some(values.clone())).build();
            one = one.parameters(parameter.map_err(incomplete)?);
        }
        let on_failure = self
            .continue_on_failure
            .map(|goes_on| if goes_on { ib::OnWorkflowFailure::Continue } else { ib::OnWorkflowFailure::Abort });
        one.set_parallel_group(self.parallel_group.clone()).set_on_failure(on_failure).build().map_err(incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired() -> Desired {
        let mut desired = super::super::fixture();
        let one = |name: &str, kind: &str, document: Option<&str>| DesiredWorkflow {
            name: name.into(),
            kind: kind.into(),
            resource_name: format!("acme-{name}"),
            document: document.map(str::to_owned),
            parameters: BTreeMap::new(),
            parallel_group: None,
            continue_on_failure: false,
            fingerprint: format!("{name}-{kind}-{document:?}"),
            tags: BTreeMap::new(),
        };
        desired.workflows =
            vec![one("image", "BUILD", Some("a")), one("ask", "TEST", Some("b")), one("test-image", "TEST", None)];
        desired
    }

    fn there(kind: &str, name: &str, patch: u32, fingerprint: &str) -> ObservedComponent {
        let version = Version::new(1, 0, patch);
        ObservedComponent {
            version,
            arn: format!("arn:aws:imagebuilder:us-east-1:000000000000:workflow/{kind}/{name}/{version}/1"),
            fingerprint: Some(fingerprint.into()),
            content: None,
        }
    }

    #[test]
    fn managed_workflows_are_nobodys_change_and_names_count_by_type() {
        let desired = desired();
        let fingerprint = &desired.workflows[1].fingerprint;
        let observed = [
            there("test", "acme-image", 4, "other type"),
            there("build", "acme-image", 2, "older"),
            there("test", "acme-ask", 7, fingerprint),
        ];
        let made = changes(&desired, &observed);
        let told: Vec<_> = made
            .iter()
            .map(|change| (change.action, change.name.as_str(), change.version, change.reason.as_str()))
            .collect();
        let expected = [
            (Action::Create, "acme-image", Some(Version::new(1, 0, 3)), "document changed"),
            (Action::Keep, "acme-ask", Some(Version::new(1, 0, 7)), "unchanged"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn managed_workflows_are_named_by_partition_and_newest_version() {
        let desired = desired();
        for (region, partition) in
            [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("us-east-1", "aws")]
        {
            let place = Location { account: "111122223333".into(), region: region.into() };
            let expected = format!("arn:{partition}:imagebuilder:{region}:aws:workflow/test/acme-test-image/x.x.x");
            assert_eq!(desired.workflows[2].managed(&place), expected);
        }
    }
}
