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

/// What is needed to finish or undo it.
pub(super) fn journal(project: &str, recipe: &str, arch: &str, channel: &str) -> String {
    format!("/amiforge/{project}/journal/{recipe}/{arch}/{channel}")
}
