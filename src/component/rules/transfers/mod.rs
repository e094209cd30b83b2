//! `M`: modules that fetch and store.

mod bucket;
mod integrity;
pub(super) mod verified;

use super::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "M006",
        name: "unverified-download",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "WebDownload fetches without a checksum, over `http://`, or from any server that answers.",
        why: "What is fetched is part of the image and often runs as root. Without a checksum a file that was changed on \
            the server goes unnoticed; over `http://`, or with `ignoreCertificateErrors: true`, so does one that was changed \
            on the way. A hash condition or a script of a later step that checks the file counts as a checksum. The instance \
            metadata service and the machine itself are left out. Section 9.2.",
        example: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: http://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz",
        instead: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz\n      checksum: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n      algorithm: SHA256",
        supersedes: &[],
        check: Check::Document(integrity::unverified),
    },
    Rule {
        id: "M007",
        name: "half-a-checksum",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "WebDownload has a checksum without an algorithm, or an algorithm without a checksum.",
        why: "Both must be given for the file to be verified. With one of them the download works and nothing is verified, \
            without a word, although the document says that it is. Section 9.2.",
        example: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz\n      checksum: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        instead: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz\n      checksum: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n      algorithm: SHA256",
        supersedes: &["M006"],
        check: Check::Reading,
    },
    Rule {
        id: "M008",
        name: "bucket-owner",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "An S3 bucket is used without its owner being checked, or belongs to an account that is not known.",
        why: "A bucket name is free again once its bucket is deleted, and anyone may take it: the build then runs what a \
            stranger has put there, or hands files to them. With the owner given, S3 refuses a bucket of any other account. \
            Buckets of AWS are no exception. Section 9.2.",
        example: "- name: Fetch\n  action: S3Download\n  inputs:\n    - source: s3://acme-packages/app-1.2.rpm\n      destination: /opt/app.rpm",
        instead: "- name: Fetch\n  action: S3Download\n  inputs:\n    - source: s3://acme-packages/app-1.2.rpm\n      destination: /opt/app.rpm\n      expectedBucketOwner: \"111122223333\"",
        supersedes: &[],
        check: Check::Document(bucket::owner),
    },
    Rule {
        id: "M009",
        name: "weak-checksum",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A download is verified with nothing but MD5 or SHA1.",
        why: "Files with the same MD5 or SHA1 sum can be made on purpose, so such a sum notices a broken transfer, but not \
            an attacker. SHA256 and SHA512 notice both, at no cost. Sections 8.3 and 9.2.",
        example: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz\n      checksum: 0123456789abcdef0123456789abcdef\n      algorithm: MD5",
        instead: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://example.com/app-1.2.tar.gz\n      destination: /opt/app.tar.gz\n      checksum: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n      algorithm: SHA256",
        supersedes: &[],
        check: Check::Document(integrity::weak),
    },
];
