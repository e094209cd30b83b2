//! `workflows:` of a recipe, and the documents in `workflows/build`, `workflows/test` and `workflows/distribution`.
//!
//! With workflows of its own a recipe has none of the service's: what is not listed does not happen (image-builder.md
//! section 12). So the build workflow has to be there, and a test workflow when the recipe has tests.

use super::fields::{Fields, Findings, scalar, text};
use super::{EnvironmentConfig, Project, Recipe, WorkflowKind, WorkflowUse, codes, names};
use crate::diagnostic::{Diagnostic, SourceFile, Span, suggest};
use crate::workflow;
use crate::yaml::{Kind, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Quota "workflows per image" (image-builder.md section 16).
pub(super) const MOST: usize = 10;
/// What `on_failure` may be.
pub(super) const ON_FAILURE: [&str; 2] = ["abort", "continue"];
/// Pattern `ParallelGroup` (image-builder.md section 12).
pub(super) const GROUP: &str = "^[A-Za-z0-9][A-Za-z0-9_+#-]{0,99}$";
/// Pattern of a reference: the folder and the name of a document, or of a managed workflow behind `aws/`.
pub(super) fn reference_pattern() -> String {
    let kinds: Vec<&str> = WorkflowKind::ALL.iter().map(|kind| kind.folder()).collect();
    format!("^(aws/)?({})/[a-z0-9]([a-z0-9-]{{0,{}}}[a-z0-9])?$", kinds.join("|"), names::LONGEST - 2)
}

/// Reads `workflows`.
pub(super) fn read(fields: &mut Fields<'_>, out: &mut Findings) -> Vec<WorkflowUse> {
    let items = fields.list("workflows", out);
    let used: Vec<WorkflowUse> = items.iter().filter_map(|item| one(item, out)).collect();
    if items.len() > MOST {
        let message = format!("an image has at most {MOST} workflows");
        out.error(codes::WORKFLOW, items[MOST].span, message, "this one is too many");
    }
    if !used.is_empty() && used.len() == items.len() {
        counts(&used, out);
    }
    used
}

/// One build workflow, at most one for the distribution.
fn counts(used: &[WorkflowUse], out: &mut Findings) {
    let of = |kind: WorkflowKind| used.iter().filter(move |one| one.kind == kind);
    if of(WorkflowKind::Build).next().is_none() {
        let found =
            out.error(codes::WORKFLOW, used[0].span, "`workflows` has no build workflow", "nothing would be built");
        found.help.push("add `aws/build/build-image`, the service's own, or one of workflows/build".to_owned());
    }
    for kind in [WorkflowKind::Build, WorkflowKind::Distribution] {
        if let Some(second) = of(kind).nth(1) {
            let message = format!("an image has one {} workflow", kind.folder());
            out.error(codes::WORKFLOW, second.span, message, "the second one");
        }
    }
}

fn one(item: &Node, out: &mut Findings) -> Option<WorkflowUse> {
    let (name, details) = match &item.kind {
        Kind::Scalar(_) => (item, None),
        Kind::Mapping(entries) if entries.len() == 1 => (&entries[0].0, Some(&entries[0].1)),
        _ => {
            out.wrong_type("workflows", "a list of workflows, or of one workflow with its settings each", item);
            return None;
        }
    };
    let reference = text(name, "workflows", out)?;
    let Some((managed, kind, short)) = parts(&reference) else {
        let message = format!("`{reference}` is not a workflow");
        let found = out.error(codes::WORKFLOW, name.span, message, "not KIND/NAME");
        found.help.push(
            "build/NAME, test/NAME or distribution/NAME for workflows/KIND/NAME.yaml; aws/test/test-image for one of AWS".to_owned(),
        );
        return None;
    };
    let mut used = WorkflowUse {
        kind,
        name: short.to_owned(),
        managed,
        parameters: BTreeMap::new(),
        parallel_group: None,
        continue_on_failure: false,
        span: name.span,
    };
    if let Some(details) = details {
        settings(details, &reference, &mut used, out);
    }
    Some(used)
}

/// Whether it is managed, what it is for, and its name.
fn parts(reference: &str) -> Option<(bool, WorkflowKind, &str)> {
    let (managed, rest) = match reference.strip_prefix("aws/") {
        Some(rest) => (true, rest),
        None => (false, reference),
    };
    let (folder, name) = rest.split_once('/')?;
    let kind = WorkflowKind::ALL.into_iter().find(|kind| kind.folder() == folder)?;
    let fits = regex_lite::Regex::new(&reference_pattern()).is_ok_and(|pattern| pattern.is_match(reference));
    fits.then_some((managed, kind, name))
}

fn settings(node: &Node, reference: &str, used: &mut WorkflowUse, out: &mut Findings) {
    let Some(mut fields) = Fields::new(node, reference, true, out) else { return };
    if let Some(parameters) = fields.take("parameters") {
        used.parameters = values(parameters, &fields.path("parameters"), out);
    }
    used.parallel_group = fields.text("parallel_group", out);
    used.continue_on_failure = fields.choice("on_failure", &ON_FAILURE, out) == Some("continue");
    fields.finish(out);
    for key in ["parallel_group", "on_failure"] {
        if let (Some((name, _)), true) = (node.entry(key), used.kind != WorkflowKind::Test) {
            let message = format!("`{key}` is for test workflows only");
            out.error(codes::WORKFLOW, name.span, message, "not for this one");
        }
    }
    if let (Some(group), Some((_, value))) = (&used.parallel_group, node.entry("parallel_group"))
        && !regex_lite::Regex::new(GROUP).is_ok_and(|pattern| pattern.is_match(group))
    {
        let message = format!("`{group}` cannot be a parallel group");
        out.error(codes::WORKFLOW, value.span, message, "letters, digits, -, _, + and #");
    }
}

/// Values as the service takes them: lists of texts.
fn values(node: &Node, path: &str, out: &mut Findings) -> BTreeMap<String, Vec<String>> {
    let mut values = BTreeMap::new();
    let Some(entries) = Fields::new(node, path, true, out).and(node.entries()) else { return values };
    for (key, value) in entries {
        let Some(name) = key.as_str() else { continue };
        let path = format!("{path}.{name}");
        let list = match value.items() {
            Some(items) => items.iter().filter_map(|item| scalar(item, &path, out)).collect(),
            None => scalar(value, &path, out).into_iter().collect(),
        };
        values.insert(name.to_owned(), list);
    }
    values
}

/// What needs other files: documents, their parameters, roles of environments, tests.
pub(super) fn check(project: &Project, found: &mut Vec<Diagnostic>) {
    let mut read: BTreeMap<(WorkflowKind, &str), workflow::WorkflowDocument> = BTreeMap::new();
    for ((kind, name), source) in &project.workflows {
        match workflow::read(&source.text, kind.service()) {
            Ok(document) => {
                read.insert((*kind, name), document);
            }
            Err(wrong) => found.extend(wrong.into_iter().map(|text| at_fault(source, &text))),
        }
    }
    for recipe in project.recipes.values() {
        for used in recipe.workflows.iter().filter(|used| !used.managed) {
            if project.workflows.contains_key(&(used.kind, used.name.clone())) {
                let document = read.get(&(used.kind, used.name.as_str()));
                found.extend(document.into_iter().flat_map(|document| parameters(recipe, used, document)));
            } else {
                found.push(unknown(project, recipe, used));
            }
        }
        recipe_as_a_whole(project, recipe, found);
    }
}

/// The service's words at the line they are about: the one that has the first quoted or named step.
fn at_fault(source: &Arc<SourceFile>, text: &str) -> Diagnostic {
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).collect();
    let named = source.text.lines().scan(0, |start, line| {
        let at = *start;
        *start += line.len() + 1;
        Some((at, line))
    });
    let step = named.into_iter().find(|(_, line)| {
        let name = line.trim_start_matches([' ', '-']).strip_prefix("name:").map(str::trim);
        name.is_some_and(|name| words.contains(name.trim_matches(['"', '\''])))
    });
    let span = step.map_or_else(Span::default, |(at, line)| Span::new(at, at + line.len()));
    Diagnostic::error(codes::WORKFLOW, text.to_owned()).at(source, span, "Image Builder refuses this")
}

fn parameters(recipe: &Recipe, used: &WorkflowUse, document: &workflow::WorkflowDocument) -> Vec<Diagnostic> {
    let mut found = vec![];
    for name in used.parameters.keys() {
        if !document.parameters.iter().any(|parameter| parameter.name == *name) {
            let known = document.parameters.iter().map(|parameter| parameter.name.as_str());
            let label =
                suggest(name, known).map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
            let message = format!("the workflow `{}` has no parameter `{name}`", used.name);
            found.push(Diagnostic::error(codes::WORKFLOW, message).at(&recipe.source, used.span, label));
        }
    }
    for parameter in &document.parameters {
        let given = used.parameters.get(&parameter.name);
        let texts: Vec<&str> = given.into_iter().flatten().map(String::as_str).collect();
        let message = match given {
            None if parameter.default.is_none() => format!("needs the parameter `{}`", parameter.name),
            Some(_) if parameter.typed(&texts).is_none() => {
                format!("takes another type for `{}`: {}", parameter.name, parameter.kind)
            }
            _ => continue,
        };
        let message = format!("the workflow `{}` {message}", used.name);
        found.push(Diagnostic::error(codes::WORKFLOW, message).at(&recipe.source, used.span, ""));
    }
    found
}

fn unknown(project: &Project, recipe: &Recipe, used: &WorkflowUse) -> Diagnostic {
    let known: Vec<&str> =
        project.workflows.keys().filter(|(kind, _)| *kind == used.kind).map(|(_, name)| name.as_str()).collect();
    let label = suggest(&used.name, known.iter().copied())
        .map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
    let file = format!("workflows/{}/{}.yaml", used.kind.folder(), used.name);
    Diagnostic::error(codes::WORKFLOW, format!("there is no workflow `{}/{}`", used.kind.folder(), used.name))
        .at(&recipe.source, used.span, label)
        .help(format!("it would stand in {file}; a workflow of AWS begins with aws/"))
}

/// Image Builder runs custom workflows with a role that has to be named, and runs no test that no workflow runs.
fn recipe_as_a_whole(project: &Project, recipe: &Recipe, found: &mut Vec<Diagnostic>) {
    let Some(first) = recipe.workflows.first() else { return };
    if !recipe.test.is_empty() && !recipe.workflows.iter().any(|used| used.kind == WorkflowKind::Test) {
        let message =
            format!("recipe `{}` has tests, and `workflows` no test workflow that would run them", recipe.name);
        let diagnostic = Diagnostic::error(codes::WORKFLOW, message).at(&recipe.source, first.span, "no test stage");
        found.push(diagnostic.help("add `aws/test/test-image`, the service's own, or one of workflows/test"));
    }
    for (name, environment) in &project.environments {
        if matches!(environment, EnvironmentConfig::Aws(aws) if aws.execution_role.is_none()) {
            let message = format!("environment `{name}` names no role for the workflows of recipe `{}`", recipe.name);
            let diagnostic = Diagnostic::error(codes::WORKFLOW, message).at(&recipe.source, first.span, "needs a role");
            found.push(diagnostic.help(format!("set `environments.{name}.infrastructure.execution_role`")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load_all;
    use super::*;
    use std::fs;

    const TEST: &str = "schemaVersion: 1.0\nparameters:\n  - { name: level, type: string }\n  - { name: most, type: integer, default: 3 }\n\
        steps:\n  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }\n";

    /// What is wrong with a project of one recipe with these lines: code, message, and the line it stands in.
    fn faults(recipe: &str, role: bool, test: &str) -> Vec<(&'static str, String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("recipes/web.yaml", format!("os: debian-12\nparent: {{ ssm: /p }}\ntest: [boots]\n{recipe}\n")),
            ("workflows/test/scan.yaml", test.to_owned()),
            (
                "amiforge.yaml",
                format!(
                    "project: acme\nenvironments:\n  aws:\n    home: {{ account: \"111122223333\", region: us-east-1 }}\n{}",
                    if role { "    infrastructure: { execution_role: ImageBuilder }\n" } else { "" }
                ),
            ),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let line = |found: &Diagnostic| {
            let label = found.primary.as_ref().unwrap();
            let text = &label.source.text;
            let start = text[..label.span.start].rfind('\n').map_or(0, |at| at + 1);
            text[start..].lines().next().unwrap_or_default().trim().to_owned()
        };
        let found = load_all(folder.path()).unwrap().found;
        found.iter().map(|found| (found.code, found.message.clone(), line(found))).collect()
    }

    #[test]
    fn workflows_of_the_project_and_of_aws_stand_in_order() {
        let recipe = "workflows:\n  - aws/build/build-image\n  - test/scan: { parameters: { level: high, most: 4 }, parallel_group: a, \
            on_failure: continue }\n  - aws/test/test-image\n  - aws/distribution/distribute-image";
        assert_eq!(faults(recipe, true, TEST), []);
    }

    #[test]
    fn what_cannot_be_is_told_where_it_stands() {
        let build = "  - aws/build/build-image";
        let scan = "  - test/scan: { parameters: { level: high } }";
        for (lines, role, message, line) in [
            (vec![scan], true, "`workflows` has no build workflow", scan),
            (vec![build, build, scan], true, "an image has one build workflow", build),
            (vec![build], true, "recipe `web` has tests, and `workflows` no test workflow that would run them", build),
            (vec![build, scan], false, "environment `aws` names no role for the workflows of recipe `web`", build),
            (
                vec![build, "  - test/scam: { parameters: { level: high } }"],
                true,
                "there is no workflow `test/scam`",
                "",
            ),
            (vec![build, "  - scan"], true, "`scan` is not a workflow", "  - scan"),
            (vec![build, "  - test/scan"], true, "the workflow `scan` needs the parameter `level`", "  - test/scan"),
            (
                vec![build, "  - test/scan: { parameters: { level: high, mist: 1 } }"],
                true,
                "the workflow `scan` has no parameter `mist`",
                "",
            ),
            (
                vec![build, "  - test/scan: { parameters: { level: high, most: many } }"],
                true,
                "the workflow `scan` takes another type for `most`: integer",
                "",
            ),
            (
                vec!["  - aws/build/build-image: { on_failure: abort }", scan],
                true,
                "`on_failure` is for test workflows only",
                "",
            ),
        ] {
            let found = faults(&format!("workflows:\n{}", lines.join("\n")), role, TEST);
            let told = found.iter().find(|(code, text, _)| *code == "P028" && text == message);
            let (_, _, at) = told.unwrap_or_else(|| panic!("{message}: {found:?}"));
            assert!(line.is_empty() || at == line.trim(), "{message}: {at}");
        }
    }

    #[test]
    fn a_document_is_checked_as_the_service_checks_it_at_the_step_it_is_about() {
        let recipe = "workflows:\n  - aws/build/build-image\n  - aws/test/test-image";
        let text = "schemaVersion: 1.0\nsteps:\n  - name: Launch\n    action: LaunchInstance\n    inputs: { waitFor: ssmAgent }\n  - name: Apply\n    \
            action: DistributeImage\n    inputs: {}\n";
        let found = faults(recipe, true, text);
        assert!(found.iter().all(|(code, ..)| *code == "P028") && !found.is_empty(), "{found:?}");
        assert!(
            found.iter().any(|(_, message, line)| message.contains("DistributeImage") && line == "- name: Apply"),
            "{found:?}"
        );
    }
}
