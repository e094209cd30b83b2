//! Bundles of what is known of a build: what is saved is read back, and what a stranger has made is refused.

use amiforge::build::why::bundle::{self, BundleError, Manifest, SCHEMA};
use amiforge::build::why::record::{Image, Place, State, Workflow, WorkflowStep};
use amiforge::build::why::{Record, diagnose, redacted};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const ARN: &str = "arn:aws:imagebuilder:eu-central-1:111122223333:image/acme-web-x86-64/1.0.3/1";

const CONSOLE: &str = "\
2026-11-02 10:11:12.345 Info Document app.yaml
2026-11-02 10:11:12.345 Info Phase build
2026-11-02 10:11:12.345 Info Step Install
2026-11-02 10:11:12.345 Info ExecuteBash: STARTED EXECUTION
2026-11-02 10:11:12.345 Info Stdout: DB_PASSWORD=tr0ub4dor&3
2026-11-02 10:11:12.345 Info Stderr: tar: ./big: Cannot write: No space left on device
2026-11-02 10:11:12.345 Info CmdExecution: ExitCode 2
2026-11-02 10:11:12.345 Info TOE has completed execution with failure - Execution failed!
";

fn record() -> Record {
    let step = WorkflowStep { name: "ApplyBuildComponents".into(), status: "FAILED".into(), ..WorkflowStep::default() };
    let workflow = Workflow {
        r#type: "BUILD".into(),
        status: "ROLLBACK_COMPLETED".into(),
        steps: vec![step],
        ..Workflow::default()
    };
    let state = State { status: "FAILED".into(), reason: "Document app.yaml failed!".into(), failure_context: None };
    Record {
        image: Image { arn: ARN.into(), state, ..Image::default() },
        workflows: vec![workflow],
        logs: [
            ("build/console.log".to_owned(), CONSOLE.to_owned()),
            ("documents/app-1.0.0-1.yaml".into(), "name: app\n".into()),
        ]
        .into(),
        places: vec![Place { what: "more".into(), command: "aws s3 ls".into() }],
        gaps: vec!["something".into()],
        ..Record::default()
    }
}

fn about() -> Manifest {
    Manifest { image_arn: ARN.into(), environment: "local".into(), recipe: Some("web".into()), ..Manifest::default() }
}

fn saved(folder: &Path) -> PathBuf {
    let path = folder.join("bundle.tar.gz");
    bundle::write(fs::File::create(&path).expect("a file"), &record(), about()).expect("a bundle");
    path
}

/// An archive of these members; a name is taken as it is, however bad.
fn archive(folder: &Path, members: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join("made.tar.gz");
    let mut tar = tar::Builder::new(GzEncoder::new(fs::File::create(&path).expect("a file"), Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).expect("a member");
    }
    tar.into_inner().expect("the archive").finish().expect("the end");
    path
}

fn refused(path: &Path) -> BundleError {
    bundle::read(path).expect_err("it must be refused")
}

#[test]
fn what_is_saved_is_read_back_and_explained_alike_packed_or_unpacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = saved(folder.path());
    let (manifest, read) = bundle::read(&path).expect("the bundle");
    assert_eq!(read, record());
    assert_eq!((manifest.schema.as_str(), manifest.recipe.as_deref(), manifest.files.len()), (SCHEMA, Some("web"), 6));
    assert_eq!(diagnose(&read, None).causes[0].code, "W060");

    let unpacked = folder.path().join("unpacked");
    let file = flate2::read::GzDecoder::new(fs::File::open(&path).expect("the bundle"));
    tar::Archive::new(file).unpack(&unpacked).expect("unpacked");
    assert_eq!(bundle::read(&unpacked).expect("the folder"), (manifest, read));
    let again = folder.path().join("again.tar.gz");
    bundle::write(fs::File::create(&again).expect("a file"), &record(), about()).expect("a bundle");
    assert_eq!(fs::read(path).expect("bytes"), fs::read(again).expect("bytes"), "the same record, the same bundle");
}

#[test]
fn secrets_are_not_in_a_bundle_of_a_redacted_record() {
    let (clean, count) = redacted(&record(), &[]);
    assert_eq!(count, 1);
    let mut bytes = Vec::new();
    bundle::write(&mut bytes, &clean, about()).expect("a bundle");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut text).expect("text");
    assert!(text.contains("DB_PASSWORD=***") && !text.contains("tr0ub4dor"), "{text}");
}

#[test]
fn what_awstoe_left_is_a_bundle_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("console.log"), CONSOLE).expect("a log");
    let (manifest, record) = bundle::read(folder.path()).expect("the folder");
    assert_eq!(manifest, Manifest::default());
    let diagnosis = diagnose(&record, None);
    assert_eq!(
        (diagnosis.causes[0].code, diagnosis.step.as_deref(), diagnosis.exit),
        ("W060", Some("Install"), Some(2))
    );
    let path = archive(folder.path(), &[("TOE_2026-11-02_10-11-12_UTC-0_x/console.log", CONSOLE.as_bytes())]);
    assert_eq!(bundle::read(&path).expect("the archive").1.logs, record.logs);
}

#[test]
fn names_that_lead_out_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["../console.log", "/etc/passwd", "logs/../../console.log", "a\\b"] {
        let error = refused(&archive(folder.path(), &[(name, b"x")]));
        assert!(matches!(&error, BundleError::Name(found) if found == name), "{name}: {error}");
    }
    assert!(!folder.path().parent().expect("a parent").join("console.log").exists());
}

#[test]
fn links_and_devices_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("link.tar.gz");
    let mut tar = tar::Builder::new(GzEncoder::new(fs::File::create(&path).expect("a file"), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "console.log", "/etc/shadow").expect("a link");
    tar.into_inner().expect("the archive").finish().expect("the end");
    assert!(matches!(refused(&path), BundleError::Kind(_)));

    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).expect("a folder");
    std::os::unix::fs::symlink("/etc/passwd", unpacked.join("console.log")).expect("a link");
    assert!(matches!(refused(&unpacked), BundleError::Kind(_)));
    fs::remove_file(unpacked.join("console.log")).expect("removed");
    std::os::unix::fs::symlink("/etc", unpacked.join("test")).expect("a link");
    assert!(matches!(refused(&unpacked), BundleError::Kind(_)), "nor a folder on the way");
}

#[test]
fn huge_ones_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    // 200 GB as the header says; hardly any bytes.
    let path = folder.path().join("huge.tar.gz");
    let mut header = tar::Header::new_gnu();
    header.set_path("console.log").expect("a name");
    header.set_size(200 << 30);
    header.set_cksum();
    let mut out = GzEncoder::new(fs::File::create(&path).expect("a file"), Compression::fast());
    out.write_all(header.as_bytes()).expect("a header");
    out.finish().expect("the end");
    assert!(matches!(refused(&path), BundleError::TooBig(_)));
    let many: Vec<String> = (0..2_100).map(|number| format!("f{number}")).collect();
    let members: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert!(matches!(refused(&archive(folder.path(), &members)), BundleError::TooBig(_)));
}

#[test]
fn truncated_changed_and_strange_ones_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = fs::read(saved(folder.path())).expect("bytes");
    let cut = folder.path().join("cut.tar.gz");
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 12] {
        fs::write(&cut, &whole[..length]).expect("a file");
        let error = refused(&cut);
        assert!(matches!(error, BundleError::Damaged { .. } | BundleError::Nothing), "{length}: {error}");
    }
    fs::write(&cut, b"PK\x03\x04 a zip").expect("a file");
    assert!(matches!(refused(&cut), BundleError::Damaged { .. }));
    assert!(matches!(refused(&folder.path().join("nowhere.tar.gz")), BundleError::Io { .. }));
    assert!(matches!(refused(&archive(folder.path(), &[("readme.txt", b"hello")])), BundleError::Nothing));

    let manifest = |schema: &str, digest: &str| {
        serde_json::json!({"schema": schema, "created": "", "by": "", "environment": "", "image_arn": ARN, "recipe": null,
            "redacted": 0, "files": [{"path": "image.json", "what": "", "bytes": 2, "sha256": digest}]})
        .to_string()
    };
    let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // {}
    let good = manifest(SCHEMA, empty);
    let with = |members: &[(&str, &[u8])]| archive(folder.path(), members);
    assert!(bundle::read(&with(&[("manifest.json", good.as_bytes()), ("image.json", b"{}")])).is_ok());
    let differs = |path: PathBuf| assert!(matches!(refused(&path), BundleError::Differs { .. }));
    differs(with(&[("manifest.json", good.as_bytes()), ("image.json", b"[]")]));
    differs(with(&[("manifest.json", good.as_bytes())]));
    differs(with(&[("manifest.json", good.as_bytes()), ("image.json", b"{}"), ("logs/x", b"")]));
    differs(with(&[("manifest.json", good.as_bytes()), ("image.json", b"{}"), ("./image.json", b"{}")]));
    let newer = manifest("amiforge.build-log/9", empty);
    for manifest in [newer.as_str(), "{", "[]", "null"] {
        let path = with(&[("manifest.json", manifest.as_bytes()), ("image.json", b"{}")]);
        assert!(matches!(refused(&path), BundleError::Form { .. }), "{manifest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A byte that was changed on the way is noticed, or makes no difference.
    #[test]
    fn any_damage_is_an_error_or_harmless(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = saved(folder.path());
        let mut bytes = fs::read(&path).expect("bytes");
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&path, bytes).expect("a file");
        if let Ok((_, read)) = bundle::read(&path) {
            prop_assert_eq!(read, record());
        }
    }
}
