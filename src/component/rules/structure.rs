//! `D`: the document as a whole.

use super::model::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[];
