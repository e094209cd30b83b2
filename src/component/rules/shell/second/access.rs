//! M026: what locks people, and the agent, out of an instance that is still needed.

use super::facts::{Facts, filled, is_below, scripts};
use crate::component::model::{Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Invocation, PowerShellCommand};
use crate::diagnostic::Span;

/// Where the network is described.
const NETWORK: &[&str] = &[
    "/etc/netplan",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d",
    "/etc/sysconfig/network-scripts",
    "/etc/sysconfig/network",
    "/etc/NetworkManager/system-connections",
    "/etc/systemd/network",
];

/// What is lost.
#[derive(Clone, Copy)]
enum Loss {
    Keys,
    Network,
    Interface,
}

/// M026. Only in `build`: what a test does to its instance ends with it.
pub fn access(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject).filter(|facts| facts.phase().name == "build") {
        for (index, command, invocation) in facts.invocations() {
            if let Some(loss) = lost(&facts, index, &invocation) {
                report(found, facts.span(&command.place), loss);
            }
        }
        for command in emptied(&facts) {
            report(found, facts.span(&command.place), Loss::Keys);
        }
    }
    for commands in subject.powershell().iter().filter(|commands| commands.phase.name == "build") {
        for command in &commands.script.commands {
            if let Some(loss) = powershell(command) {
                report(found, commands.span(&command.place), loss);
            }
        }
    }
    for (_, step) in subject.steps().filter(|(phase, _)| phase.name == "build") {
        if let Some((span, loss)) = module(subject, step) {
            report(found, span, loss);
        }
    }
}

fn report(found: &mut Findings<'_>, span: Span, loss: Loss) {
    let (message, label, help) = match loss {
        Loss::Keys => (
            "SSH keys are deleted while the image is built",
            "nobody can log in to see why a later step fails",
            "leave it out: Image Builder removes authorized keys itself when the build is over",
        ),
        Loss::Network => (
            "the configuration of the network is deleted",
            "an instance that restarts now may not come back",
            "write the configuration that is to be in its place in the same script, or leave it to cloud-init",
        ),
        Loss::Interface => (
            "a network connection is shut down",
            "Image Builder loses the instance",
            "change the configuration files instead: they count when an instance of the image starts",
        ),
    };
    found.add(found.at(span, message, label).help(help));
}

fn lost(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> Option<Loss> {
    let arguments: Vec<String> = invocation.arguments.iter().map(|word| facts.text(word, index)).collect();
    let operands = || arguments.iter().filter(|text| !text.starts_with('-'));
    match invocation.program {
        "rm" | "shred" | "unlink" => {
            if operands().any(|path| is_access(path)) {
                return Some(Loss::Keys);
            }
            let gone = operands().find(|path| is_network(path))?;
            (!replaced(facts, index, gone)).then_some(Loss::Network)
        }
        "find" => found_and_deleted(&arguments),
        "ip" | "ifconfig" | "ifdown" | "nmcli" | "networkctl" | "systemctl" => {
            let words: Vec<&str> = operands().map(String::as_str).collect();
            (shuts_down(invocation.program, &words) && !brought_back(facts, index)).then_some(Loss::Interface)
        }
        _ => None,
    }
}

/// The whole `.ssh` of somebody, or the keys that let people in; a single key that a script put there is its own affair.
fn is_access(path: &str) -> bool {
    let path = path.trim_end_matches("/*").trim_end_matches('/');
    let home = ["/home/", "/root/", "~", "$HOME/", "${HOME}/", "/etc/skel/"].iter().any(|home| path.starts_with(home));
    let name = path.rsplit('/').next().unwrap_or_default();
    home && (name == ".ssh" || name.starts_with("authorized_keys"))
}

/// The whole configuration, or the files of physical interfaces in it.
fn is_network(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let other =
        ["ifcfg-lo", "ifcfg-docker", "ifcfg-br", "ifcfg-dummy", "ifcfg-tun"].iter().any(|one| name.starts_with(one));
    is_below(path, NETWORK) && !other
}

/// Whether the script goes on to write something to where the deleted files were.
fn replaced(facts: &Facts<'_, '_>, index: usize, path: &str) -> bool {
    let folder = NETWORK.iter().find(|root| is_below(path, &[root])).copied().unwrap_or(path);
    let mentions = |text: &str| is_below(text, &[folder]);
    facts.is_tired()
        || facts.each().skip(index + 1).any(|(at, command)| {
            let writes = command.invocation().is_some_and(|invocation| {
                matches!(
                    invocation.program,
                    "cp" | "mv" | "install" | "tee" | "ln" | "netplan" | "nmcli" | "cloud-init" | "sed"
                )
            });
            let targets = command.redirects.iter().filter(|redirect| redirect.operator.starts_with('>'));
            targets.into_iter().any(|redirect| mentions(&facts.text(&redirect.target, at)))
                || (writes && command.words.iter().any(|word| mentions(&facts.text(word, at))))
        })
}

/// `find /home -name authorized_keys -delete`.
fn found_and_deleted(arguments: &[String]) -> Option<Loss> {
    let removes = arguments.iter().any(|text| text == "-delete")
        || arguments.windows(2).any(|pair| pair[0].starts_with("-exec") && matches!(pair[1].as_str(), "rm" | "shred"));
    let places: Vec<&String> = arguments.iter().take_while(|text| !text.starts_with(['-', '(', '!'])).collect();
    let keys = arguments.iter().any(|text| text.contains("authorized_keys") || text == ".ssh");
    let homes = places.iter().any(|place| matches!(place.trim_end_matches('/'), "" | "/home" | "/root"));
    let network = places.iter().any(|place| is_below(place.trim_end_matches('/'), NETWORK));
    match (removes, keys && homes, network) {
        (true, true, _) => Some(Loss::Keys),
        (true, _, true) => Some(Loss::Network),
        _ => None,
    }
}

/// Commands that make a file of authorized keys empty: `> /root/.ssh/authorized_keys`.
fn emptied<'s>(facts: &Facts<'s, '_>) -> impl Iterator<Item = &'s Command> {
    facts.each().filter_map(move |(index, command)| {
        let nothing = match command.invocation() {
            None => command.words.is_empty(),
            Some(invocation) => match invocation.program {
                ":" | "true" => true,
                "cat" => invocation.arguments.iter().any(|word| word.is("/dev/null")),
                _ => false,
            },
        };
        let empties = command
            .redirects
            .iter()
            .any(|redirect| matches!(redirect.operator, ">" | ">|") && is_access(&facts.text(&redirect.target, index)));
        (nothing && empties).then_some(command)
    })
}

/// Whether a command of the network takes a connection down.
fn shuts_down(program: &str, words: &[&str]) -> bool {
    let real = |device: &str| {
        let made = ["lo", "docker", "br-", "br0", "veth", "virbr", "dummy", "tun", "tap", "wg", "cni", "flannel"];
        !made.iter().any(|name| device.starts_with(name))
    };
    match (program, words) {
        ("ip", ["link" | "l", "set", rest @ ..]) => {
            let device = rest.iter().find(|word| !matches!(**word, "dev" | "down"));
            rest.contains(&"down") && device.is_some_and(|device| real(device))
        }
        ("ifconfig", [device, "down"]) | ("ifdown", [device]) | ("networkctl", ["down", device]) => real(device),
        ("nmcli", [area, verb, rest @ ..]) => match (*area, *verb) {
            ("networking" | "n", "off") => true,
            ("connection" | "con" | "c", "down") | ("device" | "dev" | "d", "disconnect") => {
                rest.first().is_some_and(|device| real(device))
            }
            _ => false,
        },
        ("systemctl", ["stop" | "mask", units @ ..]) => units.iter().any(|unit| {
            matches!(
                unit.trim_end_matches(".service"),
                "networking" | "network" | "NetworkManager" | "systemd-networkd" | "dhcpcd"
            )
        }),
        _ => false,
    }
}

/// Whether a later command brings a connection up again.
fn brought_back(facts: &Facts<'_, '_>, index: usize) -> bool {
    let later = || facts.invocations().skip_while(|(at, ..)| *at <= index);
    facts.is_tired()
        || later().any(|(_, _, invocation)| match invocation.program {
            "ip" | "nmcli" | "networkctl" | "ifconfig" => {
                invocation.arguments.iter().any(|word| word.is("up") || word.is("on"))
            }
            "ifup" => true,
            "systemctl" => {
                let network =
                    invocation.arguments.iter().any(|word| word.text.to_ascii_lowercase().contains("network"));
                let up = ["start", "restart", "unmask"];
                network && invocation.arguments.iter().any(|word| up.contains(&word.text.as_str()) || word.is("--now"))
            }
            _ => false,
        })
}

fn powershell(command: &PowerShellCommand) -> Option<Loss> {
    if command.runs("Disable-NetAdapter") {
        return Some(Loss::Interface);
    }
    let keys = command.arguments().iter().any(|word| {
        let path = word.text.to_ascii_lowercase().replace('\\', "/");
        path.ends_with("/.ssh") || path.ends_with("authorized_keys")
    });
    (command.runs("Remove-Item") && keys).then_some(Loss::Keys)
}

fn module(subject: &Subject<'_>, step: &Step) -> Option<(Span, Loss)> {
    if !matches!(step.module.action, Action::DeleteFile | Action::DeleteFolder) {
        return None;
    }
    step.inputs.iter().find_map(|item| {
        let Some(Value::Text(path)) = item.get("path") else { return None };
        let text = filled(subject.document, path.text());
        let loss = if is_access(&text) { Some(Loss::Keys) } else { is_network(&text).then_some(Loss::Network) };
        loss.map(|loss| (path.span(), loss))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, bash_in, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;

    #[test]
    fn what_locks_people_out_is_found() {
        for script in [
            "rm -rf /home/*/.ssh",
            "rm -rf /home/ec2-user/.ssh/",
            "rm -rf /root/.ssh/*",
            "rm -f /root/.ssh/authorized_keys",
            "rm -f ~/.ssh/authorized_keys*",
            "USER_HOME=/home/ubuntu\nrm -rf \"$USER_HOME/.ssh\"",
            "shred -u /home/*/.ssh/authorized_keys",
            "find / -name authorized_keys -exec rm -f {} \\;",
            "find /home /root -name 'authorized_keys' -delete",
            "> /root/.ssh/authorized_keys",
            "cat /dev/null > /home/ubuntu/.ssh/authorized_keys",
            "rm -f /etc/netplan/50-cloud-init.yaml",
            "rm -f /etc/network/interfaces",
            "rm -f /etc/sysconfig/network-scripts/ifcfg-*",
            "find /etc/netplan -type f -delete",
            "ip link set eth0 down",
            "ip link set down dev ens5",
            "ifdown eth0",
            "nmcli networking off",
            "systemctl stop NetworkManager",
        ] {
            assert_eq!(bash("M026", script).len(), 1, "{script}");
            assert_eq!(bash_in("M026", "test", 1, script), [""; 0], "{script}");
        }
    }

    #[test]
    fn what_can_be_spared_is_silent() {
        for script in [
            "rm -f /root/.ssh/id_deploy",
            "rm -f /home/app/.ssh/known_hosts",
            "rm -f /etc/ssh/ssh_host_*",
            "rm -rf /opt/app/.ssh",
            "rm -f /etc/udev/rules.d/70-persistent-net.rules",
            "rm -f /etc/netplan/*.yaml\ncat >/etc/netplan/10-eth.yaml <<'END'\nnetwork: {}\nEND",
            "rm -f /etc/netplan/*.yaml\ncp /opt/net.yaml /etc/netplan/10.yaml",
            "rm -f /etc/sysconfig/network-scripts/ifcfg-docker0",
            "ip link set docker0 down",
            "ip link set eth0 up",
            "ip link set eth0 down && ip link set eth0 name net0 && ip link set net0 up",
            "systemctl stop nginx",
            "systemctl restart systemd-networkd",
            "cloud-init clean --logs",
            "find /home -name '*.log' -delete",
            "find /home -name authorized_keys -size +0",
            "cat key >> /root/.ssh/authorized_keys",
            "echo rm -rf /root/.ssh",
        ] {
            assert_eq!(bash("M026", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn windows_and_modules_are_looked_at() {
        assert_eq!(powershell("M026", "build", 1, "Disable-NetAdapter -Name Ethernet").len(), 1);
        assert_eq!(powershell("M026", "build", 1, "Remove-Item -Recurse C:\\Users\\Administrator\\.ssh").len(), 1);
        assert_eq!(powershell("M026", "build", 1, "Remove-Item C:\\Temp\\x").len(), 0);
        for (step, reported) in [
            ("{name: Del, action: DeleteFolder, inputs: [{path: /root/.ssh, force: true}]}", true),
            ("{name: Del, action: DeleteFile, inputs: [{path: /etc/netplan/*.yaml}]}", true),
            ("{name: Del, action: DeleteFile, inputs: [{path: /root/.ssh/id_deploy}]}", false),
        ] {
            assert_eq!(!places("M026", &Target::default(), &[step]).is_empty(), reported, "{step}");
        }
    }
}
