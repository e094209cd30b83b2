//! `amiforge component validate`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::print;
use crate::component::modules::Platform;
use crate::component::rules::{Levels, Target};
use crate::toe::{self, ToeError, Wanted};
use clap::ValueEnum;
use std::collections::BTreeMap;

/// Arguments of `component validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 valid · 3 not valid · 2 cannot be read. `amiforge lint` says more.")]
pub struct ValidateArgs {
    /// Component documents: paths, s3:// addresses or ARNs of component build versions.
    #[arg(required = true, value_name = "DOC")]
    pub documents: Vec<String>,
    /// Platform that the documents are for; this machine's when absent.
    #[arg(long, value_enum, default_value_t = OsPlatform::Linux)]
    pub os_platforms: OsPlatform,
    /// Action modules that no document may use, with commas.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub blocked_action_modules: Vec<String>,
    /// Account that must own the bucket of documents in S3.
    #[arg(long, value_name = "ACCOUNT")]
    pub document_s3_bucket_owner: Option<String>,
}

/// Platforms in awstoe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "names say it")]
pub enum OsPlatform {
    Linux,
    Windows,
    Darwin,
}

impl OsPlatform {
    const fn platform(self) -> Platform {
        match self {
            Self::Linux => Platform::Linux,
            Self::Windows => Platform::Windows,
            Self::Darwin => Platform::MacOs,
        }
    }
}

pub(super) fn run(args: &ValidateArgs) -> Result<Exit, Failure> {
    let wanted = |reference: &String| Wanted { reference: reference.clone(), parameters: BTreeMap::new() };
    let wanted: Vec<Wanted> = args.documents.iter().map(wanted).collect();
    let target = Target { standalone: true, platform: Some(args.os_platforms.platform()), ..Target::default() };
    let checked = toe::load(&wanted, args.document_s3_bucket_owner.as_deref(), &mut super::outside())
        .and_then(|loaded| toe::check(&loaded, &target, &Levels::default(), &args.blocked_action_modules));
    print(&format!("{:#}\n", toe::validation_json(&args.documents, &checked)))?;
    Ok(match checked {
        Ok(_) => Exit::Done,
        Err(ToeError::Findings(_) | ToeError::Blocked { .. }) => Exit::Findings,
        Err(_) => Exit::Usage,
    })
}
