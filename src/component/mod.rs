//! The component language: model, parser, expressions, action modules. Pure.
//!
//! [`parse`] reads a component document and collects everything that is wrong with it; [`modules`] is the one table of
//! the 30 action modules that the parser, the runner and the documentation read; [`runnable`] names what the runner does
//! not execute, so that it is refused and never skipped; [`schema`] is what editors know of all this.
//!
//! [`rules`] are what the linter reports, each with its reason. Their ids, such as `S005`, are those of
//! reference/component-documents.md section 15.

mod catalogue;
pub mod condition;
pub mod expression;
pub mod keys;
pub mod model;
pub mod modules;
mod parse;
pub mod re2;
pub mod repeat;
mod resolve;
pub mod rules;
mod runnable;
mod schema;
pub mod shell;

pub use catalogue::ENTRIES;
pub use expression::{Expression, Template};
pub use model::{Document, Phase, Step};
pub use parse::{Parsed, parse};
pub use runnable::{executes, runnable};
pub use schema::{DIALECT, schema};

/// Whether a name may be given to a phase, step, parameter or constant: 3 to 128 letters, digits, `-` or `_`.
pub fn is_name(text: &str) -> bool {
    (3..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
