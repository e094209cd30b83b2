//! What a linter needs to know about the shell text inside `commands`. Pure; it gives facts and judges nothing.
//!
//! [`Script::bash`] reads the items of an `ExecuteBash`, [`PowerShell::read`] those of an `ExecutePowerShell`. Both join the
//! items by line breaks, as the runner does, and answer with positions inside the items ([`Place`]). On top of the bare
//! syntax stand a few typed views: [`Command::invocation`] looks through `sudo`, `env` and the like,
//! [`Command::package_call`] knows the package managers, [`Script::holds`] the shell options, [`Script::variable`] what was
//! assigned before.
//!
//! The reader of bash is our own. A generated one was tried (the grammar that editors use, a C library) and refused: five
//! bytes of valid UTF-8 make it read out of bounds, it needs quadratic time, part of it without a way to stop it, on what
//! it cannot make sense of, and it calls three in a hundred of the valid scripts of a plain Debian wrong. Parsers by
//! recursive descent end in a stack overflow on deep nesting. Here one machine with an explicit stack goes once over the
//! text (see `bash/machine.rs`), so any input ends soon, whatever it is.

mod bash;
mod invocation;
mod model;
mod options;
mod package;
mod powershell;
#[cfg(test)]
mod tests;
mod text;

pub use invocation::Invocation;
pub use model::{
    Assignment, Command, CommandKind, Coverage, Embedding, Expansion, Fault, Function, Guard, GuardKind, Pipeline,
    Quoting, Redirect, Scope, Script, Stage, SyntaxError, Variable, Word,
};
pub use options::{Setting, ShellOption};
pub use package::{PackageAction, PackageCall, PackageManager, PackageName};
pub use powershell::{PowerShell, PowerShellAssignment, PowerShellCommand, PowerShellPipeline, PowerShellScope};
pub use text::{Context, Place};

/// The largest script that is read, in bytes. The service takes documents up to 64 KB; this leaves room for a raised quota.
pub const LARGEST_SCRIPT: usize = 256 * 1024;

/// How many quotes, substitutions and compound commands may stand inside one another.
pub const DEEPEST_NESTING: usize = 1000;
