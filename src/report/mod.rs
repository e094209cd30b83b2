//! Text and JSON of what users see. Pure: values in, text out.

mod files;
mod image;

pub use files::{Rendered, count_line, init, lint, serving};
pub use image::{channels, closing, plan, verdicts};
