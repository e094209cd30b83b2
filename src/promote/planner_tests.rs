use super::super::approve::{Builder, Consent};
use super::super::image::Image;
use super::super::model::{ParameterPointer, Placed, TemplateBefore, TemplatePointer};
use super::super::state::{Pointers, TemplateNow};
use super::super::steps::{Step, Undo};
use super::*;
use crate::aws::CallError;
use crate::gate::{Verdict, VerdictStatus};
use crate::project::{EnvironmentConfig, LocalConfig, Location, Project, Target};
use std::collections::BTreeMap;
use std::time::Duration;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-10 12:00:00 UTC);

fn channel(name: &str, after: Option<&str>, soak: Option<u64>, approval_required: bool) -> Channel {
    Channel {
        name: name.into(),
        after: after.map(Into::into),
        soak: soak.map(Duration::from_secs),
        approval_required,
        ..Channel::default()
    }
}

fn project() -> Project {
    Project {
        root: "/p".into(),
        name: "acme".into(),
        environments: BTreeMap::new(),
        channels: vec![
            channel("candidate", None, None, false),
            channel("staging", Some("candidate"), Some(3600), false),
            channel("production", Some("staging"), None, true),
        ],
        tags: BTreeMap::new(),
        lint: crate::project::LintConfig::default(),
        gates: crate::project::ProjectGates::default(),
        waivers: vec![],
        signing: crate::project::Signing::default(),
        recipes: BTreeMap::new(),
        components: BTreeMap::new(),
        partials: BTreeMap::new(),
        workflows: BTreeMap::new(),
        baselines: BTreeMap::new(),
        warnings: vec![],
        memory: std::sync::Arc::default(),
    }
}

fn order<'a>(project: &'a Project, channel: &'a str) -> Order<'a> {
    Order {
        project,
        recipe: "debian-12",
        arch: "x86_64",
        channel,
        launch_templates: vec!["debian-12-x86_64".into()],
        parameters: vec![format!("/golden/debian-12/x86_64/{channel}")],
        reason: "test".into(),
        holder: "host/1".into(),
        quorum: None,
        caller: None,
        override_reason: None,
    }
}

fn candidate(ami: &str) -> Candidate {
    Candidate { ami: ami.into(), image_arn: None, image_version: Some("1.0.0/1".into()) }
}

fn home() -> Location {
    Location { account: "000000000000".into(), region: "us-east-1".into() }
}

/// Neither launch template nor parameter.
fn nothing() -> Pointers {
    Pointers { templates: vec![TemplateNow::default()], parameters: vec![None] }
}

/// Nothing promoted yet, the candidate available with evidence `sha256:e`.
fn empty() -> State {
    State {
        environment: "local".into(),
        config: EnvironmentConfig::Local(LocalConfig::default()),
        home: home(),
        targets: vec![Target { location: home(), role: None }],
        record: None,
        journal: None,
        lock: None,
        before: None,
        revoked: None,
        image: Image { state: Some("available".into()), evidence: Some("sha256:e".into()), ..Image::default() },
        consent: None,
        builder: Builder::Unknown,
        keys: vec![],
        copies: BTreeMap::new(),
        seen: vec![Ok(nothing())],
    }
}

fn approval() -> Approval {
    Approval { digest: "sha256:e".into(), verdicts: vec![verdict(VerdictStatus::Pass)] }
}

fn verdict(status: VerdictStatus) -> Verdict {
    Verdict { gate: "patches".into(), status, summary: "3 missing".into(), details: vec![], findings: vec![] }
}

fn released(channel: &str, ami: &str, promoted_at: &str) -> Release {
    Release {
        schema: RELEASE_SCHEMA.into(),
        id: "old".into(),
        project: "acme".into(),
        recipe: "debian-12".into(),
        arch: "x86_64".into(),
        channel: channel.into(),
        ami: ami.into(),
        image_arn: None,
        image_version: Some("1.0.0/1".into()),
        evidence: "sha256:e".into(),
        targets: vec![Placed {
            account: home().account,
            region: home().region,
            ami: ami.into(),
            launch_templates: vec![TemplatePointer {
                name: "debian-12-x86_64".into(),
                id: "lt-1".into(),
                version: 3,
                previous: Some(2),
            }],
            parameters: vec![ParameterPointer { name: format!("/golden/debian-12/x86_64/{channel}"), version: 1 }],
        }],
        left_out: vec![],
        promoted_at: promoted_at.into(),
        by: "host/0".into(),
        caller: None,
        overridden: None,
        resumed_by: vec![],
        empty: false,
        reason: "test".into(),
        previous: None,
    }
}

/// `ami` is in the channel and every pointer is at it.
fn at(ami: &str) -> State {
    State {
        record: Some((released("candidate", ami, "2026-01-01T00:00:00Z"), "text".into())),
        seen: vec![Ok(Pointers {
            templates: vec![TemplateNow {
                before: Some(TemplateBefore { id: "lt-1".into(), default_version: 3 }),
                ami: Some(ami.into()),
            }],
            parameters: vec![Some(ami.into())],
        })],
        ..empty()
    }
}

fn go(channel: &str, state: &State, approval: &Approval) -> Result<Decision, PromoteError> {
    let project = project();
    plan(&order(&project, channel), &candidate("ami-2"), Some(approval), state, NOW)
}

fn refusal(channel: &str, state: &State, approval: &Approval) -> (String, u8) {
    let error = go(channel, state, approval).unwrap_err();
    (error.to_string(), error.exit_code())
}

fn planned(decision: Decision) -> Plan {
    match decision {
        Decision::Go(plan) => *plan,
        Decision::Nothing(release) => panic!("nothing to do: {release:?}"),
    }
}

#[test]
fn the_steps_stand_in_the_designs_order_and_each_has_its_undo() {
    let plan = planned(go("candidate", &at("ami-1"), &approval()).unwrap());
    let steps = plan.steps();
    assert_eq!(
        steps,
        [
            Step::Lock,
            Step::Verify,
            Step::Journal,
            Step::Distribute(0),
            Step::Stage(0),
            Step::Prove(0),
            Step::Hold,
            Step::FlipTemplate(0),
            Step::FlipParameter(0),
            Step::Record,
            Step::Clear,
            Step::Unlock
        ]
    );
    let changing = |step: &Step| !matches!(step, Step::Verify | Step::Prove(_) | Step::Hold);
    for step in &steps {
        assert_eq!(changing(step), step.undo() != Undo::Nothing, "{step:?}");
        assert!(!step.describe(&plan).is_empty());
    }
}

#[test]
fn with_two_targets_nothing_is_flipped_before_everything_is_proven() {
    let mut plan = planned(go("candidate", &at("ami-1"), &approval()).unwrap());
    plan.moves.push(plan.moves[0].clone());
    let steps = plan.steps();
    let last = |wanted: fn(&Step) -> bool| steps.iter().rposition(wanted).unwrap();
    let first = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    assert!(last(|step| matches!(step, Step::Stage(_))) < first(|step| matches!(step, Step::Prove(_))));
    assert!(last(|step| matches!(step, Step::Prove(_))) < first(|step| matches!(step, Step::FlipTemplate(_))));
    assert!(last(|step| matches!(step, Step::FlipParameter(_))) < first(|step| matches!(step, Step::Record)));
    assert_eq!(steps.iter().filter(|step| matches!(step, Step::FlipTemplate(_))).count(), 2);
    assert!(steps.is_sorted(), "the order of the kinds is the order of the steps");
}

#[test]
fn the_plan_keeps_what_was_before_and_fits_a_parameter() {
    let plan = planned(go("candidate", &at("ami-1"), &approval()).unwrap());
    assert_eq!(
        plan.moves[0].launch_templates[0].before,
        Some(TemplateBefore { id: "lt-1".into(), default_version: 3 })
    );
    assert_eq!(plan.moves[0].parameters[0].before.as_deref(), Some("ami-1"));
    assert_eq!(plan.previous.as_ref().map(|release| release.ami.as_str()), Some("ami-1"));
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.len() < 4096, "{} bytes", text.len());
    assert_eq!((plan.supplies.len(), plan.moves[0].supply), (1, 0));
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(Plan { record_before: None, from: None, ..plan.clone() }, read);
    assert_eq!(read.steps(), plan.steps());
}

#[test]
fn a_channel_that_is_there_already_needs_nothing_not_even_approval() {
    let nobody = Approval { digest: String::new(), verdicts: vec![] };
    assert!(
        matches!(go("candidate", &at("ami-2"), &nobody).unwrap(), Decision::Nothing(release) if release.ami == "ami-2")
    );
}

#[test]
fn a_pointer_that_was_moved_by_hand_is_moved_again() {
    let mut state = at("ami-2");
    state.seen[0].as_mut().unwrap().parameters[0] = Some("ami-9".into());
    assert!(matches!(go("candidate", &state, &approval()).unwrap(), Decision::Go(_)));
    let mut state = at("ami-2");
    state.seen[0].as_mut().unwrap().templates[0].ami = Some("ami-9".into());
    assert!(matches!(go("candidate", &state, &approval()).unwrap(), Decision::Go(_)));
}

#[test]
fn only_fresh_passing_evidence_that_the_ami_carries_approves() {
    let with = |digest: &str, verdicts: Vec<Verdict>| Approval { digest: digest.into(), verdicts };
    let pass = || vec![verdict(VerdictStatus::Pass)];
    for (approval, expected) in [
        (with("", pass()), "there is no evidence"),
        (with("sha256:other", pass()), "its tag names evidence sha256:e"),
        (with("sha256:e", vec![]), "no gate was evaluated"),
        (with("sha256:e", vec![verdict(VerdictStatus::Fail)]), "1 of 1 gates do not pass (patches: 3 missing)"),
        (with("sha256:e", vec![verdict(VerdictStatus::Error)]), "1 of 1 gates"),
        (with("sha256:e", vec![verdict(VerdictStatus::Pass), verdict(VerdictStatus::Stale)]), "1 of 2 gates"),
    ] {
        let (text, exit) = refusal("candidate", &empty(), &approval);
        assert!(text.contains(expected), "{text}");
        assert_eq!(exit, 8);
    }
    let waived = with("sha256:e", vec![verdict(VerdictStatus::Waived)]);
    assert!(go("candidate", &empty(), &waived).is_ok());
    let mut untagged = empty();
    untagged.image.evidence = None;
    assert!(refusal("candidate", &untagged, &approval()).0.contains("carries no evidence"));
}

#[test]
fn an_ami_that_is_gone_or_not_available_is_refused() {
    for state in [None, Some("pending"), Some("disabled")] {
        let mut there = empty();
        there.image.state = state.map(Into::into);
        assert_eq!(refusal("candidate", &there, &approval()).1, 10);
    }
}

#[test]
fn channels_hold_their_rules() {
    let with = |before: Option<Release>| State { before, ..empty() };
    let (text, exit) = refusal("staging", &with(None), &approval());
    assert!(text.contains("must be in channel `candidate` first, which is empty"), "{text}");
    assert_eq!(exit, 8);
    let other = released("candidate", "ami-1", "2026-01-01T00:00:00Z");
    assert!(refusal("staging", &with(Some(other)), &approval()).0.contains("which holds ami-1"));
    let fresh = released("candidate", "ami-2", "2026-01-10T11:30:00Z");
    let text = refusal("staging", &with(Some(fresh)), &approval()).0;
    assert!(text.contains("(until 2026-01-10T12:30:00Z), it has been 30 min 00 s"), "{text}");
    let unreadable = released("candidate", "ami-2", "yesterday");
    assert!(refusal("staging", &with(Some(unreadable)), &approval()).0.contains("cannot be read"));
    let future = released("candidate", "ami-2", "2027-01-01T00:00:00Z");
    assert!(refusal("staging", &with(Some(future)), &approval()).0.contains("must soak"));
    let soaked = released("candidate", "ami-2", "2026-01-10T11:00:00Z");
    assert!(go("staging", &with(Some(soaked.clone())), &approval()).is_ok());
    let refused = go("production", &with(Some(soaked)), &approval()).unwrap_err();
    assert!(refused.to_string().contains("a person must approve it"), "{refused}");
    let next = refused.next().unwrap();
    assert_eq!(next, "amiforge approve ami-2 --recipe debian-12 --channel production --reason TEXT");
    let given = |evidence: &str, by: &str| Consent {
        schema: "amiforge.approval/1".into(),
        ami: "ami-2".into(),
        evidence: evidence.into(),
        by: by.into(),
        at: "2026-01-10T11:00:00Z".into(),
        reason: "looked at it".into(),
    };
    let before = released("staging", "ami-2", "2026-01-10T11:00:00Z");
    let approved = |consent: Consent| State { consent: Some(consent), ..with(Some(before.clone())) };
    assert!(go("production", &approved(given("sha256:e", "arn:a")), &approval()).is_ok());
    let text = refusal("production", &approved(given("sha256:old", "arn:a")), &approval()).0;
    assert!(text.contains("with other evidence"), "{text}");
    let mut strict = project();
    strict.channels[2].approval_by_another = true;
    let by = |caller: Option<&str>, by: &str| {
        let before = Release { caller: caller.map(Into::into), ..before.clone() };
        let builder = Builder::Schedule;
        let state = State { builder, consent: Some(given("sha256:e", by)), ..with(Some(before)) };
        plan(&order(&strict, "production"), &candidate("ami-2"), Some(&approval()), &state, NOW).map(|_| ())
    };
    assert!(by(Some("arn:a"), "arn:b").is_ok());
    for caller in [None, Some("arn:b")] {
        assert_eq!(by(caller, "arn:b").unwrap_err().exit_code(), 8, "{caller:?}");
    }
    assert_eq!(refusal("nightly", &empty(), &approval()).1, 2);
}

#[test]
fn windows_and_freezes_close_a_channel_and_an_override_is_recorded_unless_forbidden() {
    let mut closed = project();
    // NOW is a Saturday.
    closed.channels[0].windows = vec![crate::project::Window::parse("Mon-Fri 08:00-16:00").unwrap()];
    let with = |project: &Project, reason: Option<&str>| {
        let order = Order { override_reason: reason.map(Into::into), ..order(project, "candidate") };
        plan(&order, &candidate("ami-2"), Some(&approval()), &empty(), NOW)
    };
    let text = with(&closed, None).unwrap_err().to_string();
    assert!(text.contains("takes releases Mon-Fri 08:00-16:00 (UTC) only"), "{text}");
    let release = planned(with(&closed, Some("zero day")).unwrap()).release;
    assert!(release.overridden.as_ref().is_some_and(|text| text.starts_with("zero day (although")), "{release:?}");
    assert_eq!(with(&closed, Some(" ")).unwrap_err().exit_code(), 2);
    closed.channels[0].windows.clear();
    assert_eq!(planned(with(&closed, Some("not needed")).unwrap()).release.overridden, None);
    let (from, to) = (time::macros::date!(2026 - 01 - 10), time::macros::date!(2026 - 01 - 11));
    closed.channels[0].freezes = vec![crate::project::Freeze { from, to, reason: "fair".into() }];
    closed.channels[0].after = Some("staging".into());
    let passed_over = planned(with(&closed, Some("zero day")).unwrap()).release.overridden.unwrap();
    assert!(passed_over.contains("frozen") && passed_over.contains("`staging` first"), "each of them: {passed_over}");
    closed.channels[0].override_forbidden = true;
    let text = with(&closed, Some("zero day")).unwrap_err().to_string();
    assert!(text.contains("does not allow --override"), "{text}");
    let nobody = Approval { digest: "sha256:other".into(), ..approval() };
    closed.channels[0].override_forbidden = false;
    let order = Order { override_reason: Some("zero day".into()), ..order(&closed, "candidate") };
    let refused = plan(&order, &candidate("ami-2"), Some(&nobody), &empty(), NOW).unwrap_err();
    assert!(matches!(refused, PromoteError::NotApproved { .. }), "evidence is never passed over: {refused}");
}

#[test]
fn a_rollback_is_not_held_up_by_rules_or_gates() {
    let project = project();
    let decision = plan(&order(&project, "production"), &candidate("ami-2"), None, &empty(), NOW).unwrap();
    assert_eq!(planned(decision).evidence_tag, None);
}

fn far() -> Location {
    Location { region: "eu-west-1".into(), ..home() }
}

fn denied() -> CallError {
    let fault = crate::aws::ServiceFault {
        code: Some("UnauthorizedOperation".into()),
        message: "no".into(),
        chain: String::new(),
        status: Some(403),
        throttled: false,
        denied: true,
        unreachable: false,
    };
    CallError { operation: "DescribeLaunchTemplates", location: far(), fault: Box::new(fault) }
}

#[test]
fn a_target_in_another_region_gets_its_own_image_and_keeps_its_own_state() {
    let mut state = at("ami-1");
    state.targets.push(Target { location: far(), role: None });
    state.seen.push(Ok(Pointers { parameters: vec![Some("ami-7".into())], ..nothing() }));
    let plan = planned(go("candidate", &state, &approval()).unwrap());
    assert_eq!(plan.supplies.iter().map(|one| one.ami.as_deref()).collect::<Vec<_>>(), [Some("ami-2"), None]);
    assert_eq!((plan.moves[1].supply, plan.moves[1].parameters[0].before.as_deref()), (1, Some("ami-7")));
    assert_eq!(plan.moves[1].launch_templates[0].before, None);
    assert!(plan.steps().contains(&Step::Note), "the journal learns the id of the copy");
}

#[test]
fn a_target_that_cannot_be_seen_holds_everything_unless_a_quorum_does_without_it() {
    let mut state = empty();
    state.targets.push(Target { location: far(), role: None });
    state.seen.push(Err(denied()));
    let (text, exit) = refusal("candidate", &state, &approval());
    assert!(
        text.contains("1 of 2 targets could not be looked at") && text.contains("000000000000/eu-west-1"),
        "{text}"
    );
    assert_eq!(exit, 12);
    let project = project();
    let with = |quorum| {
        let order = Order { quorum: Some(quorum), ..order(&project, "candidate") };
        plan(&order, &candidate("ami-2"), Some(&approval()), &state, NOW)
    };
    let planned = planned(with(1).unwrap());
    assert_eq!((planned.moves.len(), planned.left_out.len(), planned.left_out[0].region.as_str()), (1, 1, "eu-west-1"));
    assert_eq!(with(2).unwrap_err().exit_code(), 12, "not enough are left");
    state.targets.clear();
    state.seen.clear();
    assert_eq!(refusal("candidate", &state, &approval()).1, 2);
}

#[test]
fn a_lock_refuses_until_it_expires_and_a_journal_until_it_is_resumed() {
    let lock = |id: &str, expires: &str| Lock {
        again: vec![],
        journal_parts: 0,
        schema: "amiforge.lock/1".into(),
        id: id.into(),
        holder: "host/7".into(),
        since: "2026-01-10T11:59:00Z".into(),
        expires: expires.into(),
    };
    let (past, future) = ("2026-01-10T11:59:59Z", "2026-01-10T13:00:00Z");
    let with = |journal: Option<Plan>, lock: Option<Lock>| State { journal, lock, ..empty() };
    let (text, exit) = refusal("candidate", &with(None, Some(lock("x", future))), &approval());
    assert_eq!((text.as_str(), exit), ("channel `candidate` is locked by host/7 since 2026-01-10T11:59:00Z", 11));
    assert_eq!(refusal("candidate", &with(None, Some(lock("x", "soon"))), &approval()).1, 11);
    assert!(go("candidate", &with(None, Some(lock("x", past))), &approval()).is_ok());

    let journal = planned(go("candidate", &empty(), &approval()).unwrap());
    let own = journal.release.id.clone();
    assert_eq!(refusal("candidate", &with(Some(journal.clone()), None), &approval()).1, 9);
    for id in [own.as_str(), "x"] {
        let held = with(Some(journal.clone()), Some(lock(id, future)));
        assert_eq!(refusal("candidate", &held, &approval()).1, 11, "{id} is at it, and may be alive");
        let left = with(Some(journal.clone()), Some(lock(id, past)));
        assert_eq!(refusal("candidate", &left, &approval()).1, 9, "{id} is not at it any more");
    }
}

#[test]
fn promotions_of_the_same_release_at_other_times_have_other_ids() {
    let project = project();
    let id = |now: OffsetDateTime, holder: &str| {
        let order = Order { holder: holder.into(), ..order(&project, "candidate") };
        planned(plan(&order, &candidate("ami-2"), Some(&approval()), &empty(), now).unwrap()).release.id
    };
    assert_eq!(id(NOW, "host/1"), id(NOW, "host/1"));
    assert_ne!(id(NOW, "host/1"), id(NOW, "host/2"));
    assert_ne!(id(NOW, "host/1"), id(NOW + Duration::from_secs(1), "host/1"));
}

#[test]
fn a_revoked_release_is_refused_by_its_record_and_by_its_tag_whatever_else_holds() {
    let revocation = serde_json::json!({
        "schema": "amiforge.revocation/1", "id": "r", "project": "acme", "recipe": "debian-12", "arch": "x86_64",
        "ami": "ami-2", "progress": "begun", "channels": [], "reason": "a back door", "at": "2026-01-09T00:00:00Z",
        "by": "host",
    });
    let recorded = State { revoked: Some(serde_json::from_value(revocation).unwrap()), ..at("ami-1") };
    let (text, code) = refusal("candidate", &recorded, &approval());
    assert_eq!((text.as_str(), code), ("ami-2 was revoked at 2026-01-09T00:00:00Z by host: a back door", 8));
    let mut tagged = at("ami-1");
    tagged.image.revoked = Some("2026-01-09T00:00:00Z a back door".into());
    assert_eq!(refusal("candidate", &tagged, &approval()).1, 8);
    // Being there already is no way around it.
    let there = State { revoked: recorded.revoked.clone(), ..at("ami-2") };
    assert_eq!(refusal("candidate", &there, &approval()).1, 8);
}

#[test]
fn a_channel_is_emptied_in_the_machines_order_and_its_record_says_what_was_in_it() {
    let project = project();
    let order = order(&project, "candidate");
    let plan = emptying(&order, &at("ami-1"), NOW).unwrap();
    let remove = Step::RemoveParameter(0);
    let closing = [Step::Record, Step::Clear, Step::Unlock];
    assert_eq!(plan.steps(), [&[Step::Lock, Step::Verify, Step::Journal, Step::Hold, remove][..], &closing].concat());
    assert_eq!(remove.undo(), Undo::ParameterAgain(0));
    assert!(plan.release.empty && plan.previous.is_none());
    assert_eq!((plan.release.ami.as_str(), plan.moves[0].parameters[0].before.as_deref()), ("ami-1", Some("ami-1")));
    let emptied = State { record: Some((plan.release.clone(), "text".into())), ..at("ami-1") };
    assert!(matches!(emptying(&order, &emptied, NOW), Err(PromoteError::NoEarlier { .. })));
    let filled = planned(go("candidate", &emptied, &approval()).unwrap());
    assert_eq!((filled.previous, filled.from, filled.record_before.as_deref()), (None, None, Some("text")));
}
