//! What the single verbs print when they are done: what was made, and the next command.

use crate::diagnostic::render::printable;
use crate::evidence::Evidence;
use crate::gate::{Verdict, WaiverReport};
use crate::patch::PackageDiff;
use crate::plan::Published;
use crate::promote::{self, Promotion, Resumed};
use crate::run::{Judged, Verified};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What `publish` prints.
#[must_use]
pub fn published(published: &Published) -> String {
    let mut text = match published.changed {
        0 => "Nothing to do: everything was published already.\n".to_owned(),
        1 => "1 resource changed.\n".to_owned(),
        count => format!("{count} resources changed.\n"),
    };
    for arn in &published.components {
        let _ = writeln!(text, "  {arn}");
    }
    let rest = [Some(&published.recipe), Some(&published.infrastructure), published.distribution.as_ref()];
    for arn in rest.into_iter().chain([published.pipeline.as_ref()]).flatten() {
        let _ = writeln!(text, "  {arn}");
    }
    if let Some(id) = &published.baseline {
        let _ = writeln!(text, "  patch baseline {id}");
    }
    text
}

/// What `validate` prints.
#[derive(Debug, Serialize)]
pub struct Validated<'a> {
    schema: &'static str,
    approved: bool,
    digest: &'a str,
    evidence_file: &'a PathBuf,
    verdicts: &'a [Verdict],
    waivers: &'a [WaiverReport],
    evidence: &'a Evidence,
}

impl<'a> Validated<'a> {
    /// The report of a validation.
    #[must_use]
    pub fn new(judged: &'a Judged) -> Self {
        Self {
            schema: "amiforge.validated/1",
            approved: judged.refusal().is_none(),
            digest: &judged.digest,
            evidence_file: &judged.file,
            verdicts: &judged.verdicts,
            waivers: &judged.waivers,
            evidence: &judged.evidence,
        }
    }

    /// For the formats of CI systems.
    #[must_use]
    pub fn judged(&self) -> super::judged::Judged<'a> {
        let Self { evidence, digest, verdicts, waivers, .. } = *self;
        super::judged::Judged { evidence, digest, verdicts, waivers }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} passes\n{}{}{}{}  evidence {}  {}\nnext: amiforge promote {}\n",
            self.evidence.candidate.ami,
            super::verdicts(self.verdicts),
            super::waiver_notes(self.waivers),
            super::image::packages(self.evidence.changes.as_ref()),
            own(self.evidence),
            self.evidence_file.display(),
            self.digest,
            self.evidence.candidate.recipe
        )
    }
}

/// What `verify` prints.
#[must_use]
pub fn verified(verified: &Verified) -> String {
    let Verified { ami, file, digest, key, key_file, kms_key, on_image, .. } = verified;
    let mut text = format!("the evidence of {ami} is what it says\n  file             {}\n", file.display());
    let _ = writeln!(text, "  digest           {digest}");
    let from = key_file.as_ref().map(|path| path.display().to_string()).or_else(|| kms_key.clone());
    let _ = match (key, from) {
        (Some(key), Some(from)) => writeln!(text, "  signed by        {key} ({from})"),
        _ => writeln!(
            text,
            "  signed by        nobody was looked for: no key is trusted (`signing.trusted`, `signing.trusted_kms`, --key)"
        ),
    };
    let _ = match on_image {
        Some(_) => writeln!(text, "  image            carries this digest"),
        None => writeln!(text, "  image            was not asked; `amiforge verify {ami}` does"),
    };
    text
}

/// Where amiforge's own evaluation says something else than Patch Manager does.
fn own(evidence: &Evidence) -> String {
    let Some(own) = &evidence.evaluation else { return String::new() };
    if let Some(why) = &own.failed {
        return format!("  own evaluation   none: {}\n", printable(why));
    }
    if own.differences.is_empty() {
        return "  own evaluation   says the same as Patch Manager\n".to_owned();
    }
    let mut text = format!("  own evaluation   differs from Patch Manager's in {}\n", own.differences.len());
    for difference in &own.differences {
        let _ = writeln!(text, "    {}", printable(difference));
    }
    text
}

/// What `promote` prints: the promotion, and what its users get with it.
#[derive(Debug, Serialize)]
pub struct Promoted<'a> {
    #[serde(flatten)]
    promotion: &'a Promotion,
    /// What differs from the release before; absent when one of the inventories is not known.
    packages: Option<PackageDiff>,
}

impl<'a> Promoted<'a> {
    /// The report of a promotion.
    #[must_use]
    pub fn new(promotion: &'a Promotion, packages: Option<PackageDiff>) -> Self {
        Self { promotion, packages }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = promoted(self.promotion);
        if let (Some(packages), Some(previous)) = (&self.packages, &self.promotion.release.previous) {
            let _ = write!(text, "\npackages since {}: {}", previous.ami, packages.to_text());
        }
        text
    }
}

/// What `promote` and `rollback` print.
#[must_use]
pub fn promoted(promotion: &Promotion) -> String {
    let release = &promotion.release;
    if release.empty {
        return format!("channel {} is empty: {} was taken out of it\n", promotion.channel, release.ami);
    }
    let how = if promotion.changed { "now points at" } else { "points already at" };
    let mut text = format!("channel {} {how} {}\n", promotion.channel, release.ami);
    for (name, value) in super::promotion::pointers(release) {
        let _ = writeln!(text, "  {name:<16} {value}");
    }
    text.push_str(&super::promotion::refreshes(promotion));
    let refresh = if promotion.refreshes.is_empty() { "" } else { " --refresh" };
    let (recipe, channel) = (&release.recipe, &promotion.channel);
    let _ = match (release.reason == promote::ROLLED_BACK, &release.previous) {
        (true, _) => {
            writeln!(
                text,
                "forward again: amiforge promote {recipe} --channel {channel}{refresh} (to the newest candidate)"
            )
        }
        _ if !release.left_out.is_empty() => {
            writeln!(text, "the rest: amiforge promote {recipe} --channel {channel} (when they can be reached)")
        }
        (false, Some(previous)) => {
            writeln!(text, "undo: amiforge rollback {recipe} --channel {channel}{refresh} (to {})", previous.ami)
        }
        (false, None) => Ok(()),
    };
    text
}

/// What `promote --resume` prints.
#[must_use]
pub fn resumed(resumed: &Resumed, channel: &str) -> String {
    match resumed {
        Resumed::Finished(promotion) => format!("finished\n{}", promoted(promotion)),
        Resumed::NotBegun => format!("channel {channel}: the promotion had not begun, its lock is removed\n"),
        Resumed::Undone { release, restored } => {
            let mut text = format!("channel {channel}: the promotion to {} is undone\n", release.ami);
            for line in restored {
                let _ = writeln!(text, "  {line}");
            }
            text
        }
    }
}
