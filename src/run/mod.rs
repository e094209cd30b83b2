//! All of it in one go, each stage through the room that owns it.
