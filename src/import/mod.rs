//! `import`: what an account has of Image Builder becomes project files.
//!
//! `read` asks the account, `convert` makes files of the answers (pure), `write` puts them into a folder, all or
//! none. Component documents are kept byte for byte. What project files have no word for stands in them as a comment where
//! it would belong, and in [`Imported::lost`]; nothing is dropped in silence. Recipes name components by name, so the
//! components of AWS and of others come along as files of the project, as far as their documents can be read.

mod convert;
mod error;
mod model;
mod pipeline;
mod read;
mod recipe;
#[cfg(test)]
mod tests;
mod write;

pub use convert::{Imported, Lost, Settings, convert};
pub use error::ImportError;
pub use model::{
    Account, Component, Infrastructure, Pipeline, Recipe, Region, Schedule, Use, Volume, Workflow, WorkflowUse,
};
pub use read::{Order, read};
pub use write::{Written, write};
