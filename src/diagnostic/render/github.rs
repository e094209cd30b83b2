//! Workflow commands, which GitHub shows as annotations of the lines that a change touches.

use super::place::extent;
use super::{printable, sorted, title, whole_message};
use crate::diagnostic::{Diagnostic, Severity};
use std::fmt::Write as _;

/// One workflow command a line: `::error file=…,line=…,endLine=…,col=…,endColumn=…,title=S014 on-failure-continue::…`.
///
/// Columns are left out where a finding spans lines, because GitHub refuses annotations that have both.
pub fn github(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in sorted(diagnostics) {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(out, "::{command} ");
        if let Some(label) = &diagnostic.primary {
            let (start, end) = extent(&label.source, label.span);
            let _ = write!(out, "file={},line={}", property(&label.source.name), start.line);
            let _ = write!(out, ",endLine={}", end.line);
            if start.line == end.line {
                let _ = write!(out, ",col={},endColumn={}", start.column, end.column);
            }
            out.push(',');
        }
        let _ = writeln!(out, "title={}::{}", property(&title(diagnostic)), data(&whole_message(diagnostic)));
    }
    out
}

/// The text of a command: a line break would end it, and what follows could be a command of somebody else.
fn data(text: &str) -> String {
    printable::printable(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{SourceFile, Span};

    #[test]
    fn a_command_cannot_be_left() {
        let file = SourceFile::new("a,b:c%.yaml", "x: 1\ny: 2\n");
        let found = [
            Diagnostic::error("Y001", "100%\n::set-output name=x::y").at(&file, Span::new(3, 4), ""),
            Diagnostic::new("Y001", Severity::Note, "two lines").at(&file, Span::new(3, 9), ""),
            Diagnostic::warning("Y001", "nowhere"),
        ];
        assert_eq!(
            github(&found),
            "::error file=a%2Cb%3Ac%25.yaml,line=1,endLine=1,col=4,endColumn=5,title=Y001::100%25%0A::set-output name=x::y\n\
             ::notice file=a%2Cb%3Ac%25.yaml,line=1,endLine=2,title=Y001::two lines\n\
             ::warning title=Y001::nowhere\n"
        );
    }
}
