//! What `releases` prints.

use crate::diagnostic::render::printable;
use crate::promote::{KnownRelease, Progress, Revocation, Stay};
use serde::Serialize;
use std::fmt::Write as _;

/// Releases of one recipe or of all.
#[derive(Debug, Serialize)]
pub struct Releases {
    schema: &'static str,
    /// By recipe and architecture, newest first.
    releases: Vec<KnownRelease>,
}

impl Default for Releases {
    fn default() -> Self {
        Self { schema: "amiforge.releases/1", releases: vec![] }
    }
}

impl Releases {
    /// Adds those of one recipe and architecture.
    pub fn add(&mut self, releases: Vec<KnownRelease>) {
        self.releases.extend(releases);
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.releases.is_empty() {
            return "nothing was promoted yet\n".to_owned();
        }
        let mut text = String::new();
        let mut image = None;
        for one in &self.releases {
            if image != Some((&one.recipe, &one.arch)) {
                image = Some((&one.recipe, &one.arch));
                let _ = writeln!(text, "{} ({})", one.recipe, one.arch);
            }
            let version = one.image_version.as_deref().unwrap_or("-");
            let _ = writeln!(text, "  {version:<10} {}  {} by {}", one.ami, one.promoted_at, one.by);
            for stay in &one.channels {
                let _ = writeln!(text, "    {}", told(stay));
            }
            if let Some(revocation) = &one.revoked {
                let _ = writeln!(text, "    {}", revoked(revocation));
            }
            let _ = writeln!(text, "    evidence {}", one.evidence);
        }
        text
    }
}

fn told(stay: &Stay) -> String {
    let times = if stay.times > 1 { format!(", {} times in all", stay.times) } else { String::new() };
    match &stay.until {
        None => format!("in {} since {}{times}", stay.channel, stay.since),
        Some(until) => format!("was in {} from {} to {until}{times}", stay.channel, stay.since),
    }
}

fn revoked(revocation: &Revocation) -> String {
    let how = match revocation.progress {
        Progress::Done => "revoked",
        Progress::Begun => "revoked in part",
        Progress::Restoring => "revoked, and being restored",
    };
    format!("{how} {} by {}: {}", revocation.at, revocation.who(), printable(&revocation.reason))
}
