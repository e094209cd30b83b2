//! The machine itself: disk, memory, file systems, services, restarts.

use crate::build::why::model::{Entry, When, fact, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W060",
        name: "disk-full",
        title: "the disk is full",
        why: "The root volume is as large as the parent's unless the recipe says more; patches need room for the old and the new files.",
        signs: &[
            line(r"(?i)No space left on device|ENOSPC|os error 28", 93),
            line(
                r"(?i)You don't have enough free space in (?<what>\S+)|At least \d+[KMG]?B? more space needed on the (?<w>\S+) filesystem",
                94,
            ),
            line(
                r"(?i)Disk Requirements:|Disk quota exceeded|write error: .*disk full|cannot copy extracted data .*failed to write",
                90,
            ),
            line(r"(?i)There is not enough space on the disk|needs? \d+ bytes .*only \d+ .*(?:left|free)", 92),
        ],
        remedies: &[
            say("raise `root_volume: { size_gib: … }` in recipes/{recipe}.yaml"),
            say("clean up in the component: apt-get clean, dnf clean all, and downloads that have been unpacked"),
            run("see what takes the room, in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W061",
        name: "inodes",
        title: "the file system has no inodes left",
        why: "It has room, but no entry for another file. Millions of small files: caches, node_modules, mail queues.",
        signs: &[
            line(
                r"(?i)(?:out of|no(?: more| free)?|exhausted(?: all)?|run out of) inodes|inodes? (?:exhausted|used up|table full)",
                96,
            ),
            line(r"\bIUse%", 95).also(r"(?i)No space left on device"),
        ],
        remedies: &[
            run("see where they are, in an instance of the parent", "amiforge shell {recipe}"),
            say("remove the many small files in the component, or use xfs, which makes inodes as needed"),
        ],
    },
    Entry {
        code: "W062",
        name: "out-of-memory",
        title: "the machine ran out of memory",
        why: "The kernel killed the largest process. Small instance types have less than dnf or a compiler takes, and no swap.",
        signs: &[
            line(r"(?i)Out of memory|oom-?kill|oom_reaper|invoked oom-killer|Memory cgroup out of memory", 95),
            line(
                r"(?i)Cannot allocate memory|MemoryError|std::bad_alloc|JavaScript heap out of memory|java\.lang\.OutOfMemoryError",
                90,
            ),
            line(r"^(?:/\S+: line \d+: +\d+ )?Killed(?: |$)", 82).when(When::Exit(137, 137)),
            fact(When::Exit(137, 137), 66),
        ],
        remedies: &[
            say("name a larger type in `instance_types` of amiforge.yaml, or add swap in a step before"),
            say("build with fewer jobs at once (make -j1)"),
        ],
    },
    Entry {
        code: "W063",
        name: "read-only",
        title: "the file system is read-only",
        why: "It is mounted so on purpose (/usr, /boot), or the kernel found an error in it.",
        signs: &[line(r"(?i)Read-only file system", 90)],
        remedies: &[
            say("remount it in the step, or write to another place"),
            run("look at /proc/mounts in an instance of the parent", "amiforge shell {recipe}"),
        ],
    },
    Entry {
        code: "W064",
        name: "selinux",
        title: "SELinux denied it",
        why: "The process runs in a domain that may not do this: often files that were copied with a label of /tmp, or a program in an \
              unusual place.",
        signs: &[
            line(r"(?i)avc: +denied|SELinux is preventing (?<what>\S+)", 94),
            line(r"(?i)(?:restorecon|semanage|setsebool|libsemanage).*(?:failed|error|cannot|Could not)", 82),
            line(r"(?i)SELinux.*(?:denied|policy prevents|blocked)", 82),
        ],
        remedies: &[
            say("restore the labels after copying: restorecon -RFv PATH"),
            say("find the rule that is missing: ausearch -m avc -ts recent | audit2why"),
        ],
    },
    Entry {
        code: "W065",
        name: "unit-failed",
        title: "a service did not start",
        why: "systemd started it and it ended, or its unit has a mistake.",
        signs: &[
            line(r"(?i)Job for (?<what>[\w@.:-]+) failed", 92),
            line(
                r"(?i)Failed to start (?<what>[\w@.:-]+\.service)|(?<w>[\w@.:-]+\.service): Failed with result|entered failed state",
                90,
            ),
            line(r"(?i)Unit (?<what>[\w@.:-]+) (?:could not be found|not found|is masked|not loaded)", 90),
            line(
                r"(?i)Active: failed|System has not been booted with systemd as init system|Failed to connect to bus",
                84,
            ),
        ],
        remedies: &[
            say(
                "let the step print why before it ends: systemctl status {what} --no-pager; journalctl -u {what} -n 50 --no-pager",
            ),
            say("in a build only `systemctl enable` is needed; start and check it in the test phase"),
        ],
    },
    Entry {
        code: "W066",
        name: "noexec",
        title: "/tmp is mounted without the right to execute",
        why: "Hardened images (CIS) mount /tmp with noexec, and ExecuteBash keeps its script there.",
        signs: &[
            line(r"(?i)(?:/tmp|/var/tmp)/AWSTOE\S*: +(?:/bin/\w+: bad interpreter: )?Permission denied", 88)
                .when(When::Exit(126, 126)),
            line(r"(?i)fork/exec /(?:var/)?tmp/\S+: permission denied", 93),
            line(r"(?i)mounted (?:with )?noexec|noexec.*(?:/tmp|/var/tmp)", 90),
        ],
        remedies: &[
            say("set `working_directory` of the recipe to a folder that may execute, for example /var/lib/amiforge"),
            say("or remount it for the build: mount -o remount,exec /tmp"),
        ],
    },
    Entry {
        code: "W067",
        name: "reboot-loop",
        title: "a step asks for a restart again and again",
        why: "After a restart the same step runs again from its beginning. One that always exits with 194 never ends; the agent gives \
              up after 15 times.",
        signs: &[
            line(r"(?i)asked for a reboot more than \d+ times|asked for more than \d+ restarts", 97),
            line(r"(?i)maximum (?:number of )?(?:reboots?|reboot attempts)|reboot(?:ed)? (?:limit|too many times)", 95),
            fact(When::Restarts(12), 90),
        ],
        remedies: &[
            say(
                "let the step tell that it ran before: test -e /var/lib/{step}.done && exit 0; touch /var/lib/{step}.done; exit 194",
            ),
            say("or use the action Reboot, which goes on with the next step"),
            run("try it here in seconds", "amiforge test {recipe}"),
        ],
    },
    Entry {
        code: "W068",
        name: "restarted-unasked",
        title: "the machine restarted in the middle of a step",
        why: "A command such as `reboot` or `shutdown -r` ends the agent under the runner, and nothing says where to go on.",
        signs: &[
            line(r"(?i)instance restarted while the components ran", 97),
            line(r"(?i)switched off from inside|machine broke down while", 92),
            line(r"(?i)did not come back from its restart", 95),
            line(r"(?i)lost connection to the (?:instance|agent) .*reboot|system is going down for reboot", 82),
        ],
        remedies: &[
            say("end the step with exit 194 instead of `reboot`, or use the action Reboot"),
            run("amiforge lint finds such commands (M005)", "amiforge lint"),
        ],
    },
    Entry {
        code: "W069",
        name: "crashed",
        title: "a program crashed",
        why: "A signal ended it: an error in the program, a library that does not fit, an instruction that this processor does not have.",
        signs: &[
            line(r"(?i)Segmentation fault|core dumped|Illegal instruction|Bus error|double free or corruption", 86),
            fact(When::Exit(139, 139), 72),
            fact(When::Exit(134, 134), 70),
            fact(When::Exit(132, 132), 70),
            fact(When::Exit(135, 136), 68),
        ],
        remedies: &[
            say("132 (illegal instruction): the package is built for another processor; name a newer instance type"),
            say("139 and 134: run it again with its own debug output; a broken update of libc shows like this"),
        ],
    },
];
