//! Promotions against the local environment, cut off at every single call.

use super::many_tests::{approval, digest};
use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local};
use crate::project::{Channel, Project};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);

/// A local environment with three AMIs that carry evidence. Its clock stands; promotions differ by their holder.
struct House {
    local: Arc<Local>,
    project: Project,
    promotions: AtomicU64,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: Clock::fixed(START),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: crate::local::Beyond::default(),
            builds: crate::local::Builds::Real,
        })
        .unwrap();
        let served = Arc::clone(&local);
        let handler = move |request| served.handle(request);
        let cloud = testing::over(Arc::new(handler), Clock::fixed(START));
        let channel = |name: &str| Channel { name: name.into(), ..Channel::default() };
        let project = Project {
            root: "/p".into(),
            name: "acme".into(),
            environments: BTreeMap::new(),
            channels: vec![channel("candidate")],
            tags: BTreeMap::new(),
            lint: crate::project::LintConfig::default(),
            gates: crate::project::ProjectGates::default(),
            waivers: vec![],
            signing: crate::project::Signing::default(),
            recipes: BTreeMap::new(),
            components: BTreeMap::new(),
            partials: BTreeMap::new(),
            warnings: vec![],
            memory: std::sync::Arc::default(),
            workflows: BTreeMap::new(),
            baselines: BTreeMap::new(),
        };
        let house = Self { local, project, promotions: AtomicU64::new(0), cloud, _folder: folder };
        for ami in AMIS {
            house.image(ami, "available");
        }
        house
    }

    fn image(&self, id: &str, state: &str) {
        let scope = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
        let tags = BTreeMap::from([(crate::aws::tags::EVIDENCE.to_owned(), digest(id))]);
        let ami = Ami {
            id: id.into(),
            name: format!("image {id}"),
            description: String::new(),
            owner: DEFAULT_ACCOUNT.into(),
            public: false,
            architecture: "x86_64".into(),
            state: state.into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            root_device: "/dev/xvda".into(),
            snapshot: "snap-0123456789abcdef0".into(),
            volume_size: 8,
            volume_type: "gp3".into(),
            encrypted: true,
            imds_v2: true,
            platform: "Linux/UNIX".into(),
            tags,
            layers: vec![],
            launch_permissions: vec![],
            source: None,
            ..Ami::default()
        };
        let done: Result<(), StoreError> = self.local.store.write(|tx| tx.put(&scope, AMI, id, &ami));
        done.unwrap();
    }

    fn order(&self) -> Order<'_> {
        Order {
            project: &self.project,
            recipe: "debian-12",
            arch: "x86_64",
            channel: "candidate",
            launch_templates: vec!["debian-12-x86_64".into()],
            parameters: vec!["/golden/debian-12/x86_64/candidate".into()],
            reason: "test".into(),
            holder: format!("host/{}", self.promotions.load(Ordering::SeqCst)),
            quorum: None,
            caller: None,
            override_reason: None,
        }
    }

    async fn promote(&self, ami: &str) -> Result<Promotion, PromoteError> {
        self.promotions.fetch_add(1, Ordering::SeqCst);
        promote(&self.cloud, &self.order(), &candidate(ami), &approval(ami), &Events::none()).await
    }

    async fn rollback(&self) -> Result<Promotion, PromoteError> {
        self.promotions.fetch_add(1, Ordering::SeqCst);
        rollback(&self.cloud, &self.order(), None, &Events::none()).await
    }

    async fn resume(&self, direction: Direction) -> Result<Resumed, PromoteError> {
        let judge = async |ami: &str| Ok(approval(ami));
        resume(&self.cloud, &self.order(), direction, judge, &Events::none()).await
    }

    /// What users of the channel see.
    async fn seen(&self) -> Seen {
        let order = self.order();
        let state = observe(&self.cloud, &order, &candidate(AMIS[0])).await.unwrap();
        let pointers = state.seen[0].clone().unwrap();
        let versions = match &pointers.templates[0].before {
            Some(template) => {
                let cloud = &self.cloud;
                let request = cloud.ec2(cloud.home()).describe_launch_template_versions();
                let answer = request.launch_template_id(&template.id).send().await.unwrap();
                answer.launch_template_versions().len()
            }
            None => 0,
        };
        Seen {
            template: pointers.templates[0].ami.clone(),
            parameter: pointers.parameters[0].clone(),
            record: state.record.map(|(release, _)| release.ami),
            versions,
            journal: state.journal.is_some(),
            locked: state.lock.is_some(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    template: Option<String>,
    parameter: Option<String>,
    record: Option<String>,
    /// Versions of the launch template.
    versions: usize,
    journal: bool,
    locked: bool,
}

impl Seen {
    fn at(ami: &str, versions: usize) -> Self {
        let ami = Some(ami.to_owned());
        Self { template: ami.clone(), parameter: ami.clone(), record: ami, versions, journal: false, locked: false }
    }

    fn nothing() -> Self {
        Self { template: None, parameter: None, record: None, versions: 0, journal: false, locked: false }
    }
}

const AMIS: [&str; 3] = ["ami-00000000000000001", "ami-00000000000000002", "ami-00000000000000003"];

fn candidate(ami: &str) -> Candidate {
    Candidate { ami: ami.into(), image_arn: Some("arn:image".into()), image_version: Some("1.0.0/1".into()) }
}

#[tokio::test(start_paused = true)]
async fn a_promotion_moves_both_pointers_and_a_second_one_nothing() {
    let house = House::new();
    let first = house.promote(AMIS[0]).await.unwrap();
    assert!(first.changed);
    let placed = &first.release.targets[0];
    assert_eq!((placed.launch_templates[0].version, placed.launch_templates[0].previous), (1, None));
    assert_eq!(house.seen().await, Seen::at(AMIS[0], 1));
    let again = house.promote(AMIS[0]).await.unwrap();
    assert!(!again.changed);
    assert_eq!(again.release, first.release);

    let second = house.promote(AMIS[1]).await.unwrap();
    let placed = &second.release.targets[0];
    assert_eq!(
        (placed.launch_templates[0].version, placed.launch_templates[0].previous, placed.parameters[0].version),
        (2, Some(1), 2)
    );
    assert_eq!(second.release.previous.unwrap().ami, AMIS[0]);
    assert_eq!(house.seen().await, Seen::at(AMIS[1], 2));
}

#[tokio::test(start_paused = true)]
async fn rolling_back_twice_goes_back_two_releases_and_then_there_is_nothing() {
    let house = House::new();
    for ami in AMIS {
        house.promote(ami).await.unwrap();
    }
    let back = house.rollback().await.unwrap();
    assert_eq!((back.release.ami.as_str(), back.release.evidence), (AMIS[1], digest(AMIS[1])));
    assert_eq!(house.seen().await.parameter.as_deref(), Some(AMIS[1]));
    assert_eq!(house.rollback().await.unwrap().release.ami, AMIS[0]);
    let error = house.rollback().await.unwrap_err();
    assert!(matches!(error, PromoteError::NoEarlier { .. }), "{error}");
    let to = async |release: &str| {
        house.promotions.fetch_add(1, Ordering::SeqCst);
        rollback(&house.cloud, &house.order(), Some(release), &Events::none()).await
    };
    assert_eq!(to(AMIS[1]).await.unwrap().release.ami, AMIS[1], "by name to any release that was there");
    assert_eq!(to("ami-0000000000000000f").await.unwrap_err().exit_code(), 2);
    let held = history(&house.cloud, &house.order()).await.unwrap();
    let held: Vec<&str> = held.iter().map(|release| release.ami.as_str()).collect();
    assert_eq!(held, [AMIS[1], AMIS[0], AMIS[1], AMIS[2], AMIS[1], AMIS[0]]);
    // Forward again is an ordinary promotion.
    assert!(house.promote(AMIS[2]).await.unwrap().changed);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_an_ami_that_is_gone_is_refused() {
    let house = House::new();
    house.promote(AMIS[0]).await.unwrap();
    house.promote(AMIS[1]).await.unwrap();
    house.image(AMIS[0], "deregistered");
    let error = house.rollback().await.unwrap_err();
    assert_eq!((error.exit_code(), house.seen().await), (10, Seen::at(AMIS[1], 2)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn evidence_that_changed_since_the_judgement_is_refused() {
    let house = House::new();
    let approval = Approval { digest: "sha256:of another validation".into(), ..approval(AMIS[0]) };
    let error =
        promote(&house.cloud, &house.order(), &candidate(AMIS[0]), &approval, &Events::none()).await.unwrap_err();
    assert_eq!((error.exit_code(), house.seen().await), (8, Seen::nothing()));
}

#[tokio::test(start_paused = true)]
async fn two_promotions_at_once_do_not_mix() {
    let house = House::new();
    house.promote(AMIS[0]).await.unwrap();
    let order = Order { holder: "another/1".into(), ..house.order() };
    let state = observe(&house.cloud, &order, &candidate(AMIS[2])).await.unwrap();
    let now = house.cloud.clock().now();
    let Decision::Go(late) = plan(&order, &candidate(AMIS[2]), None, &state, now).unwrap() else { panic!() };
    house.promote(AMIS[1]).await.unwrap();
    let error = execute(&house.cloud, &late, &Events::none()).await.unwrap_err();
    assert_eq!(error.exit_code(), 11, "{error}");
    assert_eq!(house.seen().await, Seen::at(AMIS[1], 2));
}

/// Calls a whole promotion makes.
async fn calls(before: &[&str]) -> u64 {
    let house = House::new();
    for ami in before {
        house.promote(ami).await.unwrap();
    }
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    house.local.set_faults(Some(Box::new(move |_, _, nth| {
        counter.store(nth, Ordering::SeqCst);
        None
    })));
    house.promote(AMIS[1]).await.unwrap();
    count.load(Ordering::SeqCst)
}

/// The two ends there may be: as before, or moved.
fn ends(before: &[&str]) -> [Seen; 2] {
    match before {
        [] => [Seen::nothing(), Seen::at(AMIS[1], 1)],
        [one] => [Seen::at(one, 1), Seen::at(AMIS[1], 2)],
        _ => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_it_can_be_finished_and_undone() {
    for before in [&[][..], &AMIS[..1]] {
        let [old, new] = ends(before);
        for nth in 1..=calls(before).await {
            // To stop before a call leaves what stopping after the one before it leaves, so only the first needs both.
            let faults = if nth == 1 { &[Fault::Stop, Fault::StopAfter][..] } else { &[Fault::StopAfter] };
            for &fault in faults {
                for direction in [Direction::Finish, Direction::Undo] {
                    let house = House::new();
                    for ami in before {
                        house.promote(ami).await.unwrap();
                    }
                    house.local.set_faults(Some(Box::new(move |_, _, call| (call == nth).then_some(fault))));
                    let error = house.promote(AMIS[1]).await.unwrap_err();
                    house.local.set_faults(None);
                    let place = format!("{before:?} {fault:?} at call {nth}, {direction:?} after: {error}");
                    let cut = house.seen().await;
                    if cut.record == new.record {
                        assert_eq!((&cut.template, &cut.parameter), (&new.template, &new.parameter), "{place}");
                    }
                    match house.resume(direction).await {
                        // Nothing had begun, or nothing was left to do.
                        Err(PromoteError::NothingToResume { .. }) => {
                            assert!(cut == old || cut == new, "{place}: {cut:?}");
                        }
                        Err(other) => panic!("{place}: {other}"),
                        Ok(_) => {}
                    }
                    let end = house.seen().await;
                    assert!(end == old || end == new, "{place}: {end:?}");
                    if cut.journal {
                        // Once it is recorded it has happened, and undoing is the business of a rollback.
                        let expected =
                            if direction == Direction::Finish || cut.record == new.record { &new } else { &old };
                        assert_eq!(end, *expected, "{place}");
                    }
                    assert!(house.promote(AMIS[1]).await.is_ok(), "{place}: the next promotion works");
                    assert_eq!(house.seen().await.parameter, new.parameter, "{place}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_throttling_or_a_passing_failure_at_any_call_changes_nothing() {
    for before in [&[][..], &AMIS[..1]] {
        let [_, new] = ends(before);
        for nth in 1..=calls(before).await {
            for fault in [Fault::LoseResponse, if nth % 2 == 0 { Fault::Throttle } else { Fault::Fail }] {
                let house = House::new();
                for ami in before {
                    house.promote(ami).await.unwrap();
                }
                house.local.set_faults(Some(Box::new(move |_, _, call| (call == nth).then_some(fault))));
                let end = house.promote(AMIS[1]).await;
                house.local.set_faults(None);
                assert!(end.is_ok(), "{before:?} {fault:?} at call {nth}: {}", end.unwrap_err());
                assert_eq!(house.seen().await, new, "{before:?} {fault:?} at call {nth}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_for_good_is_undone_and_the_lock_released() {
    // As many failures in a row as the SDK makes attempts: the step fails, its undo works.
    for before in [&[][..], &AMIS[..1]] {
        let [old, new] = ends(before);
        for nth in 1..=calls(before).await {
            for fault in [Fault::Fail, Fault::LoseResponse] {
                let house = House::new();
                for ami in before {
                    house.promote(ami).await.unwrap();
                }
                house.local.set_faults(Some(Box::new(move |_, _, call| {
                    (nth..nth + crate::aws::ATTEMPTS).contains(&call).then_some(fault)
                })));
                let result = house.promote(AMIS[1]).await;
                house.local.set_faults(None);
                let place = format!("{before:?} {fault:?} from call {nth}: {result:?}");
                let end = house.seen().await;
                match &result {
                    Ok(_) => assert_eq!(end, new, "{place}"),
                    Err(PromoteError::Untidy { .. }) => {
                        assert!(matches!(house.resume(Direction::Finish).await, Ok(Resumed::Finished(_))), "{place}");
                        assert_eq!(house.seen().await, new, "{place}");
                    }
                    Err(PromoteError::Failed { step, .. }) => {
                        assert!(!matches!(step, Step::Clear | Step::Unlock), "it had happened: {place}");
                        assert_eq!(end, old, "{place}");
                    }
                    Err(PromoteError::Call(_) | PromoteError::Unseen { .. }) => assert_eq!(end, old, "{place}"),
                    Err(other) => panic!("{other}: {place}"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_leaves_everything_as_it_was_and_says_so() {
    let house = House::new();
    house.promote(AMIS[0]).await.unwrap();
    house.local.set_faults(Some(Box::new(|_, operation, nth| {
        (operation == "ModifyLaunchTemplate" && nth < 1000).then_some(Fault::Fail)
    })));
    let error = house.promote(AMIS[1]).await.unwrap_err();
    house.local.set_faults(None);
    assert!(error.to_string().contains("everything is as it was before"), "{error}");
    assert_eq!(house.seen().await, Seen::at(AMIS[0], 1));
}

/// Whether the process still lives is not known: until the lock expires only a person says that it does not.
#[tokio::test(start_paused = true)]
async fn a_crashed_promotion_is_under_way_until_its_lock_expires_or_somebody_resumes_it() {
    for (direction, end) in [(Direction::Finish, Seen::at(AMIS[1], 2)), (Direction::Undo, Seen::at(AMIS[0], 1))] {
        let house = House::new();
        house.promote(AMIS[0]).await.unwrap();
        house.local.set_faults(Some(Box::new(|_, operation, _| {
            (operation == "CreateLaunchTemplateVersion").then_some(Fault::StopAfter)
        })));
        house.promote(AMIS[1]).await.unwrap_err();
        house.local.set_faults(None);
        let refused = house.promote(AMIS[2]).await.unwrap_err();
        assert!(matches!(&refused, PromoteError::Locked { holder, .. } if holder == "host/2"), "{refused}");
        let next = refused.next().unwrap();
        assert!(next.contains("only when the process that began it is gone") && next.contains("--resume"), "{next}");
        if direction == Direction::Undo {
            let name = names::lock("acme", "debian-12", "x86_64", "candidate");
            let lock = state::lock(&house.cloud, &name).await.unwrap().unwrap();
            let expired = model::Lock { expires: "2026-01-02T03:04:04Z".into(), ..lock };
            store::put_document(&house.cloud, &name, &serde_json::to_string(&expired).unwrap()).await.unwrap();
            let refused = house.promote(AMIS[2]).await.unwrap_err();
            assert_eq!(refused.exit_code(), 9, "{refused}");
        }
        house.resume(direction).await.unwrap();
        assert_eq!(house.seen().await, end);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumption_that_fails_puts_everything_back_or_can_be_resumed_again() {
    let [old, new] = ends(&AMIS[..1]);
    let attempts = crate::aws::ATTEMPTS;
    for nth in 1..=30 {
        let house = House::new();
        house.promote(AMIS[0]).await.unwrap();
        // Cut off when the version is staged and nothing is flipped.
        house.local.set_faults(Some(Box::new(|_, operation, _| {
            (operation == "CreateLaunchTemplateVersion").then_some(Fault::StopAfter)
        })));
        house.promote(AMIS[1]).await.unwrap_err();
        // A write whose answers are lost, and the look after it fails as well.
        house.local.set_faults(Some(Box::new(move |_, _, call| {
            (nth..nth + 2 * attempts).contains(&call).then_some(Fault::LoseResponse)
        })));
        let result = house.resume(Direction::Finish).await;
        house.local.set_faults(None);
        let place = format!("from call {nth}: {result:?}");
        let end = house.seen().await;
        match &result {
            Ok(_) => assert_eq!(end, new, "{place}"),
            Err(PromoteError::Failed { .. }) => assert_eq!(end, old, "{place}"),
            Err(_) => {
                let again = house.resume(Direction::Finish).await;
                assert!(matches!(again, Ok(_) | Err(PromoteError::NothingToResume { .. })), "{place}: {again:?}");
                assert_eq!(house.seen().await, new, "{place}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_changed_since_planning_is_not_overwritten() {
    let house = House::new();
    house.promote(AMIS[0]).await.unwrap();
    let order = house.order();
    let state = observe(&house.cloud, &order, &candidate(AMIS[1])).await.unwrap();
    let Decision::Go(late) = plan(&order, &candidate(AMIS[1]), None, &state, START).unwrap() else { panic!() };
    let name = record_name("acme", "debian-12", "x86_64", "candidate");
    let text = get_parameter(&house.cloud, house.cloud.home(), &name).await.unwrap().unwrap().value;
    let other = text.replace("host/1", "host/9");
    assert_ne!(text, other);
    store::put_document(&house.cloud, &name, &other).await.unwrap();
    let error = execute(&house.cloud, &late, &Events::none()).await.unwrap_err();
    assert!(matches!(&error, PromoteError::Failed { cause: StepError::Changed(_), .. }), "{error}");
    assert_eq!(house.seen().await, Seen::at(AMIS[0], 1));
}
