//! The `amiforge` command: arguments, logging, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // An instance's init is this program, executed again; it must not get as far as argument parsing.
    if let Some(code) = amiforge::sandbox::init::main(amiforge::runner::serve) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    // So is the runner of `component run`.
    if let Some(code) = amiforge::runner::host::main() {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    ExitCode::from(amiforge::cli::main(std::env::args_os()))
}
