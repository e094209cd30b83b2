//! Whether what a step has fetched is checked, and how well.

use crate::component::condition::{Comparison, Condition, Test};
use crate::component::expression::Template;
use crate::component::model::{Document, Item, Phase, Step};
use crate::component::modules::Action;
use crate::component::rules::files::paths::{self, Made};

/// What checks a file.
#[derive(Debug, Clone, Copy)]
pub enum Verified<'a> {
    /// Nothing.
    Not,
    /// MD5 or SHA1, in this condition.
    Weakly(&'a Test),
    /// SHA256 or SHA512 in a condition, or a script whose ways are its own.
    Well,
}

/// How a later step of the same stage checks what one item of a `WebDownload` or `S3Download` has fetched.
pub fn later<'a>(document: &'a Document, made: &Made<'_>) -> Verified<'a> {
    let stage = made.phase.stage();
    let after = document
        .steps()
        .skip_while(|(phase, step)| !is_here(made, phase, step))
        .skip(1)
        .filter(|(phase, _)| phase.stage() == stage);
    let mut best = Verified::Not;
    for (_, step) in after {
        let mut tests = Vec::new();
        let conditions = step.branching.iter().map(|branching| &branching.condition).chain(&step.assertion);
        conditions.for_each(|condition| demanded(condition, &mut tests));
        for test in tests.into_iter().filter(|test| test.value.as_ref().is_some_and(|path| made.is(path))) {
            match test.operator.comparison {
                Comparison::FileSha256Equals | Comparison::FileSha512Equals => return Verified::Well,
                Comparison::FileMd5Equals | Comparison::FileSha1Equals => best = Verified::Weakly(test),
                _ => {}
            }
        }
        if by_script(step, made) {
            return Verified::Well;
        }
    }
    best
}

fn is_here(made: &Made<'_>, phase: &Phase, step: &Step) -> bool {
    phase.name == made.phase.name && step.name == made.step.name
}

/// The comparisons of a condition that are to be true; those under `not` verify nothing.
fn demanded<'a>(condition: &'a Condition, tests: &mut Vec<&'a Test>) {
    match condition {
        Condition::And(all, _) | Condition::Or(all, _) => all.iter().for_each(|one| demanded(one, tests)),
        Condition::Not(..) => {}
        Condition::Test(test) => tests.push(test),
    }
}

/// Programs that check a file, in lower case.
const PROGRAMS: &[&str] = &[
    "md5sum",
    "sha1sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shasum",
    "gpg --verify",
    "gpg2 --verify",
    "gpgv",
    "--verify",
    "rpm -k",
    "--checksig",
    "cosign",
    "minisign",
    "slsa-verifier",
    "dgst",
    "openssl sha",
    "get-filehash",
    "get-authenticodesignature",
    "signtool",
    "-hashfile",
];

fn by_script(step: &Step, made: &Made<'_>) -> bool {
    let runs = matches!(step.module.action, Action::ExecuteBash | Action::ExecuteBinary | Action::ExecutePowerShell);
    let checks = |template: &&Template| {
        let text = template.text().to_lowercase();
        PROGRAMS.iter().any(|program| text.contains(program))
    };
    runs && {
        let texts = step.templates();
        texts.iter().any(checks) && texts.iter().any(|template| made.is_meant(template))
    }
}

/// What an item of `WebDownload` or `S3Download` fetches.
pub fn fetched<'a>(document: &'a Document, step: (&'a Phase, &'a Step), index: usize, item: &Item) -> Option<Made<'a>> {
    let destination = paths::text(item, "destination")?;
    Some(Made::new(document, step, index, destination, paths::text(item, "source")))
}

/// Whether a path of a later step is a file whose content is fixed by SHA256 or SHA512.
pub fn is_pinned(document: &Document, path: &Template) -> bool {
    document.steps().any(|(phase, step)| {
        matches!(step.module.action, Action::WebDownload | Action::S3Download)
            && step.inputs.iter().enumerate().any(|(index, item)| {
                let Some(made) = fetched(document, (phase, step), index, item) else { return false };
                made.is(path) && (has_strong_checksum(item) || matches!(later(document, &made), Verified::Well))
            })
    })
}

fn has_strong_checksum(item: &Item) -> bool {
    let algorithm = paths::text(item, "algorithm").and_then(paths::literal);
    item.get("checksum").is_some() && matches!(algorithm, Some("SHA256" | "SHA512"))
}
