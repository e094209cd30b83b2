//! One file per verb: its arguments, one call into the library, what it prints.
