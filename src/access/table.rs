//! Which operations each verb calls, where, and on what.
//!
//! One row per operation and kind of resource, in groups that follow the code. `tests/access.rs` holds the rows against
//! the source text, and against the calls that verbs make in the local environment.

use super::need::{At, Need, On, home, implied, target};
use super::verb::Verb;

/// `aws/parent`.
const PARENT: &[Need] = &[
    home("ssm.GetParameter", "ssm:GetParameter", On::ParentParameters),
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::ParentImages),
    home("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
    // A parent that is another recipe's release on a channel.
    home("ssm.GetParameter", "ssm:GetParameter", On::Pointers),
    // A parent that is another recipe's image must not be revoked.
    home("ssm.GetParameter", "ssm:GetParameter", On::Books),
];

/// `plan/observe`.
const OBSERVE: &[Need] = &[
    home("imagebuilder.ListComponents", "imagebuilder:ListComponents", On::Anything),
    home("imagebuilder.ListComponentBuildVersions", "imagebuilder:ListComponentBuildVersions", On::Anything),
    home("imagebuilder.GetComponent", "imagebuilder:GetComponent", On::Project),
    home("imagebuilder.ListImageRecipes", "imagebuilder:ListImageRecipes", On::Anything),
    home("imagebuilder.GetImageRecipe", "imagebuilder:GetImageRecipe", On::Project),
    home(
        "imagebuilder.ListInfrastructureConfigurations",
        "imagebuilder:ListInfrastructureConfigurations",
        On::Anything,
    ),
    home("imagebuilder.GetInfrastructureConfiguration", "imagebuilder:GetInfrastructureConfiguration", On::Project),
    home("imagebuilder.ListDistributionConfigurations", "imagebuilder:ListDistributionConfigurations", On::Anything),
    home("imagebuilder.GetDistributionConfiguration", "imagebuilder:GetDistributionConfiguration", On::Project),
    home("imagebuilder.ListImagePipelines", "imagebuilder:ListImagePipelines", On::Anything),
    home("imagebuilder.ListWorkflows", "imagebuilder:ListWorkflows", On::Anything),
    home("imagebuilder.ListWorkflowBuildVersions", "imagebuilder:ListWorkflowBuildVersions", On::Anything),
    home("imagebuilder.ListImages", "imagebuilder:ListImages", On::Anything),
    home("imagebuilder.ListImageBuildVersions", "imagebuilder:ListImageBuildVersions", On::Anything),
];

/// `plan/publish`. Creating with tags asks for `TagResource`, and the configuration hands the role to EC2
/// (image-builder.md 18: the caller needs `iam:PassRole`). A recipe reads its components and its parent (general
/// knowledge of AWS).
const PUBLISH: &[Need] = &[
    home("imagebuilder.CreateComponent", "imagebuilder:CreateComponent", On::Project),
    home("imagebuilder.CreateImageRecipe", "imagebuilder:CreateImageRecipe", On::Project),
    home(
        "imagebuilder.CreateInfrastructureConfiguration",
        "imagebuilder:CreateInfrastructureConfiguration",
        On::Project,
    ),
    home(
        "imagebuilder.UpdateInfrastructureConfiguration",
        "imagebuilder:UpdateInfrastructureConfiguration",
        On::Project,
    ),
    home("imagebuilder.CreateDistributionConfiguration", "imagebuilder:CreateDistributionConfiguration", On::Project),
    home("imagebuilder.UpdateDistributionConfiguration", "imagebuilder:UpdateDistributionConfiguration", On::Project),
    home("imagebuilder.DeleteDistributionConfiguration", "imagebuilder:DeleteDistributionConfiguration", On::Project),
    home("imagebuilder.CreateWorkflow", "imagebuilder:CreateWorkflow", On::Project),
    home("imagebuilder.CreateImagePipeline", "imagebuilder:CreateImagePipeline", On::Project),
    home("imagebuilder.UpdateImagePipeline", "imagebuilder:UpdateImagePipeline", On::Project),
    home("imagebuilder.DeleteImagePipeline", "imagebuilder:DeleteImagePipeline", On::Project),
    home("imagebuilder.TagResource", "imagebuilder:TagResource", On::Project),
    home("s3.PutObject", "s3:PutObject", On::LongDocuments),
    // Image Builder reads them for the caller (general knowledge of AWS).
    implied("s3:GetObject", On::LongDocuments, At::Home),
    implied("iam:PassRole", On::InstanceRole, At::Home),
    implied("iam:PassRole", On::WorkflowRole, At::Home),
];

/// `plan/baseline`: the patch baseline at home.
const JUDGED_BY: &[Need] = &[
    home("ssm.DescribePatchBaselines", "ssm:DescribePatchBaselines", On::Anything),
    home("ssm.GetDefaultPatchBaseline", "ssm:GetDefaultPatchBaseline", On::Anything),
    home("ssm.GetPatchBaseline", "ssm:GetPatchBaseline", On::Baselines),
    home("ssm.ListTagsForResource", "ssm:ListTagsForResource", On::Baselines),
];

/// The same, created and updated.
const JUDGE: &[Need] = &[
    home("ssm.CreatePatchBaseline", "ssm:CreatePatchBaseline", On::NewBaseline),
    home("ssm.UpdatePatchBaseline", "ssm:UpdatePatchBaseline", On::Baselines),
    home("ssm.AddTagsToResource", "ssm:AddTagsToResource", On::Baselines),
];

/// `build/keep`: every verb tells of instances that failed builds have left.
const KEPT: &[Need] = &[
    home("ec2.DescribeInstances", "ec2:DescribeInstances", On::Anything),
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
];

/// The same, marked by whoever sees the build fail.
const MARK: &[Need] = &[home("ec2.CreateTags", "ec2:CreateTags", On::Instances)];

/// The same, ended.
const REAP: &[Need] = &[home("ec2.TerminateInstances", "ec2:TerminateInstances", On::Instances)];

/// A second Ctrl-C.
const CANCEL: &[Need] = &[home("imagebuilder.CancelImageCreation", "imagebuilder:CancelImageCreation", On::Images)];

/// `build/start`, `approve`: builds that wait for somebody.
const WAITING: &[Need] =
    &[home("imagebuilder.ListWaitingWorkflowSteps", "imagebuilder:ListWaitingWorkflowSteps", On::Anything)];

/// `approve`.
const APPROVE: &[Need] =
    &[home("imagebuilder.SendWorkflowStepAction", "imagebuilder:SendWorkflowStepAction", On::Images)];

/// `build/follow`: what became of an image, and of its tests.
const FOLLOW: &[Need] = &[
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
    home("imagebuilder.ListWorkflowExecutions", "imagebuilder:ListWorkflowExecutions", On::Anything),
    home("imagebuilder.ListWorkflowStepExecutions", "imagebuilder:ListWorkflowStepExecutions", On::Anything),
];

/// `build/start`. `CreateImage` reads what it builds from, tags the image, and makes the service-linked
/// role once (image-builder.md 18).
const BUILD: &[Need] = &[
    home("imagebuilder.CreateImage", "imagebuilder:CreateImage", On::Images),
    home("imagebuilder.CancelImageCreation", "imagebuilder:CancelImageCreation", On::Images),
    implied("imagebuilder:GetInfrastructureConfiguration", On::Project, At::Home),
    home("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    home("imagebuilder.TagResource", "imagebuilder:TagResource", On::Images),
    implied("iam:CreateServiceLinkedRole", On::ServiceRole, At::Home),
];

/// `build/locate`, `build/collect`: what is known of a build, wherever it is. The log group is read by the command that is
/// printed (`aws logs get-log-events`), for which amiforge has no client.
const COLLECT: &[Need] = &[
    home("imagebuilder.ListImages", "imagebuilder:ListImages", On::Anything),
    home("imagebuilder.ListImageBuildVersions", "imagebuilder:ListImageBuildVersions", On::Anything),
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
    home("imagebuilder.GetComponent", "imagebuilder:GetComponent", On::AnyComponent),
    home("imagebuilder.ListWorkflowExecutions", "imagebuilder:ListWorkflowExecutions", On::Anything),
    home("imagebuilder.ListWorkflowStepExecutions", "imagebuilder:ListWorkflowStepExecutions", On::Anything),
    home("imagebuilder.GetWorkflowStepExecution", "imagebuilder:GetWorkflowStepExecution", On::Anything),
    home("ssm.GetCommandInvocation", "ssm:GetCommandInvocation", On::Anything),
    home("s3.ListObjectsV2", "s3:ListBucket", On::LogBucket),
    home("s3.GetObject", "s3:GetObject", On::LogObjects),
    implied("logs:GetLogEvents", On::LogGroups, At::Home),
];

/// `evidence/collect`: a fresh instance, what it is asked, and the digest on the AMI.
const EVIDENCE: &[Need] = &[
    home("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
    home("ec2.DescribeImageAttribute", "ec2:DescribeImageAttribute", On::Anything),
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
    home("imagebuilder.ListImageScanFindings", "imagebuilder:ListImageScanFindings", On::Anything),
    // What became of each step of the tests.
    home("s3.ListObjectsV2", "s3:ListBucket", On::LogBucket),
    home("s3.GetObject", "s3:GetObject", On::LogObjects),
    home("ec2.GetImageFindings", "ec2:GetImageFindings", On::Anything),
    home("inspector2.StartOnDemandScan", "inspector2:StartOnDemandScan", On::Scans),
    home("inspector2.GetOnDemandScanStatus", "inspector2:GetOnDemandScanStatus", On::Scans),
    home("inspector2.ListOnDemandScans", "inspector2:ListOnDemandScans", On::Scans),
    home("ec2.CreateTags", "ec2:CreateTags", On::Amis),
    home("ec2.RunInstances", "ec2:RunInstances", On::Launch),
    home("ec2.RunInstances", "ec2:RunInstances", On::NewInstance),
    home("ec2.DescribeInstances", "ec2:DescribeInstances", On::Anything),
    home("ec2.TerminateInstances", "ec2:TerminateInstances", On::Instances),
    home("ssm.DescribeInstanceInformation", "ssm:DescribeInstanceInformation", On::Anything),
    home("ssm.SendCommand", "ssm:SendCommand", On::Documents),
    home("ssm.SendCommand", "ssm:SendCommand", On::Commanded),
    home("ssm.GetCommandInvocation", "ssm:GetCommandInvocation", On::Anything),
    home("ssm.DescribeInstancePatchStates", "ssm:DescribeInstancePatchStates", On::Anything),
    home("ssm.DescribeInstancePatches", "ssm:DescribeInstancePatches", On::Anything),
    home("ssm.DescribePatchBaselines", "ssm:DescribePatchBaselines", On::Anything),
    home("ssm.GetPatchBaseline", "ssm:GetPatchBaseline", On::Baselines),
    implied("ec2:CreateTags", On::NewTags, At::Home),
    implied("iam:PassRole", On::InstanceRole, At::Home),
];

/// `evidence/store`: what is found of evidence. Who may not list a bucket is refused what is not there (general knowledge of AWS),
/// and S3 encrypts and decrypts for the caller.
const FIND: &[Need] = &[
    home("s3.GetObject", "s3:GetObject", On::EvidenceObjects),
    implied("s3:ListBucket", On::EvidenceBucket, At::Home),
    implied("kms:Decrypt", On::EvidenceKey, At::Home),
];

/// The same, written.
const STORE: &[Need] = &[
    home("s3.PutObject", "s3:PutObject", On::EvidenceObjects),
    implied("kms:GenerateDataKey", On::EvidenceKey, At::Home),
];

/// `evidence/sign`: a key in KMS signs.
const SIGN: &[Need] =
    &[home("kms.GetPublicKey", "kms:GetPublicKey", On::SigningKey), home("kms.Sign", "kms:Sign", On::SigningKey)];

/// `run/verify`: keys in KMS are trusted.
const TRUST: &[Need] = &[home("kms.GetPublicKey", "kms:GetPublicKey", On::TrustedKeys)];

/// `promote/store`, read only, and `promote/state`.
const BOOKS: &[Need] = &[
    home("ssm.GetParameter", "ssm:GetParameter", On::Books),
    home("ssm.GetParameters", "ssm:GetParameters", On::Books),
    home("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
];

/// `resolve`: the pointer that users of a channel read.
const RESOLVE: &[Need] = &[
    home("ssm.GetParameter", "ssm:GetParameter", On::Pointers),
    home("ec2.DescribeLaunchTemplates", "ec2:DescribeLaunchTemplates", On::Anything),
    home("ec2.DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", On::Anything),
];

/// `approve` of an image for a channel.
const CONSENT: &[Need] = &[
    home("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    home("ssm.PutParameter", "ssm:PutParameter", On::Books),
];

/// `drift`.
const DRIFT: &[Need] = &[
    target("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
    target("ec2.DescribeLaunchTemplates", "ec2:DescribeLaunchTemplates", On::Anything),
    target("ec2.DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", On::Anything),
    target("ssm.GetParameter", "ssm:GetParameter", On::Pointers),
    implied("sts:AssumeRole", On::Assumed, At::Home),
];

/// `history`.
const HISTORY: &[Need] = &[home("ssm.GetParameterHistory", "ssm:GetParameterHistory", On::Books)];

/// `promote`: the books at home, the pointers in every target.
const PROMOTE: &[Need] = &[
    home("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    home("ssm.PutParameter", "ssm:PutParameter", On::Books),
    home("ssm.DeleteParameter", "ssm:DeleteParameter", On::Books),
    home("ssm.GetParameterHistory", "ssm:GetParameterHistory", On::Books),
    home("ec2.CreateTags", "ec2:CreateTags", On::Releases),
    home("ec2.DeleteTags", "ec2:DeleteTags", On::Releases),
    home("ec2.CopyImage", "ec2:CopyImage", On::Copies),
    home("ec2.ModifyImageAttribute", "ec2:ModifyImageAttribute", On::Releases),
    home("ec2.ModifySnapshotAttribute", "ec2:ModifySnapshotAttribute", On::Copies),
    home("ec2.DescribeSnapshots", "ec2:DescribeSnapshots", On::Anything),
    home("ec2.GetEbsDefaultKmsKeyId", "ec2:GetEbsDefaultKmsKeyId", On::Anything),
    home("kms.DescribeKey", "kms:DescribeKey", On::ImageKeys),
    home("kms.ListGrants", "kms:ListGrants", On::ImageKeys),
    home("kms.CreateGrant", "kms:CreateGrant", On::GrantedKeys),
    target("ec2.DescribeSnapshots", "ec2:DescribeSnapshots", On::Anything),
    target("kms.DescribeKey", "kms:DescribeKey", On::ImageKeys),
    // What CopyImage does with keys for its caller (general knowledge of AWS).
    implied("kms:Decrypt", On::ImageKeys, At::Home),
    implied("kms:Encrypt", On::ImageKeys, At::Home),
    implied("kms:GenerateDataKey", On::ImageKeys, At::Home),
    implied("kms:GenerateDataKeyWithoutPlaintext", On::ImageKeys, At::Home),
    implied("kms:ReEncryptFrom", On::ImageKeys, At::Home),
    implied("kms:ReEncryptTo", On::ImageKeys, At::Home),
    implied("kms:Decrypt", On::ImageKeys, At::Targets),
    implied("kms:Encrypt", On::ImageKeys, At::Targets),
    implied("kms:GenerateDataKey", On::ImageKeys, At::Targets),
    implied("kms:GenerateDataKeyWithoutPlaintext", On::ImageKeys, At::Targets),
    implied("kms:ReEncryptFrom", On::ImageKeys, At::Targets),
    implied("kms:ReEncryptTo", On::ImageKeys, At::Targets),
    implied("kms:CreateGrant", On::GrantedKeys, At::Targets),
    target("ec2.CreateTags", "ec2:CreateTags", On::Amis),
    target("ec2.DeleteTags", "ec2:DeleteTags", On::Amis),
    target("ec2.CopyImage", "ec2:CopyImage", On::Copies),
    target("ec2.ModifyImageAttribute", "ec2:ModifyImageAttribute", On::Amis),
    target("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
    target("ec2.DescribeLaunchTemplates", "ec2:DescribeLaunchTemplates", On::Anything),
    target("ec2.DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", On::Anything),
    target("ec2.CreateLaunchTemplate", "ec2:CreateLaunchTemplate", On::NewTemplate),
    target("ec2.CreateLaunchTemplateVersion", "ec2:CreateLaunchTemplateVersion", On::Templates),
    target("ec2.ModifyLaunchTemplate", "ec2:ModifyLaunchTemplate", On::Templates),
    target("ec2.DeleteLaunchTemplate", "ec2:DeleteLaunchTemplate", On::Templates),
    target("ec2.DeleteLaunchTemplateVersions", "ec2:DeleteLaunchTemplateVersions", On::Templates),
    target("ec2.RunInstances", "ec2:RunInstances", On::TemplateLaunch),
    // Canaries, where a channel asks for them.
    target("ec2.DescribeInstances", "ec2:DescribeInstances", On::Anything),
    target("ec2.DescribeInstanceStatus", "ec2:DescribeInstanceStatus", On::Anything),
    target("ec2.GetConsoleOutput", "ec2:GetConsoleOutput", On::Instances),
    target("ec2.TerminateInstances", "ec2:TerminateInstances", On::Instances),
    target("ssm.DescribeInstanceInformation", "ssm:DescribeInstanceInformation", On::Anything),
    target("ssm.GetParameter", "ssm:GetParameter", On::Pointers),
    target("ssm.PutParameter", "ssm:PutParameter", On::Pointers),
    target("ssm.DeleteParameter", "ssm:DeleteParameter", On::Pointers),
    implied("ec2:CreateTags", On::NewTags, At::Targets),
    implied("sts:AssumeRole", On::Assumed, At::Home),
];

/// `promote/revoke`: every image in every account and Region, and who uses it. Channels are moved by [`PROMOTE`].
const REVOKE: &[Need] = &[
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
    home("ec2.DescribeImageAttribute", "ec2:DescribeImageAttribute", On::Anything),
    home("ec2.DescribeInstances", "ec2:DescribeInstances", On::Anything),
    home("ec2.DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplateVersions", On::Anything),
    home("ec2.DisableImage", "ec2:DisableImage", On::Releases),
    target("ec2.DescribeImageAttribute", "ec2:DescribeImageAttribute", On::Anything),
    target("ec2.DescribeInstances", "ec2:DescribeInstances", On::Anything),
    target("ec2.DisableImage", "ec2:DisableImage", On::Amis),
];

/// The same, back: the mark of approval needs evidence, and channels are not moved.
const RESTORE: &[Need] = &[
    home("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    home("ssm.GetParameterHistory", "ssm:GetParameterHistory", On::Books),
    home("ssm.PutParameter", "ssm:PutParameter", On::Books),
    home("ssm.DeleteParameter", "ssm:DeleteParameter", On::Books),
    home("imagebuilder.GetImage", "imagebuilder:GetImage", On::Images),
    home("ec2.DescribeImageAttribute", "ec2:DescribeImageAttribute", On::Anything),
    home("ec2.EnableImage", "ec2:EnableImage", On::Releases),
    home("ec2.ModifyImageAttribute", "ec2:ModifyImageAttribute", On::Releases),
    home("ec2.CreateTags", "ec2:CreateTags", On::Releases),
    home("ec2.DeleteTags", "ec2:DeleteTags", On::Releases),
    target("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
    target("ec2.DescribeImageAttribute", "ec2:DescribeImageAttribute", On::Anything),
    target("ec2.EnableImage", "ec2:EnableImage", On::Amis),
    target("ec2.ModifyImageAttribute", "ec2:ModifyImageAttribute", On::Amis),
    target("ec2.CreateTags", "ec2:CreateTags", On::Amis),
    target("ec2.DeleteTags", "ec2:DeleteTags", On::Amis),
    implied("sts:AssumeRole", On::Assumed, At::Home),
];

/// `promote/refresh`: groups of anybody that use the launch template.
const REFRESH: &[Need] = &[
    target("autoscaling.DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups", On::Anything),
    target("autoscaling.DescribeInstanceRefreshes", "autoscaling:DescribeInstanceRefreshes", On::Anything),
    target("autoscaling.CreateOrUpdateTags", "autoscaling:CreateOrUpdateTags", On::Groups),
    target("autoscaling.DeleteTags", "autoscaling:DeleteTags", On::Groups),
    target("autoscaling.StartInstanceRefresh", "autoscaling:StartInstanceRefresh", On::Groups),
    target("autoscaling.UpdateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup", On::Groups),
];

/// `baseline`. Home and targets get the same baselines.
const BASELINE: &[Need] = &[
    target("ssm.DescribePatchBaselines", "ssm:DescribePatchBaselines", On::Anything),
    target("ssm.DescribePatchGroups", "ssm:DescribePatchGroups", On::Anything),
    target("ssm.GetDefaultPatchBaseline", "ssm:GetDefaultPatchBaseline", On::Anything),
    target("ssm.GetPatchBaseline", "ssm:GetPatchBaseline", On::Baselines),
    target("ssm.ListTagsForResource", "ssm:ListTagsForResource", On::Baselines),
    target("ssm.CreatePatchBaseline", "ssm:CreatePatchBaseline", On::NewBaseline),
    target("ssm.UpdatePatchBaseline", "ssm:UpdatePatchBaseline", On::Baselines),
    target("ssm.AddTagsToResource", "ssm:AddTagsToResource", On::Baselines),
    target("ssm.RegisterDefaultPatchBaseline", "ssm:RegisterDefaultPatchBaseline", On::Baselines),
    target("ssm.RegisterPatchBaselineForPatchGroup", "ssm:RegisterPatchBaselineForPatchGroup", On::Baselines),
    target("ssm.DeregisterPatchBaselineForPatchGroup", "ssm:DeregisterPatchBaselineForPatchGroup", On::Baselines),
    implied("sts:AssumeRole", On::Assumed, At::Home),
];

/// `doctor`.
const DOCTOR: &[Need] = &[
    home("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    target("sts.GetCallerIdentity", "sts:GetCallerIdentity", On::Anything),
    home("iam.SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", On::Roles),
    home("iam.GetRole", "iam:GetRole", On::Roles),
    home("iam.ListAttachedRolePolicies", "iam:ListAttachedRolePolicies", On::Roles),
    home("iam.GetInstanceProfile", "iam:GetInstanceProfile", On::InstanceProfile),
    home("ec2.DescribeSubnets", "ec2:DescribeSubnets", On::Anything),
    home("ec2.DescribeRouteTables", "ec2:DescribeRouteTables", On::Anything),
    home("ec2.DescribeVpcEndpoints", "ec2:DescribeVpcEndpoints", On::Anything),
    home("ec2.DescribeSecurityGroups", "ec2:DescribeSecurityGroups", On::Anything),
    home("ec2.DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypeOfferings", On::Anything),
    home("ec2.DescribeRegions", "ec2:DescribeRegions", On::Anything),
    home("s3.HeadBucket", "s3:ListBucket", On::LogBucket),
    home("s3.HeadBucket", "s3:ListBucket", On::EvidenceBucket),
    home("kms.GetPublicKey", "kms:GetPublicKey", On::SigningKey),
    home("kms.GetPublicKey", "kms:GetPublicKey", On::TrustedKeys),
    home("ec2.GetEbsDefaultKmsKeyId", "ec2:GetEbsDefaultKmsKeyId", On::Anything),
    home("kms.DescribeKey", "kms:DescribeKey", On::ImageKeys),
    home("imagebuilder.ListComponents", "imagebuilder:ListComponents", On::Anything),
    home("imagebuilder.ListImageRecipes", "imagebuilder:ListImageRecipes", On::Anything),
    home(
        "imagebuilder.ListInfrastructureConfigurations",
        "imagebuilder:ListInfrastructureConfigurations",
        On::Anything,
    ),
    home("imagebuilder.ListImagePipelines", "imagebuilder:ListImagePipelines", On::Anything),
    home("imagebuilder.CreateComponent", "imagebuilder:CreateComponent", On::Project),
    target("ec2.CreateLaunchTemplate", "ec2:CreateLaunchTemplate", On::NewTemplate),
    implied("sts:AssumeRole", On::Assumed, At::Home),
];

/// `import`: whatever the account has, of whomever.
const IMPORT: &[Need] = &[
    home("imagebuilder.ListImagePipelines", "imagebuilder:ListImagePipelines", On::Anything),
    home("imagebuilder.ListImageRecipes", "imagebuilder:ListImageRecipes", On::Anything),
    home("imagebuilder.GetImagePipeline", "imagebuilder:GetImagePipeline", On::Account),
    home("imagebuilder.GetImageRecipe", "imagebuilder:GetImageRecipe", On::Account),
    home("imagebuilder.GetComponent", "imagebuilder:GetComponent", On::AnyComponent),
    home("imagebuilder.GetInfrastructureConfiguration", "imagebuilder:GetInfrastructureConfiguration", On::Account),
    home("imagebuilder.GetDistributionConfiguration", "imagebuilder:GetDistributionConfiguration", On::Account),
    home("imagebuilder.GetWorkflow", "imagebuilder:GetWorkflow", On::Account),
    home("ssm.GetParameter", "ssm:GetParameter", On::AnyParameter),
    home("ec2.DescribeImages", "ec2:DescribeImages", On::Anything),
];

/// `aws/outside`: what component documents ask for when they run on this machine.
const OUTSIDE: &[Need] = &[
    home("ssm.GetParameter", "ssm:GetParameter", On::Named),
    home("imagebuilder.GetComponent", "imagebuilder:GetComponent", On::Named),
    home("s3.ListObjectsV2", "s3:ListBucket", On::Named),
    home("s3.GetObject", "s3:GetObject", On::Named),
    home("s3.PutObject", "s3:PutObject", On::Named),
    home("s3.CreateMultipartUpload", "s3:PutObject", On::Named),
    home("s3.UploadPart", "s3:PutObject", On::Named),
    home("s3.CompleteMultipartUpload", "s3:PutObject", On::Named),
    home("s3.AbortMultipartUpload", "s3:AbortMultipartUpload", On::Named),
];

/// The rows of a verb.
#[must_use]
pub fn needs(verb: Verb) -> Vec<Need> {
    let groups: &[&[Need]] = match verb {
        // A parent that is another recipe's image is looked at as a build is.
        Verb::Plan => &[PARENT, OBSERVE, FOLLOW, JUDGED_BY],
        Verb::Publish => &[PARENT, OBSERVE, FOLLOW, JUDGED_BY, PUBLISH, JUDGE],
        // A build that fails is explained.
        Verb::Build => &[PARENT, OBSERVE, JUDGED_BY, PUBLISH, JUDGE, BUILD, FOLLOW, COLLECT, WAITING, MARK, REAP],
        Verb::Watch => &[PARENT, OBSERVE, FOLLOW, COLLECT, WAITING, CANCEL, MARK],
        Verb::Status => &[PARENT, OBSERVE, FOLLOW, WAITING, MARK, REAP],
        Verb::Approve => &[COLLECT, WAITING, APPROVE, BOOKS, CONSENT, FIND, TRUST],
        Verb::Validate => &[PARENT, OBSERVE, FOLLOW, EVIDENCE, BOOKS, SIGN, TRUST, STORE, FIND],
        Verb::Promote => &[PARENT, OBSERVE, FOLLOW, BOOKS, PROMOTE, TRUST, FIND, REFRESH],
        Verb::Rollback => &[PARENT, OBSERVE, FOLLOW, BOOKS, PROMOTE, REFRESH],
        Verb::Repair => &[PARENT, OBSERVE, FOLLOW, BOOKS, PROMOTE],
        Verb::Revoke => &[BOOKS, PROMOTE, REVOKE],
        Verb::Restore => &[BOOKS, RESTORE],
        Verb::Drift => &[BOOKS, DRIFT],
        // `--previous` reads what was in the channel.
        Verb::Resolve => &[BOOKS, HISTORY, RESOLVE],
        Verb::Channels => &[BOOKS],
        Verb::Diff => &[BOOKS, FIND],
        Verb::Verify => &[BOOKS, TRUST, FIND],
        Verb::History | Verb::Releases => &[BOOKS, HISTORY],
        Verb::Run => &[
            PARENT, OBSERVE, JUDGED_BY, PUBLISH, JUDGE, BUILD, FOLLOW, COLLECT, EVIDENCE, BOOKS, PROMOTE, WAITING,
            MARK, SIGN, TRUST, STORE, FIND,
        ],
        Verb::Logs | Verb::Why => &[COLLECT],
        Verb::Baseline => &[BASELINE],
        Verb::Doctor => &[PARENT, DOCTOR],
        Verb::Import => &[IMPORT],
        Verb::Component => &[OUTSIDE],
    };
    let mut needs = groups.concat();
    // `doctor` looks at other things, and `component` works in no environment.
    if !matches!(verb, Verb::Doctor | Verb::Component) {
        needs.extend(KEPT.iter().filter(|need| !groups.concat().contains(need)));
    }
    needs
}
