//! `gates:` of a recipe.

use super::fields::{Fields, Findings};
use super::{Gates, ImageGate, PatchGate, VulnerabilityGate, codes};
use crate::yaml::Node;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// What `max_severity` may be.
pub(super) const SEVERITIES: [&str; 4] = ["none", "low", "medium", "high"];

/// Limits of the number of patches that may be missing or rejected.
pub(super) const PATCHES: (u32, u32) = (0, 100_000);

/// The policy of a recipe that has no `gates`: nothing missing, nothing rejected, tested, and not older than two weeks.
pub(super) fn default() -> Gates {
    Gates { patches: Some(patches_default()), tests: true, max_age: Some(14 * DAY), ..Gates::default() }
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
    gates.tests = fields.choice("tests", &["required"], out).is_some();
    if let (true, false, Some((key, _))) = (gates.tests, has_tests, node.entry("tests")) {
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
