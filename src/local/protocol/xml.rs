//! JSON answers as XML elements.

use serde_json::Value;

/// The first line of EC2's answers.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Every member of the object `value` as an element. Arrays become `<item>` elements, null is left out.
pub(super) fn elements(value: &Value) -> String {
    elements_of(value, "item")
}

/// The same with another name for what arrays consist of.
pub(super) fn elements_of(value: &Value, item: &str) -> String {
    let mut out = String::new();
    members(&mut out, value, item);
    out
}

fn members(out: &mut String, value: &Value, item: &str) {
    if let Value::Object(members) = value {
        for (name, value) in members {
            element(out, name, value, item);
        }
    }
}

fn element(out: &mut String, name: &str, value: &Value, item: &str) {
    if value.is_null() {
        return;
    }
    out.extend(["<", name, ">"]);
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&escape(text)),
        Value::Object(_) => members(out, value, item),
        Value::Array(items) => {
            for one in items {
                // EC2's one exception: a plain list of security group ids is not made of `item`s.
                let item_name = if name == "groupSet" && one.is_string() { "groupId" } else { item };
                element(out, item_name, one, item);
            }
        }
    }
    out.extend(["</", name, ">"]);
}

/// `text` for use between tags. Characters that XML 1.0 cannot carry at all become the replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_become_elements() {
        let out = elements(
            &json!({ "a": [{ "b": true }, { "b": 2 }], "c": [], "d": null, "groupSet": ["sg-1"], "z": "x<y" }),
        );
        assert_eq!(
            out,
            "<a><item><b>true</b></item><item><b>2</b></item></a><c></c><groupSet><groupId>sg-1</groupId></groupSet><z>x&lt;y</z>"
        );
    }

    proptest! {
        #[test]
        fn any_text_makes_a_readable_document(text in any::<String>()) {
            let document = format!("<a>{}</a>", escape(&text));
            let mut reader = quick_xml::Reader::from_str(&document);
            loop {
                match reader.read_event() {
                    Ok(quick_xml::events::Event::Eof) => break,
                    Ok(_) => {}
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
        }
    }
}
