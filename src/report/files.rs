//! Reports about files: lint, render, init.

use crate::diagnostic::{Severity, render as draw};
use crate::lint::{Checked, Mended};
use crate::project::{InitReport, ParentReference};
use crate::render::RenderedRecipe;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// `2 errors, 1 warning`; what is zero is left out unless everything is.
#[must_use]
pub fn count_line(errors: usize, warnings: usize) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "nothing found".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

/// What `lint` prints for people: the findings, and a line that counts what was looked at and found.
#[must_use]
pub fn lint(checked: &Checked, color: bool) -> String {
    let mut text = draw::text(&checked.diagnostics, color);
    if !text.is_empty() {
        text.push('\n');
    }
    let mut looked_at = vec![counted(checked.components, "component document")];
    if checked.recipes > 0 {
        looked_at.push(counted(checked.recipes, "recipe"));
    }
    let found = match count_line(checked.count(Severity::Error), checked.count(Severity::Warning)) {
        found if checked.count(Severity::Note) == 0 => found,
        found if found == "nothing found" => counted(checked.count(Severity::Note), "note"),
        found => format!("{found}, {}", counted(checked.count(Severity::Note), "note")),
    };
    let _ = writeln!(text, "{} checked: {found}", looked_at.join(" and "));
    let safe = checked.diagnostics.iter().filter(|finding| finding.fix.as_ref().is_some_and(|fix| fix.safe)).count();
    if safe > 0 {
        let _ =
            writeln!(text, "{} can be mended by `amiforge lint --fix`; `--diff` shows how", counted(safe, "finding"));
    }
    text
}

/// What `lint --fix` says it has done.
#[must_use]
pub fn mended(mended: &Mended) -> String {
    let mut text = String::new();
    for name in &mended.unsettled {
        let _ = writeln!(text, "left     {name}: its fixes undo each other; mend it by hand");
    }
    if mended.is_empty() {
        text.push_str("nothing to mend\n");
    }
    for file in &mended.files {
        let _ = writeln!(text, "mended   {} ({})", file.name, counted(file.fixes, "fix"));
    }
    text
}

fn counted(n: usize, word: &str) -> String {
    match (n, word) {
        (1, _) => format!("1 {word}"),
        (_, "fix") => format!("{n} fixes"),
        _ => format!("{n} {word}s"),
    }
}

/// What `init` prints.
#[must_use]
pub fn init(report: &InitReport, directory: &Path) -> String {
    let mut text = String::new();
    for path in &report.created {
        let _ = writeln!(text, "created  {}", path.display());
    }
    let change = if directory == Path::new(".") { String::new() } else { format!("cd {} && ", directory.display()) };
    let _ = writeln!(text, "\nnext: {change}amiforge plan debian-12");
    text
}

/// A rendered recipe as `render` prints it.
#[derive(Debug, Serialize)]
pub struct Rendered {
    schema: &'static str,
    recipe: String,
    resource_name: String,
    architecture: String,
    platform: String,
    parent: String,
    components: Vec<RenderedDocument>,
}

#[derive(Debug, Serialize)]
struct RenderedDocument {
    name: String,
    resource_name: String,
    stage: &'static str,
    parameters: BTreeMap<String, String>,
    supported_os: Vec<String>,
    from: String,
    document: String,
}

impl Rendered {
    /// The report of a rendered recipe.
    #[must_use]
    pub fn new(rendered: &RenderedRecipe) -> Self {
        let document = |component: &crate::render::RenderedComponent| RenderedDocument {
            name: component.name.clone(),
            resource_name: component.resource_name.clone(),
            stage: if component.test { "test" } else { "build" },
            parameters: component.parameters.clone(),
            supported_os: component.supported_os.clone(),
            from: component.document.name.clone(),
            document: component.document.text.clone(),
        };
        Self {
            schema: "amiforge.rendered/1",
            recipe: rendered.recipe.clone(),
            resource_name: rendered.resource_name.clone(),
            architecture: rendered.arch.name().to_owned(),
            platform: rendered.platform.to_owned(),
            parent: match &rendered.parent {
                ParentReference::Ssm(name) => format!("ssm:{name}"),
                ParentReference::Ami(id) | ParentReference::Image(id) => id.clone(),
                ParentReference::Named { pattern, owner } => format!("the newest AMI of {owner} named {pattern}"),
                ParentReference::Recipe { recipe, channel: Some(channel), .. } => {
                    format!("what channel {channel} of recipe {recipe} points to")
                }
                ParentReference::Recipe { recipe, .. } => format!("the newest image of recipe {recipe}"),
            },
            components: rendered.components.iter().map(document).collect(),
        }
    }

    /// One YAML stream: what the recipe uses as comments, then each document.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "# image recipe {} ({}, {})\n# parent image {}\n",
            self.resource_name, self.platform, self.architecture, self.parent
        );
        for component in &self.components {
            let _ = writeln!(
                text,
                "---\n# component {} ({} stage), from {}",
                component.resource_name, component.stage, component.from
            );
            for (name, value) in &component.parameters {
                let _ = writeln!(text, "# parameter {name}: {value:?}");
            }
            text.push_str(component.document.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::count_line;

    #[test]
    fn counts_read_like_a_sentence() {
        assert_eq!(count_line(0, 0), "nothing found");
        assert_eq!(count_line(1, 0), "1 error");
        assert_eq!(count_line(2, 1), "2 errors, 1 warning");
        assert_eq!(count_line(0, 3), "3 warnings");
    }
}
