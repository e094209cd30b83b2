//! By what a finding is known again in the next run.

use crate::diagnostic::Diagnostic;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The name of the fingerprint and its version. (`primaryLocationLineHash` is GitHub's own to compute.)
pub(super) const KEY: &str = "amiforgeFinding/v1";

/// Of longer lines only the beginning counts.
const LONGEST: usize = 1000;

/// Makes fingerprints, which need to know what came before.
#[derive(Default)]
pub(super) struct Fingerprints {
    seen: BTreeMap<(String, String), usize>,
}

impl Fingerprints {
    /// The fingerprint of the next finding. It rests on the rule and on what the line says, not on where it stands: lines
    /// added above, another indentation or another name of the file leave it as it is. Equal ones in a file are counted.
    pub(super) fn next(&mut self, finding: &Diagnostic) -> String {
        let file = finding.primary.as_ref().map_or("", |label| label.source.name.as_str()).to_owned();
        let what = format!("{}\n{}", finding.code, line(finding));
        let count = self.seen.entry((file, what.clone())).or_insert(0);
        let digest = Sha256::digest(format!("{what}\n{count}"));
        *count += 1;
        digest.iter().take(16).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// The line without the white space that says nothing; the message of what stands in no file.
fn line(finding: &Diagnostic) -> String {
    let text = match &finding.primary {
        Some(label) => label.source.slice(label.source.line_span(label.source.line(label.span.start))),
        None => finding.message.as_str(),
    };
    let text = &text[..text.floor_char_boundary(LONGEST)];
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{SourceFile, Span};

    fn of(text: &str, code: &'static str) -> Vec<String> {
        let file = SourceFile::new("f", text);
        let mut all = Fingerprints::default();
        text.match_indices('!')
            .map(|(at, _)| all.next(&Diagnostic::error(code, "m").at(&file, Span::new(at, at + 1), "")))
            .collect()
    }

    #[test]
    fn findings_are_known_again_wherever_they_stand() {
        let before = of("a: !\nb: !\na: !\n", "S014");
        assert_eq!(before, of("# new\n\n  a:   !\nb: !\r\na: !\n", "S014"));
        assert_eq!(before.len(), 3);
        assert!(before[0] != before[1] && before[0] != before[2], "each is one of its own: {before:?}");
        assert_ne!(before[0], of("a: !\n", "S015")[0]);
        assert_ne!(before[0], of("c: !\n", "S014")[0]);
    }
}
