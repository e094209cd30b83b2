//! ARNs of workflows, which have their type in the path: `workflow/build/my-name/1.0.0/1`.

use super::super::store::Scope;
use super::arn::{Arn, Pattern};

/// A parsed workflow ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct WorkflowArn {
    /// The ARN without version and build.
    pub(in crate::local) base: String,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub(in crate::local) kind: String,
    /// The name as it stands in the ARN.
    pub(in crate::local) name: String,
    region: String,
    owner: String,
    pub(super) version: Pattern,
    pub(super) build: Option<u32>,
}

impl WorkflowArn {
    /// Reads an ARN with a version, which may have wildcards; none for what is not one.
    pub(in crate::local) fn parse(text: &str) -> Option<Self> {
        let (head, path) = text.split_once(":workflow/")?;
        let (kind, rest) = path.split_once('/')?;
        if !["build", "test", "distribution"].contains(&kind) {
            return None;
        }
        // Without its type it has the form of all others.
        let arn = Arn::parse(&format!("{head}:workflow/{rest}"))?;
        Some(Self {
            base: format!("{head}:workflow/{kind}/{}", arn.name),
            kind: kind.to_uppercase(),
            name: arn.name.clone(),
            version: arn.version?,
            region: arn.region,
            owner: arn.owner,
            build: arn.build,
        })
    }

    /// Whether it names something of that account and Region.
    pub(super) fn is_in(&self, scope: &Scope) -> bool {
        self.owner == scope.account && self.region == scope.region
    }

    /// Whether it is one of Amazon's.
    pub(in crate::local) fn is_managed(&self) -> bool {
        self.owner == "aws"
    }

    /// Whether it means whatever is newest.
    pub(in crate::local) fn is_latest(&self) -> bool {
        self.build.is_none() && self.version == Pattern([None; 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_a_part_of_its_own() {
        let arn =
            WorkflowArn::parse("arn:aws:imagebuilder:us-east-1:111122223333:workflow/test/my-test/1.0.x").unwrap();
        assert_eq!((&*arn.kind, &*arn.name, arn.build), ("TEST", "my-test", None));
        assert!(arn.base.ends_with(":workflow/test/my-test") && !arn.is_managed() && !arn.is_latest());
        let arn = WorkflowArn::parse("arn:aws:imagebuilder:eu-west-1:aws:workflow/build/build-image/x.x.x").unwrap();
        assert!(arn.is_managed() && arn.is_latest() && arn.name == "build-image");
        for bad in ["arn:aws:imagebuilder:r:1:workflow/other/a/1.0.0", "arn:aws:imagebuilder:r:1:workflow/test/a", "x"]
        {
            assert_eq!(WorkflowArn::parse(bad), None, "{bad}");
        }
    }
}
