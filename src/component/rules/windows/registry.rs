//! M015 and M016: `SetRegistry`.

use crate::component::expression::Template;
use crate::component::model::{Item, Value};
use crate::component::modules::Action;
use crate::component::rules::files::paths;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::{Span, suggest};
use crate::yaml::Offsets;

/// The hives, with their short names. Windows does not tell letter case apart, so neither does this.
const HIVES: &[(&str, &str)] = &[
    ("HKEY_CLASSES_ROOT", "HKCR:"),
    ("HKEY_USERS", "HKU:"),
    ("HKEY_LOCAL_MACHINE", "HKLM:"),
    ("HKEY_CURRENT_CONFIG", "HKCC:"),
    ("HKEY_CURRENT_USER", "HKCU:"),
];

fn items<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a Item> {
    subject.steps_of(Action::SetRegistry).flat_map(|(_, step)| &step.inputs)
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The number of bytes of the hive a path begins with.
fn hive(path: &str) -> Option<(&'static str, usize)> {
    HIVES.iter().find_map(|(long, short)| {
        if has_prefix(path, short) {
            return Some((*long, short.len()));
        }
        let ends = !path.as_bytes().get(long.len()).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        (has_prefix(path, long) && ends).then_some((*long, long.len()))
    })
}

/// Whether a path that goes on with an expression may still become one that begins with a hive.
fn may_become(lead: &str) -> bool {
    HIVES.iter().any(|(long, short)| {
        [long, short].into_iter().any(|prefix| prefix.len() >= lead.len() && has_prefix(prefix, lead))
    })
}

/// M016.
pub fn path(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for template in items(subject).filter_map(|item| paths::text(item, "path")) {
        let lead = paths::lead(template);
        let open = lead.len() < template.text().len();
        if hive(lead).is_some() || (open && may_become(lead)) {
            continue;
        }
        unknown_hive(found, template, lead);
    }
}

fn unknown_hive(found: &mut Findings<'_>, template: &Template, lead: &str) {
    let offsets = Offsets::new(&found.source().text, &template.node);
    let (old, new) = meant(lead);
    let part = if old == 0 { first_part(lead) } else { old };
    let span = if lead.is_empty() { template.span() } else { offsets.span(&(0..part.max(1))) };
    let diagnostic =
        found.at(span, format!("`{}` does not begin with a hive of the registry", template.text()), "not a hive");
    let Some(new) = new else {
        let known: Vec<&str> = HIVES.iter().flat_map(|(long, short)| [*long, *short]).collect();
        found.add(diagnostic.help(format!("begin it with one of {}", known.join(", "))));
        return;
    };
    let diagnostic = diagnostic.help(format!("did you mean `{new}{}`?", &template.text()[old..]));
    // The colon of a short name is safe in plain text, since a backslash follows and no blank.
    let edit = offsets.edit(&(0..old), new).or_else(|| plain(template, &offsets, old, new));
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("begin the path with the hive", vec![edit]),
        None => diagnostic,
    });
}

/// The edit of a plain scalar, in which a colon is harmless when something other than a blank follows.
fn plain(template: &Template, offsets: &Offsets, old: usize, new: &str) -> Option<crate::diagnostic::Edit> {
    let follows = template.text().as_bytes().get(old).is_some_and(|byte| !byte.is_ascii_whitespace());
    let is_plain = template.node.style() == Some(crate::yaml::Style::Plain);
    (is_plain && follows).then(|| crate::diagnostic::Edit::replace(offsets.span(&(0..old)), new))
}

/// The length of the first part of a path.
fn first_part(path: &str) -> usize {
    path.find(['\\', '/', ':']).unwrap_or(path.len())
}

/// What the beginning of a path was meant to be: how many bytes of it go, and the hive that comes.
fn meant(path: &str) -> (usize, Option<&'static str>) {
    // The registry editor copies paths with `Computer\` in front, PowerShell shows them with a provider.
    let skipped = ["Computer\\", "Registry::", "Microsoft.PowerShell.Core\\Registry::"]
        .into_iter()
        .find(|front| has_prefix(path, front))
        .map_or(0, str::len);
    let rest = &path[skipped..];
    if let Some((long, length)) = hive(rest) {
        return (skipped + length, Some(long));
    }
    let length = first_part(rest);
    let word = &rest[..length];
    let exact = HIVES.iter().find(|(_, short)| short.trim_end_matches(':').eq_ignore_ascii_case(word));
    let near = || suggest(word, HIVES.iter().map(|(long, _)| long)).filter(|_| word.len() > 4);
    let colon = usize::from(rest[length..].starts_with(':'));
    match exact.map(|(_, short)| *short).or_else(near) {
        Some(new) => (skipped + length + colon, Some(new)),
        None => (0, None),
    }
}

/// M015.
pub fn value(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for item in items(subject) {
        if let Some(path) = paths::text(item, "path") {
            current_user(found, path);
        }
        if let Some((span, message, label)) = number(item) {
            found.add(found.at(span, message, label).help("write a whole number, or use the type SZ for text"));
        }
    }
}

fn current_user(found: &mut Findings<'_>, path: &Template) {
    let Some((_, length)) = hive(paths::lead(path)).filter(|(long, _)| *long == "HKEY_CURRENT_USER") else { return };
    let span = Offsets::new(&found.source().text, &path.node).span(&(0..length));
    found.add(
        found
            .at(span, "the current user is SYSTEM: no user of the image sees this value", "the hive of SYSTEM")
            .help("write below HKEY_LOCAL_MACHINE if there is such a setting for the whole machine")
            .help("for users that are made later, load C:\\Users\\Default\\NTUSER.DAT with `reg load` in ExecutePowerShell"),
    );
}

/// What is wrong with the value of a DWORD or QWORD.
fn number(item: &Item) -> Option<(Span, String, String)> {
    let kind = paths::literal(paths::text(item, "type")?)?;
    let (lowest, highest, range) = match kind {
        // Negative numbers are counted down from the end by whoever writes them; they are not doubted here.
        "DWORD" => (i128::from(i32::MIN), i128::from(u32::MAX), "0 to 4294967295"),
        "QWORD" => (i128::from(i64::MIN), i128::from(u64::MAX), "0 to 18446744073709551615"),
        _ => return None,
    };
    let field = item.fields.iter().find(|field| field.name == "value")?;
    let Value::Text(template) = &field.value else {
        return Some((field.value_span, format!("a {kind} is one whole number, not a list"), "this is a list".into()));
    };
    let text = paths::literal(template)?;
    match whole(text) {
        None => Some((template.span(), format!("`{text}` is no {kind}"), "not a whole number".into())),
        Some(number) if !(lowest..=highest).contains(&number) => {
            Some((template.span(), format!("`{text}` does not fit into a {kind}"), format!("it holds {range}")))
        }
        Some(_) => None,
    }
}

/// The whole number a text is, in any form that a reader of YAML or Go may know. A fraction of zero is none.
fn whole(text: &str) -> Option<i128> {
    let text = text.trim().replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let based = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| lower.strip_prefix(prefix).map(|digits| (digits, base)));
    let (digits, base) = based.unwrap_or_else(|| {
        let whole = lower.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|byte| byte == b'0'));
        (whole.map_or(lower.as_str(), |(whole, _)| whole), 10)
    });
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    // What is too long for 128 bits is a whole number all the same, only far too large.
    let number = i128::from_str_radix(digits, base).unwrap_or(i128::MAX);
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;

    #[test]
    fn hives_are_known_by_both_names() {
        for (path, expected) in [
            (r"HKLM:\Software", Some(5)),
            (r"hklm:\Software", Some(5)),
            ("HKLM:Software", Some(5)),
            (r"HKEY_LOCAL_MACHINE\Software", Some(18)),
            ("HKEY_LOCAL_MACHINE", Some(18)),
            (r"HKEY_USERS\.DEFAULT", Some(10)),
            (r"HKLM\Software", None),
            (r"HKEY_LOCAL_MACHINES\Software", None),
            (r"Software\Acme", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(hive(path).map(|(_, length)| length), expected, "{path}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        for (path, expected) in [
            (r"HKLM\Software", Some(r"HKLM:\Software")),
            (r"Computer\HKEY_LOCAL_MACHINE\Software", Some(r"HKEY_LOCAL_MACHINE\Software")),
            (r"Registry::HKLM\Software", Some(r"HKLM:\Software")),
            (r"HKEY_LOCAL_MACHIN\Software", Some(r"HKEY_LOCAL_MACHINE\Software")),
            (r"HKEY_LOCAL_MACHIN:\Software", Some(r"HKEY_LOCAL_MACHINE\Software")),
            (r"C:\Software", None),
            (r"Software\Acme", None),
            ("", None),
        ] {
            let (old, new) = meant(path);
            assert_eq!(new.map(|new| format!("{new}{}", &path[old..])).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn an_expression_may_complete_a_hive() {
        for (lead, expected) in [("", true), ("HK", true), ("HKEY_LOCAL_", true), ("HKLM:", true), ("Soft", false)] {
            assert_eq!(may_become(lead), expected, "{lead}");
        }
    }

    #[test]
    fn whole_numbers_in_many_forms() {
        for (text, expected) in [
            ("1", Some(1)),
            ("-1", Some(-1)),
            ("0x1F", Some(31)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("010", Some(10)),
            ("1_000", Some(1000)),
            ("1.0", Some(1)),
            ("99999999999999999999999999999999999999999999", Some(i128::MAX)),
            ("1.1", None),
            ("1e3", None),
            ("yes", None),
            ("", None),
            ("-", None),
            ("0x", None),
            (".", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    fn set(path: &str, value: &str, kind: &str) -> String {
        format!(
            "{{name: Set, action: SetRegistry, inputs: [{{path: '{path}', name: n, value: {value}, type: {kind}}}]}}"
        )
    }

    #[test]
    fn numbers_are_judged_by_their_type() {
        for (value, kind, reported) in [
            ("1", "DWORD", false),
            ("'1'", "DWORD", false),
            ("0xFFFFFFFF", "DWORD", false),
            ("4294967296", "DWORD", true),
            ("4294967296", "QWORD", false),
            ("18446744073709551616", "QWORD", true),
            ("-1", "DWORD", false),
            ("1.1", "DWORD", true),
            ("on", "QWORD", true),
            ("[1]", "DWORD", true),
            ("1.1", "SZ", false),
            ("'{{ env:NUMBER }}'", "DWORD", false),
            ("1.1", "'{{ env:TYPE }}'", false),
        ] {
            let found = places("M015", &Target::default(), &[&set("HKLM:\\a", value, kind)]);
            assert_eq!(!found.is_empty(), reported, "{value} as {kind}");
        }
    }

    #[test]
    fn hives_are_told_apart() {
        for (path, user, unknown) in [
            ("HKCU:\\a", Some("HKCU:"), None),
            ("hkey_current_user\\a", Some("hkey_current_user"), None),
            ("HKLM:\\{{ env:KEY }}", None, None),
            ("{{ env:HIVE }}\\a", None, None),
            ("HKEY_{{ env:HIVE }}", None, None),
            ("HKCU\\a", None, Some("HKCU")),
            ("a\\{{ env:KEY }}", None, Some("a")),
        ] {
            let step = set(path, "x", "SZ");
            let first = |id| places(id, &Target::default(), &[&step]).into_iter().next();
            assert_eq!(first("M015").as_deref(), user, "{path}");
            assert_eq!(first("M016").as_deref(), unknown, "{path}");
        }
    }
}
