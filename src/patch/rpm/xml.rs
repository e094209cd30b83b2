//! Elements one after the other from a stream of XML, with limits. Nothing of the repository formats is known here.

use super::error::{MetadataError, Problem, short};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use quick_xml::{Error, XmlVersion, errors::SyntaxError};
use std::borrow::Cow;
use std::io::{self, BufRead, Read};

/// How deep elements may be nested. The formats have eight levels.
const DEEPEST: usize = 32;
/// How long one tag, comment or text may be, and the text of one element: descriptions have some hundred kilobytes.
const LONGEST: u64 = 4 << 20;

/// The names that the formats use, by their length. A list has millions of elements: these few are not copied for each.
const fn names(length: usize) -> &'static [&'static str] {
    match length {
        2 => &["id"],
        3 => &["rel", "src", "sum", "ver"],
        4 => &["arch", "data", "date", "file", "href", "name", "size", "time", "type"],
        5 => &["build", "epoch", "flags", "title"],
        6 => &["format", "issued", "module", "rights", "update", "vendor"],
        7 => &["license", "package", "pkglist", "release", "summary", "updated", "version"],
        8 => &["checksum", "filename", "location", "packager", "severity"],
        9 => &["reference", "sourcerpm"],
        10 => &["collection", "references"],
        11 => &["description"],
        _ => &[],
    }
}

/// A name, copied only when it is an unusual one.
type Name = Cow<'static, str>;

fn name(text: &str) -> Name {
    let known = names(text.len()).iter().find(|known| **known == text);
    known.map_or_else(|| Cow::Owned(text.to_owned()), |known| Cow::Borrowed(*known))
}

/// An element that was opened.
#[derive(Debug)]
pub(super) struct Element {
    /// Name without its prefix (`rpm:`).
    pub(super) name: Name,
    attributes: Vec<(Name, String)>,
    /// Where it begins, in bytes.
    pub(super) at: u64,
    /// How many elements are around it.
    depth: usize,
}

impl Element {
    /// The value of an attribute, without the white space around it.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.trim())
    }
}

/// A document. The caller asks for the children of the element it is in, one at a time; what it does not ask for is
/// passed over.
pub(super) struct Xml<R> {
    file: String,
    reader: Reader<Limited<R>>,
    buffer: Vec<u8>,
    /// Names of the elements that are open.
    path: Vec<Name>,
    /// Where the last event began.
    at: u64,
    /// Whether there was anything but white space.
    anything: bool,
}

/// What is decoded. Whatever it is, every tag has its end and nothing is nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Elements,
    All,
}

/// What may be of interest in an element.
enum Part {
    Open(Element),
    /// One that nobody wants to know about.
    Passed,
    Text(String),
    Close,
    End,
}

impl<R: BufRead> Xml<R> {
    pub(super) fn new(file: &str, reader: R) -> Self {
        let mut reader = Reader::from_reader(Limited { reader, since: 0 });
        reader.config_mut().expand_empty_elements = true;
        Self { file: file.to_owned(), reader, buffer: vec![], path: vec![], at: 0, anything: false }
    }

    /// The outermost element, which must have one of these names; the first one is shown when it has not.
    pub(super) fn root(&mut self, names: &[&'static str]) -> Result<Element, MetadataError> {
        let element = loop {
            match self.next(Wanted::Elements)? {
                Part::Open(element) => break element,
                Part::Text(_) | Part::Passed | Part::Close => {}
                Part::End if self.anything => return Err(self.error(Problem::Malformed("no element is there".into()))),
                Part::End => return Err(self.error(Problem::Empty)),
            }
        };
        if names.contains(&element.name.as_ref()) {
            return Ok(element);
        }
        let expected = names.first().copied().unwrap_or_default();
        Err(self.error(Problem::Root { found: short(&element.name), expected }))
    }

    /// The next child of the element that is open; nothing when that one ends, which closes it.
    pub(super) fn child(&mut self) -> Result<Option<Element>, MetadataError> {
        loop {
            match self.next(Wanted::Elements)? {
                Part::Open(element) => return Ok(Some(element)),
                Part::Close => return Ok(None),
                Part::Text(_) | Part::Passed => {}
                Part::End => return Err(self.error(Problem::Truncated)),
            }
        }
    }

    /// Closes the element that was opened last, with everything in it.
    pub(super) fn skip(&mut self) -> Result<(), MetadataError> {
        let depth = self.path.len();
        while self.path.len() >= depth {
            if matches!(self.next(Wanted::Nothing)?, Part::End) {
                return Err(self.error(Problem::Truncated));
            }
        }
        Ok(())
    }

    /// The text of the element that was opened last, without the white space around it and without what its own
    /// children have; closes it.
    pub(super) fn text(&mut self) -> Result<String, MetadataError> {
        let depth = self.path.len();
        let mut all = String::new();
        loop {
            // What its own children have is passed over.
            match self.next(if self.path.len() == depth { Wanted::All } else { Wanted::Nothing })? {
                Part::Text(text) if self.path.len() == depth => all.push_str(&text),
                Part::Close if self.path.len() < depth => return Ok(all.trim().to_owned()),
                Part::Open(_) | Part::Passed | Part::Close | Part::Text(_) => {}
                Part::End => return Err(self.error(Problem::Truncated)),
            }
            if all.len() as u64 > LONGEST {
                return Err(self.limit("the length of a text in bytes", LONGEST));
            }
        }
    }

    /// Reads to the end, after the outermost element was closed.
    pub(super) fn finish(&mut self) -> Result<(), MetadataError> {
        loop {
            match self.next(Wanted::All)? {
                Part::End => return Ok(()),
                Part::Text(text) if text.trim().is_empty() => {}
                _ => return Err(self.error(Problem::Malformed("there is something after the end".into()))),
            }
        }
    }

    /// The next part.
    fn next(&mut self, wanted: Wanted) -> Result<Part, MetadataError> {
        loop {
            self.buffer.clear();
            self.at = self.reader.buffer_position();
            self.reader.get_mut().since = 0;
            // The buffer is put back before anything else may need it.
            let mut buffer = std::mem::take(&mut self.buffer);
            let part = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => self.interpret(event, wanted),
                Err(error) => Err(self.broken(&error)),
            };
            self.buffer = buffer;
            if let Some(part) = part? {
                return Ok(part);
            }
        }
    }

    fn interpret(&mut self, event: Event, wanted: Wanted) -> Result<Option<Part>, MetadataError> {
        Ok(Some(match event {
            Event::Start(start) => self.open(&start, wanted != Wanted::Nothing)?,
            Event::End(_) => {
                self.path.pop();
                Part::Close
            }
            Event::Text(text) => {
                self.anything |= !text.trim().is_empty();
                if wanted != Wanted::All {
                    return Ok(None);
                }
                Part::Text(text.xml10_content().into_owned())
            }
            Event::CData(text) if wanted == Wanted::All => Part::Text(text.xml10_content().into_owned()),
            Event::GeneralRef(reference) => Part::Text(self.reference(&reference)?),
            Event::DocType(_) => return Err(self.error(Problem::Malformed("it declares a document type".into()))),
            Event::Eof if self.path.is_empty() => Part::End,
            Event::Eof => return Err(self.error(Problem::Truncated)),
            Event::Empty(_) | Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => return Ok(None),
        }))
    }

    fn open(&mut self, start: &BytesStart, wanted: bool) -> Result<Part, MetadataError> {
        self.anything = true;
        let own = name(start.local_name().as_ref());
        let depth = self.path.len();
        self.path.push(own.clone());
        if self.path.len() > DEEPEST {
            return Err(self.limit("the depth of nested elements", DEEPEST as u64));
        }
        if !wanted {
            return Ok(Part::Passed);
        }
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(&error))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| self.malformed(&error))?;
            attributes.push((name(attribute.key.local_name().as_ref()), value.into_owned()));
        }
        Ok(Part::Open(Element { name: own, attributes, at: self.at, depth }))
    }

    /// The character of `&amp;` or `&#38;`. Others would have to be declared, and nothing may be declared.
    fn reference(&self, reference: &quick_xml::events::BytesRef) -> Result<String, MetadataError> {
        if let Some(character) = reference.resolve_char_ref().map_err(|error| self.malformed(&error))? {
            return Ok(character.to_string());
        }
        quick_xml::escape::resolve_predefined_entity(reference)
            .map(str::to_owned)
            .ok_or_else(|| self.error(Problem::Malformed(format!("`&{};` is unknown", short(reference)))))
    }

    /// What is wrong at the place of the last event.
    pub(super) fn error(&self, problem: Problem) -> MetadataError {
        MetadataError { file: self.file.clone(), at: self.at, element: self.path.join("/"), problem }
    }

    /// What is wrong with an element.
    pub(super) fn error_in(&self, element: &Element, problem: Problem) -> MetadataError {
        // Those around it are still open.
        let mut path: Vec<&str> = self.path.iter().take(element.depth).map(Cow::as_ref).collect();
        path.push(&element.name);
        MetadataError { file: self.file.clone(), at: element.at, element: path.join("/"), problem }
    }

    /// An attribute that must be there and say something.
    pub(super) fn required<'a>(&self, element: &'a Element, name: &str) -> Result<&'a str, MetadataError> {
        let value = element.attribute(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| self.error_in(element, Problem::Missing(format!("the attribute `{name}`"))))
    }

    /// A value that cannot be understood.
    pub(super) fn value(&self, element: &Element, what: &str, value: &str, why: &str) -> MetadataError {
        let problem = Problem::Value { what: what.to_owned(), value: short(value), why: why.to_owned() };
        self.error_in(element, problem)
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, element: &Element, what: &str, text: &str) -> Result<u64, MetadataError> {
        text.parse().map_err(|_| self.value(element, what, text, "it is not a number"))
    }

    /// Bytes of the document that are in memory, without those that the source of it keeps.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.buffer.capacity() + self.path.iter().map(|name| name.len()).sum::<usize>()
    }

    fn limit(&self, what: &'static str, limit: u64) -> MetadataError {
        self.error(Problem::Limit { what, limit })
    }

    fn malformed(&self, error: &dyn std::fmt::Display) -> MetadataError {
        self.error(Problem::Malformed(error.to_string()))
    }

    /// The error behind what the XML reader says.
    fn broken(&self, error: &Error) -> MetadataError {
        match error {
            Error::Io(error) => self.unreadable(error),
            // All but one are about an end that came too early.
            Error::Syntax(SyntaxError::InvalidBangMarkup) => self.malformed(error),
            Error::Syntax(_) => self.error(Problem::Truncated),
            _ => self.malformed(error),
        }
    }

    fn unreadable(&self, error: &io::Error) -> MetadataError {
        if let Some(problem) = error.get_ref().and_then(|inner| inner.downcast_ref::<Problem>()) {
            return self.error(problem.clone());
        }
        self.error(match error.kind() {
            io::ErrorKind::UnexpectedEof => Problem::Truncated,
            _ => Problem::Read(error.to_string()),
        })
    }
}

/// A reader of which no more than [`LONGEST`] bytes are taken for one event: the XML reader keeps all of them.
struct Limited<R> {
    reader: R,
    since: u64,
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(available) {
            *to = *from;
        }
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > LONGEST {
            let what = "the length of a tag or text in bytes";
            return Err(io::Error::other(Problem::Limit { what, limit: LONGEST }));
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.since += count as u64;
        self.reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(bytes: &[u8]) -> Result<(), MetadataError> {
        let mut xml = Xml::new("f", bytes);
        xml.root(&["a"])?;
        xml.skip()?;
        xml.finish()
    }

    fn problem(bytes: &[u8]) -> Problem {
        root(bytes).unwrap_err().problem
    }

    #[test]
    fn usual_names_are_not_copied() {
        for length in 0..20 {
            assert!(names(length).iter().all(|name| name.len() == length));
        }
        assert!(matches!(name("package"), Cow::Borrowed("package")) && matches!(name("odd"), Cow::Owned(_)));
    }

    #[test]
    fn what_is_empty_cut_or_no_xml_is_an_error() {
        for empty in ["", " \n", "<?xml version=\"1.0\"?>\n", "<!-- x -->"] {
            assert_eq!(problem(empty.as_bytes()), Problem::Empty, "{empty}");
        }
        for cut in ["<a", "<a>", "<a><b>", "<a><b/", "<a b='", "<a><![CDATA[x", "<a><!-- ", "<a></"] {
            assert_eq!(problem(cut.as_bytes()), Problem::Truncated, "{cut}");
        }
        let malformed: [&[u8]; 9] = [
            b"Not found",
            b"<a></b>",
            b"<a><b></a>",
            b"<a/><a/>",
            b"<a/>x",
            b"<a>&x;</a>",
            b"<!DOCTYPE a><a/>",
            b"<a b='&x;'/>",
            b"\xff\xfe<a/>",
        ];
        for bytes in malformed {
            let problem = problem(bytes);
            assert!(matches!(problem, Problem::Malformed(_)), "{}: {problem:?}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(problem(b"<html><a/></html>"), Problem::Root { found: "html".into(), expected: "a" });
        root(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><p:a><b x=''/>t&amp;<!-- c --></p:a>\n<!-- -->").unwrap();
    }

    #[test]
    fn what_is_too_much_is_an_error() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert_eq!(problem(deep.as_bytes()), Problem::Limit { what: "the depth of nested elements", limit: 32 });
        let long = "x".repeat(5 << 20);
        for text in [format!("<a>{long}</a>"), format!("<a x='{long}'/>"), format!("<a><!-- {long} --></a>")] {
            // In pieces, as files and decompressors give them.
            let mut xml = Xml::new("f", io::BufReader::new(text.as_bytes()));
            let failed = xml.root(&["a"]).and_then(|_| xml.skip()).unwrap_err();
            assert!(matches!(failed.problem, Problem::Limit { .. }), "{failed}");
        }
        let pieces = format!("<a>{}</a>", "x".repeat(3 << 20) + "&#65;" + &"x".repeat(3 << 20));
        let mut xml = Xml::new("f", io::BufReader::new(pieces.as_bytes()));
        xml.root(&["a"]).unwrap();
        assert!(matches!(xml.text().unwrap_err().problem, Problem::Limit { .. }));
    }

    #[test]
    fn elements_texts_and_places() {
        let text = "<a><b> one &lt;<![CDATA[<two>]]><i>no</i>&#x41; </b><c x=' 1 ' n:y='&quot;'/></a>";
        let mut xml = Xml::new("f", text.as_bytes());
        xml.root(&["a"]).unwrap();
        assert_eq!(xml.child().unwrap().unwrap().name, "b");
        assert_eq!(xml.text().unwrap(), "one <<two>A");
        let c = xml.child().unwrap().unwrap();
        assert_eq!((c.attribute("x"), c.attribute("y"), c.attribute("z")), (Some("1"), Some("\""), None));
        let error = xml.required(&c, "z").unwrap_err();
        let place = text.find("<c").unwrap();
        assert_eq!((error.at, error.element.as_str()), (place as u64, "a/c"));
        let shown = format!(
            "f: the attribute `z` is missing (at byte {place}, in <a/c>); fetch the repository's metadata again"
        );
        assert_eq!(error.to_string(), shown);
        assert!(xml.child().unwrap().is_none() && xml.child().unwrap().is_none());
        xml.finish().unwrap();
    }
}
