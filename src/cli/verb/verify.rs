//! `amiforge verify`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::run::{asks_kms, verify_file, verify_image};
use std::path::{Path, PathBuf};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "With other tools: the envelope beside the file (AMI.dsse.json) is DSSE v1 with an in-toto statement \
    whose subject is the file, by the SHA-256 of its bytes; keys are Ed25519, or ECDSA on P-256 with SHA-256, in PEM."
)]
pub struct VerifyArgs {
    /// An evidence file, or the id of an AMI whose evidence lies in the project: then the image is asked, too.
    #[arg(value_name = "FILE|AMI")]
    pub what: String,
    /// A file with a public key that is trusted, besides `signing.trusted` of amiforge.yaml; can be given more than once. With
    /// one nothing is asked of KMS (`signing.trusted_kms`).
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &VerifyArgs) -> Result<Exit, Failure> {
    let verified = if args.what.starts_with("ami-") && !Path::new(&args.what).exists() {
        let project = session.project()?;
        let cloud = session.cloud(&project).await?;
        verify_image(cloud, &project, &args.what, &args.key).await?
    } else {
        let project = if session.has_project()? { Some(session.lenient_project()?) } else { None };
        let cloud = match &project {
            Some(project) if asks_kms(Some(project), &args.key) => Some(session.cloud(project).await?),
            _ => None,
        };
        verify_file(cloud, project.as_ref(), Path::new(&args.what), &args.key).await?
    };
    print_as(args.format, &verified, || crate::report::verified(&verified))?;
    Ok(Exit::Done)
}
