//! `gates:` of a recipe.

use super::fields::{Fields, Findings};
use super::{Gates, ImageGate, PatchGate, TestGate, VulnerabilityGate, codes};
use crate::yaml::Node;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// What `max_severity` may be.
pub(super) const SEVERITIES: [&str; 4] = ["none", "low", "medium", "high"];

/// Of what it is told whether it is real where tests run; on AWS all of it is. The sandbox's own names.
pub(super) const FACTS: [&str; 10] =
    ["boot-id", "clock", "hardware", "init", "kernel", "metadata-service", "network", "sysctl", "units", "uptime"];

/// Limits of the number of patches that may be missing or rejected.
pub(super) const PATCHES: (u32, u32) = (0, 100_000);

/// The policy of a recipe that has no `gates`: nothing missing, nothing rejected, tested, and not older than two weeks.
pub(super) fn default() -> Gates {
    Gates {
        patches: Some(patches_default()),
        tests: Some(TestGate::default()),
        max_age: Some(14 * DAY),
        ..Gates::default()
    }
}

pub(super) fn patches_default() -> PatchGate {
    PatchGate { missing: 0, rejected: 0, scanned_within: DAY }
}

/// Reads `gates`. Only the gates that stand there are evaluated later, so at least one has to.
pub(super) fn read(node: &Node, has_tests: bool, out: &mut Findings) -> Gates {
    let mut gates = Gates::default();
    let Some(mut fields) = Fields::new(node, "gates", true, out) else { return default() };
    if node.entries().is_none_or(<[_]>::is_empty) {
        let found = out.error(codes::NO_GATE, node.span, "`gates` holds no gate", "nothing would be checked");
        found.help.push("leave `gates` out to get the defaults".to_owned());
    }
    if let Some(node) = fields.take("patches") {
        gates.patches = patches(node, out);
    }
    if let Some(node) = fields.take("vulnerabilities") {
        gates.vulnerabilities = vulnerabilities(node, out);
    }
    if let Some(node) = fields.take("image") {
        gates.image = image(node, out);
    }
    gates.tests = tests(&mut fields, out);
    if let (Some(_), false, Some((key, _))) = (&gates.tests, has_tests, node.entry("tests")) {
        let found = out.error(codes::NO_GATE, key.span, "tests are required, but the recipe names none", "cannot pass");
        found.help.push("name a component under `test`, for example `boots`".to_owned());
    }
    if let Some(node) = fields.take("age") {
        gates.max_age = age(node, out);
    }
    fields.not_yet("waivers", out);
    fields.finish(out);
    gates
}

/// `tests: required`, or what has to be real where they run.
fn tests(fields: &mut Fields<'_>, out: &mut Findings) -> Option<TestGate> {
    let node = fields.take("tests")?;
    if node.entries().is_none() {
        return fields.choice("tests", &["required"], out).map(|_| TestGate::default());
    }
    let mut fields = Fields::new(node, "gates.tests", false, out)?;
    let named = fields.texts("real", out);
    let mut real = Vec::new();
    for (name, span) in named {
        if !FACTS.contains(&name.as_str()) {
            let message = format!("`{name}` is nothing of which it is known whether it was real");
            out.unknown(codes::NOT_ALLOWED, span, message, &name, &FACTS);
        } else if !real.contains(&name) {
            real.push(name);
        }
    }
    if node.get("real").is_some_and(|list| list.items().is_some_and(<[_]>::is_empty)) {
        let found = out.error(codes::NO_GATE, fields.span(), "`gates.tests.real` is empty", "nothing would be checked");
        found.help.push("write `tests: required` to ask only that tests have run and passed".to_owned());
    }
    fields.required("real", out);
    fields.finish(out);
    Some(TestGate { real })
}

fn patches(node: &Node, out: &mut Findings) -> Option<PatchGate> {
    let mut fields = Fields::new(node, "gates.patches", true, out)?;
    let default = patches_default();
    let gate = PatchGate {
        missing: fields.number("missing", default.missing, PATCHES, out),
        rejected: fields.number("rejected", default.rejected, PATCHES, out),
        scanned_within: fields.duration("scanned_within", out).unwrap_or(default.scanned_within),
    };
    fields.finish(out);
    Some(gate)
}

fn vulnerabilities(node: &Node, out: &mut Findings) -> Option<VulnerabilityGate> {
    let mut fields = Fields::new(node, "gates.vulnerabilities", true, out)?;
    let gate = VulnerabilityGate {
        max_severity: fields.choice("max_severity", &SEVERITIES, out).unwrap_or("medium").to_owned(),
        with_fix_only: fields.boolean("with_fix_only", false, out),
        scanned_within: fields.duration("scanned_within", out).unwrap_or(DAY),
    };
    fields.finish(out);
    Some(gate)
}

fn image(node: &Node, out: &mut Findings) -> Option<ImageGate> {
    let mut fields = Fields::new(node, "gates.image", true, out)?;
    let gate =
        ImageGate { imds_v2: fields.boolean("imds_v2", true, out), encrypted: fields.boolean("encrypted", true, out) };
    if !gate.imds_v2 && !gate.encrypted {
        let found =
            out.error(codes::NO_GATE, fields.span(), "`gates.image` checks nothing", "nothing would be checked");
        found.help.push("require at least one, or leave the gate out".to_owned());
    }
    fields.finish(out);
    Some(gate)
}

fn age(node: &Node, out: &mut Findings) -> Option<Duration> {
    let mut fields = Fields::new(node, "gates.age", false, out)?;
    fields.required("max", out)?;
    let max = fields.duration("max", out);
    fields.finish(out);
    max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_those_of_the_sandbox() {
        let mut names = crate::sandbox::facts::NAMES;
        names.sort_unstable();
        assert_eq!(FACTS, names);
    }
}
