//! `parent:` of a recipe: how AWS finds the parent image, and how the local environment makes it.

use super::fields::{Fields, Findings, text};
use super::{Arch, LocalParent, Os, Parent, ParentReference, codes};
use crate::diagnostic::Span;
use crate::sandbox::root::is_package;
use crate::yaml::Node;
use std::path::PathBuf;

/// The keys of which one says what to start from.
pub(super) const REFERENCES: [&str; 5] = ["ssm", "ami", "image", "name", "recipe"];
/// Who may own a parent that is found by its name, beside an account: owner aliases of `DescribeImages`.
pub(super) const OWNERS: [&str; 3] = ["self", "amazon", "aws-marketplace"];
/// Most characters of an AMI's name, which a pattern cannot exceed either (image-builder.md 9.1).
pub(super) const LONGEST_PATTERN: usize = 128;

/// Reads `parent`.
pub(super) fn read(node: &Node, os: Option<Os>, architectures: &[Arch], out: &mut Findings) -> Option<Parent> {
    let mut fields = Fields::new(node, "parent", false, out)?;
    let local = fields.take("local").and_then(|node| local(node, os, out));
    let given: Vec<(&str, &Node)> =
        REFERENCES.into_iter().filter_map(|key| fields.take(key).map(|node| (key, node))).collect();
    let further = Further { owner: fields.take("owner"), channel: fields.take("channel") };
    fields.finish(out);
    further.check(node, &given, out);
    match given.as_slice() {
        [(key @ ("name" | "recipe"), value)] => {
            let text = text(value, &format!("parent.{key}"), out)?;
            let reference =
                if *key == "name" { further.named(text, value, out) } else { further.recipe(text, value, out) };
            reference.map(|reference| Parent { reference, local })
        }
        [(key, value)] => {
            let text = text(value, &format!("parent.{key}"), out)?;
            reference(key, text, value, architectures, out).map(|reference| Parent { reference, local })
        }
        [] => {
            let span = node.entries().and_then(<[_]>::first).map_or(node.span, |(key, _)| key.span);
            let found =
                out.error(codes::PARENT, span, "`parent` does not say which image to start from", "no reference");
            found.help.push(
                "give one of `ssm`, `ami`, `image`, `name` and `recipe`; AWS needs it, `local` only adds to it"
                    .to_owned(),
            );
            None
        }
        [_, (key, second), ..] => {
            let span = node.entry(key).map_or(second.span, |(key, _)| key.span);
            out.error(
                codes::PARENT,
                span,
                "`parent` has more than one reference",
                "one of ssm, ami, image, name and recipe is enough",
            );
            None
        }
    }
}

/// What goes with one kind of reference only.
struct Further<'a> {
    owner: Option<&'a Node>,
    channel: Option<&'a Node>,
}

impl Further<'_> {
    fn check(&self, node: &Node, given: &[(&str, &Node)], out: &mut Findings) {
        let has = |key: &str| given.iter().any(|(known, _)| *known == key);
        for (key, value, with) in [("owner", self.owner, "name"), ("channel", self.channel, "recipe")] {
            if let (Some(value), false) = (value, has(with)) {
                let span = node.entry(key).map_or(value.span, |(name, _)| name.span);
                out.error(
                    codes::PARENT,
                    span,
                    format!("`parent.{key}` belongs to `{with}`"),
                    format!("there is no `{with}`"),
                );
            }
        }
    }

    fn named(&self, pattern: String, node: &Node, out: &mut Findings) -> Option<ParentReference> {
        let Some(owner) = self.owner else {
            let found = out.error(codes::PARENT, node.span, "`parent.name` needs `parent.owner`", "whose image?");
            found.notes.push("everybody can publish an AMI under any name, with anything in it".to_owned());
            found.help.push("the publisher's account in quotes, `self` or `amazon`".to_owned());
            return None;
        };
        let owner_text = text(owner, "parent.owner", out)?;
        let account = owner_text.len() == 12 && owner_text.bytes().all(|b| b.is_ascii_digit());
        if !account && !OWNERS.contains(&owner_text.as_str()) {
            let message = format!("`{owner_text}` cannot own the parent image");
            let found = out.error(codes::PARENT, owner.span, message, "neither an account nor an alias");
            found.help.push(format!("twelve digits in quotes, or one of {}", list(&OWNERS)));
            return None;
        }
        if pattern.is_empty() || pattern.chars().count() > LONGEST_PATTERN {
            let message = format!("a pattern of AMI names has 1 to {LONGEST_PATTERN} characters");
            out.error(codes::PARENT, node.span, message, "no AMI can be called so");
            return None;
        }
        Some(ParentReference::Named { pattern, owner: owner_text })
    }

    fn recipe(&self, recipe: String, node: &Node, out: &mut Findings) -> Option<ParentReference> {
        let channel = match self.channel {
            Some(channel) => Some(text(channel, "parent.channel", out)?),
            None => None,
        };
        Some(ParentReference::Recipe { recipe, channel, span: node.span })
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

/// The keys of `parent.local` of which one says where the root comes from.
pub(super) const SOURCES: [&str; 5] = ["bootstrap", "oci", "image", "tar", "directory"];

/// The keys that only go with `bootstrap`.
const OF_BOOTSTRAP: [&str; 2] = ["packages", "mirror"];

fn local(node: &Node, os: Option<Os>, out: &mut Findings) -> Option<LocalParent> {
    let mut fields = Fields::new(node, "parent.local", false, out)?;
    let given: Vec<(&str, Span, String)> = SOURCES
        .into_iter()
        .filter_map(|key| {
            let text = fields.text(key, out)?;
            Some((key, node.get(key)?.span, text))
        })
        .collect();
    let packages = packages(fields.texts("packages", out), out);
    let mirror = fields.text("mirror", out);
    let span = fields.span();
    fields.finish(out);
    let [(key, place, text)] = given.as_slice() else {
        // What has the wrong type was told already, and is not missing.
        if given.len() > 1 || !SOURCES.iter().any(|key| node.get(key).is_some()) {
            let message = format!("`parent.local` has to have one of {}", list(&SOURCES));
            out.error(codes::PARENT, span, message, "exactly one of them");
        }
        return None;
    };
    if *key == "bootstrap" {
        return bootstrap(text, packages, mirror, os, (*place, node), out);
    }
    for extra in OF_BOOTSTRAP {
        let empty = extra == "packages" && packages.is_empty();
        if let Some((name, _)) = node.entry(extra).filter(|_| !empty) {
            let message = format!("`{extra}` belongs to `bootstrap`");
            out.error(codes::PARENT, name.span, message, format!("`{key}` is taken as it is"));
            return None;
        }
    }
    let path = PathBuf::from(text);
    let source = match *key {
        "oci" => LocalParent::Oci { reference: text.clone() },
        "tar" => LocalParent::Tar { path },
        "directory" => LocalParent::Directory { path },
        _ => match text.split_once('#') {
            Some((path, name)) => LocalParent::Image { path: path.into(), name: Some(name.to_owned()) },
            None => LocalParent::Image { path, name: None },
        },
    };
    usable(source, *place, out)
}

fn bootstrap(
    release: &str,
    packages: Vec<String>,
    mirror: Option<String>,
    os: Option<Os>,
    (place, local): (Span, &Node),
    out: &mut Findings,
) -> Option<LocalParent> {
    if os.is_some_and(|os| os.release().is_none()) {
        let message = "only Debian and Ubuntu can be bootstrapped on this machine";
        let found = out.error(codes::PARENT, place, message, "not a Debian release");
        found.help.push("use `oci` with an image, `directory` with a root filesystem, or leave `local` out".to_owned());
        return None;
    }
    check_release(release, os, place, out);
    let source = LocalParent::Bootstrap { release: release.to_owned(), packages, mirror };
    // A wrong release or package was told already, in words of its own.
    if source.check().is_err() {
        let known = matches!(&source, LocalParent::Bootstrap { packages, .. } if packages.iter().all(|name| is_package(name)))
            && os.and_then(Os::release) == Some(release);
        let place = local.get("mirror").map_or(place, |node| node.span);
        return if known { usable(source, place, out) } else { None };
    }
    Some(source)
}

/// The source, or what is wrong with it in its own words.
fn usable(source: LocalParent, place: Span, out: &mut Findings) -> Option<LocalParent> {
    match source.check() {
        Ok(()) => Some(source),
        Err(error) => {
            let message = format!("the root of the parent cannot come from there: {}", error.why);
            let found = out.error(codes::PARENT, place, message, "not usable");
            found.help.push(error.next);
            None
        }
    }
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
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

/// Package names: they become words of command lines.
fn packages(names: Vec<(String, Span)>, out: &mut Findings) -> Vec<String> {
    for (name, span) in &names {
        if !is_package(name) {
            let message = format!("`{name}` cannot be the name of a package");
            let found = out.error(codes::PARENT, *span, message, "lower-case letters, digits, `+`, `-` and `.`");
            found.help.push("one package per entry, without version or option".to_owned());
        }
    }
    names.into_iter().map(|(name, _)| name).collect()
}
