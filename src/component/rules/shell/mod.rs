//! Rules about the scripts of `ExecuteBash` and `ExecutePowerShell`.

pub(super) mod first;
mod script;
pub(super) mod second;

pub(super) use script::{Commands, PowerShellCommands};
pub(crate) use second::secrets_in;
