//! `amiforge explain`

use crate::build::why::catalogue as causes;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::component::{modules, rules};
use crate::diagnostic::{catalogue, suggest};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// A code such as `P003`, a rule or a cause of failed builds by its id or name, or an action module such as
    /// `CreateFile`; without one, all are listed.
    pub code: Option<String>,
    /// Print the page of all rules in Markdown (docs/rules.md).
    #[arg(long, conflicts_with = "code")]
    pub markdown: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    if args.markdown {
        print(&rules::markdown())?;
        return Ok(Exit::Done);
    }
    let Some(code) = &args.code else {
        print(&list())?;
        return Ok(Exit::Done);
    };
    if let Some(rule) = rules::find(code) {
        print(&rules::explain(rule))?;
        return Ok(Exit::Done);
    }
    if let Some(module) = modules::MODULES.iter().find(|module| module.name.eq_ignore_ascii_case(code.trim())) {
        print(&modules::explain(module))?;
        return Ok(Exit::Done);
    }
    if let Some(cause) = causes::find(code) {
        print(&causes::explain(cause))?;
        return Ok(Exit::Done);
    }
    let code = code.to_ascii_uppercase();
    let entry = catalogue::explain(&code).ok_or_else(|| unknown(&code))?;
    print(&format!("{}: {}\n\n{}\n", entry.code, entry.title, entry.explanation.trim_end()))?;
    Ok(Exit::Done)
}

fn list() -> String {
    let entries = catalogue::all().iter().map(|entry| format!("{}  {}", entry.code, entry.title));
    let rules = rules::all().iter().map(|rule| format!("{}  {}: {}", rule.id, rule.name, rule.summary));
    let modules = modules::MODULES.iter().map(|module| format!("{}: {}", module.name, module.summary));
    let causes = causes::all().iter().map(|cause| format!("{}  {}: {}", cause.code, cause.name, cause.title));
    entries.chain(rules).chain(causes).chain(modules).collect::<Vec<_>>().join("\n") + "\n"
}

fn unknown(code: &str) -> Failure {
    let codes = catalogue::all().iter().map(|entry| entry.code);
    let names = codes.chain(rules::all().iter().flat_map(|rule| [rule.id, rule.name])).chain(modules::names());
    let names = names.chain(causes::all().iter().flat_map(|cause| [cause.code, cause.name]));
    let failure = Failure::new(Exit::Usage, format!("there is no code, rule or action `{code}`"));
    match suggest(code, names) {
        Some(near) => failure.next(format!("did you mean `{near}`?")),
        None => failure.next("`amiforge explain` lists all of them"),
    }
}
