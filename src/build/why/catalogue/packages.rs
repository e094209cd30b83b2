//! Package managers.

use crate::build::why::model::{Entry, When, fact, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W043",
        name: "dpkg-lock",
        title: "another process holds the lock of dpkg",
        why: "On Ubuntu and Debian apt-daily and unattended-upgrades start at boot and hold it for minutes.",
        signs: &[
            line(r"(?i)Could not get lock (?<what>/var/lib/(?:dpkg|apt)/\S+?)[.,]? ", 94),
            line(
                r"(?i)Could not get lock|Unable to acquire the dpkg frontend lock|dpkg frontend lock (?:was|is) locked by another process",
                92,
            ),
            line(r"(?i)Waiting for cache lock: Could not get lock", 85),
        ],
        remedies: &[
            say("wait for it in step {step}: apt-get -o DPkg::Lock::Timeout=600 …"),
            say(
                "or stop what holds it first: systemctl stop apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service",
            ),
        ],
    },
    Entry {
        code: "W044",
        name: "dpkg-interrupted",
        title: "dpkg was interrupted before",
        why: "A package was half configured when something ended dpkg: a reboot, a timeout, a full disk. Perhaps in the parent already.",
        signs: &[line(r"(?i)dpkg was interrupted, you must manually run", 96)],
        remedies: &[
            say("begin step {step} with: dpkg --configure -a"),
            say("find out what ended it: the lines of the step before, or the parent image"),
        ],
    },
    Entry {
        code: "W045",
        name: "rpm-lock",
        title: "another process holds the lock of rpm, dnf or yum",
        why: "dnf-automatic, packagekit, the SSM Agent's own update or a step before that was left in the background.",
        signs: &[
            line(
                r"(?i)can't create transaction lock on (?<what>\S+)|Another app is currently holding the yum lock|Existing lock /var/run/yum\.pid",
                94,
            ),
            line(
                r"(?i)Failed to obtain the transaction lock|Waiting for process with pid \d+ to finish|System management is locked by the application",
                92,
            ),
        ],
        remedies: &[
            say("stop what holds it in a step before: systemctl stop dnf-automatic.timer packagekit"),
            say("repeat the command until the lock is free; `yum` has no time limit of its own to wait"),
        ],
    },
    Entry {
        code: "W046",
        name: "rpm-database",
        title: "the database of rpm is broken",
        why: "rpm was killed while it wrote, or the disk was full.",
        signs: &[line(
            r"(?i)rpmdb.*(?:corrupt|BDB\d+|open failed|damaged)|cannot open Packages (?:database|index)|Rpmdb checksum is invalid|error: db5 error",
            93,
        )],
        remedies: &[
            say("begin step {step} with: rpm --rebuilddb"),
            say("look for what ended rpm before: a full disk (W060), no memory (W062), a timeout (W073)"),
        ],
    },
    Entry {
        code: "W047",
        name: "unmet-dependencies",
        title: "packages depend on what cannot be installed",
        why: "A package asks for a version that no repository has, that another package forbids, or that is held back.",
        signs: &[
            line(r"(?i)unmet dependencies|held broken packages|Unable to correct problems", 86),
            line(r"(?i)nothing provides (?<what>\S+)", 90),
            line(
                r"(?i)conflicting requests|Depends: .*(?:is not going to be installed|is not installable|is to be installed)",
                84,
            ),
            line(
                r"(?i)Error: Package: .*Requires:|package \S+ (?:requires|conflicts with) .*, but none of the providers can be installed",
                88,
            ),
        ],
        remedies: &[
            run("try it in an instance of the parent", "amiforge shell {recipe}"),
            say(
                "add the repository that has it, or take a version of the package that fits the release; `apt-mark showhold` names what is held",
            ),
        ],
    },
    Entry {
        code: "W048",
        name: "package-not-found",
        title: "no repository has a package of this name",
        why: "A mistake in the name, a repository that is not enabled, or an index that was never fetched (`apt-get update` is missing).",
        signs: &[
            line(r"(?i)Unable to locate package (?<what>\S+)", 92),
            line(r"(?i)Package '?(?<what>[a-z0-9.+-]+)'? has no installation candidate", 92),
            line(
                r"(?i)No match for argument: (?<what>\S+)|Unable to find a match: (?:\S+)|No package (?:\S+) available",
                92,
            ),
            line(r"(?i)Version '[^']+' for '(?<what>[^']+)' was not found", 92),
        ],
        remedies: &[
            say("let step {step} begin with `apt-get update`; enable the repository (universe, epel, crb) before"),
            run("look for {what} in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W049",
        name: "package-script",
        title: "a script of a package failed",
        why: "The package was unpacked, but its own script ended with an error: often a service that does not start, or a tool that \
              wants an answer.",
        signs: &[
            line(
                r"(?i)installed (?<what>\S+) package (?:post|pre)-(?:installation|removal) script subprocess returned error",
                84,
            ),
            line(r"(?i)Error in (?:POSTIN|PREIN|POSTUN|PREUN|<unknown>) scriptlet in rpm package (?<what>\S+)", 84),
            line(r"(?i)%(?:post|pre|posttrans)\((?<what>[^)]+)\) scriptlet failed", 84),
            line(r"(?i)Sub-process /usr/bin/dpkg returned an error code", 42),
        ],
        remedies: &[
            say("the lines right above are the script's own; run it by hand: dpkg --configure {what}"),
            run("in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W050",
        name: "question-asked",
        title: "a package asked a question and nobody was there",
        why: "Components have no terminal. A changed configuration file or debconf waits for an answer.",
        signs: &[
            line(r"(?i)end of file on stdin at conffile prompt|EOF on stdin at conffile prompt", 96),
            line(r"(?i)Do you want to continue\? \[Y/n\] Abort", 95),
            line(r"(?i)Is this ok \[y/[Nd]\S*: (?:Operation aborted|Exiting)|Operation aborted by the user", 93),
            line(r"(?i)debconf: unable to initialize frontend", 40),
        ],
        remedies: &[say(
            "in step {step}: export DEBIAN_FRONTEND=noninteractive, and apt-get --yes -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold; dnf --assumeyes",
        )],
    },
    Entry {
        code: "W051",
        name: "apt-failed",
        title: "apt ended with an error of its own",
        why: "Exit code 100 is apt's for any error; its lines beginning with `E:` say which.",
        signs: &[line(r"^E: ", 38).when(When::Exit(100, 100)), fact(When::Exit(100, 100), 32)],
        remedies: &[
            run("run the same in an instance of the parent", "amiforge shell {recipe}"),
            say("read the lines that begin with `E:` from the first one on"),
        ],
    },
    Entry {
        code: "W052",
        name: "snap",
        title: "snap did not come to an end",
        why: "snapd is not running yet at boot, or its store cannot be reached.",
        signs: &[line(
            r"(?i)error: cannot (?:communicate with server|install .*snap)|snapd.*(?:too early|device not yet seeded)",
            90,
        )],
        remedies: &[say("begin step {step} with: snap wait system seed.loaded")],
    },
];
