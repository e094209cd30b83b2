//! Pipelines, workflows and distribution configurations as the keys that recipes and environments have for them.

use super::convert::comment;
use super::model::{Account, Pipeline, Recipe, Region, Schedule, WorkflowUse};
use super::read::is_awss;
use crate::aws::tags;
use crate::project::{Arch, WorkflowKind, names};
use crate::yaml::emit;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How amiforge's own AMI names end.
const BUILD_DATE: &str = " {{ imagebuilder:buildDate }}";
/// Workflows that an image has at most (image-builder.md section 16).
const MOST: usize = 10;

/// What a recipe gets of the pipelines that build it.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// Text behind the recipe's own.
    pub(super) text: String,
    /// What has no place in it.
    pub(super) lost: Vec<String>,
    /// Documents by their file.
    pub(super) files: BTreeMap<String, String>,
    /// Comments in front.
    pub(super) head: String,
}

impl Built {
    fn put(&mut self, key: &str, value: &Value) {
        self.text.push_str(&emit(&json!({ key: value })));
    }

    fn lose(&mut self, what: impl Into<String>) {
        let what = what.into();
        let _ = writeln!(self.text, "# Not imported: {}", comment(&what));
        self.lost.push(what);
    }
}

/// Names of the workflows' documents by the ARN they are referred to: `test/scan`.
pub(super) fn workflow_names(account: &Account) -> BTreeMap<String, (WorkflowKind, String)> {
    let mut taken: BTreeMap<(WorkflowKind, String), &Option<String>> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for (arn, workflow) in &account.workflows {
        let Some(kind) = kind(arn) else { continue };
        // A project's own carry its name in front; without it they are the same document under the same name.
        let project = workflow.tags.get(tags::PROJECT).map(|project| format!("{project}-"));
        let bare = project.and_then(|project| workflow.name.strip_prefix(&project)).unwrap_or(&workflow.name);
        let wanted = super::convert::allowed(bare, false, "workflow");
        let same = taken.get(&(kind, wanted.clone())).is_none_or(|document| **document == workflow.document);
        let name = if same {
            wanted
        } else {
            let others: BTreeSet<String> = taken.keys().filter(|one| one.0 == kind).map(|one| one.1.clone()).collect();
            super::convert::free(&others, &wanted)
        };
        taken.insert((kind, name.clone()), &workflow.document);
        known.insert(arn.clone(), (kind, name));
    }
    known
}

/// `BUILD`, `TEST` or `DISTRIBUTION` of an ARN `…:workflow/test/NAME/…`.
fn kind(arn: &str) -> Option<WorkflowKind> {
    let folder = arn.split(":workflow/").nth(1)?.split('/').next()?;
    WorkflowKind::ALL.into_iter().find(|kind| kind.folder() == folder)
}

/// The keys of a recipe that the first of its pipelines gives; others have no place.
pub(super) fn convert(
    recipe: &Recipe,
    name: &str,
    account: &Account,
    workflows: &BTreeMap<String, (WorkflowKind, String)>,
    project: &str,
    arch: Arch,
) -> Built {
    let mut built = Built::default();
    let mut own = account.pipelines.iter().filter(|one| one.recipe.as_deref() == Some(&recipe.arn));
    let Some(first) = own.next() else { return built };
    let ours = names::recipe_resource(project, name, arch);
    if first.name != ours {
        let _ = writeln!(
            built.head,
            "# Built by the pipeline {}; `publish` makes one of its own, {ours}: disable the other one then.",
            comment(&first.name)
        );
    }
    pipeline(first, &mut built);
    used(first, account, workflows, &mut built);
    for region in first.distribution.as_ref().and_then(|arn| account.distributions.get(arn)).into_iter().flatten() {
        elsewhere(region, &ours, &mut built);
    }
    for other in own {
        built.lose(format!("pipeline {}: a recipe has one", other.name));
    }
    built
}

fn pipeline(one: &Pipeline, built: &mut Built) {
    let mut keys = Map::new();
    if let Some(schedule) = &one.schedule {
        match scheduled(schedule) {
            Ok(found) => keys.extend(found),
            Err(reason) => built.lose(format!("schedule {}: {reason}", schedule.expression)),
        }
    }
    if one.disabled {
        keys.insert("enabled".to_owned(), json!(false));
    }
    for setting in &one.settings {
        built.lose(format!("pipeline {}: {setting}", one.name));
    }
    if keys.is_empty() {
        // A pipeline that only somebody starts.
        built.text.push_str("pipeline: {}\n");
    } else {
        built.put("pipeline", &Value::Object(keys));
    }
}

fn scheduled(schedule: &Schedule) -> Result<Map<String, Value>, String> {
    if !crate::project::is_schedule(&schedule.expression) {
        return Err("recipes take cron(…) with six fields, one of the two days being ?, and rate(…)".to_owned());
    }
    let mut keys = Map::new();
    keys.insert("schedule".to_owned(), json!(schedule.expression));
    if let Some(zone) = schedule.timezone.as_ref().filter(|zone| *zone != "UTC") {
        keys.insert("timezone".to_owned(), json!(zone));
    }
    if schedule.always {
        keys.insert("start".to_owned(), json!("always"));
    }
    if let Some(count) = schedule.disable_after {
        keys.insert("disable_after".to_owned(), json!(count));
    }
    Ok(keys)
}

/// `workflows:`, all of them or none: without one of them the image would be another.
fn used(one: &Pipeline, account: &Account, names: &BTreeMap<String, (WorkflowKind, String)>, built: &mut Built) {
    if one.workflows.is_empty() {
        return;
    }
    let mut items = Vec::new();
    let mut files = BTreeMap::new();
    let mut reasons = Vec::new();
    for used in &one.workflows {
        let known = account.workflows.get(&used.arn).and_then(|workflow| workflow.document.as_ref());
        let reference = match (kind(&used.arn), names.get(&used.arn), known) {
            (Some(kind), _, _) if is_awss(&used.arn) => {
                let path = used.arn.split(":workflow/").nth(1).unwrap_or_default();
                format!("aws/{}/{}", kind.folder(), path.split('/').nth(1).unwrap_or_default())
            }
            (_, Some((kind, name)), Some(document)) => {
                files.insert(format!("workflows/{}/{name}.yaml", kind.folder()), document.clone());
                format!("{}/{name}", kind.folder())
            }
            _ => {
                reasons.push(format!("workflow {}: its document may not be read", used.arn));
                continue;
            }
        };
        items.push(item(&reference, used));
    }
    let builds = one.workflows.iter().filter(|used| kind(&used.arn) == Some(WorkflowKind::Build)).count();
    if builds != 1 || one.workflows.len() > MOST {
        reasons.push(format!("{} workflows, {builds} of them for the build", one.workflows.len()));
    }
    if reasons.is_empty() {
        built.files = files;
        built.put("workflows", &Value::Array(items));
    } else {
        for reason in reasons {
            built.lose(reason);
        }
        built.text.push_str("# Without its workflows the image is built and tested by those of the service.\n");
    }
}

fn item(reference: &str, used: &WorkflowUse) -> Value {
    let mut keys = Map::new();
    if !used.parameters.is_empty() {
        let one = |values: &Vec<String>| match values.as_slice() {
            [only] => json!(only),
            several => json!(several),
        };
        let parameters: Map<String, Value> =
            used.parameters.iter().map(|(name, values)| (name.clone(), one(values))).collect();
        keys.insert("parameters".to_owned(), Value::Object(parameters));
    }
    if let Some(group) = &used.parallel_group {
        keys.insert("parallel_group".to_owned(), json!(group));
    }
    if used.goes_on {
        keys.insert("on_failure".to_owned(), json!("continue"));
    }
    if keys.is_empty() { json!(reference) } else { json!({ reference: keys }) }
}

/// What a distribution does beyond what `distribution:` of an environment says.
fn elsewhere(one: &Region, ours: &str, built: &mut Built) {
    let usual = format!("{ours}{BUILD_DATE}");
    if let Some(name) = one.ami_name.as_ref().filter(|name| **name != usual) {
        built.lose(format!("distribution to {}: AMI name {name}; amiforge uses {usual}", one.region));
    }
    for more in &one.more {
        built.lose(format!("distribution to {}: {more}", one.region));
    }
}

/// `distribution:` and `execution_role` of the environment, which all pipelines share; and what does not fit into them.
pub(super) fn environment(account: &Account, home: &str) -> (Option<Value>, Option<String>, Vec<String>) {
    let mut lost = Vec::new();
    let mut found: Option<(String, Option<Value>)> = None;
    for one in &account.pipelines {
        let regions = one.distribution.as_ref().and_then(|arn| account.distributions.get(arn));
        let wanted = regions.and_then(|regions| distribution(regions, home, &one.name, &mut lost));
        match &found {
            None => found = Some((one.name.clone(), wanted)),
            Some((_, known)) if *known == wanted => {}
            Some((first, _)) => lost.push(format!(
                "pipeline {}: it leaves its images elsewhere than {first}, and an environment has one `distribution`",
                one.name
            )),
        }
    }
    let mut roles = account.pipelines.iter().filter_map(|one| Some((&one.name, one.execution_role.as_ref()?)));
    let role = roles.next().map(|(_, role)| role.clone());
    for (name, other) in roles.filter(|(_, other)| Some(*other) != role.as_ref()) {
        lost.push(format!("pipeline {name}: execution role {other}; an environment has one"));
    }
    (found.and_then(|(_, wanted)| wanted), role, lost)
}

fn distribution(regions: &[Region], home: &str, pipeline: &str, lost: &mut Vec<String>) -> Option<Value> {
    let mut keys = Map::new();
    let others: Vec<&Region> = regions.iter().filter(|one| one.region != home).collect();
    if !others.is_empty() {
        keys.insert("regions".to_owned(), json!(others.iter().map(|one| &one.region).collect::<Vec<_>>()));
    }
    let shared: BTreeSet<&String> = regions.iter().flat_map(|one| &one.accounts).collect();
    if !shared.is_empty() {
        keys.insert("accounts".to_owned(), json!(shared));
    }
    for one in regions.iter().filter(|one| one.accounts.len() != shared.len()) {
        lost.push(format!(
            "pipeline {pipeline}: in {} fewer accounts may launch the image; `accounts` holds for all Regions",
            one.region
        ));
    }
    let encrypted: Map<String, Value> =
        others.iter().filter_map(|one| Some((one.region.clone(), json!(one.kms_key.as_ref()?)))).collect();
    if !encrypted.is_empty() {
        keys.insert("kms_keys".to_owned(), Value::Object(encrypted));
    }
    // Only the home Region and nobody else: what a build does without any.
    (!keys.is_empty()).then_some(Value::Object(keys))
}
