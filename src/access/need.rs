//! What a call needs: which action, on what, where.

/// In which account the call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The home account and Region.
    Home,
    /// Every target.
    Targets,
}

/// On what an action works, and with that how far it can be narrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum On {
    /// Anything: the action knows no resources, or it is not certain which.
    Anything,
    /// Components, workflows, recipes, configurations and pipelines of the project (image-builder.md 2.2).
    Project,
    /// Pipelines, recipes, workflows and configurations of the account, whoever made them.
    Account,
    /// Parameters of the account and of AWS.
    AnyParameter,
    /// Components of anybody that may be read: AWS's own and shared ones.
    AnyComponent,
    /// Images of the project, with their workflow executions.
    Images,
    /// Images that recipes start from, of any owner.
    ParentImages,
    /// Parameters with parent images; those of AWS have no account in their ARN (general knowledge of AWS).
    ParentParameters,
    /// Parameters in which promotions keep their books: `/amiforge/PROJECT/…`.
    Books,
    /// Parameters that promotions move.
    Pointers,
    /// Launch templates that carry the project's tag; their names are no part of ARNs (general knowledge of AWS).
    Templates,
    /// A launch template that is created with the project's tag.
    NewTemplate,
    /// What an instance for validation is launched from and with (general knowledge of AWS).
    Launch,
    /// The instance itself and its volume, created with the project's tag.
    NewInstance,
    /// A launch from a launch template, tried without being done.
    TemplateLaunch,
    /// Instances that carry the project's tag.
    Instances,
    /// The same, as Systems Manager names the tag (general knowledge of AWS).
    Commanded,
    /// Documents of Systems Manager that validation sends.
    Documents,
    /// AMIs that carry the project's tag.
    Amis,
    /// The same in every Region: promotions copy them.
    Releases,
    /// Images and snapshots of every Region, as the source and the outcome of copying (general knowledge of AWS).
    Copies,
    /// Auto Scaling groups of the account (general knowledge of AWS).
    Groups,
    /// Tags that a creating call of EC2 sets.
    NewTags,
    /// Documents of the project in the bucket for long ones.
    LongDocuments,
    /// The role of custom workflows, handed to Image Builder.
    WorkflowRole,
    /// The log bucket itself.
    LogBucket,
    /// What is in it below the project's prefix.
    LogObjects,
    /// The log group of the project's images.
    LogGroups,
    /// The role of the instance profile, handed to EC2.
    InstanceRole,
    /// The instance profile.
    InstanceProfile,
    /// Roles in general: who the caller is, and what the instance's role has.
    Roles,
    /// The service-linked role of Image Builder.
    ServiceRole,
    /// Roles that are assumed.
    Assumed,
    /// The key in KMS that signs evidence.
    SigningKey,
    /// Keys in KMS that are trusted.
    TrustedKeys,
    /// The bucket of evidence.
    EvidenceBucket,
    /// What is in it of the project.
    EvidenceObjects,
    /// The key that it is encrypted with.
    EvidenceKey,
    /// Keys that images are encrypted with, of the account and of the home account, in every Region.
    ImageKeys,
    /// The same, for grants to others of what launching and copying takes.
    GrantedKeys,
    /// Scans of AMIs, in the home Region: on which resources they work is not certain (UNCONFIRMED).
    Scans,
    /// Patch baselines.
    Baselines,
    /// A patch baseline that is created with the project's tag: until then it has no ARN (general knowledge of AWS).
    NewBaseline,
    /// Whatever a component document names.
    Named,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// `service.Operation` that the code calls; nothing when AWS asks for the permission on the way.
    pub operation: Option<&'static str>,
    /// The IAM action.
    pub action: &'static str,
    /// On what.
    pub on: On,
    /// Where.
    pub at: At,
}

pub(super) const fn home(operation: &'static str, action: &'static str, on: On) -> Need {
    Need { operation: Some(operation), action, on, at: At::Home }
}

pub(super) const fn target(operation: &'static str, action: &'static str, on: On) -> Need {
    Need { operation: Some(operation), action, on, at: At::Targets }
}

/// A permission that another row's call asks for.
pub(super) const fn implied(action: &'static str, on: On, at: At) -> Need {
    Need { operation: None, action, on, at }
}
