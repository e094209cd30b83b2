//! Paths as they are written, and which steps speak of them.

use crate::component::expression::{Expression, Template};
use crate::component::model::{Document, Item, Phase, Step, Value};
use crate::component::modules::Platform;

/// An input that is text.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a Template> {
    match item.get(name) {
        Some(Value::Text(template)) => Some(template),
        _ => None,
    }
}

/// A text in which nothing is replaced. Faulty expressions count as expressions: what they stand for is not known.
pub fn literal(template: &Template) -> Option<&str> {
    Some(template.text()).filter(|text| !text.contains("{{"))
}

/// What a text begins with before its first expression.
pub fn lead(template: &Template) -> &str {
    template.text().split("{{").next().unwrap_or_default()
}

/// Whether a text ends with an expression, so that its end is not known.
pub fn open_end(template: &Template) -> bool {
    let text = template.text();
    text.rfind("{{").is_some_and(|open| text[open..].find("}}").is_none_or(|close| open + close + 2 == text.len()))
}

/// What separates the parts of a path. A backslash does so only in paths of Windows: elsewhere it may be part of a name.
pub fn separators(path: &str, platform: Option<Platform>) -> &'static [char] {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    let windows = drive || path.starts_with(r"\\") || (path.contains('\\') && !path.contains('/'));
    match platform {
        Some(Platform::Windows) => &['/', '\\'],
        None if windows => &['/', '\\'],
        _ => &['/'],
    }
}

/// A text in the form in which it is compared: constants put in, expressions without blanks.
pub fn canonical(document: &Document, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (inside, after) = after.split_once("}}").unwrap_or((after, ""));
        let name = inside.trim();
        match document.constants.iter().find(|constant| constant.name == name) {
            Some(constant) => out.push_str(&constant.value),
            None => out.extend(["{{", name, "}}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A file that one item of a step makes.
pub struct Made<'a> {
    /// The document.
    pub document: &'a Document,
    /// Its phase.
    pub phase: &'a Phase,
    /// The step.
    pub step: &'a Step,
    /// Which item of its inputs.
    pub index: usize,
    /// Where it is put, as it is compared; without a separator at its end.
    pub path: String,
    /// Its name, as it is compared, if that is known and long enough to be looked for.
    pub name: Option<String>,
}

impl<'a> Made<'a> {
    /// What an item makes at `destination`, from `source` if that decides the name.
    pub fn new(
        document: &'a Document,
        (phase, step): (&'a Phase, &'a Step),
        index: usize,
        destination: &Template,
        source: Option<&Template>,
    ) -> Self {
        let written = canonical(document, destination.text());
        let path = written.trim_end_matches(['/', '\\']);
        let from = source.map(|source| canonical(document, source.text()));
        let named = match &from {
            Some(source) if path.len() < written.len() => source.split(['?', '#']).next().unwrap_or_default(),
            _ => path,
        };
        let name = named.rsplit(['/', '\\']).next().filter(|name| name.len() >= 3 && !name.contains(['*', '{']));
        Self { document, phase, step, index, path: path.to_owned(), name: name.map(str::to_owned) }
    }

    /// Whether a text of another step means it: by reference to the step, by its path, or by its name.
    pub fn is_meant(&self, template: &Template) -> bool {
        self.is_referred_to(template) || {
            let text = canonical(self.document, template.text());
            has_word(&text, &self.path) || self.name.as_ref().is_some_and(|name| has_word(&text, name))
        }
    }

    /// Whether a text is this file and nothing else.
    pub fn is(&self, template: &Template) -> bool {
        let text = canonical(self.document, template.text());
        if text.starts_with("{{") && self.is_referred_to(template) {
            return template.expressions().count() == 1;
        }
        let written = text.trim_end_matches(['/', '\\']);
        let below = written.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix(['/', '\\']));
        written == self.path || (below.is_some() && below == self.name.as_deref())
    }

    fn is_referred_to(&self, template: &Template) -> bool {
        template.expressions().any(|(expression, _)| match expression {
            Expression::Chain(chain) => {
                chain.phase == self.phase.name
                    && chain.step == self.step.name
                    && chain.index.is_none_or(|index| index == self.index)
            }
            _ => false,
        })
    }
}

/// Whether a word stands in a text with nothing before and behind it that would make it another path or name.
pub fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let mut after = text[at + word.len()..].chars();
            let next = after.next();
            let joined = next.is_some_and(part) || (next == Some('.') && after.next().is_some_and(part));
            !(joined || before.is_some_and(|c| part(c) || c == '.'))
        })
}

#[cfg(test)]
mod tests {
    use super::super::testing::places;
    use super::*;
    use crate::component::rules::Target;
    use proptest::prelude::*;

    #[test]
    fn words_are_whole_paths_and_names() {
        for (text, word, expected) in [
            ("sh /tmp/a.sh", "/tmp/a.sh", true),
            ("sh '/tmp/a.sh';", "/tmp/a.sh", true),
            ("see /tmp/a.sh.", "/tmp/a.sh", true),
            ("sh /var/tmp/a.sh", "/tmp/a.sh", false),
            ("sh /tmp/a.sha", "/tmp/a.sh", false),
            ("sh /tmp/a.sh.old", "/tmp/a.sh", false),
            ("sh ./a.sh", "a.sh", true),
            ("sh ba.sh", "a.sh", false),
            ("sh x-a.sh", "a.sh", false),
            ("ls /tmp/a.sh/b", "/tmp/a.sh", true),
            ("anything", "", false),
        ] {
            assert_eq!(has_word(text, word), expected, "{word} in {text}");
        }
    }

    #[test]
    fn a_backslash_separates_only_on_windows() {
        for (path, platform, both) in [
            (r"C:\a\*", None, true),
            (r"\\server\share\*", None, true),
            (r"a\b*", None, true),
            (r"/opt/a\*b/c", None, false),
            (r"C:\a", Some(Platform::Linux), false),
            ("a/b", Some(Platform::Windows), true),
            ("é/b", None, false),
        ] {
            assert_eq!(separators(path, platform).len() == 2, both, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_odd(
            one in r"(C:|/tmp/|s3://|HKLM|http://)?[a-bé*{}/\\.:$ -]{0,8}", two in r"(/tmp/|/opt/)?[a-bé*{}/\\. -]{0,8}",
        ) {
            let both = format!("[{{source: '{one}', destination: '{two}'}}]");
            let mut steps: Vec<String> = ["CopyFile", "MoveFolder", "WebDownload", "S3Download", "S3Upload"]
                .iter()
                .map(|action| format!("{{name: {action}, action: {action}, inputs: {both}}}"))
                .collect();
            steps.push(format!("{{name: Make, action: CreateFile, inputs: [{{path: '{two}'}}]}}"));
            steps.push(format!("{{name: Set, action: SetRegistry, inputs: [{{path: '{one}', name: a, value: '{two}', type: DWORD}}]}}"));
            steps.push(format!("{{name: Install, action: InstallMSI, inputs: {{path: '{two}', allowUnsignedInstaller: true}}}}"));
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            places("M006", &Target::default(), &steps);
        }
    }
}
