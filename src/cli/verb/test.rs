//! `amiforge test`

use crate::cli::exit::{Exit, exit};
use crate::cli::failure::Failure;
use crate::cli::instance::InstanceArgs;
use crate::cli::interrupt::interruptible;
use crate::cli::session::{Session, print};
use crate::report::trial as report;
use crate::runner::table::Values;
use crate::trial::{self, Given, Options, Report, Wanted};
use clap::ValueEnum;
use std::fs::File;
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 at least one step ran and all passed · 6 a test failed · 3 a document that cannot be run, nothing \
    was · 2 usage, or nothing to test · 12 this machine permits no instances · 130 interrupted, nothing is left.\n\
    What was not real in a run (the kernel, …) is reported as skipped; --require makes it a failure."
)]
pub struct TestArgs {
    /// Recipes, components, component documents, or patterns such as 'web-*'; every recipe of the project when absent.
    #[arg(value_name = "RECIPE|COMPONENT|FILE")]
    pub what: Vec<String>,
    /// Operating systems to test on, as recipes name them; several with commas. A recipe's own root when absent.
    #[arg(long, value_name = "OS", value_delimiter = ',')]
    pub os: Vec<String>,
    /// A root to test on: a release (debian-12:curl@MIRROR), oci:REFERENCE of a registry, image:PATH of an OCI layout or a
    /// saved image, tar:PATH, or a folder; OS=SOURCE says what to take it for. Several times for several.
    #[arg(long, value_name = "[OS=]SOURCE")]
    pub root: Vec<String>,
    /// Phases to run, with commas; `test` runs in a new instance of what the others make.
    #[arg(long, value_name = "PHASE", value_delimiter = ',', default_values = trial::PHASES)]
    pub phases: Vec<String>,
    /// A value for every document with that parameter, or for those of one component. Several times for several.
    #[arg(long, value_name = "[COMPONENT:]NAME=VALUE")]
    pub parameters: Vec<Given>,
    /// How many run at a time; as many as there are processors, and memory for, when absent.
    #[arg(long, short, value_name = "NUMBER")]
    pub jobs: Option<NonZero<usize>>,
    /// Leave the instances as they are at the end, for `amiforge shell`.
    #[arg(long)]
    pub keep: bool,
    /// How long the build or the test stage of each may take, such as 10m; the documents' own limits hold besides.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Run the phase `test` on a machine with the image's own kernel, in QEMU: kernel, boots and sysctls are real.
    #[arg(long, conflicts_with = "keep")]
    pub vm: bool,
    /// Begin nothing more after the first failure.
    #[arg(long)]
    pub fail_fast: bool,
    /// What has to be real for a pass, with commas: boot-id, clock, hardware, init, kernel, metadata-service, network,
    /// sysctl, units, uptime.
    #[arg(long, value_name = "FACT", value_delimiter = ',')]
    pub require: Vec<String>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub format: TestFormat,
    /// Write the report as JUnit XML into this file, too.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as JSON into this file, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A YAML file with the values that documents get for `aws:ssm`, `aws:imds`, `s3://` and other documents; its keys are
    /// `ssm`, `ssm_secret`, `imds`, `s3` and `documents`.
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) instance: InstanceArgs,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// One JSON object for each result as it is there, and one for the end.
    Ndjson,
    /// JUnit XML.
    Junit,
    /// Markdown, for the summary of a pipeline.
    Markdown,
}

impl TestArgs {
    fn options(&self) -> Result<Options, Failure> {
        Ok(Options {
            phases: self.phases.clone(),
            network: self.instance.network(),
            limits: self.instance.limits(),
            sandbox: self.instance.sandbox.clone(),
            jobs: self.jobs.map(NonZero::get),
            keep: self.keep,
            timeout: self.timeout,
            vm: self.vm,
            fail_fast: self.fail_fast,
            required: self.require.clone(),
            values: self.values.as_deref().map(Values::read).transpose()?.unwrap_or_default(),
        })
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            subjects: self.what.clone(),
            systems: self.os.clone(),
            roots: self.root.clone(),
            given: self.parameters.clone(),
        }
    }
}

pub(crate) fn run(session: &Session, args: &TestArgs) -> Result<Exit, Failure> {
    let (world, options) = (session.world()?, args.options()?);
    let trials = trial::plan(&world, &args.wanted(), &options)?;
    // A place that cannot be written to is better known before than after.
    let mut files = [(&args.junit, report::junit as fn(&Report) -> String), (&args.json, report::json)]
        .into_iter()
        .filter_map(|(path, draw)| Some((path.as_deref()?, draw)))
        .map(|(path, draw)| Ok((path, create(path)?, draw)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let (events, stream) = (session.events.clone(), args.format == TestFormat::Ndjson);
    let outcome = interruptible(move |stop| {
        trial::run(&world, &options, &trials, &events, stop, &|result| {
            if stream {
                // A reader that has gone away is not an error of ours; any other one shows at the end.
                let _ = print(&report::ndjson_trial(result));
            }
        })
    })?;
    let outcome = outcome?;
    for (path, file, draw) in &mut files {
        file.write_all(draw(&outcome).as_bytes()).map_err(|error| unwritable(path, &error))?;
    }
    print(&match args.format {
        TestFormat::Text => report::text(&outcome, session.color_out()),
        TestFormat::Json => report::json(&outcome),
        TestFormat::Ndjson => report::ndjson_end(&outcome),
        TestFormat::Junit => report::junit(&outcome),
        TestFormat::Markdown => report::markdown(&outcome),
    })?;
    Ok(exit(outcome.exit_code()))
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()))
        .next("name a file in a folder that exists and is yours")
}
