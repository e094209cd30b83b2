//! The component language: model, parser, expressions, action modules. Pure.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about `C0xx`.
pub const ENTRIES: &[Entry] = &[];
