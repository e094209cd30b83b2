//! M013: files that do not get into the image.

use super::paths::{self, Made};
use crate::component::expression::Template;
use crate::component::model::{Item, Phase, Stage, Step};
use crate::component::modules::{Action, Platform};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;

/// M013. What cannot be known makes it silent: steps that could not be read, nested documents, containers (whose /tmp is
/// part of the image), and documents that are not run by Image Builder.
pub fn temporary(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let target = subject.target;
    let elsewhere = target.platform == Some(Platform::Windows) || target.container || target.standalone;
    if elsewhere || !subject.complete || subject.steps_of(Action::ExecuteDocument).next().is_some() {
        return;
    }
    for (phase, step) in subject.steps().filter(|(phase, _)| phase.stage() == Some(Stage::Build)) {
        for (index, item) in step.inputs.iter().enumerate() {
            let Some((destination, source)) = made(step, item) else { continue };
            let made = Made::new(subject.document, (phase, step), index, destination, source);
            let Some(root) = root(&made.path).filter(|_| !used(subject, &made)) else { continue };
            lost(subject, found, &made, destination, root);
        }
    }
}

fn lost(subject: &Subject<'_>, found: &mut Findings<'_>, made: &Made<'_>, destination: &Template, root: &str) {
    let path = destination.text();
    let what = if path.ends_with('/') { "what is put into " } else { "" };
    let message = format!("{what}`{path}` does not stay, and no other step of the build uses it");
    let reason = if root == "/var/tmp" { "wiped before the image is made" } else { "not kept in the image" };
    let mut diagnostic = found
        .at(destination.span(), message, reason)
        .help("write it where it is to stay, for example below /etc or /opt")
        .help("if only this build needs it, delete it in a later step");
    let mut tests = subject.steps().filter(|(phase, _)| phase.stage() == Some(Stage::Test));
    if let Some((_, step)) =
        tests.find(|(_, step)| step.templates().into_iter().any(|template| made.is_meant(template)))
    {
        let label = "looks for it on an instance of the image, where it is missing";
        diagnostic = diagnostic.also_at(found.source(), step.span, label);
    }
    found.add(diagnostic);
}

/// Where an item puts a file, and where it takes it from.
fn made<'a>(step: &Step, item: &'a Item) -> Option<(&'a Template, Option<&'a Template>)> {
    match step.module.action {
        Action::CreateFile => Some((paths::text(item, "path")?, None)),
        Action::CopyFile
        | Action::CopyFolder
        | Action::MoveFile
        | Action::MoveFolder
        | Action::S3Download
        | Action::WebDownload => Some((paths::text(item, "destination")?, paths::text(item, "source"))),
        _ => None,
    }
}

/// The folder of temporary files a path is in.
fn root(path: &str) -> Option<&'static str> {
    ["/tmp", "/var/tmp"]
        .into_iter()
        .find(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether anything in the same stage uses the file: another step, another item of the same step, or the condition or
/// loop of the step itself. Earlier steps count, because a step that restarts the machine asks for its marker first.
fn used(subject: &Subject<'_>, made: &Made<'_>) -> bool {
    let uses = |template: &Template| {
        made.is_meant(template) || around(&paths::canonical(subject.document, template.text()), &made.path)
    };
    let built = subject.steps().filter(|(phase, _)| phase.stage() == Some(Stage::Build));
    built.into_iter().any(|(phase, step): (&Phase, &Step)| {
        if !(std::ptr::eq(phase, made.phase) && std::ptr::eq(step, made.step)) {
            return step.templates().into_iter().any(uses);
        }
        let others = step.inputs.iter().enumerate().filter(|(index, _)| *index != made.index);
        let fields = others.flat_map(|(_, item)| &item.fields).flat_map(|field| field.value.templates());
        let conditions = step.branching.iter().flat_map(|branching| branching.condition.tests());
        fields.chain(conditions.flat_map(crate::component::condition::Test::templates)).any(uses)
    })
}

/// Whether a text names a folder above the path, something below it, or a pattern that may match it.
fn around(text: &str, path: &str) -> bool {
    let Some(root) = root(path) else { return false };
    text.match_indices(root).any(|(at, _)| {
        let whole = text[..at].chars().next_back().is_none_or(|c| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
        let end = text[at..].find(|c: char| c.is_whitespace() || "\"'`;|&<>(),:=".contains(c));
        let token = end.map_or(&text[at..], |end| &text[at..at + end]);
        let open = token.find(['*', '?', '[', '$', '{']);
        let known = token[..open.unwrap_or(token.len())].trim_end_matches(['.', '/']);
        let above = |upper: &str, lower: &str| lower.strip_prefix(upper).is_some_and(|rest| rest.starts_with('/'));
        let below_root = token[root.len()..].is_empty() || token[root.len()..].starts_with('/');
        let pattern = open.is_some() && (path.starts_with(known) || known.starts_with(path));
        whole && below_root && (pattern || known == path || above(known, path) || above(path, known))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{in_document, places};
    use super::*;
    use crate::component::rules::Target;

    #[test]
    fn folders_above_files_below_and_patterns_are_uses() {
        for (text, path, expected) in [
            ("cd /tmp", "/tmp/a.rpm", true),
            ("cd /tmp/ && ls", "/tmp/a.rpm", true),
            ("yum -y install /tmp/*.rpm", "/tmp/a.rpm", true),
            ("yum -y install \"/tmp/a-${VERSION}.rpm\"", "/tmp/a-1.rpm", true),
            ("sh /tmp/{{Name}}", "/tmp/a.sh", true),
            ("sh /tmp/work/run.sh", "/tmp/work", true),
            ("rm -rf /tmp/work", "/tmp/work/a/b", true),
            ("rm -rf /tmp/b*", "/tmp/a.rpm", false),
            ("sh /tmp/b.sh", "/tmp/a.sh", false),
            ("cd /var/tmp", "/tmp/a.rpm", false),
            ("cd /var/tmp", "/var/tmp/a.rpm", true),
            ("cd /tmpfiles", "/tmp/a.rpm", false),
            ("ls /opt/tmp", "/tmp/a.rpm", false),
            ("export TMPDIR=/tmp", "/tmp/a.rpm", true),
        ] {
            assert_eq!(around(text, path), expected, "{text}: {path}");
        }
    }

    #[test]
    fn what_is_used_is_not_lost() {
        let fetch =
            "{name: Fetch, action: WebDownload, inputs: [{source: 'https://e.example/a.zip?v=1', destination: /tmp/}]}";
        let bash = |command: &str| format!("{{name: Use, action: ExecuteBash, inputs: {{commands: ['{command}']}}}}");
        for (command, lost) in [
            ("true", true),
            ("unzip /tmp/b.zip", false), // What is in the folder of a download may have come with it.
            ("cd / && unzip a.zip", false),
            ("unzip {{ build.Fetch.outputs[0].destination }}", false),
            ("unzip {{ build.Fetch.outputs[1].destination }}", true),
            ("ls /var/tmp/b.zip", true),
        ] {
            let found = places("M013", &Target::default(), &[fetch, &bash(command)]);
            assert_eq!(!found.is_empty(), lost, "{command}: {found:?}");
        }
    }

    #[test]
    fn items_conditions_and_constants_are_looked_at() {
        let one = |step: &str| places("M013", &Target::default(), &[step]);
        let copy = "{name: Copy, action: CopyFile, inputs: [{source: /a, destination: /tmp/aaa}, {source: /tmp/aaa, destination: /opt/a}]}";
        assert!(one(copy).is_empty());
        let marker =
            "{name: Mark, action: CreateFile, if: {not: {fileExists: /var/tmp/done}}, inputs: [{path: /var/tmp/done}]}";
        assert!(one(marker).is_empty());
        assert_eq!(one("{name: Mark, action: CreateFile, inputs: [{path: /var/tmp/done}]}"), ["/var/tmp/done"]);
        assert!(one("{name: Mark, action: CreateFile, inputs: [{path: '{{ env:DIR }}/done'}]}").is_empty());
        assert!(one("{name: Mark, action: CreateFile, inputs: [{path: /tmpfiles/done}]}").is_empty());
        let document = |path: &str| {
            format!(
                "schemaVersion: 1.0\nconstants: [{{Dir: {{type: string, value: /tmp/x}}}}]\nphases:\n  - name: build\n    steps:\n      - {{name: Make, action: CreateFile, inputs: [{{path: '{{{{ Dir }}}}/a.sh'}}]}}\n      - {{name: Run, action: ExecuteBash, inputs: {{commands: [bash {path}]}}}}\n"
            )
        };
        assert!(in_document("M013", &Target::default(), &document("/tmp/x/a.sh")).is_empty());
        assert_eq!(in_document("M013", &Target::default(), &document("/tmp/y/b.sh")), ["'{{ Dir }}/a.sh'"]);
    }

    #[test]
    fn what_cannot_be_known_is_not_reported() {
        let make = "{name: Make, action: CreateFile, inputs: [{path: /tmp/a.sh}]}";
        let nested = "{name: Nest, action: ExecuteDocument, inputs: {document: /opt/child.yaml}}";
        assert!(places("M013", &Target::default(), &[make, nested]).is_empty());
        assert!(places("M013", &Target::default(), &[make, "{name: Lost, action: Unknown}"]).is_empty());
        for target in [
            Target { container: true, ..Target::default() },
            Target { standalone: true, ..Target::default() },
            Target { platform: Some(Platform::Windows), ..Target::default() },
        ] {
            assert!(places("M013", &target, &[make]).is_empty(), "{target:?}");
        }
        let test = format!("schemaVersion: 1.0\nphases:\n  - name: test\n    steps:\n      - {make}\n");
        assert!(in_document("M013", &Target::default(), &test).is_empty());
    }
}
