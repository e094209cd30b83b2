//! `parent:` of a recipe: how AWS finds the parent image, and how the local environment makes it.

use super::fields::{Fields, Findings, text};
use super::{Arch, LocalParent, Os, Parent, ParentReference, codes};
use crate::diagnostic::Span;
use crate::yaml::Node;
use std::path::PathBuf;

/// The keys of which one says what to start from.
pub(super) const REFERENCES: [&str; 3] = ["ssm", "ami", "image"];

/// Reads `parent`.
pub(super) fn read(node: &Node, os: Option<Os>, architectures: &[Arch], out: &mut Findings) -> Option<Parent> {
    let mut fields = Fields::new(node, "parent", false, out)?;
    let local = fields.take("local").and_then(|node| local(node, os, out));
    let given: Vec<(&str, &Node)> =
        REFERENCES.into_iter().filter_map(|key| fields.take(key).map(|node| (key, node))).collect();
    fields.finish(out);
    match given.as_slice() {
        [(key, value)] => {
            let text = text(value, &format!("parent.{key}"), out)?;
            reference(key, text, value, architectures, out).map(|reference| Parent { reference, local })
        }
        [] => {
            let span = node.entries().and_then(<[_]>::first).map_or(node.span, |(key, _)| key.span);
            let found =
                out.error(codes::PARENT, span, "`parent` does not say which image to start from", "no reference");
            found.help.push("give one of `ssm`, `ami` and `image`; AWS needs it, `local` only adds to it".to_owned());
            None
        }
        [_, (key, second), ..] => {
            let span = node.entry(key).map_or(second.span, |(key, _)| key.span);
            out.error(
                codes::PARENT,
                span,
                "`parent` has more than one reference",
                "one of ssm, ami and image is enough",
            );
            None
        }
    }
}

fn reference(
    key: &str,
    text: String,
    node: &Node,
    architectures: &[Arch],
    out: &mut Findings,
) -> Option<ParentReference> {
    let hexadecimal = |id: &str| [8, 17].contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    let (why, help) = match key {
        "ssm" if text.starts_with('/') => return Some(ParentReference::Ssm(text)),
        "ssm" => (
            "a parameter name begins with a slash",
            "for example /aws/service/debian/release/12/latest/{{ debian_arch }}",
        ),
        "image" if text.starts_with("arn:") && text.contains(":imagebuilder:") && text.contains(":image/") => {
            return Some(ParentReference::Image(text));
        }
        "image" => ("it is not the ARN of an Image Builder image", "arn:aws:imagebuilder:REGION:aws:image/NAME/x.x.x"),
        _ if !text.strip_prefix("ami-").is_some_and(hexadecimal) => {
            ("an AMI id is ami- and 8 or 17 hexadecimal digits", "for example ami-0123456789abcdef0")
        }
        _ if architectures.len() > 1 => (
            "an AMI has one architecture, and the recipe is built for several",
            "use `ssm` with {{ arch }}, or one recipe per architecture",
        ),
        _ => return Some(ParentReference::Ami(text)),
    };
    let found =
        out.error(codes::PARENT, node.span, format!("`{text}` cannot be the parent image: {why}"), "not usable");
    found.help.push(help.to_owned());
    None
}

fn local(node: &Node, os: Option<Os>, out: &mut Findings) -> Option<LocalParent> {
    let mut fields = Fields::new(node, "parent.local", false, out)?;
    let release = fields.text("bootstrap", out);
    let packages = packages(fields.texts("packages", out), out);
    let path = fields.text("directory", out);
    let span = fields.span();
    fields.finish(out);
    match (release, path) {
        (Some(release), None) => {
            if os.is_some_and(|os| os.release().is_none()) {
                let message = "only Debian and Ubuntu can be bootstrapped on this machine";
                let span = node.get("bootstrap").map_or(span, |node| node.span);
                let found = out.error(codes::PARENT, span, message, "not a Debian release");
                found.help.push("use `directory` with a root filesystem, or leave `local` out".to_owned());
                return None;
            }
            let span = node.get("bootstrap").map_or(span, |node| node.span);
            check_release(&release, os, span, out);
            Some(LocalParent::Bootstrap { release, packages })
        }
        (None, Some(path)) if packages.is_empty() => Some(LocalParent::Directory { path: PathBuf::from(path) }),
        (None, Some(_)) => {
            let span = node.entry("packages").map_or(span, |(key, _)| key.span);
            out.error(codes::PARENT, span, "`packages` belongs to `bootstrap`", "a directory is taken as it is");
            None
        }
        _ => {
            let message = "`parent.local` has to have either `bootstrap` or `directory`";
            out.error(codes::PARENT, span, message, "one of the two, not both");
            None
        }
    }
}

/// The release to bootstrap is the one the recipe is about; anything else would be refused by the first test, or be taken
/// for an option by the tools it is handed to.
fn check_release(release: &str, os: Option<Os>, span: Span, out: &mut Findings) {
    let Some(expected) = os.and_then(Os::release) else { return };
    if release != expected {
        let message = format!("`{release}` cannot be bootstrapped for this recipe");
        let found = out.error(codes::PARENT, span, message, "not the release of `os`");
        found.help.push(format!("write `{expected}`"));
    }
}

/// Package names by Debian's grammar (Policy 5.6.1): they become words of command lines.
fn packages(names: Vec<(String, Span)>, out: &mut Findings) -> Vec<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    for (name, span) in &names {
        let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if name.len() < 2 || !starts_well || !name.chars().all(allowed) {
            let message = format!("`{name}` cannot be the name of a package");
            let found = out.error(codes::PARENT, *span, message, "lower-case letters, digits, `+`, `-` and `.`");
            found.help.push("one package per entry, without version or option".to_owned());
        }
    }
    names.into_iter().map(|(name, _)| name).collect()
}
