//! The keys of a component document, one table for each mapping (reference/component-documents.md sections 1 to 3, 7, 8).
//!
//! The parser refuses what is not in them, the JSON Schema is written from them: a new key is one line here, and what is
//! done with its value.

/// What a value may be, and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the value of the key of its name")]
pub enum Kind {
    /// Text; numbers and booleans are taken as they are written.
    Text,
    /// The name of a phase or step.
    Name,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Integer,
    /// A whole number other than 0.
    Stride,
    SchemaVersion,
    Parameters,
    Constants,
    /// The type of a parameter or constant.
    Declared,
    Phases,
    Steps,
    Action,
    If,
    Loop,
    Timeout,
    OnFailure,
    Attempts,
    Inputs,
    LoopName,
    For,
    ForEach,
    Delimiter,
    /// What the answer of a condition leads to.
    Branch,
}

/// A key of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// How it is written; letter case counts.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when not given, as text.
    pub default: Option<&'static str>,
    /// What it means.
    pub summary: &'static str,
}

const fn required(name: &'static str, kind: Kind, summary: &'static str) -> Key {
    Key { name, kind, required: true, default: None, summary }
}

const fn optional(name: &'static str, kind: Kind, summary: &'static str) -> Key {
    Key { name, kind, required: false, default: None, summary }
}

const fn default(name: &'static str, kind: Kind, value: &'static str, summary: &'static str) -> Key {
    Key { name, kind, required: false, default: Some(value), summary }
}

const DISABLE_LOGGING: Key =
    default("disableLogging", Kind::Flag, "false", "Keeps output out of the logs, for example because of secrets.");

/// The document itself.
pub const DOCUMENT: &[Key] = &[
    optional("name", Kind::Text, "What the document is called; the component resource has a name of its own."),
    optional("description", Kind::Text, "What it does."),
    required("schemaVersion", Kind::SchemaVersion, "Version of the language; only 1.0 exists."),
    optional("parameters", Kind::Parameters, "Values that a recipe may give, and must give where there is no default."),
    optional("constants", Kind::Constants, "Values fixed in the document."),
    required(
        "phases",
        Kind::Phases,
        "What is done, in order. Image Builder runs `build`, `validate`, `test` and, for containers, \
         `container-host-test`; at least one of the first three must be there.",
    ),
    DISABLE_LOGGING,
];

/// A parameter.
pub const PARAMETER: &[Key] = &[
    required("type", Kind::Declared, "Type of the value; only `string` exists."),
    optional("default", Kind::Text, "The value when the recipe gives none. Without it the recipe must give one."),
    optional("description", Kind::Text, "What it is for."),
];

/// A constant.
pub const CONSTANT: &[Key] = &[
    required("type", Kind::Declared, "Type of the value; only `string` exists."),
    required("value", Kind::Text, "The value."),
];

/// A phase.
pub const PHASE: &[Key] = &[
    required(
        "name",
        Kind::Name,
        "3 to 128 letters, digits, `-` or `_`; unique in the document. `build` and `validate` run on the build instance, \
         `test` on an instance of the new image, `container-host-test` on the host of a container build. Others are never \
         run by Image Builder.",
    ),
    required("steps", Kind::Steps, "What the phase does, in order."),
    DISABLE_LOGGING,
];

/// A step.
pub const STEP: &[Key] = &[
    required("name", Kind::Name, "3 to 128 letters, digits, `-` or `_`; unique in its phase."),
    required("action", Kind::Action, "What the step does: the name of an action module."),
    optional("if", Kind::If, "A condition that decides whether the step is run."),
    optional("loop", Kind::Loop, "Runs the step several times."),
    default("timeoutSeconds", Kind::Timeout, "7200", "Time limit of one attempt in seconds; -1 means no limit."),
    default("onFailure", Kind::OnFailure, "Abort", "What happens when the last attempt has failed."),
    default("maxAttempts", Kind::Attempts, "1", "How often the step is tried in all; 1 means that it is not repeated."),
    optional("inputs", Kind::Inputs, "What the action works with; its keys depend on the action."),
    DISABLE_LOGGING,
];

/// What stands beside the operator of a condition below `if`.
pub const BRANCHES: &[Key] = &[
    default("then", Kind::Branch, "Execute", "What follows if the condition is true."),
    default("else", Kind::Branch, "Skip", "What follows if the condition is false."),
];

/// A loop: one of `for` and `forEach`.
pub const LOOP: &[Key] = &[
    optional("name", Kind::LoopName, "Makes `{{ name.value }}` and `{{ name.index }}` known; unique in its phase."),
    optional("for", Kind::For, "Goes over numbers."),
    optional("forEach", Kind::ForEach, "Goes over texts: a list, or one text that is split."),
];

/// `for` of a loop.
pub const FOR: &[Key] = &[
    required("start", Kind::Integer, "The first number."),
    required("end", Kind::Integer, "The last number; it belongs to the range."),
    required("updateBy", Kind::Stride, "How far it is to the next number; not 0, and it must lead to the end."),
];

/// `forEach` of a loop, with a text that is split.
pub const FOR_EACH: &[Key] = &[
    required("list", Kind::Text, "The text that is split, for example `{{ build.List.outputs.files }}`."),
    default("delimiter", Kind::Delimiter, ",", "What stands between the items."),
];

/// A value for a parameter of another document (`ExecuteDocument`).
pub const VALUE: &[Key] =
    &[required("name", Kind::Text, "Name of the parameter."), required("value", Kind::Text, "Its value.")];

/// The names of the keys.
pub fn names(keys: &'static [Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// Whether a name is one of the keys.
pub fn has(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::condition::Branch;
    use crate::component::model::{DEFAULT_TIMEOUT, OnFailure};
    use crate::component::repeat::DEFAULT_DELIMITER;
    use std::collections::BTreeSet;

    const ALL: [&[Key]; 10] = [DOCUMENT, PARAMETER, CONSTANT, PHASE, STEP, BRANCHES, LOOP, FOR, FOR_EACH, VALUE];

    #[test]
    fn each_key_stands_once_in_its_table_and_is_described() {
        for keys in ALL {
            assert_eq!(names(keys).into_iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
            for key in keys {
                assert!(key.summary.ends_with('.') && !(key.required && key.default.is_some()), "{key:?}");
                assert!(has(keys, key.name));
            }
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_model() {
        let default = |keys: &[Key], name: &str| keys.iter().find(|key| key.name == name).and_then(|key| key.default);
        assert_eq!(default(STEP, "timeoutSeconds"), Some(DEFAULT_TIMEOUT.as_secs().to_string().as_str()));
        assert_eq!(default(STEP, "onFailure").and_then(OnFailure::parse), Some(OnFailure::default()));
        assert_eq!(default(FOR_EACH, "delimiter"), Some(DEFAULT_DELIMITER));
        assert_eq!(default(BRANCHES, "then").and_then(Branch::parse), Some(Branch::Execute));
        assert_eq!(default(BRANCHES, "else").and_then(Branch::parse), Some(Branch::Skip));
    }
}
