//! Image Builder itself: limits, time, distribution, and people.

use crate::build::why::model::{Entry, When, fact, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W080",
        name: "build-timeout",
        title: "the build took longer than its workflow may",
        why: "A workflow step has a limit for all components together: 12 hours for ApplyBuildComponents, `timeoutMinutes` for tests.",
        signs: &[
            line(r"(?i)components did not end within \d+ seconds", 94),
            line(r"(?i)(?:workflow|image build|build) (?:step )?(?:has )?timed out|Step timed out|exceeded the (?:maximum|workflow) (?:time|timeout)", 70).when(When::Told),
            line(r"(?i)ExecutionTimedOut|DeliveryTimedOut|terminal state TimedOut", 82).when(When::Told),
        ],
        remedies: &[
            say("find the slow step: its expected time is in the events of an earlier build"),
            run("see the workflow's steps with their times", "aws imagebuilder list-workflow-executions --region {region} --image-build-version-arn {arn}"),
        ],
    },
    Entry {
        code: "W081",
        name: "cancelled",
        title: "somebody cancelled the build",
        why: "CancelImageCreation was called: by a person, by Ctrl-C, by another job, or a waiting step was answered with STOP.",
        signs: &[
            fact(When::Status("CANCELLED"), 90),
            line(r"(?i)image creation was cancelled|(?:build|execution) was cancelled|cancelled by (?:the )?user", 90).when(When::Told),
            line(r"(?i)WaitForAction.*(?:STOP|stopped)|SendWorkflowStepAction.*STOP", 88),
        ],
        remedies: &[
            run("see who it was", "aws cloudtrail lookup-events --region {region} --lookup-attributes AttributeKey=EventName,AttributeValue=CancelImageCreation"),
            run("build again", "amiforge build {recipe} --fresh"),
        ],
    },
    Entry {
        code: "W082",
        name: "local-process-ended",
        title: "the process of the local environment ended while it built",
        why: "Local builds live in the amiforge process that runs them. It was killed, or the machine went down.",
        signs: &[line(r"(?i)local environment's process \(pid \d+\) ended while|ended by a defect of the local environment", 97)],
        remedies: &[run("build again", "amiforge build {recipe}")],
    },
    Entry {
        code: "W083",
        name: "quota-ami",
        title: "the quota of AMIs is used up",
        why: "Old images are kept until something removes them.",
        signs: &[
            line(r"(?i)(?:ResourceLimitExceeded|quota|limit).*\b(?:AMIs|private images|public images)\b", 93),
            line(r"(?i)AMIQuotaExceeded|ImageLimitExceeded|maximum number of (?:AMIs|images)", 94),
        ],
        remedies: &[
            run("see how many there are", "aws ec2 describe-images --region {region} --owners self --query 'length(Images)'"),
            say("deregister what no channel needs, or ask for a higher quota"),
        ],
    },
    Entry {
        code: "W084",
        name: "quota-snapshots",
        title: "the quota of EBS snapshots is used up, or too many are being made",
        why: "Every AMI has one for each volume, and a deregistered AMI leaves its snapshots.",
        signs: &[line(r"(?i)SnapshotLimitExceeded|ConcurrentSnapshotLimitExceeded|PendingSnapshotLimitExceeded|SnapshotCreationPerVolumeRateExceeded|snapshots? (?:limit|quota) (?:has been )?(?:exceeded|reached)", 95)],
        remedies: &[
            run("count them", "aws ec2 describe-snapshots --region {region} --owner-ids self --query 'length(Snapshots)'"),
            say("delete snapshots of deregistered AMIs, or ask for a higher quota of EBS"),
        ],
    },
    Entry {
        code: "W085",
        name: "quota-imagebuilder",
        title: "a quota of Image Builder is used up",
        why: "For example 100 concurrent builds, 20 components in a recipe, 1,000 recipes.",
        signs: &[line(r"(?i)ServiceQuotaExceeded(?:Exception)?", 84)],
        remedies: &[
            run("see the quotas", "aws service-quotas list-service-quotas --region {region} --service-code imagebuilder --query 'Quotas[].[QuotaName,Value]' --output table"),
            say("wait for running builds, delete old versions, or ask for more"),
        ],
    },
    Entry {
        code: "W086",
        name: "throttled",
        title: "AWS answered that there were too many calls",
        why: "All users of the account share its rates. Image Builder's own calls count.",
        signs: &[line(r"(?i)ThrottlingException|RequestLimitExceeded|CallRateLimitExceeded|TooManyRequestsException|Rate exceeded", 82)],
        remedies: &[
            run("try again later, with fewer builds at once", "amiforge build {recipe} --fresh"),
            say("find what calls so often: CloudTrail, or the metric CallCount of Service Quotas"),
        ],
    },
    Entry {
        code: "W087",
        name: "distribution",
        title: "the copy to another Region or account failed",
        why: "Target accounts need EC2ImageBuilderDistributionCrossAccountRole and the right to use the key; a Region may not be enabled.",
        signs: &[
            line(r"(?i)Ec2ImageBuilderCrossAccount|EC2ImageBuilderDistributionCrossAccountRole", 90),
            line(r"(?i)(?:distribut|cop(?:y|ies|ying)).*(?:fail|error|could not|unable)", 62).when(When::Told),
            line(r"(?i)OptInRequired|not subscribed to this service|Region .* is not enabled", 90),
            line(r".", 50).when(When::Distributing),
        ],
        remedies: &[
            run("copy again without building", "aws imagebuilder retry-image --region {region} --image-build-version-arn {arn}"),
            say("see that the role exists in the target account and that the key's policy names it"),
        ],
    },
    Entry {
        code: "W088",
        name: "runner-missing",
        title: "the component runner could not be fetched or started",
        why: "The instance downloads awstoe from the bucket ec2imagebuilder-toe-REGION-prod. The route, the endpoint policy or the disk \
              stops it.",
        signs: &[
            line(r"(?i)(?:failed|unable|could not).*(?:download|fetch|start|install).*(?:awstoe|\bTOE\b|component runner)", 90),
            line(r"(?i)component runner (?:could not be started|ended without a result)", 90),
            line(r"(?i)(?:awstoe|bootstrap).*(?:failed|not found).*(?:exit|code)", 76).when(When::Told),
        ],
        remedies: &[
            say("let the policy of the S3 endpoint allow arn:aws:s3:::ec2imagebuilder-toe-{region}-prod/*"),
            say("the image needs curl or wget, and /var/lib/amazon must be executable"),
        ],
    },
    Entry {
        code: "W089",
        name: "sanitise",
        title: "the build instance could not be cleaned",
        why: "The script that removes keys, logs and identities failed: a file that cannot be removed, a missing tool.",
        signs: &[
            line(r"(?i)build instance could not be cleaned", 92),
            fact(When::WorkflowStep("Sanitize"), 60),
        ],
        remedies: &[say("see what the step wrote; immutable files (chattr +i) and mounts in /var/log are the usual reasons")],
    },
];
