use super::*;
use crate::evidence::Evidence;
use crate::evidence::testing::evidence;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The private key of RFC 8032 7.1, test 1, and its public half, in the form that OpenSSL writes.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("key.pem", PRIVATE);
        files.write("key.pub", PUBLIC);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Signs the evidence as it would lie in a file; the envelope's path and the file.
    fn signed(&self, evidence: &Evidence) -> (PathBuf, Vec<u8>) {
        let file = serde_json::to_vec_pretty(evidence).unwrap();
        let key = PrivateKey::read(&self.path("key.pem")).unwrap();
        let unsigned = Unsigned::about(evidence, &file, "ami-1.json");
        (self.write("e.dsse.json", key.sign(&unsigned)), file)
    }

    fn trusted(&self) -> Vec<PublicKey> {
        vec![PublicKey::read(&self.path("key.pub")).unwrap()]
    }
}

#[test]
fn what_is_signed_is_verified_by_the_key_of_the_rfc() {
    let files = Files::new();
    let (envelope, file) = files.signed(&evidence());
    let trusted = files.trusted();
    let key = verify(&envelope, &evidence(), &file, &trusted).unwrap();
    assert_eq!(key.id, PrivateKey::read(&files.path("key.pem")).unwrap().id());
    // RFC 8032 7.1, test 1: the signature of nothing.
    let key = PrivateKey::read(&files.path("key.pem")).unwrap();
    assert_eq!(key.raw(b"")[..8], [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]);
}

#[test]
fn an_edited_file_another_image_or_another_key_is_refused() {
    let files = Files::new();
    let good = evidence();
    let (envelope, file) = files.signed(&good);
    let trusted = files.trusted();
    let other = |evidence: &Evidence, file: &[u8]| verify(&envelope, evidence, file, &trusted).unwrap_err();
    // Each byte of the file counts, even one that changes nothing of what it says.
    let mut spaced = file.clone();
    spaced.push(b' ');
    assert!(matches!(other(&good, &spaced), SignError::Other { .. }));
    let mut edited = good.clone();
    edited.packages[0].version.push('1');
    assert!(matches!(other(&edited, &serde_json::to_vec_pretty(&edited).unwrap()), SignError::Other { .. }));
    let mut swapped = good.clone();
    swapped.candidate.ami = "ami-0fedcba9876543210".into();
    assert!(matches!(other(&swapped, &file), SignError::Other { .. }));
    assert!(matches!(verify(&envelope, &good, &file, &[]).unwrap_err(), SignError::Untrusted { .. }));
    let stranger = p256().1;
    assert!(matches!(verify(&envelope, &good, &file, &[stranger]).unwrap_err(), SignError::Untrusted { .. }));
}

#[test]
fn an_envelope_that_was_changed_is_refused() {
    let files = Files::new();
    let good = evidence();
    let (envelope, file) = files.signed(&good);
    let text = std::fs::read_to_string(&envelope).unwrap();
    let trusted = files.trusted();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let payload = STANDARD.decode(value["payload"].as_str().unwrap()).unwrap();
    let forged = String::from_utf8(payload).unwrap().replace("us-east-1", "us-west-2");
    value["payload"] = STANDARD.encode(forged).into();
    files.write("e.dsse.json", value.to_string());
    assert!(matches!(verify(&envelope, &good, &file, &trusted).unwrap_err(), SignError::Untrusted { .. }));
    for broken in
        ["", "{}", "[]", &text.replace("in-toto", "toto"), &text.replace("\"payload\": \"", "\"payload\": \"%")]
    {
        files.write("e.dsse.json", broken);
        assert!(
            matches!(verify(&envelope, &good, &file, &trusted).unwrap_err(), SignError::Envelope { .. }),
            "{broken}"
        );
    }
    std::fs::remove_file(&envelope).unwrap();
    let unsigned = verify(&envelope, &good, &file, &trusted).unwrap_err();
    assert!(matches!(unsigned, SignError::Unsigned { .. }) && unsigned.is_of_the_evidence(), "{unsigned}");
}

#[test]
fn what_is_no_key_is_refused() {
    let files = Files::new();
    for text in ["", PUBLIC, &PRIVATE.replace("MC4C", "MC4D"), &PRIVATE.replace("-----END", "END")] {
        let path = files.write("bad", text);
        assert!(matches!(PrivateKey::read(&path), Err(SignError::Key { kind: "private", .. })), "{text}");
    }
    for text in ["", PRIVATE, &PUBLIC.replace("MCow", "MCoy")] {
        let path = files.write("bad", text);
        assert!(matches!(PublicKey::read(&path), Err(SignError::Key { kind: "public", .. })), "{text}");
    }
    let unread = PublicKey::read(&files.path("none")).unwrap_err();
    assert!(matches!(unread, SignError::Io { .. }) && !unread.is_of_the_evidence(), "{unread}");
}

/// OpenSSL makes a key, amiforge signs with it, and OpenSSL says whether what it signed is good.
#[test]
fn openssl_agrees() {
    let files = Files::new();
    let openssl = |arguments: &[&str]| {
        Command::new("openssl").args(arguments).current_dir(files.0.path()).output().expect("openssl is installed")
    };
    assert!(openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]).status.success());
    assert!(openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]).status.success());
    let good = evidence();
    let (envelope, file) = files.signed(&good);
    assert!(verify(&envelope, &good, &file, &files.trusted()).is_ok());
    let value: Value = serde_json::from_str(&std::fs::read_to_string(envelope).unwrap()).unwrap();
    let payload = STANDARD.decode(value["payload"].as_str().unwrap()).unwrap();
    let kind = value["payloadType"].as_str().unwrap();
    // Written out a second time, from the specification of DSSE.
    let mut signed = b"DSSEv1 ".to_vec();
    for part in [kind.as_bytes(), &payload] {
        signed.extend(format!("{} ", part.len()).bytes());
        signed.extend(part);
        signed.push(b' ');
    }
    signed.pop();
    files.write("signed", &signed);
    files.write("signature", STANDARD.decode(value["signatures"][0]["sig"].as_str().unwrap()).unwrap());
    let check =
        ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-rawin", "-in", "signed", "-sigfile", "signature"];
    let agreed = openssl(&check);
    assert!(agreed.status.success(), "{}", String::from_utf8_lossy(&agreed.stderr));
    signed[10] ^= 1;
    files.write("signed", &signed);
    assert!(!openssl(&check).status.success());
}

/// A key on P-256, and its public half as KMS hands it out.
fn p256() -> (EcdsaKeyPair, PublicKey) {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref(), &random).unwrap();
    let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let head: Vec<u8> =
        (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap()).collect();
    let der = [head.as_slice(), pair.public_key().as_ref()].concat();
    let public = PublicKey::of(&der, KeySource::Kms("arn:aws:kms:us-east-1:000000000000:key/k".into())).unwrap();
    (pair, public)
}

/// What stands in an envelope, each with a byte of it changed.
fn flipped(text: &str, at: usize, bit: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    bytes[at] ^= 1 << (bit % 7);
    String::from_utf8(bytes).ok().filter(|changed| changed != text)
}

proptest! {
    /// Whichever key has signed: whatever byte of payload, its kind, signature or key id is changed, nobody believes it.
    #[test]
    fn every_byte_of_what_is_signed_counts(member in 0_usize..4, at in any::<usize>(), bit in 0_u8..7, on_p256 in any::<bool>()) {
        let files = Files::new();
        let good = evidence();
        let file = serde_json::to_vec_pretty(&good).unwrap();
        let unsigned = Unsigned::about(&good, &file, "ami-1.json");
        let (text, trusted) = if on_p256 {
            let (pair, public) = p256();
            let signature = pair.sign(&SystemRandom::new(), &unsigned.message()).unwrap();
            (envelope::sealed(&unsigned, &public.id, signature.as_ref()), vec![public])
        } else {
            (PrivateKey::read(&files.path("key.pem")).unwrap().sign(&unsigned), files.trusted())
        };
        let path = files.write("e.dsse.json", &text);
        prop_assert!(verify(&path, &good, &file, &trusted).is_ok());
        let mut value: Value = serde_json::from_str(&text).unwrap();
        let place = ["/payload", "/payloadType", "/signatures/0/sig", "/signatures/0/keyid"][member];
        let place = value.pointer_mut(place).unwrap();
        let Some(changed) = flipped(place.as_str().unwrap(), at, bit) else { return Ok(()) };
        *place = changed.into();
        files.write("e.dsse.json", value.to_string());
        prop_assert!(verify(&path, &good, &file, &trusted).is_err());
    }

    /// A signature by any other key is that of a stranger, even under the name of the one that is trusted.
    #[test]
    fn the_name_of_a_key_is_not_the_key(swap in any::<bool>()) {
        let files = Files::new();
        let good = evidence();
        let file = serde_json::to_vec_pretty(&good).unwrap();
        let unsigned = Unsigned::about(&good, &file, "ami-1.json");
        let ((pair, own), (_, other)) = (p256(), p256());
        let signature = pair.sign(&SystemRandom::new(), &unsigned.message()).unwrap();
        let name = if swap { &other.id } else { &own.id };
        let path = files.write("e.dsse.json", envelope::sealed(&unsigned, name, signature.as_ref()));
        let stranger = verify(&path, &good, &file, std::slice::from_ref(&other));
        let untrusted = matches!(stranger, Err(SignError::Untrusted { .. }));
        prop_assert!(untrusted);
        prop_assert_eq!(verify(&path, &good, &file, &[other, own]).is_ok(), !swap);
    }
}

#[test]
fn keys_of_other_kinds_are_no_keys() {
    let (_, public) = p256();
    let from = || KeySource::File(PathBuf::from("k"));
    assert_eq!(public.algorithm, Algorithm::P256);
    assert_eq!(public.id.len(), 64);
    for der in [&[][..], &[0x30; 91], &[0; 44]] {
        assert_eq!(PublicKey::of(der, from()), None);
    }
}
