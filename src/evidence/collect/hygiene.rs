//! What the image carries and should not, looked for on the instance.

use super::instance::Running;
use super::site::Site;
use super::transport::fetch;
use crate::clock::rfc3339;
use crate::event::Stage;
use crate::evidence::Hygiene;
use crate::evidence::error::EvidenceError;
use crate::evidence::hygiene::{SCRIPT, read};

/// Runs the script of the rules on the instance. Nothing when it does not run there, or says nothing usable: then nobody has
/// looked, which is told, and which no gate takes for clean.
pub(super) async fn looked_at(site: &Site, instance: &Running) -> Result<Option<Hygiene>, EvidenceError> {
    let said = match fetch(site, instance, "the look at hygiene", SCRIPT).await {
        Err(
            error @ (EvidenceError::Command { .. }
            | EvidenceError::CommandTimeout { .. }
            | EvidenceError::Transport { .. }),
        ) => {
            site.events.note(Stage::Validate, error.to_string());
            return Ok(None);
        }
        other => other?.unwrap_or_default(),
    };
    match read(&String::from_utf8_lossy(&said), &rfc3339(site.clock.now())) {
        Ok(hygiene) => Ok(Some(hygiene)),
        Err(reason) => {
            site.events.note(Stage::Validate, format!("the hygiene of the image is not known: {reason}"));
            Ok(None)
        }
    }
}
