//! What must hold before a channel takes a candidate. Pure.

use super::error::PromoteError;
use super::image::Image;
use super::model::{Approval, Release};
use crate::event::human_duration;
use crate::gate;
use crate::project::Channel;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The candidate is approved: there are verdicts, all pass, and they are about the evidence that the AMI carries.
pub(super) fn approved(ami: &str, approval: &Approval, image: &Image) -> Result<(), PromoteError> {
    let refuse = |reason: String| Err(PromoteError::NotApproved { ami: ami.to_owned(), reason });
    let Some(tag) = &image.evidence else {
        return refuse("it carries no evidence (tag amiforge:evidence)".to_owned());
    };
    if approval.digest.is_empty() {
        return refuse("there is no evidence".to_owned());
    }
    if *tag != approval.digest {
        return refuse(format!("its tag names evidence {tag}, the verdicts are about {}", approval.digest));
    }
    if approval.verdicts.is_empty() {
        return refuse("no gate was evaluated".to_owned());
    }
    if !gate::approved(&approval.verdicts) {
        let one = |verdict: &gate::Verdict| !gate::approved(std::slice::from_ref(verdict));
        let failing: Vec<_> = approval.verdicts.iter().filter(|verdict| one(verdict)).collect();
        let text: Vec<_> = failing.iter().map(|verdict| format!("{}: {}", verdict.gate, verdict.summary)).collect();
        return refuse(format!(
            "{} of {} gates do not pass ({})",
            failing.len(),
            approval.verdicts.len(),
            text.join("; ")
        ));
    }
    Ok(())
}

/// The channel's own rules: where the release must be first, for how long, and who must have approved.
pub(super) fn channel(
    channel: &Channel,
    ami: &str,
    before: Option<&Release>,
    now: OffsetDateTime,
) -> Result<(), PromoteError> {
    let refuse =
        |missing: String| Err(PromoteError::Rule { channel: channel.name.clone(), ami: ami.to_owned(), missing });
    if let Some(after) = &channel.after {
        let Some(before) = before.filter(|release| release.ami == ami) else {
            let there = before.map_or_else(|| "is empty".to_owned(), |release| format!("holds {}", release.ami));
            return refuse(format!("it must be in channel `{after}` first, which {there}"));
        };
        if let Some(soak) = channel.soak
            && let Some(text) = soaking(before, soak, now)
        {
            return refuse(format!("{text} in channel `{after}`"));
        }
    }
    if channel.approval_required {
        return refuse("a person must approve it, and this version of amiforge cannot record that yet".to_owned());
    }
    Ok(())
}

/// What is missing of the soak time; `None` when it is over. A time that cannot be read never counts as long ago.
fn soaking(before: &Release, soak: Duration, now: OffsetDateTime) -> Option<String> {
    let Ok(since) = OffsetDateTime::parse(&before.promoted_at, &Rfc3339) else {
        return Some(format!(
            "its time of promotion `{}` cannot be read, it must soak {}",
            before.promoted_at,
            human_duration(soak)
        ));
    };
    let there = Duration::try_from(now - since).unwrap_or(Duration::ZERO);
    if there >= soak {
        return None;
    }
    let until = crate::clock::rfc3339(since + soak);
    Some(format!("it must soak {} (until {until}), it has been {}", human_duration(soak), human_duration(there)))
}
