//! Keys of the tags by which amiforge finds its resources again: the account is the database (DESIGN section 6).

/// Project name.
pub const PROJECT: &str = "amiforge:project";
/// Recipe name in the project.
pub const RECIPE: &str = "amiforge:recipe";
/// Component name in the project.
pub const COMPONENT: &str = "amiforge:component";
/// Patch baseline name in the project.
pub const BASELINE: &str = "amiforge:baseline";
/// Fingerprint (64 hexadecimal digits) of everything that went into the resource.
pub const FINGERPRINT: &str = "amiforge:fingerprint";
/// Who has built it, as AWS knows the caller (an ARN), on image builds.
pub const BUILDER: &str = "amiforge:builder";
/// The mark of approval on AMIs: the promotion that has set it. Revocation takes it away.
pub const APPROVED: &str = "amiforge:approved";
/// Why and when the release was revoked, on every copy of it; `restore` takes it away.
pub const REVOKED: &str = "amiforge:revoked";
/// The AMI in the home account and Region that this one is a copy of.
pub const SOURCE: &str = "amiforge:source";
/// Digest (`sha256:…`) of the evidence, on AMIs.
pub const EVIDENCE: &str = "amiforge:evidence";
/// The AMI that an instance was started to look at, on instances of `validate`.
pub const INSPECTS: &str = "amiforge:inspects";
/// Who has started it: host and process.
pub const HOLDER: &str = "amiforge:holder";
/// How long an instance is kept when its build fails (`120m`), on instances and volumes of such builds.
pub const KEEP: &str = "amiforge:keep";
/// When a kept instance may be ended, RFC 3339.
pub const EXPIRES: &str = "amiforge:expires";
/// Image build version ARN, on a kept instance.
pub const IMAGE: &str = "amiforge:image";
/// The promotion that has started an instance to prove that its image can be launched.
pub const PROMOTION: &str = "amiforge:promotion";
