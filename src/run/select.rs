//! Which images a verb is about: recipes × architectures.

use crate::patch::glob;
use crate::project::{Arch, Project, Recipe};

/// One image to work on.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The architecture.
    pub arch: Arch,
}

impl Item<'_> {
    /// What it is called where there are several: `debian-12/x86_64`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.recipe.name, self.arch.name())
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Recipes by name.
    pub recipes: Vec<String>,
    /// All recipes.
    pub all: bool,
    /// Recipes whose names match one of these patterns.
    pub only: Vec<String>,
    /// But none whose names match one of these.
    pub except: Vec<String>,
    /// Only these architectures; all of each recipe when empty.
    pub archs: Vec<String>,
}

/// Why nothing can be selected. It is always a matter of usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Nothing was asked for.
    #[error("no recipe was named")]
    Nothing {
        /// What there is.
        known: Vec<String>,
    },
    /// No such recipe.
    #[error("the project has no recipe `{name}`")]
    NoRecipe {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A named recipe is not built for any of the architectures.
    #[error("recipe `{recipe}` is not built for `{}`", archs.join("`, `"))]
    NoArch {
        /// The recipe.
        recipe: String,
        /// As asked for.
        archs: Vec<String>,
        /// What it is built for.
        known: Vec<&'static str>,
    },
    /// A build that is none of the project's.
    #[error("{arn} is a build of no recipe of this project")]
    Foreign {
        /// The build.
        arn: String,
    },
    /// Everything was sorted out.
    #[error("nothing is left of the project's {recipes} recipes: no image matches")]
    Empty {
        /// How many there are.
        recipes: usize,
    },
}

impl SelectError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Nothing { known } => format!("name one of {}; or --all, or --only 'PATTERN'", known.join(", ")),
            Self::NoRecipe { name, known } => {
                match crate::diagnostic::suggest(name, known.iter().map(String::as_str)) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("recipes/ has: {}", known.join(", ")),
                }
            }
            Self::NoArch { known, .. } => format!("its architectures: {}", known.join(", ")),
            Self::Foreign { .. } => "amiforge status lists the project's builds".to_owned(),
            Self::Empty { .. } => "check --only, --except and --arch".to_owned(),
        }
    }
}

/// The images that are meant, in the order of the recipes' names. Never none.
///
/// # Errors
/// When nothing was asked for, a named recipe does not exist or is not built for the architectures, or nothing is left.
pub fn select<'a>(project: &'a Project, wanted: &Wanted) -> Result<Vec<Item<'a>>, SelectError> {
    let known = || project.recipes.keys().cloned().collect::<Vec<_>>();
    if wanted.recipes.is_empty() && !wanted.all && wanted.only.is_empty() {
        return Err(SelectError::Nothing { known: known() });
    }
    for name in &wanted.recipes {
        let Some(recipe) = project.recipes.get(name) else {
            return Err(SelectError::NoRecipe { name: name.clone(), known: known() });
        };
        if !recipe.architectures.iter().any(|arch| meant(wanted, *arch)) {
            let known = recipe.architectures.iter().map(|arch| arch.name()).collect();
            return Err(SelectError::NoArch { recipe: name.clone(), archs: wanted.archs.clone(), known });
        }
    }
    let any = |patterns: &[String], name: &str| patterns.iter().any(|pattern| glob::matches(pattern, name));
    let named = |recipe: &&Recipe| wanted.recipes.contains(&recipe.name);
    let chosen = |recipe: &&Recipe| {
        (wanted.all || named(recipe) || any(&wanted.only, &recipe.name)) && !any(&wanted.except, &recipe.name)
    };
    // `--all --only x*` means the intersection: whoever says both wants less, not more.
    let narrowed =
        |recipe: &&Recipe| !wanted.all || wanted.only.is_empty() || named(recipe) || any(&wanted.only, &recipe.name);
    let items: Vec<Item<'a>> = project
        .recipes
        .values()
        .filter(chosen)
        .filter(narrowed)
        .flat_map(|recipe| {
            let archs = recipe.architectures.iter().filter(|arch| meant(wanted, **arch));
            archs.map(move |arch| Item { recipe, arch: *arch })
        })
        .collect();
    if items.is_empty() { Err(SelectError::Empty { recipes: project.recipes.len() }) } else { Ok(items) }
}

fn meant(wanted: &Wanted, arch: Arch) -> bool {
    wanted.archs.is_empty() || wanted.archs.iter().any(|name| name == arch.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Project {
        let (mut project, recipe) = crate::plan::project_fixture();
        for (name, architectures) in
            [("app", vec![Arch::X86_64]), ("base", vec![Arch::X86_64, Arch::Arm64]), ("web", vec![Arch::Arm64])]
        {
            project.recipes.insert(name.to_owned(), Recipe { name: name.to_owned(), architectures, ..recipe.clone() });
        }
        project
    }

    fn names(wanted: &Wanted) -> Result<Vec<String>, SelectError> {
        Ok(select(&project(), wanted)?.iter().map(Item::name).collect())
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn recipes_times_architectures() {
        let all = Wanted { all: true, ..Wanted::default() };
        assert_eq!(names(&all).unwrap(), ["app/x86_64", "base/x86_64", "base/arm64", "web/arm64"]);
        let arm = Wanted { archs: texts(&["arm64"]), ..all.clone() };
        assert_eq!(names(&arm).unwrap(), ["base/arm64", "web/arm64"]);
        let some = Wanted { except: texts(&["ba*", "x"]), ..all.clone() };
        assert_eq!(names(&some).unwrap(), ["app/x86_64", "web/arm64"]);
        let only = Wanted { only: texts(&["*e*"]), ..Wanted::default() };
        assert_eq!(names(&only).unwrap(), ["base/x86_64", "base/arm64", "web/arm64"]);
        assert_eq!(names(&Wanted { all: true, ..only }).unwrap().len(), 3);
        let named = Wanted { recipes: texts(&["web"]), only: texts(&["app"]), ..Wanted::default() };
        assert_eq!(names(&named).unwrap(), ["app/x86_64", "web/arm64"]);
    }

    #[test]
    fn nothing_selected_is_an_error() {
        assert!(matches!(names(&Wanted::default()), Err(SelectError::Nothing { .. })));
        let none = Wanted { only: texts(&["z*"]), ..Wanted::default() };
        assert_eq!(names(&none), Err(SelectError::Empty { recipes: 3 }));
        let gone = Wanted { recipes: texts(&["web"]), except: texts(&["web"]), ..Wanted::default() };
        assert_eq!(names(&gone), Err(SelectError::Empty { recipes: 3 }));
        let wrong = Wanted { recipes: texts(&["wep"]), ..Wanted::default() };
        let error = names(&wrong).unwrap_err();
        assert!(matches!(&error, SelectError::NoRecipe { name, .. } if name == "wep"));
        assert_eq!(error.next(), "did you mean `web`?");
        let arch = Wanted { recipes: texts(&["web"]), archs: texts(&["x86_64"]), ..Wanted::default() };
        assert!(matches!(names(&arch), Err(SelectError::NoArch { recipe, .. }) if recipe == "web"));
    }
}
