//! `amiforge baseline test`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::instance::InstanceArgs;
use crate::cli::interrupt::interruptible;
use crate::cli::session::{Session, print};
use crate::cli::verb::diff::read;
use crate::diagnostic::SourceFile;
use crate::patch::collect::{Refresh, Scope};
use crate::patch::{self, Baseline, Context, Evaluation, Inventory, Settings};
use crate::report::evaluation::{self as report, Told};
use crate::trial::{self, Entry, Options};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Arguments of `baseline test`.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("of").required(true)),
    after_help = "Exit codes: 0 compliant, or a comparison · 7 not compliant · 8 nothing can be said: no inventory, a package \
    source that was not read, … · 2 usage."
)]
pub struct TestArgs {
    /// Baseline: one of baselines/, one of AWS's by name, or a file.
    #[arg(value_name = "BASELINE")]
    pub baseline: String,
    /// An inventory as a file: of --save, or beside the evidence of a candidate.
    #[arg(long, value_name = "FILE", group = "of")]
    pub inventory: Option<PathBuf>,
    /// An AMI id, or a recipe whose candidate is meant: a fresh instance of it is started in the environment, and ended.
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "AMI|RECIPE", group = "of")]
    pub image: Option<String>,
    /// CPU architecture of the recipe's candidate.
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ARCH", requires = "image")]
    pub arch: Option<String>,
    /// A root, as for `amiforge test`: debian-12, oci:REFERENCE, image:PATH, tar:PATH or a folder.
    #[arg(long, value_name = "SOURCE", group = "of")]
    pub root: Option<String>,
    /// The moment to evaluate for: 2026-11-26, or 2026-11-26T15:00:00Z; now when absent.
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub at: Option<OffsetDateTime>,
    /// Compare with another baseline: which patches change, and why.
    #[arg(long, value_name = "BASELINE")]
    pub against: Option<String>,
    /// Compare with another moment.
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub against_at: Option<OffsetDateTime>,
    /// Compare with what the package sources of another, newer inventory of the same system offer.
    #[arg(long, value_name = "FILE")]
    pub against_offers: Option<PathBuf>,
    /// What PRODUCT filters are compared with, such as Debian12; without it they pass, and a note says so.
    #[arg(long, value_name = "PRODUCT")]
    pub product: Option<String>,
    /// What is assumed where the sources about Patch Manager contradict each other, such as `date_order=issued_only`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub assume: Vec<(String, String)>,
    /// Say why these packages are in their state, whatever it is.
    #[arg(long, value_name = "PACKAGE", value_delimiter = ',', conflicts_with = "all")]
    pub explain: Vec<String>,
    /// Say it of every package.
    #[arg(long)]
    pub all: bool,
    /// Write the inventory into this file.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Write what has to be installed into this file, as an install override list.
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
    /// Judge the image by this install override list instead of the baseline: what of it is not installed yet.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["against", "against_at", "against_offers", "explain", "all"])]
    pub override_list: Option<PathBuf>,
    /// Print what has to be installed as the command of the image's package manager, and nothing else.
    #[arg(long, conflicts_with_all = ["format", "against", "against_at", "against_offers"])]
    pub install_command: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub format: TestFormat,
    #[command(flatten)]
    pub(crate) instance: InstanceArgs,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
    /// Markdown, for the summary of a pipeline.
    Markdown,
}

/// Reads a day, which is its first moment (UTC), or a moment.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let day = time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]"));
    day.map(|day| day.midnight().assume_utc())
        .or_else(|_| OffsetDateTime::parse(text, &Rfc3339))
        .map_err(|_| "write a day, 2026-11-26, or a moment, 2026-11-26T15:00:00Z".to_owned())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.replace('-', "_"), value.replace('-', "_")))
}

impl TestArgs {
    fn context(&self, at: OffsetDateTime) -> Result<Context, Failure> {
        let mut settings = Settings::default();
        for (name, value) in &self.assume {
            settings = settings.with(name, value).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        }
        Ok(Context { product: self.product.clone(), settings, ..Context::new(at) })
    }

    fn told(&self) -> Told {
        match (self.all, self.explain.is_empty()) {
            (true, _) => Told::All,
            (false, false) => Told::Named(self.explain.clone()),
            (false, true) => Told::Open,
        }
    }

    fn compares(&self) -> bool {
        self.against.is_some() || self.against_at.is_some() || self.against_offers.is_some()
    }
}

pub(super) fn run(session: &Session, args: &TestArgs) -> Result<Exit, Failure> {
    let project = super::project(session)?;
    let find = |name: &str| -> Result<Baseline, Failure> {
        let found = crate::baseline::find(project.as_ref(), name, None)?;
        super::warn(session, &found.warnings);
        Ok(found.baseline)
    };
    let baseline = find(&args.baseline)?;
    let against = args.against.as_deref().map(find).transpose()?;
    let inventory = inventory(session, args)?;
    if let Some(path) = &args.save {
        let json = inventory.to_json().map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
        write(path, &json)?;
    }
    if let Some(path) = &args.override_list {
        return override_list(session, args, path, &baseline, &inventory);
    }
    let now = args.at.unwrap_or_else(|| crate::clock::Clock::system().now());
    let context = args.context(now)?;
    let evaluation = patch::evaluate(&baseline, &inventory, &context)?;
    let told = args.told();
    if let Some(name) = told.unknown(&evaluation) {
        return Err(unknown(name, &evaluation));
    }
    if args.overrides.is_some() || args.install_command {
        install(args, &baseline, &inventory, &context)?;
        if args.install_command {
            return Ok(Exit::Done);
        }
    }
    if args.compares() {
        let against = against.unwrap_or(baseline);
        return compare(args, &evaluation, &against, &inventory);
    }
    print(&match args.format {
        TestFormat::Text => report::text(&evaluation, &inventory, &told, &baseline.sentences()),
        TestFormat::Markdown => report::markdown(&evaluation, &inventory, &told),
        TestFormat::Json => json(&evaluation)?,
    })?;
    Ok(if evaluation.compliant() { Exit::Done } else { Exit::GateFailed })
}

/// What an install override list names and the image does not have yet.
fn override_list(
    session: &Session,
    args: &TestArgs,
    path: &Path,
    baseline: &Baseline,
    inventory: &Inventory,
) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
    let source = SourceFile::new(path.display().to_string(), text);
    let parsed = patch::parse_override_list(&source, baseline.operating_system.family());
    let list = parsed.list.ok_or_else(|| Failure::files(parsed.diagnostics.clone()))?;
    super::warn(session, &parsed.diagnostics);
    let selected = list.select(inventory)?;
    let report = report::Overridden::new(&list, &selected);
    print(&match args.format {
        TestFormat::Text => report.text(),
        TestFormat::Markdown => report.markdown(),
        TestFormat::Json => json(&report)?,
    })?;
    Ok(if selected.packages.is_empty() { Exit::Done } else { Exit::GateFailed })
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))
}

fn unknown(name: &str, evaluation: &Evaluation) -> Failure {
    let known = evaluation.patches.iter().map(|patch| patch.name.as_str());
    let failure =
        Failure::new(Exit::Usage, format!("no package `{name}` is installed, so there is nothing to explain"));
    match crate::diagnostic::suggest(name, known) {
        Some(near) => failure.next(format!("did you mean `{near}`?")),
        None => failure,
    }
}

fn compare(args: &TestArgs, before: &Evaluation, baseline: &Baseline, inventory: &Inventory) -> Result<Exit, Failure> {
    let fresh = args.against_offers.as_deref().map(read).transpose()?;
    let mixed = match &fresh {
        Some(fresh) => {
            inventory.with_offers_of(fresh).map_err(|error| Failure::new(Exit::NoEvidence, error.to_string()))?
        }
        None => inventory.clone(),
    };
    let after = patch::evaluate(baseline, &mixed, &args.context(args.against_at.unwrap_or(before.now))?)?;
    let comparison = patch::compare(before, &after);
    print(&match args.format {
        TestFormat::Text => report::comparison_text(&comparison),
        TestFormat::Markdown => report::comparison_markdown(&comparison),
        TestFormat::Json => json(&comparison)?,
    })?;
    Ok(Exit::Done)
}

/// What has to be installed, as a list or as a command.
fn install(args: &TestArgs, baseline: &Baseline, inventory: &Inventory, context: &Context) -> Result<(), Failure> {
    let plan = patch::install_plan(baseline, inventory, context)
        .map_err(|error| Failure::new(Exit::NoEvidence, error.to_string()))?;
    if let Some(path) = &args.overrides {
        write(path, &plan.override_list().to_yaml())?;
    }
    if args.install_command {
        print(&report::install_command(&plan))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()))
            .next("name a file in a folder that exists and is yours")
    })
}

/// The inventory of what is meant.
fn inventory(session: &Session, args: &TestArgs) -> Result<Inventory, Failure> {
    if let Some(path) = &args.inventory {
        return read(path);
    }
    #[cfg(feature = "aws")]
    if let Some(image) = &args.image {
        return of_image(session, args, image);
    }
    let world = session.world()?;
    let entry = Entry { root: args.root.clone(), ..Entry::default() };
    let options = Options {
        network: args.instance.network(),
        limits: args.instance.limits(),
        sandbox: args.instance.sandbox.clone(),
        ..Options::default()
    };
    let events = session.events.clone();
    let taken = interruptible(move |stop| {
        use crate::event::Stage;
        events.started(Stage::Validate, "an instance of the root");
        let told = events.clone();
        let entered = trial::enter(&world, &entry, &options, stop, move |line| {
            told.progress(Stage::Validate, line);
        })?;
        events.progress(Stage::Validate, "taking the inventory");
        let refresh = if options.network == crate::sandbox::Network::Loopback { Refresh::AsIs } else { Refresh::Anew };
        let taken = trial::inventory(&entered, Scope::Whole, refresh, |line| events.note(Stage::Validate, line));
        let ending = if taken.is_ok() { crate::event::Ending::Done } else { crate::event::Ending::Failed };
        events.finished(Stage::Validate, ending, "inventory");
        taken
    })?;
    Ok(taken?)
}

/// On a fresh instance of an AMI.
#[cfg(feature = "aws")]
fn of_image(session: &Session, args: &TestArgs, image: &str) -> Result<Inventory, Failure> {
    let project = session.project()?;
    let mut taken = None;
    crate::cli::environment::block(session, async {
        taken = Some(if image.starts_with("ami-") {
            let cloud = session.cloud(&project).await?;
            crate::run::inventory(cloud, &project, image, args.arch.as_deref(), &session.events).await?
        } else {
            let selection = crate::cli::args::Selection { recipe: image.to_owned(), arch: args.arch.clone() };
            let work = crate::cli::session::work(session, &project, &selection).await?;
            work.inventory(&session.events).await?
        });
        Ok(Exit::Done)
    })?;
    taken.ok_or_else(|| Failure::new(Exit::Unexpected, "the inventory was lost; this is a defect of amiforge"))
}
