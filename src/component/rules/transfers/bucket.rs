//! M008: whose bucket is it?

use crate::component::expression::Template;
use crate::component::model::{Item, Step};
use crate::component::modules::Action;
use crate::component::rules::files::{edits, paths};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::{Subject, Target};
use crate::diagnostic::Diagnostic;

/// M008. `InstallMSI` takes `s3://` too, but has no input for the owner.
pub fn owner(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (step, item) in subject.steps().flat_map(|(_, step)| step.inputs.iter().map(move |item| (step, item))) {
        let Some((address, input)) = bucket(step, item) else { continue };
        match item.fields.iter().find(|field| field.name == input) {
            Some(_) => {
                let Some(owner) = paths::text(item, input) else { continue };
                let Some(text) = paths::literal(owner) else { continue };
                stranger(found, subject.target, owner, text);
            }
            None if edits::is_absent(subject.root, step, item, input) => missing(subject, found, item, address, input),
            None => {}
        }
    }
}

/// The address of a bucket, and the input that names its owner.
fn bucket<'a>(step: &Step, item: &'a Item) -> Option<(&'a Template, &'static str)> {
    match step.module.action {
        Action::S3Download => Some((paths::text(item, "source")?, "expectedBucketOwner")),
        Action::S3Upload => Some((paths::text(item, "destination")?, "expectedBucketOwner")),
        Action::ExecuteDocument => {
            let document = paths::text(item, "document")?;
            paths::lead(document).starts_with("s3://").then_some((document, "document-s3-bucket-owner"))
        }
        _ => None,
    }
}

/// The name of the bucket, if it is written.
fn name(address: &str) -> Option<&str> {
    let name = address.strip_prefix("s3://")?.split('/').next()?;
    (!name.is_empty() && !name.contains('{')).then_some(name)
}

fn missing(subject: &Subject<'_>, found: &mut Findings<'_>, item: &Item, address: &Template, input: &str) {
    let bucket = name(address.text()).map_or_else(|| "the bucket".to_owned(), |name| format!("bucket `{name}`"));
    let message = format!("{bucket} may belong to anyone");
    let diagnostic = found.at(address.span(), message, format!("its owner is not checked: no `{input}`"));
    let accounts = &subject.target.accounts;
    let diagnostic = diagnostic.help(match accounts.as_slice() {
        [] => format!("add `{input}` with the id of the account that owns it"),
        [one] => format!("add `{input}: \"{one}\"`"),
        many => format!("add `{input}` with one of {}", many.join(", ")),
    });
    // An old awstoe does not know `context:`.
    let diagnostic = if accounts.is_empty() && !subject.target.old_awstoe {
        diagnostic.help(format!(
            "for a bucket of the account in which the image is built: `{input}: \"{{{{ context:accountId }}}}\"`"
        ))
    } else {
        diagnostic
    };
    let edits = match accounts.as_slice() {
        [one] => edits::add(subject.source, item, input, &format!("\"{one}\"")),
        _ => None,
    };
    found.add(match edits {
        Some(edits) => diagnostic.unsafe_fix("check the owner of the bucket", edits),
        None => diagnostic,
    });
}

/// An owner that is no account, or none that is known.
fn stranger(found: &mut Findings<'_>, target: &Target, owner: &Template, text: &str) {
    let diagnostic: Diagnostic = if !is_account(text) {
        found
            .at(owner.span(), format!("`{text}` is not the id of an account"), "twelve digits are needed")
            .help("write the id of the account that owns the bucket, in quotes")
    } else if !target.accounts.is_empty() && !target.accounts.iter().any(|account| account == text) {
        found
            .at(owner.span(), format!("account {text} is none of those that may own a bucket"), "not known")
            .note(format!("known are {}", target.accounts.join(", ")))
            .help("correct the id, or add the account to those that are allowed")
    } else {
        return;
    };
    found.add(diagnostic);
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::rules::files::testing::places;

    #[test]
    fn bucket_names_are_told_only_when_they_are_written() {
        for (address, expected) in [
            ("s3://acme/key", Some("acme")),
            ("s3://acme", Some("acme")),
            ("s3://{{ Bucket }}/key", None),
            ("s3://acme-{{ context:region }}/key", None),
            ("s3://", None),
            ("{{ Address }}", None),
            ("/local", None),
        ] {
            assert_eq!(name(address), expected, "{address}");
        }
    }

    #[test]
    fn an_account_has_twelve_digits() {
        for (text, expected) in [("111122223333", true), ("1111-2222-3333", false), ("11112222333", false), ("", false)]
        {
            assert_eq!(is_account(text), expected, "{text}");
        }
    }

    #[test]
    fn the_owner_is_asked_for_where_there_is_an_input_for_it() {
        let known = Target { accounts: vec!["111122223333".to_owned()], ..Target::default() };
        for (step, open, with_accounts) in [
            ("{name: One, action: S3Download, inputs: [{source: 's3://b/k', destination: /k}]}", 1, 1),
            ("{name: One, action: S3Upload, inputs: [{source: /k, destination: 's3://b/k'}]}", 1, 1),
            ("{name: One, action: S3Download, inputs: [{source: '{{ env:URL }}', destination: /k}]}", 1, 1),
            (
                "{name: One, action: S3Download, inputs: [{source: 's3://b/k', destination: /k, expectedBucketOwner: '999988887777'}]}",
                0,
                1,
            ),
            (
                "{name: One, action: S3Download, inputs: [{source: 's3://b/k', destination: /k, expectedBucketOwner: '{{ context:accountId }}'}]}",
                0,
                0,
            ),
            (
                "{name: One, action: S3Download, inputs: [{source: 's3://b/k', destination: /k, expectedBucketOwners: '1'}]}",
                0,
                0,
            ),
            ("{name: One, action: ExecuteDocument, inputs: {document: 's3://b/k'}}", 1, 1),
            ("{name: One, action: ExecuteDocument, inputs: {document: /opt/k}}", 0, 0),
            (
                "{name: One, action: ExecuteDocument, inputs: {document: 's3://b/k', document-s3-bucket-owner: '111122223333'}}",
                0,
                0,
            ),
            ("{name: One, action: InstallMSI, inputs: {path: 's3://b/k'}}", 0, 0),
        ] {
            assert_eq!(places("M008", &Target::default(), &[step]).len(), open, "{step}");
            assert_eq!(places("M008", &known, &[step]).len(), with_accounts, "{step}");
        }
    }
}
