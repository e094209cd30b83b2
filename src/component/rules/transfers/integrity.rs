//! M006 and M009: is what was fetched what was meant?

use super::verified::{self, Verified};
use crate::component::expression::Template;
use crate::component::model::{Field, Item, Phase, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::files::{edits, paths};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::{Edit, Span};
use crate::yaml::Offsets;

/// The items of all `WebDownload` steps.
fn downloads<'a>(subject: &Subject<'a>) -> impl Iterator<Item = ((&'a Phase, &'a Step), usize, &'a Item)> {
    subject
        .steps_of(Action::WebDownload)
        .flat_map(|(phase, step)| step.inputs.iter().enumerate().map(move |(index, item)| ((phase, step), index, item)))
}

/// M006.
pub fn unverified(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (step, index, item) in downloads(subject) {
        let Some(source) = item.fields.iter().find(|field| field.name == "source") else { continue };
        let Value::Text(address) = &source.value else { continue };
        if is_own_machine(paths::lead(address)) {
            continue;
        }
        // What is only half given is M007's.
        let none = ["checksum", "algorithm"].iter().all(|name| edits::is_absent(subject.root, step.1, item, name));
        let made = verified::fetched(subject.document, step, index, item);
        let checked = made.is_some_and(|made| !matches!(verified::later(subject.document, &made), Verified::Not));
        if none && !checked {
            without_checksum(found, step.1, source);
        }
        unencrypted(subject, found, address);
        any_certificate(found, item);
    }
}

/// Addresses that never leave the machine: there is nobody in between, and what they answer is not known beforehand.
fn is_own_machine(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://")) else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.strip_prefix('[').map_or_else(|| host.split(':').next(), |v6| v6.split(']').next());
    matches!(host, Some("localhost" | "169.254.169.254" | "fd00:ec2::254" | "::1"))
        || host.is_some_and(|host| host.starts_with("127."))
}

fn without_checksum(found: &mut Findings<'_>, step: &Step, source: &Field) {
    let message = format!("nothing verifies what step `{}` downloads", step.name);
    found.add(
        found
            .at(source.span, message, "no `checksum` for this")
            .help("add `algorithm: SHA256` and a `checksum` that you have from the publisher"),
    );
}

fn unencrypted(subject: &Subject<'_>, found: &mut Findings<'_>, address: &Template) {
    let is_http = |text: &str| text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let offsets = Offsets::new(&found.source().text, &address.node);
    let (span, edit) = if is_http(paths::lead(address)) {
        (offsets.span(&(0..7)), offsets.edit(&(4..4), "s"))
    } else if is_http(&paths::canonical(subject.document, address.text())) {
        // A constant holds the address, and other steps may use it too.
        (address.span(), None)
    } else {
        return;
    };
    let message = "`http://` is not encrypted: whoever is on the way can change what is downloaded";
    let diagnostic = found
        .at(span, message, "anyone may answer")
        .help("use `https://`; without it, fetch the file once, and keep it in a bucket of your own");
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("use https", vec![edit]),
        None => diagnostic,
    });
}

fn any_certificate(found: &mut Findings<'_>, item: &Item) {
    let Some(span) = switched_on(item, "ignoreCertificateErrors") else { return };
    found.add(
        found
            .at(span, "any server may pose as the one that is meant", "certificates are not checked")
            .help("set it to false, and install the certificate authority of a private server in an earlier step")
            .unsafe_fix("check certificates", vec![Edit::replace(span, "false")]),
    );
}

/// Where a boolean input is set to true.
fn switched_on(item: &Item, name: &str) -> Option<Span> {
    item.fields.iter().find(|field| field.name == name && field.value == Value::Boolean(true)).map(|f| f.value_span)
}

/// M009.
pub fn weak(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (step, index, item) in downloads(subject) {
        let Some(made) = verified::fetched(subject.document, step, index, item) else { continue };
        let later = verified::later(subject.document, &made);
        let checksum = item.get("checksum").is_some();
        let algorithm = paths::text(item, "algorithm").filter(|_| checksum);
        let (span, name) = match (algorithm, later) {
            (_, Verified::Well) | (None, Verified::Not) => continue,
            (Some(algorithm), _) => match paths::literal(algorithm) {
                Some(name @ ("MD5" | "SHA1")) => (algorithm.span(), name),
                _ => continue,
            },
            (None, Verified::Weakly(test)) => (test.key, test.operator.name),
        };
        found.add(
            found
                .at(span, format!("`{name}` alone verifies what step `{}` downloads", step.1.name), "can be forged")
                .help(match algorithm {
                    Some(_) => "use `algorithm: SHA256` with the SHA256 sum that the publisher names",
                    None => "use `fileSHA256Equals`, or give WebDownload a `checksum` and `algorithm: SHA256`",
                }),
        );
    }
}

#[cfg(test)]
mod tests {

    use crate::component;
    use crate::component::rules::files::testing::in_document;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    /// What M006 and M009 say to a download followed by other steps.
    fn codes(inputs: &str, then: &str) -> Vec<&'static str> {
        let text = format!(
            "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Fetch\n        action: WebDownload\n        inputs:\n          - {{destination: /opt/a.zip, {inputs}}}\n{then}"
        );
        let text = [32, 64, 128]
            .iter()
            .fold(text, |text, digits| text.replace(&format!("SUM{digits}"), &format!("'{}'", "a".repeat(*digits))));
        let source = SourceFile::new("t.yaml", text);
        let parsed = component::parse(&source);
        assert!(parsed.complete, "{:?}", parsed.diagnostics);
        let found = rules::check(&source, &parsed, &Target::default());
        found.iter().map(|one| one.code).filter(|code| matches!(*code, "M006" | "M009")).collect()
    }

    fn assert(condition: &str) -> String {
        format!("      - name: Check\n        action: Assert\n        inputs: {condition}\n")
    }

    #[test]
    fn each_cause_is_told_once() {
        for (inputs, expected) in [
            ("source: 'https://e.example/a.zip'", &["M006"][..]),
            ("source: 'HTTP://e.example/a.zip'", &["M006", "M006"]),
            ("source: 'http://e.example/a.zip', checksum: ab, algorithm: SHA256", &["M006"]),
            (
                "source: 'https://e.example/a.zip', checksum: ab, algorithm: SHA256, ignoreCertificateErrors: true",
                &["M006"],
            ),
            ("source: 'https://e.example/a.zip', checksum: ab, algorithm: SHA512, ignoreCertificateErrors: false", &[]),
            ("source: 'https://e.example/a.zip', checksum: ab, algorithm: MD5", &["M009"]),
            ("source: 'https://e.example/a.zip', checksum: ab, algorithm: '{{ env:SUM }}'", &[]),
            ("source: '{{ env:URL }}'", &["M006"]),
            ("source: 'http://169.254.169.254/latest/meta-data/ami-id'", &[]),
            ("source: 'http://[::1]:8080/a'", &[]),
            ("source: 'http://localhost.example/a', checksum: ab, algorithm: SHA256", &["M006"]),
            ("source: 'https://e.example/a.zip', checksums: ab", &[]),
            ("source: 'https://e.example/a.zip', checksum: ab", &[]),
        ] {
            assert_eq!(codes(inputs, ""), expected, "{inputs}");
        }
    }

    #[test]
    fn an_address_in_a_constant_is_known() {
        for (value, expected) in [("http://e.example/a", 1), ("https://e.example/a", 0)] {
            let text = format!(
                "schemaVersion: 1.0\nconstants: [{{Url: {{type: string, value: '{value}'}}}}]\nphases:\n  - name: build\n    steps:\n      - {{name: Fetch, action: WebDownload, inputs: [{{source: '{{{{ Url }}}}', destination: /opt/a, checksum: ab, algorithm: SHA256}}]}}\n"
            );
            assert_eq!(in_document("M006", &Target::default(), &text).len(), expected, "{value}");
        }
    }

    #[test]
    fn a_later_check_of_the_file_counts() {
        let plain = "source: 'https://e.example/a.zip'";
        let strong = "fileSHA256Equals: SUM64, path: ";
        for (then, expected) in [
            (assert(&format!("{{{strong}/opt/a.zip}}")), &[][..]),
            (assert(&format!("{{{strong}\"{{{{ build.Fetch.outputs[0].destination }}}}\"}}")), &[]),
            (assert(&format!("{{{strong}/opt/b.zip}}")), &["M006"]),
            (assert(&format!("{{not: {{{strong}/opt/a.zip}}}}")), &["M006"]),
            (assert("{fileMD5Equals: SUM32, path: /opt/a.zip}"), &["M009"]),
            (assert("{and: [{fileMD5Equals: SUM32, path: /opt/a.zip}, {fileSHA512Equals: SUM128, path: /opt/a.zip}]}"), &[]),
            ("      - name: Check\n        action: ExecuteBash\n        inputs: {commands: [cd /opt, sha256sum -c a.zip.sha256, sha256sum a.zip]}\n".to_owned(), &[]),
            ("      - name: Check\n        action: ExecuteBash\n        inputs: {commands: [sha256sum /opt/other]}\n".to_owned(), &["M006"]),
            ("      - name: Use\n        action: ExecuteBash\n        inputs: {commands: [unzip /opt/a.zip]}\n".to_owned(), &["M006"]),
        ] {
            assert_eq!(codes(plain, &then), expected, "{then}");
        }
        let md5 = "source: 'https://e.example/a.zip', checksum: ab, algorithm: MD5";
        assert_eq!(codes(md5, &assert(&format!("{{{strong}/opt/a.zip}}"))), [""; 0]);
    }
}
