//! Publications against the local environment: several accounts and Regions, lost answers, a cut at every single call.

use super::*;
use crate::aws::{Cloud, testing};
use crate::clock::Clock;
use crate::event::Events;
use crate::local::{Config, Fault, Local};
use crate::patch::{OperatingSystem, predefined};
use crate::project::{Location, Project};
use std::collections::BTreeMap;
use std::sync::Arc;

const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);
const DEBIAN: &str = "AWS-DebianDefaultPatchBaseline";

/// A local environment, and a project with the baselines `golden` (Debian) and `windows`.
struct House {
    local: Arc<Local>,
    cloud: Cloud,
    project: Project,
    _folder: tempfile::TempDir,
}

fn place(account: &str, region: &str) -> Location {
    Location { account: account.into(), region: region.into() }
}

/// Another Region of the home account, and another account.
fn elsewhere() -> Vec<Location> {
    vec![place(testing::ACCOUNT, "eu-west-1"), place("444455556666", "us-east-1")]
}

fn everywhere() -> Vec<Location> {
    [vec![place(testing::ACCOUNT, testing::REGION)], elsewhere()].concat()
}

impl House {
    fn new(targets: &[Location]) -> Self {
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
        let cloud = testing::across(Arc::new(move |request| served.handle(request)), Clock::fixed(START), targets);
        let (mut project, _) = crate::plan::project_fixture();
        project.name = "acme".into();
        project.tags = BTreeMap::from([("owner".into(), "platform".into())]);
        let mut house = Self { local, cloud, project, _folder: folder };
        house.set("golden", DEBIAN, &[]);
        house.set("windows", "AWS-DefaultPatchBaseline", &[]);
        house
    }

    /// A baseline of the project, made of one of AWS's.
    fn set(&mut self, name: &str, of: &str, rejected: &[&str]) {
        let mut baseline = predefined(of).unwrap();
        baseline.name = format!("acme-{name}");
        baseline.rejected = rejected.iter().map(ToString::to_string).collect();
        let source = crate::diagnostic::SourceFile::new(format!("baselines/{name}.yaml"), baseline.to_yaml());
        self.project.baselines.insert(name.into(), source);
    }

    async fn planned(&self, names: &[&str], wishes: &Wishes) -> Planned {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let desired = desired(&self.project, &names, wishes).unwrap();
        observe_all(&self.cloud, desired, wishes, &Events::none()).await
    }

    async fn publish(&self, names: &[&str], wishes: &Wishes) -> Publication {
        publish(&self.cloud, self.planned(names, wishes).await, &Events::none()).await
    }

    fn faults(&self, plan: impl Fn(&str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.local.set_faults(Some(Box::new(move |_, operation, nth| plan(operation, nth))));
    }

    fn well(&self) {
        self.local.set_faults(None);
    }

    /// Names and ids of a place's own baselines.
    async fn own(&self, at: &Location) -> Vec<(String, String)> {
        let filter = aws_sdk_ssm::types::PatchOrchestratorFilter::builder().key("OWNER").values("Self").build();
        let listed = self.cloud.ssm(at).describe_patch_baselines().filters(filter).send().await.unwrap();
        let text = |text: Option<&str>| text.unwrap().to_owned();
        listed.baseline_identities().iter().map(|one| (text(one.baseline_name()), text(one.baseline_id()))).collect()
    }

    async fn default_of(&self, at: &Location, os: OperatingSystem) -> String {
        observe::default(&self.cloud, at, os).await.unwrap().unwrap().name
    }

    async fn holder(&self, at: &Location, group: &str) -> Option<String> {
        let found = observe::registered(&self.cloud, at, group, OperatingSystem::Debian).await.unwrap();
        found.map(|registered| registered.name)
    }
}

fn outcomes(publication: &Publication) -> Vec<Outcome> {
    publication.rows.iter().map(|row| row.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn every_place_gets_it_once() {
    let mut house = House::new(&elsewhere());
    let first = house.publish(&["golden", "windows"], &Wishes::default()).await;
    assert_eq!((outcomes(&first), first.exit_code()), (vec![Outcome::Done; 6], 0));
    for at in everywhere() {
        let names: Vec<String> = house.own(&at).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["acme-golden", "acme-windows"], "{at:?}");
    }
    let again = house.publish(&["golden", "windows"], &Wishes::default()).await;
    assert_eq!(outcomes(&again), vec![Outcome::Unchanged; 6]);
    let ids =
        |publication: &Publication| publication.rows.iter().map(|row| row.id.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&first));
    house.set("golden", DEBIAN, &["curl"]);
    let changed = house.publish(&["golden"], &Wishes::default()).await;
    assert!(changed.rows.iter().all(|row| matches!(row.steps[..], [Step::Update { .. }])), "{changed:?}");
    assert_eq!(ids(&changed), [0, 2, 4].map(|row| ids(&first)[row].clone()));
    assert_eq!(outcomes(&house.publish(&["golden"], &Wishes::default()).await), vec![Outcome::Unchanged; 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_what_the_project_says() {
    let house = House::new(&[]);
    let published = house.publish(&["windows"], &Wishes::default()).await;
    let frozen = fetch(&house.cloud, &Which::Id(published.rows[0].id.clone().unwrap())).await.unwrap();
    let wanted = crate::patch::parse_baseline(&house.project.baselines["windows"]).unwrap();
    assert_eq!(crate::patch::Baseline { id: None, ..frozen.baseline }, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_plan_changes_nothing() {
    let house = House::new(&elsewhere());
    let planned = house.planned(&["golden"], &Wishes::default()).await;
    assert!(planned.publication.has_changes());
    assert_eq!(outcomes(&planned.publication), vec![Outcome::Planned; 3]);
    assert_eq!(house.own(house.cloud.home()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_changed_tag_of_the_project_is_put_on_it() {
    let mut house = House::new(&[]);
    house.publish(&["golden"], &Wishes::default()).await;
    house.project.tags.insert("owner".into(), "others".into());
    let tagged = house.publish(&["golden"], &Wishes::default()).await;
    assert!(matches!(&tagged.rows[0].steps[..], [Step::Tag { tags }] if tags["owner"] == "others"), "{tagged:?}");
    assert_eq!(outcomes(&house.publish(&["golden"], &Wishes::default()).await), [Outcome::Unchanged]);
}

#[tokio::test(start_paused = true)]
async fn defaults_and_groups_are_registered_and_taken_over_when_wanted() {
    let mut house = House::new(&[]);
    let home = house.cloud.home().clone();
    let wishes = Wishes { default: true, groups: vec!["web".into()], ..Wishes::default() };
    let planned = house.planned(&["golden"], &wishes).await;
    let takeovers: Vec<_> = planned.takeovers().map(|(_, step)| step.clone()).collect();
    assert!(matches!(&takeovers[..], [Step::Default { replaces: Some(old) }] if old.name == DEBIAN), "{takeovers:?}");
    assert_eq!(house.publish(&["golden"], &wishes).await.exit_code(), 0);
    assert_eq!(house.default_of(&home, OperatingSystem::Debian).await, "acme-golden");
    assert_eq!(outcomes(&house.publish(&["golden"], &wishes).await), [Outcome::Unchanged]);

    house.set("other", DEBIAN, &["vim"]);
    let groups = Wishes { groups: vec!["web".into()], ..Wishes::default() };
    let refused = house.publish(&["other"], &groups).await;
    let row = &refused.rows[0];
    assert!(row.error.as_ref().unwrap().contains("`web` is registered with acme-golden"), "{row:?}");
    assert_eq!((refused.exit_code(), house.holder(&home, "web").await.unwrap()), (11, "acme-golden".to_owned()));
    let replace = Wishes { replace_group: true, ..groups };
    assert_eq!(house.publish(&["other"], &replace).await.exit_code(), 0);
    assert_eq!(house.holder(&home, "web").await.unwrap(), "acme-other");

    // AWS's own can be put back, and only that.
    let back = house.publish(&[DEBIAN], &Wishes { default: true, ..Wishes::default() }).await;
    assert!(matches!(&back.rows[0].steps[..], [Step::Default { .. }]), "{back:?}");
    assert_eq!(house.default_of(&home, OperatingSystem::Debian).await, DEBIAN);
}

#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_published() {
    let mut house = House::new(&[]);
    let refused = |house: &House, names: &[&str], wishes: Wishes| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        desired(&house.project, &names, &wishes).unwrap_err()
    };
    assert!(matches!(refused(&house, &[DEBIAN], Wishes::default()), BaselineError::Owned { .. }));
    let near = refused(&house, &["goldn"], Wishes::default());
    assert_eq!((near.next().unwrap().as_str(), near.exit_code()), ("did you mean `golden`?", 2));
    house.set("other", DEBIAN, &[]);
    let both = refused(&house, &["golden", "other"], Wishes { default: true, ..Wishes::default() });
    assert!(both.to_string().contains("only one of them can be the default"), "{both}");
    let source = crate::diagnostic::SourceFile::new("baselines/frozen.yaml", predefined(DEBIAN).unwrap().to_yaml());
    house.project.baselines.insert("frozen".into(), source);
    assert!(matches!(refused(&house, &["frozen"], Wishes::default()), BaselineError::Owned { .. }));
}

#[tokio::test(start_paused = true)]
async fn one_place_that_fails_does_not_stop_the_others() {
    let house = House::new(&elsewhere());
    // Two of that name in one place: nobody knows which is meant.
    let there = &elsewhere()[0];
    for _ in 0..2 {
        house
            .cloud
            .ssm(there)
            .create_patch_baseline()
            .name("acme-golden")
            .operating_system("DEBIAN".into())
            .send()
            .await
            .unwrap();
    }
    let published = house.publish(&["golden"], &Wishes::default()).await;
    assert_eq!(outcomes(&published), [Outcome::Done, Outcome::Failed, Outcome::Done]);
    assert_eq!(published.exit_code(), 9);
    assert!(published.rows[1].error.as_ref().unwrap().contains("2 baselines `acme-golden` for DEBIAN"));
    let ids = house.own(there).await;
    house.cloud.ssm(there).delete_patch_baseline().baseline_id(&ids[0].1).send().await.unwrap();
    // The one that is left was not made by us.
    let refused = house.publish(&["golden"], &Wishes::default()).await;
    assert_eq!((outcomes(&refused)[1], refused.rows[1].exit_code), (Outcome::Failed, 11));
    let adopted = house.publish(&["golden"], &Wishes { adopt: true, ..Wishes::default() }).await;
    assert_eq!(outcomes(&adopted), [Outcome::Unchanged, Outcome::Done, Outcome::Unchanged]);
    assert_eq!(house.own(there).await, [ids[1].clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_baseline() {
    let house = House::new(&[]);
    house.faults(|operation, _| (operation == "CreatePatchBaseline").then_some(Fault::LoseResponse));
    let published = house.publish(&["golden"], &Wishes::default()).await;
    assert_eq!(outcomes(&published), [Outcome::Done], "{published:?}");
    house.well();
    let own = house.own(house.cloud.home()).await;
    assert_eq!(own, [("acme-golden".to_owned(), published.rows[0].id.clone().unwrap())]);
}

#[tokio::test(start_paused = true)]
async fn two_that_publish_at_the_same_moment_make_one_baseline() {
    let house = House::new(&[]);
    let (one, two) =
        (house.planned(&["golden"], &Wishes::default()).await, house.planned(&["golden"], &Wishes::default()).await);
    let (one, two) =
        (publish(&house.cloud, one, &Events::none()).await, publish(&house.cloud, two, &Events::none()).await);
    assert_eq!((outcomes(&one), outcomes(&two)), (vec![Outcome::Done], vec![Outcome::Done]));
    assert_eq!(one.rows[0].id, two.rows[0].id);
    assert_eq!(house.own(house.cloud.home()).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_denies_is_told_with_its_call() {
    let house = House::new(&[]);
    let mut planned = house.planned(&["golden"], &Wishes::default()).await;
    assert_eq!(planned.publication.exit_code(), 0);
    // An account that is neither home nor a target gets no credentials.
    planned.publication.rows[0].location = place("999999999999", "us-east-1");
    let denied = publish(&house.cloud, planned, &Events::none()).await;
    let row = &denied.rows[0];
    assert_eq!((denied.exit_code(), row.id.as_deref()), (12, None));
    assert!(row.error.as_ref().unwrap().starts_with("CreatePatchBaseline in 999999999999/us-east-1"), "{row:?}");
    assert!(row.next.as_ref().unwrap().contains("may call CreatePatchBaseline"), "{row:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_deleted_is_made_again_although_its_token_is_remembered() {
    let house = House::new(&[]);
    let home = house.cloud.home().clone();
    let mut gone = vec![];
    for _ in 0..2 {
        let published = house.publish(&["golden"], &Wishes::default()).await;
        assert_eq!(outcomes(&published), [Outcome::Done], "{published:?}");
        let id = published.rows[0].id.clone().unwrap();
        assert!(!gone.contains(&id));
        house.cloud.ssm(&home).delete_patch_baseline().baseline_id(&id).send().await.unwrap();
        gone.push(id);
    }
}

/// Cut at every call, the next run ends where an undisturbed one would, and nothing is there twice.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_off_anywhere_is_finished_by_the_next() {
    let wishes = Wishes { default: true, groups: vec!["web".into()], replace_group: true, ..Wishes::default() };
    for fault in [Fault::Stop, Fault::StopAfter] {
        for at in 1.. {
            let mut house = House::new(&[]);
            house.set("other", DEBIAN, &["vim"]);
            house.publish(&["other"], &Wishes { groups: vec!["web".into()], ..Wishes::default() }).await;
            house.faults(move |_, nth| (nth == at).then_some(fault));
            let cut = house.publish(&["golden"], &wishes).await;
            house.well();
            let finished = house.publish(&["golden"], &wishes).await;
            assert_eq!(finished.exit_code(), 0, "{fault:?} at {at}: {finished:?}");
            let home = house.cloud.home().clone();
            let names: Vec<String> = house.own(&home).await.into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["acme-golden", "acme-other"], "{fault:?} at {at}");
            assert_eq!(house.default_of(&home, OperatingSystem::Debian).await, "acme-golden");
            assert_eq!(house.holder(&home, "web").await.as_deref(), Some("acme-golden"), "{fault:?} at {at}");
            assert_eq!(outcomes(&house.publish(&["golden"], &wishes).await), [Outcome::Unchanged]);
            if cut.exit_code() == 0 {
                assert!(at > 6, "the fault never struck");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_cannot_be_registered_is_given_back() {
    let mut house = House::new(&[]);
    let home = house.cloud.home().clone();
    house.set("other", DEBIAN, &["vim"]);
    house.publish(&["other"], &Wishes { groups: vec!["web".into()], ..Wishes::default() }).await;
    // Every attempt of the first registration fails, the one that gives the group back does not.
    let attempts = std::sync::atomic::AtomicU64::new(0);
    house.faults(move |operation, _| {
        let registers = operation == "RegisterPatchBaselineForPatchGroup";
        let early = registers && attempts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < crate::aws::ATTEMPTS;
        early.then_some(Fault::Fail)
    });
    let wishes = Wishes { groups: vec!["web".into()], replace_group: true, ..Wishes::default() };
    let failed = house.publish(&["golden"], &wishes).await;
    assert_eq!(outcomes(&failed), [Outcome::Failed]);
    assert!(failed.rows[0].id.is_some(), "what was made is told: {failed:?}");
    assert_eq!(house.holder(&home, "web").await.as_deref(), Some("acme-other"));
}

#[tokio::test(start_paused = true)]
async fn what_can_be_frozen() {
    let house = House::new(&[]);
    house.publish(&["golden"], &Wishes::default()).await;
    let named = fetch(&house.cloud, &Which::Name("acme-golden".into())).await.unwrap();
    assert_eq!(named.location, *house.cloud.home());
    let default = fetch(&house.cloud, &Which::DefaultFor(OperatingSystem::Windows)).await.unwrap();
    assert_eq!(default.baseline.name, "AWS-DefaultPatchBaseline");
    assert!(default.id.starts_with("arn:aws:ssm:"), "{}", default.id);
    assert_eq!(fetch(&house.cloud, &Which::Id(named.id.clone())).await.unwrap(), named);
    let absent = fetch(&house.cloud, &Which::Name("acme-gold".into())).await.unwrap_err();
    assert!(matches!(absent, BaselineError::Absent { .. }), "{absent}");
    let request = house.cloud.ssm(house.cloud.home()).create_patch_baseline().name("acme-golden");
    request.operating_system("UBUNTU".into()).send().await.unwrap();
    let several = fetch(&house.cloud, &Which::Name("acme-golden".into())).await.unwrap_err();
    assert!(matches!(several, BaselineError::Ambiguous { .. }), "{several}");
    // A baseline that approves nothing would be refused in the project.
    let request = house.cloud.ssm(house.cloud.home()).create_patch_baseline().name("nothing");
    request.operating_system("UBUNTU".into()).send().await.unwrap();
    let unusable = fetch(&house.cloud, &Which::Name("nothing".into())).await.unwrap_err();
    assert!(matches!(&unusable, BaselineError::Unusable(found) if found[0].code == "B008"), "{unusable}");
}
