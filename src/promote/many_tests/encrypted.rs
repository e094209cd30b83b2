//! Images that are encrypted with customer-managed keys, which other accounts launch and copy.

use super::deed::Deed;
use super::*;
use crate::aws::CallError;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::project::{self, Encryption, Grantee, LocalConfig};
use std::collections::BTreeMap;

const ALIAS: &str = "alias/golden";

fn settings(grants: &[Grantee]) -> Encryption {
    let kms_keys = REGIONS.into_iter().map(|region| (region.to_owned(), ALIAS.to_owned())).collect();
    Encryption { kms_keys, grants: grants.to_vec() }
}

/// Makes a key of that name in every account and Region, and encrypts every image with it.
async fn seal(world: &World) {
    for place in places() {
        let key = make_key(world, &place).await;
        let scope = Scope { account: place.account, region: place.region };
        let done: Result<(), StoreError> = world.local.store.write(|tx| {
            for (id, ami) in tx.list::<Ami>(&scope, AMI, "")? {
                let ami = Ami { encrypted: true, kms_key: Some(key.clone()), ..ami };
                tx.put(&scope, AMI, &id, &ami)?;
            }
            Ok(())
        });
        done.unwrap();
    }
}

async fn make_key(world: &World, place: &Location) -> String {
    let kms = world.cloud.kms(place);
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    kms.create_alias().alias_name(ALIAS).target_key_id(key.key_id()).send().await.unwrap();
    key.arn.unwrap()
}

/// Grantees of every key of the home account, by its Region.
fn grants(world: &World) -> BTreeMap<String, Vec<String>> {
    let eyes = Eyes::on(&world.local.store.picture());
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for place in places().iter().filter(|place| place.account == ACCOUNTS[0]) {
        let mut found: Vec<String> =
            eyes.of(place, "kms-grant").map(|(_, one)| one["grantee"].as_str().unwrap().to_owned()).collect();
        found.sort();
        if !found.is_empty() {
            all.insert(place.region.clone(), found);
        }
    }
    all
}

fn roots() -> Vec<String> {
    ACCOUNTS[1..].iter().map(|account| format!("arn:aws:iam::{account}:root")).collect()
}

/// Calls of an operation while `work` is done.
async fn counted<T>(world: &World, operation: &'static str, work: impl Future<Output = T>) -> (u64, T) {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    world.faults(move |_, name, _| {
        counter.fetch_add(u64::from(name == operation), Ordering::SeqCst);
        None
    });
    let done = work.await;
    world.calm();
    (count.load(Ordering::SeqCst), done)
}

/// A first promotion of encrypted images.
#[derive(Debug, Clone, Copy)]
struct Sealed(Distribute);

impl Deed for Sealed {
    fn distribute(self) -> Distribute {
        self.0
    }

    fn world(self) -> World {
        World::encrypting(self.0, settings(&[Grantee::Account]))
    }

    async fn prepare(self, world: &World) {
        seal(world).await;
    }

    async fn go(self, world: &World) -> Result<(), PromoteError> {
        world.promote(AMIS[0]).await.map(drop)
    }

    async fn plan(self, world: &World) -> Option<Result<Decision, PromoteError>> {
        Some(prepare(&world.cloud, &world.order(), &candidate(AMIS[0]), &approval(AMIS[0])).await)
    }
}

#[test]
fn a_promotion_that_shares_encrypted_images_is_stopped_and_disturbed_at_every_call() {
    call_of(Sealed(Distribute::Share));
}

#[test]
fn a_promotion_that_copies_encrypted_images_is_stopped_and_disturbed_at_every_call() {
    call_of(Sealed(Distribute::Copy));
}

#[tokio::test(start_paused = true)]
async fn keys_are_opened_once_and_serve_every_release() {
    let world = World::encrypting(Distribute::Share, settings(&[Grantee::Account]));
    seal(&world).await;
    let (made, done) = counted(&world, "CreateGrant", Box::pin(world.promote(AMIS[0]))).await;
    done.unwrap();
    assert_eq!(made, 8, "two accounts in each of four Regions");
    let expected: BTreeMap<_, _> = REGIONS.into_iter().map(|region| (region.to_owned(), roots())).collect();
    assert_eq!(grants(&world), expected);
    let (made, done) = counted(&world, "CreateGrant", Box::pin(world.promote(AMIS[1]))).await;
    done.unwrap();
    assert_eq!((made, grants(&world)), (0, expected));
}

#[tokio::test(start_paused = true)]
async fn who_copies_needs_the_key_at_home_only() {
    let world = World::encrypting(Distribute::Copy, settings(&[Grantee::Account, Grantee::AutoScaling]));
    seal(&world).await;
    world.promote(AMIS[0]).await.unwrap();
    assert_eq!(grants(&world), BTreeMap::from([(REGIONS[0].to_owned(), roots())]), "nobody launches it");
    let eyes = Eyes::on(&world.local.store.picture());
    for place in places().iter().filter(|place| place.account != ACCOUNTS[0]) {
        let (_, copy) = eyes.of(place, AMI).next().unwrap();
        let key = copy["kms_key"].as_str().unwrap();
        assert!(key.starts_with(&format!("arn:aws:kms:{}:{}:key/", place.region, place.account)), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn grantees_are_those_that_the_settings_name() {
    let grantees = [Grantee::AutoScaling, Grantee::Role("deploy/web".into()), Grantee::Account];
    let world = World::encrypting(Distribute::Share, settings(&grantees));
    seal(&world).await;
    world.promote(AMIS[0]).await.unwrap();
    let mut expected = Vec::new();
    for account in &ACCOUNTS[1..] {
        let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
        expected.push(role("aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"));
        expected.push(role("deploy/web"));
        expected.push(format!("arn:aws:iam::{account}:root"));
    }
    expected.sort();
    assert_eq!(grants(&world)[REGIONS[0]], expected);
}

/// A world in which instances are launched in every place before anything is moved.
async fn with_canaries(grants: &[Grantee]) -> World {
    let encryption = settings(grants);
    let mut world = World::scripted_by(LocalConfig { encryption, ..LocalConfig::default() });
    seal(&world).await;
    world.project.channels[0].canary = Some(project::Canary::default());
    world
}

#[tokio::test(start_paused = true)]
async fn with_grants_every_account_can_really_launch_it() {
    let world = with_canaries(&[Grantee::Account]).await;
    world.promote(AMIS[0]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_lets_nobody_in_is_found_before_anything_is_moved() {
    let world = with_canaries(&[]).await;
    let before = Eyes::on(&world.local.store.picture()).end();
    let failed = world.promote(AMIS[0]).await.unwrap_err();
    let PromoteError::Failed { step: Step::Prove(_), cause, .. } = &failed else { panic!("{failed:?}") };
    let StepError::Call(CallError { operation: "DescribeKey", fault, .. }) = cause else { panic!("{cause:?}") };
    assert!(fault.denied, "{fault:?}");
    assert_eq!(failed.exit_code(), 12);
    assert_eq!(Eyes::on(&world.local.store.picture()).end(), before);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_lets_accounts_in_needs_no_grants() {
    let world = with_canaries(&[]).await;
    let principals: Vec<String> = ACCOUNTS.iter().map(|account| format!("arn:aws:iam::{account}:root")).collect();
    let statement = serde_json::json!([{
        "Effect": "Allow", "Principal": { "AWS": principals }, "Action": "kms:*", "Resource": "*",
    }]);
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    for region in REGIONS {
        let kms = world.cloud.kms(&Location { account: ACCOUNTS[0].into(), region: region.into() });
        let key = kms.describe_key().key_id(ALIAS).send().await.unwrap().key_metadata.unwrap();
        kms.put_key_policy().key_id(key.key_id()).policy(&policy).send().await.unwrap();
    }
    let (asked, done) = counted(&world, "ListGrants", Box::pin(world.promote(AMIS[0]))).await;
    done.unwrap();
    assert_eq!((asked, grants(&world)), (0, BTreeMap::new()));
}

/// The refusal of a plan, with what changes nothing.
async fn refused(world: &World) -> (String, String) {
    let before = world.local.store.picture();
    let error = world.promote(AMIS[0]).await.unwrap_err();
    assert!(matches!(error, PromoteError::Key { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 10);
    assert!(world.local.store.picture() == before, "nothing was changed");
    (error.to_string(), error.next().unwrap())
}

/// Encrypts the images at home with the key that AWS manages.
fn seal_by_default(world: &World) {
    let scope = Scope { account: ACCOUNTS[0].into(), region: REGIONS[0].into() };
    let done: Result<(), StoreError> = world.local.store.write(|tx| {
        for (id, ami) in tx.list::<Ami>(&scope, AMI, "")? {
            tx.put(&scope, AMI, &id, &Ami { encrypted: true, ..ami })?;
        }
        Ok(())
    });
    done.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_encrypted_by_a_key_of_aws_is_refused_when_others_are_to_use_it() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = World::new(distribute);
        seal_by_default(&world);
        let (why, next) = refused(&world).await;
        let at = format!("{}/{}", ACCOUNTS[0], REGIONS[0]);
        assert!(why.starts_with(&format!("{} cannot be promoted: {at}: it is encrypted with arn:", AMIS[0])), "{why}");
        assert!(why.ends_with("111111111111, 222222222222 must be able to"), "{why}");
        assert!(next.starts_with("build an image with a customer-managed key"), "{next}");
        assert!(next.contains("encryption: { kms_keys: { us-east-1: alias/NAME } }"), "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_account_may_use_the_key_that_aws_manages() {
    let own: Vec<Location> = places().into_iter().filter(|place| place.account == ACCOUNTS[0]).collect();
    let world = World::over(&own, &Clock::fixed(START), Distribute::Share);
    seal_by_default(&world);
    world.promote(AMIS[0]).await.unwrap();
    assert_eq!(grants(&world), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn copies_for_others_need_a_key_of_their_own_in_every_region() {
    let mut encryption = settings(&[Grantee::Account]);
    encryption.kms_keys.remove("sa-east-1");
    let world = World::encrypting(Distribute::Share, encryption);
    seal(&world).await;
    let (why, next) = refused(&world).await;
    assert!(
        why.contains("000000000000/sa-east-1: copies would be encrypted with alias/aws/ebs, a key that AWS manages"),
        "{why}"
    );
    assert!(next.starts_with("let copies be encrypted with a customer-managed key"), "{next}");
    // The account's default key is one, too.
    let far = Location { account: ACCOUNTS[0].into(), region: "sa-east-1".into() };
    world.cloud.ec2(&far).modify_ebs_default_kms_key_id().kms_key_id(ALIAS).send().await.unwrap();
    world.promote(AMIS[0]).await.unwrap();
    assert_eq!(grants(&world)["sa-east-1"], roots());
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_not_there_or_not_enabled_are_refused() {
    let mut encryption = settings(&[Grantee::Account]);
    encryption.kms_keys.insert("eu-west-1".into(), "alias/typo".into());
    let world = World::encrypting(Distribute::Share, encryption);
    seal(&world).await;
    let (why, _) = refused(&world).await;
    assert!(
        why.contains("000000000000/eu-west-1: copies would be encrypted with alias/typo: NotFoundException"),
        "{why}"
    );

    let world = World::encrypting(Distribute::Share, settings(&[Grantee::Account]));
    seal(&world).await;
    let home = &places()[0];
    let kms = world.cloud.kms(home);
    let key = kms.describe_key().key_id(ALIAS).send().await.unwrap().key_metadata.unwrap();
    kms.disable_key().key_id(key.key_id()).send().await.unwrap();
    let (why, _) = refused(&world).await;
    assert!(why.ends_with("whose state is Disabled"), "{why}");
}

/// Who may not ask for a key is told so: it may be that nothing is wrong with the key.
#[tokio::test(start_paused = true)]
async fn whoever_may_not_look_at_a_key_is_told_what_is_lacking() {
    let world = World::encrypting(Distribute::Share, settings(&[Grantee::Account]));
    seal(&world).await;
    world.faults(|_, operation, _| (operation == "DescribeKey").then_some(Fault::Deny));
    let error = world.promote(AMIS[0]).await.unwrap_err();
    assert!(matches!(error, PromoteError::Key { denied: true, .. }), "{error:?}");
    assert_eq!(error.exit_code(), 12);
    let next = error.next().unwrap();
    assert!(
        next.starts_with("check the credentials and that they may call DescribeKey in 000000000000/us-east-1"),
        "{next}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_promoted_is_known_before_it_is_built() {
    let world = World::encrypting(Distribute::Share, settings(&[Grantee::Account]));
    seal(&world).await;
    encryption::foresee(&world.cloud, "web", Some(ALIAS)).await.unwrap();
    let refused = encryption::foresee(&world.cloud, "web", None).await.unwrap_err().to_string();
    let expected = "web cannot be promoted: 000000000000/us-east-1: it would be encrypted with alias/aws/ebs, a key that AWS manages \
                    and no other account can use, and 111111111111, 222222222222 must be able to";
    assert_eq!(refused, expected);
    let unknown = encryption::foresee(&world.cloud, "web", Some("alias/typo")).await.unwrap_err().to_string();
    assert!(
        unknown.starts_with(
            "web cannot be promoted: 000000000000/us-east-1: it would be encrypted with alias/typo: NotFound"
        ),
        "{unknown}"
    );
    // Copies are looked at, too.
    let world = World::new(Distribute::Share);
    seal(&world).await;
    let far = encryption::foresee(&world.cloud, "web", Some(ALIAS)).await.unwrap_err().to_string();
    assert!(far.contains("copies would be encrypted with alias/aws/ebs"), "{far}");
    // Who has one account needs no key of his own.
    let own: Vec<Location> = places().into_iter().filter(|place| place.account == ACCOUNTS[0]).collect();
    let world = World::over(&own, &Clock::fixed(START), Distribute::Share);
    encryption::foresee(&world.cloud, "web", None).await.unwrap();
}
