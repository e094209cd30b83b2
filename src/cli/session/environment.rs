//! What the verbs share that work in an environment.

use super::{Session, arch, recipe};
use crate::aws::{AwsError, Cloud, Options};
use crate::build;
use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::event::Stage;
use crate::local::FaultRule;
use crate::project::{EnvironmentConfig, Project};
use crate::run::Work;
use std::io::{IsTerminal as _, Write as _};
use tokio::sync::OnceCell;

/// The environment of a session, opened when it is first asked for.
pub(super) type Environment = OnceCell<Cloud>;

impl Session {
    /// The environment, connected once.
    pub async fn cloud(&self, project: &Project) -> Result<&Cloud, Failure> {
        self.environment
            .get_or_try_init(|| async {
                let options = self.options(project)?;
                let cloud = Cloud::connect(project, &self.global.environment, options).await?;
                self.disturb(&cloud);
                self.tell_of_kept(&cloud, &project.name).await;
                Ok(cloud)
            })
            .await
    }

    /// Makes the calls go wrong that are to.
    fn disturb(&self, cloud: &Cloud) {
        if let Some(local) = cloud.local().filter(|_| !self.global.faults.is_empty()) {
            local.set_faults(Some(FaultRule::plan(self.global.faults.clone())));
        }
    }

    /// Says which instances failed builds have left: they cost money until somebody ends them, and nobody remembers them.
    async fn tell_of_kept(&self, cloud: &Cloud, project: &str) {
        match build::kept(cloud, project).await {
            Ok(kept) => kept.iter().for_each(|kept| self.events.note(Stage::Check, crate::report::kept(kept))),
            // Not every caller may list instances, and whoever may not has not left any.
            Err(error) => tracing::debug!(%error, "kept instances cannot be listed"),
        }
    }

    /// The environment, if it was opened.
    pub(in crate::cli) fn opened(&self) -> Option<&Cloud> {
        self.environment.get()
    }

    /// Whether the environment of this session is this machine; nothing is opened.
    pub fn is_local(&self, project: &Project) -> bool {
        matches!(project.environments.get(&self.global.environment), Some(EnvironmentConfig::Local(_)))
    }

    /// What an environment is opened with.
    fn options(&self, project: &Project) -> Result<Options, Failure> {
        if !self.global.faults.is_empty() && !self.is_local(project) {
            return Err(Failure::new(Exit::Usage, "--fault is for the local environment only")
                .why("calls of an AWS account are never made to fail")
                .next("leave --environment or --fault out"));
        }
        Ok(Options {
            clock: Clock::system(),
            events: self.events.clone(),
            state: project.root.join(".amiforge"),
            cache: self.cache(Some(&project.root))?,
        })
    }

    /// The environment, or why it cannot be opened: for who wants to know just that.
    pub(in crate::cli) async fn examined(&self, project: &Project) -> Result<Result<Cloud, AwsError>, Failure> {
        let options = self.options(project)?;
        let opened = Cloud::connect(project, &self.global.environment, options).await;
        if let Ok(cloud) = &opened {
            // So that it is ended with the session.
            let _ = self.environment.set(cloud.clone());
        }
        Ok(opened)
    }

    /// Ends what this process runs in the local environment.
    pub async fn shutdown(&self) {
        if let Some(cloud) = self.environment.get() {
            cloud.shutdown().await;
        }
    }
}

/// The image a selection names, in the session's environment.
pub async fn work<'a>(session: &'a Session, project: &'a Project, selection: &Selection) -> Result<Work<'a>, Failure> {
    let recipe = recipe(project, &selection.recipe)?;
    let arch = arch(recipe, selection.arch.as_deref())?;
    // Nothing is opened, let alone created, for a recipe that cannot be rendered.
    crate::render::recipe(project, recipe, arch)?;
    Ok(Work { cloud: session.cloud(project).await?, project, recipe, arch })
}

/// The image that a release is of: the recipe and architecture that are named, or those whose channels have held it.
pub async fn of_release<'a>(
    session: &'a Session,
    project: &'a Project,
    release: &str,
    named: Option<&str>,
    wanted: Option<&str>,
) -> Result<Work<'a>, Failure> {
    let cloud = session.cloud(project).await?;
    if let Some(named) = named {
        let recipe = recipe(project, named)?;
        return Ok(Work { cloud, project, recipe, arch: arch(recipe, wanted)? });
    }
    let mut found = Vec::new();
    for recipe in project.recipes.values() {
        for arch in recipe.architectures.iter().filter(|arch| wanted.is_none_or(|wanted| wanted == arch.name())) {
            let work = Work { cloud, project, recipe, arch: *arch };
            if work.has_held(release).await? {
                found.push(work);
            }
        }
    }
    let name = |work: &Work<'_>| format!("--recipe {} --arch {}", work.recipe.name, work.arch.name());
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Failure::new(Exit::Usage, format!("no channel of any recipe ever held the release {release}"))
            .next("`amiforge releases` lists AMI ids, image versions and promotion ids")
            .next("an image that was never promoted is named by its AMI id, with --recipe")),
        several => Err(Failure::new(Exit::Usage, format!("{release} is the name of releases of several recipes"))
            .next(format!("name one: {}", several.iter().map(name).collect::<Vec<_>>().join(", or ")))),
    }
}

/// Asks before something that users will notice. Without a terminal only `--yes` is consent.
pub async fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let refused = |why: &str| {
        Failure::new(Exit::Usage, "not confirmed, nothing was changed").why(why).next("--yes says it in advance")
    };
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(refused("there is no terminal to ask on"));
    }
    write!(std::io::stderr().lock(), "{question} [y/N] ")?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))??;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(refused("the answer was not yes")) }
}
