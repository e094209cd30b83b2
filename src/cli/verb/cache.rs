//! `amiforge cache`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::report;
use crate::sandbox::root::{Cache, Policy};
use clap::Subcommand;
use std::time::{Duration, SystemTime};

/// Verbs of the cache of roots.
#[derive(Debug, Subcommand)]
pub enum CacheVerb {
    /// List the roots in the cache, the last used first.
    List(ListArgs),
    /// Remove roots that are not in use, and always what killed processes have left and what is damaged.
    Prune(PruneArgs),
}

/// Arguments of `cache list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Arguments of `cache prune`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What a process uses and what images of a project stand on is never removed. Removed roots are made again\n\
    when they are asked for."
)]
pub struct PruneArgs {
    /// Remove roots that were not used for so long, such as 30d or 12h.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub older_than: Option<Duration>,
    /// Remove the least recently used roots until the rest fits, such as 10GB or 800MiB.
    #[arg(long, value_name = "SIZE", value_parser = report::parse_size)]
    pub max_size: Option<u64>,
    /// Remove everything that is not in use.
    #[arg(long)]
    pub all: bool,
    /// Only say what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) fn run(session: &Session, verb: &CacheVerb) -> Result<Exit, Failure> {
    let cache = Cache::new(session.cache(session.root().ok().as_deref())?);
    let now = SystemTime::now();
    match verb {
        CacheVerb::List(args) => {
            let entries = cache.list()?;
            print_as(args.format, &report::Listed::new(cache.folder(), &entries), || {
                report::cache_list(cache.folder(), &entries, now)
            })?;
        }
        CacheVerb::Prune(args) => {
            let PruneArgs { older_than, max_size, all, dry_run, format } = *args;
            let decisions = cache.prune(Policy { older_than, max_size, all, dry_run }, now)?;
            print_as(format, &report::Pruned::new(cache.folder(), &decisions, dry_run), || {
                report::cache_prune(cache.folder(), &decisions, dry_run)
            })?;
        }
    }
    Ok(Exit::Done)
}
