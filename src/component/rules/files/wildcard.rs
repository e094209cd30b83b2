//! M020: wildcards where they do not work.

use super::paths;
use crate::component::expression::Template;
use crate::component::model::{Item, Step};
use crate::component::modules::{Action, Platform};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::{Diagnostic, Edit, Severity};
use crate::yaml::{Offsets, Style};
use std::ops::Range;

/// M020.
pub fn wildcard(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let platform = subject.target.platform;
    for (step, item) in subject.steps().flat_map(|(_, step)| step.inputs.iter().map(move |item| (step, item))) {
        let Some(pattern) = pattern(step, item) else { continue };
        if let Some(range) = before_separator(pattern.text(), platform) {
            in_folder(found, step, pattern, &range);
        } else if let Some(destination) = paths::text(item, "destination") {
            into_file(found, pattern, destination, platform);
        }
    }
}

/// The input in which a wildcard is looked at. `S3Upload` and `S3Download` have rules of their own for theirs.
fn pattern<'a>(step: &Step, item: &'a Item) -> Option<&'a Template> {
    match step.module.action {
        Action::CopyFile | Action::CopyFolder | Action::MoveFile | Action::MoveFolder => paths::text(item, "source"),
        Action::DeleteFile => paths::text(item, "path"),
        _ => None,
    }
}

/// A text with its expressions blanked out, byte for byte: nothing is known of what they stand for.
fn blanked(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|open| from + open) {
        let end = text[open..].find("}}").map_or(text.len(), |close| open + close + 2);
        bytes[open..end].fill(b' ');
        from = end;
    }
    bytes
}

/// The first part of a path that has a wildcard and is not the last part. A separator at the very end has nothing
/// behind it, and is not counted.
fn before_separator(text: &str, platform: Option<Platform>) -> Option<Range<usize>> {
    let separators = paths::separators(text, platform);
    let is_separator = |byte: &u8| separators.contains(&char::from(*byte));
    let bytes = blanked(text);
    let length = bytes.iter().rposition(|byte| !is_separator(byte))? + 1;
    let last = bytes[..length].iter().rposition(is_separator)?;
    let star = bytes[..last].iter().position(|byte| *byte == b'*')?;
    let start = bytes[..star].iter().rposition(is_separator).map_or(0, |at| at + 1);
    let end = star + bytes[star..].iter().position(is_separator)?;
    // A part that an expression completes is shown from its wildcard on.
    let start = if bytes[start..star].contains(&b' ') { star } else { start };
    Some(start..end)
}

fn in_folder(found: &mut Findings<'_>, step: &Step, pattern: &Template, range: &Range<usize>) {
    let span = Offsets::new(&found.source().text, &pattern.node).span(range);
    let part = &pattern.text()[range.clone()];
    found.add(
        found
            .at(span, format!("the wildcard in `{part}` is before the last separator"), "this is the name of a folder")
            .note(format!("{} accepts `*` only after the last separator of a path", step.module.name))
            .help("name the folder, one item for each, or do it in a script"),
    );
}

fn into_file(found: &mut Findings<'_>, pattern: &Template, destination: &Template, platform: Option<Platform>) {
    let source = pattern.text();
    let to = destination.text();
    let separators = paths::separators(to, platform);
    let known = !paths::open_end(destination) && !to.is_empty();
    if !blanked(source).contains(&b'*') || !known || to.ends_with(separators) {
        return;
    }
    let separator = if separators.contains(&'\\') && to.contains('\\') { "\\" } else { "/" };
    let span = destination.span();
    let edit = match destination.node.style() {
        Some(Style::Plain) => Some(Edit::insert(span.end, separator)),
        // Behind a backslash a double quote would not end the text.
        Some(Style::Single) => Some(Edit::insert(span.end - 1, separator)),
        Some(Style::Double) if separator == "/" => Some(Edit::insert(span.end - 1, separator)),
        _ => None,
    };
    let diagnostic = found
        .at(span, format!("`{source}` may match several, but `{to}` is one name"), "no separator at its end")
        .also_at(found.source(), pattern.span(), "the wildcard")
        .note("with a second match the step fails")
        .help(format!("end it with a separator if it is a folder: `{to}{separator}`"));
    // How many there are shows when it runs: AWS's own examples have this with one.
    let diagnostic = Diagnostic { severity: Severity::Warning, ..diagnostic };
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("end the destination with a separator", vec![edit]),
        None => diagnostic,
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::places;
    use super::*;
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    #[test]
    fn only_a_wildcard_in_a_folder_is_misplaced() {
        for (text, platform, part) in [
            ("/opt/*/a.log", None, Some("*")),
            ("/opt/app-*/logs/*.log", None, Some("app-*")),
            ("*/a", None, Some("*")),
            ("/opt/*/{{ File }}", None, Some("*")),
            ("/opt/{{ A }}-*/x", None, Some("*")),
            (r"C:\*\x", None, Some("*")),
            (r"a*\x", Some(Platform::Windows), Some("a*")),
            ("/opt/*", None, None),
            ("/opt/*.log", None, None),
            ("/opt/*/", None, None),
            ("/opt/*{{ Rest }}", None, None),
            ("{{ Any * }}/x", None, None),
            ("*.log", None, None),
            (r"/opt/\*x", Some(Platform::Linux), None),
            (r"/opt/*\x", Some(Platform::Linux), None),
            ("/é*/ü/x", None, Some("é*")),
            ("///", None, None),
            ("", None, None),
        ] {
            assert_eq!(before_separator(text, platform).map(|range| &text[range]), part, "{text}");
        }
    }

    #[test]
    fn a_pattern_needs_a_folder_to_go_to() {
        for (source, destination, reported) in [
            ("/opt/*.log", "/var/log/x", true),
            ("/opt/*.log", "/var/log/x/", false),
            ("/opt/*.log", "{{ env:DIR }}", false),
            ("/opt/*.log", "{{ env:DIR }}/x", true),
            ("/opt/{{ env:APP }}*", "/var/log/x", true),
            ("/opt/{{ env:APP }}", "/var/log/x", false),
            ("/opt/a.log", "/var/log/x", false),
            (r"C:\a\*", r"C:\b", true),
            (r"C:\a\*", r"C:\b\", false),
            (r"C:\a\*", "C:/b/", false),
        ] {
            let step = format!(
                "{{name: Copy, action: CopyFile, inputs: [{{source: '{source}', destination: '{destination}'}}]}}"
            );
            let found = places("M020", &Target::default(), &[&step]);
            assert_eq!(!found.is_empty(), reported, "{source} to {destination}: {found:?}");
        }
    }

    #[test]
    fn only_the_second_half_is_inferred() {
        for (source, inferred) in [("/opt/*/a", false), ("/opt/*", true)] {
            let text = format!(
                "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {{name: Move, action: MoveFolder, inputs: [{{source: '{source}', destination: /x, overwrite: false}}]}}\n"
            );
            let file = SourceFile::new("t.yaml", text);
            let found = rules::check(&file, &component::parse(&file), &Target::default());
            let mine: Vec<bool> =
                found.iter().filter(|one| one.code == "M020").map(|one| one.severity == Severity::Warning).collect();
            assert_eq!(mine, [inferred], "{source}");
        }
    }

    #[test]
    fn uploads_and_lists_have_rules_of_their_own() {
        for step in [
            "{name: Up, action: S3Upload, inputs: [{source: '/opt/*/a', destination: 's3://b/c'}]}",
            "{name: Down, action: S3Download, inputs: [{source: 's3://b/*/c', destination: /opt}]}",
            "{name: List, action: ListFiles, inputs: [{path: /opt, fileNamePattern: '*/a'}]}",
        ] {
            assert!(places("M020", &Target::default(), &[step]).is_empty(), "{step}");
        }
    }
}
