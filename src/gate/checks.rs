//! The gates on the image's attributes and its age.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::times;
use super::verdict::{Found, Verdict};
use crate::evidence::{Evidence, ImageAttributes};
use crate::project::ImageGate;
use std::time::Duration;
use time::OffsetDateTime;

/// The image can be used and has the attributes the policy asks for.
pub(super) fn image<'a>(gate: &'a ImageGate, evidence: &'a Evidence) -> Outcome<'a> {
    const GATE: &str = "image";
    let image = &evidence.image;
    let looked_at = format!(
        "looked at: {} ({}), state {}, imds_v2 {}, encrypted {}, public {}",
        evidence.candidate.ami, image.name, image.state, image.imds_v2, image.encrypted, image.public
    );
    let error = |why: String| Verdict::error(GATE, why).detail(looked_at.clone());
    if image.state.is_empty() || evidence.candidate.ami.is_empty() {
        return Err(Verdict::error(GATE, "the attributes of the image were not read").detail(AGAIN));
    }
    let mut wrong = vec![];
    if image.state != "available" {
        let words = format!("the image is {}, not available", image.state);
        wrong.push(Found { fixed: true, ..Found::new("state", words) });
    }
    if gate.imds_v2 && !image.imds_v2 {
        wrong.push(Found::new("imds_v2", "instances of it would answer IMDSv1"));
    }
    if gate.encrypted && !image.encrypted {
        let root = image.root().is_none_or(|root| !root.encrypted);
        let what = if root { "its root volume is not encrypted" } else { "one of its volumes is not encrypted" };
        wrong.push(Found::new("encrypted", what));
    }
    if gate.ena && !image.ena {
        wrong.push(Found::new("ena", "it does not support ENA, so current instance types cannot start it"));
    }
    wrong.extend(shared(gate, image).map_err(error)?);
    wrong.extend(boot_mode(gate, image).map_err(error)?);
    wrong.extend(volumes(gate, image).map_err(error)?);
    let mut has = vec!["available"];
    has.extend(gate.imds_v2.then_some("IMDSv2 required"));
    has.extend(gate.encrypted.then_some("encrypted"));
    has.extend(gate.ena.then_some("ENA"));
    has.extend(gate.accounts.is_some().then_some("shared with nobody else"));
    Ok(Case::strict(GATE, wrong, has.join(", ")).looked_at(looked_at))
}

/// Nobody may launch it but those named.
fn shared(gate: &ImageGate, image: &ImageAttributes) -> Result<Vec<Found>, String> {
    let Some(allowed) = &gate.accounts else { return Ok(vec![]) };
    let mut wrong = vec![];
    if image.public {
        wrong.push(Found::new("public", "everybody may launch it"));
    }
    let Some(accounts) = &image.shared_with else {
        return Err("it is not known who may launch the image".to_owned());
    };
    let others = accounts.iter().filter(|account| !allowed.contains(account));
    wrong.extend(others.map(|account| Found::new(account, format!("account {account} may launch it"))));
    Ok(wrong)
}

/// It boots as the policy asks. An image that does not say so boots as its instance type does: UEFI on Graviton, legacy
/// BIOS on Intel and AMD (EC2 user guide, "Boot modes").
fn boot_mode(gate: &ImageGate, image: &ImageAttributes) -> Result<Option<Found>, String> {
    if gate.boot_modes.is_empty() {
        return Ok(None);
    }
    let mode = match (&image.boot_mode, image.architecture.as_str()) {
        (Some(mode), _) => mode.as_str(),
        (None, "arm64") => "uefi",
        (None, "x86_64") => "legacy-bios",
        (None, other) => return Err(format!("it is not known how an image for `{other}` boots")),
    };
    let fits = gate.boot_modes.iter().any(|allowed| allowed == mode);
    let what = || format!("its boot mode is {mode}, allowed are {}", gate.boot_modes.join(", "));
    Ok((!fits).then(|| Found::new("boot_modes", what())))
}

fn volumes(gate: &ImageGate, image: &ImageAttributes) -> Result<Vec<Found>, String> {
    let mut wrong = vec![];
    if let Some(most) = gate.max_root_gib {
        let Some(size) = image.root().and_then(|root| root.gib) else {
            return Err("the size of the root volume is not known".to_owned());
        };
        if size > most {
            let what = format!("its root volume has {size} GiB, at most {most} are allowed");
            wrong.push(Found::new("max_root_gib", what));
        }
    }
    if let Some(most) = gate.max_volumes {
        let count = image.volumes.len();
        if count == 0 {
            return Err("the volumes of the image are not known".to_owned());
        }
        if count > usize::try_from(most).unwrap_or(usize::MAX) {
            wrong.push(Found::new("max_volumes", format!("it has {count} volumes, at most {most} are allowed")));
        }
    }
    Ok(wrong)
}

/// The image is at most `max` old.
pub(super) fn age(max: Duration, evidence: &Evidence, now: OffsetDateTime) -> Outcome<'_> {
    const GATE: &str = "age";
    let created = &evidence.candidate.created_at;
    let age = times::age("the image's creation time", created, now).map_err(|why| Verdict::error(GATE, why))?;
    let (age_words, max_words) = (times::human(age), times::human(max));
    let what = format!("the image is {age_words} old, at most {max_words} are allowed");
    let wrong = (age > max).then(|| Found::new("max", what)).into_iter().collect();
    Ok(Case::strict(GATE, wrong, format!("{age_words} old, at most {max_words} are allowed"))
        .looked_at(format!("looked at: {} created {created}", evidence.candidate.ami))
        .advice("build a new one"))
}
