//! Names, ARNs and versions of Image Builder (image-builder.md section 2).

use serde::{Serialize, Serializer};

/// `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number; counts up with each change.
    pub patch: u32,
}

impl Version {
    /// The version of three numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `1.0.3`; wildcards and anything else are `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        let version = Self::new(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The parts of `arn:…:imagebuilder:…:<type>/<name>[/<version>[/<build>]]` after the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource<'a> {
    /// Normalised name.
    pub(crate) name: &'a str,
    /// Version; absent for wildcards and for types without one.
    pub(crate) version: Option<Version>,
    /// Build number.
    pub(crate) build: Option<u32>,
}

/// Takes an Image Builder ARN apart.
pub(crate) fn resource(arn: &str) -> Option<Resource<'_>> {
    let path = arn.splitn(6, ':').nth(5)?;
    let mut parts = path.split('/').skip(1);
    let name = parts.next()?;
    let version = parts.next().and_then(Version::parse);
    let build = parts.next().and_then(|build| build.parse().ok());
    Some(Resource { name, version, build })
}

/// `1.0.3/2` of an image build version ARN.
pub(crate) fn build_version(arn: &str) -> Option<String> {
    let resource = resource(arn)?;
    Some(format!("{}/{}", resource.version?, resource.build?))
}

/// A resource name as it stands in ARNs: lower case, space and underscore as `-` (image-builder.md 2.1).
pub(crate) fn normalise(name: &str) -> String {
    name.to_lowercase().replace([' ', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(Version::parse("1.0.10") > Version::parse("1.0.9"));
        for bad in ["", "1", "1.0", "1.0.x", "1.0.0.0", "v1.0.0", "1.0.-1", "1.0.4294967296"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn arns_are_taken_apart() {
        let arn = "arn:aws:imagebuilder:us-east-1:111122223333:component/acme-boots/1.0.3/2";
        let expected = Resource { name: "acme-boots", version: Some(Version::new(1, 0, 3)), build: Some(2) };
        assert_eq!(resource(arn), Some(expected));
        assert_eq!(build_version(arn).as_deref(), Some("1.0.3/2"));
        let infrastructure = resource("arn:aws:imagebuilder:us-east-1:1:infrastructure-configuration/acme").unwrap();
        assert_eq!((infrastructure.name, infrastructure.version, infrastructure.build), ("acme", None, None));
        assert_eq!(resource("component/acme"), None);
        assert_eq!(build_version("arn:aws:imagebuilder:r:1:image/x/1.0.x"), None);
    }

    #[test]
    fn names_are_normalised_as_in_arns() {
        assert_eq!(normalise("Acme Golden x86_64"), "acme-golden-x86-64");
    }
}
