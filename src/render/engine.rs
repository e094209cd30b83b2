//! One rendering: strict Handlebars without HTML escaping, its errors turned into located diagnostics.

use super::codes;
use super::helpers::{self, Call};
use crate::diagnostic::{Diagnostic, SourceFile, Span, suggest};
use handlebars::{Handlebars, RenderErrorReason, TemplateError, TemplateErrorReason, no_escape};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Says how an expression for the runner is written; the most likely reason of an unknown name.
const BACKSLASH: &str = "an expression for the component runner is written with a backslash in front: \\{{ ... }}";

/// Everything a template can use.
pub(super) struct Inputs<'a> {
    /// Names and their values.
    pub variables: BTreeMap<&'static str, String>,
    /// What the recipe passes, for the helper `parameter`.
    pub parameters: &'a BTreeMap<String, String>,
    /// Pieces to include, by name.
    pub partials: &'a BTreeMap<String, Arc<SourceFile>>,
}

/// What came out.
pub(super) struct Rendered {
    /// The text.
    pub text: String,
    /// The parameters the template asked for.
    pub asked: BTreeSet<String>,
}

/// Why nothing came out.
pub(super) enum Fault {
    /// The template is wrong.
    Template(Box<Diagnostic>),
    /// What the recipe passes is wrong: a sentence, and the place in the template that asked.
    Parameter(String, Box<Diagnostic>),
}

/// Templates that have been compiled, with the partials they may include. A template is asked for by its text: what has
/// changed is compiled again.
#[derive(Debug, Default)]
pub(super) struct Templates {
    compiled: Mutex<HashMap<Arc<SourceFile>, Arc<Compiled>>>,
    partials: Mutex<Option<Arc<Partials>>>,
}

/// The partials of a project, compiled.
#[derive(Debug)]
struct Partials {
    sources: BTreeMap<String, Arc<SourceFile>>,
    registry: Handlebars<'static>,
}

/// A template with everything it may include.
#[derive(Debug)]
struct Compiled {
    partials: Arc<Partials>,
    /// One rendering at a time: the helpers look into its call.
    machine: Mutex<Machine>,
}

#[derive(Debug)]
struct Machine {
    registry: Handlebars<'static>,
    call: Arc<Mutex<Call>>,
}

impl Templates {
    /// Renders a template. The same inputs give the same bytes.
    pub(super) fn render(&self, source: &Arc<SourceFile>, inputs: &Inputs<'_>) -> Result<Rendered, Fault> {
        let compiled = self.compiled(source, inputs.partials).map_err(|fault| Fault::Template(Box::new(fault)))?;
        let machine = held(&compiled.machine);
        *held(&machine.call) = Call { given: inputs.parameters.clone(), ..Call::default() };
        let result = machine.registry.render("", &inputs.variables);
        let mut call = std::mem::take(&mut *held(&machine.call));
        match result {
            Ok(text) => Ok(Rendered { text, asked: call.names }),
            Err(error) => {
                let name = error.template_name.as_deref().unwrap_or_default();
                let source = inputs.partials.get(name).unwrap_or(source);
                let span = place(source, error.line_no, error.column_no);
                let diagnostic = Box::new(explain(error.reason(), source, span, inputs));
                Err(match call.problem.take() {
                    Some(problem) => Fault::Parameter(problem, diagnostic),
                    None => Fault::Template(diagnostic),
                })
            }
        }
    }

    /// A template that can be rendered; a faulty one is not remembered.
    fn compiled(
        &self,
        source: &Arc<SourceFile>,
        partials: &BTreeMap<String, Arc<SourceFile>>,
    ) -> Result<Arc<Compiled>, Diagnostic> {
        let mut known = held(&self.compiled);
        if let Some(found) = known.get(source).filter(|found| found.partials.sources == *partials) {
            return Ok(Arc::clone(found));
        }
        let mut registry = strict();
        add(&mut registry, "", source)?;
        let partials = self.partials(partials)?;
        for name in partials.sources.keys() {
            if let Some(template) = partials.registry.get_template(name) {
                registry.register_template(name, template.clone());
            }
        }
        let mut sources = BTreeMap::from([("", source)]);
        sources.extend(partials.sources.iter().map(|(name, source)| (name.as_str(), source)));
        if let Some(diagnostic) = circle(&sources) {
            return Err(diagnostic);
        }
        let call = Arc::default();
        helpers::register(&mut registry, &call);
        let compiled = Arc::new(Compiled { partials, machine: Mutex::new(Machine { registry, call }) });
        known.insert(Arc::clone(source), Arc::clone(&compiled));
        Ok(compiled)
    }

    fn partials(&self, sources: &BTreeMap<String, Arc<SourceFile>>) -> Result<Arc<Partials>, Diagnostic> {
        if sources.is_empty() {
            return Ok(Arc::new(Partials { sources: BTreeMap::new(), registry: Handlebars::new() }));
        }
        let mut known = held(&self.partials);
        if let Some(found) = known.as_ref().filter(|found| found.sources == *sources) {
            return Ok(Arc::clone(found));
        }
        let mut registry = strict();
        for (name, source) in sources {
            add(&mut registry, name, source)?;
        }
        Ok(Arc::clone(known.insert(Arc::new(Partials { sources: sources.clone(), registry }))))
    }
}

fn strict() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    registry
}

fn add(registry: &mut Handlebars<'_>, name: &str, source: &Arc<SourceFile>) -> Result<(), Diagnostic> {
    registry.register_template_string(name, &source.text).map_err(|error| syntax(&error, source))
}

/// What a lock protects. Whoever panicked with it has left nothing behind that the next one reads.
pub(super) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn syntax(error: &TemplateError, source: &Arc<SourceFile>) -> Diagnostic {
    let (line, column) = error.pos().unzip();
    let why = match error.reason() {
        // The parser lists the rules of its grammar here, which says nothing to anybody who does not know it.
        TemplateErrorReason::InvalidSyntax(_) => {
            "an expression or block is not closed, or not one Handlebars knows".to_owned()
        }
        other => first_line(&other.to_string()).to_owned(),
    };
    Diagnostic::error(codes::SYNTAX, format!("the template does not parse: {why}"))
        .at(source, place(source, line, column), "at the latest here")
        .help(BACKSLASH)
}

fn explain(reason: &RenderErrorReason, source: &Arc<SourceFile>, span: Span, inputs: &Inputs<'_>) -> Diagnostic {
    let unknown = |what: &str, word: &str, known: Vec<&str>| {
        let near = suggest(word, known.iter().copied());
        let label = near.map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
        Diagnostic::error(codes::UNKNOWN_NAME, format!("`{word}` is not {what}"))
            .at(source, span, label)
            .help(format!("known: {}", known.join(", ")))
    };
    let variables = || inputs.variables.keys().copied().collect();
    match reason {
        RenderErrorReason::MissingVariable(name) => {
            unknown("a name templates know", name.as_deref().unwrap_or("this"), variables()).help(BACKSLASH)
        }
        RenderErrorReason::HelperNotFound(name) => {
            unknown("a helper or a name templates know", name, variables()).help(BACKSLASH)
        }
        RenderErrorReason::PartialNotFound(name) => {
            unknown("a partial", name, inputs.partials.keys().map(String::as_str).collect())
        }
        RenderErrorReason::TemplateError(error) => syntax(error, source),
        other => Diagnostic::error(codes::HELPER, first_line(&other.to_string()).to_owned()).at(source, span, "here"),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Handlebars counts lines and columns from one; the place is the expression that starts there, else the line.
fn place(source: &SourceFile, line: Option<usize>, column: Option<usize>) -> Span {
    let Some(line) = line else { return Span::default() };
    let start: usize = source.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let text = source.text[start..].lines().next().unwrap_or_default();
    let column = column.unwrap_or(1).saturating_sub(1);
    let from = text.char_indices().nth(column).map_or(text.len(), |(offset, _)| offset);
    let from = if text[from..].trim().is_empty() { 0 } else { from };
    let length = match text[from..].find("}}") {
        Some(end) if text[from..].starts_with("{{") => end + 2,
        _ => text[from..].trim_end().len(),
    };
    Span::new(start + from, start + from + length)
}

/// Partials that include each other without end; the renderer would use up the stack.
fn circle(sources: &BTreeMap<&str, &Arc<SourceFile>>) -> Option<Diagnostic> {
    fn walk<'a>(
        name: &'a str,
        sources: &BTreeMap<&'a str, &'a Arc<SourceFile>>,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Diagnostic> {
        let source = *sources.get(name)?;
        if !done.insert(name) {
            return None;
        }
        path.push(name);
        for (offset, included) in includes(&source.text) {
            if path.contains(&included) {
                let message = format!("the partial `{included}` includes itself");
                let span = Span::new(offset, offset + included.len());
                return Some(Diagnostic::error(codes::SYNTAX, message).at(source, span, "would never end"));
            }
            if let Some(found) = walk(included, sources, path, done) {
                return Some(found);
            }
        }
        path.pop();
        None
    }
    let mut done = BTreeSet::new();
    sources.keys().find_map(|name| walk(name, sources, &mut vec![], &mut done))
}

/// The names of partials a text includes, with their offsets; what stands in a comment does not count.
fn includes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let opened = ["{{>", "{{~>", "{{#>"].into_iter().flat_map(|open| text.match_indices(open));
    let commented = |offset: usize| {
        let before = &text[..offset];
        before.rfind("{{!--").is_some_and(|start| !before[start..].contains("--}}"))
    };
    opened.filter(move |(offset, _)| !commented(*offset)).map(|(offset, open)| {
        let rest = &text[offset + open.len()..];
        let skipped = rest.len() - rest.trim_start().len();
        let end = |c: char| c.is_whitespace() || c == '}' || c == '~';
        (offset + open.len() + skipped, rest.trim_start().split(end).next().unwrap_or_default())
    })
}
