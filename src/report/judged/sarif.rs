//! SARIF 2.1.0, for code scanning: a result for each thing that speaks against the image.

use super::Judged;
use crate::diagnostic::render::printable;
use crate::gate::{Found, Verdict, VerdictStatus};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The schema of the standard, which GitHub asks every file to name. Nothing is fetched from there.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// By what a result is recognised in the next image: gate, finding, package, recipe and architecture.
const FINGERPRINT: &str = "amiforgeFinding/v1";

/// One SARIF log with one run, with a line break at its end. A rule is a gate; results stand at the recipe, since that is
/// the file to mend. What a waiver accepts is a suppressed result, what is allowed by a limit a note.
#[must_use]
pub fn sarif(judged: &Judged<'_>) -> String {
    let gates: BTreeMap<&str, usize> =
        judged.verdicts.iter().enumerate().map(|(index, verdict)| (verdict.gate.as_str(), index)).collect();
    let rules: Vec<Value> = judged.verdicts.iter().map(rule).collect();
    let results: Vec<Value> =
        judged.verdicts.iter().flat_map(|verdict| results(judged, verdict, gates[verdict.gate.as_str()])).collect();
    let nothing = judged.verdicts.is_empty();
    let notes: Vec<Value> = judged
        .notes()
        .map(|note| json!({ "level": "warning", "message": { "text": printable(&note) } }))
        .chain(nothing.then(|| json!({ "level": "error", "message": { "text": "no gate was evaluated" } })))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            } },
            "invocations": [{ "executionSuccessful": !nothing, "toolExecutionNotifications": notes }],
            "properties": { "image": judged.evidence.candidate.ami, "evidence": judged.digest },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(verdict: &Verdict) -> Value {
    json!({
        "id": verdict.gate,
        "shortDescription": { "text": format!("the gate {}", verdict.gate) },
        "defaultConfiguration": { "level": "error" },
    })
}

fn results(judged: &Judged<'_>, verdict: &Verdict, index: usize) -> Vec<Value> {
    let passes = verdict.status == VerdictStatus::Pass;
    let mut results: Vec<Value> = verdict
        .findings
        .iter()
        .map(|found| {
            let mut result = result(judged, verdict, index, found);
            result["level"] = if passes { "note" } else { "error" }.into();
            if let Some(by) = &found.waived {
                let text = format!("{} (by {}, until {}, {})", by.reason, by.owner, by.expires, by.place);
                result["suppressions"] =
                    json!([{ "kind": "external", "status": "accepted", "justification": printable(&text) }]);
            }
            result
        })
        .collect();
    // What cannot be said, or is too old, is no finding; it stops the image all the same.
    if matches!(verdict.status, VerdictStatus::Error | VerdictStatus::Stale) || (!passes && results.is_empty()) {
        let details = verdict.details.join("\n");
        let found = Found { id: verdict.status.word().to_owned(), what: verdict.summary.clone(), ..Found::default() };
        let mut one = result(judged, verdict, index, &found);
        one["level"] = "error".into();
        if !details.is_empty() {
            one["message"]["text"] = printable(&format!("{}\n{details}", verdict.summary)).into();
        }
        results.insert(0, one);
    }
    results
}

fn result(judged: &Judged<'_>, verdict: &Verdict, index: usize, found: &Found) -> Value {
    let candidate = &judged.evidence.candidate;
    let package = found.package.as_deref().unwrap_or_default();
    let parts = [&candidate.recipe, &candidate.arch, &verdict.gate, &found.id, package];
    let digest = Sha256::digest(parts.join("\n"));
    let fingerprint = digest.iter().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let name = format!("{} in {} ({})", found.id, candidate.recipe, candidate.arch);
    json!({
        "ruleId": verdict.gate,
        "ruleIndex": index,
        "message": { "text": printable(&found.what) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": format!("recipes/{}.yaml", candidate.recipe) },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{ "name": printable(&name), "kind": "resource" }],
        }],
        "partialFingerprints": { FINGERPRINT: fingerprint },
    })
}
