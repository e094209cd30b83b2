//! The codes of errors that are not about a file: `A` and the exit code, in three digits.

use crate::diagnostic::catalogue::Entry;

const fn entry(code: &'static str, title: &'static str, explanation: &'static str) -> Entry {
    Entry { code, title, explanation }
}

/// Their entries in the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry(
        "A000",
        "done, or nothing to do",
        "Exit code 0. The verb did what it was asked, or found it done already and said so.",
    ),
    entry(
        "A001",
        "something unexpected",
        "Exit code 1. An error that amiforge has no better word for: a file that could not be written, a service that answered\n\
         something it should not, a bug. The message holds the whole chain of causes. Run the command again; what is done is\n\
         not done twice. Set AMIFORGE_LOG=debug for a log on stderr.",
    ),
    entry(
        "A002",
        "usage, a project file, or something this machine lacks",
        "Exit code 2. The command line or a file of the project cannot be used as it is, or a program that the local environment\n\
         needs is not installed. Nothing was created. The message says which file, where in it, and what to write instead.",
    ),
    entry(
        "A003",
        "findings in component documents",
        "Exit code 3. A component document breaks a rule of the component language; Image Builder would refuse it, or fail half\n\
         an hour later. Each finding has a code of its own (C…) that `amiforge explain` knows. Nothing was created.\n\
         Of `import`: the files are there, and `amiforge lint` finds errors in them.",
    ),
    entry(
        "A004",
        "the plan has changes",
        "Exit code 4, only with --detailed-exitcode: `plan` would create something, `baseline publish --plan` would do something,\n\
         or `baseline diff` found a difference. Without the flag they end with 0.",
    ),
    entry(
        "A005",
        "the build failed",
        "Exit code 5. The build stage of the image failed: the message names the component, the step, its place in the document\n\
         and the last lines of its output. The image is in state FAILED, its instance is gone, no channel was touched. Mend the\n\
         component and run again, or run again as it is when a mirror was unreachable: a new build starts.",
    ),
    entry(
        "A006",
        "the test stage failed",
        "Exit code 6. The image was made, but the test phase of a component failed in a fresh instance of it. The image is in\n\
         state FAILED and is never a candidate. The message names the component and the step.",
    ),
    entry(
        "A007",
        "a gate did not pass",
        "Exit code 7. The candidate exists and there is evidence about it, but a gate of the recipe says fail, error or stale.\n\
         An error is never a pass: what was not scanned or not tested does not go to a channel. No channel was touched. Each\n\
         verdict says what it looked at; `amiforge validate RECIPE` collects the evidence again.",
    ),
    entry(
        "A008",
        "no usable evidence",
        "Exit code 8. A promotion needs evidence whose digest stands on the AMI (tag amiforge:evidence) and whose gates pass now,\n\
         and a resolve needs a channel that points at an image that exists. `amiforge validate RECIPE` makes evidence,\n\
         `amiforge promote RECIPE` moves the channel. A release that was revoked is refused with the same code, by every verb\n\
         that would use it, until `amiforge restore RELEASE --reason TEXT` takes that back.",
    ),
    entry(
        "A009",
        "partly done",
        "Exit code 9. A promotion stopped in the middle and could not be put back by itself, or an earlier one was cut off: its\n\
         journal is there and no lock holds it any more. `amiforge promote RECIPE --channel NAME --resume` finishes it, if evidence\n\
         and rules hold now, and `--abort` takes it back. A `baseline publish` that failed in some accounts or\n\
         Regions has done the others; the same command finishes it. Of `revoke` and `restore`: a channel could not be moved, or an\n\
         image not be changed; until the same command has finished it, nothing promotes the release.",
    ),
    entry(
        "A010",
        "drift",
        "Exit code 10. The account differs from what was recorded: a launch template was moved by hand, or a patch baseline is no\n\
         longer what its snapshot in baselines/ says. `amiforge baseline snapshot NAME --force` takes over what the account has.",
    ),
    entry(
        "A011",
        "locked, or a conflict",
        "Exit code 11. Somebody else holds the lock of this channel. The message says who and since when. Wait for them: as\n\
         long as its lock has not expired, a promotion counts as under way. Only when the process that began it is gone,\n\
         `amiforge promote RECIPE --channel NAME --resume` takes lock and journal over. Of `baseline publish`: a baseline of\n\
         that name, or a patch group, belongs to somebody else; --adopt and --replace-group take it over. Of\n\
         `publish` and `build`: something of that name is not this project's, or a quota of the account would be passed; nothing was\n\
         created. --over-quota says that the quota was raised.",
    ),
    entry(
        "A012",
        "credentials or permission",
        "Exit code 12. AWS refused the call, found no credentials, or this machine does not permit the namespaces that the local\n\
         environment needs. The message names the call or the missing permission and the command that mends it. `amiforge doctor`\n\
         looks for all of it beforehand, and `amiforge iam-policy VERB` prints what a verb needs.",
    ),
    entry(
        "A013",
        "timed out, still running",
        "Exit code 13. The deadline for waiting passed. The work goes on in the environment; the same command joins it again,\n\
         `amiforge status` says how far it is, and `amiforge watch` follows it.",
    ),
    entry(
        "A130",
        "interrupted",
        "Exit code 130. The user (Ctrl-C) or the system (SIGTERM, SIGHUP) ended the command. What ran in the local environment was\n\
         ended with it; nothing is left running or mounted. Builds in AWS go on: the message has the `amiforge watch` that follows\n\
         each. They are cancelled when the command had --cancel-on-interrupt, or by a second Ctrl-C; only those that the command\n\
         had started itself. The same command continues with what is already there.",
    ),
    entry(
        "A194",
        "a restart is needed",
        "Exit code 194, only of `component run --on-host`: a step needs the machine restarted. amiforge never restarts a machine\n\
         that is not its own. Restart it and run the command it prints: it goes on where the run stopped. Started by the SSM\n\
         Agent, as Image Builder starts awstoe, that happens by itself.",
    ),
];

#[cfg(test)]
mod tests {
    use super::ENTRIES;
    use crate::cli::exit::Exit;

    #[test]
    fn every_exit_code_is_explained_and_its_text_names_the_number() {
        let codes: Vec<&str> = ENTRIES.iter().map(|entry| entry.code).collect();
        assert_eq!(codes, Exit::ALL.map(Exit::catalogue));
        for (entry, exit) in ENTRIES.iter().zip(Exit::ALL) {
            assert!(entry.explanation.contains(&format!("Exit code {}", exit.code())), "{}", entry.code);
        }
    }
}
