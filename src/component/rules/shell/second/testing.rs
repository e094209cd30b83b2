//! What a rule says to a script, for tests.

use super::facts::{Facts, scripts};
use crate::component;
use crate::component::rules::files::testing::in_document;
use crate::component::rules::subject::Subject;
use crate::component::rules::{Target, check};
use crate::diagnostic::SourceFile;

const HEAD: &str = "schemaVersion: 1.0\nparameters: [{Given: {type: string, default: given}}]\nconstants: [{Folder: {type: string, value: /opt/app}}]\nphases:\n";

/// A document with one step that runs a script.
pub fn document(phase: &str, action: &str, attempts: u32, script: &str) -> String {
    let indent = "              ";
    let lines = script.replace('\n', &format!("\n{indent}"));
    format!(
        "{HEAD}  - name: {phase}\n    steps:\n      - name: Run\n        action: {action}\n        maxAttempts: {attempts}\n        inputs:\n          commands:\n            - |\n{indent}{lines}\n"
    )
}

/// What a rule reports about a script of phase `build`, as the text at each place.
pub fn bash(id: &str, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document("build", "ExecuteBash", 1, script))
}

/// The same in another phase, or with another number of attempts.
pub fn bash_in(id: &str, phase: &str, attempts: u32, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document(phase, "ExecuteBash", attempts, script))
}

/// The same for PowerShell.
pub fn powershell(id: &str, phase: &str, attempts: u32, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document(phase, "ExecutePowerShell", attempts, script))
}

/// The messages of a rule about a whole document.
pub fn messages(id: &str, text: &str) -> Vec<String> {
    let source = SourceFile::new("t.yaml", text);
    let found = check(&source, &component::parse(&source), &Target::default());
    found.into_iter().filter(|one| one.code == id).map(|one| one.message).collect()
}

/// A document after the first fix of a rule was applied to it.
pub fn mended(id: &str, text: &str) -> Option<String> {
    let source = SourceFile::new("t.yaml", text);
    let found = check(&source, &component::parse(&source), &Target::default());
    let fix = found.into_iter().find(|one| one.code == id)?.fix?;
    let mut out = text.to_owned();
    for edit in fix.edits.iter().rev() {
        out.replace_range(edit.span.start..edit.span.end, &edit.text);
    }
    Some(out)
}

/// Asks something of a script of phase `build`.
pub fn with_script<T>(script: &str, ask: impl Fn(&Facts<'_, '_>) -> T) -> T {
    let source = SourceFile::new("t.yaml", document("build", "ExecuteBash", 1, script));
    let parsed = component::parse(&source);
    let target = Target::default();
    let (root, document) = (parsed.root.as_ref().unwrap(), parsed.readable.as_ref().unwrap());
    let subject = Subject::new(&source, root, document, true, &[], &target);
    let facts = scripts(&subject).next().unwrap();
    ask(&facts)
}

mod any_script {
    use super::*;
    use crate::component::shell::LARGEST_SCRIPT;
    use proptest::prelude::*;

    /// Pieces that the rules here look for.
    const PIECES: &[&str] = &[
        "$HOME",
        "${HOME:=/root}",
        "~/a ",
        "cd",
        "sudo -u app ",
        "npm ci",
        "sh -c '",
        "'",
        "\"",
        "sleep 900",
        "tail -f x",
        " & ",
        "wait\n",
        "kill 1",
        "systemctl stop amazon-ssm-agent",
        "iptables -P OUTPUT DROP",
        "rm -rf /root/.ssh",
        "/etc/netplan/x",
        "ip link set eth0 down",
        "pip install ",
        "a==1 ",
        "https://example.com/latest/a ",
        "curl ",
        "-u a:b1b1 ",
        "--password ",
        "hunter2 ",
        "PASSWORD=",
        "password: ",
        "{{ aws:ssm:/a }}",
        "echo ",
        " | ",
        "tee -a /etc/a ",
        ">>/etc/a ",
        ">/etc/a ",
        "mkdir /opt/a ",
        "ln -s a /etc/b ",
        "git clone https://e.example/a /opt/a",
        "mv /etc/a /etc/b",
        "useradd a",
        " || ",
        " && ",
        "if ",
        "; then ",
        "; fi\n",
        "for i in a; do ",
        "; done\n",
        "f() { ",
        " }\n",
        "f\n",
        "\n",
        "exit 0",
        "set -x\n",
        "A=",
        "$A ",
        "$(",
        ")",
        "<<E\n",
        "\nE\n",
        "é",
        "\\",
        "{{ Name }}",
        "Start-Process a",
        "$password = ",
        "Stop-Service ",
    ];

    proptest! {
        #[test]
        fn every_script_can_be_looked_at_and_every_edit_lies_in_the_file(
            pieces in prop::collection::vec(0..PIECES.len(), 1..24), bash in any::<bool>(), phase in 0usize..3, attempts in 1u32..3,
        ) {
            let script: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            let action = if bash { "ExecuteBash" } else { "ExecutePowerShell" };
            let phase = ["build", "validate", "test"][phase];
            let text = document(phase, action, attempts, &format!(":\n{script}"));
            let source = SourceFile::new("t.yaml", text);
            let found = check(&source, &component::parse(&source), &Target::default());
            for one in &found {
                let span = one.span();
                prop_assert!(source.text.get(span.start..span.end).is_some(), "{one:?}");
                for edit in one.fix.iter().flat_map(|fix| &fix.edits) {
                    prop_assert!(source.text.get(edit.span.start..edit.span.end).is_some(), "{edit:?}");
                }
            }
        }
    }

    /// A rule that looks through the whole script for each of its commands would not come to an end with these.
    #[test]
    fn long_repetitions_end() {
        for unit in [
            "mkdir /a\n",
            "useradd a\n",
            "useradd a&&",
            "mv /a/b c\n",
            "echo >>/a\n",
            "rm /etc/a\n",
            "A=$A\nrm $A\n",
            "cd\n",
            "curl $A\n",
            "systemctl stop amazon-ssm-agent\n",
            "iptables -P OUTPUT DROP\n",
            "rm /etc/netplan/a\n",
            "f(){ curl a;};f\n",
            "echo $A {{ aws:ssm:/a }}\n",
            "sudo -u a sh -c 'npm'\n",
            "a&\n",
            "ifdown a\n",
            "password=hunter2\n",
            "sh -c 'echo ~/a'\n",
        ] {
            let script = unit.repeat(LARGEST_SCRIPT / 16 / unit.len());
            for phase in ["build", "test"] {
                let source = SourceFile::new("t.yaml", document(phase, "ExecuteBash", 2, &script));
                let parsed = component::parse(&source);
                for rule in super::super::RULES {
                    let (root, readable) = (parsed.root.as_ref().unwrap(), parsed.readable.as_ref().unwrap());
                    let target = Target::default();
                    let subject = Subject::new(&source, root, readable, true, &[], &target);
                    let mut findings = crate::component::rules::Findings::new(rule, &source);
                    if let crate::component::rules::Check::Document(check) = rule.check {
                        check(&subject, &mut findings);
                    }
                    let most = 2 * script.lines().count() + script.matches("&&").count();
                    let count = findings.into_list().len();
                    assert!(count <= most, "{}: {count} findings in {most} commands of {unit:?}", rule.id);
                }
            }
        }
    }
}
