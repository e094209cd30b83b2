//! Rules about the scripts of `ExecuteBash` and `ExecutePowerShell`.

pub(super) mod first;
mod script;
pub(super) mod second;

pub(crate) use second::secrets_in;
pub(super) use script::{Commands, PowerShellCommands};
