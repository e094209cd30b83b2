//! What `import` prints.

use crate::diagnostic::render::printable;
use crate::import::{Imported, Written};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Schema of the JSON.
const SCHEMA: &str = "amiforge.import/1";

/// What was imported, and what `lint` says of it.
#[derive(Debug)]
pub struct ImportReport {
    /// Where the files are.
    pub folder: String,
    /// What was made.
    pub imported: Imported,
    /// What happened to the files.
    pub written: Written,
    /// Errors that `lint` finds in the folder.
    pub errors: usize,
    /// Warnings that it finds.
    pub warnings: usize,
}

impl ImportReport {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "folder": self.folder,
            "recipes": self.imported.recipes,
            "components": self.imported.components,
            "files": self.written,
            "not_imported": self.imported.lost,
            "lint": { "errors": self.errors, "warnings": self.warnings },
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let recipes = counted(self.imported.recipes.len(), "recipe");
        let components = counted(self.imported.components.len(), "component");
        let mut text = format!("{recipes} and {components} in {}\n", self.folder);
        for (sign, files, remark) in [
            ('+', &self.written.written, ""),
            ('=', &self.written.unchanged, "  there already"),
            ('!', &self.written.kept, "  left as it is; the account says:"),
        ] {
            for name in files {
                let _ = writeln!(text, "  {sign} {name}{remark}");
                if sign == '!' {
                    let wanted = self.imported.files.get(name).map(String::as_str).unwrap_or_default();
                    text.extend(wanted.lines().map(|line| format!("      | {}\n", printable(line))));
                }
            }
        }
        if !self.imported.lost.is_empty() {
            text.push_str("not imported\n");
        }
        for lost in &self.imported.lost {
            let file = lost.file.as_deref().map_or_else(String::new, |file| format!("{file}: "));
            let _ = writeln!(text, "  {file}{}", printable(&lost.what));
        }
        let found = match (self.errors, self.warnings) {
            (0, 0) => "finds nothing".to_owned(),
            (errors, warnings) => format!("finds {} and {}", counted(errors, "error"), counted(warnings, "warning")),
        };
        let _ = writeln!(text, "lint {found}\nnext: amiforge -C {} lint", self.folder);
        text
    }
}
