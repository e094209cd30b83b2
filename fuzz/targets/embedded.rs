//! Documents inside of other files: any text is searched without a panic, and places are inside of the outer file.
#![no_main]

use amiforge::component::rules::{Levels, Target};
use amiforge::diagnostic::{SourceFile, render};
use amiforge::lint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).into_owned();
    for name in ["f.yaml", "f.tf"] {
        let source = SourceFile::new(name, text.clone());
        let checked = lint::check(&source, &Target::default(), &Levels::default());
        for diagnostic in &checked.diagnostics {
            let span = diagnostic.span();
            assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?}");
        }
        render::text(&checked.diagnostics, false);
    }
});
