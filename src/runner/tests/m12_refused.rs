//! Matrix item 12, and all else that is refused before anything runs.

use super::*;

#[test]
fn nothing_runs_unless_everything_can() {
    let mut bench = bench();
    let good = bash("Touch", "touch ran", "");
    for (bad, expected) in [
        ("- { name: Bad name, action: Reboot }", "error[D007]: Invalid step name"),
        (
            "- { name: Windows, action: ExecutePowerShell, inputs: { commands: [dir] } }",
            "error[E001]: ExecutePowerShell cannot be executed on Linux",
        ),
        ("- { name: Match, action: Assert, inputs: { patternMatches: '(?=a)', value: b } }", "error[C006]: "),
        (
            "- { name: Nest, action: ExecuteDocument, timeoutSeconds: 5, inputs: { document: a } }",
            "error[S009]: `timeoutSeconds` of ExecuteDocument can only be -1",
        ),
    ] {
        let summary = bench.steps(&[&good, bad]);
        assert_eq!(summary.status, RunStatus::Failed);
        assert!(summary.failure_message.contains(expected), "{}", summary.failure_message);
        assert!(
            summary.failure_message.starts_with("Document doc1 failed!") && summary.failure_message.contains("doc1:5:")
        );
        assert_eq!(bench.events.len(), 1);
    }
    let mut request = bench.request(&[&document(&good)]);
    request.documents[0].parameters = BTreeMap::from([("Nope".to_owned(), "x".to_owned())]);
    assert!(bench.run(&request).failure_message.contains("not defined in the provided component: Nope"));
    let needs = format!("parameters: [{{ Must: {{ type: string }} }}]\n{}", document(&good));
    let request = bench.request(&[&needs]);
    assert!(bench.run(&request).failure_message.contains("neither a value nor a default: Must"));
    assert!(!bench.path("ran").exists());
}

#[test]
fn blocked_modules_are_refused_before_anything_runs() {
    let mut bench = bench();
    let steps = bash("Touch", "touch ran", "") + "- { name: Restart, action: Reboot }\n";
    let mut request = bench.request(&[&document(&steps)]);
    request.blocked_modules = vec!["Reboot".into(), "UpdateOS".into()];
    let summary = bench.run(&request);
    assert_eq!((summary.status, bench.events.len()), (RunStatus::Failed, 1));
    assert!(
        summary.failure_message.contains("error[E003]: Reboot is blocked in this execution"),
        "{}",
        summary.failure_message
    );
    assert!(summary.failure_message.contains("doc0:6:"), "{}", summary.failure_message);
    // A phase that is not asked for counts as well: the document as a whole is refused.
    request.phases = vec!["validate".into()];
    assert_eq!(bench.run(&request).status, RunStatus::Failed);
    request.blocked_modules = vec!["Rebot".into()];
    let summary = bench.run(&request);
    assert_eq!(
        summary.failure_message,
        "Nothing was run: no action module is named `Rebot`, so it cannot be blocked; did you mean `Reboot`?"
    );
    assert!(!bench.path("ran").exists());
}

#[test]
fn blocked_modules_are_refused_in_nested_documents_too() {
    let mut bench = bench();
    bench.write("child.yaml", &document(&(bash("Touch", "touch ran", "") + "- { name: Restart, action: Reboot }\n")));
    let text = document("- { name: Include, action: ExecuteDocument, inputs: { document: child.yaml } }\n");
    let mut request = bench.request(&[&text]);
    request.blocked_modules = vec!["Reboot".into()];
    let summary = bench.run(&request);
    assert!(summary.failure_message.contains("error[E003]"), "{}", summary.failure_message);
    assert!(!bench.path("ran").exists());
}

#[test]
fn every_module_of_linux_is_executed_and_no_other() {
    use crate::component::modules::{MODULES, Platform};
    let refused: Vec<&str> =
        MODULES.iter().filter(|module| !crate::component::executes(module.action)).map(|module| module.name).collect();
    assert_eq!(refused, ["ExecutePowerShell", "InstallMSI", "SetRegistry", "UninstallMSI"]);
    assert!(MODULES.iter().all(|module| crate::component::executes(module.action) == module.runs_on(Platform::Linux)));
}
