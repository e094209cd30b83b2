//! Values that look odd: which of them are reported, and as what.

use super::*;

#[test]
fn what_only_looks_odd_is_taken_without_a_word() {
    for step in [
        "- { name: Run, action: UpdateOS, timeoutSeconds: 0x10, maxAttempts: 5000000000 }",
        "- { name: Run, action: UpdateOS, disableLogging: TRUE, inputs: {} }",
        "- { name: Run, action: S3Upload, inputs: [{ source: a, destination: b, recurse: \"True\" }] }",
        "- { name: Run, action: SetRegistry, inputs: [{ path: 'HKLM:\\a', name: b, value: 1, type: DWORD }] }",
        "- { name: Run, action: SetRegistry, inputs: [{ path: 'HKLM:\\a', name: b, value: [1, 2], type: BINARY }] }",
        "- { name: Run, action: Reboot, if: { stringEquals: 22, value: '{{ context:osVersion }}' } }",
        "- { name: Run, action: Reboot, if: { numberEquals: 1.10, value: '{{ context:osVersion }}' } }",
        "- { name: Run, action: CreateFile, inputs: [{ path: /a, permissions: 0644 }] }",
    ] {
        good(&document("", step));
    }
}

#[test]
fn an_alias_without_an_anchor_was_meant_as_text() {
    let list = |path: &str| {
        format!("- {{ name: Run, action: ListFiles, inputs: [{{ path: {path}, fileNamePattern: *log }}] }}")
    };
    assert_eq!(faults(&document("", &list("/var"))), ["M021 5:81"]);
    assert_eq!(faults(&document("", &list("&log /var"))), ["D021 5:58", "D021 5:86"]);
    let parsed = read(&document("", &list("&log /var")));
    assert!(parsed.root.is_none() && parsed.diagnostics.iter().all(|found| found.inferred));
}
