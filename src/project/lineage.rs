//! Recipes that start from other recipes of the project: whether that can be, and the order in which they are built.

use super::{Arch, ParentReference, Project, Recipe, codes};
use crate::diagnostic::{Diagnostic, suggest};
use std::collections::{BTreeMap, BTreeSet};

/// The recipe that another one starts from.
#[must_use]
pub fn base(recipe: &Recipe) -> Option<&str> {
    match &recipe.parent.reference {
        ParentReference::Recipe { recipe, .. } => Some(recipe),
        _ => None,
    }
}

/// Recipes in an order in which each comes after the one it starts from; otherwise by name. Recipes that would wait for
/// each other come last: a project with such a circle is refused when it is read.
#[must_use]
pub fn order<'a>(recipes: impl IntoIterator<Item = &'a Recipe>) -> Vec<&'a Recipe> {
    let mut left: BTreeMap<&str, &Recipe> = recipes.into_iter().map(|recipe| (recipe.name.as_str(), recipe)).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready: Vec<&str> = left
            .iter()
            .filter(|(_, recipe)| base(recipe).is_none_or(|base| !left.contains_key(base)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            ordered.extend(left.into_values());
            return ordered;
        }
        ordered.extend(ready.iter().filter_map(|name| left.remove(name)));
    }
    ordered
}

/// What is wrong with the parents of a project's recipes.
pub(super) fn check(project: &Project, found: &mut Vec<Diagnostic>) {
    for recipe in project.recipes.values() {
        if let ParentReference::Recipe { recipe: base, channel, span } = &recipe.parent.reference {
            let problem = problem(project, recipe, base, channel.as_deref());
            found.extend(problem.map(|(message, label, help)| {
                let diagnostic = Diagnostic::error(codes::PARENT, message).at(&recipe.source, *span, label);
                if help.is_empty() { diagnostic } else { diagnostic.help(help) }
            }));
        }
    }
}

/// Message, label and help.
type Problem = (String, String, String);

fn problem(project: &Project, recipe: &Recipe, base: &str, channel: Option<&str>) -> Option<Problem> {
    let Some(parent) = project.recipes.get(base) else {
        let near = suggest(base, project.recipes.keys().map(String::as_str));
        let label = near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
        let known: Vec<&str> = project.recipes.keys().map(String::as_str).collect();
        return Some((
            format!("there is no recipe `{base}` to start from"),
            label,
            format!("known: {}", known.join(", ")),
        ));
    };
    if circle(project, recipe) {
        let message = format!("recipe `{}` would start from itself, by way of `{base}`", recipe.name);
        return Some((message, "a circle".into(), "one recipe has to start from an image of somebody else".into()));
    }
    let lacks: Vec<&str> = recipe
        .architectures
        .iter()
        .filter(|arch| !parent.architectures.contains(arch))
        .map(|arch: &Arch| arch.name())
        .collect();
    if !lacks.is_empty() {
        let message = format!("recipe `{base}` is not built for {}", lacks.join(", "));
        return Some((message, "has fewer architectures".into(), format!("add them to recipes/{base}.yaml")));
    }
    if parent.os != recipe.os {
        let message = format!("recipe `{base}` is {}, and this one {}", parent.os.name(), recipe.os.name());
        return Some((message, "another operating system".into(), format!("write `os: {}`", parent.os.name())));
    }
    let channel = channel?;
    if project.channels.iter().any(|known| known.name == channel) {
        return None;
    }
    let known: Vec<&str> = project.channels.iter().map(|known| known.name.as_str()).collect();
    let label = suggest(channel, known.iter().copied())
        .map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
    Some((format!("the project has no channel `{channel}`"), label, format!("known: {}", known.join(", "))))
}

/// Whether a recipe is among those it starts from.
fn circle(project: &Project, recipe: &Recipe) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = base(recipe);
    while let Some(name) = next {
        if name == recipe.name {
            return true;
        }
        // A circle further up is the finding of the recipes in it.
        if !seen.insert(name) {
            return false;
        }
        next = project.recipes.get(name).and_then(base);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::{Recipe, load_all};
    use super::*;
    use std::fs;

    fn project(recipes: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("recipes")).unwrap();
        fs::write(folder.path().join("amiforge.yaml"), "project: acme\n").unwrap();
        for (name, lines) in recipes {
            let text = format!("os: debian-12\ntest: [boots]\n{lines}\n");
            fs::write(folder.path().join(format!("recipes/{name}.yaml")), text).unwrap();
        }
        let loaded = load_all(folder.path()).unwrap();
        let order: Vec<&Recipe> = order(loaded.project.recipes.values());
        let names = order.into_iter().map(|recipe| recipe.name.clone()).collect();
        (names, loaded.found.into_iter().map(|found| found.message).collect())
    }

    #[test]
    fn a_recipe_comes_after_the_one_it_starts_from() {
        let (order, found) = project(&[
            ("aa", "parent: { recipe: bb, channel: candidate }"),
            ("bb", "parent: { recipe: cc }"),
            ("cc", "parent: { ssm: /p }"),
            ("dd", "parent: { ssm: /p }"),
        ]);
        assert_eq!(order, ["cc", "dd", "bb", "aa"]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_is_told_where_it_stands() {
        for (recipes, expected) in [
            (vec![("aa", "parent: { recipe: bb }")], "there is no recipe `bb` to start from"),
            (vec![("aa", "parent: { recipe: aa }")], "would start from itself, by way of `aa`"),
            (
                vec![("aa", "parent: { recipe: bb }"), ("bb", "parent: { recipe: aa }")],
                "would start from itself, by way of `bb`",
            ),
            (
                vec![("aa", "architectures: [x86_64, arm64]\nparent: { recipe: bb }"), ("bb", "parent: { ssm: /p }")],
                "recipe `bb` is not built for arm64",
            ),
            (
                vec![("aa", "parent: { recipe: bb, channel: staging }"), ("bb", "parent: { ssm: /p }")],
                "the project has no channel `staging`",
            ),
            (vec![("aa", "parent: { ssm: /p, channel: candidate }")], "`parent.channel` belongs to `recipe`"),
            (vec![("aa", "parent: { name: 'x-*' }")], "`parent.name` needs `parent.owner`"),
            (vec![("aa", "parent: { ami: ami-12345678, owner: self }")], "`parent.owner` belongs to `name`"),
            (vec![("aa", "parent: { name: 'x-*', owner: everybody }")], "`everybody` cannot own the parent image"),
        ] {
            let (_, found) = project(&recipes);
            assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:?}");
        }
    }
}
