//! The baselines there are without asking anybody: the project's and AWS's own.

use super::named::Origin;
use crate::patch::{self, Baseline, OperatingSystem};
use crate::project::Project;
use serde::Serialize;

/// The schema of a list of baselines as a document.
pub const LIST_SCHEMA: &str = "amiforge.baselines/1";

/// The project's baselines and those that AWS owns.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// [`LIST_SCHEMA`].
    pub schema: &'static str,
    /// The project's, then AWS's, each by name.
    pub baselines: Vec<Row>,
}

/// One baseline of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What other verbs and recipes call it: the file's name without its ending, or AWS's name.
    pub name: String,
    /// `Name` of the definition: what it is called in an account.
    pub account_name: String,
    /// For which system it is.
    pub operating_system: OperatingSystem,
    /// What its rules approve, in one line.
    pub gist: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Recipes that name it, by name.
    pub used_by: Vec<String>,
}

/// Lists the baselines; without a project only AWS's.
#[must_use]
pub fn list(project: Option<&Project>) -> Listing {
    let mut rows = vec![];
    for (name, source) in project.iter().flat_map(|project| &project.baselines) {
        // A project with a baseline that cannot be read is refused as a whole.
        if let Ok(baseline) = patch::parse_baseline(source) {
            rows.push(row(project, name, &baseline, Origin::Project { file: source.name.clone() }));
        }
    }
    // A file of the same name takes the place of AWS's.
    let hidden = |name: &str| project.is_some_and(|project| project.baselines.contains_key(name));
    let own = patch::all_predefined().iter().filter(|baseline| !hidden(&baseline.name));
    rows.extend(own.map(|baseline| row(project, &baseline.name, baseline, Origin::Predefined)));
    Listing { schema: LIST_SCHEMA, baselines: rows }
}

fn row(project: Option<&Project>, name: &str, baseline: &Baseline, origin: Origin) -> Row {
    let recipes = project.iter().flat_map(|project| project.recipes.values());
    Row {
        name: name.to_owned(),
        account_name: baseline.name.clone(),
        operating_system: baseline.operating_system,
        gist: baseline.gist(),
        origin,
        used_by: recipes.filter(|recipe| recipe.baseline == name).map(|recipe| recipe.name.clone()).collect(),
    }
}
