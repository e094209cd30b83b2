//! `recipes/*.yaml`: one recipe each. What can be told from the file alone is checked here; what needs other files
//! (components, baselines) in `check`.

use super::fields::{Fields, Findings, scalar, text};
use super::settings::check_name;
use super::{
    Arch, ComponentUse, Gates, Os, PointerName, ProjectGates, Promote, Recipe, RootVolume, codes, gates, parent,
    patching, pipeline, workflows,
};
use crate::diagnostic::{SourceFile, Span};
use crate::yaml::{self, Kind, Node, Style};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Quota "components per recipe" of Image Builder (image-builder.md 16).
pub(super) const MOST_COMPONENTS: usize = 20;
/// Largest number in a version (image-builder.md 2.3).
pub(super) const LARGEST_VERSION: u32 = (1 << 30) - 1;
/// Volume types an image may have as its root.
pub(super) const VOLUME_TYPES: [&str; 5] = ["gp3", "gp2", "io2", "io1", "standard"];
/// Limits of `volumeSize` in GiB (image-builder.md 6).
pub(super) const VOLUME_SIZES: (u32, u32) = (1, 16_000);
/// Names of what a promotion moves, when the recipe does not say.
pub(super) const USUAL_TEMPLATE: &str = "{{ name }}-{{ arch }}-{{ channel }}";
pub(super) const USUAL_PARAMETER: &str = "/golden/{{ name }}/{{ arch }}/{{ channel }}";
/// Limits of a parameter value and of all values of a recipe, in characters and bytes (component-documents.md 13).
pub(super) const LONGEST_VALUE: usize = 1_024;
const MOST_VALUES: usize = 25_000;

/// Reads a recipe; `stem` is the file's name without its ending. What is wrong is added to `out`.
pub(super) fn read(source: &Arc<SourceFile>, stem: &str, policy: &ProjectGates, out: &mut Findings) -> Option<Recipe> {
    let root = yaml::parse(source).map_err(|found| out.list.extend(found)).ok()?;
    let mut fields = Fields::new(&root, "", false, out)?;
    let span = recipe_name(&mut fields, stem, out);
    let os = fields.required("os", out).and_then(|node| system(node, out));
    let architectures = fields.take("architectures").map_or_else(|| vec![Arch::X86_64], |node| archs(node, os, out));
    let version = fields.take("version").map_or(Some((1, 0)), |node| version(node, out));
    let parent = fields.required("parent", out).and_then(|node| parent::read(node, os, &architectures, out));
    let mut build = uses(&mut fields, "build", out);
    let test = uses(&mut fields, "test", out);
    let baseline = fields.text("baseline", out);
    let patch_overrides = patching::read(&mut fields, os, &mut build, out);
    check_uses(&build, &test, out);
    let root_volume = fields.take("root_volume").map_or_else(|| volume_default(os), |node| volume(node, os, out));
    let gates = gates(&mut fields, &test, span, policy, out);
    let workflows = workflows::read(&mut fields, out);
    let pipeline = fields.take("pipeline").and_then(|node| pipeline::read(node, out));
    let promote = fields.take("promote").map_or_else(promote_default, |node| promote(node, out));
    fields.elsewhere("waivers", "waivers.yaml", out);
    fields.finish(out);
    let os = os?;
    Some(Recipe {
        name: stem.to_owned(),
        os,
        architectures,
        version: version?,
        parent: parent?,
        build,
        test,
        baseline: baseline.unwrap_or_else(|| os.default_baseline().to_owned()),
        patch_overrides,
        root_volume,
        gates,
        workflows,
        pipeline,
        promote,
        source: Arc::clone(source),
        span,
    })
}

/// The gates, which without the key are the project's, or the usual ones.
fn gates(
    fields: &mut Fields<'_>,
    test: &[ComponentUse],
    span: Span,
    policy: &ProjectGates,
    out: &mut Findings,
) -> Gates {
    let untested = test.is_empty();
    let named = fields.take("gates");
    let gates = named.map_or_else(|| gates::of_project(policy), |node| gates::read(node, !untested, policy, out));
    let said = named.is_some_and(|node| node.get("tests").is_some());
    if untested && gates.tests.is_some() && !said {
        let whose = if policy.gates.is_some() { "gates of amiforge.yaml" } else { "default gates" };
        let message = format!("the recipe names no test, and the {whose} require one");
        let found = out.error(codes::NO_GATE, span, message, "cannot pass");
        found.help.push("add `test: [boots]`, or `gates` without `tests`".to_owned());
    }
    let required = gates.tests.iter().flat_map(|gate| &gate.required);
    for name in required.filter(|name| !test.iter().any(|used| used.name == name.component)) {
        let message = format!("the test `{name}` is required, and the recipe does not name `{}`", name.component);
        let place = named.and_then(|node| Some(node.get("tests")?.entry("required")?.0.span)).unwrap_or(span);
        let found = out.error(codes::NO_GATE, place, message, "cannot pass");
        found.help.push(format!("add `{}` under `test`", name.component));
    }
    gates
}

/// `name` may be left out; if it is there it has to be the file's.
fn recipe_name(fields: &mut Fields<'_>, stem: &str, out: &mut Findings) -> Span {
    let Some(node) = fields.take("name") else {
        check_name(stem, fields.span(), "name", true, out);
        return fields.span();
    };
    match text(node, "name", out) {
        Some(name) if name != stem => {
            let message = format!("the recipe is called `{name}`, but its file `{stem}`");
            let found = out.error(codes::FILE_NAME, node.span, message, "differs from the file's name");
            found.help.push(format!("write `name: {stem}`, leave it out, or rename the file to {name}.yaml"));
        }
        Some(name) => {
            check_name(&name, node.span, "name", true, out);
        }
        None => {}
    }
    node.span
}

fn system(node: &Node, out: &mut Findings) -> Option<Os> {
    let name = text(node, "os", out)?;
    let os = Os::parse(&name);
    if os.is_none() {
        let known: Vec<&str> = Os::all().into_iter().map(Os::name).collect();
        out.unknown(
            codes::NOT_ALLOWED,
            node.span,
            format!("`{name}` is not an operating system amiforge knows"),
            &name,
            &known,
        );
    }
    os
}

fn archs(node: &Node, os: Option<Os>, out: &mut Findings) -> Vec<Arch> {
    let known: Vec<&str> = Arch::all().iter().map(|arch| arch.name()).collect();
    let mut archs = vec![];
    let Some(items) = node.items() else {
        out.wrong_type("architectures", "a list", node);
        return archs;
    };
    for item in items {
        let Some(name) = text(item, "architectures", out) else { continue };
        match Arch::parse(&name) {
            None => {
                let message = format!("`{name}` is not an architecture of EC2");
                out.unknown(codes::NOT_ALLOWED, item.span, message, &name, &known);
            }
            Some(arch) if archs.contains(&arch) => {
                out.error(codes::TWICE, item.span, format!("`{name}` stands here twice"), "again here");
            }
            Some(arch) if os.is_some_and(|os| !os.architectures().contains(&arch)) => {
                let message = format!("there is no {} for {name}", os.map_or("system", Os::name));
                out.error(codes::NOT_ALLOWED, item.span, message, "not published");
            }
            Some(arch) => archs.push(arch),
        }
    }
    if items.is_empty() {
        out.error(codes::MISSING, node.span, "`architectures` is empty", "nothing would be built");
    }
    archs
}

/// `"1.0"`; in quotes, because 1.10 without them is the number 1.1.
fn version(node: &Node, out: &mut Findings) -> Option<(u32, u32)> {
    let Some(text) = node.as_str().filter(|_| !node.is_null()) else {
        out.wrong_type("version", "text such as \"1.0\"", node);
        return None;
    };
    if node.style() == Some(Style::Plain) {
        let message = format!("the version {text} has to stand in quotes");
        let found = out.error(codes::VERSION, node.span, message, "YAML readers take this for a number");
        found.notes.push("without quotes 1.10 is the number 1.1".to_owned());
        found.help.push(format!("write `version: \"{text}\"`"));
        return None;
    }
    let number = |part: &str| {
        let canonical = part == "0" || !part.starts_with('0');
        part.parse::<u32>()
            .ok()
            .filter(|n| canonical && *n <= LARGEST_VERSION && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let read = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    if read.is_none() {
        let message = format!("`{text}` is not a version: major and minor number are, for example \"1.0\"");
        let found = out.error(codes::VERSION, node.span, message, "not major.minor");
        found.notes.push("the third number follows the content of the image by itself".to_owned());
    }
    read
}

/// Components of one stage: names, or names with parameters.
fn uses(fields: &mut Fields<'_>, key: &'static str, out: &mut Findings) -> Vec<ComponentUse> {
    let expected = "a list of component names, or of one name with its parameters each";
    fields.list(key, out).iter().filter_map(|item| used(key, item, expected, out)).collect()
}

/// A component: its name, or its name with parameters.
pub(super) fn used(path: &str, item: &Node, expected: &str, out: &mut Findings) -> Option<ComponentUse> {
    let (name, parameters) = match &item.kind {
        Kind::Scalar(_) => (item, None),
        Kind::Mapping(entries) if entries.len() == 1 => (&entries[0].0, Some(&entries[0].1)),
        _ => {
            out.wrong_type(path, expected, item);
            return None;
        }
    };
    let text = text(name, path, out)?;
    let parameters = parameters.map(|node| values(node, &text, out)).unwrap_or_default();
    Some(ComponentUse { name: text, parameters, span: name.span, hook: false })
}

/// Parameters of one component; values are kept as they are written.
fn values(node: &Node, component: &str, out: &mut Findings) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let Some(entries) = Fields::new(node, component, true, out).and(node.entries()) else { return values };
    for (key, value) in entries {
        let (Some(name), path) = (key.as_str(), format!("{component}.{}", key.as_str().unwrap_or_default())) else {
            continue;
        };
        let Some(text) = scalar(value, &path, out) else { continue };
        if text.is_empty() || text.chars().count() > LONGEST_VALUE {
            let message = format!("`{path}` has to have 1 to {LONGEST_VALUE} characters");
            out.error(codes::PARAMETER, value.span, message, "empty or too long for Image Builder");
            continue;
        }
        values.insert(name.to_owned(), text);
    }
    values
}

/// Rules of the service for all components of a recipe taken together.
fn check_uses(build: &[ComponentUse], test: &[ComponentUse], out: &mut Findings) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    let mut bytes = 0;
    for (count, used) in build.iter().chain(test).enumerate() {
        if let Some(first) = seen.get(used.name.as_str()).copied() {
            let source = Arc::clone(&out.source);
            let message = format!("the recipe names `{}` twice", used.name);
            let found = out.error(codes::TWICE, used.span, message, "again here");
            *found = found.clone().also_at(&source, first, "first here");
        } else {
            seen.insert(&used.name, used.span);
        }
        bytes += used.parameters.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if count == MOST_COMPONENTS {
            let message = format!("a recipe has at most {MOST_COMPONENTS} components");
            out.error(codes::TOO_MANY, used.span, message, "this one is too many");
        }
        if bytes > MOST_VALUES {
            let message = "the parameters of a recipe have at most 25 KB together";
            out.error(codes::PARAMETER, used.span, message, "too much from here on");
            bytes = 0;
        }
    }
}

fn volume_default(os: Option<Os>) -> RootVolume {
    RootVolume { size_gib: os.map_or(8, Os::default_root_gib), volume_type: "gp3".to_owned(), encrypted: true }
}

fn volume(node: &Node, os: Option<Os>, out: &mut Findings) -> RootVolume {
    let default = volume_default(os);
    let Some(mut fields) = Fields::new(node, "root_volume", true, out) else { return default };
    let volume = RootVolume {
        size_gib: fields.number("size_gib", default.size_gib, VOLUME_SIZES, out),
        volume_type: fields.choice("type", &VOLUME_TYPES, out).unwrap_or("gp3").to_owned(),
        encrypted: fields.boolean("encrypted", default.encrypted, out),
    };
    fields.finish(out);
    volume
}

pub(super) fn promote_default() -> Promote {
    Promote { launch_templates: vec![USUAL_TEMPLATE.into()], parameters: vec![USUAL_PARAMETER.into()] }
}

fn promote(node: &Node, out: &mut Findings) -> Promote {
    let default = promote_default();
    let Some(mut fields) = Fields::new(node, "promote", true, out) else { return default };
    let promote = Promote {
        launch_templates: pointers(&mut fields, "launch_template", out).unwrap_or(default.launch_templates),
        parameters: pointers(&mut fields, "parameter", out).unwrap_or(default.parameters),
    };
    let span = fields.span();
    fields.finish(out);
    let none = |key| node.get(key).and_then(Node::items).is_some_and(<[_]>::is_empty);
    if none("launch_template") && none("parameter") {
        let message = "`promote` names neither a launch template nor a parameter";
        let found = out.error(codes::NOT_ALLOWED, span, message, "would move nothing");
        found.help.push("leave one of the two out for its usual name, or name one".to_owned());
    }
    promote
}

/// Names of pointers: one, or a list of them. Nothing when the key is absent.
fn pointers(fields: &mut Fields<'_>, key: &'static str, out: &mut Findings) -> Option<Vec<PointerName>> {
    let node = fields.take(key)?;
    let path = fields.path(key);
    let items = node.items().unwrap_or_else(|| std::slice::from_ref(node));
    let mut names: Vec<PointerName> = Vec::new();
    for item in items {
        let Some(text) = text(item, &path, out) else { continue };
        if names.iter().any(|other| other.text == text) {
            let message = format!("`{path}` names `{text}` twice");
            out.error(codes::TWICE, item.span, message, "named a second time");
            continue;
        }
        names.push(PointerName { text, span: item.span });
    }
    Some(names)
}
