//! A YAML (and JSON) tree with byte-exact spans.
//!
//! [`parse`] reads one document into a [`Node`] tree that keeps the text of every scalar as written, so that `0777`
//! stays `0777`. Readings follow the YAML 1.2 core schema and are asked for where a type is wanted ([`Node::as_bool`],
//! [`Node::as_int`]); nothing is converted behind the reader's back.
//!
//! [`emit`] writes what readers of YAML 1.1 and of 1.2 read alike.
//!
//! What other readers treat differently is refused, with a place and a way out: duplicate keys, anchors and aliases,
//! merge keys, tags, more than one document. The parser below is replaceable: nothing outside this room sees it.

mod catalogue;
mod comments;
mod emit;
mod fault;
mod offsets;
mod older;
mod parse;
mod tree;

pub use catalogue::ENTRIES;
pub use comments::{Comment, comments};
pub use emit::{emit, quoted};
pub use offsets::Offsets;
pub use parse::{Options, Reading, parse, read};
pub use tree::{Kind, Node, Scalar, Style};
