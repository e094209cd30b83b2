//! `M`: modules and scripts of Windows.

use super::model::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[];
