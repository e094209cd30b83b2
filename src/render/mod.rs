//! Handlebars: components and recipes from templates and parameters. Strict mode, no HTML escaping.
//!
//! Only templates are rendered; in a plain component document the braces belong to the component runner. Templates have both:
//! `{{ os }}` is the template's, `\{{ build.Step.outputs.stdout }}` comes out as the runner's without the backslash. That
//! spelling was chosen over raw blocks because a forgotten backslash is an unknown name and so an error, while an expression of
//! the template inside a raw block would silently stay text. How to write a template is told at the top of
//! `templates/components/patch-linux.yaml.hbs`.

mod codes;
mod engine;
mod helpers;
mod memory;
mod patching;
mod recipe;
mod targets;
#[cfg(test)]
mod tests;

pub use codes::ENTRIES;
pub(crate) use memory::Memory;
pub use recipe::recipe;
pub(crate) use recipe::{alone, takes, target};
pub use targets::{promote_name, promote_names};

use crate::diagnostic::SourceFile;
use crate::project::{Arch, Os, ParentReference};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A recipe for one architecture with everything filled in: what `plan` compares with the account.
#[derive(Debug, Clone)]
pub struct RenderedRecipe {
    /// Recipe name of the project, for example `debian-12`.
    pub recipe: String,
    /// Resource name, for example `acme-golden-debian-12-x86-64`.
    pub resource_name: String,
    /// Operating system.
    pub os: Os,
    /// Architecture.
    pub arch: Arch,
    /// `Linux` or `Windows`.
    pub platform: &'static str,
    /// Parent image reference with its template filled in.
    pub parent: ParentReference,
    /// Components in run order: build components, then test components.
    pub components: Vec<RenderedComponent>,
    /// Description for the resource.
    pub description: String,
    /// `deviceName` of the root volume.
    pub root_device: &'static str,
}

/// One component ready to be created.
#[derive(Debug, Clone)]
pub struct RenderedComponent {
    /// Name in the project, for example `patch-linux`.
    pub name: String,
    /// Resource name, for example `acme-golden-patch-linux`.
    pub resource_name: String,
    /// Whether it stands under `test:` in the recipe.
    pub test: bool,
    /// `Linux` or `Windows`.
    pub platform: &'static str,
    /// OS prefixes the component supports, for example `Debian 12`; empty: not restricted.
    pub supported_os: Vec<String>,
    /// Description for the resource.
    pub description: String,
    /// The document (also the file that diagnostics point at).
    pub document: Arc<SourceFile>,
    /// Parameter values the recipe passes.
    pub parameters: BTreeMap<String, String>,
}
