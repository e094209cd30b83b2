//! What scripts fetch, reveal, leave behind and break.

use crate::component::rules::model::Rule;

/// The rules of this family.
pub(in crate::component::rules) const RULES: &[Rule] = &[];
