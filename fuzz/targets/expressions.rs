//! Expressions: any text is split without a panic, and put together again it is the text.
#![no_main]

use amiforge::component::expression::{self, Part};
use amiforge::component::re2;
use amiforge::diagnostic::Span;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut faults = 0;
    let parts = expression::split(text, |range| Span::new(range.start, range.end), |_, _| faults += 1);
    let literal: usize = parts.iter().map(|part| if let Part::Literal(text) = part { text.len() } else { 0 }).sum();
    assert!(literal <= text.len());
    if faults == 0 && !text.contains("{{") {
        assert_eq!(literal, text.len());
    }
    if let Err(error) = re2::check(text) {
        assert!(text.get(error.range.clone()).is_some());
    }
});
