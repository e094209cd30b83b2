//! References: does what an expression names exist, and can it be known when the step runs?

use super::expression::{Chain, Expression, Side, Template};
use super::model::{Stage, Step, stage};
use super::modules::Shape;
use super::parse::{Draft, DraftPhase, DraftStep};
use crate::diagnostic::{Diagnostic, Edit, SourceFile, Span, suggest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Checks every expression of a document.
pub fn check(diagnostics: &mut Vec<Diagnostic>, source: &Arc<SourceFile>, draft: &Draft) {
    let index = Index::new(draft);
    for (phase_number, phase) in draft.phases.iter().enumerate() {
        for (step_number, step) in phase.steps.iter().enumerate() {
            let Some(step) = &step.step else { continue };
            let from = From { draft, index: &index, source, phase, at: (phase_number, step_number), step };
            for (expression, span) in step.templates().into_iter().flat_map(Template::expressions) {
                diagnostics.extend(from.check(expression, span));
            }
        }
    }
}

/// Words of other template engines that look like the name of a parameter.
const FOREIGN: &[&str] = &["end", "else", "endif", "endfor", "endfilter", "endmacro", "super", "this"];

/// No more names than this are compared with a misspelled one, and a fifth of them listed: a document with thousands of
/// names and thousands of slips is no document, but its check must end.
const MOST_COMPARED: usize = 100;

/// What can be referred to, so that a reference does not have to look through the whole document.
struct Index<'a> {
    /// Parameters and constants.
    names: BTreeSet<&'a str>,
    /// The first phase of each name.
    phases: BTreeMap<&'a str, usize>,
    /// The first step of each name in each phase.
    steps: BTreeMap<(usize, &'a str), usize>,
    /// Phases with a step whose name could not be read.
    unclear: BTreeSet<usize>,
}

impl<'a> Index<'a> {
    fn new(draft: &'a Draft) -> Self {
        let document = &draft.document;
        let parameters = document.parameters.iter().map(|parameter| parameter.name.as_str());
        let names = parameters.chain(document.constants.iter().map(|constant| constant.name.as_str())).collect();
        let mut index = Self { names, phases: BTreeMap::new(), steps: BTreeMap::new(), unclear: BTreeSet::new() };
        for (phase_at, phase) in draft.phases.iter().enumerate() {
            index.phases.entry(&phase.phase.name).or_insert(phase_at);
            for (step_at, step) in phase.steps.iter().enumerate() {
                match step.name.as_deref() {
                    Some(name) => {
                        index.steps.entry((phase_at, name)).or_insert(step_at);
                    }
                    None => {
                        index.unclear.insert(phase_at);
                    }
                }
            }
        }
        index
    }
}

/// Where a reference is made from.
struct From<'a> {
    draft: &'a Draft,
    index: &'a Index<'a>,
    source: &'a Arc<SourceFile>,
    phase: &'a DraftPhase,
    at: (usize, usize),
    step: &'a Step,
}

/// The step a reference names: its position, phase and draft.
struct Target<'a> {
    at: (usize, usize),
    phase: &'a DraftPhase,
    draft: &'a DraftStep,
}

impl From<'_> {
    fn check(&self, expression: &Expression, span: Span) -> Option<Diagnostic> {
        match expression {
            Expression::Name(_) | Expression::Ssm(_) => self.name(expression.declared()?, span),
            Expression::Loop { name, field } => self.loop_variable(name, field, span),
            Expression::Chain(chain) => self.chain(chain, span),
            Expression::Imds(_) | Expression::Environment(_) | Expression::Context(_) => None,
        }
    }

    fn error(&self, code: &'static str, span: Span, message: String, label: &str) -> Diagnostic {
        Diagnostic::error(code, message).at(self.source, span, label)
    }

    fn name(&self, name: &str, span: Span) -> Option<Diagnostic> {
        if self.index.names.contains(name) || !self.draft.names_known {
            return None;
        }
        let names: Vec<&str> = self.index.names.iter().copied().take(MOST_COMPARED).collect();
        let message = format!("no parameter or constant is named `{name}`");
        let diagnostic = self.error("X001", span, message, "undeclared");
        if FOREIGN.contains(&name) {
            let note = "text for another template engine cannot stand in double braces: there is no escape for them";
            return Some(diagnostic.note(note).help("keep the template in a file of its own, and download it"));
        }
        Some(match suggest(name, &names) {
            Some(_) => near(diagnostic, name, &names),
            None => diagnostic.help(format!("declare it: `parameters: [{{ {name}: {{ type: string }} }}]`")),
        })
    }

    fn loop_variable(&self, name: &str, field: &str, span: Span) -> Option<Diagnostic> {
        let Some(repeat) = &self.step.repeat else {
            let message = format!("`{name}.{field}` is a loop variable, but step `{}` has no loop", self.step.name);
            return Some(
                self.error("X015", span, message, "would stay as it is written")
                    .inferred()
                    .help("give the step a `loop`, or write a parameter, a constant or a value of another step"),
            );
        };
        if repeat.span.contains(span) {
            let message = format!("a loop cannot go over its own `{field}`");
            let diagnostic = self.error("X015", span, message, "not known before the loop runs").inferred();
            return Some(diagnostic.help("write the items out, or take them from an earlier step"));
        }
        let own = repeat.name.as_ref().map(|(name, _)| name.as_str());
        if name == "loop" || own == Some(name) {
            return None;
        }
        let message = format!("the loop of step `{}` is not named `{name}`", self.step.name);
        Some(self.error("X015", span, message, "unknown loop").inferred().help(match own {
            Some(own) => format!("write `{own}.{field}`, or `loop.{field}`, which is always the step's own loop"),
            None => format!("write `loop.{field}`, or give the loop this `name`"),
        }))
    }

    fn chain(&self, chain: &Chain, span: Span) -> Option<Diagnostic> {
        let Some(Target { at, phase, draft }) = self.target(chain) else { return self.unknown(chain, span) };
        if let (Some(here), Some(there)) = (stage(&self.phase.phase.name), stage(&phase.phase.name))
            && here != there
        {
            let words = |stage| if stage == Stage::Build { "build" } else { "test" };
            let message = format!(
                "the {} stage knows nothing of step `{}` of the {} stage",
                words(here),
                chain.step,
                words(there)
            );
            let diagnostic = self.error("X004", span, message, "runs on another instance");
            return Some(diagnostic.help(if here == Stage::Test {
                "keep what is needed in a file of the image, and read it there"
            } else {
                "the test stage comes later: move the step that is referred to into phase `build` or `validate`"
            }));
        }
        if chain.side == Side::Outputs && at >= self.at {
            let (message, label, help) = if at == self.at {
                let message = format!("step `{}` cannot use its own outputs", chain.step);
                (
                    message,
                    "not known before it has run",
                    "take the value from an earlier step, or compute it in the script",
                )
            } else {
                let message = format!("step `{}` runs later than this one", chain.step);
                (message, "not known yet", "move that step in front of this one")
            };
            return Some(self.error("X005", span, message, label).inferred().help(help));
        }
        let step = draft.step.as_ref().filter(|_| !draft.faulty)?;
        self.value(chain, step, span)
    }

    /// The step a chain names.
    fn target(&self, chain: &Chain) -> Option<Target<'_>> {
        let &phase_at = self.index.phases.get(chain.phase.as_str())?;
        let &step_at = self.index.steps.get(&(phase_at, chain.step.as_str()))?;
        let phase = &self.draft.phases[phase_at];
        Some(Target { at: (phase_at, step_at), phase, draft: &phase.steps[step_at] })
    }

    /// Says which part of a chain names nothing; `None` if a step that could not be read may be meant.
    fn unknown(&self, chain: &Chain, span: Span) -> Option<Diagnostic> {
        let phases = &self.draft.phases;
        let Some(&phase_at) = self.index.phases.get(chain.phase.as_str()) else {
            let names: Vec<&str> = phases.iter().map(|phase| phase.phase.name.as_str()).take(MOST_COMPARED).collect();
            let message = format!("no phase is named `{}`", chain.phase);
            return Some(near(self.error("X001", span, message, "unknown phase"), &chain.phase, &names));
        };
        if self.index.unclear.contains(&phase_at) {
            return None;
        }
        let steps = phases[phase_at].steps.iter();
        let names: Vec<&str> = steps.filter_map(|step| step.name.as_deref()).take(MOST_COMPARED).collect();
        let message = format!("phase `{}` has no step named `{}`", chain.phase, chain.step);
        Some(near(self.error("X001", span, message, "unknown step"), &chain.step, &names))
    }

    /// Whether the step has the input or output.
    fn value(&self, chain: &Chain, step: &Step, span: Span) -> Option<Diagnostic> {
        let module = step.module;
        if let Some(fault) = self.index(chain, step, span) {
            return Some(fault);
        }
        let item = step.inputs.get(chain.index.unwrap_or(0));
        let (known, message): (Vec<&str>, String) = match chain.side {
            Side::Outputs => (
                module.outputs.iter().map(|output| output.name).collect(),
                format!("{} has no output `{}`", module.name, chain.key),
            ),
            // What a condition is made of is not told apart as inputs.
            Side::Inputs if module.shape == Shape::Condition => return None,
            Side::Inputs => (
                item.map_or_else(Vec::new, |item| item.fields.iter().map(|field| field.name).collect()),
                format!("step `{}` is given no input `{}`", step.name, chain.key),
            ),
        };
        if known.contains(&chain.key.as_str()) {
            return None;
        }
        let label = format!("unknown {}", chain.side.word().trim_end_matches('s'));
        let diagnostic = self.error("X002", span, message, &label);
        let given = item.is_some_and(|item| item.get(&chain.key).is_some());
        if chain.side == Side::Inputs || !given {
            return Some(near(diagnostic, &chain.key, &known));
        }
        // What was an input is asked for as an output: that is where the value is.
        let number = |index: usize| format!("[{index}]");
        let asked = chain.index.map_or_else(String::new, number);
        let index = if module.shape == Shape::List { number(chain.index.unwrap_or(0)) } else { String::new() };
        let diagnostic = diagnostic.help(format!("the step was given it: write `inputs{index}.{}`", chain.key));
        Some(rewritten(diagnostic, &format!(".outputs{asked}."), &format!(".inputs{index}.")))
    }

    /// What is wrong with the index of a chain, or with its absence.
    fn index(&self, chain: &Chain, step: &Step, span: Span) -> Option<Diagnostic> {
        let (module, items, word) = (step.module, step.inputs.len(), chain.side.word());
        // The outputs of all iterations of a loop are joined; how they are numbered then is not documented.
        let counted = chain.side == Side::Inputs || step.repeat.is_none();
        match (module.shape, chain.index) {
            (Shape::List, Some(index)) if index >= items && counted => {
                let message = format!("step `{}` has no item {index}", step.name);
                let diagnostic = self.error("X003", span, message, "index out of range");
                Some(diagnostic.help(match items {
                    1 => "its only item has the index 0".to_owned(),
                    _ => format!("items are counted from 0: the last one is {}", items.saturating_sub(1)),
                }))
            }
            (Shape::List, None) if chain.side == Side::Inputs => {
                let message = format!("step `{}` has a list of inputs: say which item is meant", step.name);
                let diagnostic = self.error("X003", span, message, "index missing");
                let diagnostic = diagnostic.help(format!("write `inputs[0].{}`", chain.key));
                Some(rewritten(diagnostic, ".inputs.", ".inputs[0]."))
            }
            // ExecuteDocument gives one summary for each document.
            (Shape::Map | Shape::Condition, Some(index)) if module.output("executionId").is_none() => {
                let message = format!("{} has one set of {word}, not a list", module.name);
                let diagnostic = self.error("X003", span, message, "no index here");
                let diagnostic = diagnostic.help(format!("write `{word}.{}`", chain.key));
                Some(rewritten(diagnostic, &format!(".{word}[{index}]."), &format!(".{word}.")))
            }
            _ => None,
        }
    }
}

/// Adds a suggestion, or all there is to choose from.
fn near(diagnostic: Diagnostic, word: &str, known: &[&str]) -> Diagnostic {
    match suggest(word, known) {
        Some(near) => rewritten(diagnostic.help(format!("did you mean `{near}`?")), word, near),
        None if known.is_empty() => diagnostic.help("it has none at all"),
        None => {
            let (shown, rest) = known.split_at(known.len().min(MOST_COMPARED / 5));
            let more = if rest.is_empty() { "" } else { ", …" };
            diagnostic.help(format!("known here: {}{more}", shown.join(", ")))
        }
    }
}

/// Offers to write `new` for `old`, where that stands once at the place of the diagnostic.
fn rewritten(diagnostic: Diagnostic, old: &str, new: &str) -> Diagnostic {
    let Some(label) = &diagnostic.primary else { return diagnostic };
    let text = label.source.slice(label.span);
    match text.match_indices(old).collect::<Vec<_>>().as_slice() {
        [(at, _)] => {
            let start = label.span.start + at;
            let edit = Edit::replace(Span::new(start, start + old.len()), new);
            diagnostic.unsafe_fix(format!("write `{}`", new.trim_matches('.')), vec![edit])
        }
        _ => diagnostic,
    }
}
