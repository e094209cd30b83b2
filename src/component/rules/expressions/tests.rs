//! Tables of what must be reported, and what must not.

use crate::component;
use crate::component::rules::{self, Target};
use crate::diagnostic::SourceFile;

/// `code line` of what the rules with this letter say about the steps of phase `build`; the first step stands in line 5, further down with lines in `head`.
pub(in crate::component::rules) fn reported(letter: char, head: &str, steps: &str) -> Vec<String> {
    let steps = steps.lines().flat_map(|line| ["      ", line, "\n"]).collect::<String>();
    let text = format!("schemaVersion: 1.0\n{head}phases:\n  - name: build\n    steps:\n{steps}");
    let source = SourceFile::new("c.yaml", text);
    let found = rules::check(&source, &component::parse(&source), &Target::default());
    let ours = found.iter().filter(|diagnostic| diagnostic.code.starts_with(letter));
    ours.map(|diagnostic| format!("{} {}", diagnostic.code, source.line(diagnostic.span().start))).collect()
}

fn found(steps: &str) -> Vec<String> {
    // Whether a script quotes its expressions is not the matter here.
    reported('X', "parameters: [{ Version: { type: string } }]\n", steps)
        .into_iter()
        .filter(|found| !found.starts_with("X011"))
        .collect()
}

const MAKE: &str = "{ name: Make, action: ExecuteBash, inputs: { commands: ['true'] }";

/// A step `Make` with more keys, and a step `Use` with more keys that needs its output.
fn make_and_use(make: &str, more: &str) -> Vec<String> {
    found(&format!(
        "- {MAKE}{make} }}\n- {{ name: Use, action: ExecuteBinary{more}, inputs: {{ path: '{{{{ build.Make.outputs.stdout }}}}' }} }}"
    ))
}

#[test]
fn outputs_that_may_be_empty() {
    let value = "value: '{{ build.Make.outputs.stdout }}'";
    for (make, more, expected) in [
        (", if: { fileExists: /a }", String::new(), true),
        (", if: { fileExists: /a, then: Skip, else: Execute }", String::new(), true),
        (", if: { fileExists: /a, else: Abort }", String::new(), false),
        (", if: { fileExists: /a, then: Abort, else: Execute }", String::new(), false),
        (", onFailure: Ignore", String::new(), true),
        (", onFailure: Continue", String::new(), false),
        ("", String::new(), false),
        // The same condition, another one, one of the opposite meaning.
        (", if: { fileExists: /a }", ", if: { fileExists: /a }".to_owned(), false),
        (", if: { fileExists: /a }", ", if: { fileExists: /b }".to_owned(), true),
        (", if: { fileExists: /a }", ", if: { folderExists: /a }".to_owned(), true),
        (", if: { fileExists: /a }", ", if: { fileExists: /a, then: Skip, else: Execute }".to_owned(), true),
        (", if: { not: { fileExists: /a } }", ", if: { not: [{ fileExists: /a }] }".to_owned(), false),
        (", if: { and: [{ fileExists: /a }] }", ", if: { or: [{ fileExists: /a }] }".to_owned(), true),
        (", if: { fileExists: /a }, onFailure: Ignore", ", if: { fileExists: /a }".to_owned(), true),
        // A condition that looks at the output, or at another one.
        (", if: { fileExists: /a }", format!(", if: {{ patternMatches: ., {value} }}"), false),
        (", onFailure: Ignore", format!(", if: {{ not: {{ stringEquals: '', {value} }} }}"), false),
        (", onFailure: Ignore", ", if: { stringEquals: a, value: '{{ Version }}' }".to_owned(), true),
    ] {
        let wanted: &[&str] = if expected { &["X012 7"] } else { &[] };
        assert_eq!(make_and_use(make, &more), wanted, "{make} | {more}");
    }
    // Inputs are there whatever became of the step, and a condition may well look at what is not there.
    let steps = format!(
        "- {MAKE}, onFailure: Ignore }}\n\
         - {{ name: Use, action: ExecuteBinary, inputs: {{ path: '{{{{ build.Make.inputs.commands }}}}' }} }}\n\
         - {{ name: Look, action: ExecuteBinary, if: {{ stringEquals: a, {value} }}, inputs: {{ path: /a }} }}\n\
         - {{ name: Hold, action: Assert, inputs: {{ stringEquals: a, {value} }} }}\n\
         - {{ name: Loop, action: ExecuteBash, loop: {{ forEach: {{ list: '{{{{ build.Make.outputs.stdout }}}}' }} }}, inputs: {{ commands: [a] }} }}"
    );
    assert_eq!(found(&steps), ["X012 9", "X012 10"]);
}

#[test]
fn inputs_of_later_steps() {
    let use_it = |expression: &str| {
        found(&format!(
            "- {{ name: Before, action: ExecuteBinary, inputs: {{ path: /a }} }}\n\
             - {{ name: Use, action: ExecuteBinary, inputs: {{ path: '{{{{ {expression} }}}}' }} }}\n\
             - {{ name: After, action: ExecuteBinary, inputs: {{ path: /a }} }}"
        ))
    };
    assert!(use_it("build.Before.inputs.path").is_empty());
    assert_eq!(use_it("build.After.inputs.path"), ["X006 7"]);
    assert_eq!(use_it("build.Use.inputs.path"), ["X006 7"]);
    // One fault, one finding: the more specific.
    assert_eq!(use_it("build.After.inputs.nope"), ["X002 7"]);
    assert_eq!(use_it("build.After.inputs[0].path"), ["X003 7"]);
    assert_eq!(use_it("build.After.outputs.stdout"), ["X005 7"]);
    assert_eq!(use_it("build.Nobody.inputs.path"), ["X001 7"]);
}

#[test]
fn defaults_with_expressions() {
    let head = |value: &str| format!("parameters:\n  - Version: {{ type: string, default: \"{value}\" }}\n");
    let one = |value: &str| reported('X', &head(value), &format!("- {MAKE} }}"));
    for value in ["/opt/{{ Version }}", "{{ env:HOME }}", "{{ aws:ssm:/a }}"] {
        assert_eq!(one(value), ["X007 3"], "{value}");
    }
    for value in ["{{.Names}}", "{{ a b }}", "{{ open", "}}", "{ Version }"] {
        assert!(one(value).is_empty(), "{value}");
    }
}

#[test]
fn texts_for_other_engines() {
    let write = |content: &str| {
        found(&format!(
            "- name: Write\n  action: CreateFile\n  inputs:\n    - path: /a\n      content: |\n        {}",
            content.replace('\n', "\n        ")
        ))
    };
    for (content, expected) in [
        ("{% if x %}\n{{ Version }}\n{% endif %}", "X014 12"),
        ("{%- for a in b -%}{{ Version }}", "X014 11"),
        ("a ${{ Version }}", "X014 11"),
        ("${{ context:region }}", "X014 11"),
        // These are errors of their own.
        ("{% if x %}{{ x.y.z }}", "X017 11"),
        ("${{ github.ref }}", "X017 11"),
        ("{{{ Version }}}", "X017 11"),
        ("{{ Verzion }} {% if x %}", "X001 11"),
    ] {
        let wanted = [expected.to_owned()];
        assert_eq!(write(content).first(), wanted.first(), "{content}");
        assert!(
            write(content).iter().all(|found| found[..4] == expected[..4] || found.starts_with("X014")),
            "{content}"
        );
    }
    for content in [
        "{{ Version }}",
        "{% if x %}\nplain\n{% endif %}",
        "$ {{ Version }}",
        "$$${{ Version }}",
        "curl -w '%{http_code}' {{ Version }}",
        "printf '{%s}' {{ Version }}",
        "{% if x %} {{ context:region }}",
        "a }} b",
    ] {
        assert!(write(content).is_empty(), "{content}: {:?}", write(content));
    }
}

/// Section 6.1: what may stand where. `-`: nothing is said; else the code.
#[test]
fn every_place_takes_what_it_may_take() {
    let places = [
        "inputs: { path: 'EXPRESSION' }",
        "inputs: { path: /a, arguments: [b, 'c EXPRESSION d'] }",
        "loop: { forEach: ['EXPRESSION', a] }, inputs: { path: /a }",
        "loop: { forEach: { list: 'EXPRESSION' } }, inputs: { path: /a }",
        "if: { stringEquals: a, value: 'EXPRESSION' }, inputs: { path: /a }",
        "if: { fileMD5Equals: d41d8cd98f00b204e9800998ecf8427e, path: 'EXPRESSION' }, inputs: { path: /a }",
        // No expression at all: the step's keywords, the delimiter and the ranges of loops.
        "timeoutSeconds: 'EXPRESSION', inputs: { path: /a }",
        "maxAttempts: 'EXPRESSION', inputs: { path: /a }",
        "onFailure: 'EXPRESSION', inputs: { path: /a }",
        "if: { fileExists: /a, then: 'EXPRESSION' }, inputs: { path: /a }",
        "if: { fileExists: 'EXPRESSION' }, inputs: { path: /a }",
        "loop: { name: 'EXPRESSION', forEach: [a, b] }, inputs: { path: /a }",
        "loop: { forEach: { list: 'a,b', delimiter: 'EXPRESSION' } }, inputs: { path: /a }",
        "loop: { for: { start: 'EXPRESSION', end: 4, updateBy: 1 } }, inputs: { path: /a }",
    ];
    let outside = ["X007", "X007", "X007", "X007", "X007", "X007", "L002", "L002"];
    let report = |place: &str, expression: &str| {
        let step = place.replace("EXPRESSION", expression);
        let steps = format!("- {MAKE} }}\n- {{ name: Use, action: ExecuteBinary, {step} }}");
        let head = "parameters: [{ Version: { type: string } }]\n";
        let both = ['X', 'L'].into_iter().flat_map(|letter| reported(letter, head, &steps));
        both.map(|found| found[..4].to_owned()).collect::<Vec<_>>()
    };
    let known = ["Version", "build.Make.outputs.stdout", "aws:ssm:/a", "aws:imds:instance-id", "env:A", "context:date"];
    for expression in known.map(|inside| format!("{{{{ {inside} }}}}")) {
        for (place, code) in places.iter().zip(["-"; 6].into_iter().chain(outside)) {
            let expected: &[&str] = if code == "-" { &[] } else { &[code] };
            assert_eq!(report(place, &expression), expected, "{expression} in {place}");
        }
    }
    for (inside, code) in [
        ("Verzion", "X001"),
        ("build.Make.outputs.nope", "X002"),
        ("build.Make.outputs[0].stdout", "X003"),
        ("build.Use.outputs.stdout", "X005"),
        ("build.Use.inputs.path", "X006"),
        ("aws:imds:iam/info", "X009"),
        ("aws:ssm: /a", "X010"),
        ("context:nope", "X010"),
        (".Field", "X017"),
        ("", "X017"),
    ] {
        for place in &places[..6] {
            assert_eq!(report(place, &format!("{{{{ {inside} }}}}")), [code], "{inside} in {place}");
        }
    }
    // A loop variable needs the loop, and its items come before it.
    for (place, expected) in places.iter().zip([true, true, true, true, true, true]) {
        assert_eq!(report(place, "{{ loop.value }}") == ["X015"], expected, "{place}");
    }
    assert!(report("loop: { forEach: [a, b] }, inputs: { path: 'EXPRESSION' }", "{{ loop.value }}").is_empty());
}

#[test]
fn fixes_leave_nothing_to_report() {
    for expression in [
        "{{ Verzion }}",
        "{{ biuld.Make.outputs.stdout }}",
        "{{ build.Maek.outputs.stdout }}",
        "{{ build.Make.outputs.stdotu }}",
        "{{ build.Make.outputs[0].stdout }}",
        "{{ build.Make.outputs.commands }}",
        "{{ build.Read.inputs.path }}",
        "{{ build.Read.outputs[0].path }}",
        "a ${{ Version }}",
    ] {
        let text = format!(
            "schemaVersion: 1.0\nparameters: [{{ Version: {{ type: string }} }}]\nphases:\n  - name: build\n    steps:\n      \
             - {MAKE} }}\n      - {{ name: Read, action: ReadFile, inputs: [{{ path: /a }}] }}\n      \
             - {{ name: Use, action: ExecuteBinary, inputs: {{ path: '{expression}' }} }}\n"
        );
        let check = |text: &str| {
            let source = SourceFile::new("c.yaml", text);
            let found = rules::check(&source, &component::parse(&source), &Target::default());
            found.into_iter().filter(|found| found.code.starts_with('X')).collect::<Vec<_>>()
        };
        let found = check(&text);
        let [only] = found.as_slice() else { panic!("{expression}: {found:?}") };
        let fix = only.fix.clone().unwrap_or_else(|| panic!("{expression}: no fix for {}", only.message));
        let mut mended = text.clone();
        for edit in fix.edits.iter().rev() {
            mended.replace_range(edit.span.start..edit.span.end, &edit.text);
        }
        assert!(mended != text && check(&mended).is_empty(), "{mended}");
    }
}

#[test]
fn values_of_other_steps_that_cannot_be_judged_are_left_alone() {
    let other = |other: &str, expression: &str| {
        found(&format!(
            "- {other}\n- {{ name: Use, action: ExecuteBinary, inputs: {{ path: '{{{{ {expression} }}}}' }} }}"
        ))
    };
    let hold = "{ name: Other, action: Assert, inputs: { fileExists: /a } }";
    assert!(other(hold, "build.Other.inputs.fileExists").is_empty());
    assert_eq!(other(hold, "build.Other.outputs.stdout"), ["X002 7"]);
    let run = "{ name: Other, action: ExecuteDocument, inputs: { document: /a } }";
    assert!(other(run, "build.Other.outputs[0].status").is_empty());
    assert!(other(run, "build.Other.outputs.status").is_empty());
    let read = "{ name: Other, action: ReadFile, loop: { forEach: [a, b] }, inputs: [{ path: '{{ loop.value }}' }] }";
    assert!(other(read, "build.Other.outputs[1].content").is_empty());
    assert_eq!(other(read, "build.Other.inputs[1].path"), ["X003 7"]);
}
