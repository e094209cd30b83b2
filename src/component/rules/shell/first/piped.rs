//! M012: what comes from the network and is run without a look at it.

use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Coverage, Embedding, Invocation, Place, PowerShell, PowerShellCommand, Script};
use crate::diagnostic::{Diagnostic, Span};
use std::collections::BTreeSet;

/// Programs that write what they fetch to their standard output or to a file.
const FETCHERS: &[&str] = &["curl", "wget", "aria2c", "fetch"];

/// Programs that verify something. Whoever calls one has a look.
const VERIFIERS: &[&str] = &[
    "b2sum",
    "cksum",
    "cosign",
    "gpg",
    "gpg2",
    "gpgv",
    "md5sum",
    "minisign",
    "openssl",
    "sha1sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shasum",
    "signify",
];

/// M012.
pub fn unseen(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts() {
        for (place, program) in bash(&commands.script) {
            let message = format!("what `{program}` fetches is run as a script without a look at it");
            report(found, commands.span(&place), message);
        }
        for Download { file, fetched, run } in downloaded(&commands.script) {
            let message = format!("`{file}` is run as it came from the network");
            let diagnostic = unseen_at(found, commands.span(&run), message);
            found.add(diagnostic.also_at(subject.source, commands.span(&fetched), "fetched here"));
        }
    }
    for commands in subject.powershell() {
        for place in powershell(&commands.script) {
            let message = "what is fetched is run as a script without a look at it";
            report(found, commands.span(&place), message.to_owned());
        }
    }
}

fn report(found: &mut Findings<'_>, span: Span, message: String) {
    let diagnostic = unseen_at(found, span, message);
    found.add(diagnostic);
}

fn unseen_at(found: &Findings<'_>, span: Span, message: String) -> Diagnostic {
    found
        .at(span, message, "whoever controls that address controls the image")
        .note("what is there may change between two builds, or arrive cut short")
        .help("fetch a fixed version with WebDownload and its `checksum`, then run the file in a step of its own")
}

/// What is handed to an interpreter at once: the place of all of it, and the program that fetches it.
fn bash(script: &Script) -> Vec<(Place, &str)> {
    let mut found = Vec::new();
    for pipeline in &script.pipelines {
        let fetcher =
            pipeline.stages.iter().position(|stage| script.commands[stage.inside.clone()].iter().any(fetches));
        let Some(fetcher) = fetcher else { continue };
        let runs = pipeline.stages[fetcher + 1..].iter().any(|stage| {
            stage.command.and_then(|index| script.commands[index].invocation()).is_some_and(|call| reads_program(&call))
        });
        let program = script.commands[pipeline.stages[fetcher].inside.clone()].iter().find_map(fetcher_name);
        found.extend(program.filter(|_| runs).map(|program| (pipeline.place.clone(), program)));
    }
    let mut seen = BTreeSet::new();
    for command in &script.commands {
        let Some((program, (parent, embedding))) = fetcher_name(command).zip(command.scope.parent) else { continue };
        let outer = &script.commands[parent];
        let runs = match embedding {
            Embedding::Substitution => runs_argument(outer),
            Embedding::Process => outer.invocation().is_some_and(|call| {
                matches!(call.program, "source" | ".") || (is_interpreter(&call) && !has_program(&call))
            }),
            Embedding::Script => false,
        };
        if runs && seen.insert(parent) {
            found.push((outer.place.clone(), program));
        }
    }
    found
}

/// The name of a program that fetches something and shows it.
fn fetcher_name(command: &Command) -> Option<&str> {
    let call = command.invocation().filter(|call| FETCHERS.contains(&call.program))?;
    let asks = call.has_option(&["--help", "--version", "-V", "-I", "--head"]);
    // An instance asks itself for its metadata.
    let own = call.operands().any(|word| word.text.contains("169.254.169.254") || word.text.starts_with("file:"));
    (!asks && !own).then_some(call.program)
}

fn fetches(command: &Command) -> bool {
    fetcher_name(command).is_some()
}

fn is_interpreter(call: &Invocation<'_>) -> bool {
    let numbered = |name: &str| {
        call.program.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|b| b == b'.' || b.is_ascii_digit()))
    };
    call.is_shell() || matches!(call.program, "perl" | "ruby" | "node" | "php") || numbered("python")
}

/// Whether its program is given as an argument, so that it does not come from elsewhere.
fn has_program(call: &Invocation<'_>) -> bool {
    match call.program {
        _ if call.is_shell() => call.script_argument().is_some(),
        "perl" | "ruby" | "node" | "php" => call.has_option(&["-e", "-n", "-p", "-r", "-E", "--eval", "--print"]),
        _ => call.has_option(&["-c", "-m"]),
    }
}

/// Whether an interpreter takes its program from standard input.
fn reads_program(call: &Invocation<'_>) -> bool {
    if !is_interpreter(call) || has_program(call) {
        return false;
    }
    let stdin = |word: &&crate::component::shell::Word| word.is("-") || word.is("/dev/stdin");
    // What follows `-s` or `-` are arguments of the script.
    (call.is_shell() && call.has_option(&["-s"])) || call.arguments.iter().any(|word| stdin(&word)) || {
        // `bash -o pipefail` takes a value.
        let mut words = call.arguments.iter().peekable();
        let mut operands = 0;
        while let Some(word) = words.next() {
            if word.text.starts_with(['-', '+']) {
                if call.is_shell() && word.text.ends_with('o') && !word.text.starts_with("--") {
                    words.next();
                }
            } else {
                operands += 1;
            }
        }
        operands == 0
    }
}

/// Whether a command runs the text of an argument: `eval`, `bash -c`, `bash <<<`.
fn runs_argument(command: &Command) -> bool {
    let Some(call) = command.invocation() else { return false };
    let dynamic =
        |word: &crate::component::shell::Word| word.dynamic && (word.text.contains("$()") || word.text.contains('`'));
    match call.program {
        "eval" => true,
        _ if call.is_shell() || call.program == "su" => {
            let here = command.redirects.iter().any(|redirect| redirect.operator == "<<<" && dynamic(&redirect.target));
            call.script_argument().is_some_and(dynamic) || (here && reads_program(&call))
        }
        _ => is_interpreter(&call) && has_program(&call),
    }
}

/// A file that is fetched and run in one script.
struct Download {
    file: String,
    fetched: Place,
    run: Place,
}

/// Files that are fetched by name and run later, where nothing verifies anything.
fn downloaded(script: &Script) -> Vec<Download> {
    let mut found = Vec::new();
    let mut files: Vec<(String, Place)> = Vec::new();
    for command in &script.commands {
        let Some(call) = command.invocation() else { continue };
        if VERIFIERS.contains(&call.program) || (call.program == "rpm" && call.has_option(&["-K", "--checksig"])) {
            return Vec::new();
        }
        let run = match call.program {
            "source" | "." => call.arguments.first(),
            _ if is_interpreter(&call) && !has_program(&call) => call.operands().next(),
            _ => Some(call.path),
        };
        let known = run.and_then(|word| files.iter().position(|(file, _)| file == plain(&word.text)));
        if let Some((file, fetched)) = known.map(|known| files.remove(known)) {
            found.push(Download { file, fetched, run: command.place.clone() });
        }
        if fetches(command) {
            files.extend(target(command, &call).map(|file| (plain(&file).to_owned(), command.place.clone())));
        }
    }
    found
}

/// `./a` is `a`.
fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// The file a download is written to.
fn target(command: &Command, call: &Invocation<'_>) -> Option<String> {
    let redirect = command.redirects.iter().find(|redirect| matches!(redirect.operator, ">" | ">|"));
    if let Some(redirect) = redirect {
        return Some(redirect.target.text.clone());
    }
    let (short, long) = if call.program == "wget" { ('O', "--output-document") } else { ('o', "--output") };
    let mut words = call.arguments.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if let Some(value) = text.strip_prefix(long) {
            return value.strip_prefix('=').map(str::to_owned).or_else(|| words.next().map(|word| word.text.clone()));
        }
        let cluster = text.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        if let Some((_, value)) = cluster.and_then(|letters| letters.split_once(short)) {
            let next = || words.clone().next().map(|word| word.text.clone());
            return if value.is_empty() { next() } else { Some(value.to_owned()) };
        }
    }
    let named = call.program == "wget" || call.has_option(&["-O", "--remote-name"]);
    let address = call.operands().find(|word| word.text.contains("://")).filter(|_| named)?;
    address.text.split(['?', '#']).next()?.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// `iwr … | iex` and its relatives.
fn powershell(script: &PowerShell) -> Vec<Place> {
    if script.coverage != Coverage::Complete {
        return Vec::new();
    }
    let fetchers: Vec<usize> =
        (0..script.commands.len()).filter(|index| fetches_in_powershell(&script.commands[*index])).collect();
    let within = |fetcher: usize, outer: usize| {
        let mut parents = script.parents_of(&script.commands[fetcher]);
        fetcher == outer || parents.any(|parent| std::ptr::eq(parent, &raw const script.commands[outer]))
    };
    let mut found = Vec::new();
    for (index, command) in script.commands.iter().enumerate() {
        if !runs_text(command) {
            continue;
        }
        let pipeline = command.pipeline.and_then(|number| script.pipelines.get(number));
        let before =
            pipeline.into_iter().flat_map(|pipeline| pipeline.stages.iter().take_while(|stage| **stage != index));
        let stages: Vec<usize> = before.copied().chain([index]).collect();
        if fetchers.iter().any(|fetcher| stages.iter().any(|stage| within(*fetcher, *stage))) {
            found.push(pipeline.map_or_else(|| command.place.clone(), |pipeline| pipeline.place.clone()));
        }
    }
    found
}

/// Whether a command fetches text from the network.
fn fetches_in_powershell(command: &PowerShellCommand) -> bool {
    let method = |text: &str| {
        let text = text.to_ascii_lowercase();
        [".downloadstring(", ".downloaddata(", ".getstringasync("].iter().any(|name| text.contains(name))
    };
    let cmdlet = command.runs("Invoke-WebRequest") || command.runs("Invoke-RestMethod");
    let to_file = command.arguments().iter().any(|word| word.text.eq_ignore_ascii_case("-OutFile"));
    (cmdlet && !to_file) || command.words.iter().any(|word| method(&word.text))
}

/// Whether a command runs text: `Invoke-Expression`, `[scriptblock]::Create(…)`.
fn runs_text(command: &PowerShellCommand) -> bool {
    let creates = |text: &str| text.to_ascii_lowercase().contains("scriptblock]::create(");
    command.runs("Invoke-Expression") || command.words.iter().any(|word| creates(&word.text))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, powershell};

    #[test]
    fn what_is_run_as_it_comes_is_reported() {
        for (script, expected) in [
            ("curl -fsSL https://x/i.sh | sh", "curl -fsSL https://x/i.sh | sh"),
            ("curl -fsSL https://x/i.sh | sudo -E bash -", "curl -fsSL https://x/i.sh | sudo -E bash -"),
            ("curl x | bash -s -- --yes", "curl x | bash -s -- --yes"),
            ("curl x | bash -euo pipefail", "curl x | bash -euo pipefail"),
            ("curl x | A=b sh", "curl x | A=b sh"),
            ("wget -qO- https://x | python3 -", "wget -qO- https://x | python3 -"),
            ("curl x | tee i.sh | bash", "curl x | tee i.sh | bash"),
            ("curl x | gunzip | sh", "curl x | gunzip | sh"),
            ("curl x | env A=b perl", "curl x | env A=b perl"),
            ("bash <(curl -s x)", "bash <(curl -s x)"),
            ("source <(curl -s x)", "source <(curl -s x)"),
            ("sh -c \"$(curl -fsSL x)\"", "sh -c \"$(curl -fsSL x)\""),
            ("bash -c \"`wget -O- x`\"", "bash -c \"`wget -O- x`\""),
            ("eval \"$(curl x)\"", "eval \"$(curl x)\""),
            ("ruby -e \"$(curl x)\"", "ruby -e \"$(curl x)\""),
            ("bash <<<\"$(curl x)\"", "bash <<<\"$(curl x)\""),
            ("sudo -u bob bash -c 'curl x | sh'", "curl x | sh"),
            ("curl -fsSL https://x -o i.sh\nsh i.sh", "sh i.sh"),
            ("curl -Lo/tmp/i.sh https://x\nchmod +x /tmp/i.sh\n/tmp/i.sh --yes", "/tmp/i.sh --yes"),
            ("curl -O https://x/i.sh && bash ./i.sh", "bash ./i.sh"),
            ("wget https://x/i.py?a=b\npython3 i.py", "python3 i.py"),
            ("curl https://x >i.sh\n. ./i.sh", ". ./i.sh"),
        ] {
            assert_eq!(bash("M012", script), [expected], "{script}");
        }
    }

    #[test]
    fn downloads_that_are_data_or_verified_are_left_alone() {
        for script in [
            "curl x | tar xz",
            "curl x | jq -r .a",
            "curl x | python3 -m json.tool",
            "curl x | python3 -c 'import sys'",
            "curl x | perl -ne 'print'",
            "curl x | bash script.sh",
            "curl x | sudo tee /etc/a",
            "curl x | gpg --dearmor >/etc/a.gpg",
            "echo 'curl x | sh'",
            "cat i.sh | sh",
            "x=$(curl x)\necho \"$x\"",
            "bash run.sh \"$(curl x)\"",
            "diff <(curl x) a",
            "curl --version | bash",
            "curl -s http://169.254.169.254/latest/user-data | bash",
            "curl -o i.sh https://x\necho 'abc  i.sh' | sha256sum -c\nsh i.sh",
            "curl -o a.zip https://x\nunzip a.zip\n./aws/install",
            "curl -o a.deb https://x\ndpkg -i a.deb",
            "sh i.sh",
            "curl -o i.sh https://x\nsh other.sh",
        ] {
            assert_eq!(bash("M012", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn powershell_forms_are_known() {
        for (script, expected) in [
            ("iwr https://x | iex", "iwr https://x | iex"),
            ("Invoke-RestMethod https://x | Invoke-Expression", "Invoke-RestMethod https://x | Invoke-Expression"),
            ("iex (iwr https://x -UseBasicParsing).Content", "iex (iwr https://x -UseBasicParsing).Content"),
            (
                "iex ((New-Object System.Net.WebClient).DownloadString('https://x'))",
                "iex ((New-Object System.Net.WebClient).DownloadString('https://x'))",
            ),
            (
                "(New-Object Net.WebClient).DownloadString('https://x') | iex",
                "(New-Object Net.WebClient).DownloadString('https://x') | iex",
            ),
            ("iex \"& { $(irm https://x) } -a\"", "iex \"& { $(irm https://x) } -a\""),
            ("& ([scriptblock]::Create((irm https://x)))", "[scriptblock]::Create((irm https://x))"),
        ] {
            assert_eq!(powershell("M012", script), [expected], "{script}");
        }
        for script in [
            "iwr https://x -OutFile a.exe",
            "iex 'Get-Date'",
            "$x = irm https://x\nWrite-Host $x",
            "irm https://x | ConvertTo-Json",
            "Write-Host 'iwr x | iex'",
        ] {
            assert_eq!(powershell("M012", script), [""; 0], "{script}");
        }
    }
}
