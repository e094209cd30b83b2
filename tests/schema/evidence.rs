//! Evidence documents: what the program reads and the published schema are one.

use crate::{Schema, mutate, report};
use amiforge::evidence::{Evidence, schema};
use serde_json::{Value, json};
use std::sync::LazyLock;

static EVIDENCE: LazyLock<Schema> = LazyLock::new(|| Schema::new(&schema()));

/// A document in which every key has a value.
fn full() -> Value {
    let counts = json!({
        "installed": 1, "installed_other": 2, "installed_pending_reboot": 0, "installed_rejected": 0, "missing": 1,
        "failed": 0, "not_applicable": 7, "available_security_update": 0,
    });
    json!({
        "schema": "amiforge.evidence/4",
        "candidate": {
            "project": "acme", "recipe": "web", "arch": "x86_64", "account": "000000000000", "region": "us-east-1",
            "ami": "ami-0123456789abcdef0", "image_arn": "arn:x", "image_version": "1.0.3/1", "fingerprint": "ab",
            "created_at": "2026-11-23T10:00:00Z",
        },
        "collected_at": "2026-11-23T11:00:00Z",
        "os": { "id": "debian", "version": "12" },
        "packages": [{ "name": "bash", "arch": "amd64", "version": "5.2-1" }],
        "inventory": "sha256:0",
        "changes": null,
        "patches": {
            "baseline": "AWS-DebianDefaultPatchBaseline", "expected_baseline": "AWS-DebianDefaultPatchBaseline",
            "baseline_id": "pb-0", "baseline_digest": "sha256:0", "scanned_at": "2026-11-23T11:00:00Z", "counts": counts,
            "open": [{
                "name": "openssl", "arch": "amd64", "installed": "1", "available": "2", "state": "Missing",
                "classification": "Security", "severity": "optional", "level": "UNSPECIFIED",
            }],
            "notices": {
                "openssl.amd64": { "released": "2026-11-01T00:00:00Z", "level": "CRITICAL", "cves": ["CVE-2026-1"] },
            },
        },
        "evaluation": {
            "baseline": "x", "counts": counts, "open": ["a"], "differences": ["b"], "notes": ["c"], "failed": "d",
        },
        "tests": {
            "passed": true, "executed_steps": 4, "failed_steps": 0, "skipped_steps": 1,
            "not_real": [{ "name": "kernel", "why": "it is the host's" }], "message": "",
            "cases": [{
                "name": "Test", "passed": true, "executed_steps": 4, "failed_steps": 0, "skipped_steps": 1, "message": "",
                "steps": [{
                    "component": "boots", "phase": "test", "step": "Ready", "outcome": "failed", "message": "exit code 1",
                }],
            }],
        },
        "image": {
            "name": "web", "state": "available", "owner": "000000000000", "imds_v2": true, "encrypted": true,
            "public": false, "architecture": "x86_64", "ena": true, "boot_mode": "uefi", "shared_with": ["111122223333"],
            "root_device": "/dev/xvda",
            "volumes": [{ "device": "/dev/xvda", "gib": 8, "encrypted": true, "kind": "gp3", "snapshot": "snap-0" }],
        },
        "ancestry": { "images": [{
            "ami": "ami-1", "seen": true, "owner": "136693071363", "owner_alias": "amazon", "name": "debian-12",
            "created_at": "2026-11-01T00:00:00Z",
        }] },
        "used_kib": 1_000_000,
        "vulnerabilities": [{
            "scanned_at": "2026-11-23T11:00:00Z", "source": "inspector", "failed": "UNSUPPORTED_OS",
            "findings": [{
                "id": "CVE-2026-1", "severity": "HIGH", "title": "x", "package": "openssl", "version": "1",
                "fix": "available", "fixed_in": "2", "paths": ["/usr/bin/openssl"], "first_seen": "2026-11-01T00:00:00Z",
            }],
        }],
        "hygiene": {
            "version": 1, "looked_at": "2026-11-23T11:00:00Z", "rules": ["logs"],
            "failed": [{ "rule": "swap", "why": "no awk" }],
            "findings": [{ "rule": "logs", "severity": "low", "path": "/var/log/syslog", "why": "a log" }],
        },
        "commands": [{
            "name": "licences", "digest": "sha256:0", "exit": 0, "failed": "x", "last_lines": ["fine"],
            "milliseconds": 12, "ended_at": "2026-11-23T11:00:00Z",
        }],
    })
}

fn reads(value: &Value) -> Result<Evidence, String> {
    let evidence: Evidence = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    // The file's reader looks at the version first.
    if evidence.schema == amiforge::evidence::SCHEMA { Ok(evidence) } else { Err("another schema".to_owned()) }
}

#[test]
fn what_is_written_is_what_the_schema_says() {
    let full = full();
    assert!(EVIDENCE.accepts(&full), "{}", EVIDENCE.refusals(&full));
    let read = reads(&full).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), full, "every key is known and comes back");
    let least = json!({
        "schema": full["schema"], "candidate": full["candidate"], "collected_at": full["collected_at"],
        "packages": [], "image": full["image"],
    });
    assert!(EVIDENCE.accepts(&least), "{}", EVIDENCE.refusals(&least));
    reads(&least).unwrap();
}

#[test]
fn both_agree_on_evidence_when_anything_is_changed() {
    let (mut accepted, mut refused, mut disagreements) = (0, 0, vec![]);
    for mutant in mutate::all(&full()) {
        // The difference of packages has a schema of its own, amiforge.package-diff.
        if mutant.path.starts_with("changes") {
            continue;
        }
        let (read, valid) = (reads(&mutant.document), EVIDENCE.accepts(&mutant.document));
        *(if valid { &mut accepted } else { &mut refused }) += 1;
        match read {
            Ok(_) if !valid => {
                let why = EVIDENCE.refusals(&mutant.document);
                disagreements.push(format!("{}: only the schema refuses it\n{why}", mutant.what));
            }
            Err(why) if valid => disagreements.push(format!("{}: only the reader refuses it: {why}", mutant.what)),
            _ => {}
        }
    }
    assert!(accepted > 100 && refused > 500, "{accepted} accepted, {refused} refused");
    report(&disagreements);
}
