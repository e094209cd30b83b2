//! S016: what goes over the network, and is tried once.

use super::facts::{Facts, scripts};
use super::repeat;
use crate::component::model::Step;
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{
    Command, Invocation, PackageAction, PackageCall, PackageManager, PowerShellCommand, Word,
};
use crate::diagnostic::{Edit, SourceFile, Span};

/// S016. One finding for a step: that is where the remedy belongs.
pub fn once(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps_of(Action::S3Download).filter(|(_, step)| step.max_attempts == 1) {
        report(found, step, step.action_span, "S3Download", true);
    }
    for facts in scripts(subject).filter(|facts| facts.step().max_attempts == 1) {
        let fetch = facts.each().find_map(|(index, command)| {
            let what = fetches(&facts, index, command)?;
            (!facts.is_retried(index)).then_some((command, what))
        });
        if let Some((command, what)) = fetch {
            let repeatable = repeat::first(&facts).is_none();
            report(found, facts.step(), facts.span(&command.place), &what, repeatable);
        }
    }
    for commands in subject.powershell().iter().filter(|commands| commands.step.max_attempts == 1) {
        let script = &commands.script;
        let fetch = script.commands.iter().find_map(|command| {
            let what = powershell(command)?;
            (!command.scope.in_loop).then_some((command, what))
        });
        if let Some((command, what)) = fetch {
            report(found, commands.step, commands.span(&command.place), what, false);
        }
    }
}

fn report(found: &mut Findings<'_>, step: &Step, span: Span, what: &str, repeatable: bool) {
    let message = format!("step `{}` depends on the network and has a single attempt", step.name);
    let diagnostic = found
        .at(span, message, format!("one failure of {} fails the build", quoted(what)))
        .help("add `maxAttempts: 3` to the step; it is run again from its start, so it must bear that");
    let edits = attempts(found.source(), step).filter(|_| repeatable);
    found.add(match edits {
        Some(edit) => diagnostic.unsafe_fix("allow three attempts", vec![edit]),
        None => diagnostic,
    });
}

fn quoted(what: &str) -> String {
    format!("`{what}`")
}

/// The change that gives a step three attempts.
fn attempts(source: &SourceFile, step: &Step) -> Option<Edit> {
    if let Some((_, value)) = step.places.max_attempts {
        return Some(Edit::replace(value, "3"));
    }
    let (inputs, _) = step.places.inputs?;
    let line = source.line_span(source.line(inputs.start));
    let before = source.text.get(line.start..inputs.start)?;
    let key = if source.slice(inputs).starts_with('"') { "\"maxAttempts\"" } else { "maxAttempts" };
    if before.chars().all(|c| c == ' ') && !source.text.get(..step.places.whole.start + 1)?.ends_with('{') {
        return Some(Edit::insert(inputs.start, format!("{key}: 3\n{before}")));
    }
    let flow = before.trim_end().ends_with([',', '{']) || before.trim().is_empty();
    flow.then(|| Edit::insert(inputs.start, format!("{key}: 3, ")))
}

/// What a command fetches over the network without trying again by itself, by the name of the program.
fn fetches(facts: &Facts<'_, '_>, index: usize, command: &Command) -> Option<String> {
    if let Some(call) = command.package_call() {
        return packages(&call).then(|| format!("{} {}", call.invocation.program, call.verb.text));
    }
    let invocation = command.invocation()?;
    let fetches = match invocation.program {
        "curl" => curl(facts, index, &invocation),
        "wget" => {
            let again = ["-t", "--tries", "--retry-connrefused", "--retry-on-http-error", "--retry-on-host-error"];
            !again.iter().any(|option| given(&invocation, option)) && goes_out(facts, index, &invocation)
        }
        "git" => git(facts, index, &invocation),
        "docker" | "podman" => operand_is(&invocation, &["pull"]),
        "add-apt-repository" | "yarn" | "pnpm" | "bundle" => match invocation.program {
            "add-apt-repository" => true,
            "bundle" => operand_is(&invocation, &["install"]) && !given(&invocation, "--local"),
            _ => operand_is(&invocation, &["install", "add"]),
        },
        _ => false,
    };
    let verb = invocation.operands().next().filter(|_| !matches!(invocation.program, "curl" | "wget"));
    let verb = verb.and_then(Word::literal).filter(|verb| verb.bytes().all(|byte| byte.is_ascii_lowercase()));
    fetches.then(|| verb.map_or(invocation.program.to_owned(), |verb| format!("{} {verb}", invocation.program)))
}

fn operand_is(invocation: &Invocation<'_>, verbs: &[&str]) -> bool {
    invocation.operands().next().is_some_and(|word| verbs.contains(&word.text.as_str()))
}

/// Whether an option is given, also with its value in the same word.
fn given(invocation: &Invocation<'_>, option: &str) -> bool {
    invocation.arguments.iter().any(|word| {
        let short = option.len() == 2 && word.text.starts_with(option);
        short || word.text == option || word.text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
    })
}

/// Whether a package manager goes to its sources, and nothing tells it to try again.
fn packages(call: &PackageCall<'_>) -> bool {
    let has = |text: &str| call.invocation.arguments.iter().any(|word| word.text.contains(text));
    let local =
        !call.packages.is_empty() && call.packages.iter().all(|name| name.is_file && !name.word.text.contains("://"));
    let dry = ["--dry-run", "--simulate", "--assumeno", "--no-download", "--no-index", "--cacheonly", "--offline"];
    let network = match call.action {
        PackageAction::Install => !local,
        PackageAction::Upgrade | PackageAction::Refresh => true,
        PackageAction::Remove | PackageAction::Other => false,
    };
    let again = match call.manager {
        PackageManager::AptGet | PackageManager::Apt => has("Acquire::Retries") || call.invocation.has_option(&["-s"]),
        PackageManager::Yum | PackageManager::Dnf | PackageManager::Microdnf => has("retries="),
        PackageManager::Pip => has("--retries"),
        PackageManager::Npm => has("fetch-retries"),
        _ => false,
    };
    network && !again && !dry.iter().any(|option| has(option))
}

fn curl(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> bool {
    !given(invocation, "--retry")
        && !invocation.has_option(&["--unix-socket", "--abstract-unix-socket", "--version", "-V", "--help"])
        && goes_out(facts, index, invocation)
}

fn git(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> bool {
    let mut words = invocation.arguments.iter().map(|word| facts.text(word, index));
    let mut verb = words.next();
    // `git -C folder fetch`, `git -c key=value clone`
    while let Some(text) = &verb {
        if !text.starts_with('-') {
            break;
        }
        let valued = matches!(text.as_str(), "-C" | "-c");
        verb = if valued { words.nth(1) } else { words.next() };
    }
    let rest: Vec<String> = words.collect();
    match verb.as_deref() {
        Some("clone") => rest.iter().any(|text| text.contains("://") || text.contains('@') || text.contains('$')),
        Some("fetch" | "pull" | "ls-remote") => true,
        Some("submodule") => rest.iter().any(|text| text == "update"),
        _ => false,
    }
}

/// Whether an address leads away from the machine; one that is not known is taken to.
fn goes_out(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> bool {
    let texts: Vec<String> = invocation.arguments.iter().map(|word| facts.text(word, index)).collect();
    let addresses: Vec<&String> = texts.iter().filter(|text| text.contains("://")).collect();
    if addresses.is_empty() {
        // `curl localhost:8080/health`, `curl "$url"`
        return !texts.is_empty() && !texts.iter().any(|text| is_own(text));
    }
    !addresses.iter().all(|text| is_own(text))
}

/// An address of this machine, or of the metadata service beside it.
pub fn is_own(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").unwrap_or(("", &lower));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(inside) => inside.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    scheme == "file"
        || matches!(host, "localhost" | "169.254.169.254" | "169.254.170.2" | "fd00:ec2::254" | "::1" | "0.0.0.0")
        || host.starts_with("127.")
}

fn powershell(command: &PowerShellCommand) -> Option<&'static str> {
    let has = |option: &str| command.arguments().iter().any(|word| word.text.to_ascii_lowercase().starts_with(option));
    let own = command.arguments().iter().any(|word| is_own(&word.text));
    let web = ["Invoke-WebRequest", "Invoke-RestMethod", "Start-BitsTransfer", "Install-Module", "Install-Package"];
    let name = web.into_iter().find(|name| command.runs(name));
    if let Some(name) = name {
        return (!has("-maximumretrycount") && !own).then_some(name);
    }
    let installs = command.arguments().first().is_some_and(|word| matches!(word.text.as_str(), "install" | "upgrade"));
    (command.name().as_deref() == Some("choco") && installs).then_some("choco install")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, bash_in, mended, powershell};
    use super::is_own;
    use crate::component;
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;
    use crate::diagnostic::SourceFile;

    #[test]
    fn single_attempts_are_found() {
        for (script, expected) in [
            ("apt-get update", "apt-get update"),
            ("apt-get -y install nginx=1.2", "apt-get -y install nginx=1.2"),
            ("dnf -y upgrade", "dnf -y upgrade"),
            ("curl -fsSLO https://example.com/a", "curl -fsSLO https://example.com/a"),
            ("curl -fsSL \"$URL\" -o a", "curl -fsSL \"$URL\" -o a"),
            ("wget https://example.com/a", "wget https://example.com/a"),
            ("git clone https://example.com/a.git /opt/a", "git clone https://example.com/a.git /opt/a"),
            ("git -C /opt/a pull", "git -C /opt/a pull"),
            ("pip install a==1", "pip install a==1"),
            ("npm ci", "npm ci"),
            ("set -e\nfor name in a b; do\n  apt-get -y install \"$name\"\ndone", "apt-get -y install \"$name\""),
            ("x=$(curl -fsS https://example.com/v)", "curl -fsS https://example.com/v"),
            ("docker pull a:1", "docker pull a:1"),
        ] {
            assert_eq!(bash("S016", script), [expected], "{script}");
            assert_eq!(bash_in("S016", "build", 3, script), [""; 0], "{script}");
        }
        assert_eq!(bash("S016", "apt-get update\napt-get -y install a=1").len(), 1, "one for a step");
    }

    #[test]
    fn what_tries_again_or_stays_here_is_silent() {
        for script in [
            "apt-get -o Acquire::Retries=3 update",
            "apt-get -y install ./a.deb",
            "apt-get -y remove nginx",
            "apt-get -s install nginx",
            "dnf --setopt=retries=5 -y install a-1.2",
            "dnf clean all",
            "curl --retry 5 -fsSLO https://example.com/a",
            "curl --retry=5 -fsSLO https://example.com/a",
            "curl -fsS http://localhost:8080/health",
            "curl -fsS localhost:8080/health",
            "curl -fsS -H 'X-aws-ec2-metadata-token: x' http://169.254.169.254/latest/meta-data/ami-id",
            "BASE=http://169.254.169.254/latest\ncurl -fsS \"$BASE/meta-data/ami-id\"",
            "curl --unix-socket /run/docker.sock http://d/version",
            "wget --tries=5 https://example.com/a",
            "for i in 1 2 3; do curl -fsSLO https://example.com/a && break; sleep 5; done",
            "until apt-get update; do sleep 5; done",
            "retry() { for i in 1 2 3; do \"$@\" && return 0; sleep 5; done; return 1; }\nretry apt-get update",
            "fetch() { curl -fsSLO https://example.com/a; }\nretry 5 fetch",
            "git -C /opt/a checkout v1",
            "git clone /srv/a.git /opt/a",
            "pip install --no-index a==1",
            "echo apt-get update",
            "aws s3 cp s3://bucket/a a",
        ] {
            assert_eq!(bash("S016", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn modules_and_windows_are_looked_at() {
        let fetch = "{name: Get, action: S3Download, inputs: [{source: 's3://b/a', destination: /opt/a, expectedBucketOwner: '111122223333'}]}";
        assert_eq!(places("S016", &Target::default(), &[fetch]), ["S3Download"]);
        let more = fetch.replace("action", "maxAttempts: 3, action");
        assert_eq!(places("S016", &Target::default(), &[more.as_str()]), [""; 0]);
        let web = "{name: Get, action: WebDownload, inputs: [{source: 'https://example.com/a', destination: /opt/a}]}";
        assert_eq!(places("S016", &Target::default(), &[web]), [""; 0], "it tries five times by itself");
        for (script, reported) in [
            ("Invoke-WebRequest https://example.com/a -OutFile a", true),
            ("iwr https://example.com/a -OutFile a", true),
            ("Invoke-WebRequest https://example.com/a -OutFile a -MaximumRetryCount 5", false),
            ("Invoke-RestMethod http://169.254.169.254/latest/meta-data/ami-id", false),
            ("1..3 | % { Invoke-WebRequest https://example.com/a }", false),
            ("choco install -y git", true),
        ] {
            assert_eq!(!powershell("S016", "build", 1, script).is_empty(), reported, "{script}");
        }
    }

    #[test]
    fn three_attempts_are_written_in_every_layout() {
        let block = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Get\n        action: ExecuteBash\n        inputs:\n          commands: [apt-get update]\n";
        let flow = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {name: Get, action: ExecuteBash, inputs: {commands: [apt-get update]}}\n";
        let first = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - inputs: {commands: [apt-get update]}\n        name: Get\n        action: ExecuteBash\n";
        let json = "{\"schemaVersion\": \"1.0\", \"phases\": [{\"name\": \"build\", \"steps\": [{\n  \"name\": \"Get\",\n  \"action\": \"ExecuteBash\",\n  \"inputs\": {\"commands\": [\"apt-get update\"]}\n}]}]}";
        let given = block.replace("        inputs", "        maxAttempts: 1 # x\n        inputs");
        for text in [block, flow, json, &given] {
            let after = mended("S016", text).expect(text);
            let source = SourceFile::new("t.yaml", after.clone());
            let parsed = component::parse(&source);
            let document = parsed.readable.as_ref().filter(|_| parsed.complete).expect(&after);
            assert_eq!(document.phases[0].steps[0].max_attempts, 3, "{after}");
            assert_eq!(document.phases[0].steps[0].inputs.len(), 1, "{after}");
        }
        assert_eq!(mended("S016", first), None, "a layout without a plain place");
        assert_eq!(mended("S016", &block.replace("apt-get update", "apt-get update, useradd a")), None, "see S017");
    }

    #[test]
    fn addresses_of_the_machine_are_known() {
        for (address, own) in [
            ("http://localhost", true),
            ("HTTP://LOCALHOST:80/x", true),
            ("http://[::1]:8080/a", true),
            ("http://u@127.0.0.1/a", true),
            ("http://localhost.example/", false),
            ("https://example.com/localhost", false),
            ("file:///etc/x", true),
        ] {
            assert_eq!(is_own(address), own, "{address}");
        }
    }
}
