//! M010 and M011: `owner`, `group` and `permissions`.

use super::{edits, paths};
use crate::component::expression::Template;
use crate::component::model::{Field, Item, Step};
use crate::component::modules::{Action, Platform};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Edit;
use crate::yaml::{Offsets, Style};

/// M010.
pub fn permissions(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps() {
        for item in &step.inputs {
            let Some(template) = paths::text(item, "permissions") else { continue };
            let Some(text) = paths::literal(template) else { continue };
            if template.node.style() == Some(Style::Plain) {
                unquoted(found, template, text);
            }
            if let Some(safer) = world_writable(step, text) {
                everyone(found, item, template, &safer);
            }
        }
    }
}

fn unquoted(found: &mut Findings<'_>, template: &Template, text: &str) {
    let (reader, digits) = match text.strip_prefix("0o") {
        Some(digits) => ("YAML 1.2", digits),
        None => ("YAML 1.1", text),
    };
    let octal = u32::from_str_radix(digits, 8).ok().filter(|_| text.starts_with('0'));
    let label = octal.map_or_else(
        || "a reader may take it for a decimal number".to_owned(),
        |number| format!("a reader of {reader} takes it for {number}"),
    );
    let span = template.span();
    // Two insertions and no replacement: the digits between them may be changed by another fix at the same time.
    let quotes = vec![Edit::insert(span.start, "\""), Edit::insert(span.end, "\"")];
    found.add(
        found
            .at(span, format!("the permissions `{text}` are not in quotes"), label)
            .help(format!("put them in quotes: \"{text}\""))
            .safe_fix("put the permissions in quotes", quotes),
    );
}

/// The permissions without the right to write for everyone, if they have it. A folder with the sticky bit may: in it,
/// each user can change only what is theirs.
fn world_writable(step: &Step, text: &str) -> Option<String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let bits = u32::from_str_radix(digits, 8).ok()?;
    let folder = matches!(step.module.action, Action::CreateFolder | Action::SetFolderPermissions);
    if bits & 0o002 == 0 || (folder && bits & 0o1000 != 0) {
        return None;
    }
    let last = char::from_digit(bits & 0o005, 8)?;
    Some(format!("{}{last}", &text[..text.len() - 1]))
}

fn everyone(found: &mut Findings<'_>, item: &Item, template: &Template, safer: &str) {
    let text = template.text();
    let path = paths::text(item, "path").map_or("it", Template::text);
    let offsets = Offsets::new(&found.source().text, &template.node);
    let edit = offsets.edit(&(text.len() - 1..text.len()), &safer[safer.len() - 1..]);
    let diagnostic = found
        .at(template.span(), format!("everyone may write to `{path}`"), "the last digit is for all users")
        .help(format!("take the right away, for example \"{safer}\", and give it to an `owner` or `group`"));
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("take the right to write away from everyone", vec![edit]),
        None => diagnostic,
    });
}

/// M011. The Set… modules do not run on Windows at all, which is S002's to say.
pub fn on_windows(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if subject.target.platform != Some(Platform::Windows) {
        return;
    }
    let creating =
        subject.steps().filter(|(_, step)| matches!(step.module.action, Action::CreateFile | Action::CreateFolder));
    for (step, item) in creating.flat_map(|(_, step)| step.inputs.iter().map(move |item| (step, item))) {
        let refused: Vec<&Field> =
            item.fields.iter().filter(|field| matches!(field.name, "owner" | "group" | "permissions")).collect();
        let Some((first, others)) = refused.split_first() else { continue };
        let names: Vec<&str> = refused.iter().map(|field| field.name).collect();
        let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("{} takes no {listed} on Windows", step.module.name);
        let mut diagnostic = found.at(first.span, message, "refused on Windows").help(format!(
            "remove {listed}, and set access rights in a step of their own, for example with icacls in ExecutePowerShell"
        ));
        for other in others {
            diagnostic = diagnostic.also_at(found.source(), other.span, "refused, too");
        }
        let edits =
            edits::mapping(subject.root, item.span).and_then(|node| edits::remove(subject.source, node, &names));
        found.add(match edits {
            Some(edits) => diagnostic.unsafe_fix("remove what Windows does not know", edits),
            None => diagnostic,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::places;
    use super::*;
    use crate::component::modules;
    use crate::component::rules::Target;

    fn step(action: &str) -> Step {
        Step {
            name: "One".into(),
            module: modules::find(action).unwrap(),
            timeout: None,
            on_failure: crate::component::model::OnFailure::Abort,
            max_attempts: 1,
            disable_logging: false,
            inputs: vec![],
            branching: None,
            assertion: None,
            repeat: None,
            span: crate::diagnostic::Span::default(),
            action_span: crate::diagnostic::Span::default(),
            places: crate::component::model::Places::default(),
        }
    }

    #[test]
    fn who_may_write() {
        for (action, text, safer) in [
            ("CreateFile", "0777", Some("0775")),
            ("CreateFile", "666", Some("664")),
            ("CreateFile", "0o622", Some("0o620")),
            ("CreateFile", "1777", Some("1775")),
            ("CreateFolder", "1777", None),
            ("CreateFolder", "0777", Some("0775")),
            ("SetFolderPermissions", "01777", None),
            ("SetFilePermissions", "0644", None),
            ("SetFilePermissions", "0775", None),
        ] {
            assert_eq!(world_writable(&step(action), text).as_deref(), safer, "{action} {text}");
        }
    }

    #[test]
    fn digits_without_quotes_and_rights_of_everyone_are_two_faults() {
        for (value, count) in
            [("0644", 1), ("\"0644\"", 0), ("'777'", 1), ("0777", 2), ("0o644", 1), ("'{{ env:MODE }}'", 0)]
        {
            let step = format!("{{name: Make, action: CreateFile, inputs: [{{path: /a, permissions: {value}}}]}}");
            assert_eq!(places("M010", &Target::default(), &[&step]).len(), count, "{value}");
        }
    }

    #[test]
    fn unix_rights_are_refused_where_the_platform_is_known_to_be_windows() {
        let step = "{name: Make, action: CreateFile, inputs: [{path: a, owner: root}, {path: b, group: g, permissions: '0600'}]}";
        for (platform, expected) in
            [(Some(Platform::Windows), &["owner", "group"][..]), (Some(Platform::Linux), &[]), (None, &[])]
        {
            assert_eq!(places("M011", &Target { platform, ..Target::default() }, &[step]), expected, "{platform:?}");
        }
    }
}
