use super::*;
use crate::diagnostic::render;
use proptest::prelude::*;

fn read(text: &str) -> Node {
    let source = SourceFile::new("t.yaml", text);
    parse(&source).unwrap_or_else(|faults| panic!("{}", render::text(&faults, false)))
}

/// `code line:column` of every fault.
fn faults(text: &str) -> Vec<String> {
    let source = SourceFile::new("t.yaml", text);
    parse(&source).expect_err("it should be refused").iter().map(place).collect()
}

fn place(fault: &Diagnostic) -> String {
    format!("{} {}", fault.code, fault.place().unwrap().trim_start_matches("t.yaml:"))
}

fn slice<'a>(text: &'a str, node: &Node) -> &'a str {
    &text[node.span.start..node.span.end]
}

const SAMPLE: &str =
    "a: 1\nlist:\n  - x\n  - 'q q'\n  -\nblock: |\n  one\n  {{ x }}\n\n\nflow: {f: [1, 2], g: }\nend: \"esc\\n\"\n";

#[test]
fn spans_are_exact() {
    let root = read(SAMPLE);
    let at = |key: &str| slice(SAMPLE, root.get(key).unwrap());
    assert_eq!(at("a"), "1");
    assert_eq!(at("list"), "- x\n  - 'q q'\n  -");
    assert_eq!(at("block"), "one\n  {{ x }}");
    assert_eq!(at("flow"), "{f: [1, 2], g: }");
    assert_eq!(at("end"), "\"esc\\n\"");
    assert_eq!(slice(SAMPLE, &root), SAMPLE.trim_end());
    let (key, value) = root.get("flow").unwrap().entry("f").unwrap();
    assert_eq!((slice(SAMPLE, key), slice(SAMPLE, value)), ("f", "[1, 2]"));
}

#[test]
fn text_is_kept_as_written() {
    let root = read("permissions: 0777\nversion: 1.10\nblock: |\n  a\n  b\nnothing:\ntilde: ~\n");
    assert_eq!(root.get("permissions").unwrap().as_str(), Some("0777"));
    assert_eq!(root.get("version").unwrap().as_str(), Some("1.10"));
    assert_eq!(root.get("block").unwrap().as_str(), Some("a\nb\n"));
    assert_eq!(root.get("nothing").unwrap().as_str(), Some(""));
    assert!(root.get("nothing").unwrap().is_null() && root.get("tilde").unwrap().is_null());
    assert!(root.get("block").unwrap().style() == Some(Style::Literal));
}

#[test]
fn json_is_yaml_even_with_tabs() {
    let root = read("{\n\t\"a\": \"1\",\n\t\"b\": [\n\t\ttrue\n\t]\n}\n");
    assert_eq!(root.get("a").unwrap().as_str(), Some("1"));
    assert_eq!(root.get("b").unwrap().items().unwrap()[0].as_bool(), Some(true));
}

#[test]
fn windows_line_ends_byte_order_marks_and_many_comments_are_fine() {
    let text = "\u{feff}é: ü\r\nb: |\r\n  x\r\n  y\r\nc: 2\r\n";
    let root = read(text);
    assert_eq!(slice(text, root.get("é").unwrap()), "ü");
    assert_eq!(root.get("b").unwrap().as_str(), Some("x\ny\n"));
    assert_eq!(read(&format!("{}a: 1\n", "# c\n".repeat(500))).get("a").unwrap().as_int(), Some(1));
}

#[test]
fn every_fault_has_its_code_and_place() {
    for (text, expected) in [
        ("a: b: c\n", "Y001 1:5"),
        ("a: 'x\n", "Y001 1:4"),
        ("a: [1\n", "Y001 1:4"),
        ("k: @x\n", "Y001 1:4"),
        ("a\0b: 1\n", "Y001 1:2"),
        ("a: 1\nb\n", "Y001 2:1"),
        ("a:\n  - *\n", "Y001 2:5"),
        ("a:\n\tb: 1\n", "Y002 2:1"),
        ("a: 1\nb: 2\na: 3\n", "Y003 3:1"),
        ("p: *log\n", "Y004 1:4"),
        ("a: &x 1\n", "Y004 1:4"),
        ("<<: {a: 1}\n", "Y005 1:1"),
        ("---\na: 1\n---\nb: 2\n", "Y006 3:1"),
        ("a: !Ref b\n", "Y007 1:4"),
        ("p: {{ X }}\n", "Y008 1:4"),
        ("- {{ X }}\n", "Y008 1:3"),
        ("p: {{ X }}/bin\n", "Y008 1:4"),
        ("p: {{{{\n", "Y008 1:4"),
        ("p: {{ build.Step.outputs[0].stdout }}\n", "Y008 1:4"),
        ("", "Y009 1:1"),
        ("# nothing\n", "Y009 1:1"),
        ("---\n", "Y009 1:1"),
        ("? [a]\n: 1\n", "Y010 1:3"),
    ] {
        assert_eq!(faults(text), [expected], "{text:?}");
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = "a: 1\na: 2\nb: *x\nc: !t 1\nd: {{ E }}\n\te: 'open\n";
    assert_eq!(faults(text), ["Y003 2:1", "Y004 3:4", "Y007 4:4", "Y008 5:4", "Y002 6:1"]);
}

#[test]
fn a_fault_says_what_to_do() {
    let source = SourceFile::new("components/app.yaml", "phases:\n  - name: build\n    name: test\n");
    insta::assert_snapshot!(render::text(&parse(&source).unwrap_err(), false), @r"
    error[Y003]: the key `name` appears twice
     --> components/app.yaml:3:5
      |
    2 |   - name: build
      |     ---- first here
    3 |     name: test
      |     ^^^^ again here
      |
      = help: remove or rename one of the two
    ");
}

fn check(node: &Node, text: &str) {
    assert!(node.span.start <= node.span.end && node.span.end <= text.len(), "{:?}", node.span);
    assert!(text.is_char_boundary(node.span.start) && text.is_char_boundary(node.span.end));
    let children: Vec<&Node> = match &node.kind {
        Kind::Scalar(_) => vec![],
        Kind::Sequence(items) => items.iter().collect(),
        Kind::Mapping(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
    };
    for child in children {
        assert!(node.span.start <= child.span.start && child.span.end <= node.span.end, "{node:?}");
        check(child, text);
    }
}

fn never_panics(text: &str) {
    let source = SourceFile::new("t.yaml", text);
    match parse(&source) {
        Ok(root) => check(&root, text),
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in &faults {
                let label = fault.primary.as_ref().expect("located");
                assert!(label.span.start <= label.span.end && label.span.end <= text.len(), "{fault:?}");
                assert!(text.is_char_boundary(label.span.start) && text.is_char_boundary(label.span.end), "{fault:?}");
            }
            render::text(&faults, false);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,80}") {
        never_panics(&text);
    }

    #[test]
    fn yaml_like_text_never_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "a", "b: ", "- ", "{", "}", "{{", "}}", "[", "]", "'", "\"", "|\n", ">-\n", "\n", "  ", "\t", "*x", "&x ", "!t ", "<<: ",
        "#", ": ", "é", "\u{feff}", "---\n", "...\n", "? ", "\r\n", "\0", ",", "\\", "%", "~",
    ]), 0..30)) {
        never_panics(&parts.concat());
    }
}
