//! A YAML (and JSON) tree with byte-exact spans and comments.
