//! What differs between two channels, by the evidence about what they hold.

use super::error::RunError;
use super::stages::Work;
use crate::consume::{self, ConsumeError};
use crate::evidence::difference::{Compared, Difference, difference};
use crate::evidence::{self, Evidence, EvidenceError};
use crate::patch::Inventory;

/// One side of a comparison.
struct Side {
    channel: Option<String>,
    evidence: Evidence,
    inventory: Inventory,
}

impl Work<'_> {
    /// Compares what two channels hold; an AMI id in place of a channel is taken as it is. Only evidence that the images
    /// carry the digest of counts, and without it there is no comparison.
    pub async fn compare_channels(&self, before: &str, after: &str) -> Result<Difference, RunError> {
        let (before, after) = (self.side(before).await?, self.side(after).await?);
        let compared = difference(before.compared(), after.compared());
        compared.map_err(|error| {
            let instance = before.evidence.candidate.ami.clone();
            EvidenceError::Inventory { instance, reason: error.to_string() }.into()
        })
    }

    async fn side(&self, word: &str) -> Result<Side, RunError> {
        let (channel, ami, approved_by) = if word.starts_with("ami-") {
            (None, word.to_owned(), None)
        } else {
            let name = self.channel(word)?.name.clone();
            let listing = consume::channels(self.cloud, self.project, Some(self.recipe)).await?;
            let mut entries = listing.channels.into_iter();
            let entry = entries.find(|entry| entry.channel == name && entry.arch == self.arch.name());
            let release = entry.and_then(|entry| entry.release).ok_or_else(|| self.nothing_in(&name))?;
            (Some(name), release.ami, Some(release.evidence))
        };
        let (folder, recipe) = (self.evidence_folder(), self.recipe.name.clone());
        let missing = || RunError::NoEvidence { ami: ami.clone(), recipe: recipe.clone() };
        let found = self.compared(&ami, approved_by.as_deref()).await?;
        let inventory = evidence::file::load_inventory(&folder, &ami).map_err(EvidenceError::from)?;
        Ok(Side { channel, evidence: found, inventory: inventory.ok_or_else(missing)? })
    }

    /// The evidence about an image: that by which it was approved, or the one whose digest it carries.
    async fn compared(&self, ami: &str, approved_by: Option<&str>) -> Result<Evidence, RunError> {
        if let Some(digest) = approved_by {
            let here = evidence::file::load(&self.evidence_folder(), ami).map_err(EvidenceError::from)?;
            if let Some(here) = here.filter(|here| evidence::digest(here) == digest) {
                return Ok(here);
            }
            if let Some(fetched) = self.fetched(ami, digest).await? {
                return Ok(fetched);
            }
        }
        Ok(self.evidence(ami).await?.0)
    }

    fn nothing_in(&self, channel: &str) -> RunError {
        let (recipe, arch, channel) = (self.recipe.name.clone(), self.arch.name().to_owned(), channel.to_owned());
        let record = crate::promote::record_name(&self.project.name, &recipe, &arch, &channel);
        ConsumeError::Empty { recipe, arch, channel, pointer: format!("parameter {record}") }.into()
    }
}

impl Side {
    fn compared(&self) -> Compared<'_> {
        Compared { channel: self.channel.as_deref(), evidence: &self.evidence, inventory: &self.inventory }
    }
}
