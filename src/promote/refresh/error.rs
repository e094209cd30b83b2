//! Why groups are not refreshed, told before anything is moved.

use crate::aws::CallError;

/// Why groups are not refreshed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// There are none.
    #[error(
        "no Auto Scaling group in any target uses the launch template {template}, so there is nothing to refresh; nothing was moved"
    )]
    NoGroups {
        /// Name of the template.
        template: String,
    },
    /// The recipe moves parameters only.
    #[error("the recipe moves no launch template, so no Auto Scaling group follows its channel; nothing was moved")]
    NoTemplates,
    /// A group that was named is not there.
    #[error("there is no Auto Scaling group {name} in any target; nothing was moved")]
    NoSuchGroup {
        /// As asked for.
        name: String,
        /// Groups that use the launch template.
        known: Vec<String>,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl RefreshError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::NoGroups { .. } => Some("leave --refresh out, or let a group launch from the template".to_owned()),
            Self::NoTemplates => Some("leave --refresh out, or name a `launch_template` in the recipe".to_owned()),
            Self::NoSuchGroup { known, .. } if known.is_empty() => None,
            Self::NoSuchGroup { known, .. } => {
                Some(format!("groups that use the launch template: {}", known.join(", ")))
            }
            Self::Call(call) => call.next(),
        }
    }

    /// DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoGroups { .. } | Self::NoTemplates | Self::NoSuchGroup { .. } => 2,
            Self::Call(call) => call.exit_code(),
        }
    }
}
