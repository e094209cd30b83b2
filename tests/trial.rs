//! `amiforge test` and `amiforge shell` for real: documents in instances on cloned roots, through the binary and through
//! the library.
//!
//! Without the standard harness, because instances are this very program executed again.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program")]

#[path = "trial/ends.rs"]
mod ends;
#[path = "trial/harness.rs"]
mod harness;
#[path = "trial/library.rs"]
mod library;
#[path = "trial/machine.rs"]
mod machine;
#[path = "trial/runs.rs"]
mod runs;
#[path = "trial/schema.rs"]
mod schema;
#[path = "trial/selection.rs"]
mod selection;
#[path = "trial/shell.rs"]
mod shell;
#[path = "support/mod.rs"]
mod support;
#[path = "trial/system.rs"]
mod system;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = amiforge::sandbox::init::main(amiforge::runner::serve) {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    let code = harness::run(
        &[runs::TESTS, selection::TESTS, system::TESTS, shell::TESTS, ends::TESTS, library::TESTS, machine::TESTS]
            .concat(),
    );
    harness::clean();
    code
}
