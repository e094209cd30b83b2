use super::*;
use crate::promote::model::{ParameterMove, TemplateBefore, TemplateMove};

/// As an amiforge wrote it that had one launch template and one parameter per place.
const RECORD: &str = r#"{"schema":"amiforge.release/1","id":"5b1c0e4f7a2d9388","project":"acme","recipe":"debian-12",
"arch":"x86_64","channel":"candidate","ami":"ami-00000000000000002","image_arn":null,"image_version":"1.0.1/1",
"evidence":"sha256:e2","targets":[{"account":"111111111111","region":"us-east-1","ami":"ami-00000000000000002",
"launch_template":{"name":"debian-12-x86_64","id":"lt-0a1b2c3d4e5f60718","version":2,"previous":1},
"parameter":{"name":"/golden/debian-12/x86_64/candidate","version":2}}],"promoted_at":"2026-01-02T03:04:05Z",
"by":"host/7","caller":"arn:aws:iam::111111111111:user/ann","reason":"promoted","previous":{"schema":"amiforge.release/1",
"id":"00c0e4f7a2d93885","project":"acme","recipe":"debian-12","arch":"x86_64","channel":"candidate",
"ami":"ami-00000000000000001","image_arn":null,"image_version":"1.0.0/1","evidence":"sha256:e1","targets":[],
"promoted_at":"2026-01-01T03:04:05Z","by":"host/6","reason":"promoted"}}"#;

/// The journal of the promotion after it, of the same version.
const JOURNAL: &str = r#"{"schema":"amiforge.journal/2","release":{"schema":"amiforge.release/1","id":"77aa0e4f7a2d9388",
"project":"acme","recipe":"debian-12","arch":"x86_64","channel":"candidate","ami":"ami-00000000000000003",
"image_arn":null,"image_version":"1.0.2/1","evidence":"sha256:e3","targets":[],"promoted_at":"2026-01-03T03:04:05Z",
"by":"host/8","reason":"promoted"},"previous":{"schema":"amiforge.release/1","id":"5b1c0e4f7a2d9388","project":"acme",
"recipe":"debian-12","arch":"x86_64","channel":"candidate","ami":"ami-00000000000000002","image_arn":null,
"image_version":"1.0.1/1","evidence":"sha256:e2","targets":[],"promoted_at":"2026-01-02T03:04:05Z","by":"host/7",
"reason":"promoted"},"evidence_tag":"sha256:e3","supplies":[{"account":"111111111111","region":"us-east-1",
"ami":"ami-00000000000000003","how":"built"}],"moves":[{"account":"111111111111","region":"us-east-1","supply":0,
"launch_template":"debian-12-x86_64","template_before":{"id":"lt-0a1b2c3d4e5f60718","default_version":2},
"parameter":"/golden/debian-12/x86_64/candidate","parameter_before":"ami-00000000000000002","instance_type":"t3.micro"},
{"account":"111111111111","region":"eu-west-1","supply":0,"launch_template":"debian-12-x86_64","template_before":null,
"parameter":"/golden/debian-12/x86_64/candidate","parameter_before":null,"instance_type":"t3.micro"}]}"#;

#[test]
fn a_record_of_an_older_version_is_read_with_the_release_before_it() {
    let read = release("/r", RECORD).unwrap();
    assert_eq!((read.schema.as_str(), read.ami.as_str()), (RELEASE_SCHEMA, "ami-00000000000000002"));
    let placed = &read.targets[0];
    assert_eq!((placed.launch_templates.len(), placed.parameters.len()), (1, 1));
    assert_eq!((&*placed.launch_templates[0].name, placed.launch_templates[0].version), ("debian-12-x86_64", 2));
    assert_eq!((&*placed.parameters[0].name, placed.parameters[0].version), ("/golden/debian-12/x86_64/candidate", 2));
    let previous = read.previous.as_ref().unwrap();
    assert_eq!((previous.schema.as_str(), previous.ami.as_str()), (RELEASE_SCHEMA, "ami-00000000000000001"));
    // What is written of it next is of today's form.
    let text = serde_json::to_string(&read).unwrap();
    assert_eq!(release("/r", &text).unwrap(), read);
}

#[test]
fn a_journal_of_an_older_version_can_be_finished_and_undone() {
    let read = journal("/j", JOURNAL).unwrap();
    let before = Some(TemplateBefore { id: "lt-0a1b2c3d4e5f60718".into(), default_version: 2 });
    assert_eq!(read.moves[0].launch_templates, [TemplateMove { name: "debian-12-x86_64".into(), before }]);
    let name = "/golden/debian-12/x86_64/candidate".to_owned();
    let before = Some("ami-00000000000000002".to_owned());
    assert_eq!(read.moves[0].parameters, [ParameterMove { name: name.clone(), before }]);
    assert_eq!(read.moves[1].parameters, [ParameterMove { name, before: None }]);
    assert_eq!(read.moves[1].launch_templates[0].before, None);
    assert_eq!(journal("/j", &serde_json::to_string(&read).unwrap()).unwrap(), read);
}

#[test]
fn what_is_not_whole_or_of_a_version_to_come_is_an_error() {
    for broken in [
        RECORD.replace(r#""launch_template":{"name""#, r#""template":{"name""#),
        RECORD.replace(r#""parameter":{"name":"/golden/debian-12/x86_64/candidate","version":2}"#, r#""more":1"#),
        RECORD.replace("release/1", "release/3"),
        RECORD.replacen("release/1", "release/2", 1),
        RECORD.replace("\"id\":\"5b1c0e4f7a2d9388\",", ""),
        "[]".to_owned(),
        "{".to_owned(),
    ] {
        let error = release("/r", &broken).unwrap_err();
        assert!(matches!(error, PromoteError::Unreadable { .. }), "{error}");
    }
    for broken in [
        JOURNAL.replace("\"launch_template\":\"debian-12-x86_64\",", ""),
        JOURNAL.replace("journal/2", "journal/4"),
        JOURNAL.replacen("journal/2", "journal/3", 1),
        JOURNAL.replace("\"supply\":0,", ""),
    ] {
        let error = journal("/j", &broken).unwrap_err();
        assert!(matches!(error, PromoteError::Unreadable { .. }), "{error}");
    }
}
