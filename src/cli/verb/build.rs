//! `amiforge build`

use crate::build::{self, BuildOptions, Reap};
use crate::cli::args::{Format, Images};
use crate::cli::exit::{Exit, exit};
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::event::Stage;
use crate::report;
use crate::run::{Fleet, FleetOptions, FleetReport, Item, select};
use std::time::Duration;

/// Arguments of `build`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Of many images the worst exit code counts: 1, 12, 2, 3, 11, 8, 9, 5, 6, 13, in this order."
)]
pub struct BuildArgs {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Build again although nothing changed: patch day, when only the package sources have something new.
    #[arg(long)]
    pub fresh: bool,
    /// Most images at a time; 16 in AWS and 2 on this machine when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Begin no more images once one has failed; those under way are finished.
    #[arg(long)]
    pub fail_fast: bool,
    /// Start the builds and do not wait for them; `watch` and `status` tell of them. Only in AWS.
    #[arg(long)]
    pub detach: bool,
    /// When interrupted, cancel the builds that this command has started. Otherwise they go on, and a second Ctrl-C cancels them.
    #[arg(long, conflicts_with = "detach")]
    pub cancel_on_interrupt: bool,
    /// What becomes of the instance of a build that fails: `cleanup` ends it at once, `keep=2h` leaves it for that time, to be
    /// looked into. The next build, or `status --cleanup`, ends it.
    #[arg(long, value_name = "cleanup|keep=TIME", value_parser = on_failure, default_value = "cleanup")]
    pub on_failure: OnFailure,
    /// Publish although a documented quota of the account would be passed: it was raised.
    #[arg(long)]
    pub over_quota: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// What becomes of the instance of a build that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is ended.
    Cleanup,
    /// It stays for that time.
    Keep(Duration),
}

/// Longest time that an instance is kept: it costs money, and nobody looks into it after a week.
const LONGEST_KEPT: Duration = Duration::from_hours(7 * 24);

fn on_failure(text: &str) -> Result<OnFailure, String> {
    let time = match text.split_once('=') {
        None if text == "cleanup" => return Ok(OnFailure::Cleanup),
        Some(("keep", time)) => humantime::parse_duration(time).map_err(|error| error.to_string())?,
        None if text == "keep" => return Err("say how long, for example keep=2h".to_owned()),
        _ => return Err("it is `cleanup` or `keep=TIME`, for example keep=2h".to_owned()),
    };
    if time < Duration::from_mins(1) || time > LONGEST_KEPT {
        return Err("an instance is kept for one minute to seven days".to_owned());
    }
    Ok(OnFailure::Keep(time))
}

pub(crate) async fn run(session: &Session, args: &BuildArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let items = select(&project, &args.images.wanted())?;
    if args.detach && session.is_local(&project) {
        return Err(Failure::new(Exit::Usage, "in the local environment a build ends with the command that runs it")
            .next("leave out --detach, or choose an AWS environment with --environment"));
    }
    renderable(&project, &items)?;
    session.started.cancel_on_interrupt(args.cancel_on_interrupt);
    let options = FleetOptions {
        build: BuildOptions {
            fresh: args.fresh,
            over_quota: args.over_quota,
            keep: match args.on_failure {
                OnFailure::Cleanup => None,
                OnFailure::Keep(time) => Some(time),
            },
            ..BuildOptions::default()
        },
        jobs: args.jobs.map(usize::from),
        fail_fast: args.fail_fast,
        detach: args.detach,
    };
    let cloud = session.cloud(&project).await?;
    // What cannot be cleaned up must not stop a build; it is told, and told again by the next command.
    if let Err(error) = build::reap(cloud, &project.name, Reap::Expired, &session.events).await {
        session.events.note(Stage::Check, format!("expired instances of failed builds could not be ended: {error}"));
    }
    let fleet = Fleet { cloud, project: &project, items };
    show(fleet.build(&options, &session.events).await, args.format)
}

/// Nothing is opened, let alone created, when no image can be rendered. One of many is told in its row.
fn renderable(project: &crate::project::Project, items: &[Item<'_>]) -> Result<(), Failure> {
    let mut first = None;
    for item in items {
        match crate::render::recipe(project, item.recipe, item.arch) {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(()), |error| Err(error.into()))
}

/// Prints what became of the images. What failed is told on stderr: one image in full, many as a list.
pub(super) fn show(mut report: FleetReport, format: Format) -> Result<Exit, Failure> {
    let single = report.images.len() == 1;
    let error = report.images.first_mut().filter(|_| single).and_then(|row| row.error.take());
    match error {
        Some(error) if format == Format::Text => return Err(error.into()),
        Some(error) => {
            print_as(format, &report, String::new)?;
            return Err(error.into());
        }
        None => print_as(format, &report, || report::images(&report))?,
    }
    if report.exit_code == 0 {
        return Ok(Exit::Done);
    }
    let (message, lines) = report::images_failed(&report);
    Err(Failure::new(exit(report.exit_code), message)
        .showing(lines)
        .next("run the same command again: what is there is kept, what is under way is joined")
        .next("amiforge why BUILD says more about one of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_kept_for_a_time_that_is_said() {
        assert_eq!(on_failure("cleanup"), Ok(OnFailure::Cleanup));
        assert_eq!(on_failure("keep=2h"), Ok(OnFailure::Keep(Duration::from_hours(2))));
        for (text, why) in [
            ("keep", "keep=2h"),
            ("keep=", "empty"),
            ("keep=8d", "seven days"),
            ("keep=1s", "one minute"),
            ("ask", "cleanup"),
        ] {
            assert!(on_failure(text).unwrap_err().contains(why), "{text}: {:?}", on_failure(text));
        }
    }
}
