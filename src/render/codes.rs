//! The codes of this room, and what `amiforge explain` says about them.

use crate::diagnostic::catalogue::Entry;

pub(super) const SYNTAX: &str = "R001";
pub(super) const UNKNOWN_NAME: &str = "R002";
pub(super) const HELPER: &str = "R003";
pub(super) const PARAMETER: &str = "R004";
pub(super) const RESERVED: &str = "R005";
pub(super) const TARGET_NAME: &str = "R006";
pub(super) const ARCHITECTURE: &str = "R007";

/// The entries of the R codes.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: SYNTAX,
        title: "template syntax",
        explanation: "The Handlebars template does not parse: a block that is not closed, an expression that is not finished, \
                      a partial that includes itself. An expression meant for the component runner is written with a \
                      backslash in front of its braces: \\{{ build.Step.outputs.stdout }}.",
    },
    Entry {
        code: UNKNOWN_NAME,
        title: "unknown name in a template",
        explanation: "A template may use the names the message lists, and partials that exist. An unknown one is an error and \
                      never an empty text, because an empty text in a shell script is how the wrong folder gets deleted. An \
                      expression meant for the component runner needs a backslash in front of its braces.",
    },
    Entry {
        code: HELPER,
        title: "a template helper was used wrongly",
        explanation: "`yaml`, `sh`, `powershell`, `json` and `words` take one value and write it safely at its place; `if` and `unless` take the \
                      answer of a comparison such as (eq os \"debian-12\"), not a text, because the text \"false\" would count \
                      as true; `parameter` takes the name of a parameter, and may take default=\"...\" and one_of=\"a b\"; \
                      `given` takes names of parameters.",
    },
    Entry {
        code: PARAMETER,
        title: "parameters do not fit the template",
        explanation: "A recipe may only pass parameters the template asks for with the helper `parameter` or the rendered \
                      document declares, has to pass those without a default, and only values the template allows. This is \
                      checked before anything is sent anywhere.",
    },
    Entry {
        code: RESERVED,
        title: "a document parameter has the name of a template variable",
        explanation: "The rendered document declares a parameter or constant that is called like a name templates know, for \
                      example `recipe`. A forgotten backslash would then silently put the template's value where the \
                      runner's was meant. Another name makes the two impossible to confuse.",
    },
    Entry {
        code: TARGET_NAME,
        title: "the name of a launch template or parameter cannot be used",
        explanation: "What `promote` makes of its templates has to be a name AWS accepts: for launch templates 3 to 128 \
                      letters, digits and ()./_-; for parameters an absolute path of letters, digits and _.-/ that does not \
                      begin with /aws or /ssm and has at most 15 levels. Two channels may share neither, nor may two \
                      recipes or architectures: promoting one would move the other. A recipe names each only once.",
    },
    Entry {
        code: ARCHITECTURE,
        title: "the recipe is not built for this architecture",
        explanation: "Only architectures that stand under `architectures` of the recipe can be rendered, planned and built.",
    },
];
