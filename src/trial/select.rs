//! What the words of a command line mean: recipes, components, files.

use super::error::TrialError;
use crate::diagnostic::suggest;
use crate::patch::glob;
use crate::project::Project;
use std::path::{Path, PathBuf};

/// Something to be tested.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chosen {
    /// A recipe of the project: all its components.
    Recipe(String),
    /// A component that the project knows.
    Component(String),
    /// A component document.
    File(PathBuf),
}

/// What is chosen by `words`; every recipe of the project without any. Each thing once, in the order of the words.
///
/// # Errors
/// A word that means nothing, or two things; a pattern that fits nothing.
pub(super) fn choose(project: Option<&Project>, here: &Path, words: &[String]) -> Result<Vec<Chosen>, TrialError> {
    let mut chosen = Vec::new();
    if words.is_empty() {
        let project = project.ok_or_else(|| TrialError::NoProject { what: "there is no recipe to test".to_owned() })?;
        chosen.extend(project.recipes.keys().cloned().map(Chosen::Recipe));
        if chosen.is_empty() {
            return Err(TrialError::Nothing { why: "the project has no recipe".to_owned() });
        }
        return Ok(chosen);
    }
    for word in words {
        for one in meaning(project, here, word)? {
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
    }
    Ok(chosen)
}

fn meaning(project: Option<&Project>, here: &Path, word: &str) -> Result<Vec<Chosen>, TrialError> {
    let path = here.join(word);
    let named = project.map(|project| named(project, word)).unwrap_or_default();
    match named.as_slice() {
        [_] => return Ok(named),
        [_, ..] => return Err(TrialError::Ambiguous { name: word.to_owned() }),
        [] => {}
    }
    if path.is_file() {
        return Ok(vec![project.and_then(|project| part_of(project, &path)).unwrap_or(Chosen::File(path))]);
    }
    if let Some(project) = project
        && word.contains(['*', '?', '['])
    {
        let fitting = fitting(project, word);
        if !fitting.is_empty() {
            return Ok(fitting);
        }
    }
    Err(unknown(project, word))
}

/// A recipe and a component may have the same name; then both are in the answer.
fn named(project: &Project, word: &str) -> Vec<Chosen> {
    let recipe = project.recipes.contains_key(word).then(|| Chosen::Recipe(word.to_owned()));
    let component = project.components.contains_key(word).then(|| Chosen::Component(word.to_owned()));
    recipe.into_iter().chain(component).collect()
}

/// What a file of the project is in it: only there its parameters and its system are known.
fn part_of(project: &Project, path: &Path) -> Option<Chosen> {
    let full = std::path::absolute(path).ok()?;
    let inside = full.strip_prefix(std::path::absolute(&project.root).ok()?).ok()?.to_str()?;
    if let Some(name) = inside.strip_prefix("recipes/").and_then(|name| name.strip_suffix(".yaml")) {
        return project.recipes.contains_key(name).then(|| Chosen::Recipe(name.to_owned()));
    }
    let component = inside.strip_prefix("components/").and_then(|name| name.strip_suffix(".yaml"));
    let template = inside.strip_prefix("templates/components/").and_then(|name| name.strip_suffix(".yaml.hbs"));
    let name = component.or(template)?;
    project.components.contains_key(name).then(|| Chosen::Component(name.to_owned()))
}

/// Recipes whose name fits a pattern, then the project's own components. Built-in ones are meant by name only: `*` is not
/// a wish to test all that comes with amiforge.
fn fitting(project: &Project, pattern: &str) -> Vec<Chosen> {
    let fits = |name: &&String| glob::matches(pattern, name);
    let recipes = project.recipes.keys().filter(fits).cloned().map(Chosen::Recipe);
    let own = project.components.keys().filter(|name| !project.is_built_in(name)).filter(fits);
    recipes.chain(own.cloned().map(Chosen::Component)).collect()
}

fn unknown(project: Option<&Project>, word: &str) -> TrialError {
    let Some(project) = project else {
        return TrialError::NoProject {
            what: format!("`{word}` is no recipe or component, and there is no such file"),
        };
    };
    let mut known: Vec<String> = project.recipes.keys().cloned().collect();
    known.extend(project.components.keys().filter(|name| !project.is_built_in(name)).cloned());
    let built_in = project.components.keys().filter(|name| project.is_built_in(name));
    let near = suggest(word, known.iter().chain(built_in)).map(str::to_owned);
    TrialError::Unknown { what: "recipe, component or file", name: word.to_owned(), near, known }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let recipe = "name: web\nos: debian-12\nversion: \"1.0\"\nparent: { ssm: /x }\nbuild: [motd]\ntest: [boots]\n";
        let motd = "name: motd\ndescription: d\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: \
            One\n        action: UpdateOS\n        timeoutSeconds: 60\n";
        for (name, text) in
            [("amiforge.yaml", "project: acme\n"), ("recipes/web.yaml", recipe), ("components/motd.yaml", motd)]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(folder.path().join("loose.yaml"), motd).unwrap();
        folder
    }

    fn chosen(folder: &Path, words: &[&str]) -> Result<Vec<Chosen>, TrialError> {
        let project = project::load(folder).unwrap();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        choose(Some(&project), folder, &words)
    }

    #[test]
    fn words_are_names_files_and_patterns() {
        let folder = folder();
        let (recipe, component) = (Chosen::Recipe("web".into()), Chosen::Component("motd".into()));
        let all = |words: &[&str]| chosen(folder.path(), words).unwrap();
        assert_eq!(all(&[]), std::slice::from_ref(&recipe));
        assert_eq!(all(&["motd", "web", "components/motd.yaml", "m*"]), [component, recipe.clone()]);
        assert_eq!(all(&["recipes/web.yaml"]), [recipe]);
        assert_eq!(all(&["loose.yaml"]), [Chosen::File(folder.path().join("loose.yaml"))]);
        assert_eq!(all(&["boots"]), [Chosen::Component("boots".into())]);
    }

    #[test]
    fn what_means_nothing_is_an_error_with_a_suggestion() {
        let folder = folder();
        let error = chosen(folder.path(), &["modt"]).unwrap_err();
        assert_eq!(error.next(), ["did you mean `motd`?"]);
        assert!(chosen(folder.path(), &["boot*"]).is_err(), "a pattern does not mean what is built in");
        assert!(matches!(choose(None, folder.path(), &[]), Err(TrialError::NoProject { .. })));
        assert!(matches!(choose(None, folder.path(), &["motd".into()]), Err(TrialError::NoProject { .. })));
    }

    #[test]
    fn a_name_with_two_meanings_is_not_guessed() {
        let folder = folder();
        fs::rename(folder.path().join("components/motd.yaml"), folder.path().join("components/web.yaml")).unwrap();
        let recipe = fs::read_to_string(folder.path().join("recipes/web.yaml")).unwrap();
        fs::write(folder.path().join("recipes/web.yaml"), recipe.replace("[motd]", "[web]")).unwrap();
        assert!(matches!(chosen(folder.path(), &["web"]), Err(TrialError::Ambiguous { .. })));
        assert_eq!(chosen(folder.path(), &["components/web.yaml"]).unwrap(), [Chosen::Component("web".into())]);
    }
}
