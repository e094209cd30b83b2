//! What stands at the head of a document.

use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Edit;

/// `D016`
pub(super) fn nameless(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let is_missing =
        |key: &str| subject.root.get(key).and_then(|node| node.as_str()).is_none_or(|text| text.trim().is_empty());
    // A value of another form has been reported as such.
    let is_faulty = |key: &str| subject.root.get(key).is_some_and(|node| node.style().is_none() || node.is_null());
    let missing: Vec<&str> =
        ["name", "description"].into_iter().filter(|key| is_missing(key) && !is_faulty(key)).collect();
    let what = match missing.as_slice() {
        [] => return,
        [one] => format!("no `{one}`"),
        _ => "neither `name` nor `description`".to_owned(),
    };
    let Some((first, _)) = subject.root.entries().and_then(<[_]>::first) else { return };
    let tells = if missing.len() == 1 { "it tells" } else { "they tell" };
    let words = missing.iter().map(|key| format!("`{key}:`")).collect::<Vec<_>>().join(" and ");
    found.add(
        found
            .at(first.span, format!("the document has {what}"), "begins here")
            .help(format!("add {words}; {tells} documents apart in the output of a run")),
    );
}

/// `D017`
pub(super) fn short_version(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let Some(node) = subject.root.get("schemaVersion").filter(|node| node.as_str() == Some("1")) else { return };
    let diagnostic = found
        .at(node.span, "`schemaVersion` is 1 where 1.0 is meant", "the service turns this into 1.0")
        .help("write `schemaVersion: 1.0`");
    let is_block = node.style().is_some_and(crate::yaml::Style::is_block);
    found.add(if is_block {
        diagnostic
    } else {
        diagnostic.safe_fix("write `1.0`", vec![Edit::replace(node.span, "1.0")])
    });
}
