//! Changes of one thing in a document: a key taken away, added or misspelled, a value exchanged.

use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// A step on the way to a value.
#[derive(Debug, Clone)]
pub enum At {
    Key(String),
    Item(usize),
}

/// A changed document, and what was changed.
pub struct Mutant {
    pub what: String,
    pub document: Value,
    /// Where, as `phases.0.name`.
    pub path: String,
    /// What stands there now.
    pub now: Value,
}

/// Every document that differs from this one in one thing.
pub fn all(document: &Value) -> Vec<Mutant> {
    paths(document).iter().flat_map(|path| at(document, path)).collect()
}

/// One of them, picked by two numbers.
pub fn one(document: &Value, place: Index, change: Index) -> Mutant {
    let paths = paths(document);
    let mut mutants = at(document, &paths[place.index(paths.len())]);
    mutants.swap_remove(change.index(mutants.len()))
}

/// The documents that differ at this place.
fn at(document: &Value, path: &[At]) -> Vec<Mutant> {
    let before = look(document, path);
    let place = shown(path);
    let mutant = |what: String, now: Value| Mutant {
        what: format!("{place}: {what}"),
        document: with(document, path, now.clone()),
        path: place.clone(),
        now,
    };
    let exchanged = exchanged(before).into_iter().map(|now| mutant(format!("{now} in place of {before}"), now));
    let keys = before.as_object().map(keys).unwrap_or_default();
    exchanged.chain(keys.into_iter().map(|(what, now)| mutant(what, Value::Object(now)))).collect()
}

/// The way to every value, the document itself first.
fn paths(value: &Value) -> Vec<Vec<At>> {
    let mut found = vec![vec![]];
    let mut below = |at: &At, value: &Value| {
        for mut path in paths(value) {
            path.insert(0, at.clone());
            found.push(path);
        }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(&At::Key(key.clone()), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| below(&At::Item(index), value)),
        _ => {}
    }
    found
}

fn shown(path: &[At]) -> String {
    let part = |at: &At| match at {
        At::Key(key) => key.clone(),
        At::Item(index) => index.to_string(),
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

fn look<'a>(value: &'a Value, path: &[At]) -> &'a Value {
    path.iter().fold(value, |value, at| match at {
        At::Key(key) => &value[key],
        At::Item(index) => &value[*index],
    })
}

fn with(document: &Value, path: &[At], now: Value) -> Value {
    let mut changed = document.clone();
    let place = path.iter().fold(&mut changed, |value, at| match at {
        At::Key(key) => &mut value[key],
        At::Item(index) => &mut value[*index],
    });
    *place = now;
    changed
}

/// What may be put in the place of a value.
fn exchanged(before: &Value) -> Vec<Value> {
    let mut now = vec![
        json!(null),
        json!(true),
        json!(0),
        json!(5),
        json!(-1),
        json!(-7),
        json!(123_456),
        json!(1.5),
        json!(""),
        json!("text"),
        json!("loop"),
        json!("600"),
        json!("-1"),
        json!("0"),
        json!("true"),
        json!("{{ Version }}"),
        json!("x {{ Version }} y"),
        json!([]),
        json!({}),
        json!(["text"]),
        json!([null]),
        json!([["text"]]),
        json!([{}]),
        json!({ "name": "text" }),
    ];
    match before {
        Value::String(text) => {
            now.extend([json!(format!("{text}x")), json!(text.to_lowercase()), json!(text.to_uppercase())]);
            now.push(json!(text.chars().skip(1).collect::<String>()));
        }
        Value::Array(items) => {
            now.extend(items.first().cloned());
            now.extend(items.first().map(|item| json!([item, item])));
            now.extend((0..items.len()).map(|gone| {
                items.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, item)| item.clone()).collect()
            }));
        }
        _ => {}
    }
    now.push(json!([before]));
    now.retain(|value| value != before);
    now
}

/// The same mapping with one key less, one more, or one misspelled by a letter.
fn keys(map: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let mut changed = vec![];
    let mut more = map.clone();
    more.insert("surplus".to_owned(), json!("text"));
    changed.push(("`surplus` added".to_owned(), more));
    for (key, value) in map {
        let mut less = map.clone();
        less.remove(key);
        changed.push((format!("`{key}` taken away"), less.clone()));
        for wrong in [format!("{key}s"), key[..key.len() - key.chars().last().map_or(0, char::len_utf8)].to_owned()] {
            let mut misspelled = less.clone();
            misspelled.insert(wrong.clone(), value.clone());
            changed.push((format!("`{wrong}` in place of `{key}`"), misspelled));
        }
    }
    changed
}
