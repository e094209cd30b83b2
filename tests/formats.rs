//! Every format over the same findings: how it looks, and that no finding over any text makes it invalid.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

#[path = "formats/schema.rs"]
mod schema;

use amiforge::component::rules;
use amiforge::diagnostic::render::{self, Report};
use amiforge::diagnostic::{Diagnostic, Edit, Severity, SourceFile, Span, catalogue};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

static SCHEMA: LazyLock<Value> = LazyLock::new(schema::schema);

/// Findings of every kind: all levels, with and without place, fix, related places, in two files, one of them hostile.
fn findings() -> Vec<Diagnostic> {
    let app = SourceFile::new(
        "components/app.yaml",
        "name: App\nphases:\n  - name: build\n    setps: []\n    größe: {{ x }}\n",
    );
    let hostile = SourceFile::new("odd name,1:2.yaml", "a: \"\u{1b}[2J100%\"\nb: ]]> <&'\n");
    let at = |word: &str| {
        let start = app.text.find(word).unwrap();
        Span::new(start, start + word.len())
    };
    vec![
        Diagnostic::warning("C099", "something without a place"),
        Diagnostic::error("S014", "unknown key `setps` in a phase")
            .at(&app, at("setps"), "not a key of a phase")
            .also_at(&app, at("build"), "in this phase")
            .note("the service refuses unknown keys")
            .help("did you mean `steps`?")
            .safe_fix("call it `steps`", vec![Edit::replace(at("setps"), "steps")]),
        Diagnostic::warning("X099", "`{{ x }}` is not in quotes")
            .at(&app, at("{{ x }}"), "")
            .unsafe_fix(
                "put it in quotes",
                vec![Edit::insert(at("{{ x }}").start, "\""), Edit::insert(at("{{ x }}").end, "\"")],
            )
            .inferred(),
        Diagnostic::error("Y001", "evil \u{1b}[31m text\n::error::forged, ]]> & <b>").at(
            &hostile,
            Span::new(4, 8),
            "\u{7}",
        ),
        Diagnostic::new("P001", Severity::Note, "over two lines").at(&hostile, Span::new(3, 20), "from here"),
    ]
}

fn documents() -> Vec<String> {
    ["components/app.yaml", "components/clean.yaml", "odd name,1:2.yaml"].map(str::to_owned).to_vec()
}

fn report<'a>(documents: &'a [String], findings: &'a [Diagnostic]) -> Report<'a> {
    Report { documents, findings, fail_on: Severity::Error }
}

#[test]
fn text() {
    insta::assert_snapshot!(render::text(&findings(), false));
}

#[test]
fn concise() {
    insta::assert_snapshot!(render::concise(&findings()));
}

#[test]
fn github() {
    insta::assert_snapshot!(render::github(&findings()));
}

#[test]
fn json() {
    insta::assert_snapshot!(render::json(&report(&documents(), &findings())));
}

#[test]
fn junit() {
    insta::assert_snapshot!(render::junit(&report(&documents(), &findings())));
}

#[test]
fn junit_fails_from_the_level_on_that_was_asked_for() {
    let (documents, findings) = (documents(), findings());
    for (fail_on, failures) in [(Severity::Error, 2), (Severity::Warning, 4), (Severity::Note, 5)] {
        let xml = render::junit(&Report { fail_on, ..report(&documents, &findings) });
        assert_eq!(xml.matches("<failure ").count(), failures, "{xml}");
        assert!(xml.contains(&format!("tests=\"6\" skipped=\"0\" failures=\"{failures}\" errors=\"0\"")), "{xml}");
    }
}

#[test]
fn sarif() {
    let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    let log = render::sarif(&report(&documents(), &findings())).replace(version, "\"version\": \"[version]\"");
    // What rules say of themselves is looked at elsewhere.
    insta::with_settings!({ filters => vec![(r#""(text|markdown)": "(?:[^"\\]|\\.){110,}""#, "\"$1\": \"[long]\"")] }, {
        insta::assert_snapshot!(log);
    });
}

#[test]
fn nothing_found_is_a_whole_report_too() {
    let documents = documents();
    let nothing = report(&documents, &[]);
    assert_eq!(render::text(&[], true) + &render::concise(&[]) + &render::github(&[]), "");
    assert_eq!(serde_json::from_str::<Value>(&render::json(&nothing)).unwrap()["summary"]["documents"], 3);
    assert!(render::junit(&nothing).contains("tests=\"3\" skipped=\"0\" failures=\"0\""));
    valid_sarif(&render::sarif(&nothing));
    valid_sarif(&render::sarif(&report(&[], &[])));
}

#[test]
fn every_rule_and_code_can_be_described() {
    let file = SourceFile::new("f", "text");
    let codes = rules::all().iter().map(|rule| rule.id).chain(catalogue::all().iter().map(|entry| entry.code));
    let findings: Vec<Diagnostic> =
        codes.map(|code| Diagnostic::warning(code, "m").at(&file, Span::new(0, 4), "")).collect();
    let log = valid_sarif(&render::sarif(&report(&documents(), &findings)));
    let driver = &log["runs"][0]["tool"]["driver"];
    assert_eq!(driver["rules"].as_array().unwrap().len(), findings.len());
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
    }
}

/// Reads a log; it must be one by the schema and by the types generated from it.
fn valid_sarif(text: &str) -> Value {
    let log: Value = serde_json::from_str(text).unwrap();
    let faults = schema::faults(&SCHEMA, &log);
    assert!(faults.is_empty(), "{faults:#?}\n{text}");
    serde_json::from_value::<serde_sarif::sarif::Sarif>(log.clone()).unwrap();
    log
}

#[test]
fn the_schema_is_not_a_formality() {
    let good: Value = serde_json::from_str(&render::sarif(&report(&documents(), &findings()))).unwrap();
    let broken: &[(&str, Value)] = &[
        ("/version", "2.0.0".into()),
        ("/$schema", "not a uri".into()),
        ("/runs/0/tool/driver/name", 1.into()),
        ("/runs/0/columnKind", "bytes".into()),
        ("/runs/0/results/0/level", "bad".into()),
        ("/runs/0/results/0/message", serde_json::json!({ "markdown": "only" })),
        ("/runs/0/results/0/locations/0/physicalLocation", serde_json::json!({ "region": {} })),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", 0.into()),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", "with space".into()),
        ("/runs/0/results/0/fixes/0/artifactChanges", serde_json::json!([])),
        ("/runs/0/results/0/partialFingerprints/amiforgeFinding~1v1", 7.into()),
        ("/runs/0/artifacts/0/roles", serde_json::json!(["analysisTarget", "analysisTarget"])),
        ("/runs/0/invocations/0", serde_json::json!({ "exitCode": 0 })),
        ("/runs/0", serde_json::json!({ "tool": { "driver": { "name": "x", "unknown": 1 } } })),
    ];
    for (pointer, value) in broken {
        let mut log = good.clone();
        *log.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = value.clone();
        assert!(!schema::faults(&SCHEMA, &log).is_empty(), "{pointer} = {value} passes");
    }
}

#[test]
fn json_names_places_that_can_be_used() {
    let findings = findings();
    let document: Value = serde_json::from_str(&render::json(&report(&documents(), &findings))).unwrap();
    let fixed = document["findings"].as_array().unwrap().iter().find(|one| one["code"] == "S014").unwrap();
    let edit = &fixed["fix"]["edits"][0];
    let offset = |place: &str| usize::try_from(edit[place]["offset"].as_u64().unwrap()).unwrap();
    let text = &findings[1].primary.as_ref().unwrap().source.text;
    assert_eq!(&text[offset("start")..offset("end")], "setps");
    assert_eq!((&edit["start"]["line"], &edit["start"]["column"]), (&4.into(), &5.into()));
}

#[test]
fn the_order_does_not_depend_on_that_of_the_findings() {
    let (documents, findings) = (documents(), findings());
    let reversed: Vec<Diagnostic> = findings.iter().rev().cloned().collect();
    let all = |findings: &[Diagnostic]| {
        let report = report(&documents, findings);
        [
            render::text(findings, false),
            render::concise(findings),
            render::github(findings),
            render::json(&report),
            render::junit(&report),
            render::sarif(&report),
        ]
    };
    assert_eq!(all(&findings), all(&reversed));
}

#[test]
fn a_very_long_line_is_drawn_in_few_characters() {
    let long = format!("a: 1\nkey: {}HERE{}THERE\n", "x".repeat(5_000_000), "ä".repeat(2_500_000));
    let file = SourceFile::new("f.yaml", long);
    let (here, there) = (file.text.find("HERE").unwrap(), file.text.rfind("THERE").unwrap());
    let found = Diagnostic::error("Y001", file.text.clone())
        .at(&file, Span::new(here, here + 4), "here")
        .also_at(&file, Span::new(there, there + 5), "there")
        .also_at(&file, Span::new(0, 1), "and there");
    let drawn = render::text(&[found], false);
    assert!(drawn.len() < 20_000, "{} bytes", drawn.len());
    assert!(drawn.contains("HERE") && drawn.contains("THERE") && drawn.contains("^^^^ here"), "{drawn}");
    assert!(drawn.contains(" f.yaml:2:5000006\n") && drawn.contains(" f.yaml:2:7500010\n"), "{drawn}");
}

#[test]
fn what_is_far_away_is_drawn_by_itself() {
    let text = (1..=1000).fold(String::new(), |text, line| text + &format!("line {line}\n"));
    let file = SourceFile::new("f", text);
    let place = |word: &str| Span::new(file.text.find(word).unwrap(), file.text.find(word).unwrap() + word.len());
    let found = Diagnostic::error("Y001", "m")
        .at(&file, place("line 500\n"), "here")
        .also_at(&file, place("line 502"), "near")
        .also_at(&file, place("line 520"), "less near")
        .also_at(&file, place("line 9\n"), "far")
        .also_at(&file, Span::new(file.text.len(), file.text.len()), "at the end");
    insta::assert_snapshot!(render::text(&[found], false));
}

#[test]
fn drawing_a_finding_does_not_read_the_whole_file() {
    let text = "  - key: value of a line    \n".repeat(100_000);
    let file = SourceFile::new("f", text);
    let line = file.text.find('\n').unwrap() + 1;
    let findings: Vec<Diagnostic> = (0..1000)
        .map(|number| number * 100 * line)
        .map(|at| Diagnostic::warning("Y001", "m").at(&file, Span::new(at, at + 5), "here"))
        .collect();
    let start = Instant::now();
    let drawn = render::text(&findings, true);
    assert_eq!(drawn.matches("here").count(), 1000);
    // A fraction of a second; minutes if the three megabytes were read for each of them.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Text that is hard on formats.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,40}",
        "[ -~\t\r\n\u{1b}\u{9b}\u{202e}\u{fffe}é🙂]{0,60}",
        "(::error|%0A|\\]\\]>|<!--|&#27;|\\{0\\}|\n|,|:){0,8}"
    ]
}

fn any_finding() -> impl Strategy<Value = Diagnostic> {
    let places = (any_text(), any_text(), 0usize..60, 0usize..60, 0usize..60);
    (places, any_text(), any_text(), prop_oneof![Just("S014"), Just("Y001"), Just("Z999")], 0usize..4).prop_map(
        |((name, text, start, end, other), message, label, code, kind)| {
            let severity = [Severity::Note, Severity::Warning, Severity::Error][kind.min(2)];
            let found = Diagnostic::new(code, severity, message.clone());
            if kind == 3 {
                return found.help(label);
            }
            let file: Arc<SourceFile> = SourceFile::new(name, text);
            found
                .at(&file, Span::new(start, end), label.clone())
                .also_at(&file, Span::new(other, start), message.clone())
                .note(label.clone())
                .unsafe_fix(message, vec![Edit::replace(Span::new(other, end), label)])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_finding_makes_valid_json_and_sarif(findings in proptest::collection::vec(any_finding(), 0..4)) {
        let report = report(&[], &findings);
        let document: Value = serde_json::from_str(&render::json(&report)).unwrap();
        prop_assert_eq!(document["findings"].as_array().unwrap().len(), findings.len());
        let log = valid_sarif(&render::sarif(&report));
        prop_assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), findings.len());
    }

    #[test]
    fn any_finding_makes_valid_xml(findings in proptest::collection::vec(any_finding(), 0..4)) {
        let xml = render::junit(&report(&documents(), &findings));
        let refused = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        prop_assert!(!xml.contains(refused), "{xml:?}");
        let mut reader = quick_xml::Reader::from_str(&xml);
        let mut cases = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    prop_assert!(tag.attributes().all(|attribute| attribute.is_ok()), "{xml}");
                    cases += usize::from(tag.name().as_ref() == "testcase");
                }
                _ => {}
            }
        }
        prop_assert!(cases >= findings.len());
        quick_junit::Report::deserialize_from_str(&xml).unwrap();
    }

    #[test]
    fn any_finding_is_one_line_for_github(findings in proptest::collection::vec(any_finding(), 0..4)) {
        for lines in [render::github(&findings), render::concise(&findings)] {
            prop_assert_eq!(lines.split_terminator('\n').count(), findings.len());
            prop_assert!(!lines.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{lines:?}");
        }
        let commands = render::github(&findings);
        let whole = ["::error ", "::warning ", "::notice "];
        prop_assert!(commands.lines().all(|line| whole.iter().any(|start| line.starts_with(start))), "{commands}");
    }

    #[test]
    fn any_finding_is_harmless_text(findings in proptest::collection::vec(any_finding(), 1..4)) {
        let drawn = render::text(&findings, false);
        prop_assert!(!drawn.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{drawn:?}");
        prop_assert!(!drawn.contains(['\u{202e}', '\u{fdd0}']), "{drawn:?}");
        for found in findings.iter().filter(|found| found.primary.is_some()) {
            let (line, column) = found.primary.as_ref().unwrap().source.line_column(found.span().start);
            let place = format!(":{line}:{column}\n");
            prop_assert!(drawn.contains(&place), "{place} is missing from {drawn}");
        }
    }
}

/// What `validate` writes for code scanning, for a verdict of each kind.
#[test]
fn sarif_of_verdicts_follows_the_standard() {
    use amiforge::gate::{Found, Verdict, VerdictStatus, WaivedBy, WaiverReport, WaiverState};
    use amiforge::report::judged;
    let evidence = serde_json::from_value(serde_json::json!({
        "schema": amiforge::evidence::SCHEMA, "collected_at": "2026-11-23T11:00:00Z", "packages": [],
        "candidate": {
            "project": "acme", "recipe": "web", "arch": "x86_64", "account": "000000000000", "region": "us-east-1",
            "ami": "ami-0123456789abcdef0", "created_at": "2026-11-23T10:00:00Z",
        },
        "image": {
            "name": "web", "state": "available", "owner": "000000000000", "imds_v2": true, "encrypted": true,
            "public": false, "architecture": "x86_64", "ena": true, "root_device": "/dev/xvda", "volumes": [],
        },
    }))
    .unwrap();
    let by = WaivedBy {
        place: "waivers.yaml:2".into(),
        owner: "platform".into(),
        reason: "not reachable".into(),
        expires: "2026-12-31".into(),
    };
    let found =
        |waived: Option<WaivedBy>| Found { id: "CVE-1".into(), what: "HIGH".into(), waived, ..Found::default() };
    let verdict = |gate: &str, status, findings| Verdict {
        gate: gate.into(),
        status,
        summary: "a sentence".into(),
        details: vec!["a line".into()],
        findings,
    };
    let verdicts = [
        verdict("patches", VerdictStatus::Pass, vec![found(None)]),
        verdict("vulnerabilities", VerdictStatus::Fail, vec![found(None), found(Some(by.clone()))]),
        verdict("image", VerdictStatus::Waived, vec![found(Some(by))]),
        verdict("tests", VerdictStatus::Error, vec![]),
        verdict("age", VerdictStatus::Stale, vec![]),
    ];
    let waivers = [WaiverReport {
        place: "waivers.yaml:9".into(),
        gate: "patches".into(),
        finding: "bash".into(),
        owner: "platform".into(),
        expires: "2026-10-01".into(),
        state: WaiverState::Unused,
    }];
    for verdicts in [&verdicts[..], &[]] {
        let judged = judged::Judged { evidence: &evidence, digest: "sha256:0", verdicts, waivers: &waivers };
        let log: serde_json::Value = serde_json::from_str(&judged::sarif(&judged)).unwrap();
        assert_eq!(schema::faults(&schema::schema(), &log), Vec::<String>::new());
    }
}
