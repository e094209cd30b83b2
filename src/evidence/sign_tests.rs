use super::*;
use crate::evidence::testing::evidence;
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
        (self.write("e.dsse.json", key.sign(evidence, &file, "ami-1.json")), file)
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
    let pair = PrivateKey::read(&files.path("key.pem")).unwrap().pair;
    assert_eq!(pair.sign(b"").as_ref()[..8], [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]);
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
    let stranger = PublicKey { bytes: vec![7; 32], id: String::new(), path: PathBuf::new() };
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
    assert!(matches!(verify(&envelope, &good, &file, &trusted).unwrap_err(), SignError::Io { .. }));
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
    assert!(matches!(PublicKey::read(&files.path("none")), Err(SignError::Io { .. })));
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
