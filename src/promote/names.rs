//! Where promotions keep their books: SSM parameters in the home account and Region.

/// The channel's record: which release it points to.
pub(crate) fn record(project: &str, recipe: &str, arch: &str, channel: &str) -> String {
    format!("/amiforge/{project}/{recipe}/{arch}/{channel}")
}

/// Held while a promotion of the channel is under way.
pub(super) fn lock(project: &str, recipe: &str, arch: &str, channel: &str) -> String {
    format!("/amiforge/{project}/locks/{recipe}/{arch}/{channel}")
}

/// Who has approved an image for the channel.
pub(super) fn approval(project: &str, recipe: &str, arch: &str, channel: &str, ami: &str) -> String {
    format!("/amiforge/{project}/approvals/{recipe}/{arch}/{channel}/{ami}")
}

/// That a release was revoked, by its AMI at home.
pub(super) fn revocation(project: &str, recipe: &str, arch: &str, ami: &str) -> String {
    format!("/amiforge/{project}/revocations/{recipe}/{arch}/{ami}")
}

/// Its images as they were before.
pub(super) fn revoked_images(project: &str, recipe: &str, arch: &str, ami: &str) -> String {
    format!("{}/images", revocation(project, recipe, arch, ami))
}

/// Held while a release of the recipe is revoked or restored.
pub(super) fn revoking(project: &str, recipe: &str, arch: &str) -> String {
    format!("/amiforge/{project}/revoking/{recipe}/{arch}")
}

/// What is needed to finish or undo it.
pub(super) fn journal(project: &str, recipe: &str, arch: &str, channel: &str) -> String {
    format!("/amiforge/{project}/journal/{recipe}/{arch}/{channel}")
}
