//! M002: PowerShell scripts that run on after an error.

use super::insert;
use crate::component::rules::model::Findings;
use crate::component::rules::shell::PowerShellCommands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Coverage, PowerShell, PowerShellCommand};

/// M002. Of a script the first command is told whose errors do not end it.
pub fn preference(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.powershell() {
        let script = &commands.script;
        let Some(index) = lost(commands) else { continue };
        let command = &script.commands[index];
        let name = match command.name().filter(|name| name.contains('-')) {
            Some(_) => format!("`{}`", command.words[0].text),
            None => "this call".to_owned(),
        };
        let diagnostic = found
            .at(
                commands.span(&command.place),
                format!("an error in {name} does not fail the step"),
                "it is printed, and the script goes on",
            )
            .note("most errors of PowerShell are only printed, and the exit code stays 0")
            .help("begin the script with `$ErrorActionPreference = 'Stop'`");
        found.add(match insert::first_line(commands, "$ErrorActionPreference = 'Stop'") {
            Some(edit) => diagnostic.unsafe_fix("begin with `$ErrorActionPreference = 'Stop'`", vec![edit]),
            None => diagnostic,
        });
    }
}

/// The first command whose errors are lost. Once a script stops on errors, what it does later is meant.
fn lost(commands: &PowerShellCommands<'_>) -> Option<usize> {
    let script = &commands.script;
    if script.coverage != Coverage::Complete || !script.errors.is_empty() || is_set_otherwise(commands) {
        return None;
    }
    let end = script.commands.len();
    // In front of the first assignment everything may be lost, behind it nothing is by accident.
    let first = (0..end).find(|index| script.stops_on_errors(*index)).unwrap_or(end);
    let ends_in_stop = script.stops_on_errors(end);
    (0..first).find(|index| {
        let command = &script.commands[*index];
        // What a function does counts where it is called, most likely below.
        let later = command.scope.in_function && (ends_in_stop || first < end);
        !later && may_fail(script, command)
    })
}

/// `Set-Variable ErrorActionPreference …`, `$PSDefaultParameterValues['*:ErrorAction'] = 'Stop'`.
fn is_set_otherwise(commands: &PowerShellCommands<'_>) -> bool {
    let script = &commands.script;
    let named = |text: &str| text.to_ascii_lowercase().contains("erroractionpreference");
    let set =
        |command: &PowerShellCommand| command.runs("Set-Variable") && command.words.iter().any(|w| named(&w.text));
    script.commands.iter().any(set)
        || script.assignments.iter().any(|assignment| {
            let target = commands.text(&assignment.place).to_ascii_lowercase();
            target.contains("psdefaultparametervalues") && target.contains("erroraction")
        })
}

/// Cmdlets that tell, ask or shape something, and cannot fail in a way that matters.
const HARMLESS: &[&str] = &[
    "export-modulemember",
    "foreach-object",
    "format-list",
    "format-table",
    "get-date",
    "get-location",
    "group-object",
    "join-path",
    "measure-object",
    "out-host",
    "out-null",
    "out-string",
    "select-object",
    "set-psdebug",
    "set-strictmode",
    "sort-object",
    "split-path",
    "start-sleep",
    "start-transcript",
    "stop-transcript",
    "test-path",
    "where-object",
    "write-debug",
    "write-error",
    "write-host",
    "write-information",
    "write-output",
    "write-progress",
    "write-verbose",
    "write-warning",
];

/// Whether an error of a command would matter, and the preference decides what comes of it. It says nothing about the
/// exit codes of programs.
fn may_fail(script: &PowerShell, command: &PowerShellCommand) -> bool {
    let decided = command.words.windows(2).any(|pair| {
        let option = pair[0].text.to_ascii_lowercase();
        // Any value is a decision.
        option == "-erroraction" || option == "-ea"
    });
    let calls = command.words.iter().any(|word| word.dynamic && (word.text.contains("::") || is_method(&word.text)));
    let Some(name) = command.name() else { return calls };
    // `setup-x64.exe` is a program, whatever its name looks like; a module may stand before a cmdlet: `Storage\Get-Disk`.
    let written = command.words[0].text.as_str();
    let is_program = written.contains(['.', '/', ':']) || written.starts_with('\\');
    let cmdlet = name
        .split_once('-')
        .is_some_and(|(verb, noun)| !noun.is_empty() && !is_program && verb.bytes().all(|b| b.is_ascii_alphabetic()));
    let own = script.commands.iter().any(|other| {
        matches!(other.words.as_slice(), [word, function, ..]
            if word.text.eq_ignore_ascii_case("function") && function.text.trim_end_matches("()").eq_ignore_ascii_case(&name))
    });
    cmdlet && !decided && !own && !HARMLESS.contains(&name.as_str())
}

/// `.DownloadFile()`
fn is_method(text: &str) -> bool {
    text.starts_with('.') && text.ends_with("()") && text.len() > 3
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, mended, powershell};

    #[test]
    fn errors_that_are_lost_are_reported_once_a_script() {
        for (script, expected) in [
            ("Install-WindowsFeature Web-Server\nGet-Service W3SVC", "Install-WindowsFeature Web-Server"),
            ("Get-ChildItem C:\\missing", "Get-ChildItem C:\\missing"),
            ("Write-Host hello\n$x = Get-Content C:\\a.txt\nSet-Content C:\\b.txt $x", "Get-Content C:\\a.txt"),
            ("New-Item -ItemType Directory C:\\a | Out-Null", "New-Item -ItemType Directory C:\\a"),
            ("if ($x) {\n  Copy-Item a b\n}", "Copy-Item a b"),
            ("Copy-Item a b\n$ErrorActionPreference = 'Stop'\nCopy-Item c d", "Copy-Item a b"),
            ("$ErrorActionPreference = 'Continue'\nCopy-Item a b", "Copy-Item a b"),
            ("try { Copy-Item a b } catch { Write-Host no }", "Copy-Item a b"),
            ("function Do-It { Copy-Item a b }\nDo-It", "Copy-Item a b"),
            ("copy-item a b", "copy-item a b"),
            ("Storage\\Get-Disk 1", "Storage\\Get-Disk 1"),
        ] {
            assert_eq!(powershell("M002", script), [expected], "{script}");
        }
    }

    #[test]
    fn scripts_that_stop_or_cannot_are_left_alone() {
        for script in [
            "$ErrorActionPreference = 'Stop'\nCopy-Item a b\nCopy-Item c d",
            "$ErrorActionPreference = \"Stop\"; Copy-Item a b",
            "Write-Host start\n$ErrorActionPreference = 'Stop'\nCopy-Item a b",
            "# a comment\n$x = 'y'\n$ErrorActionPreference='Stop'\nCopy-Item a b",
            "$ErrorActionPreference = 'Stop'\nCopy-Item a b\n$ErrorActionPreference = 'Continue'\nCopy-Item c d",
            "Set-StrictMode -Version Latest\n$ErrorActionPreference = 'Stop'\nCopy-Item a b",
            "Set-Variable -Name ErrorActionPreference -Value Stop\nCopy-Item a b",
            "$PSDefaultParameterValues['*:ErrorAction'] = 'Stop'\nCopy-Item a b",
            "Copy-Item a b -ErrorAction Stop",
            "Remove-Item a -EA SilentlyContinue\nexit 0",
            "msiexec /i a.msi /qn\nexit $LASTEXITCODE",
            "Write-Host a; Write-Host b",
            "function Do-It { Copy-Item a b }\n$ErrorActionPreference = 'Stop'\nDo-It",
            "if (Test-Path a) { throw 'there' }",
            "exit 3010",
            "C:\\build\\dotnet-sdk-win-x64.exe /quiet\n& 'C:\\Program Files\\a-b.exe' /x",
            "vscode-install.exe /silent",
            "Copy-Item 'a",
        ] {
            assert_eq!(powershell("M002", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn the_fix_stops_on_errors() {
        let found = findings("M002", "ExecutePowerShell", "", "Copy-Item a b\nCopy-Item c d");
        let expected = "$ErrorActionPreference = 'Stop'\nCopy-Item a b\nCopy-Item c d";
        assert_eq!(mended(&found[0]).as_deref(), Some(expected));
    }
}
