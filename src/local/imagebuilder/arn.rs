//! ARNs and versions of Image Builder resources (image-builder.md sections 2.2 and 2.3).

use super::super::store::Scope;
use serde_json::{Value, json};

/// Largest value of each of the four numbers of a version.
const MAX_NUMBER: u32 = (1 << 30) - 1;

/// `1.4.2`.
pub(super) type Version = [u32; 3];

/// A version whose right end may be open: `1.4.x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) [Option<u32>; 3]);

impl Pattern {
    /// Reads `1.4.2`, `1.4.x`, `1.x.x` or `x.x.x`; nothing else: an `x` stands only at the right end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<Option<u32>> = text.split('.').map(part).collect::<Option<_>>()?;
        let pattern: [Option<u32>; 3] = parts.try_into().ok()?;
        let open = pattern.iter().position(Option::is_none).unwrap_or(3);
        pattern[open..].iter().all(Option::is_none).then_some(Self(pattern))
    }

    /// Whether a version fits.
    pub(super) fn accepts(self, version: Version) -> bool {
        self.0.iter().zip(version).all(|(wanted, number)| wanted.is_none_or(|wanted| wanted == number))
    }

    /// The version, if no end is open.
    pub(super) fn exact(self) -> Option<Version> {
        let [Some(major), Some(minor), Some(patch)] = self.0 else { return None };
        Some([major, minor, patch])
    }
}

/// One part of a version: a number, or none for `x`; nothing for what is neither.
#[allow(clippy::option_option, reason = "the outer one is failure, the inner one the open end")]
pub(super) fn part(text: &str) -> Option<Option<u32>> {
    if text == "x" { Some(None) } else { number(text).map(Some) }
}

/// A number of a version: digits only.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= MAX_NUMBER)
}

/// `1.4.2` with digits only.
pub(super) fn version(text: &str) -> Option<Version> {
    Pattern::parse(text)?.exact()
}

/// A version as text.
pub(super) fn show([major, minor, patch]: Version) -> String {
    format!("{major}.{minor}.{patch}")
}

/// The name as it stands in ARNs: lower case, space and underscore become `-`.
pub(super) fn normalise(name: &str) -> String {
    name.to_lowercase().replace([' ', '_'], "-")
}

/// `arn:aws:imagebuilder:REGION:ACCOUNT:TYPE/NAME`, without version.
pub(super) fn base(scope: &Scope, kind: &str, name: &str) -> String {
    format!("arn:aws:imagebuilder:{}:{}:{kind}/{}", scope.region, scope.account, normalise(name))
}

/// A parsed ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arn {
    pub(super) region: String,
    /// Twelve digits, `aws`, or `aws-…`.
    pub(super) owner: String,
    /// `component`, `image`, `image-recipe`, `infrastructure-configuration`, ….
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) version: Option<Pattern>,
    pub(super) build: Option<u32>,
}

impl Arn {
    /// Reads an ARN. None for what is not one: a build number after an open version, for example.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("arn:aws:imagebuilder:")?.splitn(3, ':');
        let (region, owner, path) = (fields.next()?, fields.next()?, fields.next()?);
        let mut parts = path.split('/');
        let (kind, name) = (parts.next()?, parts.next()?);
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(named) || kind.is_empty() {
            return None;
        }
        let version = parts.next().map(Pattern::parse).map_or(Some(None), |version| version.map(Some))?;
        let build = parts.next().map(number).map_or(Some(None), |build| build.map(Some))?;
        let complete = parts.next().is_none() && (build.is_none() || version.is_some_and(|v| v.exact().is_some()));
        complete.then(|| Self {
            region: region.to_owned(),
            owner: owner.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            version,
            build,
        })
    }

    /// Whether it names something of that account and Region.
    pub(super) fn is_in(&self, scope: &Scope) -> bool {
        self.owner == scope.account && self.region == scope.region
    }
}

/// `latestVersionReferences` of a version of the resource with that base ARN.
pub(super) fn latest_references(base: &str, [major, minor, patch]: Version) -> Value {
    json!({
        "latestVersionArn": format!("{base}/x.x.x"),
        "latestMajorVersionArn": format!("{base}/{major}.x.x"),
        "latestMinorVersionArn": format!("{base}/{major}.{minor}.x"),
        "latestPatchVersionArn": format!("{base}/{major}.{minor}.{patch}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_are_open_only_to_the_right() {
        for good in ["1.2.3", "1.2.x", "1.x.x", "x.x.x", "2026.1.31", "1073741823.0.0"] {
            assert!(Pattern::parse(good).is_some(), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "x.2.x", "1.x.8", "v1.2.3", "1.2.3-rc1", "1.2.+3", "1073741824.0.0"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_version_fits_its_own_references(version: [u16; 3]) {
            let version = version.map(u32::from);
            let references = latest_references("b", version);
            for reference in references.as_object().unwrap().values() {
                let text = reference.as_str().unwrap().strip_prefix("b/").unwrap().to_owned();
                prop_assert!(Pattern::parse(&text).unwrap().accepts(version));
            }
        }
    }

    #[test]
    fn arns() {
        let arn = Arn::parse("arn:aws:imagebuilder:us-east-1:111122223333:component/patch-linux/1.0.3/2").unwrap();
        assert_eq!((&*arn.kind, &*arn.name, arn.build), ("component", "patch-linux", Some(2)));
        assert_eq!(arn.version.unwrap().exact(), Some([1, 0, 3]));
        let arn = Arn::parse("arn:aws:imagebuilder:us-east-1:1:infrastructure-configuration/a").unwrap();
        assert_eq!((arn.version, arn.build), (None, None));
        for bad in [
            "arn:aws:imagebuilder:us-east-1:1:component/a/1.0.x/1",
            "arn:aws:imagebuilder:us-east-1:1:component/a/1.0.0/1/2",
            "arn:aws:imagebuilder:us-east-1:1:component/A/1.0.0",
            "arn:aws:imagebuilder:us-east-1:1:component",
            "arn:aws:ec2:us-east-1:1:image/x",
        ] {
            assert_eq!(Arn::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_normalised() {
        assert_eq!(normalise("My Patch_Linux"), "my-patch-linux");
    }
}
