//! The report for programs, `amiforge.test/1`, as a JSON Schema: what whoever reads it may rely on.

use serde_json::{Value, json};

/// Panics unless a report is one.
pub fn validate(report: &Value) {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

fn object(properties: &Value) -> Value {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn schema() -> Value {
    let (text, count, seconds) =
        (json!({"type": "string"}), json!({"type": "integer", "minimum": 0}), json!({"type": "number", "minimum": 0}));
    let texts = json!({"type": "array", "items": text});
    let flag = json!({"type": "boolean"});
    let step = object(&json!({
        "document": text, "phase": text, "step": text, "action": text, "file": text, "line": {"type": "integer", "minimum": 1},
        "status": {"enum": ["passed", "failed", "timed-out", "ignored", "skipped", "interrupted", "not-run"]},
        "seconds": seconds, "attempts": count, "max_attempts": count, "message": nullable("string"), "last_lines": texts,
    }));
    let reason = object(&json!({
        "code": {"pattern": "^E01[0-2]$"}, "message": text, "place": nullable("string"), "component": nullable("string"),
        "phase": nullable("string"), "step": nullable("string"), "action": nullable("string"), "attempt": nullable("integer"),
        "max_attempts": nullable("integer"), "last_lines": texts, "next": texts,
    }));
    let fact = object(&json!({"name": {"pattern": "^[a-z-]+$"}, "real": flag, "why": text}));
    let kept = object(&json!({"name": text, "enter": text, "folder": text}));
    let trial = object(&json!({
        "name": text, "subject": text, "kind": {"enum": ["recipe", "component", "file"]}, "row": text, "root": text,
        "outcome": {"enum": ["passed", "failed", "error", "interrupted", "skipped", "not-run"]}, "seconds": seconds,
        "reason": {"anyOf": [{"type": "null"}, reason]}, "steps": {"type": "array", "items": step},
        "facts": {"type": "array", "items": fact}, "notes": texts, "kept": {"anyOf": [{"type": "null"}, kept]},
    }));
    let summary = object(&json!({
        "trials": count, "passed": count, "failed": count, "errors": count, "interrupted": count, "skipped": count,
        "not_run": count, "steps_executed": count,
    }));
    object(&json!({
        "schema": {"const": "amiforge.test/1"}, "started": {"pattern": "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$"},
        "seconds": seconds, "passed": flag, "interrupted": flag, "exit": count, "summary": summary,
        "trials": {"type": "array", "items": trial},
    }))
}
