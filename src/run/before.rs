//! What an image would take the place of, for the gates that compare.

use super::error::RunError;
use super::stages::Work;
use crate::consume;
use crate::evidence::{self, Evidence, EvidenceError};
use crate::gate::Promoted;
use crate::promote::Release;

/// What is known of the release that an image would take the place of.
pub(super) enum Before {
    /// There is none.
    Nothing,
    /// Its evidence.
    Known(Box<Evidence>),
    /// Why its evidence does not count.
    Unknown(String),
    /// Why it could not be looked at.
    Unseen(RunError),
}

impl Before {
    pub(super) fn for_gates(&self) -> Promoted<'_> {
        match self {
            Self::Nothing => Promoted::Nothing,
            Self::Known(evidence) => Promoted::Known(evidence),
            Self::Unknown(why) => Promoted::Unknown(why.clone()),
            Self::Unseen(error) => Promoted::Unknown(error.sentence()),
        }
    }

    fn of(error: EvidenceError) -> Self {
        if error.is_of_the_evidence() { Self::Unknown(error.to_string()) } else { Self::Unseen(error.into()) }
    }
}

impl Work<'_> {
    /// The evidence of the release that an image would take the place of: the one that has come farthest. An image that is
    /// promoted itself is compared with the one before it, as it was when it was promoted.
    pub(super) async fn promoted(&self, ami: &str) -> Before {
        let listing = match consume::channels(self.cloud, self.project, Some(self.recipe)).await {
            Ok(listing) => listing,
            Err(error) => return Before::Unseen(error.into()),
        };
        let here = listing.channels.into_iter().rev().filter(|entry| entry.arch == self.arch.name());
        let releases: Vec<Release> = here.filter_map(|entry| entry.release).collect();
        let Some(release) = before(&releases, ami) else { return Before::Nothing };
        self.evidence_of(release).await.unwrap_or_else(Before::of)
    }

    /// The evidence of a release: that by which it was approved, or a later one that stands on the image.
    async fn evidence_of(&self, release: &Release) -> Result<Before, EvidenceError> {
        let ami = &release.ami;
        let known = |evidence| Ok(Before::Known(Box::new(evidence)));
        let found = evidence::file::load(&self.evidence_folder(), ami)?;
        let digest = found.as_ref().map(evidence::digest).unwrap_or_default();
        if digest != release.evidence
            && let Some(fetched) = self.fetched(ami, &release.evidence).await?
        {
            return known(fetched);
        }
        let Some(found) = found else {
            return Ok(Before::Unknown(format!("there is no evidence about {ami} here")));
        };
        if digest == release.evidence {
            return known(found);
        }
        match evidence::recorded_digest(self.cloud, self.cloud.home(), ami).await? {
            Some(recorded) if recorded == digest => known(found),
            _ => Ok(Before::Unknown(format!("the evidence about {ami} here is not the one it was approved by"))),
        }
    }
}

/// Of the releases of the channels, the last channel first: the first of another image, or else the one before.
fn before<'a>(releases: &'a [Release], ami: &str) -> Option<&'a Release> {
    let other = releases.iter().find(|release| release.ami != ami);
    let previous =
        || releases.iter().filter_map(|release| release.previous.as_deref()).find(|release| release.ami != ami);
    other.or_else(previous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(ami: &str, previous: Option<Release>) -> Release {
        let text = |text: &str| text.to_owned();
        Release {
            schema: text("amiforge.release/2"),
            id: text("id"),
            project: text("acme"),
            recipe: text("web"),
            arch: text("x86_64"),
            channel: text("candidate"),
            ami: text(ami),
            image_arn: None,
            image_version: None,
            evidence: text("sha256:0"),
            targets: vec![],
            left_out: vec![],
            promoted_at: text("2026-11-23T11:00:00Z"),
            by: text("host"),
            caller: None,
            reason: text("promoted"),
            overridden: None,
            resumed_by: vec![],
            empty: false,
            previous: previous.map(Box::new),
        }
    }

    #[test]
    fn an_image_is_compared_with_the_one_it_takes_the_place_of() {
        let is = |releases: &[Release], ami: &str| before(releases, ami).map(|release| release.ami.clone());
        assert_eq!(is(&[], "new"), None);
        assert_eq!(
            is(&[release("production", None), release("candidate", None)], "new").as_deref(),
            Some("production")
        );
        assert_eq!(is(&[release("old", None), release("new", None)], "new").as_deref(), Some("old"));
        assert_eq!(is(&[release("new", Some(release("old", None)))], "new").as_deref(), Some("old"));
        assert_eq!(is(&[release("new", None)], "new"), None, "the first one has nothing before it");
    }
}
