//! One gate each: what stands there, on top of what was there before.

use crate::evidence::hygiene;
use crate::project::fields::{Fields, Findings, text};
use crate::project::parent::OWNERS;
use crate::project::policy::{
    CommandGate, HygieneGate, ImageGate, ParentGate, PatchGate, Rating, Scanner, SizeGate, TestGate, TestName,
    VulnerabilityGate,
};
use crate::project::{codes, environment_settings, settings};
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{DAY, patches_default};

/// What `max_severity` may be.
pub(in crate::project) const SEVERITIES: [&str; 4] = ["none", "low", "medium", "high"];

/// Of what it is told whether it is real where tests run; on AWS all of it is. The sandbox's own names.
pub(in crate::project) const FACTS: [&str; 10] =
    ["boot-id", "clock", "hardware", "init", "kernel", "metadata-service", "network", "sysctl", "units", "uptime"];

/// `BootMode` values of an AMI.
pub(in crate::project) const BOOT_MODES: [&str; 3] = ["legacy-bios", "uefi", "uefi-preferred"];

/// Limits of the number of patches that may be missing or rejected.
pub(in crate::project) const PATCHES: (u32, u32) = (0, 100_000);
/// Limits of other numbers of things.
pub(in crate::project) const COUNT: (u32, u32) = (0, 10_000);
/// Limits of sizes, in MiB and in GiB.
pub(in crate::project) const SIZES: (u32, u32) = (1, 16_000_000);
/// Limits of a growth in per cent.
pub(in crate::project) const PER_CENT: (u32, u32) = (0, 1_000);
/// How long a command may take when nothing is said.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);

pub(super) fn patches(node: &Node, base: Option<PatchGate>, out: &mut Findings) -> Option<PatchGate> {
    let mut fields = Fields::new(node, "gates.patches", true, out)?;
    let base = base.unwrap_or_else(patches_default);
    let mut gate = PatchGate {
        missing: fields.number("missing", base.missing, PATCHES, out),
        rejected: fields.number("rejected", base.rejected, PATCHES, out),
        scanned_within: fields.duration("scanned_within", out).unwrap_or(base.scanned_within),
        ..base
    };
    if let Some((node, mut levels)) = ratings(&mut fields, "levels", out) {
        for name in Rating::NAMED {
            gate.levels.extend(optional(&mut levels, node, name, PATCHES, out).map(|most| (Rating::of(name), most)));
        }
        levels.finish(out);
    }
    if let Some((_, mut grace)) = ratings(&mut fields, "grace", out) {
        for name in Rating::NAMED {
            gate.grace.extend(grace.duration(name, out).map(|time| (Rating::of(name), time)));
        }
        grace.finish(out);
    }
    fields.finish(out);
    Some(gate)
}

/// A mapping from ratings to something.
fn ratings<'a>(fields: &mut Fields<'a>, key: &'static str, out: &mut Findings) -> Option<(&'a Node, Fields<'a>)> {
    let path = fields.path(key);
    let node = fields.take(key)?;
    Fields::new(node, &path, true, out).map(|fields| (node, fields))
}

pub(super) fn vulnerabilities(
    node: &Node,
    base: Option<VulnerabilityGate>,
    out: &mut Findings,
) -> Option<VulnerabilityGate> {
    let mut fields = Fields::new(node, "gates.vulnerabilities", true, out)?;
    let base = base.unwrap_or(VulnerabilityGate {
        max_severity: "medium".to_owned(),
        with_fix_only: false,
        only_new: false,
        scanned_within: DAY,
        scanned_by: vec![],
    });
    let severity = fields.choice("max_severity", &SEVERITIES, out);
    let gate = VulnerabilityGate {
        max_severity: severity.map_or(base.max_severity, str::to_owned),
        with_fix_only: fields.boolean("with_fix_only", base.with_fix_only, out),
        only_new: fields.boolean("only_new", base.only_new, out),
        scanned_within: fields.duration("scanned_within", out).unwrap_or(base.scanned_within),
        scanned_by: scanned_by(&mut fields, out).unwrap_or(base.scanned_by),
    };
    fields.finish(out);
    Some(gate)
}

/// The words of scanners.
pub(in crate::project) fn scanners() -> [&'static str; 3] {
    Scanner::ALL.map(Scanner::word)
}

/// One scanner or a list of them.
fn scanned_by(fields: &mut Fields<'_>, out: &mut Findings) -> Option<Vec<Scanner>> {
    let path = fields.path("scanned_by");
    let node = fields.take("scanned_by")?;
    let nodes = node.items().unwrap_or(std::slice::from_ref(node));
    let mut found = vec![];
    for node in nodes {
        let Some(word) = text(node, &path, out) else { continue };
        match Scanner::named(&word) {
            Some(scanner) if found.contains(&scanner) => {
                out.error(codes::NOT_ALLOWED, node.span, format!("`{path}` names `{word}` twice"), "again");
            }
            Some(scanner) => found.push(scanner),
            None => {
                out.unknown(codes::NOT_ALLOWED, node.span, format!("`{word}` is not a scanner"), &word, &scanners());
            }
        }
    }
    if nodes.is_empty() {
        let found = out.error(codes::NO_GATE, node.span, format!("`{path}` is empty"), "nobody would scan");
        found.help.push("leave it out: then one scanner that has looked is enough".to_owned());
    }
    Some(found)
}

/// The names of the rules of hygiene.
pub(in crate::project) fn rules() -> Vec<&'static str> {
    hygiene::RULES.iter().map(|rule| rule.name).collect()
}

/// `hygiene: required`, or what is accepted.
pub(super) fn hygiene(node: &Node, base: Option<HygieneGate>, out: &mut Findings) -> Option<HygieneGate> {
    let mut gate = base.unwrap_or_default();
    if node.entries().is_none() {
        let word = text(node, "gates.hygiene", out)?;
        if word != "required" {
            let message = format!("`gates.hygiene` cannot be `{word}`");
            out.unknown(codes::NOT_ALLOWED, node.span, message, &word, &["required"]);
        }
        return Some(gate);
    }
    let mut fields = Fields::new(node, "gates.hygiene", false, out)?;
    let allowed = fields.texts("allow", out);
    if node.get("allow").is_some() {
        gate.allow = allowed.iter().map(|(rule, _)| rule.clone()).collect();
    }
    for (rule, span) in allowed {
        if hygiene::rule_named(&rule).is_none() {
            out.unknown(codes::NOT_ALLOWED, span, format!("`{rule}` is not a rule of hygiene"), &rule, &rules());
        }
    }
    if node.entries().is_some_and(<[_]>::is_empty) {
        let found = out.error(codes::NO_GATE, node.span, "`gates.hygiene` is empty", "what is accepted?");
        found.help.push("write `hygiene: required` to accept nothing".to_owned());
    }
    fields.finish(out);
    Some(gate)
}

pub(super) fn image(node: &Node, base: Option<ImageGate>, out: &mut Findings) -> Option<ImageGate> {
    let mut fields = Fields::new(node, "gates.image", true, out)?;
    let base = base.unwrap_or(ImageGate {
        imds_v2: true,
        encrypted: true,
        ena: false,
        accounts: None,
        boot_modes: vec![],
        max_root_gib: None,
        max_volumes: None,
    });
    let mut gate = ImageGate {
        imds_v2: fields.boolean("imds_v2", base.imds_v2, out),
        encrypted: fields.boolean("encrypted", base.encrypted, out),
        ena: fields.boolean("ena", base.ena, out),
        max_root_gib: optional(&mut fields, node, "max_root_gib", SIZES, out).or(base.max_root_gib),
        max_volumes: optional(&mut fields, node, "max_volumes", COUNT, out).or(base.max_volumes),
        accounts: base.accounts,
        boot_modes: base.boot_modes,
    };
    let path = fields.path("accounts");
    let listed = fields.list("accounts", out);
    if node.get("accounts").is_some() {
        let account = |node: &Node, out: &mut Findings| {
            text(node, &path, out).and_then(|text| environment_settings::twelve_digits(text, node.span, out))
        };
        gate.accounts = Some(listed.iter().filter_map(|node| account(node, out)).collect());
    }
    let modes = fields.texts("boot_modes", out);
    if !modes.is_empty() {
        gate.boot_modes = modes.iter().map(|(mode, _)| mode.clone()).collect();
    }
    for (mode, span) in modes {
        if !BOOT_MODES.contains(&mode.as_str()) {
            out.unknown(codes::NOT_ALLOWED, span, format!("`{mode}` is not a boot mode"), &mode, &BOOT_MODES);
        }
    }
    let others = node.entries().is_some_and(|entries| entries.len() > 2);
    if !gate.imds_v2 && !gate.encrypted && !others && !gate.looks_at_something() {
        let found =
            out.error(codes::NO_GATE, fields.span(), "`gates.image` checks nothing", "nothing would be checked");
        found.help.push("require at least one, or leave the gate out".to_owned());
    }
    fields.finish(out);
    Some(gate)
}

/// A number that may be absent.
fn optional(
    fields: &mut Fields<'_>,
    node: &Node,
    key: &'static str,
    limits: (u32, u32),
    out: &mut Findings,
) -> Option<u32> {
    let number = fields.number(key, limits.0, limits, out);
    node.get(key).map(|_| number)
}

/// What `gates.tests.required` names: a component and one of its steps, or a component.
pub(in crate::project) const TEST_NAME: &str = "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)?$";

/// The same by hand.
fn is_test_name(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    match name.split_once('/') {
        Some((component, step)) => plain(component) && plain(step),
        None => plain(name),
    }
}

/// `tests: required`, or what they must have been.
pub(super) fn tests(fields: &mut Fields<'_>, base: Option<TestGate>, out: &mut Findings) -> Option<TestGate> {
    let Some(node) = fields.take("tests") else { return base };
    if node.entries().is_none() {
        let required = fields.choice("tests", &["required"], out).map(|_| base.clone().unwrap_or_default());
        return required.or(base);
    }
    let mut fields = Fields::new(node, "gates.tests", false, out)?;
    let mut gate = base.unwrap_or_default();
    for (name, span) in fields.texts("real", out) {
        if !FACTS.contains(&name.as_str()) {
            let message = format!("`{name}` is nothing of which it is known whether it was real");
            out.unknown(codes::NOT_ALLOWED, span, message, &name, &FACTS);
        } else if !gate.real.contains(&name) {
            gate.real.push(name);
        }
    }
    gate.max_skipped = optional(&mut fields, node, "max_skipped", COUNT, out).or(gate.max_skipped);
    for (name, span) in fields.texts("required", out) {
        let known = TestName::read(&name);
        if !is_test_name(&name) {
            let message = format!("`{name}` cannot be the name of a test: `COMPONENT` or `COMPONENT/STEP`");
            out.error(codes::NOT_ALLOWED, span, message, "not a name");
        } else if !gate.required.contains(&known) {
            gate.required.push(known);
        }
    }
    if node.get("required").is_some_and(|list| list.items().is_some_and(<[_]>::is_empty)) {
        let found = out.error(codes::NO_GATE, fields.span(), "`gates.tests.required` is empty", "nothing is asked for");
        found.help.push("write `tests: required` to ask only that tests have run and passed".to_owned());
    }
    if node.get("real").is_some_and(|list| list.items().is_some_and(<[_]>::is_empty)) {
        let found = out.error(codes::NO_GATE, fields.span(), "`gates.tests.real` is empty", "nothing would be checked");
        found.help.push("write `tests: required` to ask only that tests have run and passed".to_owned());
    }
    if node.entries().is_some_and(<[_]>::is_empty) {
        let found = out.error(codes::NO_GATE, node.span, "`gates.tests` is empty", "nothing would be checked");
        found.help.push("write `tests: required` to ask only that tests have run and passed".to_owned());
    }
    fields.finish(out);
    Some(gate)
}

/// A mapping that may not be empty.
fn some<'a>(node: &'a Node, path: &str, out: &mut Findings) -> Option<Fields<'a>> {
    let fields = Fields::new(node, path, false, out)?;
    if node.entries().is_some_and(<[_]>::is_empty) {
        out.error(codes::NO_GATE, node.span, format!("`{path}` is empty"), "nothing would be checked");
        return None;
    }
    Some(fields)
}

pub(super) fn size(node: &Node, base: Option<SizeGate>, out: &mut Findings) -> Option<SizeGate> {
    let mut fields = some(node, "gates.size", out)?;
    let base = base.unwrap_or_default();
    let gate = SizeGate {
        max_mib: optional(&mut fields, node, "max_mib", SIZES, out).or(base.max_mib),
        max_growth: optional(&mut fields, node, "max_growth", PER_CENT, out).or(base.max_growth),
    };
    fields.finish(out);
    Some(gate)
}

pub(super) fn age(node: &Node, out: &mut Findings) -> Option<Duration> {
    let mut fields = Fields::new(node, "gates.age", false, out)?;
    fields.required("max", out)?;
    let max = fields.duration("max", out);
    fields.finish(out);
    max
}

pub(super) fn parent(node: &Node, base: Option<ParentGate>, out: &mut Findings) -> Option<ParentGate> {
    let mut fields = some(node, "gates.parent", out)?;
    let mut gate = base.unwrap_or_default();
    let owners = fields.texts("owners", out);
    if node.get("owners").is_some_and(|list| list.items().is_some_and(<[_]>::is_empty)) {
        let found = out.error(codes::NO_GATE, fields.span(), "`gates.parent.owners` is empty", "nobody may own it");
        found.help.push("name accounts, `self` or an alias such as `amazon`, or leave it out".to_owned());
    }
    if !owners.is_empty() {
        gate.owners = owners.iter().map(|(owner, _)| owner.clone()).collect();
    }
    for (owner, span) in owners {
        let account = owner.len() == 12 && owner.bytes().all(|byte| byte.is_ascii_digit());
        if !account && !OWNERS.contains(&owner.as_str()) {
            out.unknown(codes::NOT_ALLOWED, span, format!("`{owner}` is not an owner of images"), &owner, &OWNERS);
        }
    }
    gate.max_age = fields.duration("max_age", out).or(gate.max_age);
    fields.finish(out);
    Some(gate)
}

pub(super) fn commands(node: &Node, into: &mut BTreeMap<String, CommandGate>, out: &mut Findings) {
    if some(node, "gates.commands", out).is_none() {
        return;
    }
    for (key, value) in node.entries().unwrap_or_default() {
        let Some(name) = settings::name(key, "command", false, out) else { continue };
        if let Some(gate) = command(&name, value, out) {
            into.insert(name, gate);
        }
    }
}

fn command(name: &str, node: &Node, out: &mut Findings) -> Option<CommandGate> {
    let path = format!("gates.commands.{name}");
    let mut fields = Fields::new(node, &path, false, out)?;
    let run: Vec<String> = fields.texts("run", out).into_iter().map(|(word, _)| word).collect();
    let shell = fields.text("shell", out);
    let timeout = fields.duration("timeout", out).unwrap_or(COMMAND_TIMEOUT);
    let (has_run, has_shell) = (node.get("run").is_some(), node.get("shell").is_some());
    if has_run == has_shell {
        let message = format!("`{path}` has to have one of `run` and `shell`");
        let found = out.error(codes::MISSING, fields.span(), message, "what is to be run?");
        found.help.push("`run: [program, argument]` runs a program, `shell: text` has a shell read it".to_owned());
    }
    let nothing = node.get("run").is_some_and(|list| list.items().is_some_and(<[_]>::is_empty))
        || shell.as_ref().is_some_and(String::is_empty);
    if nothing {
        out.error(codes::NO_GATE, fields.span(), format!("`{path}` runs nothing"), "nothing would be checked");
    }
    fields.finish(out);
    Some(match shell {
        Some(text) => CommandGate { run: vec![text], shell: true, timeout },
        None => CommandGate { run, shell: false, timeout },
    })
}
