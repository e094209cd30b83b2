//! M014: secrets that stand in the document, and secrets that a script prints.

mod arguments;
mod shapes;
mod shown;
mod tokens;

use crate::component::expression::Template;
use crate::component::model::{Item, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Span;
use crate::yaml::Offsets;
use shapes::{Language, Secret};
use std::collections::BTreeMap;

/// Where a text that is no document, such as a log, holds what looks like a secret.
pub(crate) fn places(text: &str) -> Vec<std::ops::Range<usize>> {
    shapes::find(text, Language::Plain).into_iter().map(|secret| secret.range).collect()
}

/// M014.
pub fn secrets(subject: &Subject<'_>, found: &mut Findings<'_>) {
    declared(subject, found);
    for (_, step) in subject.steps() {
        let language = match step.module.action {
            Action::ExecuteBash => Language::Bash,
            Action::ExecutePowerShell => Language::PowerShell,
            _ => Language::Plain,
        };
        let more = by_syntax(subject, step);
        for template in step.templates() {
            let mut secrets = shapes::find(template.text(), language);
            secrets.extend(more.get(&std::ptr::from_ref(template)).into_iter().flatten().cloned());
            if !secrets.is_empty() {
                let offsets = Offsets::new(&found.source().text, &template.node);
                for secret in shapes::distinct(secrets) {
                    literal(found, offsets.span(&secret.range), &secret.what);
                }
            }
        }
        for item in &step.inputs {
            named(found, step, item);
        }
    }
    shown::shown(subject, found);
}

/// Never says what the secret is.
fn literal(found: &mut Findings<'_>, span: Span, what: &str) {
    found.add(
        found
            .at(span, format!("{what} stands here as plain text"), "a secret")
            .help("keep it in Parameter Store or Secrets Manager, and write `{{ aws:ssm:/path/of/it }}` in the step")
            .help("then replace it: whoever can read this file, the component or its logs knows it"),
    );
}

/// Defaults of parameters, and constants.
fn declared(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let document = subject.document;
    let defaults = document.parameters.iter().filter_map(|parameter| {
        Some((parameter.name.as_str(), parameter.default.as_deref()?, parameter.default_span?))
    });
    let constants = document.constants.iter().map(|one| (one.name.as_str(), one.value.as_str(), one.value_span));
    let declared: Vec<(&str, &str, Span)> = defaults.chain(constants).collect();
    for (name, value, span) in declared {
        let meant = shapes::meaning(name).is_some_and(|meaning| shapes::is_secret(value, meaning));
        let what = shapes::find(value, Language::Plain).into_iter().next().map(|secret| secret.what);
        if let Some(what) = what.or_else(|| meant.then(|| format!("`{name}`"))) {
            literal(found, span, &what);
        }
    }
}

/// Secrets that only the syntax of a script tells, by the item they stand in: `--password hunter2`, `curl -u user:hunter2`.
fn by_syntax(subject: &Subject<'_>, step: &Step) -> BTreeMap<*const Template, Vec<Secret>> {
    let bash = subject.scripts().iter().find(|commands| std::ptr::eq(commands.step, step));
    let power = subject.powershell().iter().find(|commands| std::ptr::eq(commands.step, step));
    let (places, templates) = match (bash, power) {
        (Some(commands), _) => (arguments::bash(&commands.script), commands.templates),
        (_, Some(commands)) => (arguments::powershell(&commands.script), commands.templates),
        _ => return BTreeMap::new(),
    };
    let mut found: BTreeMap<*const Template, Vec<Secret>> = BTreeMap::new();
    for (place, what) in places {
        if let Some(template) = templates.get(place.item) {
            found.entry(std::ptr::from_ref(template)).or_default().push(Secret { range: place.range, what });
        }
    }
    found
}

/// Inputs whose name stands beside them: properties of an MSI, arguments of a program, values of the registry.
fn named(found: &mut Findings<'_>, step: &Step, item: &Item) {
    let mut check = |name: &str, value: &Template| {
        let meant = shapes::meaning(name).is_some_and(|meaning| shapes::is_secret(value.text(), meaning));
        if meant {
            literal(found, value.span(), &format!("`{name}`"));
        }
    };
    for field in &item.fields {
        if let Value::Pairs(pairs) = &field.value {
            for (name, value) in pairs {
                check(name, value);
            }
        }
    }
    match step.module.action {
        Action::SetRegistry => {
            if let (Some(Value::Text(name)), Some(Value::Text(value))) = (item.get("name"), item.get("value")) {
                check(name.text(), value);
            }
        }
        Action::ExecuteBinary => {
            if let Some(Value::Texts(arguments)) = item.get("arguments") {
                for pair in arguments.windows(2) {
                    let name = pair[0].text();
                    if name.starts_with("--") && !name.contains('=') {
                        check(name.trim_start_matches('-'), &pair[1]);
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, document, messages, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::{in_document, places};

    #[test]
    fn secrets_in_scripts_are_found() {
        for (script, expected) in [
            ("export DB_PASSWORD=hunter2", "hunter2"),
            ("mysql -u root --password hunter2", "hunter2"),
            ("mysql -uroot -phunter2 -e x", "-phunter2"),
            ("curl -fsS -u user:hunter2 https://example.com", "user:hunter2"),
            ("sshpass -p 'hunter2' ssh x", "'hunter2'"),
            ("echo 'root:hunter2' | chpasswd", "'root:hunter2'"),
            ("chpasswd <<<'root:hunter2'", "'root:hunter2'"),
            ("echo hunter2 | passwd --stdin root", "hunter2"),
            ("docker login -u a -p hunter2 example.com", "hunter2"),
            ("openssl rsa -passin pass:hunter2 -in a", "pass:hunter2"),
            ("cat >/etc/app.conf <<'END'\npassword = hunter2\nEND", "hunter2"),
            ("api --token a1B2c3D4e5F6g7H8i9 x", "a1B2c3D4e5F6g7H8i9"),
        ] {
            assert_eq!(bash("M014", script), [expected], "{script}");
        }
        for (script, expected) in [
            ("$p = ConvertTo-SecureString 'hunter2' -AsPlainText -Force", "'hunter2'"),
            ("net user admin hunter2 /add", "hunter2"),
            ("Connect-App -Password 'hunter2'", "'hunter2'"),
            ("$password = 'hunter2'", "hunter2"),
        ] {
            assert_eq!(powershell("M014", "build", 1, script), [expected], "{script}");
        }
    }

    #[test]
    fn what_is_kept_elsewhere_is_silent() {
        for script in [
            "mysql -u root --password \"{{ aws:ssm:/db }}\"",
            "mysql -u root -p\"$DB_PASSWORD\"",
            "mysql -u root -p",
            "curl -fsS -u \"user:$TOKEN\" https://example.com",
            "curl -fsS -u user https://example.com",
            "docker login -u a --password-stdin example.com",
            "echo \"root:$(openssl rand -base64 12)\" | chpasswd",
            "passwd --lock root",
            "mkdir -p a -p b",
            "ssh -p 2222 host",
            "openssl rsa -passin file:/run/key -in a",
            "gpg --passphrase '' --gen-key",
            "kubectl create token app",
            "kubectl get --token-file x",
            "aws secretsmanager get-secret-value --secret-id prod/db/password",
        ] {
            assert_eq!(bash("M014", script), [""; 0], "{script}");
        }
        for script in [
            "$p = ConvertTo-SecureString $text -AsPlainText -Force",
            "net user admin /active:no",
            "net user admin",
            "Connect-App -Password $password",
        ] {
            assert_eq!(powershell("M014", "build", 1, script), [""; 0], "{script}");
        }
    }

    #[test]
    fn every_text_is_looked_at() {
        let one = |step: &str| places("M014", &Target::default(), &[step]);
        assert_eq!(
            one("{name: Put, action: CreateFile, inputs: [{path: /etc/a, content: 'password=hunter2'}]}"),
            ["hunter2"]
        );
        assert_eq!(
            one("{name: Run, action: ExecuteBinary, inputs: {path: /a, arguments: [--password, hunter2]}}"),
            ["hunter2"]
        );
        assert_eq!(
            one("{name: Msi, action: InstallMSI, inputs: {path: 'C:\\a.msi', properties: {SQLPASSWORD: hunter2}}}"),
            ["hunter2"]
        );
        let registry = "{name: Reg, action: SetRegistry, inputs: [{path: 'HKLM:\\A', name: DefaultPassword, value: hunter2, type: SZ}]}";
        assert_eq!(one(registry), ["hunter2"]);
        let declared = "schemaVersion: 1.0\nparameters: [{DbPassword: {type: string, default: hunter2}}, {Token: {type: string}}]\nconstants: [{ApiKey: {type: string, value: a1B2c3D4e5F6g7H8i9}}, {KeyName: {type: string, value: x}}]\nphases:\n  - name: build\n    steps:\n      - {name: Run, action: Reboot}\n";
        assert_eq!(in_document("M014", &Target::default(), declared), ["hunter2", "a1B2c3D4e5F6g7H8i9"]);
    }

    #[test]
    fn messages_keep_the_secret() {
        let key = format!("{}Q3EGRY5XWKJ7VN2P", "AKIA");
        let text =
            document("build", "ExecuteBash", 1, &format!("export DB_PASSWORD=hunter2\nx {key}\nx --password=hunter2"));
        let told = messages("M014", &text);
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|message| !message.contains("hunter2") && !message.contains(&key)), "{told:?}");
    }
}
