//! Text and JSON of what users see. Pure: values in, text out.

mod files;
mod image;
mod verbs;

pub use files::{Rendered, count_line, init, lint, serving};
pub use image::{change_line, channels, closing, plan, verdicts, word};
pub use verbs::{Validated, built, promoted, published, resumed};
