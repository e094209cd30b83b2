//! What scripts fetch, reveal, leave behind and break.

mod access;
mod agent;
mod changes;
mod facts;
mod hangs;
mod home;
mod network;
mod repeat;
mod secrets;
#[cfg(test)]
mod testing;
mod versions;

pub(crate) use secrets::places as secrets_in;

use crate::component::rules::model::{Basis, Check, Rule};
use crate::diagnostic::Severity;

/// The rules of this family.
pub(in crate::component::rules) const RULES: &[Rule] = &[
    Rule {
        id: "M018",
        name: "home-unset",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A script counts on `HOME`, which is not set when awstoe runs it.",
        why: "awstoe starts scripts without a login shell and without `HOME`. `$HOME/x` becomes `/x`, or ends the script under \
            `set -u`; `cd` alone and `git config --global` fail. `~` in bash is fine, because bash then asks the user \
            database, but `sh` leaves it as it is. What `sudo -u` makes of `HOME` is up to the sudoers file, unless `-H` is \
            given. Section 12.",
        example: "commands:\n  - |\n    set -euo pipefail\n    mkdir -p \"$HOME/.config/app\"",
        instead: "commands:\n  - |\n    set -euo pipefail\n    export HOME=/root\n    mkdir -p \"$HOME/.config/app\"",
        supersedes: &[],
        check: Check::Document(home::home),
    },
    Rule {
        id: "M025",
        name: "agent-cut-off",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "The Systems Manager agent is stopped, disabled or removed, or the instance can no longer reach port 443.",
        why: "Image Builder runs every step through the Systems Manager agent, which talks to AWS on port 443, in the build as \
            well as in the tests on a new instance. Without either the build hangs until its time limit, and says nothing \
            about the cause. What is stopped and started again in the same script is fine. Section 15.",
        example: "commands:\n  - systemctl disable --now amazon-ssm-agent",
        instead: "commands:\n  - systemctl enable amazon-ssm-agent",
        supersedes: &[],
        check: Check::Document(agent::agent),
    },
    Rule {
        id: "M026",
        name: "locked-out",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "SSH keys or the configuration of the network are deleted during the build.",
        why: "When a later step fails, the keys are what lets somebody look at the instance; and an instance without network \
            configuration does not come back from a restart. Image Builder itself removes authorized keys, host keys and the \
            state of cloud-init after the last step. Section 12.",
        example: "commands:\n  - rm -rf /home/*/.ssh",
        instead: "commands:\n  - rm -f /root/.ssh/id_deploy",
        supersedes: &[],
        check: Check::Document(access::access),
    },
    Rule {
        id: "M027",
        name: "waits-or-runs-on",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A script sleeps for long, follows something without end, or leaves a process running.",
        why: "A long sleep is too short on a bad day and a waste on every other. `tail -f`, `watch` and the like hang until the \
            time limit of the step. A process in the background outlives the script or is cut off with it, and its failure is \
            never seen. Section 15.",
        example: "commands:\n  - |\n    set -euo pipefail\n    systemctl start app\n    sleep 600",
        instead: "commands:\n  - |\n    set -euo pipefail\n    systemctl start app\n    timeout 600 bash -c 'until curl -fsS localhost:8080/health; do sleep 5; done'",
        supersedes: &[],
        check: Check::Document(hangs::hangs),
    },
    Rule {
        id: "S016",
        name: "network-once",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A step depends on the network and is tried once.",
        why: "Mirrors time out, package lists change while they are read, names fail to resolve. One hiccup ends a \
            build of half an hour, unless the step has `maxAttempts` above 1, or the script tries again itself: in a \
            loop, with `--retry`, or with `-o Acquire::Retries=3`. WebDownload is fine: it tries five times by \
            itself. Sections 4.2 and 9.2.",
        example: "- name: RefreshPackageLists\n  action: ExecuteBash\n  inputs:\n    commands:\n      - apt-get update",
        instead: "- name: RefreshPackageLists\n  action: ExecuteBash\n  maxAttempts: 3\n  inputs:\n    commands:\n      - apt-get update",
        supersedes: &[],
        check: Check::Document(network::once),
    },
    Rule {
        id: "S017",
        name: "not-repeatable",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A step has several attempts, but a second one fails or does something twice.",
        why: "`maxAttempts` runs the whole step again from its start, whatever the first attempt had done by then. \
            What was appended is appended again; what was made exists, and making it fails, so that the second \
            attempt hides why the first one failed. What is asked for first, or begun anew in the same script, is \
            fine. Section 4.2.",
        example: "- name: MakeUser\n  action: ExecuteBash\n  maxAttempts: 3\n  inputs:\n    commands:\n      - useradd --system app",
        instead: "- name: MakeUser\n  action: ExecuteBash\n  maxAttempts: 3\n  inputs:\n    commands:\n      - id app || useradd --system app",
        supersedes: &[],
        check: Check::Document(repeat::again),
    },
    Rule {
        id: "S019",
        name: "check-changes-system",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A step in `validate` or `test` changes the system.",
        why: "`validate` runs on the instance that becomes the image: what it changes ships, after the checks that came before. \
            `test` runs on an instance of the finished image: what it changes is not in the image, and later tests then prove \
            something about a machine that nobody else has. Temporary files, and what the same script takes away again, are \
            fine. Section 2.",
        example: "phases:\n  - name: test\n    steps:\n      - name: NginxAnswers\n        action: ExecuteBash\n        inputs:\n          commands:\n            - systemctl enable --now nginx",
        instead: "phases:\n  - name: test\n    steps:\n      - name: NginxAnswers\n        action: ExecuteBash\n        inputs:\n          commands:\n            - systemctl is-active nginx",
        // Versions of what a check installs are the smaller problem.
        supersedes: &["M019"],
        check: Check::Document(changes::changes),
    },
    Rule {
        id: "M019",
        name: "open-version",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A package is installed without a version, or the newest file is downloaded, whatever it is.",
        why: "Two builds of the same recipe then make different images, and nothing in the repository tells why one of them \
            broke. One finding for a command; upgrades, local files, release packages, names with a number such as \
            python39 and helpers of the build such as curl are fine, and so are distribution packages where the package \
            sources stand still (Amazon Linux 2023, a snapshot of a mirror). Switch it off where the image is meant to take \
            what its distribution offers that day, and the evidence of the build is what tells which versions those were. \
            Section 15.",
        example: "commands:\n  - pip install ansible",
        instead: "commands:\n  - pip install \"ansible=={{ AnsibleVersion }}\"",
        supersedes: &[],
        check: Check::Document(versions::versions),
    },
    Rule {
        id: "M014",
        name: "secret-in-the-open",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A secret stands in the document, or a script prints one.",
        why: "Everybody who may read the component reads its text; parameters and constants are plain text, too, and are \
            recorded in CloudTrail. AWSTOE keeps values of `aws:ssm:` out of the logs, but not what a script prints, and the \
            logs go to CloudWatch and S3. `disableLogging: true` on the step, the phase or the document stops that half; a \
            secret in the text stays one. Sections 6.2 and 6.4.",
        example: "commands:\n  - |\n    set -euo pipefail\n    app login --password correct-horse-9",
        instead: "commands:\n  - |\n    set -euo pipefail\n    printf '%s' \"{{ aws:ssm:/app/password }}\" | app login --password-stdin",
        supersedes: &[],
        check: Check::Document(secrets::secrets),
    },
];
