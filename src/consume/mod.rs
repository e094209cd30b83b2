//! What app teams do with channels: resolve one to an AMI, list them.

use crate::aws::{CallError, Cloud};
use crate::diagnostic::Diagnostic;
use crate::project::{Arch, PointerName, Project, Recipe};
use crate::promote::{PromoteError, Release, default_image, get_parameter, get_parameters, read_release, record_name};
use crate::render::promote_names;
use aws_sdk_ec2::types::ImageState;
use serde::Serialize;

/// Why a channel gives no AMI.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The project has no such channel.
    #[error("the project has no channel `{channel}`; it has: {}", known.join(", "))]
    UnknownChannel {
        /// As asked for.
        channel: String,
        /// The project's, in order.
        known: Vec<String>,
    },
    /// Nothing was promoted there yet.
    #[error("nothing is promoted to channel `{channel}` of {recipe} ({arch}) yet: there is no {pointer}")]
    Empty {
        /// Recipe.
        recipe: String,
        /// Architecture.
        arch: String,
        /// Channel.
        channel: String,
        /// What the pointer is, and its name.
        pointer: String,
    },
    /// The pointer points to an AMI that cannot be launched.
    #[error("{pointer} points to {ami}, which {state}")]
    Dangling {
        /// What the pointer is, and its name.
        pointer: String,
        /// What it holds.
        ami: String,
        /// What is wrong with it.
        state: String,
    },
    /// The parameter's name cannot be made.
    #[error("{}", .0.message)]
    Name(Box<Diagnostic>),
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] PromoteError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl ConsumeError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Empty { recipe, channel, .. } => {
                Some(format!("promote a release: amiforge promote {recipe} --channel {channel}"))
            }
            Self::Dangling { .. } => Some("roll the channel back, or promote a release that is there".into()),
            Self::Record(error) => error.next(),
            Self::Call(call) => call.next(),
            Self::UnknownChannel { .. } | Self::Name(_) => None,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownChannel { .. } | Self::Name(_) => 2,
            Self::Empty { .. } => 8,
            Self::Dangling { .. } => 10,
            Self::Record(error) => error.exit_code(),
            Self::Call(call) => call.exit_code(),
        }
    }
}

/// The AMI id that a channel points to, in the home Region. It is read from the pointer that users of the channel read,
/// and it is there and available.
///
/// # Errors
/// When the channel is unknown, empty, or points to an AMI that cannot be launched.
pub async fn resolve(
    cloud: &Cloud,
    project: &Project,
    recipe: &Recipe,
    arch: Arch,
    channel: &str,
) -> Result<String, ConsumeError> {
    if !project.channels.iter().any(|known| known.name == channel) {
        let known = project.channels.iter().map(|known| known.name.clone()).collect();
        return Err(ConsumeError::UnknownChannel { channel: channel.to_owned(), known });
    }
    let (pointer, value) = pointer(cloud, recipe, arch, channel).await?;
    let Some(value) = value else {
        return Err(ConsumeError::Empty {
            recipe: recipe.name.clone(),
            arch: arch.name().to_owned(),
            channel: channel.to_owned(),
            pointer,
        });
    };
    check(cloud, pointer, value).await
}

/// What users of the channel read, and what it says: the first parameter, or the default version of the first launch
/// template of a recipe that moves no parameter. What the others say, `drift` compares.
async fn pointer(
    cloud: &Cloud,
    recipe: &Recipe,
    arch: Arch,
    channel: &str,
) -> Result<(String, Option<String>), ConsumeError> {
    let names = |templates: &[PointerName]| {
        let names = promote_names(templates, recipe, arch, channel);
        names.map_err(|diagnostic| ConsumeError::Name(Box::new(diagnostic)))
    };
    if let Some(name) = names(&recipe.promote.parameters)?.into_iter().next() {
        let stored = get_parameter(cloud, cloud.home(), &name).await?;
        return Ok((format!("parameter {name}"), stored.map(|stored| stored.value)));
    }
    let name = names(&recipe.promote.launch_templates)?.into_iter().next().unwrap_or_default();
    let ami = default_image(cloud, cloud.home(), &name).await?;
    Ok((format!("launch template {name}"), ami))
}

async fn check(cloud: &Cloud, pointer: String, ami: String) -> Result<String, ConsumeError> {
    let dangling = |ami: String, state: &str| ConsumeError::Dangling { pointer, ami, state: state.to_owned() };
    if !ami.starts_with("ami-") {
        return Err(dangling(ami, "is not an AMI id"));
    }
    let answer = cloud.ec2(cloud.home()).describe_images().image_ids(&ami).send().await;
    let answer = answer.map_err(CallError::of("DescribeImages", cloud.home()));
    let absent = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"];
    if answer.as_ref().is_err_and(|error| error.fault.is(&absent)) {
        return Err(dangling(ami, "does not exist or is not shared with this account"));
    }
    match answer?.images.unwrap_or_default().into_iter().next().map(|image| image.state) {
        Some(Some(ImageState::Available)) => Ok(ami),
        Some(state) => {
            let state = state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned());
            Err(dangling(ami, &format!("is `{state}`, not available")))
        }
        None => Err(dangling(ami, "does not exist or is not shared with this account")),
    }
}

/// One channel of one recipe and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelEntry {
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// Channel name.
    pub channel: String,
    /// What it points to; absent when nothing was promoted yet, or a revocation has left it empty.
    pub release: Option<Release>,
    /// Since when a revocation has left it empty, RFC 3339; absent when it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_since: Option<String>,
}

/// All channels; a slice of [`ChannelEntry`] with a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Always `amiforge.channels/1`.
    pub schema: &'static str,
    /// By recipe, architecture, and channel in the project's order.
    pub channels: Vec<ChannelEntry>,
}

impl std::ops::Deref for Listing {
    type Target = [ChannelEntry];

    fn deref(&self) -> &[ChannelEntry] {
        &self.channels
    }
}

/// Every channel with its release, of one recipe or of all.
///
/// # Errors
/// When a call fails or a record cannot be read: a channel that cannot be looked at is never shown as empty.
pub async fn channels(cloud: &Cloud, project: &Project, only: Option<&Recipe>) -> Result<Listing, ConsumeError> {
    let mut entries = Vec::new();
    for recipe in project.recipes.values().filter(|recipe| only.is_none_or(|only| only.name == recipe.name)) {
        for arch in recipe.architectures.iter().map(|arch| arch.name()) {
            for channel in &project.channels {
                let parameter = record_name(&project.name, &recipe.name, arch, &channel.name);
                let (recipe, arch, channel) = (recipe.name.clone(), arch.to_owned(), channel.name.clone());
                entries.push((parameter, ChannelEntry { recipe, arch, channel, release: None, empty_since: None }));
            }
        }
    }
    let names: Vec<String> = entries.iter().map(|(parameter, _)| parameter.clone()).collect();
    let found = get_parameters(cloud, cloud.home(), &names).await?;
    let mut channels = Vec::new();
    for (parameter, entry) in entries {
        let release = match found.get(&parameter) {
            Some(text) => Some(read_release(cloud, &parameter, text).await?),
            None => None,
        };
        let empty_since = release.as_ref().filter(|release| release.empty).map(|release| release.promoted_at.clone());
        channels.push(ChannelEntry { release: release.filter(|release| !release.empty), empty_since, ..entry });
    }
    Ok(Listing { schema: "amiforge.channels/1", channels })
}

#[cfg(test)]
mod tests;
