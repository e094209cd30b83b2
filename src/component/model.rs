//! A component document as data.

use super::condition::{Branching, Condition, Test};
use super::expression::Template;
use super::modules::Module;
use super::repeat::Loop;
use crate::diagnostic::Span;
use std::time::Duration;

/// A component document without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its own name; not the name of the component resource.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether output is kept out of the logs.
    pub disable_logging: bool,
    /// Values the recipe may or must give.
    pub parameters: Vec<Parameter>,
    /// Values fixed in the document.
    pub constants: Vec<Constant>,
    /// What it does, in order.
    pub phases: Vec<Phase>,
}

impl Document {
    /// Whether its only phase is `test`, which makes the component a test component.
    pub fn only_test(&self) -> bool {
        matches!(self.phases.as_slice(), [phase] if phase.name == "test")
    }

    /// A phase.
    pub fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// All steps with their phases, in document order.
    pub fn steps(&self) -> impl Iterator<Item = (&Phase, &Step)> {
        self.phases.iter().flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)))
    }
}

/// A value that the recipe gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value when the recipe gives none; without one the recipe must.
    pub default: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its name stands.
    pub span: Span,
    /// Where its default stands.
    pub default_span: Option<Span>,
}

/// A value fixed in the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where its name stands.
    pub span: Span,
    /// Where its value stands.
    pub value_span: Span,
}

/// More parameters than this are refused by the service (reference/component-documents.md section 13).
pub const MOST_PARAMETERS: usize = 25;

/// Of these phases Image Builder requires at least one (section 2).
pub const REQUIRED_PHASES: [&str; 3] = ["build", "validate", "test"];

/// The two halves of an image build that share nothing but the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the build instance: phases `build` and `validate`.
    Build,
    /// On an instance of the new image: phases `test` and `container-host-test`.
    Test,
}

/// A phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Whether output is kept out of the logs.
    pub disable_logging: bool,
    /// Its steps, in order; at least one.
    pub steps: Vec<Step>,
    /// Where its name stands.
    pub span: Span,
}

impl Phase {
    /// The stage in which Image Builder runs it; `None` for phases that it never runs.
    pub fn stage(&self) -> Option<Stage> {
        stage(&self.name)
    }
}

/// The stage in which Image Builder runs a phase of this name; `None` if it never does.
pub fn stage(phase: &str) -> Option<Stage> {
    match phase {
        "build" | "validate" => Some(Stage::Build),
        "test" | "container-host-test" => Some(Stage::Test),
        _ => None,
    }
}

/// What happens when the last attempt of a step has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing further is run.
    #[default]
    Abort,
    /// The rest is run, and the execution fails at its end.
    Continue,
    /// The rest is run, and the failure does not count.
    Ignore,
}

impl OnFailure {
    /// The words for it.
    pub const NAMES: [&str; 3] = ["Abort", "Continue", "Ignore"];

    /// What each of the words means.
    pub const SUMMARIES: [&str; 3] = [
        "Nothing further is run; the build fails.",
        "The rest is run, and the build fails at its end.",
        "The rest is run, and the failure does not count.",
    ];

    /// Reads the word; letter case counts.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Abort" => Some(Self::Abort),
            "Continue" => Some(Self::Continue),
            "Ignore" => Some(Self::Ignore),
            _ => None,
        }
    }
}

/// The time limit of a step that gives none (reference/component-documents.md section 3).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_hours(2);

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it does.
    pub module: &'static Module,
    /// Time limit of one attempt; `None` for no limit.
    pub timeout: Option<Duration>,
    /// What happens after the last failed attempt.
    pub on_failure: OnFailure,
    /// How often it is tried, at least 1.
    pub max_attempts: u32,
    /// Whether output is kept out of the logs.
    pub disable_logging: bool,
    /// One set of inputs for modules that take a mapping (none if left out), any number for those that take a list.
    pub inputs: Vec<Item>,
    /// What stands below `if`.
    pub branching: Option<Branching>,
    /// The condition below the `inputs` of Assert.
    pub assertion: Option<Condition>,
    /// What stands below `loop`.
    pub repeat: Option<Loop>,
    /// Where its name stands.
    pub span: Span,
    /// Where the name of its action stands.
    pub action_span: Span,
    /// Where its other keys stand.
    pub places: Places,
}

/// Where the keys of a step stand; a rule speaks of them, and of those that are missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// The whole step, from its first key on.
    pub whole: Span,
    /// Key and value of `timeoutSeconds`.
    pub timeout: Option<(Span, Span)>,
    /// Key and value of `onFailure`.
    pub on_failure: Option<(Span, Span)>,
    /// Key and value of `maxAttempts`.
    pub max_attempts: Option<(Span, Span)>,
    /// Key and value of `inputs`.
    pub inputs: Option<(Span, Span)>,
}

/// One set of inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What is given, in document order.
    pub fields: Vec<Field>,
    /// Where it stands.
    pub span: Span,
}

impl Item {
    /// The value of an input, if given.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }
}

/// One input of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Where its name stands.
    pub span: Span,
    /// Where its value stands.
    pub value_span: Span,
    /// Its value.
    pub value: Value,
}

/// The value of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, with expressions.
    Text(Template),
    /// A list of texts.
    Texts(Vec<Template>),
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Count(u64),
    /// Names and values.
    Pairs(Vec<(String, Template)>),
}

impl Value {
    /// All texts in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Text(template) => vec![template],
            Self::Texts(templates) => templates.iter().collect(),
            Self::Pairs(pairs) => pairs.iter().map(|(_, template)| template).collect(),
            Self::Boolean(_) | Self::Count(_) => vec![],
        }
    }
}

impl Step {
    /// All texts with expressions: inputs, `loop`, `if`.
    pub fn templates(&self) -> Vec<&Template> {
        let inputs = self.inputs.iter().flat_map(|item| &item.fields).flat_map(|field| field.value.templates());
        let conditions = self.branching.iter().map(|branching| &branching.condition).chain(&self.assertion);
        let tests = conditions.flat_map(Condition::tests).flat_map(Test::templates);
        let repeat = self.repeat.iter().flat_map(Loop::templates);
        inputs.chain(tests).chain(repeat).collect()
    }

    /// The input of a name in the first set of inputs.
    pub fn input(&self, name: &str) -> Option<&Value> {
        self.inputs.first()?.get(name)
    }
}
