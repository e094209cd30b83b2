//! The exit codes of Patch Manager's payload on Linux (patch-baselines.md 7.5).

use crate::build::why::model::{Advice, Entry, Sign, When, line, run, say};

/// That a command is Patch Manager's: the same numbers of another program mean something else.
const PATCH: &str = r"AWS-RunPatchBaseline|patch-baseline-(?:operations|concurrent|snapshot)|PatchLinux|patch_common|Patch Summary for|InstallOverrideList|BaselineOverride|BaselineTags";

/// `failed to run commands: exit status N` of a command of Patch Manager.
const fn status(expression: &'static str) -> Sign {
    line(expression, 95).also(PATCH)
}

/// The same code where awstoe or a script passed it on.
const fn passed_on(first: i32, last: i32) -> Sign {
    line(PATCH, 92).when(When::Exit(first, last))
}

const LOGS: Advice = run(
    "the payload's own log, in an instance of the parent",
    "aws ssm get-command-invocation --region {region} --command-id COMMAND --instance-id INSTANCE",
);
const POLICY: Advice = run(
    "the role of the instance profile needs AmazonSSMManagedInstanceCore",
    "aws iam attach-role-policy --role-name ROLE --policy-arn arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W090",
        name: "patch-dependencies",
        title: "Patch Manager: something it needs is missing on the instance",
        why: "Exit code 2 is its check of dependencies: a Python it supports (2.6 to 3.12; 3 for APT systems), apt or dnf with their Python modules.",
        signs: &[status(r"failed to run commands: exit status (?:2)$"), passed_on(2, 2)],
        remedies: &[say("install python3 and, on APT systems, python3-apt before the image is patched"), LOGS],
    },
    Entry {
        code: "W091",
        name: "patch-reboots",
        title: "Patch Manager: it restarted the instance four times and was not done",
        why: "Exit code 3. A patch that asks for a restart every time it is looked at, often a kernel that is not the one that boots.",
        signs: &[status(r"failed to run commands: exit status (?:3)$"), passed_on(3, 3)],
        remedies: &[
            say(
                "see which kernel boots (uname -r) and which is installed; remove the reason and patch with NoReboot in between",
            ),
            LOGS,
        ],
    },
    Entry {
        code: "W092",
        name: "patch-concurrent",
        title: "Patch Manager: another patch run holds the lock",
        why: "Exit code 4: /var/log/amazon/ssm/patch-baseline-concurrent.lock. Quick Setup and associations with target * patch new instances, too.",
        signs: &[status(r"failed to run commands: exit status (?:4)$"), passed_on(4, 4)],
        remedies: &[
            say("exempt build instances from associations and patch policies by tag"),
            say("wait for the other run, then start again"),
        ],
    },
    Entry {
        code: "W093",
        name: "patch-noexec",
        title: "Patch Manager: its folder is mounted without the right to execute",
        why: "Exit code 126: /var/log/amazon or /var/lib/amazon is mounted noexec.",
        signs: &[status(r"failed to run commands: exit status (?:126)$"), passed_on(126, 126)],
        remedies: &[say("mount -o remount,exec /var/lib/amazon for the build")],
    },
    Entry {
        code: "W094",
        name: "patch-association",
        title: "Patch Manager: its association cannot be looked up",
        why: "Exit codes 131 and 132.",
        signs: &[status(r"failed to run commands: exit status (?:131|132)$"), passed_on(131, 132)],
        remedies: &[POLICY, LOGS],
    },
    Entry {
        code: "W095",
        name: "patch-baseline-read",
        title: "Patch Manager: the baseline cannot be read",
        why: "Exit codes 133 to 135: GetPatchBaseline was denied, throttled or failed.",
        signs: &[status(r"failed to run commands: exit status (?:133|134|135)$"), passed_on(133, 135)],
        remedies: &[POLICY, run("see that the baseline exists", "amiforge baseline list")],
    },
    Entry {
        code: "W096",
        name: "patch-baselines-listed",
        title: "Patch Manager: the baselines cannot be listed",
        why: "Exit codes 136 to 138: DescribePatchBaselines or the effective patches were denied, throttled or failed.",
        signs: &[status(r"failed to run commands: exit status (?:136|137|138)$"), passed_on(136, 138)],
        remedies: &[POLICY, LOGS],
    },
    Entry {
        code: "W097",
        name: "patch-tags",
        title: "Patch Manager: the tags of the instance cannot be looked up",
        why: "Exit codes 139 to 141: needed to find the patch group.",
        signs: &[status(r"failed to run commands: exit status (?:139|140|141)$"), passed_on(139, 141)],
        remedies: &[
            POLICY,
            say("allow tags in instance metadata, or ec2:DescribeTags in the role of the instance profile"),
        ],
    },
    Entry {
        code: "W098",
        name: "patch-several-baselines",
        title: "Patch Manager: several baselines match",
        why: "Exit code 142: more than one baseline is registered for the patch groups of the instance.",
        signs: &[status(r"failed to run commands: exit status (?:142)$"), passed_on(142, 142)],
        remedies: &[
            run("see who is registered", "aws ssm describe-patch-groups --region {region}"),
            say("leave the instance one patch group, and the group one baseline for each operating system"),
        ],
    },
    Entry {
        code: "W099",
        name: "patch-snapshot-denied",
        title: "Patch Manager: the snapshot of the baseline was refused",
        why: "Exit codes 143 to 145: GetDeployablePatchSnapshotForInstance was denied, throttled or failed.",
        signs: &[status(r"failed to run commands: exit status (?:143|144|145)$"), passed_on(143, 145)],
        remedies: &[POLICY, say("let the policy of the S3 endpoint allow patch-baseline-snapshot-{region}*")],
    },
    Entry {
        code: "W100",
        name: "patch-unsupported-os",
        title: "Patch Manager: it does not support this operating system",
        why: "Exit code 146. The name and version in /etc/os-release are not on its list.",
        signs: &[status(r"failed to run commands: exit status (?:146)$"), passed_on(146, 146)],
        remedies: &[say("see the list of Patch Manager; patch such systems by a component (patch-linux) instead")],
    },
    Entry {
        code: "W101",
        name: "patch-snapshot-unusable",
        title: "Patch Manager: the snapshot of the baseline cannot be saved or is invalid",
        why: "Exit codes 147 (could not be saved: disk full, read-only) and 150 (invalid: cut off, another operating system).",
        signs: &[status(r"failed to run commands: exit status (?:147|150)$"), passed_on(147, 147), passed_on(150, 150)],
        remedies: &[say("see that /var/log/amazon and /var/lib/amazon have room"), LOGS],
    },
    Entry {
        code: "W102",
        name: "patch-no-metadata",
        title: "Patch Manager: the instance has no metadata",
        why: "Exit code 148: the metadata service does not answer. It is switched off, or its hop limit is too low.",
        signs: &[status(r"failed to run commands: exit status (?:148)$"), passed_on(148, 148)],
        remedies: &[run(
            "see its settings",
            "aws ec2 describe-instances --region {region} --instance-ids INSTANCE --query 'Reservations[].Instances[].MetadataOptions'",
        )],
    },
    Entry {
        code: "W103",
        name: "patch-inventory",
        title: "Patch Manager: the result could not be reported",
        why: "Exit code 149: PutInventory failed.",
        signs: &[status(r"failed to run commands: exit status (?:149)$"), passed_on(149, 149)],
        remedies: &[POLICY, say("see that the endpoint ssm is reachable")],
    },
    Entry {
        code: "W104",
        name: "patch-checksum",
        title: "Patch Manager: the payload has the wrong checksum, or the uptime cannot be read",
        why: "Exit code 151.",
        signs: &[status(r"failed to run commands: exit status (?:151)$"), passed_on(151, 151)],
        remedies: &[
            say("a proxy in between changes or caches the payload: exempt the buckets of Systems Manager"),
            LOGS,
        ],
    },
    Entry {
        code: "W105",
        name: "patch-payload-load",
        title: "Patch Manager: the payload cannot be loaded",
        why: "Exit code 152: a Python module is missing or was half unpacked.",
        signs: &[status(r"failed to run commands: exit status (?:152)$"), passed_on(152, 152)],
        remedies: &[say(
            "install a Python from 3.6 to 3.12; remove /var/log/amazon/ssm/patch-baseline-operations* and start again",
        )],
    },
    Entry {
        code: "W106",
        name: "patch-baseline-tags",
        title: "Patch Manager: BaselineTags cannot be read",
        why: "Exit code 153: the parameter must be Key=NAME,Values=A,B.",
        signs: &[status(r"failed to run commands: exit status (?:153)$"), passed_on(153, 153)],
        remedies: &[say("correct BaselineTags of the command")],
    },
    Entry {
        code: "W107",
        name: "patch-unpack",
        title: "Patch Manager: the payload cannot be unpacked",
        why: "Exit codes 154 and 155: often /var is full, or two runs race.",
        signs: &[status(r"failed to run commands: exit status (?:154|155)$"), passed_on(154, 155)],
        remedies: &[say("make room in /var, and see that only one run is started"), LOGS],
    },
    Entry {
        code: "W108",
        name: "patch-download",
        title: "Patch Manager: the payload cannot be downloaded",
        why: "Exit code 156: no way to the buckets aws-ssm-REGION and aws-patch-manager-REGION-….",
        signs: &[status(r"failed to run commands: exit status (?:156)$"), passed_on(156, 156)],
        remedies: &[
            run(
                "see whether the VPC has an endpoint for S3",
                "aws ec2 describe-vpc-endpoints --region {region} --query 'VpcEndpoints[].[ServiceName,State]'",
            ),
            say("let its policy allow s3:GetObject on these buckets"),
        ],
    },
    Entry {
        code: "W109",
        name: "patch-override",
        title: "Patch Manager: BaselineOverride or InstallOverrideList cannot be used",
        why: "Exit codes 160 to 163 and 165 to 167: the file is denied, cannot be downloaded, is no JSON array, has no entry or several for this operating system, or both parameters were given.",
        signs: &[
            status(r"failed to run commands: exit status (?:160|161|162|163|165|166|167)$"),
            passed_on(160, 163),
            passed_on(165, 167),
        ],
        remedies: &[
            say(
                "see that the role of the instance profile may read the file, and that it has exactly one entry for this operating system",
            ),
            run("look at the baseline as an override", "amiforge baseline show NAME --format yaml"),
        ],
    },
];
