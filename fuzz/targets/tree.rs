//! The tree: any text is read without a panic, places are inside of the file, children inside of their parents.
#![no_main]

use amiforge::diagnostic::{SourceFile, render};
use amiforge::yaml::{self, Kind, Node, Offsets, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = SourceFile::new("f", String::from_utf8_lossy(data).into_owned());
    for foreign in [false, true] {
        let reading = yaml::read(&source, Options { foreign });
        if let Some(root) = &reading.root {
            check(root, &source.text);
            for comment in yaml::comments(&source, root) {
                assert!(source.slice(comment.span).starts_with('#'));
            }
        } else {
            assert!(!reading.diagnostics.is_empty());
        }
        for diagnostic in &reading.diagnostics {
            assert!(diagnostic.span().end <= source.text.len() && diagnostic.span().start <= diagnostic.span().end);
        }
        render::text(&reading.diagnostics, false);
    }
});

fn check(node: &Node, text: &str) {
    assert!(node.span.start <= node.span.end && text.get(node.span.start..node.span.end).is_some());
    let children: Vec<&Node> = match &node.kind {
        Kind::Scalar(scalar) => {
            let offsets = Offsets::new(text, node);
            for (at, c) in scalar.text.char_indices() {
                let span = offsets.span(&(at..at + c.len_utf8()));
                assert!(span.start <= span.end && text.get(span.start..span.end).is_some());
            }
            vec![]
        }
        Kind::Sequence(items) => items.iter().collect(),
        Kind::Mapping(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
    };
    for child in children {
        assert!(node.span.start <= child.span.start && child.span.end <= node.span.end);
        check(child, text);
    }
}
