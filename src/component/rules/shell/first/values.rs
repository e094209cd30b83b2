//! What is known about the value of an expression before anything runs.

use crate::component::expression::{self, Chain, Expression, Part, Side, Template};
use crate::component::model::{Document, Item, Step, Value};
use crate::component::modules::Shape;
use crate::component::repeat::Over;

/// A text of a script in which at most constants are put in; `None` if there is more.
pub fn resolved(document: &Document, text: &str) -> Option<String> {
    let mut whole = String::new();
    let mut faulty = false;
    for part in expression::split(text, |_| crate::diagnostic::Span::default(), |_, _| faulty = true) {
        match part {
            Part::Literal(text) => whole.push_str(&text),
            Part::Expression(Expression::Name(name), _) => whole.push_str(constant(document, &name)?),
            Part::Expression(..) => return None,
        }
    }
    (!faulty && !whole.contains('$')).then_some(whole)
}

fn constant<'a>(document: &'a Document, name: &str) -> Option<&'a str> {
    document.constants.iter().find(|constant| constant.name == name).map(|constant| constant.value.as_str())
}

/// Whether a text is one word to every shell, and nothing else.
pub fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// The keys of `context:` whose values are one word each.
const CONTEXT: &[&str] =
    &["executionId", "accountId", "region", "osPlatform", "date", "dateTime", "uuid", "hostname", "phase", "step"];

/// What Image Builder sets in the environment, where it is one word in every build.
const ENVIRONMENT: &[&str] = &[
    "IMAGE_WORKFLOW_EXECUTION_ID",
    "IMAGE_STEP_EXECUTION_ID",
    "IMAGE_BUILD_VERSION_ARN",
    "IMAGE_PHASE",
    "IMAGE_VERSION",
    "IMAGE_BUILD_VERSION",
];

/// Instance metadata that is one word on every instance.
const METADATA: &[&str] =
    &["ami-id", "instance-id", "instance-type", "local-hostname", "local-ipv4", "mac", "reservation-id"];

/// How far references to inputs of other steps are followed.
const DEEPEST: usize = 8;

/// Whether the value of the text between braces is one word in every build. What a recipe or a step decides is not.
pub fn is_harmless(document: &Document, step: &Step, text: &str) -> bool {
    expression::parse(text).is_ok_and(|expression| harmless(document, step, &expression, DEEPEST))
}

fn harmless(document: &Document, step: &Step, expression: &Expression, depth: usize) -> bool {
    match expression {
        Expression::Name(name) => constant(document, name).is_some_and(is_word),
        Expression::Loop { field, .. } => field == "index" || loop_words(document, step, depth),
        Expression::Chain(chain) => chain.side == Side::Inputs && input_is_word(document, chain, depth),
        Expression::Context(key) => CONTEXT.contains(&key.as_str()),
        Expression::Environment(name) => ENVIRONMENT.contains(&name.as_str()),
        Expression::Imds(path) => {
            let path = path.trim_matches('/');
            METADATA.contains(&path) || path.strip_prefix("placement/").is_some_and(|key| key != "group-name")
        }
        Expression::Ssm(_) => false,
    }
}

fn loop_words(document: &Document, step: &Step, depth: usize) -> bool {
    match step.repeat.as_ref().and_then(|repeat| repeat.over.as_ref()) {
        Some(Over::Range { .. }) => true,
        Some(Over::Items(items)) => items.iter().all(|item| template_is_word(document, step, item, depth)),
        Some(Over::Split { list, delimiter }) => {
            list.literal().is_some_and(|text| text.split(delimiter.as_str()).all(is_word))
        }
        None => false,
    }
}

fn input_is_word(document: &Document, chain: &Chain, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let step = document.phase(&chain.phase).and_then(|phase| phase.steps.iter().find(|step| step.name == chain.step));
    let Some(step) = step else { return false };
    let item: Option<&Item> = match step.module.shape {
        Shape::List => chain.index.and_then(|index| step.inputs.get(index)),
        _ => step.inputs.first(),
    };
    match item.and_then(|item| item.get(&chain.key)) {
        Some(Value::Text(template)) => template_is_word(document, step, template, depth),
        Some(Value::Boolean(_) | Value::Count(_)) => true,
        _ => false,
    }
}

fn template_is_word(document: &Document, step: &Step, template: &Template, depth: usize) -> bool {
    let faulty = template.text().matches("{{").count() != template.expressions().count();
    let part = |part: &Part| match part {
        Part::Literal(text) => is_word(text),
        Part::Expression(expression, _) => {
            depth.checked_sub(1).is_some_and(|depth| harmless(document, step, expression, depth))
        }
    };
    !faulty && !template.parts.is_empty() && template.parts.iter().all(part)
}
