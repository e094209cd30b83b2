//! `amiforge.yaml`: the project's name, its environments, channels and tags.

use super::environment_settings::environments;
use super::fields::{Fields, Findings, text};
use super::{
    Channel, EnvironmentConfig, Freeze, LintConfig, LocalConfig, ProjectGates, Signing, Window, canary, codes, gates,
    lint, names, refresh, windows,
};
use crate::diagnostic::{SourceFile, Span};
use crate::yaml::{self, Node};
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The instance profile the Image Builder documentation has everybody create.
pub(crate) const INSTANCE_PROFILE: &str = "EC2InstanceProfileForImageBuilder";

/// What `approval` may be.
pub(super) const APPROVALS: [&str; 3] = ["required", "by-another", "none"];

/// What `override` may be.
pub(super) const OVERRIDES: [&str; 2] = ["allowed", "forbidden"];

/// What `distribute` may be.
pub(super) const DISTRIBUTES: [&str; 2] = ["share", "copy"];

/// Tags that begin like this are not the user's.
pub(super) const RESERVED_TAGS: [&str; 2] = ["aws:", "amiforge:"];

/// Most characters of a tag's key and of its value: limits of the tagging API.
pub(super) const LONGEST_TAG: (usize, usize) = (128, 256);

/// What `amiforge.yaml` says.
pub(super) struct Settings {
    pub name: String,
    pub environments: BTreeMap<String, EnvironmentConfig>,
    pub channels: Vec<Channel>,
    pub tags: BTreeMap<String, String>,
    pub lint: LintConfig,
    pub gates: ProjectGates,
    pub signing: Signing,
}

/// Reads `amiforge.yaml`; what is wrong is added to `out`, and what could be read is returned all the same.
pub(super) fn read(source: &Arc<SourceFile>, out: &mut Findings) -> Settings {
    let mut settings = Settings {
        name: String::new(),
        environments: BTreeMap::from([("local".to_owned(), EnvironmentConfig::Local(LocalConfig::default()))]),
        channels: vec![channel("candidate")],
        tags: BTreeMap::new(),
        lint: LintConfig::default(),
        gates: ProjectGates { waivable: true, ..ProjectGates::default() },
        signing: Signing::default(),
    };
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(found) => {
            out.list.extend(found);
            return settings;
        }
    };
    let Some(mut fields) = Fields::new(&root, "", false, out) else { return settings };
    if let Some(node) = fields.required("project", out) {
        settings.name = name(node, "project", false, out).unwrap_or_default();
    }
    if let Some(node) = fields.take("environments") {
        environments(node, &mut settings.environments, out);
    }
    if let Some(node) = fields.take("channels") {
        settings.channels = channels(node, out);
    }
    if let Some(node) = fields.take("tags") {
        settings.tags = tags(node, out);
    }
    if let Some(node) = fields.take("lint") {
        settings.lint = lint::read(node, out);
    }
    if let Some(node) = fields.take("gates") {
        settings.gates = gates::read_project(node, out);
    }
    if let Some(node) = fields.take("signing") {
        settings.signing = signing(node, out);
    }
    fields.finish(out);
    settings
}

/// `signing`: which key signs evidence, and whose signature is demanded.
fn signing(node: &Node, out: &mut Findings) -> Signing {
    let mut signing = Signing::default();
    let Some(mut fields) = Fields::new(node, "signing", true, out) else { return signing };
    signing.key = fields.text("key", out).map(PathBuf::from);
    let kms = fields.text("kms", out).zip(node.get("kms").map(|node| node.span));
    signing.kms = kms.and_then(|(key, span)| kms_key(key, span, "signing.kms", out));
    if let (Some(_), Some((key, _))) = (&signing.key, node.entry("kms")) {
        let found = out.error(codes::SIGNING, key.span, "`signing` has both `key` and `kms`", "one signs");
        found.help.push("leave one of them out; several keys can be trusted".to_owned());
    }
    let trusted = fields.texts("trusted", out);
    let trusted_kms = fields.texts("trusted_kms", out);
    for (name, what) in [("trusted", "files with public keys"), ("trusted_kms", "keys in KMS")] {
        if node.get(name).and_then(Node::items).is_some_and(<[_]>::is_empty) {
            let message = format!("`signing.{name}` is empty");
            let found = out.error(codes::SIGNING, fields.span(), message, "nobody could sign");
            found.help.push(format!("name {what}, or leave it out"));
        }
    }
    signing.trusted = trusted.into_iter().map(|(path, _)| PathBuf::from(path)).collect();
    let kms = trusted_kms.into_iter().filter_map(|(key, span)| kms_key(key, span, "signing.trusted_kms", out));
    signing.trusted_kms = kms.collect();
    fields.finish(out);
    signing
}

/// How a key in KMS is named: an alias, the id of a key, or the ARN of either.
pub(super) const KMS_KEY: &str = "^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)|alias/[A-Za-z0-9/_-]+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$";

/// The name of a key in KMS.
pub(super) fn kms_key(key: String, span: Span, what: &str, out: &mut Findings) -> Option<String> {
    if Regex::new(KMS_KEY).is_ok_and(|form| form.is_match(&key)) {
        return Some(key);
    }
    let found =
        out.error(codes::SIGNING, span, format!("`{key}` cannot be `{what}`: it names no key in KMS"), "no key");
    found.help.push("write alias/NAME, the id of a key, or its ARN".to_owned());
    None
}

/// A name that becomes part of resource names.
pub(super) fn name(node: &Node, what: &str, dots: bool, out: &mut Findings) -> Option<String> {
    let name = text(node, what, out)?;
    check_name(&name, node.span, what, dots, out).then_some(name)
}

/// Whether a name can be used; says why if not.
pub(super) fn check_name(name: &str, span: Span, what: &str, dots: bool, out: &mut Findings) -> bool {
    let Some(why) = names::fault(name, dots) else { return true };
    let near = names::nearest(name, dots);
    let found =
        out.error(codes::NAME, span, format!("`{name}` cannot be used as `{what}`: {why}"), "not a usable name");
    if near != name && names::fault(&near, dots).is_none() {
        found.help.push(format!("for example `{near}`"));
    }
    false
}

/// The items of a list that may not be empty.
pub(super) fn list<'a>(node: &'a Node, path: &str, out: &mut Findings) -> &'a [Node] {
    match node.items() {
        Some([]) => {
            out.error(codes::MISSING, node.span, format!("`{path}` is empty"), "nothing in it");
            &[]
        }
        Some(items) => items,
        None => {
            out.wrong_type(path, "a list", node);
            &[]
        }
    }
}

fn channel(name: &str) -> Channel {
    Channel { name: name.to_owned(), ..Channel::default() }
}

fn channels(node: &Node, out: &mut Findings) -> Vec<Channel> {
    let mut channels: Vec<Channel> = vec![];
    let Some(entries) = Fields::new(node, "channels", false, out).and(node.entries()) else { return channels };
    if entries.is_empty() {
        let found = out.error(codes::MISSING, node.span, "`channels` is empty", "no channel");
        found.help.push("leave it out to get one channel, `candidate`".to_owned());
    }
    for (key, value) in entries {
        let Some(name) = name(key, "channel", false, out) else { continue };
        let Some(mut fields) = Fields::new(value, &format!("channels.{name}"), true, out) else { continue };
        let mut read = channel(&name);
        if let Some(after) = fields.take("after") {
            read.after = text(after, &fields.path("after"), out);
            check_after(read.after.as_deref(), after.span, &name, &channels, entries, out);
        }
        read.soak = fields.duration("soak", out);
        if let (Some(_), None, Some((soak, _))) = (read.soak, &read.after, value.entry("soak")) {
            let message = format!("`channels.{name}.soak` has no meaning without `after`");
            let found = out.error(codes::CHANNEL_ORDER, soak.span, message, "in which channel?");
            found.help.push("add `after` with the channel a release has to stay in first".to_owned());
        }
        let approval = fields.choice("approval", &APPROVALS, out);
        read.approval_required = matches!(approval, Some("required" | "by-another"));
        read.approval_by_another = approval == Some("by-another");
        if let (true, None, Some((key, _))) = (read.approval_by_another, &read.after, value.entry("approval")) {
            let message = format!("`channels.{name}.approval` cannot be `by-another` without `after`");
            let found = out.error(codes::CHANNEL_ORDER, key.span, message, "by another than who?");
            found.help.push("add `after` with the channel a release has to be in first".to_owned());
        }
        read.windows = open_hours(&mut fields, out);
        let path = fields.path("freezes");
        for node in fields.list("freezes", out) {
            read.freezes.extend(freeze(node, &path, out));
        }
        read.canary = canary::read(&mut fields, out);
        read.override_forbidden = fields.choice("override", &OVERRIDES, out) == Some("forbidden");
        let path = fields.path("refresh");
        if let Some(node) = fields.take("refresh") {
            read.refresh = refresh::read(node, &path, out);
        }
        fields.finish(out);
        channels.push(read);
    }
    channels
}

fn open_hours(fields: &mut Fields<'_>, out: &mut Findings) -> Vec<Window> {
    let path = fields.path("windows");
    let mut windows = vec![];
    for (text, span) in fields.texts("windows", out) {
        match Window::parse(&text) {
            Ok(window) => windows.push(window),
            Err(why) => {
                let message = format!("`{text}` is no window of `{path}`: {why}");
                let found = out.error(codes::NOT_ALLOWED, span, message, "not a window");
                found.help.push("for example `Mon-Thu 08:00-16:00`, in UTC".to_owned());
            }
        }
    }
    windows
}

fn freeze(node: &Node, path: &str, out: &mut Findings) -> Option<Freeze> {
    let mut fields = Fields::new(node, path, false, out)?;
    let mut day = |key: &'static str, out: &mut Findings| {
        let path = fields.path(key);
        let node = fields.required(key, out)?;
        let text = text(node, &path, out)?;
        let day = windows::day(&text);
        if day.is_none() {
            let message = format!("`{path}` cannot be `{text}`: a day has the form 2026-12-20");
            out.error(codes::NOT_ALLOWED, node.span, message, "not a day");
        }
        day
    };
    let (from, to) = (day("from", out), day("to", out));
    let path = fields.path("reason");
    let reason = fields.required("reason", out).and_then(|node| text(node, &path, out));
    fields.finish(out);
    let (from, to, reason) = (from?, to?, reason?);
    if to < from {
        out.error(codes::NOT_ALLOWED, node.span, "the freeze ends before it begins", "no day in it");
        return None;
    }
    Some(Freeze { from, to, reason })
}

/// `after` has to name a channel that stands before this one.
fn check_after(
    after: Option<&str>,
    span: Span,
    name: &str,
    before: &[Channel],
    all: &[(Node, Node)],
    out: &mut Findings,
) {
    let Some(after) = after else { return };
    if before.iter().any(|channel| channel.name == after) {
        return;
    }
    let known: Vec<&str> = before.iter().map(|channel| channel.name.as_str()).collect();
    if after == name || all.iter().any(|(key, _)| key.as_str() == Some(after)) {
        let message = format!("channel `{name}` cannot follow `{after}`, which does not stand before it");
        out.error(codes::CHANNEL_ORDER, span, message, "not an earlier channel");
    } else {
        let message = format!("channel `{name}` follows `{after}`, which does not exist");
        out.unknown(codes::CHANNEL_ORDER, span, message, after, &known);
    }
}

fn tags(node: &Node, out: &mut Findings) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let Some(entries) = Fields::new(node, "tags", true, out).and(node.entries()) else { return tags };
    for (key, value) in entries {
        let Some(name) = text(key, "tags", out) else { continue };
        let Some(value_text) = text(value, &format!("tags.{name}"), out) else { continue };
        // `aws:` belongs to AWS; ours say what a resource is and must not be spoofed.
        if RESERVED_TAGS.iter().any(|reserved| name.starts_with(reserved)) {
            let message = format!("the tag `{name}` is reserved");
            out.error(codes::NOT_ALLOWED, key.span, message, "tags beginning with aws: or amiforge: are reserved");
        } else if name.is_empty() || name.chars().count() > LONGEST_TAG.0 || value_text.chars().count() > LONGEST_TAG.1
        {
            let message = "a tag has a key of 1 to 128 and a value of at most 256 characters";
            out.error(codes::NOT_ALLOWED, key.span, message, "too long or empty");
        } else {
            tags.insert(name, value_text);
        }
    }
    tags
}
