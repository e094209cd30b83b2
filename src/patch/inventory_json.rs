//! An inventory as a document: JSON with a schema, read back exactly.

use super::inventory::Inventory;
use serde::{Deserialize, Serialize};

/// The schema of an inventory document.
pub const INVENTORY_SCHEMA: &str = "amiforge.inventory/1";

/// Why a text is not an inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryJsonError {
    /// No JSON, or a field that is missing, unknown or of another type.
    #[error("this is not an inventory: {0}")]
    Json(#[from] serde_json::Error),
    /// Another document, or one of another version of this program.
    #[error("the document has schema `{found}`, this program reads `{INVENTORY_SCHEMA}`; take the inventory again")]
    Schema {
        /// What it says.
        found: String,
    },
    /// A line of a compact list is no record.
    #[error("the inventory is damaged: `{line}` is no record of a package; take the inventory again")]
    Record {
        /// The line.
        line: String,
    },
    /// An offer or a notice comes from a source that is not in the list.
    #[error("the inventory is damaged: {what} comes from source {from}, and there are {sources}; take it again")]
    Source {
        /// The offer or notice.
        what: String,
        /// Its index.
        from: usize,
        /// How many sources there are.
        sources: usize,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    inventory: &'a Inventory,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "schema")]
    _schema: serde::de::IgnoredAny,
    inventory: Inventory,
}

/// Looked at first, so that a document of another version is called that and not "unknown field".
#[derive(Deserialize)]
struct Named {
    schema: String,
}

impl Inventory {
    /// The document: one JSON object with a schema. The same inventory gives the same text.
    pub fn to_json(&self) -> Result<String, InventoryJsonError> {
        Ok(serde_json::to_string(&Written { schema: INVENTORY_SCHEMA, inventory: self })?)
    }

    /// Reads a document. Unknown fields, other versions and indices that lead nowhere are errors.
    pub fn from_json(text: &str) -> Result<Self, InventoryJsonError> {
        let Named { schema } = serde_json::from_str(text)?;
        if schema != INVENTORY_SCHEMA {
            return Err(InventoryJsonError::Schema { found: schema });
        }
        let Read { inventory, .. } = serde_json::from_str(text)?;
        inventory.check_indices()?;
        Ok(inventory)
    }

    fn check_indices(&self) -> Result<(), InventoryJsonError> {
        let sources = self.sources.len();
        let offers = self.offered.iter().map(|offer| (&offer.package.name, offer.from));
        let notices = self.advisories.iter().map(|advisory| (&advisory.id, advisory.from));
        let lost = offers.chain(notices).find(|&(_, from)| from >= sources);
        if let Some((what, from)) = lost {
            return Err(InventoryJsonError::Source { what: what.clone(), from, sources });
        }
        for group in &self.others {
            if group.from >= sources {
                let what = "a list of packages".to_owned();
                return Err(InventoryJsonError::Source { what, from: group.from, sources });
            }
            if let Some(line) = group.damage() {
                return Err(InventoryJsonError::Record { line: line.to_owned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "inventory_json_tests.rs"]
mod tests;
