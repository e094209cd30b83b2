//! Fixes: what is mended has no new errors, and there is nothing left to mend in it.
#![no_main]

use amiforge::component::{
    self,
    rules::{self, Levels, Target},
};
use amiforge::diagnostic::{Diagnostic, Severity, SourceFile};
use amiforge::lint::fix::fix_until_stable;
use libfuzzer_sys::fuzz_target;

fn lint(text: &str) -> Vec<Diagnostic> {
    let source = SourceFile::new("f", text);
    rules::lint(&source, &component::parse(&source), &Target::default(), &Levels::default())
}

fn errors(text: &str) -> usize {
    lint(text).iter().filter(|found| found.severity == Severity::Error).count()
}

fuzz_target!(|text: &str| {
    for unsafe_too in [false, true] {
        let fixed = fix_until_stable(text, lint, unsafe_too);
        assert!(errors(&fixed.text) <= errors(text));
        if fixed.settled && fixed.refused.is_empty() {
            let again = fix_until_stable(&fixed.text, lint, unsafe_too);
            assert_eq!(again.text, fixed.text);
        }
    }
});
