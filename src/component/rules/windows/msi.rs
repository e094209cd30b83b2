//! M023 and M024: `InstallMSI` and `UninstallMSI`.

use crate::component::model::Value;
use crate::component::modules::Action;
use crate::component::rules::files::{edits, paths};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::rules::transfers::verified;
use crate::diagnostic::Edit;

/// M023.
pub fn unsigned(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for item in subject.steps_of(Action::InstallMsi).flat_map(|(_, step)| &step.inputs) {
        let path = paths::text(item, "path");
        if path.is_some_and(|path| verified::is_pinned(subject.document, path)) {
            continue;
        }
        let package = path.map_or("the package", |path| path.text());
        for field in item.fields.iter().filter(|field| field.value == Value::Boolean(true)) {
            let (message, label) = match field.name {
                "allowUnsignedInstaller" => ("is installed even without a signature", "no signature is needed"),
                "ignoreAuthenticodeSignatureErrors" => {
                    ("is installed even if its signature is not valid", "an invalid signature is accepted")
                }
                _ => continue,
            };
            found.add(
                found
                    .at(field.span, format!("`{package}` {message}"), label)
                    .help("remove it, and have the package signed")
                    .help("or fix its content: fetch it with WebDownload, `checksum` and `algorithm: SHA256`")
                    .unsafe_fix("ask for a valid signature", vec![Edit::replace(field.value_span, "false")]),
            );
        }
    }
}

/// The properties that are set by the module itself.
const FIXED: &[&str] = &["REBOOT", "REINSTALLMODE", "REINSTALL"];

/// M024.
pub fn fixed_property(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let steps =
        subject.steps().filter(|(_, step)| matches!(step.module.action, Action::InstallMsi | Action::UninstallMsi));
    for field in steps.flat_map(|(_, step)| &step.inputs).flat_map(|item| &item.fields) {
        if field.name != "properties" {
            continue;
        }
        let Some(node) = edits::mapping(subject.root, field.value_span) else { continue };
        for (key, _) in node.entries().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            let Some(fixed) = FIXED.iter().find(|fixed| fixed.eq_ignore_ascii_case(name)) else { continue };
            let diagnostic = found
                .at(key.span, format!("the property `{name}` cannot be set"), "set by the module itself")
                .help(if *fixed == "REBOOT" {
                    "remove it; whether to restart is said by the input `reboot`: Allow, Force or Skip"
                } else {
                    "remove it; to repair an installation, run msiexec in ExecutePowerShell"
                });
            found.add(match edits::remove(subject.source, node, &[name]) {
                Some(edits) => diagnostic.unsafe_fix("remove the property", edits),
                None => diagnostic,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;

    #[test]
    fn a_package_is_trusted_by_its_signature_or_by_its_sum() {
        let install = |path: &str| {
            format!(
                "{{name: Install, action: InstallMSI, inputs: {{path: '{path}', allowUnsignedInstaller: true, ignoreAuthenticodeSignatureErrors: true}}}}"
            )
        };
        let fetch = |algorithm: &str| {
            format!(
                "{{name: Fetch, action: WebDownload, inputs: [{{source: 'https://e.example/a.msi', destination: 'C:\\a\\', checksum: ab, algorithm: {algorithm}}}]}}"
            )
        };
        for (algorithm, path, count) in [
            ("SHA256", "C:\\a\\a.msi", 0),
            ("SHA512", "{{ build.Fetch.outputs[0].destination }}", 0),
            ("SHA256", "C:\\a\\b.msi", 2),
            ("MD5", "C:\\a\\a.msi", 2),
        ] {
            let found = places("M023", &Target::default(), &[&fetch(algorithm), &install(path)]);
            assert_eq!(found.len(), count, "{algorithm} {path}: {found:?}");
        }
        let uninstall = install("C:\\a.msi").replace("action: InstallMSI", "action: UninstallMSI");
        assert!(places("M023", &Target::default(), &[&uninstall]).is_empty());
    }

    #[test]
    fn three_properties_are_fixed_in_any_letter_case() {
        for (action, properties, expected) in [
            (
                "InstallMSI",
                "{REBOOT: a, ReinstallMode: b, reinstall: c, REBOOTS: d}",
                &["REBOOT", "ReinstallMode", "reinstall"][..],
            ),
            ("UninstallMSI", "{Reboot: a}", &["Reboot"]),
            ("InstallMSI", "{ADDLOCAL: ALL}", &[]),
        ] {
            let step =
                format!("{{name: One, action: {action}, inputs: {{path: 'C:\\a.msi', properties: {properties}}}}}");
            assert_eq!(places("M024", &Target::default(), &[&step]), expected, "{properties}");
        }
    }
}
