//! `X`: expressions.
//!
//! Most of them follow from reading the document; the checks here are those that need the whole of it.

mod braces;
mod lookups;
mod order;
mod places;
#[cfg(test)]
pub(super) mod tests;

use super::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "X001",
        name: "unknown-reference",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "An expression names a phase, step, parameter or constant that does not exist.",
        why: "Every name in double braces is looked up when the component is created, and one that is not declared is \
            refused. Names are compared letter by letter, case included. Sections 6.2 and 6.3.",
        example: "parameters:\n  - Version: { type: string, default: \"1.2\" }\n# …\ncommands:\n  - install.sh \"{{ Versoin }}\"",
        instead: "parameters:\n  - Version: { type: string, default: \"1.2\" }\n# …\ncommands:\n  - install.sh \"{{ Version }}\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X002",
        name: "unknown-input-or-output",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "An expression asks a step for an output that its module does not produce, or for an input it was not given.",
        why: "Each action module has fixed outputs, many have none at all, and an input exists only where the step gives \
            it. There is nothing to put in the place of the expression. Sections 6.3 and 9.",
        example: "source: \"{{ build.Download.outputs.destination }}\" # S3Download has no outputs",
        instead: "source: \"{{ build.Download.inputs[0].destination }}\"",
        supersedes: &["X006"],
        check: Check::Reading,
    },
    Rule {
        id: "X003",
        name: "wrong-index",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "The index in an expression is missing, out of range, or stands where there is no list.",
        why: "Modules that take a list of inputs number them from 0, and the expression has to say which one is meant; \
            modules that take one set of inputs have no index. Sections 6.3 and 9.",
        example: "path: \"{{ build.Download.inputs.destination }}\"",
        instead: "path: \"{{ build.Download.inputs[0].destination }}\"",
        supersedes: &["X006"],
        check: Check::Reading,
    },
    Rule {
        id: "X004",
        name: "reference-across-stages",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A step of the test stage refers to a step of the build stage, or the other way round.",
        why: "The phases build and validate run on the build instance; test runs on a fresh instance of the new image, in \
            an execution of its own. Nothing is handed over but the image itself. Sections 2 and 6.3.",
        example: "# phase test\nvalue: \"{{ build.Install.outputs.stdout }}\"",
        instead: "# phase test; phase build has written the file\nvalue: \"{{ test.ReadVersion.outputs.stdout }}\"",
        supersedes: &["X006"],
        check: Check::Reading,
    },
    Rule {
        id: "X005",
        name: "output-not-known-yet",
        level: Severity::Error,
        basis: Basis::Inferred,
        summary: "An expression uses the output of a step that runs later, or of the step itself.",
        why: "Steps run in document order and an expression is replaced just before its step runs, so there is no value \
            yet. That the service refuses it is not written anywhere; that it cannot work is plain. Section 6.3.",
        example: "- name: Use\n  # …\n      - echo \"{{ build.Make.outputs.stdout }}\"\n- name: Make",
        instead: "- name: Make\n  # …\n- name: Use\n  # …\n      - echo \"{{ build.Make.outputs.stdout }}\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X006",
        name: "inputs-not-known-yet",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "An expression uses the inputs of a step that runs later, or of the step itself.",
        why: "An input that is written out could be known before its step runs, but whether awstoe looks ahead is not \
            documented. A constant says the same without the doubt. Section 6.3.",
        example: "- name: Use\n  # …\n    - path: \"{{ build.Fetch.inputs[0].destination }}\"\n- name: Fetch",
        instead: "constants:\n  - Archive: { type: string, value: /opt/a.tgz }\n# …\n- name: Use\n  # …\n    - path: \"{{ Archive }}\"",
        supersedes: &[],
        check: Check::Document(order::inputs_not_known_yet),
    },
    Rule {
        id: "X007",
        name: "misplaced-expression",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "An expression stands where none is replaced.",
        why: "Expressions are replaced in inputs, in loop.forEach and in the value of a condition. Anywhere else the \
            braces are taken as they are written, which no name, number or keyword allows; in a default or constant they \
            would reach the script. Section 6.1.",
        example: "timeoutSeconds: \"{{ Timeout }}\"",
        instead: "timeoutSeconds: 600",
        supersedes: &[],
        check: Check::Document(places::in_declarations),
    },
    Rule {
        id: "X008",
        name: "unbalanced-braces",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A value that begins with `{{` is not quoted, or `{{` is never closed.",
        why: "Without quotes YAML reads the first brace as the beginning of a mapping. Double braces that are opened must \
            be closed by `}}`, and there is no way to write a literal `{{`. A lone `}}` is fine. Section 6.1.",
        example: "path: {{ Folder }}/a",
        instead: "path: \"{{ Folder }}/a\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X009",
        name: "forbidden-metadata",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "An expression asks the instance metadata for credentials.",
        why: "The service refuses `aws:imds:` paths below iam/ and identity-credentials/, because their values would end \
            up in scripts and logs. Section 6.5.",
        example: "commands:\n  - echo \"{{ aws:imds:iam/info }}\"",
        instead: "commands:\n  - aws sts get-caller-identity",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X010",
        name: "malformed-lookup",
        level: Severity::Error,
        basis: Basis::Inferred,
        summary: "What follows `aws:ssm:`, `aws:imds:`, `env:` or `context:` is incomplete, malformed or unknown.",
        why: "`context:` knows twelve keys, a name of Parameter Store holds no blanks or quotes, and `resolve()` takes a \
            parameter of this document or another `aws:ssm:` name. Anything else has no value. Sections 6.4 and 6.5.",
        example: "commands:\n  - echo \"{{ context:regoin }}\"",
        instead: "commands:\n  - echo \"{{ context:region }}\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X012",
        name: "output-may-be-empty",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "An expression uses the output of a step that may be skipped, or whose failure is ignored.",
        why: "When that step has not run or has failed there is no output. What is put in the place of the expression then \
            is not documented; most likely it is nothing, so that a path or an argument silently loses a part. No finding \
            where the step has the same `if`, or one that looks at the other step. Sections 6.3 and 8.1.",
        example: "- name: Find\n  if: { binaryExists: curl }\n  # …\n- name: Use\n  # …\n      - install \"{{ build.Find.outputs.stdout }}\"",
        instead: "- name: Find\n  if: { binaryExists: curl }\n  # …\n- name: Use\n  if: { binaryExists: curl }\n  # …\n      - install \"{{ build.Find.outputs.stdout }}\"",
        supersedes: &[],
        check: Check::Document(order::output_may_be_empty),
    },
    Rule {
        id: "X013",
        name: "value-of-several-lines",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "The name in an `aws:ssm:` expression suggests a value of several lines, such as a certificate or private key.",
        why: "A value of Parameter Store must be one line: a step whose expression yields several fails. Certificates, \
            private keys and kubeconfigs have line breaks unless they are encoded. Section 6.4.",
        example: "commands:\n  - echo \"{{ aws:ssm:/app/tls-cert }}\" > /etc/app/tls.pem",
        instead: "commands:\n  - aws ssm get-parameter --name /app/tls-cert --query Parameter.Value --output text > /etc/app/tls.pem",
        supersedes: &[],
        check: Check::Document(lookups::value_of_several_lines),
    },
    Rule {
        id: "X014",
        name: "looks-like-another-template",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "Text that is meant for another template engine looks like an expression and is replaced.",
        why: "Double braces are also those of Jinja, Ansible, Handlebars and GitHub Actions. What happens to be an \
            expression here is replaced before the other engine sees it, and a `$` in front stays. There is no escape: \
            download such a file, or store it encoded. Sections 6.1 and 19.",
        example: "content: |\n  {% if tls %}\n  name={{ HostName }}\n  {% endif %}",
        instead: "# WebDownload or S3Download of site.conf.j2",
        supersedes: &[],
        check: Check::Document(braces::looks_like_another_template),
    },
    Rule {
        id: "X015",
        name: "no-such-loop",
        level: Severity::Error,
        basis: Basis::Inferred,
        summary: "A loop variable is used in a step without that loop.",
        why: "Loop variables are known in the inputs of the step that has the loop. Elsewhere the text stays as it is \
            written, braces and all, and reaches the script. Section 7.",
        example: "- name: Install\n  action: ExecuteBash\n  inputs:\n    commands:\n      - install \"{{ loop.value }}\"",
        instead: "- name: Install\n  action: ExecuteBash\n  loop: { forEach: [curl, jq] }\n  inputs:\n    commands:\n      - install \"{{ loop.value }}\"",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "X016",
        name: "newer-than-awstoe",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "`env:`, `context:` or `aws:imds:` is used although an old awstoe is pinned.",
        why: "Old releases of awstoe do not know these prefixes and refuse the document, or leave the text as it is. \
            Section 6.5.",
        example: "commands:\n  - echo \"{{ context:region }}\" # with an awstoe that does not know it",
        instead: "commands:\n  - echo \"${AWS_REGION:?}\"",
        supersedes: &[],
        check: Check::Document(lookups::newer_than_awstoe),
    },
    Rule {
        id: "X017",
        name: "not-an-expression",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "What stands in double braces is nothing that the language knows.",
        why: "Whatever is in double braces is taken for an expression, and one that cannot be resolved is refused when the \
            component is created. There is no escape for text of other template engines. Sections 6.1 and 6.6.",
        example: "commands:\n  - docker ps --format '{{ .Names }}'",
        instead: "commands:\n  - docker ps --format json | jq -r .Names",
        supersedes: &[],
        check: Check::Reading,
    },
];
