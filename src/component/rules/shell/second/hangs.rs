//! M027: what makes a step wait, and what it leaves running.

use super::facts::{Facts, scripts};
use crate::component::rules::model::Findings;
use crate::component::rules::shell::PowerShellCommands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Invocation, PowerShellCommand, Script};
use crate::diagnostic::Span;

/// The longest sleep that is nobody's business, in seconds.
const LONGEST: f64 = 300.0;

/// What is told of one command.
struct Wait {
    message: String,
    label: &'static str,
    help: &'static str,
}

const POLL: &str = "ask for what you wait for every few seconds, and give up after a while: \
    `timeout 600 bash -c 'until …; do sleep 5; done'`";
const BOUND: &str = "look once, or put a limit on it: `timeout 60 …`";
const SERVICE: &str = "let it end before the step does, with `wait`; what is to go on running is a service for systemd";

/// M027.
pub fn hangs(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject) {
        for (index, command, invocation) in facts.invocations() {
            let slept = sleeps(&facts, index, &invocation).filter(|_| !command.background);
            let wait = slept.or_else(|| follows(facts.script(), command, &invocation));
            if let Some(wait) = wait {
                report(found, facts.span(&command.place), wait);
            }
        }
        for command in left_running(&facts) {
            let program = command.invocation().map_or("a command", |invocation| invocation.program);
            let message = format!("`{program}` runs on in the background, and nothing waits for it");
            let label = "may be cut off when the step ends, or keep it from ending";
            report(found, facts.span(&command.place), Wait { message, label, help: SERVICE });
        }
    }
    for commands in subject.powershell() {
        for command in &commands.script.commands {
            if let Some(wait) = powershell(commands, command) {
                report(found, commands.span(&command.place), wait);
            }
        }
    }
}

fn report(found: &mut Findings<'_>, span: Span, wait: Wait) {
    found.add(found.at(span, wait.message, wait.label).help(wait.help));
}

fn sleeps(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> Option<Wait> {
    if invocation.program != "sleep" || invocation.wrappers.contains(&"timeout") {
        return None;
    }
    let parts = invocation.arguments.iter().map(|word| seconds(&facts.text(word, index)));
    let total = parts.sum::<Option<f64>>()?;
    long(total)
}

fn long(total: f64) -> Option<Wait> {
    let message = if total.is_infinite() {
        "this sleep never ends".to_owned()
    } else if total > LONGEST {
        format!("the step sleeps for {total} seconds")
    } else {
        return None;
    };
    Some(Wait { message, label: "too long when all is well, too short when it is not", help: POLL })
}

/// `90`, `1.5h`, `infinity`; `None` for what is not known.
fn seconds(text: &str) -> Option<f64> {
    if matches!(text, "infinity" | "inf") {
        return Some(f64::INFINITY);
    }
    let unit = match text.as_bytes().last()? {
        b'm' => 60.0,
        b'h' => 3600.0,
        b'd' => 86400.0,
        _ => 1.0,
    };
    let digits = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    plain.then(|| digits.parse::<f64>().ok()).flatten().map(|number| number * unit)
}

/// Programs that go on until somebody stops them.
fn follows(script: &Script, command: &Command, invocation: &Invocation<'_>) -> Option<Wait> {
    let endless = match invocation.program {
        "tail" => invocation.has_option(&["-f", "-F", "--follow"]) && !invocation.has_option(&["--pid"]),
        "journalctl" => invocation.has_option(&["-f", "--follow"]),
        "dmesg" => invocation.has_option(&["-w", "-W", "--follow", "--follow-new"]),
        "ping" | "ping6" => !invocation.has_option(&["-c", "-w"]) && !counted(invocation),
        "watch" => !invocation.has_option(&["-g", "--chgexit", "-v", "--version", "-h", "--help"]),
        _ => false,
    };
    let stopped = invocation.wrappers.contains(&"timeout") || command.background || cut_short(script, command);
    (endless && !stopped).then(|| Wait {
        message: format!("`{}` goes on until it is stopped, and here nothing stops it", invocation.program),
        label: "the step hangs until its time limit",
        help: BOUND,
    })
}

/// `-c4`, `-w10`: the number stands in the option itself.
fn counted(invocation: &Invocation<'_>) -> bool {
    let with_number = |text: &str| {
        let rest = text.strip_prefix("-c").or_else(|| text.strip_prefix("-w"));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '$' || c == '{'))
    };
    invocation.arguments.iter().any(|word| with_number(&word.text))
}

/// Whether a later stage of its pipeline ends as soon as it has seen enough: `tail -f log | grep -m 1 ready`.
fn cut_short(script: &Script, command: &Command) -> bool {
    let Some(pipeline) = command.pipeline.and_then(|number| script.pipelines.get(number)) else { return false };
    let stages = pipeline.stages.iter().filter_map(|stage| script.commands.get(stage.command?));
    stages.filter_map(Command::invocation).any(|stage| match stage.program {
        "grep" => stage.has_option(&["-m", "-q", "--max-count", "--quiet", "-l"]),
        "head" | "sed" | "awk" => true,
        _ => false,
    })
}

/// Commands with `&` behind them for which nothing waits and that nothing ends; of a list only the first.
fn left_running<'s>(facts: &Facts<'s, '_>) -> Vec<&'s Command> {
    let commands = &facts.script().commands;
    let ends = |command: &Command| {
        command.invocation().is_some_and(|invocation| matches!(invocation.program, "wait" | "kill" | "pkill" | "fg"))
    };
    let settled = commands.iter().rposition(ends).map_or(0, |last| last + 1);
    let mut found = Vec::new();
    let mut previous: Option<&Command> = None;
    for command in commands.iter().skip(settled).filter(|command| command.background && command.scope.parent.is_none())
    {
        let continues = previous.is_some_and(|before| !separate(facts, before, command));
        if !continues {
            found.push(command);
        }
        previous = Some(command);
    }
    found
}

/// Whether a lone `&` stands between two commands, so that they are two lists and not parts of one.
fn separate(facts: &Facts<'_, '_>, before: &Command, after: &Command) -> bool {
    let (from, to) = (&before.place, &after.place);
    let items = facts.commands.templates;
    let text = |item: usize| items.get(item).map(crate::component::Template::text).unwrap_or_default();
    let between = if from.item == to.item {
        text(from.item).get(from.range.end..to.range.start).unwrap_or_default()
    } else {
        text(from.item).get(from.range.end..).unwrap_or_default()
    };
    between.replace("&&", "").replace(">&", "").replace("&>", "").contains('&')
}

fn powershell(commands: &PowerShellCommands<'_>, command: &PowerShellCommand) -> Option<Wait> {
    let has = |name: &str| command.arguments().iter().any(|word| word.text.to_ascii_lowercase().starts_with(name));
    if command.runs("Start-Sleep") {
        return powershell_sleep(command).and_then(long);
    }
    if command.runs("Get-Content") && has("-wait") {
        return Some(Wait {
            message: "`Get-Content -Wait` goes on until it is stopped, and here nothing stops it".to_owned(),
            label: "the step hangs until its time limit",
            help: "read the file once, in a loop that gives up after a while",
        });
    }
    let text = |name: &str| {
        commands.templates.iter().any(|item| item.text().to_ascii_lowercase().contains(&name.to_ascii_lowercase()))
    };
    let help = "add `-Wait`, or wait for it later with `Wait-Process`";
    if command.runs("Start-Process") {
        let waits = has("-wait") || has("@") || text("WaitForExit") || text("Wait-Process");
        return (!waits).then(|| Wait {
            message: "`Start-Process` does not wait for what it starts".to_owned(),
            label: "may still run when the step ends",
            help,
        });
    }
    let waits = text("Wait-Job") || text("Receive-Job");
    (command.runs("Start-Job") && !waits).then(|| Wait {
        message: "nothing waits for the job that `Start-Job` starts".to_owned(),
        label: "ends with the step",
        help: "wait for it with `Wait-Job`, or run the command itself",
    })
}

/// How long a `Start-Sleep` takes, if that is written there.
fn powershell_sleep(command: &PowerShellCommand) -> Option<f64> {
    let mut unit = 1.0;
    for word in command.arguments() {
        let text = word.literal()?.to_ascii_lowercase();
        if !text.starts_with('-') {
            return text.parse::<f64>().ok().map(|number| number * unit);
        }
        if text.starts_with("-m") {
            unit = 0.001;
        }
        if let Some((_, value)) = text.split_once(':') {
            return value.parse::<f64>().ok().map(|number| number * unit);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, powershell};

    #[test]
    fn waits_are_found() {
        for (script, expected) in [
            ("sleep 600", &["sleep 600"][..]),
            ("sleep 10m", &["sleep 10m"]),
            ("sleep 1.5h", &["sleep 1.5h"]),
            ("sleep 200 200", &["sleep 200 200"]),
            ("sudo sleep infinity", &["sudo sleep infinity"]),
            ("PAUSE=900\nsleep \"$PAUSE\"", &["sleep \"$PAUSE\""]),
            ("tail -f /var/log/messages", &["tail -f /var/log/messages"]),
            ("tail -n 5 -F /var/log/messages | tee out", &["tail -n 5 -F /var/log/messages"]),
            ("journalctl -fu nginx", &["journalctl -fu nginx"]),
            ("ping example.com", &["ping example.com"]),
            ("watch df", &["watch df"]),
            ("./server &", &["./server &"]),
            ("nohup ./server >/dev/null 2>&1 &\necho x", &["nohup ./server >/dev/null 2>&1 &"]),
            ("a & b &", &["a &", "b &"]),
            ("a && { b; c; } &", &["a"]),
            ("( a; b ) &", &["a"]),
            ("a & wait; b &", &["b &"]),
        ] {
            let found: Vec<String> = bash("M027", script).iter().map(|text| text.trim().to_owned()).collect();
            let begins = found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(one, wanted)| wanted.trim_end_matches(" &") == one.trim_end_matches(" &"));
            assert!(begins, "{script}: {found:?}");
        }
    }

    #[test]
    fn what_ends_is_silent() {
        for script in [
            "sleep 5",
            "sleep 300",
            "sleep 5m",
            "sleep \"$SECONDS_TO_WAIT\"",
            "until systemctl is-active nginx; do sleep 10; done",
            "timeout 60 tail -f /var/log/messages",
            "timeout 900 sleep 600",
            "tail -n 50 /var/log/messages",
            "tail --pid=12 -f x",
            "tail -f log | grep -m 1 ready",
            "journalctl -u nginx --no-pager",
            "ping -c 4 example.com",
            "ping -c4 example.com",
            "./a & ./b & wait",
            "./server & pid=$!\ncurl -s localhost\nkill \"$pid\"",
            "for i in 1 2; do fetch \"$i\" & done; wait",
            "echo 'a & b'",
            "a && b",
            "exec >log 2>&1",
            "cat <<'END' >/etc/x\nsleep 900 &\nEND",
        ] {
            assert_eq!(bash("M027", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn powershell_waits_are_found() {
        for (script, reported) in [
            ("Start-Sleep -Seconds 600", true),
            ("Start-Sleep 900", true),
            ("sleep -s 301", true),
            ("Start-Sleep -Milliseconds 5000", false),
            ("Start-Sleep -Seconds 30", false),
            ("Start-Sleep -Seconds $wait", false),
            ("Get-Content C:\\log.txt -Wait", true),
            ("Get-Content C:\\log.txt -Tail 5", false),
            ("Start-Process msiexec.exe -ArgumentList '/i a.msi /qn'", true),
            ("Start-Process msiexec.exe -ArgumentList '/i a.msi /qn' -Wait", false),
            ("$p = Start-Process a.exe -PassThru\n$p.WaitForExit()", false),
            ("Start-Process @options", false),
            ("Start-Job { a }", true),
            ("Start-Job { a } | Wait-Job", false),
        ] {
            assert_eq!(!powershell("M027", "build", 1, script).is_empty(), reported, "{script}");
        }
    }
}
