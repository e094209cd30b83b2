//! One line for each finding.

use super::{printable, sorted, word};
use crate::diagnostic::Diagnostic;
use std::fmt::Write as _;

/// `file:line:column: error[S014]: message`, the form that editors and `grep` users expect.
pub fn concise(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in sorted(diagnostics) {
        if let Some(place) = diagnostic.place() {
            let _ = write!(out, "{}: ", printable::line(&place));
        }
        let message = printable::line(&diagnostic.message);
        let _ = writeln!(out, "{}[{}]: {message}", word(diagnostic.severity), diagnostic.code);
    }
    out
}
