//! `M`: modules that fetch and store.

use super::model::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[];
