//! `amiforge explain`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::diagnostic::catalogue;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The code, for example `P003`; without one, all codes are listed.
    pub code: Option<String>,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        let lines: Vec<String> =
            catalogue::all().iter().map(|entry| format!("{}  {}", entry.code, entry.title)).collect();
        print(&(lines.join("\n") + "\n"))?;
        return Ok(Exit::Done);
    };
    let code = code.to_ascii_uppercase();
    let entry = catalogue::explain(&code).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no code `{code}`")).next("`amiforge explain` lists all codes")
    })?;
    print(&format!("{}: {}\n\n{}\n", entry.code, entry.title, entry.explanation.trim_end()))?;
    Ok(Exit::Done)
}
