//! Permissions, keys, buckets, secrets.

use crate::build::why::model::{Entry, When, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W020",
        name: "profile-lacks-ssm",
        title: "the instance profile lacks AmazonSSMManagedInstanceCore",
        why: "Without it the SSM Agent may not register or fetch commands. EC2InstanceProfileForImageBuilder does not contain it.",
        signs: &[
            line(
                r"(?i)not authorized to perform: (?<what>ssm:UpdateInstanceInformation|ssmmessages:\w+|ec2messages:\w+)",
                94,
            ),
            line(r"(?i)AccessDenied.*(?:UpdateInstanceInformation|OpenControlChannel|CreateControlChannel)", 92),
        ],
        remedies: &[run(
            "attach it",
            "aws iam attach-role-policy --role-name ROLE --policy-arn arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        )],
    },
    Entry {
        code: "W021",
        name: "profile-lacks-imagebuilder",
        title: "the instance profile lacks EC2InstanceProfileForImageBuilder",
        why: "The instance itself fetches the component documents and the runner, and writes the log stream.",
        signs: &[
            line(r"(?i)not authorized to perform: (?<what>imagebuilder:GetComponent)", 94),
            line(r"(?i)not authorized to perform: (?<what>logs:(?:CreateLogGroup|CreateLogStream|PutLogEvents))", 92),
            line(
                r"(?i)(?:AccessDenied|403|Forbidden).*ec2imagebuilder-|ec2imagebuilder-.*(?:AccessDenied|403|Forbidden)",
                92,
            ),
        ],
        remedies: &[run(
            "attach it",
            "aws iam attach-role-policy --role-name ROLE --policy-arn arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder",
        )],
    },
    Entry {
        code: "W022",
        name: "log-bucket-denied",
        title: "the instance may not write its logs to the bucket",
        why: "`log_bucket` needs s3:PutObject for the role of the instance profile, and kms:GenerateDataKey when the bucket has a \
              key. A bucket policy can refuse it, too.",
        signs: &[
            line(r"(?i)not authorized to perform: (?<what>s3:PutObject)", 92),
            line(r"(?i)AccessDenied.*\bPutObject\b", 90),
            line(r"(?i)(?:failed|unable|could not).*(?:upload|write).*logs? .*(?:s3|bucket).*(?:denied|403)", 88),
        ],
        remedies: &[
            say("allow s3:PutObject on arn:aws:s3:::BUCKET/PREFIX/* in the role of the instance profile"),
            say("or leave `log_bucket` out of amiforge.yaml: CloudWatch has the console, too"),
        ],
    },
    Entry {
        code: "W023",
        name: "s3-denied",
        title: "S3 refused to hand out an object",
        why: "The role of the instance profile may not read it, the bucket policy or the endpoint policy refuses it, or the object's \
              key may not be used. Without s3:ListBucket a missing object is a 403 as well.",
        signs: &[
            line(r"(?i)\(AccessDenied\) when calling the (?:GetObject|ListObjectsV2|ListObjects)", 90),
            line(r"(?i)\(403\) when calling the HeadObject", 90),
            line(r"(?i)not authorized to perform: (?<what>s3:(?:GetObject|ListBucket))", 92),
            line(
                r"(?i)AccessDenied.*(?:s3://|GetObject|ListObjects)|(?:s3://|S3Download).*(?:AccessDenied|Access Denied|403)",
                88,
            ),
        ],
        remedies: &[
            say("allow s3:GetObject and s3:ListBucket of this bucket in the role of the instance profile"),
            run(
                "try it with the role",
                "aws iam simulate-principal-policy --policy-source-arn ROLE_ARN --action-names s3:GetObject --resource-arns OBJECT_ARN",
            ),
            say("look at the policies of the bucket and of the S3 endpoint"),
        ],
    },
    Entry {
        code: "W024",
        name: "s3-not-found",
        title: "the bucket or the object does not exist",
        why: "A name with a mistake in it, an object that a lifecycle rule removed, or a bucket of another Region or account.",
        signs: &[
            line(r"(?i)NoSuchBucket|The specified bucket does not exist", 94),
            line(r"(?i)NoSuchKey|The specified key does not exist|\(404\) when calling the HeadObject", 94),
        ],
        remedies: &[
            run("see what is there", "aws s3 ls s3://BUCKET/PREFIX/"),
            say("correct the address in component {component}, step {step}"),
        ],
    },
    Entry {
        code: "W025",
        name: "kms-key",
        title: "the KMS key cannot be used",
        why: "It is disabled, is being deleted, belongs to another account, or its policy does not name the role. An encrypted volume \
              whose key is not usable lets the instance die at once, without a word: Client.InternalError.",
        signs: &[
            line(r"(?i)not authorized to perform: (?<what>kms:\w+)", 94),
            line(
                r"(?i)Client\.InvalidKMSKey|InvalidKMSKey|KMSKeyNotAccessible|KMS\.\w*(?:Disabled|NotFound|InvalidState)Exception",
                94,
            ),
            line(r"(?i)KMS key .*(?:is disabled|does not exist|not accessible|pending deletion|cannot be used)", 92),
            line(r"(?i)Client\.InternalError: Client error on launch", 88),
        ],
        remedies: &[
            run("see its state", "aws kms describe-key --region {region} --key-id KEY --query KeyMetadata.KeyState"),
            say(
                "let its policy allow kms:Decrypt, kms:GenerateDataKey*, kms:ReEncrypt*, kms:DescribeKey and kms:CreateGrant to \
                 AWSServiceRoleForImageBuilder and to the role of the instance profile, in target accounts as well",
            ),
        ],
    },
    Entry {
        code: "W026",
        name: "parameter-not-found",
        title: "a parameter or a secret does not exist or may not be read",
        why: "The component asks the Parameter Store or Secrets Manager for it; the role of the instance profile needs \
              ssm:GetParameter or secretsmanager:GetSecretValue, and kms:Decrypt for an own key.",
        signs: &[
            line(r"(?i)ParameterNotFound", 92),
            line(
                r"(?i)not authorized to perform: (?<what>ssm:GetParameters?(?:ByPath)?|secretsmanager:GetSecretValue)",
                92,
            ),
            line(r"(?i)Secrets Manager can't find the specified secret", 92),
        ],
        remedies: &[
            run(
                "see whether it is there",
                "aws ssm get-parameter --region {region} --name NAME --query Parameter.Version",
            ),
            say("allow {what} of this name in the role of the instance profile"),
        ],
    },
    Entry {
        code: "W027",
        name: "no-credentials",
        title: "a program on the instance found no credentials",
        why: "Programs ask the metadata service. A hop limit of 1 keeps containers from it, IMDSv2 keeps old SDKs from it, and \
              without a HOME a profile file is not found.",
        signs: &[
            line(
                r"(?i)Unable to locate credentials|NoCredentialProviders|could not find credentials|no credentials in the property bag",
                90,
            ),
            line(r"(?i)EC2RoleRequestError|failed to retrieve credentials.*(?:metadata|imds)", 85),
        ],
        remedies: &[
            say("raise the hop limit of the infrastructure configuration to 2 when the program runs in a container"),
            run(
                "see that the instance profile has a role",
                "aws iam get-instance-profile --instance-profile-name PROFILE",
            ),
        ],
    },
    Entry {
        code: "W028",
        name: "access-denied",
        title: "AWS refused a call",
        why: "The role that made the call has no statement that allows it, or one that denies it.",
        signs: &[
            line(r"(?i)is not authorized to perform: (?<what>[a-z0-9-]+:\w+)", 60),
            line(r"(?i)AccessDeniedException|\(AccessDenied\)|\(UnauthorizedOperation\)", 55),
        ],
        remedies: &[say("allow {what} in the role that the message names; look for a denying service control policy")],
    },
    Entry {
        code: "W029",
        name: "home-not-set",
        title: "a program needs HOME, which Image Builder does not set",
        why: "Components run without a login shell and without HOME (component-documents.md section 12).",
        signs: &[
            line(r"(?i)\bHOME: (?:unbound variable|parameter not set)", 95),
            line(r"(?i)\$?HOME(?:'|`|\x22)? (?:is|environment variable is|must be|not) (?:not )?(?:set|defined)", 90)
                .when(When::Written),
        ],
        remedies: &[say("begin the commands of step {step} with: export HOME=/root")],
    },
];
