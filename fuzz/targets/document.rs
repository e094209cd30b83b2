//! Documents: any text is linted without a panic, and every finding can be shown in every format.
#![no_main]

use amiforge::component::{
    self,
    rules::{self, Levels, Target},
};
use amiforge::diagnostic::{Severity, SourceFile, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = SourceFile::new("f", String::from_utf8_lossy(data).into_owned());
    let parsed = component::parse(&source);
    let found = rules::lint(&source, &parsed, &Target::default(), &Levels::default());
    for diagnostic in &found {
        let span = diagnostic.span();
        assert!(source.text.get(span.start..span.end).is_some(), "{diagnostic:?}");
        for edit in diagnostic.fix.iter().flat_map(|fix| &fix.edits) {
            assert!(source.text.get(edit.span.start..edit.span.end).is_some(), "{diagnostic:?}");
        }
    }
    render::text(&found, false);
    let documents = [source.name.clone()];
    let report = render::Report { documents: &documents, findings: &found, fail_on: Severity::Warning };
    render::sarif(&report);
    render::json(&report);
    render::junit(&report);
    render::github(&found);
});
