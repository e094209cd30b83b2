//! What an account has becomes the text of files. Pure.

use super::error::ImportError;
use super::model::{Account, Component, Pipeline, Recipe};
use super::{pipeline, recipe};
use crate::aws::tags;
use crate::project::{Arch, Location, Os, names};
use crate::yaml::emit;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the account does not tell.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The project's name, when resources do not carry one.
    pub project: String,
    /// Name of the environment that is read, and where it is; nothing for this machine.
    pub environment: Option<(String, Location)>,
    /// The operating system where it cannot be seen.
    pub os: Option<Os>,
    /// The architecture where it cannot be seen.
    pub arch: Option<Arch>,
}

/// Files, and what did not get into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Text by name in the project's folder.
    #[serde(skip)]
    pub files: BTreeMap<String, String>,
    /// Names of recipes.
    pub recipes: Vec<String>,
    /// Names of components, each with the ARN it comes from.
    pub components: BTreeMap<String, String>,
    /// What has no counterpart, or was left out, with the reason.
    pub lost: Vec<Lost>,
}

/// Something that project files have no word for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The file that has a comment about it; absent when there is no such file.
    pub file: Option<String>,
    /// What.
    pub what: String,
}

/// Makes files of what was read.
///
/// # Errors
/// [`ImportError::Refused`] when no recipe can be imported at all.
pub fn convert(account: &Account, settings: &Settings) -> Result<Imported, ImportError> {
    let mut files = BTreeMap::new();
    let mut lost = Vec::new();
    let components = component_names(account);
    let workflows = pipeline::workflow_names(account);
    let project = project_name(account, settings);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let (mut taken, mut recipes, mut refused) = (BTreeSet::new(), Vec::new(), Vec::new());
    for one in &account.recipes {
        match recipe::convert(one, account, &components, settings) {
            Ok(made) => {
                let name = free(&taken, &recipe_name(one));
                taken.insert(name.clone());
                let file = format!("recipes/{name}.yaml");
                let built = pipeline::convert(one, &name, account, &workflows, &project, made.arch);
                let head = format!("# Imported from {}\n{}{}", one.arn, built.head, emit(&json!({ "name": name })));
                files.insert(file.clone(), format!("{head}{}{}", made.text, built.text));
                files.extend(built.files);
                let all = made.lost.into_iter().chain(built.lost);
                lost.extend(all.map(|what| Lost { file: Some(file.clone()), what }));
                used.extend(one.components.iter().map(|used| used.arn.as_str()));
                recipes.push(name);
            }
            Err(reason) => refused.push(format!("{}: {reason}", one.arn)),
        }
    }
    for Pipeline { name, container_recipe, .. } in &account.pipelines {
        let reason = |arn: &String| format!("pipeline {name}: {arn} is a container recipe; amiforge makes AMIs only");
        refused.extend(container_recipe.iter().map(reason));
    }
    if recipes.is_empty() {
        return Err(ImportError::Refused { reasons: refused });
    }
    lost.extend(refused.into_iter().map(|what| Lost { file: None, what }));
    let mut from = BTreeMap::new();
    for (arn, name) in components.iter().filter(|(arn, _)| used.contains(arn.as_str())) {
        let component = &account.components[arn];
        if let Some(document) = &component.document {
            files.insert(format!("components/{name}.yaml"), document.clone());
            from.insert(name.clone(), component.arn.clone());
        }
    }
    let (text, more) = project_file(account, &project, settings);
    lost.extend(more.into_iter().map(|what| Lost { file: Some("amiforge.yaml".to_owned()), what }));
    files.insert("amiforge.yaml".to_owned(), text);
    Ok(Imported { files, recipes, components: from, lost })
}

/// The name a recipe has in the project that made it, or the nearest allowed form of its own.
fn recipe_name(recipe: &Recipe) -> String {
    let own = recipe.tags.get(tags::RECIPE).filter(|name| names::fault(name, true).is_none());
    own.cloned().unwrap_or_else(|| allowed(&recipe.name, true, "recipe"))
}

/// The nearest allowed form of a name.
pub(super) fn allowed(name: &str, dots: bool, otherwise: &str) -> String {
    let near = names::nearest(name, dots);
    if names::fault(&near, dots).is_none() {
        near
    } else {
        format!("{otherwise}-{near}").trim_end_matches('-').to_owned()
    }
}

/// A name that is not taken: the wanted one, or with a number.
pub(super) fn free(taken: &BTreeSet<String>, wanted: &str) -> String {
    if !taken.contains(wanted) {
        return wanted.to_owned();
    }
    // Room for the number: names have at most 50 characters.
    let short: String = wanted.chars().take(45).collect();
    // As many numbers as names are taken, and one more: one of them is free.
    (2..=taken.len() + 2).map(|number| format!("{short}-{number}")).find(|name| !taken.contains(name)).unwrap_or(short)
}

/// Names of components by the ARN they are referred to; the same document has one name, another document never the same.
fn component_names(account: &Account) -> BTreeMap<String, String> {
    let mut taken: BTreeMap<String, &Option<String>> = BTreeMap::new();
    let mut known = BTreeMap::new();
    for (arn, component) in &account.components {
        let wanted = component_name(component);
        let name = match taken.get(&wanted) {
            Some(document) if **document == component.document => wanted,
            _ => free(&taken.keys().cloned().collect(), &wanted),
        };
        taken.insert(name.clone(), &component.document);
        known.insert(arn.clone(), name);
    }
    known
}

fn component_name(component: &Component) -> String {
    let own = component.tags.get(tags::COMPONENT).filter(|name| names::fault(name, false).is_none());
    own.cloned().unwrap_or_else(|| {
        let path = component.arn.split(":component/").nth(1).and_then(|path| path.split('/').next());
        allowed(if component.name.is_empty() { path.unwrap_or_default() } else { &component.name }, false, "component")
    })
}

/// Text that stays in its comment.
pub(super) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The name of the project that made the recipes, or the one that is asked for.
fn project_name(account: &Account, settings: &Settings) -> String {
    let tagged = account.recipes.iter().filter_map(|recipe| recipe.tags.get(tags::PROJECT));
    let tagged: BTreeSet<&String> = tagged.filter(|name| names::fault(name, false).is_none()).collect();
    match tagged.first() {
        Some(only) if tagged.len() == 1 => (*only).clone(),
        _ => settings.project.clone(),
    }
}

/// `amiforge.yaml`, and what of the infrastructure has no place in it.
fn project_file(account: &Account, project: &str, settings: &Settings) -> (String, Vec<String>) {
    let mut text = emit(&json!({ "project": project }));
    let mut lost = Vec::new();
    let Some((environment, home)) = &settings.environment else { return (text, lost) };
    let mut all = account.infrastructure.values();
    let (first, others) = (all.next(), all);
    let (distribution, role, more) = pipeline::environment(account, &home.region);
    lost.extend(more);
    let mut aws = Map::new();
    aws.insert("home".to_owned(), json!({ "account": home.account, "region": home.region }));
    let mut remarks = String::new();
    if let Some(first) = first {
        let mut one = Map::new();
        let mut put = |key: &str, value: Value| {
            if !(value.is_null() || value.as_array().is_some_and(Vec::is_empty)) {
                one.insert(key.to_owned(), value);
            }
        };
        put("instance_types", json!(first.instance_types));
        put("instance_profile", json!(first.profile));
        // Groups without a subnet have no meaning to amiforge, nor has a subnet without groups.
        if first.subnet.is_some() && !first.security_groups.is_empty() {
            put("subnet", json!(first.subnet));
            put("security_groups", json!(first.security_groups));
        } else {
            lost.extend(
                first.subnet.iter().map(|subnet| format!("{}: subnet {subnet} without security groups", first.name)),
            );
            let groups = first.security_groups.iter();
            lost.extend(groups.map(|group| format!("{}: security group {group} without a subnet", first.name)));
        }
        put("log_bucket", json!(first.log_bucket));
        put("execution_role", json!(role));
        lost.extend(first.more.iter().map(|more| format!("{}: {more}", first.name)));
        if !one.is_empty() {
            aws.insert("infrastructure".to_owned(), Value::Object(one));
        }
    }
    if let Some(distribution) = distribution {
        aws.insert("distribution".to_owned(), distribution);
    }
    lost.extend(others.map(|other| format!("infrastructure configuration {}: an environment has one", other.name)));
    for what in &lost {
        let _ = writeln!(remarks, "# Not imported: {}", comment(what));
    }
    text.push_str(&remarks);
    text.push_str(&emit(&json!({ "environments": { "local": {}, environment: aws } })));
    (text, lost)
}
