//! The reader of bash.
//!
//! [`machine`] holds the stack of what is open and runs until the text is at its end; [`lexical`] are its steps inside words
//! and quotes, [`block`] those between words, [`keyword`] and [`compound`] what reserved words do, [`statement`] what ends
//! commands, pipelines and lists, [`heredoc`] the here-documents and the scripts inside scripts.

mod block;
mod compound;
mod frame;
mod heredoc;
mod keyword;
mod lexical;
mod machine;
mod statement;
#[cfg(test)]
pub(super) mod tests;

use super::text::Text;
use super::{Coverage, LARGEST_SCRIPT, Script};

impl Script {
    /// Reads the items of the `commands` of an `ExecuteBash`.
    pub fn bash(items: &[&str]) -> Self {
        let bytes: usize = items.iter().map(|item| item.len() + 1).sum();
        if bytes > LARGEST_SCRIPT {
            return Self { coverage: Coverage::TooLarge, ..Self::default() };
        }
        machine::read(&Text::new(items))
    }
}

/// Whether a command takes assignments as its arguments.
pub(super) fn declares(name: Option<&str>) -> bool {
    matches!(name, Some("export" | "declare" | "typeset" | "local" | "readonly"))
}
