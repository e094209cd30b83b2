//! How scripts fail, restart the machine, ask questions and take in values.

use crate::component::rules::model::Rule;

/// The rules of this family.
pub(in crate::component::rules) const RULES: &[Rule] = &[];
