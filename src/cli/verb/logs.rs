//! `amiforge logs`

use super::why::BuildSelection;
use crate::build::why::bundle::{self, Manifest};
use crate::build::why::{Record, redacted};
use crate::build::{self, Candidates, Located};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, arch, print, recipe, tell};
use crate::clock::rfc3339;
use crate::diagnostic::render::printable;
use crate::project::Project;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub(crate) build: BuildSelection,
    /// Save everything that is known of the build, without its secrets, as a bundle.
    #[arg(long, value_name = "FILE.tar.gz")]
    pub bundle: Option<PathBuf>,
}

/// Variables of this process whose values must be in no bundle.
const SECRETS: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];

/// What is known of a build.
pub(super) struct Known {
    pub(super) record: Record,
    pub(super) recipe: Option<String>,
    redacted: usize,
}

pub(crate) async fn run(session: &Session, args: &LogsArgs) -> Result<Exit, Failure> {
    let known = known(session, &args.build).await?;
    match &args.bundle {
        Some(path) => save(session, path, &known),
        None => consoles(&known.record),
    }
}

/// Finds the build and collects what there is, without secrets.
pub(super) async fn known(session: &Session, selection: &BuildSelection) -> Result<Known, Failure> {
    // Only the names are needed: a build is explained also while its recipe is being mended.
    let project = session.lenient_project()?;
    let found = find(session, &project, selection).await?;
    let record = Box::pin(build::collect(session.cloud(&project).await?, &found.arn)).await?;
    let secrets: Vec<String> = SECRETS.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let (record, redacted) = redacted(&record, &secrets);
    Ok(Known { record, recipe: found.recipe, redacted })
}

/// The build that is meant.
pub(super) async fn find(session: &Session, project: &Project, selection: &BuildSelection) -> Result<Located, Failure> {
    let mut candidates = Candidates::default();
    let recipes = match &selection.recipe {
        Some(name) => vec![recipe(project, name)?],
        None => project.recipes.values().collect(),
    };
    for recipe in recipes {
        let only = selection.arch.as_deref().map(|name| arch(recipe, Some(name))).transpose()?;
        for arch in recipe.architectures.iter().filter(|arch| only.is_none_or(|only| only == **arch)) {
            candidates.add(&project.name, recipe, *arch);
        }
    }
    let word = selection.build.as_deref();
    if let Some(word) = word.filter(|word| !word.starts_with("arn:") && !is_version(word)) {
        return Err(Failure::new(Exit::Usage, format!("`{word}` is neither the ARN of a build nor a version"))
            .next("write it as 1.0.3/1 with --recipe, or as arn:aws:imagebuilder:…:image/NAME/1.0.3/1"));
    }
    if word.is_some_and(is_version) && selection.recipe.is_none() {
        return Err(Failure::new(Exit::Usage, "a version alone names no build").next("add --recipe with its recipe"));
    }
    let found = build::locate(session.cloud(project).await?, &candidates, word).await?;
    found.ok_or_else(|| none(session, selection))
}

/// `1.0.3` or `1.0.3/1`
fn is_version(word: &str) -> bool {
    let (version, build) = word.split_once('/').map_or((word, None), |(version, build)| (version, Some(build)));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(number) && build.is_none_or(number)
}

fn none(session: &Session, selection: &BuildSelection) -> Failure {
    let environment = &session.global.environment;
    let of = selection.recipe.as_ref().map_or_else(String::new, |recipe| format!(" of `{recipe}`"));
    let message = match &selection.build {
        Some(build) => format!("environment `{environment}` has no build {build}{of}"),
        None => format!("environment `{environment}` has no build{of} that failed"),
    };
    Failure::new(Exit::NoEvidence, message).next("name a build by its ARN; `amiforge plan RECIPE` names the newest one")
}

fn save(session: &Session, path: &Path, known: &Known) -> Result<Exit, Failure> {
    let about = Manifest {
        created: rfc3339(crate::clock::Clock::system().now()),
        by: concat!("amiforge ", env!("CARGO_PKG_VERSION")).to_owned(),
        environment: session.global.environment.clone(),
        image_arn: known.record.image.arn.clone(),
        recipe: known.recipe.clone(),
        redacted: known.redacted,
        ..Manifest::default()
    };
    let failed = |error: io::Error| Failure::new(Exit::Unexpected, format!("{}: {error}", path.display()));
    // Beside its place first: what is there under the name is whole, or the bundle that was there before.
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let written = fs::File::create_new(&part)
        .and_then(|file| bundle::write(io::BufWriter::new(file), &known.record, about))
        .and_then(|manifest| fs::rename(&part, path).map(|()| manifest));
    let manifest = written.map_err(|error| {
        let _ = fs::remove_file(&part);
        failed(error)
    })?;
    let (arn, count) = (&manifest.image_arn, manifest.files.len());
    let name = path.display();
    print(&format!(
        "{name}: {count} files about {arn}, {} secrets replaced\nnext: amiforge why --bundle {name}\n",
        manifest.redacted
    ))?;
    Ok(Exit::Done)
}

/// The consoles, one after the other; where they are instead, when they are not here.
fn consoles(record: &Record) -> Result<Exit, Failure> {
    let mut shown = false;
    for (_, text) in record.logs.iter().filter(|(path, _)| path.ends_with("console.log")) {
        print(&printable(text))?;
        shown = true;
    }
    if !shown {
        for command in &record.commands {
            print(&printable(&command.standard_output_content))?;
            shown = !command.standard_output_content.is_empty();
        }
    }
    for place in &record.places {
        tell(&format!("more: {}\n  $ {}\n", place.what, place.command));
    }
    if shown {
        return Ok(Exit::Done);
    }
    let failure = Failure::new(Exit::NoEvidence, format!("there is no log of {}", record.image.arn));
    Err(record.gaps.iter().cloned().fold(failure, Failure::why))
}
