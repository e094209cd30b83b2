//! One type for everything that has a place in a file: parse errors, findings, project errors.
//!
//! A [`Diagnostic`] names a code of the [`catalogue`], says one sentence, and points at a [`SourceFile`] span.
//! Drawing it is the business of [`render`]; nothing here prints.

pub mod catalogue;
mod model;
pub mod render;
mod suggest;

pub use model::{Diagnostic, Edit, Fix, Label, Severity, SourceFile, Span};
pub use suggest::suggest;
