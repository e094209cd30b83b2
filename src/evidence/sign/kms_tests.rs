use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::event::Events;
use crate::evidence::sign::verify;
use crate::evidence::testing::evidence;
use crate::evidence::{Ancestor, Ancestry, Evidence};
use crate::local::{Beyond, Builds, Config, Local};
use aws_sdk_kms::types::KeySpec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use time::macros::datetime;

struct World {
    cloud: Cloud,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: Clock::fixed(datetime!(2026-11-23 12:00 UTC)),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: Beyond::default(),
            builds: Builds::Real,
        })
        .unwrap();
        Self { cloud: testing::on(&local), folder }
    }

    fn kms(&self) -> aws_sdk_kms::Client {
        self.cloud.kms(self.cloud.home())
    }

    /// The ARN of a new key.
    async fn key(&self, spec: KeySpec) -> String {
        let call = self.kms().create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
        call.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
    }

    async fn open(&self, name: &str) -> Result<KmsSigner, EvidenceError> {
        KmsSigner::open(KmsKey::of(&self.cloud, name)).await
    }

    /// Whether the key named `trusted` is believed to have signed.
    async fn believes(&self, trusted: &str, evidence: &Evidence, envelope: &str) -> bool {
        let key = KmsKey::of(&self.cloud, trusted).public().await.unwrap();
        believes(self.folder.path(), key, evidence, envelope)
    }
}

fn file(evidence: &Evidence) -> Vec<u8> {
    serde_json::to_vec_pretty(evidence).unwrap()
}

fn unsigned(evidence: &Evidence) -> Unsigned {
    Unsigned::about(evidence, &file(evidence), "ami-1.json")
}

fn believes(folder: &std::path::Path, key: PublicKey, evidence: &Evidence, envelope: &str) -> bool {
    let path = folder.join("e.dsse.json");
    std::fs::write(&path, envelope).unwrap();
    verify(&path, evidence, &file(evidence), &[key]).is_ok()
}

/// Evidence of an image of so long a descent that its statement is longer than what KMS takes as a message.
fn long() -> Evidence {
    let image =
        |number: usize| Ancestor { ami: format!("ami-{number:017}"), name: "n".repeat(128), ..Ancestor::default() };
    Evidence { ancestry: Some(Ancestry { images: (0..20).map(image).collect() }), ..evidence() }
}

#[tokio::test]
async fn a_key_in_kms_signs_and_its_public_half_says_so() {
    let world = World::new();
    let good = evidence();
    for spec in [KeySpec::EccNistP256, KeySpec::EccNistEdwards25519] {
        let (arn, other) = (world.key(spec.clone()).await, world.key(spec.clone()).await);
        let alias = format!("alias/{}", spec.as_str());
        world.kms().create_alias().alias_name(&alias).target_key_id(&arn).send().await.unwrap();
        let envelope = world.open(&alias).await.unwrap().sign(&unsigned(&good)).await.unwrap();
        assert!(world.believes(&arn, &good, &envelope).await && world.believes(&alias, &good, &envelope).await);
        assert!(!world.believes(&other, &good, &envelope).await);
        let mut swapped = good.clone();
        swapped.candidate.ami = "ami-0fedcba9876543210".into();
        assert!(!world.believes(&arn, &swapped, &envelope).await);
        // Where an alias leads decides who is trusted by it.
        world.kms().update_alias().alias_name(&alias).target_key_id(&other).send().await.unwrap();
        assert!(!world.believes(&alias, &good, &envelope).await);
    }
}

#[tokio::test]
async fn what_cannot_sign_is_told_before_any_work() {
    let world = World::new();
    let sealing = world.kms().create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let code = |error: EvidenceError| match error {
        EvidenceError::Kms { source, .. } => source.fault.code.clone().unwrap_or_default(),
        other => panic!("{other}"),
    };
    assert_eq!(code(world.open(&sealing).await.unwrap_err()), "UnsupportedOperationException");
    let gone = world.open("alias/none").await.unwrap_err();
    assert!(
        gone.to_string().contains("the KMS key alias/none did not do what was asked of it: GetPublicKey"),
        "{gone}"
    );
    assert_eq!(gone.exit_code(), 8);
    assert_eq!(code(gone), "NotFoundException");
    let arn = world.key(KeySpec::EccNistP256).await;
    world.kms().disable_key().key_id(&arn).send().await.unwrap();
    assert_eq!(code(world.open(&arn).await.unwrap_err()), "DisabledException");
    let elsewhere = arn.replace(":us-east-1:", ":eu-west-1:");
    assert_eq!(code(world.open(&elsewhere).await.unwrap_err()), "NotFoundException", "its Region is asked");
    let foreign = arn.replace(testing::ACCOUNT, "111122223333");
    let denied = world.open(&foreign).await.unwrap_err();
    assert_eq!((denied.exit_code(), code(denied).as_str()), (12, "AccessDeniedException"));
}

#[tokio::test]
async fn ed25519_signs_no_statement_that_is_too_long() {
    let world = World::new();
    let arn = world.key(KeySpec::EccNistEdwards25519).await;
    let refused = world.open(&arn).await.unwrap().sign(&unsigned(&long())).await.unwrap_err();
    assert!(refused.to_string().contains("a key on P-256 has no such limit"), "{refused}");
}

/// A KMS that is OpenSSL: it is given messages, or digests of long ones, and signs them in its own way.
fn openssl(folder: &std::path::Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().expect("openssl is installed");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn of_openssl(folder: &std::path::Path, request: &http::Request<Bytes>) -> Value {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let arn = "arn:aws:kms:us-east-1:000000000000:key/of-openssl";
    if request.headers()["x-amz-target"] == "TrentService.GetPublicKey" {
        let der = openssl(folder, &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER"]);
        // As moto answers: without the spec.
        return json!({ "KeyId": arn, "KeyUsage": "SIGN_VERIFY", "PublicKey": STANDARD.encode(der) });
    }
    let message = STANDARD.decode(body["Message"].as_str().unwrap()).unwrap();
    assert!(message.len() <= LONGEST && body["SigningAlgorithm"] == "ECDSA_SHA_256");
    std::fs::write(folder.join("message"), &message).unwrap();
    let plain = ["pkeyutl", "-sign", "-inkey", "key.pem", "-in", "message"];
    let signature = match body["MessageType"].as_str().unwrap() {
        "DIGEST" => openssl(folder, &plain),
        _ => openssl(folder, &[&plain[..], &["-rawin", "-digest", "sha256"]].concat()),
    };
    json!({ "KeyId": arn, "Signature": STANDARD.encode(signature), "SigningAlgorithm": "ECDSA_SHA_256" })
}

#[tokio::test]
async fn long_statements_are_signed_by_their_digest() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    openssl(folder.path(), &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]);
    let at = Arc::clone(&folder);
    let handler = move |request: http::Request<Bytes>| {
        http::Response::new(Bytes::from(of_openssl(at.path(), &request).to_string()))
    };
    let cloud = testing::over(Arc::new(handler), Clock::fixed(datetime!(2026-11-23 12:00 UTC)));
    let key = KmsKey::of(&cloud, "alias/evidence");
    let signer = KmsSigner::open(key.clone()).await.unwrap();
    for (evidence, is_long) in [(evidence(), false), (long(), true)] {
        let unsigned = unsigned(&evidence);
        assert_eq!(unsigned.message().len() > LONGEST, is_long);
        let envelope = signer.sign(&unsigned).await.unwrap();
        assert!(believes(folder.path(), key.public().await.unwrap(), &evidence, &envelope));
    }
    // The key changes behind the signer's back: what comes is no signature of the key that it knows.
    openssl(folder.path(), &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]);
    let refused = signer.sign(&unsigned(&evidence())).await.unwrap_err();
    assert!(refused.to_string().contains("is no signature of its public key"), "{refused}");
    // An ARN is one key: no other is taken for it.
    let pinned = KmsKey::of(&cloud, "arn:aws:kms:us-east-1:000000000000:key/another");
    assert!(pinned.public().await.unwrap_err().to_string().contains("answered with another one"));
}
