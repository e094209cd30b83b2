//! Rules for single actions: `ExecuteDocument` and `ExecutePowerShell`.

use crate::component::model::{Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Span;

/// `S009`
pub(super) fn nested(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps_of(Action::ExecuteDocument) {
        // An expression cannot stand there at all, which is another rule's matter.
        let is_plain = |value: Span| !subject.source.slice(value).contains("{{");
        let limits = [
            ("timeoutSeconds", "-1", step.places.timeout, step.timeout.is_some()),
            ("maxAttempts", "1", step.places.max_attempts, step.max_attempts != 1),
        ];
        for (key, only, place, is_other) in limits {
            let Some((_, value)) = place.filter(|(_, value)| is_other && is_plain(*value)) else { continue };
            let message = format!("`{key}` of ExecuteDocument can only be {only}");
            let help = format!("remove `{key}`; the steps of the other document have their own");
            found.add(found.at(value, message, "refused").help(help));
        }
        itself(subject, step, found);
    }
}

/// A document that runs itself. Which file is meant is certain only where awstoe is started by hand in this folder, and
/// a condition or a loop may end it.
fn itself(subject: &Subject<'_>, step: &Step, found: &mut Findings<'_>) {
    let Some(Value::Text(path)) = step.input("document") else { return };
    let Some(text) = path.literal().filter(|_| subject.target.standalone) else { return };
    let own = |name: &str| name.trim_start_matches("./").to_owned();
    if step.branching.is_none() && step.repeat.is_none() && own(&text) == own(&subject.source.name) {
        found.add(
            found
                .at(path.span(), format!("step `{}` runs the document it stands in", step.name), "this file")
                .help("name another document, or remove the step"),
        );
    }
}

/// `S010`, but for the choice between `commands` and `file`, which the parser checks.
pub(super) fn script_file(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps_of(Action::ExecutePowerShell) {
        let Some(Value::Text(file)) = step.input("file") else { continue };
        let text = file.text();
        let ending = text.rsplit("}}").next().unwrap_or_default();
        // What ends with an expression is known only when it runs.
        let is_known = !text.contains("{{") || !ending.is_empty();
        if is_known && !ending.to_ascii_lowercase().ends_with(".ps1") {
            found.add(
                found
                    .at(
                        file.span(),
                        format!("`file` of step `{}` is no `.ps1` file", step.name),
                        "not a script of PowerShell",
                    )
                    .help("name a file that ends with `.ps1`; other programs are run by ExecuteBinary"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    fn codes(name: &str, step: &str, target: &Target) -> Vec<&'static str> {
        let text = format!(
            "schemaVersion: 1.0\nparameters: [{{ File: {{ type: string, default: a }} }}]\nphases:\n- name: build\n  steps:\n  - name: One\n    {}\n",
            step.replace('\n', "\n    ")
        );
        let source = SourceFile::new(name, text);
        let found = rules::check(&source, &component::parse(&source), target);
        let ours = ["S006", "S008", "S009", "S010", "X007"];
        found.into_iter().map(|found| found.code).filter(|code| ours.contains(code)).collect()
    }

    #[test]
    fn nested_documents_have_no_limits() {
        let step = |tail: &str| format!("action: ExecuteDocument\ninputs: {{ document: a.yaml }}\n{tail}");
        for (tail, expected) in [
            ("", vec![]),
            ("timeoutSeconds: -1", vec![]),
            ("maxAttempts: 1", vec![]),
            ("timeoutSeconds: 600", vec!["S009"]),
            ("timeoutSeconds: 0", vec!["S009"]),
            ("maxAttempts: 2", vec!["S009"]),
            ("maxAttempts: 0", vec!["S008"]),
            ("timeoutSeconds: '{{ File }}'", vec!["X007"]),
        ] {
            assert_eq!(codes("c.yaml", &step(tail), &Target::default()), expected, "{tail}");
        }
    }

    #[test]
    fn a_document_that_runs_itself_is_seen_where_it_is_certain() {
        let standalone = Target { standalone: true, ..Target::default() };
        let step = |path: &str, tail: &str| format!("action: ExecuteDocument\ninputs: {{ document: {path} }}\n{tail}");
        assert_eq!(codes("c.yaml", &step("./c.yaml", ""), &standalone), ["S009"]);
        assert_eq!(codes("c.yaml", &step("./c.yaml", "if: { fileExists: /a }"), &standalone), [""; 0]);
        assert_eq!(codes("c.yaml", &step("/opt/c.yaml", ""), &standalone), [""; 0]);
        assert_eq!(codes("c.yaml", &step("c.yaml", ""), &Target::default()), [""; 0]);
    }

    #[test]
    fn script_files_end_with_ps1() {
        let step = |input: &str| format!("action: ExecutePowerShell\ntimeoutSeconds: 5\ninputs: {{ {input} }}");
        for (input, expected) in [
            ("file: 'C:\\a.ps1'", vec![]),
            ("file: 'C:\\a.PS1'", vec![]),
            ("file: '{{ File }}'", vec![]),
            ("file: 'C:\\{{ File }}.ps1'", vec![]),
            ("file: 'C:\\{{ File }}.txt'", vec!["S010"]),
            ("file: 'C:\\a.cmd'", vec!["S010"]),
            ("file: 'C:\\a.ps1', commands: [dir]", vec!["S010"]),
            ("commands: [dir]", vec![]),
        ] {
            assert_eq!(codes("c.yaml", &step(input), &Target::default()), expected, "{input}");
        }
    }
}
