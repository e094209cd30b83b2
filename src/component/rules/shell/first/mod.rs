//! How scripts fail, restart the machine, ask questions and take in values.

mod errexit;
mod insert;
mod piped;
mod pipefail;
mod preference;
mod questions;
mod quotes;
mod reboot;
mod restart;
#[cfg(test)]
mod testing;
mod values;

use crate::component::rules::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// What is the same for all of them.
const ADVICE: Rule = Rule {
    id: "",
    name: "",
    level: Severity::Warning,
    basis: Basis::Advice,
    summary: "",
    why: "",
    example: "",
    instead: "",
    supersedes: &[],
    check: Check::Reading,
};

/// The rules of this family.
pub(in crate::component::rules) const RULES: &[Rule] = &[
    Rule {
        id: "M001",
        name: "bash-without-errexit",
        summary: "A bash script goes on after a command has failed.",
        why: "The exit code of the last command decides whether an ExecuteBash step fails; all items of `commands` are one script, \
            and nobody adds `set -e`. Builds in which an installation failed have passed that way, and their images were used. \
            Lists joined by `&&`, `|| exit 1` and conditions are understood. Section 4.1.",
        example: "commands:\n  - tar xf /opt/app.tar.gz -C /opt/app\n  - systemctl enable app",
        instead: "commands:\n  - |\n    set -euo pipefail\n    tar xf /opt/app.tar.gz -C /opt/app\n    systemctl enable app",
        check: Check::Document(errexit::unguarded),
        ..ADVICE
    },
    Rule {
        id: "M002",
        name: "powershell-without-stop",
        summary: "A PowerShell script goes on after an error.",
        why: "Most errors of PowerShell are printed and nothing more: the script goes on and ends with exit code 0, so the step \
            succeeds. With `$ErrorActionPreference = 'Stop'` the first error ends it. Exit codes of programs are another matter: \
            ask `$LASTEXITCODE` for them. Section 4.1.",
        example: "commands:\n  - Install-WindowsFeature Web-Server\n  - Set-Service W3SVC -StartupType Automatic",
        instead: "commands:\n  - |\n    $ErrorActionPreference = 'Stop'\n    Install-WindowsFeature Web-Server\n    Set-Service W3SVC \
            -StartupType Automatic",
        check: Check::Document(preference::preference),
        ..ADVICE
    },
    Rule {
        id: "M003",
        name: "pipe-without-pipefail",
        summary: "A failure on the left side of a pipe is lost.",
        why: "The exit code of a pipeline is that of its last command. `set -e` alone does not see that the download failed which \
            `tar` or `tee` was to read; `set -o pipefail` makes it count. What only prints, and pipelines in conditions, are left \
            alone. Where not even `set -e` holds, M001 says it. Section 4.1.",
        example: "commands:\n  - |\n    set -e\n    /opt/app/install 2>&1 | tee /var/log/app-install.log",
        instead: "commands:\n  - |\n    set -euo pipefail\n    /opt/app/install 2>&1 | tee /var/log/app-install.log",
        check: Check::Document(pipefail::pipes),
        ..ADVICE
    },
    Rule {
        id: "M004",
        name: "restart-without-marker",
        summary: "A script asks for a restart each time it runs.",
        why: "After exit code 194 (bash) or 3010 (PowerShell) the machine restarts and the same step runs again from its first line. \
            Without a marker, or another question that has a different answer then, it restarts until the SSM Agent gives up and the \
            build fails. The `if` of the step is not asked again. Bash takes exit codes modulo 256, so that 3010 is 194 too. \
            Section 5.",
        example: "commands:\n  - |\n    set -euo pipefail\n    exit 194",
        instead: "commands:\n  - |\n    set -euo pipefail\n    marker=/var/tmp/kernel-restarted\n    if [ -e \"$marker\" ]; then exit 0; fi\n    \
            touch \"$marker\"\n    exit 194",
        check: Check::Document(restart::unmarked),
        ..ADVICE
    },
    Rule {
        id: "M005",
        name: "restart-command",
        summary: "A script restarts the machine or turns it off by itself.",
        why: "The SSM Agent that runs the build knows of a restart only by exit code 194 or 3010, or from the Reboot module. When the \
            machine goes down without that, it sees a lost command and the build may fail, also when it worked last time. Section 5.",
        example: "- name: Restart\n  action: ExecuteBash\n  inputs:\n    commands:\n      - shutdown -r now",
        instead: "- name: Restart\n  action: Reboot\n  inputs:\n    delaySeconds: 0",
        check: Check::Document(reboot::commands),
        ..ADVICE
    },
    Rule {
        id: "M012",
        name: "piped-into-shell",
        summary: "A script from the network is run without a look at it.",
        why: "What an address answers may change between two builds of the same recipe, be cut short, or come from somebody else; it \
            runs as root all the same. Also told are `bash <(curl …)`, `eval \"$(curl …)\"`, `iwr … | iex`, and files that are fetched \
            and run in one script that verifies nothing. Section 15.",
        example: "commands:\n  - curl -fsSL https://get.example.com/install.sh | bash",
        instead: "- name: Fetch\n  action: WebDownload\n  inputs:\n    - source: https://get.example.com/2.4.1/install.sh\n      \
            destination: /opt/build/install.sh\n      algorithm: SHA256\n      checksum: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
        supersedes: &["M019"],
        check: Check::Document(piped::unseen),
        ..ADVICE
    },
    Rule {
        id: "M017",
        name: "question-in-script",
        summary: "A program may ask a question that nobody answers.",
        why: "Nobody sits at a build. Package managers that ask for a yes give up or wait until the step times out, which takes two \
            hours unless it says otherwise. On Debian and Ubuntu the packages themselves may ask for settings, too, unless \
            `DEBIAN_FRONTEND=noninteractive` is in the environment of `apt-get`; `sudo` does not pass it on. Section 15.",
        example: "commands:\n  - |\n    set -euo pipefail\n    apt-get install nginx=1.22.1-9",
        instead: "commands:\n  - |\n    set -euo pipefail\n    export DEBIAN_FRONTEND=noninteractive\n    apt-get install -y nginx=1.22.1-9",
        check: Check::Document(questions::asking),
        ..ADVICE
    },
    Rule {
        id: "X011",
        name: "unquoted-expression",
        summary: "An expression stands without quotes in a shell command.",
        why: "Values are pasted into the text of the script before any shell reads it. Without quotes a blank in a value makes two \
            words of it, `*` becomes file names, and `;` begins a command. Values that are one word in every build are not told: \
            plain constants, numbers of loops, most of `context:`. A parameter is what a recipe makes of it. Sections 6.1 and 15.",
        example: "commands:\n  - |\n    set -euo pipefail\n    cp /opt/app.conf /etc/{{ Name }}.conf",
        instead: "commands:\n  - |\n    set -euo pipefail\n    cp /opt/app.conf \"/etc/{{ Name }}.conf\"",
        check: Check::Document(quotes::unquoted),
        ..ADVICE
    },
    Rule {
        id: "L006",
        name: "restart-in-loop",
        summary: "A step with a loop restarts the machine.",
        why: "It is not documented whether a step that asks for a restart inside a loop begins with the first iteration again, repeats \
            the last one or goes on with the next. Section 7.",
        example: "- name: Update\n  action: ExecuteBash\n  loop: {forEach: [one, two]}\n  inputs:\n    commands:\n      - '[ -e /var/tmp/done ] || exit 194'",
        instead: "- name: Update\n  action: ExecuteBash\n  loop: {forEach: [one, two]}\n  inputs:\n    commands:\n      - update \"{{ loop.value }}\"\n\
            - name: Restart\n  action: Reboot\n  inputs:\n    delaySeconds: 0",
        supersedes: &["M004"],
        check: Check::Document(restart::looped),
        ..ADVICE
    },
];
