//! What only the deployment knows: `${Name}` in templates.
//!
//! The document has a word of the same length in its place, so that it can be read. No finding may rest on that word, and
//! no message may show it.

use super::map::{How, Run};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use crate::yaml::{self, Kind, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How words for unknown values may begin; the first that the file does not contain is taken.
const MARKS: &[&str] = &["zq", "qz", "qx", "xq", "zx", "qj", "jq", "vq", "qv", "zj"];

/// The longest original that is shown in a message; longer ones are programs.
const SHOWN: usize = 48;

/// Makes words that stand for unknown values: the same value always gets the same word.
#[derive(Debug, Default)]
pub(super) struct Words {
    mark: &'static str,
    by_original: BTreeMap<String, String>,
}

impl Words {
    /// Words that do not occur in `text`.
    pub fn new(text: &str) -> Self {
        let mark = MARKS.iter().find(|mark| !text.contains(**mark)).copied().unwrap_or(MARKS[0]);
        Self { mark, by_original: BTreeMap::new() }
    }

    /// The word for an original of at least four bytes, of the same length.
    pub fn word(&mut self, original: &str) -> String {
        if let Some(word) = self.by_original.get(original) {
            return word.clone();
        }
        let digits = original.len().saturating_sub(self.mark.len());
        let mut number = self.by_original.len();
        let mut word = vec![b'a'; digits];
        for digit in word.iter_mut().rev() {
            *digit = b"abcdefghijklmnopqrstuvwxyz"[number % 26];
            number /= 26;
        }
        let word = format!("{}{}", self.mark, String::from_utf8(word).unwrap_or_default());
        self.by_original.insert(original.to_owned(), word.clone());
        word
    }

    /// Whether it has made any.
    pub fn is_empty(&self) -> bool {
        self.by_original.is_empty()
    }
}

/// What is not known of a document.
#[derive(Debug, Clone, Default)]
pub(super) struct Unknown {
    mark: &'static str,
    /// What each word stands for.
    originals: BTreeMap<String, String>,
    /// The lengths of the words, longest first.
    lengths: Vec<usize>,
    /// Where the words stand, in order.
    places: Vec<Span>,
    /// The scalars of the document that have such words in them, in order.
    scalars: Vec<Span>,
    /// Whether a key or a name has one: then it is not known what there is to refer to.
    names: bool,
}

impl Unknown {
    /// What is not known of a document with these runs.
    pub fn new(words: Words, runs: &[Run], document: &Arc<SourceFile>) -> Self {
        if words.is_empty() {
            return Self::default();
        }
        let places: Vec<Span> = runs
            .iter()
            .filter(|run| run.how == How::Unknown)
            .map(|run| Span::new(run.inner.start, run.inner.end))
            .collect();
        let mut originals = BTreeMap::new();
        for (original, word) in words.by_original {
            // Words of four letters may run out; then nothing is said about what they stand for.
            originals.entry(word).and_modify(|shown: &mut String| "${…}".clone_into(shown)).or_insert(shown(&original));
        }
        let lengths: BTreeSet<usize> = originals.keys().map(String::len).collect();
        let mut unknown = Self {
            mark: words.mark,
            originals,
            lengths: lengths.into_iter().rev().collect(),
            places,
            scalars: Vec::new(),
            names: false,
        };
        if let Some(root) = yaml::read(document, yaml::Options::default()).root {
            unknown.note_scalars(&root);
            unknown.scalars.sort_unstable_by_key(|span| span.start);
        }
        unknown
    }

    /// Whether it is all there is: nothing of the document is known.
    pub fn is_everything(&self, document: &str) -> bool {
        matches!(self.places.as_slice(), [only] if document.trim().len() == only.end - only.start)
    }

    /// Whether one of them stands alone in its line, where it may be any number of lines of YAML.
    pub fn has_whole_lines(&self, document: &SourceFile) -> bool {
        self.places.iter().any(|place| {
            let line = document.slice(document.line_span(document.line(place.start)));
            line.trim().len() == place.end - place.start
        })
    }

    /// Whether one of the words is in a text.
    pub fn occurs_in(&self, text: &str) -> bool {
        !self.originals.is_empty() && text.contains(self.mark)
    }

    /// A message with what the file says in the place of our words.
    pub fn restore(&self, message: &str) -> String {
        if !self.occurs_in(message) {
            return message.to_owned();
        }
        let mut out = String::with_capacity(message.len());
        let mut rest = message;
        while let Some(at) = rest.find(self.mark) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let mut known = self.lengths.iter().filter_map(|length| rest.get(..*length));
            let original = known.find_map(|word| self.originals.get(word).map(|original| (word, original)));
            let (taken, shown) = original.map_or((self.mark, self.mark), |(word, original)| (word, original.as_str()));
            out.push_str(shown);
            rest = &rest[taken.len()..];
        }
        out + rest
    }

    /// Whether a finding holds whatever the values are.
    ///
    /// An error about a value with an unknown part in it does not: `timeoutSeconds: ${Timeout}` is a number when it counts.
    /// Advice about such a value does, as long as part of it is known: `http://${Host}/` is not encrypted anyhow.
    pub fn leaves_certain(&self, diagnostic: &Diagnostic, document: &Arc<SourceFile>) -> bool {
        if self.places.is_empty() {
            return true;
        }
        match diagnostic.code {
            // What is unknown may use the parameter.
            "D014" => return false,
            // What is referred to may be what is unknown.
            "X001" if self.names => return false,
            _ => {}
        }
        let Some(label) = diagnostic.primary.as_ref().filter(|label| label.source == *document) else { return true };
        let Some(scalar) = self.scalar_around(label.span) else { return true };
        if !self.touches(label.span) {
            return true;
        }
        diagnostic.severity != Severity::Error && self.is_partly_known(scalar, document)
    }

    fn scalar_around(&self, span: Span) -> Option<Span> {
        let next = self.scalars.partition_point(|scalar| scalar.start <= span.start);
        let scalar = *self.scalars.get(next.checked_sub(1)?)?;
        scalar.contains(span).then_some(scalar)
    }

    /// Whether an unknown value is in a place.
    fn touches(&self, span: Span) -> bool {
        let first = self.places.partition_point(|place| place.end <= span.start);
        self.places.get(first).is_some_and(|place| place.overlaps(span))
    }

    /// Whether a scalar has more than unknown values, quotes and white space.
    fn is_partly_known(&self, scalar: Span, document: &SourceFile) -> bool {
        let first = self.places.partition_point(|place| place.end <= scalar.start);
        let mut at = scalar.start;
        let known = |span: Span| document.slice(span).chars().any(char::is_alphanumeric);
        for place in self.places[first..].iter().take_while(|place| place.start < scalar.end) {
            if known(Span::new(at, place.start)) {
                return true;
            }
            at = place.end;
        }
        known(Span::new(at, scalar.end))
    }

    /// Notes the scalars below a node that have unknown parts. The reader limits how deep a tree is.
    fn note_scalars(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar(_) if self.touches(node.span) => self.scalars.push(node.span),
            Kind::Scalar(_) => {}
            Kind::Sequence(items) => items.iter().for_each(|item| self.note_scalars(item)),
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    let named = key.as_str() == Some("name") && value.as_str().is_some() && self.touches(value.span);
                    self.names |= named || self.touches(key.span);
                    self.note_scalars(key);
                    self.note_scalars(value);
                }
            }
        }
    }
}

/// What a message shows of an original.
fn shown(original: &str) -> String {
    if original.len() > SHOWN || original.contains('\n') { "${…}".to_owned() } else { original.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_length_of_what_they_stand_for_and_are_told_apart() {
        let mut words = Words::new("a text with zq in it");
        let (name, region) = (words.word("${Name}"), words.word("${AWS::Region}"));
        assert_eq!((name.len(), region.len()), (7, 14));
        assert!(name.starts_with("qz") && name != region);
        assert_eq!(words.word("${Name}"), name);
        assert_eq!(words.word("${é}").len(), "${é}".len());
    }

    #[test]
    fn messages_show_the_originals() {
        let document = SourceFile::new("t", "");
        let mut words = Words::new("");
        let (a, b) = (words.word("${A}"), words.word("${Abc}"));
        let long = words.word(&format!("${{{}}}", "x".repeat(60)));
        let unknown = Unknown::new(words, &[], &document);
        assert_eq!(unknown.restore(&format!("step `x{a}{b}` or `{long}`")), "step `x${A}${Abc}` or `${…}`");
        assert_eq!(unknown.restore("zq zqz é"), "zq zqz é");
    }
}
