//! What a recipe says about patching as a whole: `patch_overrides`, exactly what is to be updated, and `hooks`, what runs
//! around it. Both become what a recipe could have written by hand: parameters of its patch component, and components that
//! stand directly before and after it.

use super::fields::{Fields, Findings, text};
use super::recipe::{LONGEST_VALUE, used};
use super::{ComponentUse, Os, PatchOverrides, Recipe, codes};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::patch::{self, OverrideEntry, OverrideList};
use crate::yaml::{self, Kind, Node};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The components that patch, of Linux and of Windows.
pub(crate) const PATCH: [&str; 2] = ["patch-linux", "patch-windows"];
/// Their parameter for what is to be updated whatever the scope.
pub(crate) const LIST: &str = "override_list";
/// Their parameter for the entries of a list that is a file of the project.
pub(crate) const ENTRIES: &str = "override_entries";

/// What rejected patches are called where a recipe's images are patched.
pub(crate) fn words(os: Os) -> patch::Words {
    match os.package_manager() {
        "apt" => patch::Words::Apt,
        "dnf" => patch::Words::Dnf,
        "zypper" => patch::Words::Zypper,
        _ => patch::Words::Windows,
    }
}

/// Reads both keys, and puts them where they take effect: into `build`.
pub(super) fn read(
    fields: &mut Fields<'_>,
    os: Option<Os>,
    build: &mut Vec<ComponentUse>,
    out: &mut Findings,
) -> Option<PatchOverrides> {
    let overrides = fields.take("patch_overrides").and_then(|node| overrides(node, os, build, out));
    if let Some(node) = fields.take("hooks") {
        hooks(node, os, build, out);
    }
    overrides
}

/// The patch component of a recipe; without one there is nothing to give a list to, or to run a hook around.
fn patcher<'a>(
    key: &str,
    span: Span,
    os: Option<Os>,
    build: &'a mut [ComponentUse],
    out: &mut Findings,
) -> Option<(usize, &'a mut ComponentUse)> {
    let name = PATCH[usize::from(os.is_some_and(|os| os.platform() == "Windows"))];
    let found = build.iter_mut().enumerate().find(|(_, used)| used.name == name);
    if found.is_none() {
        let message = format!("`{key}` needs a patch component, and this recipe has none");
        let found = out.error(codes::PATCHING, span, message, "would do nothing");
        found.help.push(format!("add `{name}` to `build`, or remove `{key}`"));
    }
    found
}

/// Sets parameters of the patch component that the recipe does not set itself.
fn set(used: &mut ComponentUse, key: &str, span: Span, parameters: &[(&str, &str)], out: &mut Findings) {
    for (name, value) in parameters {
        if used.parameters.contains_key(*name) {
            let message = format!("both `{key}` and the parameter `{name}` of `{}` say what to do", used.name);
            let source = Arc::clone(&out.source);
            let found = out.error(codes::PATCHING, span, message, "said here");
            *found = found.clone().also_at(&source, used.span, "and here").help("keep one of them");
        } else {
            used.parameters.insert((*name).to_owned(), (*value).to_owned());
        }
    }
}

fn overrides(node: &Node, os: Option<Os>, build: &mut [ComponentUse], out: &mut Findings) -> Option<PatchOverrides> {
    let before = out.list.len();
    let (from, parameters) = match &node.kind {
        Kind::Mapping(_) => remote(node, out)?,
        _ => (file(node, out)?, vec![]),
    };
    let (_, used) = patcher("patch_overrides", node.span, os, build, out)?;
    if !parameters.is_empty() && used.name == PATCH[1] {
        let message = "on Windows an install override list has to be a file of the project";
        let found = out.error(codes::PATCHING, node.span, message, "cannot be read on Windows");
        found.notes.push("what it names is given to the update agent, which reads no lists".to_owned());
        return None;
    }
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    set(used, "patch_overrides", node.span, &parameters, out);
    (out.list.len() == before).then_some(PatchOverrides { from, span: node.span })
}

/// A key of a list of another place: the parameter it becomes, what fits it, and what that is called.
type Key = (&'static str, &'static str, fn(&str) -> bool, &'static str);

const BY_URL: [Key; 2] = [
    ("url", LIST, is_url, "an https:// URL without blanks"),
    ("sha256", "override_list_sha256", is_sum, "64 hexadecimal digits in lower case"),
];
const IN_A_BUCKET: [Key; 2] = [
    ("s3", LIST, is_s3, "s3://BUCKET/KEY"),
    ("owner", "override_list_owner", is_account, "the account of the bucket, twelve digits"),
];

/// A list of another place: where it is, and what the patch component needs to fetch it.
fn remote(node: &Node, out: &mut Findings) -> Option<(String, Vec<(&'static str, String)>)> {
    let mut fields = Fields::new(node, "patch_overrides", false, out)?;
    let before = out.list.len();
    let mut parameters = vec![];
    for (key, parameter, fits, what) in if node.get("s3").is_some() { IN_A_BUCKET } else { BY_URL } {
        let path = fields.path(key);
        let Some(node) = fields.required(key, out) else { continue };
        let Some(value) = text(node, &path, out) else { continue };
        if !fits(&value) {
            out.error(codes::NOT_ALLOWED, node.span, format!("`{path}` has to be {what}"), "it is not");
        }
        parameters.push((parameter, value));
    }
    fields.finish(out);
    let (_, from) = parameters.first().filter(|_| out.list.len() == before)?;
    Some((from.clone(), parameters))
}

fn is_visible(text: &str) -> bool {
    text.chars().count() <= LONGEST_VALUE && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_url(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) && is_visible(text)
}

fn is_s3(text: &str) -> bool {
    let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) && is_visible(text)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The path of a file of the project, as it is written.
fn file(node: &Node, out: &mut Findings) -> Option<String> {
    let path = text(node, "patch_overrides", out)?;
    if is_inside(&path) {
        return Some(path);
    }
    let message = format!("`{path}` is not the path of a file in this project");
    let found = out.error(codes::NOT_ALLOWED, node.span, message, "leads elsewhere");
    found.help.push(match path.split_once("://") {
        Some(("s3", _)) => format!("write {{ s3: {path}, owner: \"ACCOUNT\" }} for a list in a bucket"),
        Some(_) => format!("write {{ url: {path}, sha256: ... }} for a list on a server"),
        None => "write a path that begins in the folder of amiforge.yaml, for example overrides/cve.yaml".to_owned(),
    });
    None
}

/// Whether a path stays where it begins, judged by its text alone.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(|c: char| c.is_ascii_control())
}

/// What runs around patching.
enum Hook {
    Component(ComponentUse),
    Path(String, Span),
}

fn hooks(node: &Node, os: Option<Os>, build: &mut Vec<ComponentUse>, out: &mut Findings) {
    let Some(mut fields) = Fields::new(node, "hooks", true, out) else { return };
    for (key, parameter, after) in [("before_patch", "before_hook", false), ("after_patch", "after_hook", true)] {
        let Some(node) = fields.take(key) else { continue };
        let path = format!("hooks.{key}");
        let Some(hook) = hook(&path, node, os, out) else { continue };
        let Some((at, patch)) = patcher(&path, node.span, os, build, out) else { continue };
        match hook {
            Hook::Component(used) => build.insert(at + usize::from(after), used),
            Hook::Path(value, span) => set(patch, &path, span, &[(parameter, &value)], out),
        }
    }
    fields.finish(out);
}

/// A component, by its name or with its parameters as in `build`; or the absolute path of an executable in the image.
fn hook(path: &str, node: &Node, os: Option<Os>, out: &mut Findings) -> Option<Hook> {
    if let Kind::Mapping(_) = node.kind {
        let used =
            used(path, node, "the name of a component, one name with its parameters, or a path in the image", out);
        return used.map(|used| Hook::Component(ComponentUse { hook: true, ..used }));
    }
    let value = text(node, path, out)?;
    let windows = os.is_some_and(|os| os.platform() == "Windows");
    let drive = value.as_bytes().get(1..3).is_some_and(|rest| matches!(rest, b":\\" | b":/"));
    let is_path = value.starts_with('/') || windows && drive;
    if !is_path {
        let (name, parameters) = (value, BTreeMap::new());
        return Some(Hook::Component(ComponentUse { name, parameters, span: node.span, hook: true }));
    }
    let writable = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if value.len() < 2 || value.chars().count() > LONGEST_VALUE || !value.chars().all(writable) {
        let message = format!("`{path}` has to be a path of at most {LONGEST_VALUE} characters in one line");
        out.error(codes::NOT_ALLOWED, node.span, message, "not a usable path");
        return None;
    }
    if windows && !drive {
        let message = format!("on Windows the path of `{path}` begins with a drive");
        let found = out.error(codes::NOT_ALLOWED, node.span, message, "of whichever drive is current");
        found.help.push(format!("write C:{}", value.replace('/', "\\")));
        return None;
    }
    Some(Hook::Path(value, node.span))
}

/// Reads the list of a recipe that is a file of the project, and gives its entries to the patch component.
pub(super) fn load(root: &Path, recipe: &mut Recipe, found: &mut Vec<Diagnostic>) {
    let Some(PatchOverrides { from, span }) = recipe.patch_overrides.clone() else { return };
    if from.contains("://") {
        return;
    }
    let mut out = Findings::new(&recipe.source);
    if let Some(source) = list_file(root, &from, span, &mut out) {
        let parsed = patch::parse_override_list(&source, family(recipe.os));
        found.extend(parsed.diagnostics);
        if let Some(list) = parsed.list {
            found.extend(apply(&list, &source, recipe, span, &mut out).err());
        }
    }
    found.append(&mut out.into_list());
}

fn family(os: Os) -> patch::Family {
    match os.package_manager() {
        "apt" => patch::Family::Apt,
        "dnf" => patch::Family::Rpm,
        "zypper" => patch::Family::Suse,
        _ => patch::Family::Windows,
    }
}

/// The file, unless a link leads out of the project.
fn list_file(root: &Path, path: &str, span: Span, out: &mut Findings) -> Option<Arc<SourceFile>> {
    let place = root.join(path);
    let inside = |place: &Path| Some(place.canonicalize().ok()?.starts_with(root.canonicalize().ok()?));
    let text = match inside(&place) {
        Some(false) => Err("it is a link that leads out of the project".to_owned()),
        _ => super::load::read_text(&place),
    };
    match text {
        Ok(text) => Some(SourceFile::new(path, text)),
        Err(why) => {
            out.error(codes::UNREADABLE, span, format!("`{path}` cannot be read: {why}"), "named here");
            None
        }
    }
}

/// Gives the entries of a list to the patch component; the entry it cannot take is told.
fn apply(
    list: &OverrideList,
    source: &Arc<SourceFile>,
    recipe: &mut Recipe,
    span: Span,
    out: &mut Findings,
) -> Result<(), Diagnostic> {
    let Some(used) = recipe.build.iter_mut().find(|used| PATCH.contains(&used.name.as_str())) else { return Ok(()) };
    if used.name == PATCH[1] {
        let only = numbers(list).map_err(|index| {
            let message = "the update agent of Windows knows updates by their KB numbers only";
            Diagnostic::error(codes::PATCHING, message)
                .at(source, entry_span(source, index), "not a KB number")
                .help("name the update as `KB5034441`")
        })?;
        set(used, "patch_overrides", span, &[("only", &only)], out);
        return Ok(());
    }
    let table = list.table().map_err(|index| {
        Diagnostic::error("B011", "an id or a title has a character that no package's name or version has")
            .at(source, entry_span(source, index), "in this entry")
            .note("letters, digits, `+-._~^:` and the wildcards `*`, `?` and `[...]` are possible")
    })?;
    set(used, "patch_overrides", span, &[(LIST, &source.name), (ENTRIES, &table)], out);
    Ok(())
}

/// The KB numbers of a list, or the position of the first entry that has none.
fn numbers(list: &OverrideList) -> Result<String, usize> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_kb = |entry: &OverrideEntry| entry.id.strip_prefix("KB").is_some_and(is_number);
    match list.entries.iter().position(|entry| !is_kb(entry)) {
        Some(index) => Err(index),
        None => Ok(list.entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>().join(" ")),
    }
}

/// Where an entry of a list stands.
fn entry_span(source: &Arc<SourceFile>, index: usize) -> Span {
    let tree = yaml::parse(source).ok();
    let entry = tree.as_ref().and_then(|tree| tree.get("patches")?.items()?.get(index));
    entry.map(|entry| entry.get("id").unwrap_or(entry).span).unwrap_or_default()
}

#[cfg(test)]
#[path = "patching_tests.rs"]
mod tests;
