use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::event::Events;
use crate::evidence::testing::evidence;
use crate::local::{Beyond, Builds, Config, Fault, Local};
use crate::patch::{Inventory, Package};
use crate::project::{EnvironmentConfig, LocalConfig};
use std::sync::Arc;
use time::macros::datetime;

/// A project's evidence on one machine, a bucket, and the folder of another machine.
struct World {
    local: Arc<Local>,
    store: Store,
    folder: tempfile::TempDir,
    evidence: Evidence,
    file: PathBuf,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(datetime!(2026-11-23 12:00 UTC));
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: clock.clone(),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: Beyond::default(),
            builds: Builds::Real,
        })
        .unwrap();
        let at =
            EvidenceBucket { bucket: "acme-evidence".into(), prefix: "images".into(), region: None, kms_key: None };
        let config = EnvironmentConfig::Local(LocalConfig { evidence: Some(at), ..LocalConfig::default() });
        let served = Arc::clone(&local);
        let cloud = testing::across_as(Arc::new(move |request| served.handle(request)), clock, &[], &config);
        cloud.s3().create_bucket().bucket("acme-evidence").send().await.unwrap();
        let package = Package { name: "bash".into(), version: "1".into(), ..Package::default() };
        let inventory = Inventory { os_id: "debian".into(), installed: vec![package], ..Inventory::default() };
        let json = inventory.to_json().unwrap();
        let evidence = Evidence { inventory: Some(crate::evidence::canonical::sha256(&json)), ..evidence() };
        let here = folder.path().join("here");
        let file = file::save(&here, &evidence).unwrap();
        file::save_inventory(&here, &evidence, &json).unwrap();
        file::save_envelope(&file, Some("an envelope")).unwrap();
        Self { local, store: Store::of(&cloud).unwrap(), folder, evidence, file }
    }

    fn there(&self) -> PathBuf {
        self.folder.path().join("there")
    }

    async fn fetch(&self, digest: &str) -> Result<Option<(Evidence, PathBuf)>, EvidenceError> {
        let candidate = &self.evidence.candidate;
        let wanted = Wanted {
            project: &candidate.project,
            recipe: &candidate.recipe,
            arch: &candidate.arch,
            ami: &candidate.ami,
            digest,
        };
        self.store.fetch(&wanted, &self.there()).await
    }

    fn digest(&self) -> String {
        digest(&self.evidence)
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self.store.client.list_objects_v2().bucket("acme-evidence").send().await.unwrap();
        listed.contents().iter().filter_map(|object| Some(object.key()?.to_owned())).collect()
    }

    /// Somebody writes over an object.
    async fn overwrite(&self, ending: &str, change: impl FnOnce(String) -> String) {
        let keys = self.keys().await;
        let key = keys
            .iter()
            .find(|key| key.ends_with(ending) && key.matches('.').count() == ending.matches('.').count())
            .unwrap();
        let text = self.store.text(key).await.unwrap().unwrap();
        let body = ByteStream::from(change(text).into_bytes());
        self.store.client.put_object().bucket("acme-evidence").key(key).body(body).send().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_kept_is_found_on_another_machine_byte_for_byte() {
    let world = World::new().await;
    world.store.keep(&world.evidence, &world.file).await.unwrap();
    let digest = world.digest();
    let stem = format!("images/acme/debian-12/x86_64/ami-0123456789abcdef0/{}", &digest[7..]);
    assert_eq!(world.keys().await, ["dsse.json", "inventory.json", "json"].map(|end| format!("{stem}.{end}")));
    let (found, path) = world.fetch(&digest).await.unwrap().unwrap();
    assert_eq!((&found, path.starts_with(world.there())), (&world.evidence, true));
    for of in [file::inventory_of, file::envelope_of, std::path::Path::to_owned] {
        assert_eq!(std::fs::read(of(&path)).unwrap(), std::fs::read(of(&world.file)).unwrap());
    }
    assert!(file::load_inventory(&world.there(), &world.evidence.candidate.ami).unwrap().is_some());
    assert_eq!(world.fetch(&format!("sha256:{}", "0".repeat(64))).await.unwrap(), None);
}

#[tokio::test]
async fn what_stands_under_a_digest_never_changes() {
    let world = World::new().await;
    let keep = || world.store.keep(&world.evidence, &world.file);
    keep().await.unwrap();
    keep().await.unwrap();
    std::fs::write(file::envelope_of(&world.file), "another envelope").unwrap();
    let refused = keep().await.unwrap_err();
    assert!(refused.to_string().contains("there is something else under this digest already"), "{refused}");
    assert_eq!(refused.exit_code(), 8);
}

#[tokio::test]
async fn an_edited_object_never_counts_and_leaves_no_trace() {
    for (ending, change) in [
        (".json", (|text| text.replace("5.2-1", "5.2-2")) as fn(String) -> String),
        (".json", |text| text.replace("\"acme\"", "\"other\"")),
        (".json", |text| text.replace("ami-0123456789abcdef0", "ami-0fedcba9876543210")),
        (".json", |text| text[..text.len() / 2].to_owned()),
        (".inventory.json", |text| text.replace("bash", "dash")),
    ] {
        let world = World::new().await;
        world.store.keep(&world.evidence, &world.file).await.unwrap();
        world.overwrite(ending, change).await;
        let refused = world.fetch(&world.digest()).await.unwrap_err();
        assert!(matches!(refused, EvidenceError::Object { .. }), "{refused}");
        assert!(!world.there().exists(), "{ending}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_other_object_and_the_document_comes_last() {
    let world = World::new().await;
    let lost = |service: &str, operation: &str, nth: u64| {
        (service == "s3" && operation == "PutObject" && nth == 2).then_some(Fault::LoseResponse)
    };
    world.local.set_faults(Some(Box::new(lost)));
    world.store.keep(&world.evidence, &world.file).await.unwrap();
    assert_eq!(world.keys().await.len(), 3);
    // Killed before the last call: there is nothing that anybody would find.
    let world = World::new().await;
    world.local.set_faults(Some(Box::new(|service, operation, nth| {
        (service == "s3" && operation == "PutObject" && nth == 3).then_some(Fault::Deny)
    })));
    let refused = world.store.keep(&world.evidence, &world.file).await.unwrap_err();
    assert_eq!(refused.exit_code(), 12, "{refused}");
    world.local.set_faults(None);
    assert_eq!(world.fetch(&world.digest()).await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error() {
    let world = World::new().await;
    world.store.client.delete_bucket().bucket("acme-evidence").send().await.unwrap();
    let refused = world.store.keep(&world.evidence, &world.file).await.unwrap_err();
    assert!(refused.to_string().contains("NoSuchBucket") && refused.next().unwrap().contains("doctor"), "{refused}");
    assert!(matches!(world.fetch(&world.digest()).await, Err(EvidenceError::Bucket { .. })));
}
