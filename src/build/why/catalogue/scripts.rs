//! The step's own commands.

use crate::build::why::model::{Entry, When, fact, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W070",
        name: "command-not-found",
        title: "a command is not installed, or not on the PATH",
        why: "Minimal images lack unzip, jq, curl, sudo and more, and profile scripts that add to PATH are not read.",
        signs: &[
            line(r"(?i)(?::|^)(?: line \d+:)? *(?<what>[A-Za-z0-9_./+-]+): (?:command )?not found$", 88).when(When::Exit(127, 127)),
            line(r#"(?i)executable file not found in \$PATH|exec: "(?<what>[^"]+)": executable file not found"#, 90),
            line(r"(?i)(?:: |^)(?<what>[A-Za-z0-9_./+-]+): command not found", 58),
            fact(When::Exit(127, 127), 68),
        ],
        remedies: &[
            say("install what has `{what}` in a step before, or name it by its whole path"),
            run("see what the parent has", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W071",
        name: "not-executable",
        title: "a file is there, but cannot be executed",
        why: "It lacks the right to be executed, is made for another processor, or its interpreter (the first line) is missing.",
        signs: &[
            line(r"(?i)cannot execute(?: binary file)?|Exec format error|bad interpreter", 86),
            line(r"(?i)(?<what>/\S+): Permission denied", 80).when(When::Exit(126, 126)),
            fact(When::Exit(126, 126), 64),
        ],
        remedies: &[
            say("chmod +x it, or run it by its interpreter (bash FILE)"),
            say("Exec format error: fetch the build for this architecture; Windows line ends spoil the first line"),
        ],
    },
    Entry {
        code: "W072",
        name: "permission-denied",
        title: "the operating system refused access to a file",
        why: "Components run as root, so it is not the owner: an immutable attribute, SELinux, a mount option, or a command that runs as \
              another user.",
        signs: &[
            line(r"(?i)Permission denied|Operation not permitted|EACCES", 46).when(When::Written),
        ],
        remedies: &[
            say("look at lsattr, at the mount options and at `avc: denied` in the journal"),
            say("in the local environment some calls are never permitted (mknod of disks, modules): see `notReal` of the test"),
        ],
    },
    Entry {
        code: "W073",
        name: "step-timeout",
        title: "the step took longer than it may",
        why: "`timeoutSeconds` was up (7200 when nothing is said). Something waited: for an answer, a lock, the network.",
        signs: &[
            line(r"(?i)did not end within [0-9.]+ seconds", 84),
            line(r"(?i)(?:command )?execution timed out|step .* timed out|timeout .*exceeded.*step", 78).when(When::Told),
            fact(When::StepTimedOut, 80),
            fact(When::Exit(124, 124), 50),
        ],
        remedies: &[
            say("the last lines say what it did; a question without an answer: W050, a lock: W043"),
            say("raise `timeoutSeconds` of step {step} when it only needs longer"),
            run("see how long it takes here", "amiforge test {recipe}"),
        ],
    },
    Entry {
        code: "W074",
        name: "unset-variable",
        title: "a variable is not set",
        why: "With `set -u` a name without a value ends the script. The environment of a component is nearly empty.",
        signs: &[line(r"(?i)(?<what>[A-Za-z_][A-Za-z0-9_]*): (?:unbound variable|parameter (?:null or )?not set)", 88)],
        remedies: &[
            say("give {what} a value at the beginning of step {step}, or a default: ${NAME:-}"),
        ],
    },
    Entry {
        code: "W075",
        name: "syntax-error",
        title: "the script has a mistake in its syntax",
        why: "The shell could not read it; nothing or only its beginning was executed.",
        signs: &[
            line(r"(?i)syntax error(?:: unexpected end of file| near unexpected token)|unexpected EOF while looking for matching", 90),
            line(r"(?i)SyntaxError: |ParserError|Missing closing '[})]'", 84),
        ],
        remedies: &[run("the linter finds it without a build", "amiforge lint")],
    },
    Entry {
        code: "W076",
        name: "file-not-found",
        title: "a file or folder is not there",
        why: "An earlier step did not make it, it was in /tmp before a restart, or its name has a mistake in it.",
        signs: &[
            line(r"(?i)(?:'|: |^)(?<what>/[^':\s]+)'?: No such file or directory", 52),
            line(r"(?i)No such file or directory|cannot find the (?:file|path) specified", 44),
        ],
        remedies: &[say("see which step makes {what}; /tmp does not survive a restart")],
    },
    Entry {
        code: "W077",
        name: "test-failed",
        title: "a test found that the image is not as it should be",
        why: "A step of the test phase failed, on a fresh instance of the new image. That is what tests are for: the image, or the test, \
              is wrong.",
        signs: &[
            line(r"(?i)assert(?:ion)? ?(?:failed|error)|AssertionError|expected .* (?:but (?:got|was)|to (?:equal|be))", 74).when(When::Testing),
            fact(When::Asserting, 72),
            fact(When::Testing, 49),
        ],
        remedies: &[
            run("run the tests of the component here", "amiforge test {recipe}"),
            say("what `build` left in /tmp, /var/tmp, logs and ssh keys is gone in the image: tests see the fresh instance"),
        ],
    },
    Entry {
        code: "W078",
        name: "validation-failed",
        title: "a step of the validate phase found that the build is not as it should be",
        why: "The validate phase runs on the build instance, after all build phases.",
        signs: &[fact(When::Validating, 45)],
        remedies: &[run("run it here", "amiforge test {recipe}")],
    },
    Entry {
        code: "W079",
        name: "document-refused",
        title: "the component document is not valid",
        why: "The runner refused it before it ran anything: an unknown key, an expression that names nothing, a parameter without a value.",
        signs: &[
            line(r"(?i)TOE (?:document )?validation failed|\bvalidationStatus\b.*failed|Document validation (?:failed|error)", 94),
            line(r"(?i)not defined in the provided component|neither a value nor a default|The value supplied for parameter '(?<what>\w+)' is not valid", 90).when(When::Told),
            line(r"error\[[CDLMSXEY]\d{3}\]", 88).when(When::Told),
            line(r"(?i)(?:failed to parse|unable to parse|invalid|malformed) (?:the )?(?:component|YAML|document)|yaml: (?:line \d+|unmarshal)", 84),
        ],
        remedies: &[
            run("the linter says where", "amiforge lint"),
            run("and what would be created", "amiforge render {recipe}"),
        ],
    },
];
