//! `amiforge diff` of channels.

use super::{DiffArgs, DiffFormat};
use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, work};
use crate::project::Project;
use crate::report;
use std::path::Path;

/// The project, when channels are compared: with a recipe, or when a word is neither a file nor an AMI id and a channel is
/// called so.
pub(super) fn project(session: &Session, args: &DiffArgs) -> Result<Option<Project>, Failure> {
    let words = [&args.before, &args.after];
    let can_be = |word: &str| !word.starts_with("ami-") && !Path::new(word).exists();
    if args.recipe.is_none() && (!words.iter().any(|word| can_be(word)) || !session.has_project()?) {
        return Ok(None);
    }
    let project = session.project()?;
    let is_channel = |word: &str| can_be(word) && project.channels.iter().any(|channel| channel.name == word);
    let wanted = args.recipe.is_some() || words.iter().any(|word| is_channel(word));
    Ok(wanted.then_some(project))
}

pub(super) async fn run(session: &Session, project: &Project, args: &DiffArgs) -> Result<Exit, Failure> {
    let mut recipes = project.recipes.keys();
    let recipe = match (&args.recipe, recipes.next(), recipes.next()) {
        (Some(recipe), ..) | (None, Some(recipe), None) => recipe.clone(),
        _ => {
            let known: Vec<&str> = project.recipes.keys().map(String::as_str).collect();
            return Err(Failure::new(Exit::Usage, "whose channels are to be compared?")
                .next(format!("--recipe with one of: {}", known.join(", "))));
        }
    };
    let work = work(session, project, &Selection { recipe, arch: args.arch.clone() }).await?;
    let found = work.compare_channels(&args.before, &args.after).await?;
    print(&match args.format {
        DiffFormat::Text => report::difference(&found),
        DiffFormat::Markdown => report::difference_markdown(&found),
        DiffFormat::Json => {
            let json = serde_json::to_string_pretty(&found);
            json.map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))? + "\n"
        }
    })?;
    Ok(Exit::Done)
}
