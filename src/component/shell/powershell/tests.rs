use super::super::{Context, Place};
use super::PowerShell;

/// One line for each command: its words, and what it stands in.
fn facts(text: &str) -> Vec<String> {
    let script = PowerShell::read(&[text]);
    let lines = script.commands.iter().map(|command| {
        let mut parts: Vec<String> = command.words.iter().map(|word| word.text.clone()).collect();
        let scope = command.scope;
        let marks = [(scope.conditional, "[?]"), (scope.in_loop, "[*]"), (scope.in_function, "[f]")];
        parts.extend(marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| (*mark).to_owned()));
        parts.extend(command.pipeline.map(|number| format!("[|{number}]")));
        parts.extend(command.parent.map(|number| format!("[in {number}]")));
        parts.join(" ")
    });
    lines.collect()
}

#[test]
fn commands_are_found() {
    for (text, expected) in [
        ("Get-Item a 'b c' \"d\"", &["Get-Item a b c d"][..]),
        ("a; b\nc", &["a", "b", "c"]),
        ("a `\n  b", &["a b"]),
        ("a `\r\n  b\r\nc", &["a b", "c"]),
        ("# it's\na # x\n<# b\nc #> d", &["a", "d"]),
        ("iwr https://x | iex", &["iwr https://x [|0]", "iex [|0]"]),
        ("a |\n  b |\n c", &["a [|0]", "b [|0]", "c [|0]"]),
        (
            "iex ((New-Object Net.WebClient).DownloadString('https://x'))",
            &["iex ()", "() .DownloadString() [in 0]", "New-Object Net.WebClient [in 1]", "https://x [in 1]"],
        ),
        ("& 'C:\\Program Files\\a.exe' /S", &["C:\\Program Files\\a.exe /S"]),
        ("if ($a -eq 1) { exit 3010 } else { b }", &["$a -eq 1", "exit 3010 [?]", "b [?]"]),
        ("if (-not (Test-Path c))\n{\n  exit 3010\n}\nd", &["-not ()", "Test-Path c [in 0]", "exit 3010 [?]", "d"]),
        ("foreach ($a in $b) { exit 3010 }; c", &["$a in $b", "exit 3010 [*]", "c"]),
        ("1..3 | % { a $_ }", &["1..3 [|0]", "% {} [|0]", "a $_ [*] [in 1]"]),
        ("1..3 | foreach { a }", &["1..3 [|0]", "foreach {} [|0]", "a [*] [in 1]"]),
        ("function Foo { a }", &["function Foo {}", "a [f] [in 0]"]),
        ("try { a } catch { b } finally { c }\nd", &["a", "b [?]", "c", "d"]),
        ("$x = Get-Item a", &["Get-Item a"]),
        ("$x = @{ A = 1; B = 'b' }", &["{}", "1 [in 0]", "b [in 0]"]),
        ("a && b || c", &["a", "b [?]", "c [?]"]),
        ("a > b.txt 2>&1; c", &["a", "c"]),
        ("\"a $(Get-Item b) c\"", &["a ()  c", "Get-Item b [in 0]"]),
        ("'it''s' ; \"say \"\"x\"\" `\" $y\"", &["it's", "say \"x\" \" $y"]),
        ("a @'\n'b' ; c\n'@ d", &["a \n'b' ; c d"]),
        ("a --% b | c\nd", &["a --%  b | c", "d"]),
        ("${a b} x", &["${a b} x"]),
        ("", &[]),
    ] {
        assert_eq!(facts(text), expected, "{text}");
        assert_eq!(PowerShell::read(&[text]).errors, [], "{text}");
    }
}

#[test]
fn places_reach_from_the_first_word_to_the_last_bracket() {
    for (text, expected) in [
        ("$x = Get-Item a", &["Get-Item a"][..]),
        (
            "iex ((New-Object A).B('c')); d",
            &["iex ((New-Object A).B('c'))", "(New-Object A).B('c')", "New-Object A", "'c'", "d"],
        ),
        ("a { b } | c", &["a { b }", "b", "c"]),
        ("if (a) { b }", &["a", "b"]),
    ] {
        let script = PowerShell::read(&[text]);
        let found: Vec<_> = script.commands.iter().map(|command| &text[command.place.range.clone()]).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn names_are_understood() {
    for (text, full, expected) in [
        ("restart-computer -Force", "Restart-Computer", true),
        ("IWR x", "Invoke-WebRequest", true),
        ("C:\\Windows\\System32\\shutdown.exe /r", "shutdown", true),
        ("'restart-computer'", "Restart-Computer", true),
        ("$x", "Restart-Computer", false),
        ("[a]::b", "a", false),
    ] {
        assert_eq!(PowerShell::read(&[text]).commands[0].runs(full), expected, "{text}");
    }
}

#[test]
fn the_error_preference_is_known() {
    for (text, expected) in [
        ("$ErrorActionPreference = 'Stop'\na", true),
        ("# x\n$erroractionpreference=\"stop\"; a", true),
        ("$global:ErrorActionPreference = 'Stop'\na", true),
        ("$ErrorActionPreference = [System.Management.Automation.ActionPreference]::Stop\na", true),
        ("$ErrorActionPreference = 'Continue'\na", false),
        ("$ErrorActionPreference = 'Stop'\n$ErrorActionPreference = 'Continue'\na", false),
        ("if ($x) { $ErrorActionPreference = 'Stop' }\na", false),
        ("a\n$ErrorActionPreference = 'Stop'", false),
    ] {
        let script = PowerShell::read(&[text]);
        let command = script.commands.iter().position(|command| command.runs("a")).expect(text);
        assert_eq!(script.stops_on_errors(command), expected, "{text}");
    }
}

#[test]
fn expressions_have_a_context() {
    let script = PowerShell::read(&["a {{ A }} \"{{ B }}\"", "'{{ C }}' # {{ D }}\n@\"\n{{ E }}\n\"@"]);
    let found: Vec<_> = script.expressions.iter().map(|e| (e.text.as_str(), e.context, e.command)).collect();
    let expected = [
        ("A", Context::Unquoted, Some(0)),
        ("B", Context::DoubleQuoted, Some(0)),
        ("C", Context::SingleQuoted, Some(1)),
        ("D", Context::Comment, None),
        ("E", Context::DoubleQuoted, Some(2)),
    ];
    assert_eq!(found, expected);
    assert_eq!(script.expressions[2].place, Place { item: 1, range: 1..8 });
}

#[test]
fn what_is_left_open_is_an_error() {
    for text in ["a 'b", "a \"b", "a (b", "a {b", "a <# b", "a @'\nb", "a )", "a }", "(a }", "\"$(a\""] {
        assert_ne!(PowerShell::read(&[text]).errors, [], "{text}");
    }
}
