use super::*;
use crate::component::{self, rules};
use crate::diagnostic::{Edit, Severity, render};
use proptest::prelude::*;

mod changes;

fn source(name: &str, text: &str) -> Arc<SourceFile> {
    SourceFile::new(name, text)
}

fn kind(name: &str, text: &str) -> Kind {
    extract(&source(name, text)).kind
}

/// The only document of a file.
fn only(name: &str, text: &str) -> Embedded {
    let mut extraction = extract(&source(name, text));
    assert_eq!((extraction.documents.len(), extraction.diagnostics.as_slice()), (1, &[][..]), "{text}");
    extraction.documents.remove(0)
}

/// A template with one component, whose `Data` is given with its key.
fn template(data: &str) -> String {
    format!(
        "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Agent:\n    Type: AWS::ImageBuilder::Component\n    \
         Properties:\n      Platform: Linux\n{data}\n  After:\n    Type: AWS::S3::Bucket\n"
    )
}

fn configuration(data: &str) -> String {
    format!(
        "resource \"aws_imagebuilder_component\" \"agent\" {{\n  platform = \"Linux\"\n  data = {data}\n}}\n\
         resource \"aws_s3_bucket\" \"b\" {{}}\n"
    )
}

/// The first line of the message and the label of what is said about a file that has no document to be looked at.
fn note(name: &str, text: &str) -> String {
    let extraction = extract(&source(name, text));
    assert!(extraction.documents.is_empty(), "{text}");
    let [found] = extraction.diagnostics.as_slice() else { panic!("{text}: {:?}", extraction.diagnostics) };
    assert_eq!((found.code, found.severity), ("E002", Severity::Note), "{found:?}");
    let label = found.primary.as_ref().unwrap();
    format!("{} @ {}", label.message, label.source.slice(label.span))
}

/// Everything there is to say about the only document of a file.
fn findings(name: &str, text: &str) -> Vec<Diagnostic> {
    let embedded = only(name, text);
    let parsed = component::parse(&embedded.document);
    embedded.report(rules::check(&embedded.document, &parsed, &rules::Target::default()))
}

/// The codes of the errors among them.
fn errors(name: &str, text: &str) -> Vec<&'static str> {
    let errors = findings(name, text).into_iter().filter(|found| found.severity == Severity::Error);
    errors.map(|found| found.code).collect()
}

#[test]
fn files_are_known_by_what_is_in_them() {
    let component = "name: a\nschemaVersion: 1.0\nphases: []\n";
    assert_eq!(kind("a.yaml", component), Kind::Component);
    assert_eq!(kind("a.json", "{\"schemaVersion\": \"1.0\", \"phases\": []}"), Kind::Component);
    assert_eq!(kind("a.yml", "phases:\n  - name: build\n"), Kind::Component, "a version that is missing is a finding");
    assert_eq!(kind("a.yml", "schemaVersion: 1.0\nphase: []\n"), Kind::Component, "so is a misspelled key");
    assert_eq!(kind("a.yml", "schemaVersion: 1.0\nphases: [\n"), Kind::Component, "so is broken YAML");
    assert_eq!(kind("a.txt", component), Kind::Other);
    assert_eq!(kind("a.yaml", "project: x\n"), Kind::Other);
    assert_eq!(kind("a.yaml", "- phases\n"), Kind::Other);
    assert_eq!(kind("buildspec.yml", "version: 0.2\nphases:\n  build:\n    commands: [make]\n"), Kind::Other);
    assert_eq!(kind("ssm.yaml", "schemaVersion: '2.2'\nmainSteps: []\n"), Kind::Other);
    assert_eq!(kind("workflow.yaml", "schemaVersion: 1.0\nname: x\nsteps: []\n"), Kind::Other);
    assert_eq!(kind("t.yaml", "Resources:\n  A:\n    Type: AWS::S3::Bucket\n"), Kind::CloudFormation);
    assert_eq!(kind("t.template", &template("      Uri: s3://a/b")), Kind::CloudFormation);
    assert_eq!(kind("t.yaml", "Resources:\n  - AWS::S3::Bucket\n"), Kind::Other);
    assert_eq!(kind("main.tf", ""), Kind::Terraform);
}

#[test]
fn a_component_document_is_its_own_only_document() {
    let source = source("a.yaml", "schemaVersion: 1.0\nphases: []\n");
    let extraction = extract(&source);
    assert!(Arc::ptr_eq(&extraction.documents[0].document, &source) && !extraction.documents[0].inline);
    let fix = vec![Edit::replace(Span::new(15, 18), "\"1.0\"")];
    let finding = Diagnostic::error("D002", "m").at(&source, Span::new(15, 18), "l").safe_fix("t", fix);
    assert_eq!(extraction.documents[0].report(vec![finding.clone()]), [finding]);
}

#[test]
fn documents_are_found_in_every_form() {
    let wanted = "schemaVersion: 1.0\nname: a\n";
    for data in [
        "      Data: |\n        schemaVersion: 1.0\n        name: a",
        "      Data: !Sub |\n        schemaVersion: 1.0\n        name: a",
        "      Data:\n        Fn::Sub: |\n          schemaVersion: 1.0\n          name: a",
        "      Data:\n        Fn::Sub:\n          - |\n            schemaVersion: 1.0\n            name: a\n          - {X: y}",
        "      Data: !Sub\n        - |\n          schemaVersion: 1.0\n          name: a\n        - X: y",
        "      Data: \"schemaVersion: 1.0\\nname: a\\n\"",
        "      Data: !!str \"schemaVersion: 1.0\\nname: a\\n\"",
        "      Data: 'schemaVersion: 1.0\n\n        name: a\n\n        '",
    ] {
        let embedded = only("t.yaml", &template(data));
        assert_eq!(embedded.document.text.trim_end(), wanted.trim_end(), "{data}");
        assert_eq!((embedded.name.as_str(), embedded.platform), ("Resources.Agent", Some(Platform::Linux)));
        assert!(embedded.inline);
    }
    for data in [
        "<<EOT\nschemaVersion: 1.0\nname: a\nEOT",
        "<<-EOT\n    schemaVersion: 1.0\n    name: a\n  EOT",
        "\"schemaVersion: 1.0\\nname: a\\n\"",
    ] {
        let embedded = only("main.tf", &configuration(data));
        assert_eq!(embedded.document.text, wanted, "{data}");
        assert_eq!(
            (embedded.name.as_str(), embedded.platform),
            ("aws_imagebuilder_component.agent", Some(Platform::Linux))
        );
    }
    let awscc = configuration("\"a: b\"").replace("\"aws_", "\"awscc_").replace("Linux", "Windows");
    assert_eq!(only("main.tf", &awscc).name, "awscc_imagebuilder_component.agent");
    assert_eq!(only("main.tf", &awscc).platform, Some(Platform::Windows));
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let cfn = |data: &str| note("t.yaml", &template(data));
    assert_eq!(cfn("      Data: !Join ['', [a, b]]"), "made by `!Join` @ Data");
    assert_eq!(cfn("      Data:\n        Fn::Join: ['', [a, b]]"), "made by `Fn::Join` @ Data");
    assert_eq!(cfn("      Data: !Ref Text"), "made by `!Ref` @ Data");
    assert_eq!(cfn("      Data: {Ref: Text}"), "made by `Ref` @ Data");
    assert_eq!(cfn("      Data: !If [A, b, c]"), "made by `!If` @ Data");
    assert_eq!(cfn("      Data: {a: b}"), "this is a mapping and not text @ Data");
    assert_eq!(cfn("      Data: *text"), "an alias for a text that stands elsewhere @ Data");
    assert_eq!(
        cfn("      Data: !Sub\n        - !Ref A\n        - {}"),
        "`Fn::Sub` gets its text from somewhere else @ Data"
    );
    assert_eq!(cfn("      Data: !Sub '${Document}'"), "all of it is put in when it is deployed @ Data");
    assert_eq!(
        cfn("      Data: !Sub |\n        schemaVersion: 1.0\n        ${Rest}\n        phases: []"),
        "whole lines of it are put in when it is deployed @ Data"
    );
    let each = "Resources:\n  Fn::ForEach::All:\n    - X\n    - [a, b]\n    - C${X}:\n        Type: AWS::ImageBuilder::Component\n        Properties: {Data: 'a: ${X}'}\n  B: {Type: AWS::S3::Bucket}\n";
    assert_eq!(note("t.yaml", each), "made by `Fn::ForEach`, which may replace anything in it @ C${X}");
    let tf = |data: &str| note("main.tf", &configuration(data));
    assert_eq!(tf("yamlencode({\n  a = 1\n})"), "made by `yamlencode` @ yamlencode({\n  a = 1\n})");
    assert_eq!(tf("file(\"x.yaml\")"), "`file` reads it from another file @ file(\"x.yaml\")");
    assert_eq!(
        tf("templatefile(\"x.yaml\", { a = 1 })"),
        "`templatefile` reads it from another file @ templatefile(\"x.yaml\", { a = 1 })"
    );
    assert_eq!(tf("local.document"), "an expression @ local.document");
    assert_eq!(tf("\"${file(\"x\")}\""), "all of it is put in when it is deployed @ \"${file(\"x\")}\"");
    assert_eq!(tf("<<EOT\na: b\n%{ if x }\nc: d\n%{ endif }\nEOT"), "a directive decides what it says @ %{");
    assert_eq!(tf("<<EOT\na: ${~ b ~}\nEOT"), "takes white space around it away @ ${~ b ~}");
}

#[test]
fn what_is_not_there_or_elsewhere_is_passed_over() {
    for text in [
        template("      Uri: s3://bucket/key"),
        template("      Uri: !Sub 's3://${Bucket}/key'"),
        template("      Data: 'a: b'").replace("AWS::ImageBuilder::Component", "AWS::ImageBuilder::Image"),
        "AWSTemplateFormatVersion: x\nResources: [a]\n".to_owned(),
        "AWSTemplateFormatVersion: x\nResources:\n  A: {Type: AWS::ImageBuilder::Component}\n".to_owned(),
        // A duplicate key is for whoever deploys the template.
        "Resources:\n  A: {Type: AWS::S3::Bucket, Type: AWS::S3::Bucket}\n".to_owned(),
    ] {
        let extraction = extract(&source("t.yaml", &text));
        assert!(extraction.documents.is_empty() && extraction.diagnostics.is_empty(), "{text}");
    }
    for text in [
        configuration("\"a\"").replace("data", "uri"),
        configuration("\"a\"").replace("resource", "data"),
        configuration("\"a\"").replace("  data", "  # data"),
        format!("locals {{\n  x = \"\"\n  {}\n}}\n", configuration("\"a\"")),
        configuration("\"a\"").replace("data = \"a\"", "nested {\n data = \"a\"\n}"),
    ] {
        let extraction = extract(&source("main.tf", &text));
        assert!(extraction.documents.is_empty() && extraction.diagnostics.is_empty(), "{text}");
    }
}

#[test]
fn a_template_that_cannot_be_read_or_is_too_large_is_refused() {
    let broken = extract(&source("t.yaml", &template("      Data: 'open")));
    assert_eq!(broken.kind, Kind::CloudFormation);
    assert_eq!(broken.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), ["Y001"]);
    let long = "x".repeat(MOST_BYTES);
    for (name, text) in
        [("t.yaml", template(&format!("      Data: {long}"))), ("a.tf", configuration(&format!("\"{long}\"")))]
    {
        let extraction = extract(&source(name, &text));
        assert!(extraction.documents.is_empty());
        assert_eq!(extraction.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), ["E002"]);
    }
    assert_eq!(kind("lock.json", &format!("{{\"phases\": \"{long}\"}}")), Kind::Other);
    assert!(extract(&source("a.tf", &long)).diagnostics.is_empty());
}

#[test]
fn the_last_line_of_a_block_is_found_however_it_ends() {
    for end in ["\n", "", "  ", "  \n", "\r\n", "\n\n\n"] {
        let text = template("      Data: |\n\n        a: b\n        c: d");
        let text = format!("{}{end}", &text[..text.find("\n  After").unwrap()]);
        let embedded = only("t.yaml", &text);
        let at = embedded.document.text.find('d').unwrap();
        let span = embedded.map.span(Span::new(at, at + 1));
        assert_eq!(&text[span.start - 3..span.end], "c: d", "{text:?}");
        let past = embedded.map.span(Span::new(embedded.document.text.len(), embedded.document.text.len()));
        assert_eq!(past, Span::new(span.end, span.end), "the end of the document is where its text ends: {text:?}");
    }
}

#[test]
fn many_unknown_values_and_many_findings_are_told_in_little_time() {
    let steps: Vec<String> = (0..2000).map(|n| format!("name: S${{N{n}}} x\naction: No{n}\n")).collect();
    let found = errors("t.yaml", &step(&format!("action: UpdateOS\n---\n{}", steps.join("---\n"))));
    assert_eq!(found, vec!["S001"; 2000], "the names may be anything, the actions are wrong");
}

#[test]
fn what_is_replaced_is_a_word_and_what_is_escaped_is_not() {
    let sub = only("t.yaml", &template("      Data: !Sub |\n        a: ${!HOME} ${Name} {{ X }} {{resolve:ssm:a}}"));
    let text = &sub.document.text;
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!((words[1], words[2].len(), words[6].len()), ("${HOME}", "${Name}".len(), "{{resolve:ssm:a}}".len()));
    assert!(words[2].bytes().all(|b| b.is_ascii_lowercase()) && words[3..6].join(" ") == "{{ X }}", "{text}");
    let plain = only("t.yaml", &template("      Data: |\n        a: ${!HOME} ${Name}"));
    assert_eq!(plain.document.text, "a: ${!HOME} ${Name}\n");
    let heredoc = only("main.tf", &configuration("<<EOT\na: $${HOME} %%{b} ${f(\"}\")} $x \\n\nEOT"));
    assert!(heredoc.document.text.starts_with("a: ${HOME} %{b} zq"), "{}", heredoc.document.text);
    assert!(heredoc.document.text.ends_with("a $x \\n\n"));
    let quoted = only("main.tf", &configuration(r#""a: \"\u00e9\"\t\\ $${x} ${y}""#));
    assert!(quoted.document.text.starts_with("a: \"é\"\t\\ ${x} zq"), "{}", quoted.document.text);
}

#[test]
fn the_common_indentation_of_a_heredoc_goes() {
    let text = |data: &str| only("main.tf", &configuration(data)).document.text.clone();
    assert_eq!(text("<<-EOT\n    a:\n\n      b: c\n   \n    d: e\nEOT"), "a:\n\n  b: c\n   \nd: e\n");
    assert_eq!(text("<<-EOT\n\ta:\n\t  b: c\n  EOT"), "a:\n  b: c\n");
    assert_eq!(text("<<EOT\n    a: b\n    EOT"), "    a: b\n");
    assert_eq!(text("<<-EOT\n    a: b\n  $${c}: d\nEOT"), "  a: b\n${c}: d\n");
    assert_eq!(text("<<-EOT\n    a: b\n$${c}: d\nEOT"), "    a: b\n${c}: d\n");
    assert_eq!(text("<<-EOT\r\n    a: b\r\n    c: d\r\n  EOT"), "a: b\r\nc: d\r\n");
}

/// A template with a document with one step, or more with a line `---` between them.
fn step(keys: &str) -> String {
    let steps = format!("name: One\n{keys}")
        .split("---\n")
        .map(|step| {
            let lines: Vec<&str> = step.lines().collect();
            format!("      - {}", lines.join("\n        "))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let document =
        format!("name: a\ndescription: b\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{steps}\n");
    let data = document.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n");
    template(&format!("      Data: !Sub |\n{data}"))
}

#[test]
fn no_error_rests_on_what_is_not_known() {
    for keys in [
        "action: ExecuteBash\ntimeoutSeconds: ${Timeout}\ninputs:\n  commands:\n    - 'true'",
        "action: ExecuteBash\nonFailure: ${Failure}\ninputs:\n  commands:\n    - '{{ ${Parameter} }}'",
        "action: ${Action}",
        "action: ExecuteBash\n${Key}: x\ninputs:\n  commands: ${Commands}",
        "action: ReadFile\ninputs:\n  - path: '{{ build.Two.outputs.stdout }}'\n---\nname: ${Two}\naction: UpdateOS",
    ] {
        assert_eq!(errors("t.yaml", &step(keys)), [""; 0], "{keys}");
    }
}

#[test]
fn errors_beside_what_is_not_known_stay() {
    for (keys, code) in [
        ("action: ExecuteBash\ntimeoutSeconds: 0\ninputs:\n  commands:\n    - ${Command}", "S006"),
        ("action: ExecuteBash\ninputs:\n  commands:\n    - x ${Command} {{ Absent }}", "X001"),
        ("action: CreateFile\ninputs:\n  - content: ${Content}", "S005"),
    ] {
        assert_eq!(errors("t.yaml", &step(keys)), [code], "{keys}");
    }
}

#[test]
fn messages_speak_of_what_stands_in_the_file() {
    let found = findings("t.yaml", &step("action: UpdateOS\n---\nname: ${Name}x\naction: ReadFile"));
    let drawn = render::text(&found, false);
    assert!(drawn.contains("Parsing step '${Name}x'") && !drawn.contains("zq"), "{drawn}");
}

/// A file around lines of a document, in one of the forms that keep lines, and whether it is Terraform.
fn around(form: usize, lines: &[String]) -> (&'static str, String) {
    let indented = |by: &str| {
        let lines: Vec<String> =
            lines.iter().map(|line| if line.is_empty() { String::new() } else { format!("{by}{line}") }).collect();
        if lines.is_empty() {
            String::new()
        } else {
            lines.join(
                "
",
            ) + "
"
        }
    };
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    match form {
        0 => ("t.yaml", template(&format!("      Data: |\n{}", indented("        ").trim_end()))),
        1 => ("t.yaml", template(&format!("      Data: !Sub |\n{}", indented("        ").trim_end()))),
        2 => ("t.yaml", template(&format!("      Data: |+\n{}", indented("        ")))),
        3 => ("t.yaml", template(&format!("      Data: \"{}\"", escaped(&indented(""))))),
        4 => ("t.yaml", template(&format!("      Data: |-\n{}", indented("        "))).replace('\n', "\r\n")),
        5 => ("main.tf", configuration(&format!("<<EOT\n{}EOT", indented("")))),
        6 => ("main.tf", configuration(&format!("<<-EOT\n{}  EOT", indented("    ")))),
        _ => ("main.tf", configuration(&format!("\"{}\"", escaped(&indented(""))))),
    }
}

fn document_line() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a: b", "  c: $d", "- 'é\"'", "", "e: \\n #", "    - f: %x", "g", "}", "  h: ${!I} ${J}"])
        .prop_map(str::to_owned)
}

proptest! {
    /// Where the file has the document as it is, a place in it shows the same text.
    #[test]
    fn places_show_the_same_text(lines in prop::collection::vec(document_line(), 0..6), form in 0..8usize, from in 0..60usize, length in 0..60usize) {
        let lines = [vec!["k: v".to_owned()], lines].concat();
        let (name, text) = around(form, &lines);
        let extraction = extract(&source(name, &text));
        prop_assert_eq!(extraction.documents.len(), 1);
        let embedded = &extraction.documents[0];
        let inner = embedded.document.text.as_str();
        let start = inner.floor_char_boundary(from.min(inner.len()));
        let end = inner.ceil_char_boundary((start + length).min(inner.len()));
        let span = embedded.map.span(Span::new(start, end));
        let there = text.get(span.start..span.end).expect("inside and between characters");
        let verbatim = !matches!(form, 3 | 7) && !inner[start..end].contains("${") && !there.contains("${");
        if verbatim {
            let shown: Vec<&str> = inner[start..end].trim_end().lines().map(str::trim).collect();
            let there: Vec<&str> = there.trim_end().lines().map(str::trim).collect();
            prop_assert!(shown == there || embedded.map.unknown.occurs_in(&shown.concat()), "{:?} {:?}", shown, there);
            if let [one] = shown.as_slice() {
                let exact = inner[start..end].trim_end();
                prop_assert!(one.is_empty() || embedded.map.unknown.occurs_in(one) || text[span.start..span.end].trim_end() == exact);
            }
        }
    }

    #[test]
    fn any_text_can_be_looked_through(form in 0..4usize, parts in prop::collection::vec(prop::sample::select(vec![
        "Resources:\n", "  A:\n", "    Type: AWS::ImageBuilder::Component\n", "    Properties:\n", "      Data: ", "!Sub ", "|\n", ">\n",
        "        a: ", "Fn::Sub: ", "[", "]", "{", "}", "${", "${!", "${A}", "{{resolve:", "\"", "'", "\\", "\n", "\r\n", "\t", "*x", "&x ",
        "resource \"aws_imagebuilder_component\" \"a\" {\n", "data = ", "<<EOT\n", "<<-EOT\n", "EOT\n", "%{", "$${", "schemaVersion: 1.0\n",
        "phases:\n", "  - name: build\n", "é", "\0", "#", "/*", "\\u00e9", "\\ud83d\\ude00", "\u{feff}", "---\n",
    ]), 0..40)) {
        let name = ["t.yaml", "t.json", "main.tf", "x.txt"][form];
        never_panics(name, &parts.concat());
    }

    #[test]
    fn any_data_can_be_checked(form in 0..8usize, lines in prop::collection::vec("(?s)[^\r\0]{0,30}", 0..5)) {
        let (name, text) = around(form, &lines);
        never_panics(name, &text);
    }
}

fn never_panics(name: &str, text: &str) {
    let extraction = extract(&source(name, text));
    render::text(&extraction.diagnostics, false);
    for embedded in &extraction.documents {
        let parsed = component::parse(&embedded.document);
        let found = rules::check(&embedded.document, &parsed, &rules::Target::default());
        let certain = found.iter().filter(|finding| embedded.map.is_certain(finding)).count();
        let found = embedded.report(found);
        assert_eq!(found.len(), certain);
        for label in found.iter().flat_map(|finding| finding.primary.iter().chain(&finding.secondary)) {
            assert!(label.source.name == name && label.source.text.get(label.span.start..label.span.end).is_some());
        }
        render::text(&found, false);
    }
}

#[test]
fn it_ends_on_anything_that_is_long() {
    for part in ["{", "[", "\"", "${", "${!", "${A}", "'", "- ", "a: ", "{{resolve:", "\n", "|\n "] {
        let many = part.repeat(MOST_BYTES / 8 / part.len());
        extract(&source("t.yaml", &template(&format!("      Data: {many}"))));
        extract(&source(
            "t.yaml",
            &template(&format!("      Data: !Sub |\n        x {}", many.replace('\n', "\n        "))),
        ));
        extract(&source("main.tf", &configuration(&many)));
        extract(&source("main.tf", &configuration(&format!("\"{many}"))));
        extract(&source("main.tf", &configuration(&format!("<<-EOT\n{many}\nEOT"))));
    }
}
