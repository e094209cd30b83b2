//! The rules: what is wrong or doubtful about a component document, why, and what to do about it.
//!
//! Ids are those of reference/component-documents.md section 15, grouped by letter: `D` the document, `S` steps, `X`
//! expressions, `L` loops, `C` conditions, `M` what action modules do. Each family is a file with its rules in one table;
//! [`all`] is all of them, and everything that lists rules reads it: the checks, `amiforge explain`, docs/rules.md, SARIF.
//!
//! A rule that follows from reading the document is found by the parser and has no check of its own here.

mod conditions;
mod expressions;
mod files;
mod levels;
mod loops;
mod model;
mod page;
mod registry;
mod shell;
mod steps;
mod structure;
mod subject;
mod suppress;
mod transfers;
mod windows;

pub use levels::{Level, Levels};
pub use model::{Basis, Check, Findings, Rule};
pub use page::{explain, markdown};
pub use registry::{all, check, find, lint};
pub(crate) use shell::secrets_in;
pub use subject::{Role, Subject, Target};

#[cfg(test)]
mod tests;
