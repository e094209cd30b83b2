//! Rules about the scripts of `ExecuteBash` and `ExecutePowerShell`.

pub(super) mod first;
mod script;
pub(super) mod second;

pub(super) use script::{Commands, PowerShellCommands};
