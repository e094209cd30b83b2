//! The gate on where an image comes from.

use super::case::{Case, Outcome};
use super::times;
use super::verdict::{Found, Verdict};
use crate::evidence::{Ancestor, Evidence};
use crate::project::ParentGate;
use time::OffsetDateTime;

const GATE: &str = "parent";

/// Too much is each image it descends from that is somebody else's, and a parent that was too old.
pub(super) fn check<'a>(gate: &'a ParentGate, evidence: &'a Evidence, now: OffsetDateTime) -> Outcome<'a> {
    let images = evidence.ancestry.as_ref().map(|ancestry| ancestry.images.as_slice()).unwrap_or_default();
    let Some(parent) = images.first() else {
        return Err(Verdict::error(GATE, "it is not known which image it was made from")
            .detail("EC2 tells the source of an image that was made from an instance or copied"));
    };
    if !parent.seen {
        let why = format!("its parent image {} is not there any more, or not for us to see", parent.ami);
        return Err(Verdict::error(GATE, why).detail("build from a parent image that is there"));
    }
    let mut wrong = vec![];
    for image in images.iter().filter(|image| image.seen && !owned(gate, image, &evidence.candidate.account)) {
        let owner = image.owner_alias.as_ref().map_or_else(String::new, |alias| format!(" ({alias})"));
        let what = format!("it descends from {} of {}{owner}, which is not allowed", named(image), image.owner);
        wrong.push(Found::new(&image.ami, what));
    }
    if let Some(most) = gate.max_age {
        let error = |why: String| Verdict::error(GATE, why);
        let candidate = times::age("the image's creation time", &evidence.candidate.created_at, now).map_err(error)?;
        let age = times::age("the parent's creation time", &parent.created_at, now).map_err(error)?;
        let age = age.saturating_sub(candidate);
        if age > most {
            let (age, most) = (times::human(age), times::human(most));
            let what = format!("its parent {} was {age} old, at most {most} are allowed", named(parent));
            wrong.push(Found::new("max_age", what));
        }
    }
    let line = |image: &Ancestor| {
        if image.seen {
            format!("{} of {}", named(image), image.owner)
        } else {
            format!("{}, which is not there any more: what it descends from is not known", image.ami)
        }
    };
    let chain: Vec<String> = images.iter().map(line).collect();
    let good = format!("parent {} of {}", named(parent), parent.owner);
    Ok(Case::strict(GATE, wrong, good).looked_at(format!("looked at: {}", chain.join(" ← "))))
}

fn owned(gate: &ParentGate, image: &Ancestor, account: &str) -> bool {
    let is = |owner: &String| match owner.as_str() {
        "self" => !image.owner.is_empty() && image.owner == account,
        owner => image.owner == owner || image.owner_alias.as_deref() == Some(owner),
    };
    gate.owners.is_empty() || gate.owners.iter().any(is)
}

fn named(image: &Ancestor) -> String {
    if image.name.is_empty() { image.ami.clone() } else { format!("{} ({})", image.ami, image.name) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, one};
    use super::super::verdict::VerdictStatus::{Error, Fail, Pass};
    use super::*;
    use crate::evidence::Ancestry;
    use crate::project::Gates;
    use std::time::Duration;

    fn verdict(gate: ParentGate, change: impl FnOnce(&mut Ancestry)) -> Verdict {
        one(&Gates { parent: Some(gate), ..Gates::default() }, NOW, |evidence| {
            change(evidence.ancestry.as_mut().unwrap());
        })
    }

    fn owners(owners: &[&str]) -> ParentGate {
        ParentGate { owners: owners.iter().map(|owner| (*owner).to_owned()).collect(), max_age: None }
    }

    #[test]
    fn every_image_it_descends_from_has_an_allowed_owner() {
        assert_eq!(verdict(owners(&["136693071363"]), |_| {}).status, Pass);
        assert_eq!(verdict(owners(&["self"]), |_| {}).status, Fail);
        assert_eq!(verdict(owners(&["amazon"]), |all| all.images[0].owner_alias = Some("amazon".into())).status, Pass);
        let own = |all: &mut Ancestry| {
            let mut base = all.images[0].clone();
            (base.ami, base.owner) = ("ami-base".into(), "000000000000".into());
            all.images.insert(0, base);
        };
        assert_eq!(verdict(owners(&["self", "136693071363"]), own).status, Pass);
        let refused = verdict(owners(&["self"]), own);
        assert_eq!((refused.status, refused.findings[0].id.as_str()), (Fail, "ami-0aaaaaaaaaaaaaaaa"));
        assert!(refused.summary.contains("of 136693071363, which is not allowed"), "{}", refused.summary);
    }

    #[test]
    fn a_parent_that_is_not_known_is_an_error_and_a_forgotten_grandparent_is_said() {
        assert_eq!(verdict(owners(&["self"]), |all| all.images.clear()).status, Error);
        assert_eq!(verdict(owners(&[]), |all| all.images[0].seen = false).status, Error);
        let gone = Ancestor { ami: "ami-gone".into(), ..Ancestor::default() };
        let told = verdict(owners(&["136693071363"]), |all| all.images.push(gone));
        assert_eq!(told.status, Pass);
        assert!(told.details[0].contains("ami-gone, which is not there any more"), "{:?}", told.details);
        let none = one(&Gates { parent: Some(owners(&[])), ..Gates::default() }, NOW, |e| e.ancestry = None);
        assert_eq!(none.status, Error);
    }

    #[test]
    fn the_age_of_the_parent_is_that_at_the_birth_of_the_image() {
        let days = |days: u64| ParentGate { owners: vec![], max_age: Some(Duration::from_hours(24 * days)) };
        assert_eq!(verdict(days(23), |_| {}).status, Pass);
        let old = verdict(days(21), |_| {});
        assert_eq!((old.status, old.findings[0].id.as_str()), (Fail, "max_age"));
        assert!(old.summary.contains("was 22 days old, at most 21 days"), "{}", old.summary);
        assert_eq!(verdict(days(23), |all| all.images[0].created_at.clear()).status, Error);
    }
}
