//! The codes of this room.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about `Y0xx`.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "Y001",
        title: "the file is not valid YAML",
        explanation: "The text cannot be read as YAML 1.2, so nothing after this place was looked at. Common causes are a \
            value that contains `: ` or begins with one of `@ ` % { [ * &` without quotes, a quote or bracket that is never \
            closed, and a line that is indented differently from its neighbours. Rule D001 for component documents.",
    },
    Entry {
        code: "Y002",
        title: "a tab is used for indentation",
        explanation: "YAML indents with spaces only; a tab has no agreed width. Replace it by spaces. (Inside the braces \
            and brackets of JSON, tabs are fine.)",
    },
    Entry {
        code: "Y003",
        title: "a key appears twice in one mapping",
        explanation: "Some readers refuse duplicate keys, others silently keep the last one, so the file would mean \
            different things to different programs. Remove or rename one of the two. Rule D001 for component documents.",
    },
    Entry {
        code: "Y004",
        title: "anchors and aliases are not used here",
        explanation: "`&name` marks a value and `*name` repeats it. Image Builder does not document support for them, and \
            they hide what a file says. Write the value out. A text that only begins with `*` or `&`, such as the file \
            pattern `*log`, must be quoted: '*log'.",
    },
    Entry {
        code: "Y005",
        title: "merge keys are not used here",
        explanation: "`<<` merges another mapping in YAML 1.1 and is an ordinary key in YAML 1.2, so readers differ. Write \
            the keys out.",
    },
    Entry {
        code: "Y006",
        title: "more than one document in a file",
        explanation: "A line `---` starts another document. Each file holds exactly one; what follows would be ignored by \
            some readers and refused by others. Move it to a file of its own.",
    },
    Entry {
        code: "Y007",
        title: "tags are not used here",
        explanation: "A tag such as `!!str` or `!Ref` asks the reader for a type of its own. Nothing here needs one: quote \
            a value that must stay text.",
    },
    Entry {
        code: "Y008",
        title: "a value that begins with `{{` is not quoted",
        explanation: "Without quotes YAML reads `{` as the beginning of a mapping, not as an expression. Write \
            `\"{{ Name }}\"`. Rule X008 for component documents.",
    },
    Entry {
        code: "Y009",
        title: "the file is empty",
        explanation: "There is nothing in the file but white space and comments. An empty file is never taken as `all \
            defaults`, because it is more often a write that was cut short.",
    },
    Entry {
        code: "Y010",
        title: "a key is not plain text",
        explanation: "YAML allows lists and mappings as keys; JSON and every format used here do not.",
    },
    Entry {
        code: "Y011",
        title: "a document separator with nothing after it",
        explanation: "A line `---` begins another document. At the end of a file it begins an empty one, which some readers \
            take for the content of the file. Remove it. Rule D015 for component documents.",
    },
];
