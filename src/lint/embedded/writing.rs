//! Changes of a document, written into the file around it.

use super::map::{How, Map};
use crate::diagnostic::{Edit, Span};
use std::fmt::Write as _;

/// How the document is written in the file around it, which decides what can be put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Writing {
    /// The file is the document.
    Free,
    /// Lines behind a common indentation.
    Lines(Lines),
    /// Between double quotes in one line; line breaks and quotes are escaped.
    Quoted(Interpolation),
    /// Between single quotes in one line; a quote is written twice.
    Single(Interpolation),
    /// In a form in which line breaks are joined or nothing can be escaped: no change is offered.
    Closed,
}

/// A block of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// What stands before each line.
    pub indentation: String,
    /// Whether the indentation follows from the lines themselves, so that a change must not move the leftmost.
    pub derived: bool,
    /// The line that ends the block; in YAML there is none, and what follows decides.
    pub marker: Option<String>,
    /// What the reader takes as line break is `\r\n` in the file.
    pub carriage_return: bool,
    /// What begins something to be replaced.
    pub interpolation: Interpolation,
}

/// What a text may hold that is replaced before the document is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpolation {
    /// Nothing.
    None,
    /// `${Name}` of CloudFormation's `Fn::Sub`; `${!Name}` stands for `${Name}`.
    Sub,
    /// `${…}` and `%{…}` of Terraform; doubled signs stand for themselves.
    Terraform,
}

impl Interpolation {
    /// A text so that it stands for itself.
    fn escape(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Sub => text.replace("${", "${!"),
            Self::Terraform => text.replace("${", "$${").replace("%{", "%%{"),
        }
    }

    fn signs(self) -> &'static [char] {
        match self {
            Self::None => &[],
            Self::Sub => &['$'],
            Self::Terraform => &['$', '%'],
        }
    }
}

impl Writing {
    /// Whether all lines of the document stand in one line of the file.
    pub fn is_one_line(&self) -> bool {
        matches!(self, Self::Quoted(_) | Self::Single(_))
    }

    fn interpolation(&self) -> Interpolation {
        match self {
            Self::Lines(lines) => lines.interpolation,
            Self::Quoted(interpolation) | Self::Single(interpolation) => *interpolation,
            Self::Free | Self::Closed => Interpolation::None,
        }
    }
}

/// A change of the document: what stands before it, what goes, what comes, what stands after it.
struct Change<'a> {
    before: &'a str,
    removed: &'a str,
    new: &'a str,
    after: &'a str,
}

impl Map {
    /// The changes of a fix as changes of the file around the document; `None` if one of them, or all of them together,
    /// cannot be written exactly.
    pub(super) fn edits(&self, edits: &[Edit]) -> Option<Vec<Edit>> {
        let written = edits.iter().map(|edit| self.edit(edit)).collect::<Option<Vec<_>>>()?;
        (edits.len() < 2 || (apart(edits) && apart(&written) && self.holds(edits))).then_some(written)
    }

    /// Whether the block is still read as a block of the same indentation and end after all of these changes.
    fn holds(&self, edits: &[Edit]) -> bool {
        let Writing::Lines(lines) = &self.writing else { return true };
        let mut ordered: Vec<&Edit> = edits.iter().collect();
        ordered.sort_by_key(|edit| edit.span.start);
        let text = self.inner.text.as_str();
        let (mut new, mut at) = (String::with_capacity(text.len()), 0);
        for edit in ordered {
            new.push_str(text.get(at..edit.span.start).unwrap_or_default());
            new.push_str(&edit.text);
            at = edit.span.end;
        }
        new.push_str(text.get(at..).unwrap_or_default());
        let change = Change { before: "", removed: text, new: &new, after: "" };
        // Of a line of blanks no indentation is taken away, so what is written before it would stay.
        let blank = |text: &str| text.lines().filter(|line| !line.is_empty() && line.trim().is_empty()).count();
        if lines.derived && blank(&new) > blank(text) {
            return false;
        }
        !(lines.derived && change.indents_first_line()) && (lines.marker.is_some() || change.keeps_its_end())
    }

    /// A change of the document as a change of the file around it; `None` where it cannot be written exactly.
    fn edit(&self, edit: &Edit) -> Option<Edit> {
        let (from, to) = (self.anchor(edit.span.start)?, self.anchor(edit.span.end)?);
        if from > to || self.hides(edit.span) || self.unknown.occurs_in(&edit.text) {
            return None;
        }
        let text = self.inner.text.as_str();
        let change = Change {
            before: text.get(..edit.span.start)?,
            removed: text.get(edit.span.start..edit.span.end)?,
            new: &edit.text,
            after: text.get(edit.span.end..)?,
        };
        let interpolation = self.writing.interpolation();
        if change.confuses(interpolation) {
            return None;
        }
        let written = match &self.writing {
            Writing::Free => change.new.to_owned(),
            Writing::Lines(lines) => {
                let column = self.column(from);
                let written = lines.write(&change, column)?;
                // Where a line becomes empty, its indentation goes with it.
                let from = if change.empties_line() { from - column } else { from };
                return Some(Edit::replace(Span::new(from, to), written));
            }
            Writing::Quoted(_) => quoted(&interpolation.escape(change.new)),
            Writing::Single(_) if change.new.contains(char::is_control) => return None,
            Writing::Single(_) => interpolation.escape(change.new).replace('\'', "''"),
            Writing::Closed => return None,
        };
        Some(Edit::replace(Span::new(from, to), written))
    }

    /// Whether there is something in a place that nobody knows yet.
    fn hides(&self, span: Span) -> bool {
        let first = self.runs.partition_point(|run| run.inner.end <= span.start);
        let within = self.runs[first..].iter().take_while(|run| run.inner.start < span.end);
        within.into_iter().any(|run| run.how == How::Unknown)
    }

    /// Where something can be put between two characters of the document; `None` inside of an escape sequence or where
    /// the file has no such place.
    fn anchor(&self, at: usize) -> Option<usize> {
        let next = self.runs.partition_point(|run| run.inner.start <= at);
        let run = &self.runs[next.checked_sub(1)?];
        if at < run.inner.end {
            let offset = at - run.inner.start;
            return (run.how == How::Verbatim || offset == 0).then_some(run.outer.start + offset);
        }
        (at == run.inner.end && at == self.inner.text.len()).then_some(run.outer.end)
    }

    /// How many bytes stand before an offset in its line of the file.
    fn column(&self, at: usize) -> usize {
        let before = self.outer.text.get(..at).unwrap_or_default();
        at - before.rfind('\n').map_or(0, |line| line + 1)
    }
}

impl Change<'_> {
    /// Whether signs that stand for themselves would begin something together with their new neighbours, or no longer be
    /// told from the beginning of something.
    fn confuses(&self, interpolation: Interpolation) -> bool {
        let signs = interpolation.signs();
        if signs.is_empty() {
            return false;
        }
        // `${!` stands for `${` only where a brace follows that closes it.
        let unclosed = interpolation == Interpolation::Sub
            && !self.after.contains('}')
            && !self.new.rsplit("${").next().is_some_and(|last| last.contains('}'))
            && (self.new.contains("${") || self.removed.contains('}'));
        let joined = self.before.ends_with(signs) && (self.new.is_empty() || self.new.starts_with(['{', '$', '%']));
        unclosed || joined || self.new.ends_with(signs)
    }

    fn at_line_start(&self) -> bool {
        self.before.is_empty() || self.before.ends_with('\n')
    }

    /// Whether nothing is left of the line in which it begins, or nothing comes there.
    fn empties_line(&self) -> bool {
        let line = self.lines_with(self.new);
        self.at_line_start() && (line.is_empty() || line.starts_with('\n'))
    }

    /// What stands in the line after the change.
    fn rest(&self) -> &str {
        self.after.split('\n').next().unwrap_or_default()
    }

    /// Whether the first line with anything in it would begin with white space.
    fn indents_first_line(&self) -> bool {
        let mut first = None;
        for c in self.before.chars().chain(self.new.chars()).chain(self.after.chars()) {
            match c {
                '\n' => first = None,
                ' ' | '\t' | '\r' => first = first.or(Some(c)),
                _ => return first.is_some(),
            }
        }
        true
    }

    /// The lines that are touched, with something in the place of the change.
    fn lines_with(&self, middle: &str) -> String {
        let line = self.before.rfind('\n').map_or(0, |at| at + 1);
        format!("{}{middle}{}", &self.before[line..], self.rest())
    }

    /// Whether as many line breaks end the text as before: YAML's `|` and `|-` do not keep others.
    fn keeps_its_end(&self) -> bool {
        let breaks = |middle: &str| {
            let mut count = 0;
            for part in [self.after, middle, self.before] {
                let content = part.trim_end_matches('\n').len();
                count += part.len() - content;
                if content > 0 {
                    break;
                }
            }
            count
        };
        breaks(self.removed) == breaks(self.new)
    }
}

impl Lines {
    /// The text of a change that begins in column `column`.
    fn write(&self, change: &Change<'_>, column: usize) -> Option<String> {
        let (old, new) = (change.lines_with(change.removed), change.lines_with(change.new));
        // Readers differ on lines of white space only.
        let blank = |lines: &str| lines.split('\n').any(|line| !line.is_empty() && line.trim().is_empty());
        let spoiled = change.new.contains('\r') || blank(&old) || blank(&new);
        if spoiled || (self.derived && change.indents_first_line()) || !self.ends_as_before(change, &new) {
            return None;
        }
        let indentation = self.indentation.as_str();
        let escaped = self.interpolation.escape(change.new);
        let lines: Vec<&str> = escaped.split('\n').collect();
        let mut out = String::new();
        for (number, line) in lines.iter().enumerate() {
            let followed = number + 1 == lines.len() && !change.rest().is_empty();
            let needed = !line.is_empty() || followed;
            if number > 0 {
                out.push_str(if self.carriage_return { "\r\n" } else { "\n" });
                out.push_str(if needed { indentation } else { "" });
            } else if needed && change.at_line_start() {
                // An empty line need not have the indentation of the block.
                out.push_str(indentation.get(column..).unwrap_or_default());
            }
            out.push_str(line);
        }
        Some(out)
    }

    /// Whether the block still ends where it ended. `lines` are those that are touched.
    fn ends_as_before(&self, change: &Change<'_>, lines: &str) -> bool {
        let Some(marker) = &self.marker else { return change.keeps_its_end() };
        let closed = !change.after.is_empty() || lines.is_empty() || lines.ends_with('\n');
        closed && lines.lines().all(|line| line.trim() != marker)
    }
}

/// Whether there is something between any two changes, so that none changes what another was judged by.
fn apart(edits: &[Edit]) -> bool {
    let mut spans: Vec<Span> = edits.iter().map(|edit| edit.span).collect();
    spans.sort_by_key(|span| (span.start, span.end));
    spans.windows(2).all(|pair| pair[0].end < pair[1].start)
}

/// A text as it stands between double quotes, in JSON, YAML and Terraform alike.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
