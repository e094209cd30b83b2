//! The codes of this room.

use crate::diagnostic::catalogue::Entry;

const fn entry(code: &'static str, title: &'static str, explanation: &'static str) -> Entry {
    Entry { code, title, explanation }
}

/// What `amiforge explain` says about `C0xx`.
pub const ENTRIES: &[Entry] = &[
    entry(
        "C001",
        "schemaVersion is missing or unknown",
        "Only version 1.0 of the component language exists (1, \"1\" and \"1.0\" are accepted as well). Rule D002.",
    ),
    entry(
        "C002",
        "a document has no phases",
        "`phases` must be a list with at least one phase. The service answers: Document has 0 phases. Phases list must not \
         be empty. Rule D003.",
    ),
    entry(
        "C003",
        "a key is not known there",
        "Misspelled and unknown keys are refused by the service at every level; keys are camelCase and letter case counts. \
         Rule D004.",
    ),
    entry(
        "C004",
        "no phase that Image Builder runs",
        "Image Builder runs the phases build, validate and test (and container-host-test for containers). A document with \
         none of the first three is refused. Rule D005.",
    ),
    entry(
        "C005",
        "a phase has no valid name of its own",
        "A phase name has 3 to 128 letters, digits, `-` or `_`, and occurs once in a document. Rule D006.",
    ),
    entry(
        "C006",
        "a step has no valid name of its own",
        "A step name has 3 to 128 letters, digits, `-` or `_` (no spaces) and occurs once in its phase. The service \
         answers: Invalid step name '…' in phase '…'. Rule D007.",
    ),
    entry(
        "C007",
        "parameters or constants are not well declared",
        "`parameters` and `constants` are lists of mappings with one key, the name: 3 to 128 letters, digits, `-` or `_`, \
         unique over both lists. A component has at most 25 parameters. Rule D011.",
    ),
    entry(
        "C008",
        "a parameter or constant has no usable type or value",
        "The only type is `string`, and it must be written. A constant must have a `value`. Rule D012.",
    ),
    entry(
        "C009",
        "a value has the wrong form",
        "The language asks for a mapping, a list, text or a boolean here, and something else stands there. A list item \
         begins with a dash; a mapping has `key: value` lines of equal indentation. Rule D003 for lists of phases and \
         steps, otherwise the general form of the document (reference section 1 to 3).",
    ),
    entry(
        "C010",
        "no action module has this name",
        "A step's `action` is one of the 30 action modules; letter case counts. Rule S001.",
    ),
    entry(
        "C011",
        "inputs are missing or empty",
        "Most action modules need inputs. Since July 2026 the service refuses a step whose module needs them and whose \
         `inputs` is missing or empty: Action … has no inputs; it requires an 'inputs'. Rule S003.",
    ),
    entry(
        "C012",
        "inputs have the wrong shape",
        "Some modules (ExecuteBash, UpdateOS, Reboot, …) take one mapping, others (CreateFile, S3Download, …) a list of \
         mappings. Rule S004.",
    ),
    entry(
        "C013",
        "an input is missing, unknown, or of the wrong type",
        "Each module has its own inputs; those marked as required must be given, others must not be invented, and each has \
         a type. Rule S005.",
    ),
    entry(
        "C014",
        "timeoutSeconds is not a time limit",
        "A whole number of seconds from 1, or -1 for no limit. The default is 7200. Rule S006.",
    ),
    entry(
        "C015",
        "a word is not one of the allowed values",
        "`onFailure` is Abort, Continue or Ignore; `reboot`, `type`, `algorithm` and `encoding` have their own lists. \
         Letter case counts, except for encodings. Rule S007.",
    ),
    entry(
        "C016",
        "maxAttempts is not a number of attempts",
        "`maxAttempts` counts all attempts, the first included, so it is a whole number from 1. Rule S008.",
    ),
    entry("C017", "Reboot has no time limit", "`timeoutSeconds` is not supported on the Reboot module. Rule S011."),
    entry(
        "C018",
        "inputs do not go together",
        "Some inputs exclude or need each other: ExecutePowerShell takes either `commands` or `file`; WebDownload verifies \
         a download only if both `checksum` and `algorithm` are given, and silently does not otherwise. Rules S010, M007.",
    ),
    entry(
        "C020",
        "an expression names something that does not exist",
        "The service refuses a reference to a phase, step, parameter or constant that the document does not have. Names \
         are compared with letter case. Rule X001.",
    ),
    entry(
        "C021",
        "a step has no such input or output",
        "Each module has fixed outputs (ExecuteBash: stdout); `inputs` of another step can be read only if they are given \
         there. Rule X002.",
    ),
    entry(
        "C022",
        "an index is missing, not allowed, or out of range",
        "Modules with a list of inputs have one set per item, counted from 0: `inputs[0].path`. Modules with one mapping \
         take no index. Rule X003.",
    ),
    entry(
        "C023",
        "a reference from one stage to the other",
        "The phases build and validate run on the build instance, test runs on a fresh instance of the new image. Nothing \
         but the image itself gets from one to the other. Rule X004.",
    ),
    entry(
        "C024",
        "outputs of a step that has not run yet",
        "Outputs exist only after their step has run: reference steps that stand earlier in the document. Rule X005.",
    ),
    entry(
        "C025",
        "not an expression",
        "Between `{{` and `}}` stands a parameter or constant, `phase.step.inputs.key`, `phase.step.outputs.key`, a loop \
         variable, or `aws:ssm:`, `aws:imds:`, `env:` or `context:` with a name. Everything else is refused, and there is \
         no escape for literal double braces. Rules X008 and 6.6 of the reference.",
    ),
    entry(
        "C026",
        "a prefix is used wrongly",
        "`context:` has a fixed list of keys, and `aws:imds:` refuses the paths below iam/ and identity-credentials/. \
         Rules X009, X010.",
    ),
    entry(
        "C027",
        "a loop variable without its loop",
        "`loop.index` and `loop.value` have a value only in the inputs of a step with `loop`; elsewhere they stay as they \
         are written. Rule X015.",
    ),
    entry(
        "C030",
        "a loop is not well formed",
        "A loop is a mapping with exactly one of `for` and `forEach`, and optionally a `name`. Rule L001.",
    ),
    entry(
        "C031",
        "a condition is not well formed",
        "A condition is a mapping with exactly one operator, the `value` or `path` it is compared with, and below `if` \
         optionally `then` and `else`. Rules C001, C002.",
    ),
    entry(
        "C040",
        "a value that readers take differently",
        "YAML readers differ on unquoted values that look like numbers, booleans or dates: 1.10 may become 1.1. Where text \
         is wanted, quote it; where a number is wanted, do not. Section 19 of the reference.",
    ),
    entry(
        "C050",
        "not executed locally yet",
        "The document is valid and works on AWS, but the runner of the local environment cannot execute this part yet. \
         It is refused as a whole, because a build in which a step was skipped would prove nothing.",
    ),
];
