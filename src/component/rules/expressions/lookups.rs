//! Values that are looked up outside of the document.

use crate::component::expression::{Expression, Template};
use crate::component::model::Document;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Span;

/// All expressions of the document, with their places.
fn expressions<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (&'a Expression, Span)> + use<'a> {
    subject.steps().flat_map(|(_, step)| step.templates()).flat_map(Template::expressions)
}

/// X013
pub(super) fn value_of_several_lines(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (expression, span) in expressions(subject) {
        let Expression::Ssm(name) = expression else { continue };
        let Some(name) = stored_name(subject.document, name) else { continue };
        let Some(what) = several_lines(name) else { continue };
        found.add(
            found
                .at(span, format!("`{name}` looks like {what}, which has several lines"), "the step fails if it has")
                .note("a value of Parameter Store that an expression takes must be one line")
                .help("fetch it in the script with `aws ssm get-parameter`, or store it as one line of base64"),
        );
    }
}

/// The name in Parameter Store, where the document tells it.
fn stored_name<'a>(document: &'a Document, name: &'a str) -> Option<&'a str> {
    let Some(inner) = name.strip_prefix("resolve(").and_then(|rest| rest.strip_suffix(')')).map(str::trim) else {
        return Some(name);
    };
    // `resolve(aws:ssm:…)` names where the name is kept, not what the value is.
    let default = document.parameters.iter().find(|parameter| parameter.name == inner).map(|it| it.default.as_deref());
    let constant = document.constants.iter().find(|constant| constant.name == inner).map(|it| it.value.as_str());
    default.flatten().or(constant)
}

/// What a value with such a name is, if it is something that has several lines.
///
/// Judged by the end of the last part of the name: `tls-cert` is a certificate, `cert-arn` is not. What says that it is
/// encoded, or a public key of SSH, which is one line, is left alone.
fn several_lines(name: &str) -> Option<&'static str> {
    let name = name.rsplit('/').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let words = words(name);
    let has = |word: &str| words.iter().any(|known| known == word);
    if ["base64", "b64", "encoded", "public", "pub"].iter().any(|word| has(word)) {
        return None;
    }
    let ends = |tail: &[&str]| words.len() >= tail.len() && words[words.len() - tail.len()..].iter().eq(tail);
    for (tails, what) in SEVERAL_LINES {
        if tails.iter().any(|tail| ends(tail)) {
            return Some(what);
        }
    }
    None
}

/// How names end that stand for values of several lines, in words.
const SEVERAL_LINES: &[(&[&[&str]], &str)] = &[
    (&[&["kubeconfig"], &["kube", "config"]], "a kubeconfig"),
    (
        &[
            &["private", "key"],
            &["privatekey"],
            &["private", "key", "pem"],
            &["privkey"],
            &["ssh", "key"],
            &["sshkey"],
            &["ssh", "host", "key"],
            &["deploy", "key"],
            &["rsa", "key"],
            &["tls", "key"],
            &["ssl", "key"],
            &["cert", "key"],
            &["certificate", "key"],
            &["gpg", "key"],
            &["pgp", "key"],
            &["id", "rsa"],
            &["id", "ed25519"],
            &["id", "ecdsa"],
        ],
        "a key",
    ),
    (
        &[
            &["cert"],
            &["certs"],
            &["certificate"],
            &["certificates"],
            &["crt"],
            &["pem"],
            &["cert", "chain"],
            &["certificate", "chain"],
            &["fullchain"],
            &["ca", "bundle"],
            &["cabundle"],
        ],
        "a certificate",
    ),
];

/// The words of a name, in lower case: `TlsPrivateKey`, `tls_private_key` and `tls-private-key` have the same three.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let lower_follows = chars.peek().is_some_and(char::is_ascii_lowercase);
        let begins = !before.is_ascii_alphanumeric()
            || (c.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || (before.is_ascii_uppercase() && lower_follows)));
        if c.is_ascii_alphanumeric() {
            match words.last_mut() {
                Some(last) if !begins => last.push(c.to_ascii_lowercase()),
                _ => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    words
}

/// X016
pub(super) fn newer_than_awstoe(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if !subject.target.old_awstoe {
        return;
    }
    for (expression, span) in expressions(subject) {
        let (prefix, help) = match expression {
            Expression::Environment(_) => ("env:", "use the variable in the script itself"),
            Expression::Context(_) => ("context:", "find the value out in the script, or make it a parameter"),
            Expression::Imds(_) => ("aws:imds:", "ask the metadata service in the script, with a session token"),
            _ => continue,
        };
        found.add(
            found
                .at(span, format!("the pinned awstoe does not know `{prefix}`"), "a newer feature")
                .help(format!("{help}; or pin a newer awstoe")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        for (name, expected) in [
            ("tls-private-key", vec!["tls", "private", "key"]),
            ("TlsPrivateKey", vec!["tls", "private", "key"]),
            ("TLSKey", vec!["tls", "key"]),
            ("server_cert.pem", vec!["server", "cert", "pem"]),
            ("id_ed25519", vec!["id", "ed25519"]),
            ("", vec![]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn only_names_of_several_lines_are_reported() {
        for name in [
            "/app/tls-cert",
            "/app/Certificate",
            "server.pem",
            "/web/server.crt:3",
            "/ci/deploy_key",
            "/app/PrivateKey",
            "/ssh/id_rsa",
            "/aws/reference/secretsmanager/prod/tls.key",
            "/k8s/kubeconfig",
            "/k8s/kube-config",
            "/app/ca-bundle",
            "/app/tls-key",
        ] {
            assert!(several_lines(name).is_some(), "{name}");
        }
        for name in [
            "/app/api-key",
            "/app/license-key",
            "/app/access_key",
            "/app/key",
            "/app/cert-arn",
            "/app/certificate-id",
            "/app/cert_password",
            "/app/cert-path",
            "/certs/domain",
            "/app/tls-cert-b64",
            "/app/cert-base64",
            "/ssh/public-key",
            "/ssh/ssh-pub-key",
            "/app/concert",
            "/app/template",
            "/app/kms-key-id",
            "/golden/ami",
        ] {
            assert_eq!(several_lines(name), None, "{name}");
        }
    }
}
