//! The codes of patch baselines.

use crate::diagnostic::catalogue::Entry;

/// What `amiforge explain` says about the codes of baseline files.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: "B001",
        title: "a value in a patch baseline has the wrong type",
        explanation: "A baseline file has the shape of the Systems Manager API: mappings, lists, text, numbers and booleans \
            stand where CreatePatchBaseline has them. `aws ssm get-patch-baseline` prints an existing baseline in this shape.",
    },
    Entry {
        code: "B002",
        title: "a patch baseline has an unknown key",
        explanation: "The service would refuse the field, and a misspelt one would silently mean its default here. Field names are \
            those of the API, in its capitalisation, for example `ApprovalRules` and `PatchFilterGroup`.",
    },
    Entry {
        code: "B003",
        title: "a field of a patch baseline is missing",
        explanation: "`Name` and `OperatingSystem` must be there, every rule needs its `PatchFilterGroup`, every filter its `Key` \
            and `Values`. The service itself takes a baseline without `OperatingSystem` for one of WINDOWS, which is hardly \
            ever meant.",
    },
    Entry {
        code: "B004",
        title: "a value in a patch baseline is not possible",
        explanation: "The field takes one of a fixed set of words, a number in a range, or a text of a certain form. Words are \
            compared exactly, with their capital letters, as the API does.",
    },
    Entry {
        code: "B005",
        title: "a patch baseline uses something its operating system does not have",
        explanation: "Patches of an operating system have certain attributes only: PRIORITY and SECTION on Debian, Ubuntu and \
            Raspbian; CLASSIFICATION and SEVERITY on RPM systems and SUSE; CLASSIFICATION on macOS; CLASSIFICATION, MSRC_SEVERITY, \
            PRODUCT_FAMILY and PATCH_SET on Windows; PRODUCT everywhere. A filter on any other attribute never passes, so its rule \
            would approve nothing.",
    },
    Entry {
        code: "B006",
        title: "a patch baseline is larger than the service allows",
        explanation: "Limits of the API: 10 rules, 4 filters per group, 1 to 20 values per filter of 1 to 64 characters each, \
            50 approved and 50 rejected patches of 1 to 100 characters each, 20 sources.",
    },
    Entry {
        code: "B007",
        title: "an approval rule needs exactly one of its two dates",
        explanation: "A rule approves either a number of days after a patch's date (`ApproveAfterDays`) or patches up to a day \
            (`ApproveUntilDate`). The service refuses a rule with both or neither. On Debian, Ubuntu and Raspbian the value has \
            no effect, but must be there.",
    },
    Entry {
        code: "B008",
        title: "a patch baseline approves nothing",
        explanation: "Without a rule and without approved patches nothing is ever missing, and every image would pass the patch \
            gate. The service accepts such a baseline; amiforge does not.",
    },
    Entry {
        code: "B009",
        title: "a filter value that no patch is known to have",
        explanation: "The service does not check filter values: a misspelt one is accepted and never matches, so that its rule \
            approves less than it seems to. The list of known values can never be complete, which is why this is a warning. \
            `*` alone means everything; there are no other wildcards in filter values.",
    },
    Entry {
        code: "B010",
        title: "an entry of a patch list may not do what it seems to",
        explanation: "The service does not check the names in `ApprovedPatches` and `RejectedPatches`: an entry that matches nothing \
            has no effect. On APT systems only bare package names are documented, and CVE numbers match nothing there. A patch in \
            both lists is rejected.",
    },
    Entry {
        code: "B011",
        title: "an install override list cannot be read",
        explanation: "An install override list is a mapping with one list, `patches`. Each of its entries has an `id`, which is \
            `name.arch` on Linux and a KB or bulletin id on Windows, and may have a `title`, which is `name.arch:version`. \
            A list that names nothing would install nothing, which is hardly ever meant.",
    },
    Entry {
        code: "B012",
        title: "an entry of an install override list may do nothing",
        explanation: "The service compares ids and titles as a whole, with wildcards, and is silent about an entry that matches \
            nothing; other keys than `id` and `title` are ignored. An id needs its architecture (`kernel.x86_64`, `kernel.*`), a \
            title that is only a version needs a wildcard before it.",
    },
    Entry {
        code: "B013",
        title: "a delay after which nothing may be left to approve",
        explanation: "The service removes superseded Windows updates from its catalogue. With a delay of more than about four \
            weeks the old cumulative update may be gone and the new one not approved yet, so that the node counts as compliant \
            without either. Shorter delays, or a date (`ApproveUntilDate`) that is moved every month, avoid that.",
    },
    Entry {
        code: "B014",
        title: "a baseline override file cannot be read",
        explanation: "The file that AWS-RunPatchBaseline takes as `BaselineOverride` is a JSON list of definitions in the shape of \
            GetPatchBaseline, at most one per operating system. A run fails when the file is not such a list, has no entry for the \
            node's system, or has several (exit codes 161 and 163 to 165). `amiforge baseline show NAME --format override` prints one.",
    },
];
