use super::super::Known;
use super::super::copies::{Copies, Copy};
use super::*;
use crate::aws::{CallError, ServiceFault};
use crate::promote::state::{Pointers, TemplateNow};

fn release(ami: &str) -> Release {
    let value = serde_json::json!({
        "schema": "amiforge.release/1", "id": format!("id of {ami}"), "project": "acme", "recipe": "web", "arch": "x86_64",
        "channel": "candidate", "ami": ami, "image_arn": null, "image_version": "1.0.0/1", "evidence": "sha256:e",
        "targets": [], "promoted_at": "2026-01-01T00:00:00Z", "by": "host", "reason": "promoted",
    });
    serde_json::from_value(value).unwrap()
}

fn at(account: &str, region: &str) -> Location {
    Location { account: account.into(), region: region.into() }
}

fn found(account: &str, region: &str, ami: &str) -> Found {
    let (account, region, ami) = (account.into(), region.into(), ami.into());
    let copy = Copy { account, region, ami, approved: Some("id".into()), launched_by: vec![] };
    Found { copy, state: "available".into(), tagged: false }
}

fn pointing(account: &str, region: &str, template: &str, parameter: &str) -> Look {
    let some = |ami: &str| (!ami.is_empty()).then(|| ami.to_owned());
    let templates = vec![TemplateNow { before: None, ami: some(template) }];
    let seen = Pointers { templates, parameters: vec![some(parameter)] };
    Look { place: at(account, region), seen: Ok(seen) }
}

fn unseen(account: &str, region: &str) -> Look {
    let fault = ServiceFault {
        code: None,
        message: "no answer".into(),
        chain: String::new(),
        status: None,
        throttled: false,
        denied: false,
        unreachable: true,
    };
    let location = at(account, region);
    let error = CallError { operation: "DescribeLaunchTemplates", location: location.clone(), fault: Box::new(fault) };
    Look { place: location, seen: Err(error) }
}

fn channel(name: &str, record: Option<&str>, back_to: Option<&str>, pointers: Vec<Look>) -> Seen {
    Seen {
        channel: name.into(),
        record: record.map(release),
        text: None,
        back_to: back_to.map(release),
        passed_over: vec![],
        busy: None,
        pointers,
    }
}

fn survey(channels: Vec<Seen>) -> Survey {
    let (recipe, arch, ami) = ("web".into(), "x86_64".into(), "ami-1".into());
    Survey {
        release: Known { recipe, arch, ami, image_arn: None, image_version: Some("1.0.0/1".into()) },
        standing: None,
        channels,
        copies: Copies { found: vec![found("1", "home-1", "ami-1"), found("1", "far-1", "ami-1f")], unseen: vec![] },
    }
}

#[test]
fn each_channel_gets_what_it_needs() {
    let ids = ids(&[found("1", "far-1", "ami-1f")], "ami-1");
    let at_it = channel("a", Some("ami-1"), Some("ami-0"), vec![]);
    assert_eq!(action(&at_it, "ami-1", &ids), Some(Action::Back(Box::new(release("ami-0")))));
    assert_eq!(action(&channel("a", Some("ami-1"), None, vec![]), "ami-1", &ids), Some(Action::Empty));
    let elsewhere = |pointers| channel("a", Some("ami-2"), None, pointers);
    assert_eq!(action(&elsewhere(vec![pointing("1", "far-1", "ami-2f", "ami-2f")]), "ami-1", &ids), None);
    let repaired = elsewhere(vec![pointing("1", "far-1", "ami-2f", "ami-1f")]);
    assert_eq!(action(&repaired, "ami-1", &ids), Some(Action::Repair), "by hand");
    let nothing = channel("a", None, None, vec![pointing("1", "far-1", "ami-1f", "")]);
    assert_eq!(action(&nothing, "ami-1", &ids), None, "there is no release that it could be put right to");
}

#[test]
fn no_channel_is_emptied_that_may_not_be_and_none_is_touched_that_somebody_has() {
    let both = || vec![channel("a", Some("ami-1"), None, vec![]), channel("b", Some("ami-1"), Some("ami-0"), vec![])];
    let error = plan(&survey(both()), false, false).unwrap_err();
    assert!(matches!(&error, PromoteError::WouldBeEmpty { channels, .. } if *channels == ["a"]), "{error}");
    let planned = plan(&survey(both()), true, false).unwrap();
    let told: Vec<_> = planned.channels.iter().map(|one| (one.channel.as_str(), one.to.as_deref())).collect();
    assert_eq!(told, [("a", None), ("b", Some("ami-0"))]);
    assert!(planned.changes);

    let busy = |locked: bool| Busy { holder: "host/1".into(), since: "now".into(), to: None, locked };
    let held =
        |locked: bool| vec![Seen { busy: Some(busy(locked)), ..channel("b", Some("ami-1"), Some("ami-0"), vec![]) }];
    assert_eq!(plan(&survey(held(true)), false, false).unwrap_err().exit_code(), 11);
    assert_eq!(plan(&survey(held(false)), false, false).unwrap_err().exit_code(), 9);
    assert!(plan(&survey(held(true)), false, true).is_ok(), "who holds it is gone");
}

#[test]
fn an_image_is_held_by_every_pointer_and_by_every_place_that_cannot_be_seen() {
    let home = at("1", "home-1");
    let images = [found("1", "home-1", "ami-1"), found("1", "far-1", "ami-1f"), found("2", "far-1", "ami-1c")];
    let held =
        |channels: &[Seen]| super::held(&images, channels, &home).iter().map(Option::is_some).collect::<Vec<_>>();
    let here = |pointers| vec![channel("a", Some("ami-2"), None, pointers)];
    assert_eq!(held(&here(vec![pointing("1", "home-1", "ami-2", "ami-2")])), [false, false, false]);
    assert_eq!(held(&here(vec![pointing("2", "far-1", "ami-2", "ami-1f")])), [false, true, false]);
    assert_eq!(held(&here(vec![pointing("2", "far-1", "ami-1c", "ami-2")])), [false, false, true]);
    assert_eq!(held(&here(vec![unseen("2", "far-1")])), [false, true, true], "its own, or a shared one");
    assert_eq!(held(&here(vec![unseen("3", "far-1")])), [false, true, false], "it cannot use another's");
    let empty = |pointers| vec![channel("a", None, None, pointers)];
    assert_eq!(held(&empty(vec![pointing("1", "home-1", "ami-1", "")])), [false, false, false], "EC2 has none without");
    assert_eq!(held(&empty(vec![pointing("1", "home-1", "", "ami-1")])), [true, false, false]);
}

#[test]
fn what_is_withdrawn_everywhere_needs_nothing() {
    let gone =
        |found: Found| Found { state: "disabled".into(), tagged: true, copy: Copy { approved: None, ..found.copy } };
    let mut all = survey(vec![channel("a", Some("ami-2"), None, vec![])]);
    assert!(plan(&all, false, false).unwrap().changes);
    all.copies.found = all.copies.found.into_iter().map(gone).collect();
    let revocation = serde_json::json!({
        "schema": "amiforge.revocation/1", "id": "r", "project": "acme", "recipe": "web", "arch": "x86_64", "ami": "ami-1",
        "progress": "done", "channels": [], "reason": "why", "at": "2026-01-01T00:00:00Z", "by": "host",
    });
    all.standing = Some(serde_json::from_value(revocation).unwrap());
    assert!(!plan(&all, false, false).unwrap().changes);
    all.copies.found[1].state = "available".into();
    assert!(plan(&all, false, false).unwrap().changes, "somebody has enabled it by hand");
    all.copies.found[1].state = "disabled".into();
    all.copies.unseen.push(LeftOut { account: "2".into(), region: "far-1".into(), reason: "no answer".into() });
    assert!(plan(&all, false, false).unwrap().changes, "nobody knows what is there");
}
