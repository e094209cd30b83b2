//! Secrets are taken out of what leaves the machine.
//!
//! Our own runner has redacted what it knows to be secret already. A log of AWS's runner holds whatever a component
//! printed, so it is looked at with the eyes of the linter (M014), and for what this process knows to be secret.

use super::record::Record;
use super::toe;
use crate::component::rules::secrets_in;
use crate::runner::{REDACTED, Secrets};

/// A record without its secrets, `known` ones and those that look like one, and in how many places one stood.
#[must_use]
pub fn redacted(record: &Record, known: &[String]) -> (Record, usize) {
    let secrets = Secrets::default();
    for secret in known {
        secrets.learn(secret);
    }
    let mut count = 0;
    let Ok(mut value) = serde_json::to_value(record) else { return (Record::default(), 0) };
    walk(&mut value, &mut |text| {
        let (clean, found) = clean(text, &secrets);
        count += found;
        (found > 0).then_some(clean)
    });
    // The form is the record's own; should it not read it, nothing is handed out rather than a secret.
    (serde_json::from_value(value).unwrap_or_default(), count)
}

/// The texts of a value, replaced where `change` says so.
fn walk(value: &mut serde_json::Value, change: &mut impl FnMut(&str) -> Option<String>) {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            if let Some(new) = change(text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        Value::Object(entries) => entries.values_mut().for_each(|item| walk(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text without secrets, and how many there were.
fn clean(text: &str, known: &Secrets) -> (String, usize) {
    let mut count = 0;
    let mut in_key = false;
    let mut out = String::with_capacity(text.len());
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        let end = &raw[line.len()..];
        let whole = known.redact(line);
        count += usize::from(whole.as_ref() != line);
        let (line, found) = without_key(&whole, &mut in_key);
        count += found;
        let (line, found) = without_shapes(&line);
        count += found;
        out.push_str(&line);
        out.push_str(end);
    }
    (out, count)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// A private key goes on over many lines; only its first one has a shape.
fn without_key(line: &str, in_key: &mut bool) -> (String, usize) {
    if *in_key {
        let text = content(line);
        let body = text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        *in_key = body;
        return if body || text.starts_with(END) { (REDACTED.to_owned(), 0) } else { (line.to_owned(), 0) };
    }
    let Some(start) = line.find(BEGIN).filter(|start| line[*start..].contains("PRIVATE KEY")) else {
        return (line.to_owned(), 0);
    };
    let rest = &line[start..];
    let closed = rest.find(END).map(|at| at + rest[at..].find("KEY").map_or(END.len(), |end| end + "KEY-----".len()));
    *in_key = closed.is_none();
    let tail = closed.and_then(|at| rest.get(at..)).unwrap_or_default();
    (format!("{}{REDACTED}{tail}", &line[..start]), 1)
}

/// A line of the console without what the runner put in front of it.
fn content(line: &str) -> &str {
    let line = toe::without_time(line);
    line.strip_prefix("Stdout: ").or_else(|| line.strip_prefix("Stderr: ")).unwrap_or(line).trim()
}

/// The linter stops at what ends a value in a script (`&`, `|`); in a log that may be the middle of a password, and half
/// of one is too much.
fn without_shapes(line: &str) -> (String, usize) {
    let ends = |c: char| c.is_whitespace() || "\"'@,;)]}\\<>".contains(c);
    let (mut text, mut from, mut count) = (String::new(), 0, 0);
    for place in secrets_in(line) {
        if place.start < from || line.get(place.clone()).is_none_or(|secret| secret == REDACTED) {
            continue;
        }
        text.push_str(&line[from..place.start]);
        text.push_str(REDACTED);
        from = line[place.end..].find(ends).map_or(line.len(), |more| place.end + more);
        count += 1;
    }
    text.push_str(&line[from..]);
    (text, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(text: &str) -> String {
        clean(text, &Secrets::default()).0
    }

    #[test]
    fn what_looks_like_a_secret_is_replaced_and_the_rest_stays() {
        for (text, expected) in [
            ("export DB_PASSWORD=tr0ub4dor&3", "export DB_PASSWORD=***"),
            ("{\"password\": \"correct-horse\"}", "{\"password\": \"***\"}"),
            (
                "[{\\\"stdout\\\":\\\"x\\\",\\\"api_key\\\":\\\"aB3dE6gH9jK2mN5pQ8sT\\\"}]",
                "[{\\\"stdout\\\":\\\"x\\\",\\\"api_key\\\":\\\"***\\\"}]",
            ),
            ("AKIAIOSFODNN7ABCDEFG is used", "*** is used"),
            ("curl https://bot:hunter22@example.org/x", "curl https://bot:***@example.org/x"),
            ("E: Unable to locate package nginx", "E: Unable to locate package nginx"),
        ] {
            assert_eq!(cleaned(text), expected);
        }
    }

    #[test]
    fn a_private_key_is_gone_whole_in_a_log_and_in_json() {
        let log = "before\n2026-01-02 03:04:05.678 Info Stdout: -----BEGIN RSA PRIVATE KEY-----\n\
                   2026-01-02 03:04:05.678 Info Stdout: MIIEowIBAAKCAQEAyGZ\n\
                   2026-01-02 03:04:05.678 Info Stdout: -----END RSA PRIVATE KEY-----\nafter all of it\n";
        let clean = cleaned(log);
        assert!(
            !clean.contains("MIIE") && clean.starts_with("before\n") && clean.ends_with("after all of it\n"),
            "{clean}"
        );
        let json = "\"-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----\\nrest\"";
        assert_eq!(cleaned(json), "\"***\\nrest\"");
    }

    #[test]
    fn what_this_process_knows_is_found_anywhere_in_a_record() {
        let mut record = Record::default();
        record.image.state.reason = "token s3cr3t-session was refused".into();
        record.logs.insert("build/console.log".into(), "x s3cr3t-session\nfine\n".into());
        let (clean, count) = redacted(&record, &["s3cr3t-session".to_owned()]);
        assert_eq!(count, 2);
        assert_eq!(clean.image.state.reason, "token *** was refused");
        assert_eq!(clean.logs["build/console.log"], "x ***\nfine\n");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}|[-A-Z\n =:\"]{0,80}") {
            let (clean, count) = clean(&text, &Secrets::default());
            prop_assert!(count > 0 || clean == text);
        }
    }
}
