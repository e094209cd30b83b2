//! The two halves of a build.

/// In which half of a build something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Build and validate phases, making the image, distribution.
    Build,
    /// Test phase on an instance of the new image.
    Test,
}

impl Phase {
    /// The word in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
        }
    }
}
