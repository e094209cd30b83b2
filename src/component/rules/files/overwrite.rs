//! M022: folders that are put over others.

use super::{edits, paths};
use crate::component::condition::Comparison;
use crate::component::expression::Template;
use crate::component::model::{Phase, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;

/// M022. Whoever writes `overwrite: true` for `CreateFolder` means it; copying and moving put one tree over another.
pub fn overwrite(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (phase, step) in subject.steps() {
        let input = match step.module.action {
            Action::CreateFolder => "path",
            Action::CopyFolder | Action::MoveFolder => "destination",
            _ => continue,
        };
        for item in &step.inputs {
            let Some(folder) = paths::text(item, input) else { continue };
            let given = item.fields.iter().find(|field| field.name == "overwrite");
            let harmless = match given.map(|field| &field.value) {
                None => !edits::is_absent(subject.root, step, item, "overwrite"),
                Some(Value::Boolean(true)) => input == "path",
                Some(_) => true,
            };
            if harmless || is_guarded(step) || is_removed(subject, phase, step, folder) {
                continue;
            }
            let (span, label) = match given {
                Some(field) => (field.value_span, "an existing folder is overwritten"),
                None => (folder.span(), "`overwrite` is true unless it is given"),
            };
            let path = folder.text();
            let message = if input == "destination" && path.ends_with(['/', '\\']) {
                format!("what a folder of the same name in `{path}` holds may be lost")
            } else {
                format!("what `{path}` already holds may be lost")
            };
            let diagnostic = found
                .at(span, message, label)
                .note("the documentation does not say whether files of an existing folder are kept")
                .help("write `overwrite: false` to have the step fail if the folder exists")
                .help("or run the step only if it is absent: `if: {not: {folderExists: …}}`");
            let edits = match given {
                Some(field) => Some(vec![crate::diagnostic::Edit::replace(field.value_span, "false")]),
                None => edits::add(subject.source, item, "overwrite", "false"),
            };
            found.add(match edits {
                Some(edits) => diagnostic.unsafe_fix("do not overwrite", edits),
                None => diagnostic,
            });
        }
    }
}

/// Whether the step asks for a folder or file before it runs.
fn is_guarded(step: &Step) -> bool {
    let tests = step.branching.iter().flat_map(|branching| branching.condition.tests());
    tests.into_iter().any(|test| matches!(test.operator.comparison, Comparison::FolderExists | Comparison::FileExists))
}

/// Whether an earlier step of the phase deletes the folder.
fn is_removed(subject: &Subject<'_>, phase: &Phase, step: &Step, folder: &Template) -> bool {
    let plain = |template: &Template| {
        let text = paths::canonical(subject.document, template.text());
        text.trim_end_matches(['/', '\\']).to_owned()
    };
    let wanted = plain(folder);
    let earlier = phase.steps.iter().take_while(|other| !std::ptr::eq(*other, step));
    earlier
        .filter(|other| other.module.action == Action::DeleteFolder)
        .flat_map(|other| &other.inputs)
        .filter_map(|item| paths::text(item, "path"))
        .any(|path| plain(path) == wanted)
}

#[cfg(test)]
mod tests {
    use super::super::testing::places;
    use crate::component::rules::Target;

    #[test]
    fn only_what_is_left_open_is_reported() {
        for (step, expected) in [
            ("{name: Make, action: CreateFolder, inputs: [{path: /a}]}", Some("/a")),
            ("{name: Make, action: CreateFolder, inputs: [{path: /a, overwrite: true}]}", None),
            ("{name: Make, action: CreateFolder, inputs: [{path: /a, overwrite: false}]}", None),
            ("{name: Make, action: CreateFolder, inputs: [{path: /a, overwite: false}]}", None),
            ("{name: Make, action: CreateFolder, inputs: [{path: /a, overwrite: [no]}]}", None),
            ("{name: Copy, action: CopyFolder, inputs: [{source: /a, destination: /b}]}", Some("/b")),
            (
                "{name: Copy, action: CopyFolder, inputs: [{source: /a, destination: /b, overwrite: true}]}",
                Some("true"),
            ),
            ("{name: Copy, action: CopyFolder, inputs: [{source: /a, destination: /b, overwrite: false}]}", None),
            ("{name: Copy, action: CopyFile, inputs: [{source: /a, destination: /b}]}", None),
            (
                "{name: Move, action: MoveFolder, if: {not: {folderExists: /b}}, inputs: [{source: /a, destination: /b}]}",
                None,
            ),
        ] {
            let found = places("M022", &Target::default(), &[step]);
            assert_eq!(found.first().map(String::as_str), expected, "{step}");
        }
    }

    #[test]
    fn a_folder_that_was_deleted_before_holds_nothing() {
        let delete = "{name: Delete, action: DeleteFolder, inputs: [{path: /a/, force: true}]}";
        let make = "{name: Make, action: CreateFolder, inputs: [{path: /a}]}";
        assert!(places("M022", &Target::default(), &[delete, make]).is_empty());
        assert_eq!(places("M022", &Target::default(), &[make, delete]), ["/a"]);
    }
}
