//! Rules about the scripts of `ExecuteBash` and `ExecutePowerShell`.

use super::model::Rule;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[];
