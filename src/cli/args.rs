//! What the command line accepts. The doc comments are the help.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

use super::verb;

/// Golden images on AWS: from a short recipe to a patched, tested, validated and promoted AMI.
#[derive(Debug, Parser)]
#[command(name = "amiforge", version, max_term_width = 110, propagate_version = true)]
#[command(after_help = "The default environment is `local`: it builds on this machine and needs no AWS account.\n\
    Exit codes: 0 done · 1 unexpected · 2 usage or project file · 3 lint findings · 4 plan has changes · 5 build failed ·\n\
    6 tests failed · 7 a gate failed · 8 evidence missing or stale · 9 partly done · 10 drift · 11 locked ·\n\
    12 credentials · 13 timed out · 130 interrupted · 194 restart needed. `amiforge explain A005` says more about one.")]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Project folder; the nearest folder upwards with an amiforge.yaml when absent.
    #[arg(long, short = 'C', global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Environment of amiforge.yaml to work in.
    #[arg(long, short = 'e', global = true, default_value = "local", env = "AMIFORGE_ENVIRONMENT")]
    pub environment: String,
    /// How progress is shown on stderr.
    #[arg(long, global = true, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Colour: `auto` follows the terminal and `NO_COLOR`.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Where parent roots are cached; $`XDG_CACHE_HOME/amiforge` or ~/.cache/amiforge when absent.
    #[arg(long, global = true, value_name = "DIR", env = "AMIFORGE_CACHE")]
    pub cache: Option<PathBuf>,
    /// Makes calls of the local environment go wrong, to try what happens then; may be given several times, and the first that
    /// concerns a call decides.
    ///
    /// SERVICE is autoscaling, ec2, imagebuilder, kms, s3, ssm, sts or *; OPERATION is the name of one, or *. KIND is throttle, fail (the
    /// service fails and nothing is done), deny, lose-response (it is done, and the answer is a failure), delay=DURATION
    /// (answered that much later, such as 1500ms), spoil (it is done, and what it has begun fails in the end: the copy of an
    /// image), stop (it and every later call fail), stop-after (the same, but it is done), kill (amiforge itself is killed
    /// before it is done) or kill-after (when it is done). With @N only the Nth such call is concerned.
    #[cfg(feature = "aws")]
    #[arg(long = "fault", global = true, value_name = "SERVICE:OPERATION:KIND[@N]", hide_short_help = true)]
    pub faults: Vec<crate::local::FaultRule>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Live bars.
    Bars,
    /// One line per event.
    Plain,
    /// One JSON object per event.
    Ndjson,
    /// Nothing.
    None,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a result is printed on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document that names its schema.
    Json,
}

/// Which image a verb is about.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// Recipe name.
    pub recipe: String,
    /// CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
}

/// Which images a verb is about that can be about many: recipes × architectures.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Args)]
pub struct Images {
    /// Recipe names.
    #[arg(value_name = "RECIPE")]
    pub recipes: Vec<String>,
    /// All recipes of the project.
    #[arg(long)]
    pub all: bool,
    /// Recipes whose names match the pattern (`*` any characters); can be given more than once.
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// None of the recipes whose names match the pattern; can be given more than once.
    #[arg(long, value_name = "PATTERN")]
    pub except: Vec<String>,
    /// Only this CPU architecture; can be given more than once.
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
}

#[cfg(feature = "aws")]
impl Images {
    /// As the library takes it.
    #[must_use]
    pub fn wanted(&self) -> crate::run::Wanted {
        crate::run::Wanted {
            recipes: self.recipes.clone(),
            all: self.all,
            only: self.only.clone(),
            except: self.except.clone(),
            archs: self.arch.clone(),
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a project folder to start from.
    Init(verb::init::InitArgs),
    /// Check project files and components without touching any environment.
    Lint(verb::lint::LintArgs),
    /// Print the component documents and the recipe as they would be created.
    Render(verb::render::RenderArgs),
    /// Run component documents in throw-away instances on this machine, as Image Builder would.
    Test(verb::test::TestArgs),
    /// Open a shell in a fresh instance of a root, or in one that `test --keep` has left.
    Shell(verb::shell::ShellArgs),
    /// The verbs that work in an environment.
    #[cfg(feature = "aws")]
    #[command(flatten)]
    Environment(EnvironmentVerb),
    /// Component documents, as awstoe takes them.
    #[command(subcommand)]
    Component(verb::component::ComponentVerb),
    /// Patch baselines: of the project, of AWS, in files and in accounts.
    #[command(subcommand)]
    Baseline(verb::baseline::BaselineVerb),
    /// Say what differs between the packages of two images, and which CVEs that fixes.
    Diff(verb::diff::DiffArgs),
    /// The cache of roots: what is in it, and making room.
    #[command(subcommand)]
    Cache(verb::cache::CacheVerb),
    /// Say why a build failed: component, step, last lines, the probable cause and what helps.
    Why(verb::why::WhyArgs),
    /// Print the least privilege for verbs in an environment in AWS, as an IAM policy.
    IamPolicy(verb::iam_policy::IamPolicyArgs),
    /// Print the JSON Schema of a kind of file, for editors.
    Schema(verb::schema::SchemaArgs),
    /// Explain a code of an error, a finding or an exit code.
    Explain(verb::explain::ExplainArgs),
}

/// The verbs that work in an environment.
#[cfg(feature = "aws")]
#[derive(Debug, Subcommand)]
pub enum EnvironmentVerb {
    /// Say what would be created, and why. Changes nothing.
    Plan(verb::plan::PlanArgs),
    /// Create the components, the recipe and the infrastructure configuration of the plan.
    Publish(verb::publish::PublishArgs),
    /// Build and test images (publishes first what is missing).
    Build(verb::build::BuildArgs),
    /// Say of each image what is being built, how far it is, and what became of the last builds.
    Status(verb::status::StatusArgs),
    /// Follow builds to their end, whoever started them; ends as `build` does.
    Watch(verb::watch::WatchArgs),
    /// Answer a build that waits for somebody's approval, or approve an image for a channel.
    Approve(verb::approve::ApproveArgs),
    /// Capture evidence on a fresh instance of the candidate and evaluate the gates.
    Validate(verb::validate::ValidateArgs),
    /// Say whether evidence is what it says: its file, its signature, and the digest on the image.
    Verify(verb::verify::VerifyArgs),
    /// Move a channel to the validated candidate.
    Promote(verb::promote::PromoteArgs),
    /// Move a channel back to its previous release.
    Rollback(verb::rollback::RollbackArgs),
    /// Withdraw a release: channels leave it, every image of it loses its mark and is disabled, and who still runs it is
    /// listed.
    Revoke(verb::revoke::RevokeArgs),
    /// Take a revocation back. Channels stay where they are.
    Restore(verb::revoke::RestoreArgs),
    /// Print the AMI id a channel points at, and nothing else.
    Resolve(verb::resolve::ResolveArgs),
    /// List what a channel has held, when, by whom and why.
    History(verb::history::HistoryArgs),
    /// List every release: where it is and was, by whom, and whether it was revoked.
    Releases(verb::releases::ReleasesArgs),
    /// Say where pointers do not say what the release of their channel says.
    Drift(verb::drift::DriftArgs),
    /// Make the pointers of a channel say again what its release says.
    Repair(verb::drift::RepairArgs),
    /// List channels and what they point at.
    Channels(verb::channels::ChannelsArgs),
    /// All of it in one go: check, plan, publish, build, test, validate, gate, promote to the first channel.
    Run(verb::run::RunArgs),
    /// Print what the component runner said in a build, or save all that is known of it as a bundle for `why`.
    Logs(verb::logs::LogsArgs),
    /// Say what is missing for the verbs to work: credentials, permissions, network, quotas, programs. Nothing is changed
    /// in AWS.
    Doctor(verb::doctor::DoctorArgs),
    /// Make project files of pipelines, recipes and components that an account has.
    Import(verb::import::ImportArgs),
    /// The local environment itself.
    #[command(subcommand)]
    Local(verb::local::LocalVerb),
}
