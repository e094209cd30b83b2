//! Text and JSON of what users see.
