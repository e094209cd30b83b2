//! Renders the templates that come with amiforge, as a recipe would have them.

use amiforge::component;
use amiforge::diagnostic::Diagnostic;
use amiforge::lint;
use amiforge::project::{self, Arch};
use amiforge::render::{self, RenderedRecipe};
use serde_yaml::Value;

/// A step of a rendered document.
pub struct Step {
    pub component: String,
    pub name: String,
    pub action: String,
    /// Its script, or the text of the file it writes.
    pub script: Option<String>,
}

/// A project with one recipe of one operating system with these components; `build` and `test` are YAML lists.
fn project_with(os: &str, build: &str, test: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("amiforge.yaml"), "project: acme\n").expect("settings");
    std::fs::create_dir(folder.path().join("recipes")).expect("recipes");
    let recipe = format!("os: {os}\nparent: {{ ssm: /p }}\nbuild: {build}\ntest: {test}\n");
    std::fs::write(folder.path().join("recipes/web.yaml"), recipe).expect("a recipe");
    folder
}

/// Renders such a recipe.
pub fn try_render(os: &str, build: &str, test: &str) -> Result<RenderedRecipe, Vec<Diagnostic>> {
    let folder = project_with(os, build, test);
    let project = project::load(folder.path())?;
    render::recipe(&project, &project.recipes["web"], Arch::X86_64)
}

/// `code place message`, one line each.
fn shown(found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| format!("{} {} {}", found.code, found.place().unwrap_or_default(), found.message);
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Nothing at all is found in the documents of such a recipe, not even a note.
pub fn is_clean(os: &str, build: &str, test: &str) {
    let folder = project_with(os, build, test);
    let checked = lint::project(folder.path(), &lint::Options::default());
    assert!(
        checked.components > 0 && checked.diagnostics.is_empty(),
        "{os} {build} {test}: {:#?}",
        checked.diagnostics
    );
}

/// The steps of all documents of a recipe, which Image Builder would take.
pub fn steps(os: &str, build: &str, test: &str) -> Vec<Step> {
    let place = format!("{os} {build} {test}");
    let rendered = try_render(os, build, test).unwrap_or_else(|found| panic!("{place}:\n{}", shown(&found)));
    let mut steps = vec![];
    for one in &rendered.components {
        let text = &one.document.text;
        assert!(text.chars().count() <= 16_000, "{place}: {} has {} characters", one.name, text.chars().count());
        let parsed = component::parse(&one.document);
        assert!(parsed.diagnostics.is_empty(), "{place}: {} {}\n{text}", one.name, shown(&parsed.diagnostics));
        let document: Value = serde_yaml::from_str(text).expect("YAML");
        for phase in list(&document["phases"]) {
            for step in list(&phase["steps"]) {
                let inputs = &step["inputs"];
                let script = inputs["commands"][0].as_str().or_else(|| inputs[0]["content"].as_str());
                let text = |key: &str| step[key].as_str().expect("a text").to_owned();
                assert!(step["timeoutSeconds"].is_number(), "{place}: {} has no time limit", text("name"));
                steps.push(Step {
                    component: one.name.clone(),
                    name: text("name"),
                    action: text("action"),
                    script: script.map(str::to_owned),
                });
            }
        }
    }
    steps
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

/// The script of a step; the functions that its component writes to a file stand in front of it.
pub fn script(steps: &[Step], name: &str) -> String {
    let found = steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("there is no step {name}"));
    let script = found.script.clone().expect("a script");
    let functions = steps.iter().find(|step| step.name == "WriteFunctions" && step.component == found.component);
    match functions.and_then(|step| step.script.as_deref()) {
        Some(functions) => script.replace(". /usr/share/amiforge/updates.sh", functions),
        None => script,
    }
}
