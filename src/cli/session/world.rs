//! Where `test` and `shell` work: in the project, or beside the cache where there is none.

use super::Session;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::project::{self, EnvironmentConfig, LocalConfig, Project};
use crate::trial::World;
use std::path::PathBuf;

impl Session {
    /// The project if there is one, and where instances and roots are kept.
    pub fn world(&self) -> Result<World, Failure> {
        let here = std::env::current_dir()?;
        let project = match self.global.project {
            Some(_) => Some(self.project()?),
            None => project::find(&here).map(|root| project::load(&root)).transpose()?,
        };
        let root = project.as_ref().map(|project| std::path::absolute(&project.root)).transpose()?;
        let cache = self.cache(root.as_deref())?;
        let local = local(project.as_ref());
        let place = root.clone().unwrap_or_else(|| here.clone());
        Ok(World {
            state: root.map_or_else(|| cache.clone(), |root| root.join(".amiforge")),
            mirror: local.mirror,
            bind: local.bind.iter().map(|path: &PathBuf| place.join(path)).collect(),
            clock: Clock::system(),
            outside: || Box::new(crate::cli::verb::component::outside()),
            project,
            here,
            cache,
        })
    }
}

/// The settings of the environment `local`.
fn local(project: Option<&Project>) -> LocalConfig {
    match project.and_then(|project| project.environments.get("local")) {
        Some(EnvironmentConfig::Local(local)) => local.clone(),
        _ => LocalConfig::default(),
    }
}
