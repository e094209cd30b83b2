//! M025: what cuts Image Builder off from the instance.

use super::facts::{Facts, filled, scripts};
use crate::component::model::{Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Invocation, PackageAction, PowerShellCommand, Word};
use crate::diagnostic::Span;

/// M025.
pub fn agent(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject) {
        for (index, command, invocation) in facts.invocations() {
            let removed = command.package_call().is_some_and(|call| {
                call.action == PackageAction::Remove && call.packages.iter().any(|name| is_agent(&name.word.text))
            });
            let hit = if removed { Some("removed") } else { agent_harmed(&facts, index, &invocation) };
            if let Some(how) = hit {
                report(found, facts.span(&command.place), how);
            } else if shuts_out(&facts, index, &invocation) {
                blocked(found, facts.span(&command.place));
            }
        }
    }
    for commands in subject.powershell() {
        for command in &commands.script.commands {
            if let Some(how) = powershell(command) {
                report(found, commands.span(&command.place), how);
            } else if powershell_blocks(command) {
                blocked(found, commands.span(&command.place));
            }
        }
    }
    for (_, step) in subject.steps() {
        if let Some((span, how)) = module(subject, step) {
            report(found, span, how);
        }
    }
}

fn report(found: &mut Findings<'_>, span: Span, how: &str) {
    found.add(
        found
            .at(span, format!("the Systems Manager agent is {how}"), "Image Builder loses the instance")
            .help("leave it alone until the image is made: the build and its tests are run by it")
            .help("an image that must not carry it: let Image Builder take it out, with `uninstallAfterBuild` of the recipe"),
    );
}

fn blocked(found: &mut Findings<'_>, span: Span) {
    found.add(
        found
            .at(span, "connections from the instance to port 443 are blocked", "Image Builder loses the instance")
            .help("let outgoing connections to port 443 through before everything else is dropped")
            .help("or write the rules to a file that is loaded when an instance of the image starts"),
    );
}

fn is_agent(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("amazon-ssm-agent") || lower.contains("amazonssmagent")
}

/// What a command does to the agent.
fn agent_harmed(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> Option<&'static str> {
    let arguments: Vec<String> = invocation.arguments.iter().map(|word| facts.text(word, index)).collect();
    if !arguments.iter().any(|text| is_agent(text) || text.starts_with("/etc/amazon/ssm")) {
        return None;
    }
    let says = |words: &[&str]| arguments.iter().any(|text| words.contains(&text.as_str()));
    let (how, undo): (_, &[&str]) = match invocation.program {
        "systemctl" | "service" | "snap" | "initctl" | "rc-service" if says(&["stop", "kill"]) => {
            ("stopped", &["start", "restart"])
        }
        "systemctl" | "snap" if says(&["disable"]) => ("disabled", &["enable"]),
        "chkconfig" if says(&["off"]) => ("disabled", &["on"]),
        "update-rc.d" if says(&["disable", "remove"]) => ("disabled", &["enable", "defaults"]),
        "systemctl" if says(&["mask"]) => ("masked", &["unmask"]),
        "stop" | "pkill" | "killall" => ("stopped", &["start", "restart"]),
        "rpm" if invocation.has_option(&["-e", "--erase"]) => ("removed", &[]),
        "dpkg" if invocation.has_option(&["-r", "-P", "--remove", "--purge"]) => ("removed", &[]),
        "rm" if arguments.iter().any(|text| is_part(text)) => ("removed", &[]),
        _ => return None,
    };
    (!undone(facts, index, undo)).then_some(how)
}

/// Whether a path is the agent itself, its unit or its settings; logs are not.
fn is_part(path: &str) -> bool {
    let parts = ["/bin/amazon-ssm-agent", "amazon-ssm-agent.service", "/etc/amazon/ssm", "/snap/amazon-ssm-agent"];
    parts.iter().any(|part| path.contains(part)) && !path.starts_with("/tmp/") && !path.starts_with("/var/log/")
}

/// Whether the script puts it right later on.
fn undone(facts: &Facts<'_, '_>, index: usize, verbs: &[&str]) -> bool {
    facts.is_tired()
        || facts.each().skip(index + 1).any(|(_, command)| {
            let names = command.words.iter().any(|word| is_agent(&word.text));
            names && command.words.iter().any(|word| verbs.contains(&word.text.as_str()))
        })
}

/// Whether a command of a firewall stops connections from here to port 443, and no other lets them through.
fn shuts_out(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> bool {
    let words: Vec<&str> = invocation.arguments.iter().map(|word| word.text.as_str()).collect();
    let blocks = match invocation.program {
        "iptables" | "ip6tables" | "iptables-nft" | "iptables-legacy" => drops_output(&words),
        "ufw" => match words.iter().copied().filter(|word| !word.starts_with('-')).collect::<Vec<_>>().as_slice() {
            ["default", "deny" | "reject", "outgoing"] => true,
            ["deny" | "reject", "out", rest @ ..] => rest.iter().any(|word| is_https(word)),
            _ => false,
        },
        "firewall-cmd" => words.contains(&"--panic-on") || (words.contains(&"OUTPUT") && drops_output(&words)),
        "nft" => nft_drops(&words.join(" ")),
        _ => false,
    };
    blocks && !facts.is_tired() && !facts.invocations().any(|(at, _, other)| at != index && lets_out(&other))
}

/// `443`, `https`, `80,443`, `1:65535`.
fn is_https(ports: &str) -> bool {
    ports.split(',').map(|port| port.split('/').next().unwrap_or_default()).any(|port| match port.split_once(':') {
        Some((from, to)) => {
            from.parse::<u32>().is_ok_and(|from| from <= 443) && to.parse::<u32>().is_ok_and(|to| to >= 443)
        }
        None => matches!(port, "443" | "https"),
    })
}

/// `-P OUTPUT DROP`, `-A OUTPUT -p tcp --dport 443 -j REJECT`, and `-A OUTPUT -j DROP`.
fn drops_output(words: &[&str]) -> bool {
    let after = |option: &[&str]| {
        let at = words.iter().position(|word| option.contains(word))?;
        words.get(at + 1).copied()
    };
    let drops = |target: Option<&str>| matches!(target, Some("DROP" | "REJECT"));
    if let Some(at) = words.iter().position(|word| matches!(*word, "-P" | "--policy")) {
        return words.get(at + 1) == Some(&"OUTPUT") && drops(words.get(at + 2).copied());
    }
    let narrowed = words.iter().any(|word| {
        matches!(*word, "-d" | "--destination" | "-o" | "-s" | "--sport" | "--uid-owner" | "!" | "-D" | "--delete")
    });
    let plain = |module: &&str| matches!(*module, "tcp" | "multiport" | "comment");
    let narrowed = narrowed || words.windows(2).any(|pair| pair[0] == "-m" && !plain(&pair[1]));
    let port = after(&["--dport", "--dports", "--destination-port"]);
    let tcp = after(&["-p", "--protocol"]).is_none_or(|protocol| matches!(protocol, "tcp" | "all"));
    let hits = !narrowed && port.is_none_or(is_https);
    words.contains(&"OUTPUT") && drops(after(&["-j", "--jump"])) && tcp && hits
}

fn nft_drops(text: &str) -> bool {
    let output = text.contains("hook output") || text.contains(" output ");
    let https = text.contains("dport 443") || text.contains("dport https");
    output && ((text.contains("policy drop") && !text.contains("accept")) || (https && text.ends_with("drop")))
}

/// Whether a command lets connections to port 443 out.
fn lets_out(invocation: &Invocation<'_>) -> bool {
    let has = |text: &str| invocation.arguments.iter().any(|word| word.text == text);
    let ports: Vec<&Word> = {
        let options = ["--dport", "--dports", "--destination-port"];
        let arguments = invocation.arguments;
        arguments.iter().skip_while(|word| !options.contains(&word.text.as_str())).skip(1).take(1).collect()
    };
    match invocation.program {
        "iptables" | "ip6tables" | "iptables-nft" | "iptables-legacy" => {
            let local = has("lo") || (has("ESTABLISHED") || has("ESTABLISHED,RELATED") || has("RELATED,ESTABLISHED"));
            let protocol = !has("udp") && !has("icmp") && !has("-d");
            let open = ports.first().is_none_or(|port| is_https(&port.text));
            has("OUTPUT") && has("ACCEPT") && !local && protocol && open
        }
        "ufw" => has("allow") && invocation.arguments.iter().any(|word| is_https(&word.text)),
        "nft" => {
            let text: Vec<&str> = invocation.arguments.iter().map(|word| word.text.as_str()).collect();
            let text = text.join(" ");
            text.contains("443") && text.contains("accept")
        }
        _ => false,
    }
}

fn powershell(command: &PowerShellCommand) -> Option<&'static str> {
    let words: Vec<String> = command.words.iter().map(|word| word.text.to_ascii_lowercase()).collect();
    if !words.iter().any(|word| is_agent(word) || word.contains("amazon ssm agent")) {
        return None;
    }
    let says = |text: &str| words.iter().any(|word| word == text);
    match command.name()?.as_str() {
        "stop-service" | "spsv" => Some("stopped"),
        "net" | "net1" | "sc" if says("stop") => Some("stopped"),
        "set-service" | "sc" if says("disabled") => Some("disabled"),
        "set-service" if says("stopped") => Some("stopped"),
        "sc" if says("delete") => Some("removed"),
        "remove-service" | "uninstall-package" => Some("removed"),
        "choco" if says("uninstall") => Some("removed"),
        _ => None,
    }
}

fn powershell_blocks(command: &PowerShellCommand) -> bool {
    let words: Vec<String> = command.words.iter().map(|word| word.text.to_ascii_lowercase()).collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).map(String::as_str)
    };
    if command.runs("Set-NetFirewallProfile") {
        return after("-defaultoutboundaction") == Some("block");
    }
    let narrowed = words.iter().any(|word| {
        ["-program", "-service", "-remoteaddress", "-package", "-localport", "-interface"]
            .iter()
            .any(|option| word.starts_with(option))
    });
    let port = after("-remoteport").map_or(!narrowed, is_https);
    command.runs("New-NetFirewallRule")
        && after("-direction") == Some("outbound")
        && after("-action") == Some("block")
        && port
}

/// Modules that take the agent away.
fn module(subject: &Subject<'_>, step: &Step) -> Option<(Span, &'static str)> {
    let name = match step.module.action {
        Action::DeleteFile | Action::DeleteFolder | Action::UninstallMsi | Action::SetRegistry => "path",
        _ => return None,
    };
    step.inputs.iter().find_map(|item| {
        let Some(Value::Text(path)) = item.get(name) else { return None };
        let text = filled(subject.document, path.text());
        match step.module.action {
            Action::UninstallMsi => is_agent(&text).then_some((path.span(), "removed")),
            Action::SetRegistry => {
                let is = |name: &str, wanted: &str| {
                    item.get(name).is_some_and(|value| value.templates().iter().any(|text| text.text() == wanted))
                };
                let service = is_agent(&text) && is("name", "Start") && is("value", "4");
                service.then_some((path.span(), "disabled"))
            }
            _ => is_part(&text).then_some((path.span(), "removed")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;

    #[test]
    fn the_agent_is_guarded() {
        for script in [
            "systemctl stop amazon-ssm-agent",
            "sudo systemctl disable --now amazon-ssm-agent.service",
            "systemctl mask snap.amazon-ssm-agent.amazon-ssm-agent.service",
            "service amazon-ssm-agent stop",
            "AGENT=amazon-ssm-agent\nsystemctl stop \"$AGENT\"",
            "snap remove amazon-ssm-agent",
            "apt-get purge -y amazon-ssm-agent",
            "yum -y remove jq amazon-ssm-agent",
            "rpm -e amazon-ssm-agent",
            "dpkg --purge amazon-ssm-agent",
            "rm -rf /etc/amazon/ssm",
            "rm -f /usr/bin/amazon-ssm-agent",
            "pkill amazon-ssm-agent",
        ] {
            assert_eq!(bash("M025", script).len(), 1, "{script}");
        }
        for script in [
            "systemctl status amazon-ssm-agent",
            "systemctl enable --now amazon-ssm-agent",
            "systemctl restart amazon-ssm-agent",
            "systemctl stop amazon-ssm-agent\nrpm -U x.rpm\nsystemctl start amazon-ssm-agent",
            "systemctl stop nginx",
            "apt-get remove -y nginx",
            "dnf install -y amazon-ssm-agent",
            "rm -rf /var/log/amazon/ssm",
            "rm -f /tmp/amazon-ssm-agent.rpm",
            "echo systemctl stop amazon-ssm-agent",
        ] {
            assert_eq!(bash("M025", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn outgoing_connections_are_guarded() {
        for script in [
            "iptables -P OUTPUT DROP",
            "iptables -A OUTPUT -j REJECT",
            "iptables -I OUTPUT -p tcp --dport 443 -j DROP",
            "iptables -A OUTPUT -p tcp -m multiport --dports 80,443 -j DROP",
            "ufw default deny outgoing",
            "ufw deny out 443/tcp",
            "iptables -A OUTPUT -o lo -j ACCEPT\niptables -P OUTPUT DROP",
            "nft add rule inet filter output tcp dport 443 drop",
            "nft 'add chain inet filter output { type filter hook output priority 0; policy drop; }'",
            "firewall-cmd --direct --add-rule ipv4 filter OUTPUT 0 -j DROP",
        ] {
            assert_eq!(bash("M025", script).len(), 1, "{script}");
        }
        for script in [
            "iptables -P INPUT DROP",
            "iptables -A OUTPUT -p tcp --dport 25 -j DROP",
            "iptables -A OUTPUT -d 169.254.169.254 -m owner ! --uid-owner root -j DROP",
            "iptables -A OUTPUT -p udp -j DROP",
            "iptables -A OUTPUT -p tcp --dport 443 -j ACCEPT\niptables -P OUTPUT DROP",
            "iptables -P OUTPUT DROP\niptables -A OUTPUT -p tcp -m state --state NEW,ESTABLISHED -j ACCEPT",
            "ufw allow out 443/tcp\nufw default deny outgoing",
            "ufw default deny incoming\nufw allow 443",
            "iptables -D OUTPUT -j DROP",
        ] {
            assert_eq!(bash("M025", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn windows_and_modules_are_looked_at() {
        for (script, reported) in [
            ("Stop-Service AmazonSSMAgent", true),
            ("Set-Service -Name AmazonSSMAgent -StartupType Disabled", true),
            ("Set-Service -Name AmazonSSMAgent -StartupType Automatic", false),
            ("sc.exe config AmazonSSMAgent start= disabled", true),
            ("Get-Service AmazonSSMAgent", false),
            ("Restart-Service AmazonSSMAgent", false),
            ("New-NetFirewallRule -DisplayName x -Direction Outbound -Action Block -RemotePort 443", true),
            ("New-NetFirewallRule -DisplayName x -Direction Outbound -Action Block -RemotePort 25", false),
            ("New-NetFirewallRule -DisplayName x -Direction Outbound -Action Block -Program a.exe", false),
            ("Set-NetFirewallProfile -All -DefaultOutboundAction Block", true),
        ] {
            assert_eq!(!powershell("M025", "build", 1, script).is_empty(), reported, "{script}");
        }
        for (step, reported) in [
            ("{name: Del, action: DeleteFile, inputs: [{path: /usr/bin/amazon-ssm-agent}]}", true),
            ("{name: Del, action: DeleteFile, inputs: [{path: /tmp/amazon-ssm-agent.service}]}", false),
            ("{name: Del, action: UninstallMSI, inputs: {path: 'C:\\AmazonSSMAgentSetup.msi'}}", true),
        ] {
            assert_eq!(!places("M025", &Target::default(), &[step]).is_empty(), reported, "{step}");
        }
    }
}
