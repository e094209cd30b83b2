//! `amiforge lint`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::component::modules::Platform;
use crate::component::rules::{self, Level, Levels, Role, Rule, Target};
use crate::diagnostic::{Severity, render, suggest};
use crate::lint::{self, Checked, Options};
use clap::ValueEnum;
use std::path::PathBuf;

/// Arguments of `lint`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 clean · 3 findings at or above --fail-on · 2 something that cannot be used, or nothing to check.\n\
    `amiforge explain S014` says what a rule is about; `# amiforge: allow[S014] reason` allows it at one place."
)]
pub struct LintArgs {
    /// Component documents, CloudFormation or Terraform files that hold some, folders, or `-` for standard input; the
    /// whole project when absent.
    pub paths: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub format: LintFormat,
    /// The least finding that makes the program fail; what amiforge.yaml says when absent, else `error`.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<FailOn>,
    /// Level of a rule, by id or name: off, note, warning or error. Several with commas, or several times.
    #[arg(long, value_name = "RULE=LEVEL", value_delimiter = ',', value_parser = level)]
    pub rule: Vec<(&'static Rule, Level)>,
    /// Let only these rules speak (and what the service refuses).
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    pub only: Vec<&'static Rule>,
    /// Mend what can be mended without changing what a document means.
    #[arg(long)]
    pub fix: bool,
    /// With --fix or --diff: also mend what a person should look at afterwards.
    #[arg(long)]
    pub unsafe_fixes: bool,
    /// Print what --fix would change, and change nothing.
    #[arg(long, conflicts_with = "fix")]
    pub diff: bool,
    /// Platform of the image, where no recipe says it.
    #[arg(long, value_enum)]
    pub platform: Option<PlatformName>,
    /// Operating system of the image as in recipes, where no recipe says it.
    #[arg(long, value_name = "OS")]
    pub os: Option<String>,
    /// What the component is meant to be.
    #[arg(long, value_enum)]
    pub role: Option<RoleName>,
    /// The component is for container images.
    #[arg(long)]
    pub container: bool,
    /// The documents are run by awstoe alone, without Image Builder: any phase will do.
    #[arg(long)]
    pub standalone: bool,
    /// The documents are sent as text (`data`) and not through S3: at most 16,000 characters.
    #[arg(long)]
    pub inline: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people, as rustc does.
    Text,
    /// One line per finding.
    Concise,
    /// One JSON document that names its schema.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// Workflow commands that GitHub shows in a pull request.
    Github,
}

/// Levels that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors only.
    Error,
    /// Warnings, too.
    Warning,
    /// Everything.
    Note,
}

/// Platforms by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "names say it")]
pub enum PlatformName {
    Linux,
    Windows,
    #[value(name = "macos")]
    MacOs,
}

/// Roles by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// To be used under `build`.
    Build,
    /// To be used under `test`.
    Test,
}

/// Reads a rule by id or name.
fn rule(text: &str) -> Result<&'static Rule, String> {
    rules::find(text).ok_or_else(|| {
        let names = rules::all().iter().flat_map(|rule| [rule.id, rule.name]);
        match suggest(text, names) {
            Some(near) => format!("there is no such rule; did you mean {near}?"),
            None => "there is no such rule; `amiforge explain` lists all".to_owned(),
        }
    })
}

/// Reads `RULE=LEVEL`.
fn level(text: &str) -> Result<(&'static Rule, Level), String> {
    let (name, word) = text.split_once('=').ok_or("write RULE=LEVEL, for example S012=off")?;
    let level = Level::parse(word).ok_or_else(|| format!("a level is one of {}", Level::NAMES.join(", ")))?;
    let rule = rule(name)?;
    if Levels::default().set(rule, level) {
        Ok((rule, level))
    } else {
        Err(format!("{} cannot be lowered: the service refuses what it reports", rule.id))
    }
}

impl LintArgs {
    fn options(&self) -> Options {
        let mut levels = Levels::default();
        for (rule, level) in &self.rule {
            levels.set(rule, *level);
        }
        self.only.iter().for_each(|rule| levels.only(rule));
        let target = Target {
            platform: self.platform.map(|platform| match platform {
                PlatformName::Linux => Platform::Linux,
                PlatformName::Windows => Platform::Windows,
                PlatformName::MacOs => Platform::MacOs,
            }),
            os: self.os.clone(),
            role: self.role.map(|role| match role {
                RoleName::Build => Role::Build,
                RoleName::Test => Role::Test,
            }),
            container: self.container,
            standalone: self.standalone,
            inline: self.inline,
            ..Target::default()
        };
        Options { levels, target }
    }

    fn check(&self, session: &Session) -> Result<Checked, Failure> {
        Ok(if self.paths.is_empty() {
            lint::project(&session.root()?, &self.options())
        } else {
            lint::paths(&self.paths, &self.options())?
        })
    }

    fn fail_on(&self, checked: &Checked) -> Severity {
        match self.fail_on {
            Some(FailOn::Error) => Severity::Error,
            Some(FailOn::Warning) => Severity::Warning,
            Some(FailOn::Note) => Severity::Note,
            None => checked.fail_on.unwrap_or(Severity::Error),
        }
    }
}

pub(crate) fn run(session: &Session, args: &LintArgs) -> Result<Exit, Failure> {
    let mut checked = args.check(session)?;
    if args.fix || args.diff {
        let mended = lint::mend(&checked, args.unsafe_fixes)?;
        if args.diff {
            print(&render::printable(&mended.diff()))?;
            // An empty diff is no pass: what no fix mends is still there.
            let rest = ending(&checked, args.fail_on(&checked));
            if mended.is_empty() && rest != Exit::Done {
                crate::cli::session::tell("no fix mends what was found; `amiforge lint` without --diff shows it\n");
            }
            return Ok(if mended.is_empty() || rest != Exit::Done { rest } else { Exit::Findings });
        }
        mended.write()?;
        crate::cli::session::tell(&crate::report::mended(&mended));
        checked = args.check(session)?;
    }
    let fail_on = args.fail_on(&checked);
    print(&shown(&checked, fail_on, args.format, session.color_out()))?;
    Ok(ending(&checked, fail_on))
}

fn shown(checked: &Checked, fail_on: Severity, format: LintFormat, color: bool) -> String {
    let findings = &checked.diagnostics;
    let report = render::Report { documents: &checked.documents, findings, fail_on };
    match format {
        LintFormat::Text => crate::report::lint(checked, color),
        LintFormat::Concise => render::concise(findings),
        LintFormat::Json => render::json(&report),
        LintFormat::Sarif => render::sarif(&report),
        LintFormat::Junit => render::junit(&report),
        LintFormat::Github => render::github(findings),
    }
}

/// A file of the project that cannot be used is not a finding about a component.
fn ending(checked: &Checked, fail_on: Severity) -> Exit {
    let unusable = |code: &str| !code.starts_with(['U', 'E']) && rules::find(code).is_none();
    if checked.diagnostics.iter().any(|found| found.severity == Severity::Error && unusable(found.code)) {
        Exit::Usage
    } else if checked.diagnostics.iter().any(|found| found.severity >= fail_on) {
        Exit::Findings
    } else {
        Exit::Done
    }
}
