//! What templates can call: `yaml`, `sh`, `powershell`, `json` and `words` write a value safely at its place, `parameter`
//! takes one from the recipe, `given` tells whether it has one, `starts_with` compares, `if` and `unless` decide on comparisons only.

use crate::yaml::quoted;
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, PathAndJson, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// One word for any POSIX shell, in single quotes. A word has to stay on its line, because it usually stands in a YAML
/// block where a line break would end the script; so texts with line breaks of any reader, and NUL, which no shell can hold,
/// have none. The answer then is the reason.
pub(super) fn sh(text: &str) -> Result<String, &'static str> {
    if text.chars().any(|c| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return Err("it has a line break or another control character, which does not fit into one line of a script");
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// One text for PowerShell, in single quotes. Its parser takes the typographic ones for the same character. Line breaks
/// are refused as for any shell.
pub(super) fn powershell(text: &str) -> Result<String, &'static str> {
    sh(text)?;
    let mut out = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    Ok(out)
}

/// The words of a text as a list that YAML and JSON read alike.
fn words(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(quoted).collect();
    format!("[{}]", words.join(", "))
}

/// One rendering: what the recipe gave, what the template asked for, and what was wrong with it.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The recipe's parameters.
    pub given: BTreeMap<String, String>,
    /// Parameters the template asked for.
    pub names: BTreeSet<String>,
    /// Set when the fault is the recipe's and not the template's.
    pub problem: Option<String>,
}

/// Adds all helpers to a registry; those that concern parameters look into `call`.
pub(super) fn register(registry: &mut Handlebars<'_>, call: &Arc<Mutex<Call>>) {
    registry.register_helper("yaml", Box::new(Quote(|text| Ok(quoted(text)))));
    registry.register_helper("sh", Box::new(Quote(sh)));
    registry.register_helper("powershell", Box::new(Quote(powershell)));
    registry.register_helper("words", Box::new(Quote(|text| Ok(words(text)))));
    registry.register_helper("starts_with", Box::new(StartsWith));
    registry.register_helper("json", Box::new(Quote(|text| Ok(Value::from(text).to_string()))));
    registry.register_helper("if", Box::new(Decide { wanted: true }));
    registry.register_helper("unless", Box::new(Decide { wanted: false }));
    registry.register_helper("given", Box::new(Given { call: Arc::clone(call) }));
    registry.register_helper("parameter", Box::new(Parameter { call: Arc::clone(call) }));
    // It writes to the logs of the program; a template has no business there.
    registry.unregister_helper("log");
}

fn fail(message: impl Into<String>) -> RenderError {
    RenderErrorReason::Other(message.into()).into()
}

/// The first argument of a helper; a name that is not known is the same error as everywhere.
fn first<'a, 'rc>(h: &'a Helper<'rc>) -> Result<&'a PathAndJson<'rc>, RenderError> {
    let param = h.param(0).ok_or_else(|| fail(format!("`{}` needs a value", h.name())))?;
    if param.is_value_missing() {
        return Err(RenderError::strict_error(param.relative_path()));
    }
    Ok(param)
}

struct Quote(fn(&str) -> Result<String, &'static str>);

impl HelperDef for Quote {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let text = match first(h)?.value() {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => first(h)?.value().to_string(),
            _ => return Err(fail(format!("`{}` takes a text", h.name()))),
        };
        let quoted = (self.0)(&text).map_err(|why| fail(format!("`{}` cannot write {text:?}: {why}", h.name())))?;
        Ok(ScopedJson::Derived(Value::from(quoted)))
    }
}

/// `(given "only" "exclude")`: whether the recipe passes at least one of these parameters.
struct Given {
    call: Arc<Mutex<Call>>,
}

impl HelperDef for Given {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        first(h)?;
        let mut call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any = false;
        for name in h.params() {
            let name = name.value().as_str().ok_or_else(|| fail("`given` takes names of parameters in quotes"))?;
            call.names.insert(name.to_owned());
            any |= call.given.contains_key(name);
        }
        Ok(ScopedJson::Derived(Value::from(any)))
    }
}

/// `(starts_with text "s3://")`
struct StartsWith;

impl HelperDef for StartsWith {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (Some(text), Some(start)) =
            (first(h)?.value().as_str(), h.param(1).and_then(|start| start.value().as_str()))
        else {
            return Err(fail("`starts_with` takes a text and the beginning to look for"));
        };
        Ok(ScopedJson::Derived(Value::from(text.starts_with(start))))
    }
}

/// `if` and `unless` for booleans only. The ones of Handlebars take an unknown name for false even in strict mode, and the
/// text "false" for true.
struct Decide {
    wanted: bool,
}

impl HelperDef for Decide {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Value::Bool(answer) = first(h)?.value() else {
            return Err(fail(format!("`{}` takes a comparison, for example (eq os \"debian-12\")", h.name())));
        };
        let part = if *answer == self.wanted { h.template() } else { h.inverse() };
        part.map_or(Ok(()), |part| part.render(r, ctx, rc, out))
    }
}

/// `(parameter "scope" default="security" one_of="security all")`
struct Parameter {
    call: Arc<Mutex<Call>>,
}

impl Parameter {
    fn option(h: &Helper<'_>, key: &str) -> Result<Option<String>, RenderError> {
        match h.hash_get(key).map(PathAndJson::value) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(fail(format!("`{key}` of `parameter` is a text in quotes"))),
        }
    }
}

impl HelperDef for Parameter {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let name = first(h)?.value().as_str().ok_or_else(|| fail("`parameter` takes a name in quotes"))?.to_owned();
        if let Some(key) = h.hash().keys().find(|key| !["default", "one_of"].contains(*key)) {
            return Err(fail(format!("`parameter` knows default and one_of, not `{key}`")));
        }
        let default = Self::option(h, "default")?;
        let allowed = Self::option(h, "one_of")?;
        let mut call = self.call.lock().unwrap_or_else(PoisonError::into_inner);
        call.names.insert(name.clone());
        let given = call.given.get(&name).cloned();
        let is_given = given.is_some();
        let Some(value) = given.or(default) else {
            call.problem = Some(format!("the parameter `{name}` is missing"));
            return Err(fail(format!("the recipe gives no `{name}`")));
        };
        let fits = allowed.as_ref().is_none_or(|allowed| allowed.split_whitespace().any(|word| word == value));
        if !fits {
            let allowed = allowed.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(", ");
            if is_given {
                call.problem = Some(format!("the parameter `{name}` cannot be `{value}`, only one of: {allowed}"));
            }
            return Err(fail(format!("`{name}` cannot be `{value}`, only one of: {allowed}")));
        }
        Ok(ScopedJson::Derived(Value::from(value)))
    }
}
