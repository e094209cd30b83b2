//! The action modules: what each is called, where it runs, what it takes and gives.
//!
//! One table for everybody: the parser checks inputs against it, the runner takes defaults from it, documentation and
//! schema are written from it. Source: reference/component-documents.md section 9.

mod page;
mod table;

pub use page::explain;
pub use table::MODULES;

/// The 30 actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is described in the table")]
pub enum Action {
    AppendFile,
    Assert,
    CopyFile,
    CopyFolder,
    CreateFile,
    CreateFolder,
    CreateSymlink,
    DeleteFile,
    DeleteFolder,
    ExecuteBash,
    ExecuteBinary,
    ExecuteDocument,
    ExecutePowerShell,
    InstallMsi,
    ListFiles,
    MoveFile,
    MoveFolder,
    ReadFile,
    Reboot,
    S3Download,
    S3Upload,
    SetFileEncoding,
    SetFileOwner,
    SetFilePermissions,
    SetFolderOwner,
    SetFolderPermissions,
    SetRegistry,
    UninstallMsi,
    UpdateOs,
    WebDownload,
}

/// An operating system a module runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    MacOs,
}

/// What stands below `inputs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One mapping.
    Map,
    /// A list of mappings, worked through in order.
    List,
    /// One condition, as below `if` (Assert only).
    Condition,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Boolean,
    /// `true` or `false`, with or without quotes (documented as text, meant as a boolean).
    BooleanText,
    /// A whole number from 0.
    Count,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of the text encodings, in any letter case.
    Encoding,
    /// Octal permission bits as text, such as `0644`.
    Permissions,
    /// A mapping of text to text.
    Properties,
    /// A list of `{name, value}`.
    Parameters,
    /// Text, a number, or a list of texts (registry values).
    Registry,
}

/// One input of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Its key.
    pub name: &'static str,
    /// What it may be.
    pub kind: Type,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when not given, as text; `None` when it then has no value at all.
    pub default: Option<&'static str>,
    /// What it means.
    pub summary: &'static str,
}

/// A demand on several inputs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Exactly one of them is given.
    ExactlyOne(&'static [&'static str]),
    /// All of them are given, or none.
    Together(&'static [&'static str]),
}

/// One output of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Its key.
    pub name: &'static str,
    /// What it holds.
    pub summary: &'static str,
}

/// One action module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Which one.
    pub action: Action,
    /// Its name in documents; letter case counts.
    pub name: &'static str,
    /// Where it runs.
    pub platforms: &'static [Platform],
    /// What `inputs` looks like.
    pub shape: Shape,
    /// The keys of one mapping of inputs.
    pub inputs: &'static [Input],
    /// Demands on several inputs together.
    pub rules: &'static [Rule],
    /// What it gives to later steps. For [`Shape::List`] there is one set per item.
    pub outputs: &'static [Output],
    /// What it does, in one sentence.
    pub summary: &'static str,
}

impl Module {
    /// The input of a name.
    pub fn input(&self, name: &str) -> Option<&'static Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The output of a name.
    pub fn output(&self, name: &str) -> Option<&'static Output> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Whether a step without `inputs` is refused.
    pub fn needs_inputs(&self) -> bool {
        self.shape == Shape::Condition
            || self.inputs.iter().any(|input| input.required)
            || self.rules.iter().any(|rule| matches!(rule, Rule::ExactlyOne(_)))
    }

    /// Whether a step may limit its time; a restart has no end to wait for.
    pub fn has_timeout(&self) -> bool {
        self.action != Action::Reboot
    }

    /// Whether it runs there.
    pub fn runs_on(&self, platform: Platform) -> bool {
        self.platforms.contains(&platform)
    }
}

/// The module of a name; letter case counts.
pub fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// The names of all modules, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|module| module.name)
}

/// The names of the text encodings; letter case does not count. UTF-16 and UTF-32 without a suffix are little endian.
pub const ENCODINGS: &[&str] = &[
    "utf8",
    "utf-8",
    "utf16",
    "utf-16",
    "utf16-LE",
    "utf-16-LE",
    "utf16-BE",
    "utf-16-BE",
    "utf32",
    "utf-32",
    "utf32-LE",
    "utf-32-LE",
    "utf32-BE",
    "utf-32-BE",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_thirty_sorted_by_name_each_its_own_action() {
        assert_eq!(MODULES.len(), 30);
        assert!(MODULES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(MODULES.iter().map(|module| module.action).collect::<BTreeSet<_>>().len(), 30);
    }

    #[test]
    fn the_table_does_not_contradict_itself() {
        for module in MODULES {
            assert!(!module.platforms.is_empty() && module.summary.ends_with('.'), "{}", module.name);
            let names: BTreeSet<_> = module.inputs.iter().map(|input| input.name).collect();
            assert_eq!(names.len(), module.inputs.len(), "{} has an input twice", module.name);
            for input in module.inputs {
                assert!(!(input.required && input.default.is_some()), "{}.{}", module.name, input.name);
                if input.kind == Type::Boolean {
                    assert!(matches!(input.default, Some("true" | "false")), "{}.{}", module.name, input.name);
                }
            }
            for rule in module.rules {
                let (Rule::ExactlyOne(keys) | Rule::Together(keys)) = rule;
                assert!(
                    keys.iter().all(|key| module.input(key).is_some_and(|input| !input.required)),
                    "{}",
                    module.name
                );
            }
        }
    }

    #[test]
    fn which_modules_need_inputs() {
        let without: Vec<_> =
            MODULES.iter().filter(|module| !module.needs_inputs()).map(|module| module.name).collect();
        assert_eq!(without, ["Reboot", "UpdateOS"]);
        let lists = MODULES.iter().filter(|module| module.shape == Shape::List).count();
        assert_eq!(lists, 21);
        let linux = MODULES.iter().filter(|module| module.runs_on(Platform::Linux)).count();
        assert_eq!(linux, 26);
    }
}
