//! What the component runner leaves: its summary, `detailedoutput.json`, `console.log`
//! (component-documents.md sections 10 and 11). Read leniently: fields come and go, and this only serves to explain.

use crate::runner::StepFailure;
use regex_lite::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Executed documents in executed documents; awstoe allows three.
const DEEPEST: usize = 8;

/// A step of a component that failed, as far as one source knows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Failed {
    pub(super) document: Option<String>,
    pub(super) phase: Option<String>,
    pub(super) step: Option<String>,
    pub(super) action: Option<String>,
    pub(super) line: Option<usize>,
    pub(super) message: Option<String>,
    pub(super) exit: Option<i32>,
    pub(super) timed_out: bool,
    /// What it wrote, oldest first.
    pub(super) lines: Vec<String>,
}

impl From<StepFailure> for Failed {
    fn from(step: StepFailure) -> Self {
        Self {
            exit: exit_code(&step.message),
            timed_out: timed_out(&step.message),
            document: Some(step.document),
            phase: Some(step.phase),
            step: Some(step.step),
            action: Some(step.action),
            line: Some(step.line),
            message: Some(step.message),
            lines: step.last_lines,
        }
    }
}

impl Failed {
    /// What is not known here, `other` may know, if it speaks of the same step.
    pub(super) fn or(mut self, other: Self) -> Self {
        let same = match (&self.step, &other.step) {
            (Some(own), Some(others)) => own == others,
            _ => true,
        };
        if !same {
            return self;
        }
        self.document = self.document.or(other.document);
        self.phase = self.phase.or(other.phase);
        self.step = self.step.or(other.step);
        self.action = self.action.or(other.action);
        self.line = self.line.or(other.line);
        self.message = self.message.or(other.message);
        self.exit = self.exit.or(other.exit);
        self.timed_out |= other.timed_out;
        if self.lines.is_empty() {
            self.lines = other.lines;
        }
        self
    }
}

/// The value of `key` in a workflow step's `inputs` or `outputs` text.
pub(in crate::build) fn field(text: &str, key: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get(key)?.as_str().map(str::to_owned)
}

/// The runner's summary in the `outputs` text of a workflow step: JSON in a string; an object and a list of strings are
/// tolerated.
pub(in crate::build) fn summary(outputs: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(outputs).ok()?;
    match value.get("output")? {
        Value::String(text) => inner(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).find_map(inner),
        object @ Value::Object(_) => Some(object.clone()),
        _ => None,
    }
}

fn inner(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text.trim()).ok().filter(Value::is_object)
}

/// What the summary says of the step that failed. Only our own runner names it; awstoe has a message for all of it.
pub(super) fn of_summary(summary: &Value) -> Failed {
    let step = summary.get("failure").cloned().and_then(|step| serde_json::from_value::<StepFailure>(step).ok());
    let message = text(summary, "failureMessage");
    step.map(Failed::from).unwrap_or_default().or(Failed { message, ..Failed::default() })
}

/// The first step of `detailedoutput.json` that failed; inside of an executed document the one that failed there.
pub(super) fn of_detail(json: &str) -> Option<Failed> {
    of_tree(&serde_json::from_str(json).ok()?, 0)
}

fn of_tree(tree: &Value, depth: usize) -> Option<Failed> {
    for document in list(tree, "documents") {
        for phase in list(document, "phases") {
            let Some(step) = list(phase, "steps").find(|step| is_failed(step)) else { continue };
            let mut inside = list(step, "detailedOutput").filter(|_| depth < DEEPEST);
            if let Some(found) = inside.find_map(|tree| of_tree(tree, depth + 1)) {
                return Some(found);
            }
            return Some(of_step(document, phase, step));
        }
    }
    None
}

fn of_step(document: &Value, phase: &Value, step: &Value) -> Failed {
    let message = text(step, "failureMessage");
    let said = message.as_deref().unwrap_or_default();
    Failed {
        document: text(document, "name").or_else(|| text(document, "filePath")),
        phase: text(phase, "name"),
        step: text(step, "name"),
        action: text(step, "action"),
        line: None,
        exit: exit_code(said),
        timed_out: timed_out(said) || text(step, "status").is_some_and(|status| lower(&status).contains("timedout")),
        lines: printed(step),
        message,
    }
}

/// `outputs` is JSON in a string, one object for each of the step's inputs.
fn printed(step: &Value) -> Vec<String> {
    let outputs = text(step, "outputs").and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
    let outputs = outputs.as_array().cloned().unwrap_or_default();
    let said = |output: &Value| ["stdout", "stderr"].map(|key| text(output, key).unwrap_or_default());
    outputs.iter().flat_map(said).flat_map(|said| said.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn is_failed(step: &Value) -> bool {
    let status = lower(&text(step, "status").unwrap_or_default());
    (status.contains("fail") && !status.contains("ignored")) || status.contains("timedout")
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase().replace(['_', ' '], "")
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The console, read from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Console {
    /// The step that failed, with everything it wrote.
    pub(super) failed: Option<Failed>,
    /// How often the machine was restarted on request.
    pub(super) restarts: usize,
}

/// Reads `console.log`, the stream of `CloudWatch`, or a command's output: they have the same lines.
pub(super) fn of_console(log: &str) -> Console {
    let mut console = Console::default();
    let mut current = Failed::default();
    let mut broken = false;
    for raw in log.lines() {
        let line = without_time(raw);
        if line.starts_with("TOE has completed execution with failure") {
            broken = true;
            continue;
        }
        console.restarts += usize::from(line.starts_with("Rebooting the system now"));
        if let Some(begun) = heading(line, &current) {
            current = begun;
        } else if let Some(ended) = section_line(line, &mut current) {
            broken |= ended;
            if ended {
                console.failed = Some(current.clone());
            }
        }
    }
    // awstoe's own text may end without a word about the step: then it is the last one.
    if console.failed.is_none() && broken && current.step.is_some() {
        console.failed = Some(current);
    }
    console.failed =
        block(log).map_or(console.failed.clone(), |named| Some(named.or(console.failed.unwrap_or_default())));
    console
}

/// `Document X`, `Phase X`, `Step X` begin something new.
fn heading(line: &str, current: &Failed) -> Option<Failed> {
    let (word, name) = line.split_once(' ')?;
    let name = name.trim();
    if name.is_empty() || (word != "Document" && name.contains(' ')) {
        return None;
    }
    let name = Some(name.to_owned());
    match word {
        "Document" if !line.ends_with("failed!") => Some(Failed { document: name, ..Failed::default() }),
        "Phase" => Some(Failed { document: current.document.clone(), phase: name, ..Failed::default() }),
        "Step" => Some(Failed {
            document: current.document.clone(),
            phase: current.phase.clone(),
            step: name,
            ..Failed::default()
        }),
        _ => None,
    }
}

/// Takes a line of a step in; whether it says that the step failed.
fn section_line(line: &str, current: &mut Failed) -> Option<bool> {
    current.step.as_ref()?;
    let text = line.strip_prefix("CmdExecution: ").unwrap_or(line);
    if let Some(code) = text.strip_prefix("ExitCode ").and_then(|code| code.trim().parse::<i32>().ok()) {
        current.exit = Some(code).filter(|code| *code != 0);
        return Some(!matches!(code, 0 | 194 | 3010));
    }
    if let Some((action, rest)) = line.split_once(": ")
        && (current.action.as_deref() == Some(action) || rest == "STARTED EXECUTION")
        && action.chars().all(char::is_alphanumeric)
    {
        return Some(runner_says(action, rest, current));
    }
    let said = ["Stdout:", "Stderr:"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(line);
    if !said.trim().is_empty() && !line.starts_with("Executor: ") {
        current.lines.push(said.strip_prefix(' ').unwrap_or(said).to_owned());
    }
    Some(false)
}

/// What the runner itself says of a step, `ExecuteBash: …`; whether that is its failure.
fn runner_says(action: &str, text: &str, current: &mut Failed) -> bool {
    current.action = Some(action.to_owned());
    let chatter = ["STARTED", "FINISHED", "SKIPPED", "FAILED", "TIMED OUT", "Created ", "Removing "];
    if !chatter.iter().any(|begin| text.starts_with(begin)) {
        current.exit = current.exit.or_else(|| exit_code(text));
        current.timed_out |= timed_out(text);
        current.message = Some(text.to_owned());
    }
    current.timed_out |= text == "TIMED OUT";
    matches!(text, "FAILED" | "TIMED OUT")
}

/// The block that the service prints of a component that failed. The last one counts.
pub(super) fn block(text: &str) -> Option<Failed> {
    let lines: Vec<&str> = text.lines().map(without_time).collect();
    let start = lines.iter().rposition(|line| line.starts_with("ErrorMessage:"))?;
    let from = lines[..start].iter().rposition(|line| line.starts_with("Document:"))?;
    let value = |key: &str| {
        let found = lines[from..=start].iter().find_map(|line| line.strip_prefix(key))?.trim();
        (!found.is_empty()).then(|| found.to_owned())
    };
    let message = value("ErrorMessage:");
    let (step, line) = numbered(value("Step:"));
    let said = lines[start + 1..].iter().filter(|line| !line.starts_with("TOE has completed"));
    let lines = said.map(|line| line.strip_prefix("Stderr:").unwrap_or(line).trim_end());
    Some(Failed {
        document: value("ComponentArn:").or_else(|| value("Document:")),
        phase: value("Phase:"),
        step,
        action: value("Action:"),
        line,
        exit: message.as_deref().and_then(exit_code),
        timed_out: message.as_deref().is_some_and(timed_out),
        message,
        lines: lines.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
    })
}

/// `Install (line 9)`
fn numbered(step: Option<String>) -> (Option<String>, Option<usize>) {
    let Some(step) = step else { return (None, None) };
    let split = step.strip_suffix(')').and_then(|text| text.rsplit_once(" (line "));
    match split.map(|(name, line)| (name.to_owned(), line.parse().ok())) {
        Some((name, line)) => (Some(name), line),
        None => (Some(step), None),
    }
}

static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]?\d*Z? (?:(?:Info|Debug|Warn|Warning|Error) )?").ok()
});

/// A line without the time and the level in front of it.
pub(super) fn without_time(line: &str) -> &str {
    let end = TIME.as_ref().and_then(|time| time.find(line)).map_or(0, |found| found.end());
    &line[end..]
}

static EXIT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(?:exit code|exit status|exitcode|exited with(?: code)?) ?:? ?(-?\d+)").ok());

/// The exit code that a message names. A program killed by signal 9 is what a shell calls 137.
pub(super) fn exit_code(message: &str) -> Option<i32> {
    let number =
        EXIT.as_ref().and_then(|exit| exit.captures(message)).and_then(|found| found.get(1)?.as_str().parse().ok());
    let signal =
        || message.split("killed by signal ").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i32>().ok();
    number.or_else(|| signal().and_then(|signal| signal.checked_add(128)))
}

/// Whether a message says that the time of a step was up.
pub(super) fn timed_out(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["did not end within", "command execution timed out", "execution timed out", "timed out after"]
        .iter()
        .any(|words| message.contains(words))
}
