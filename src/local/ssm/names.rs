//! Names of parameters, and references to a version of one.

use super::super::store::Scope;
use super::super::wire::ServiceError;

/// Levels a hierarchy may have.
const MAX_LEVELS: usize = 15;
/// Longest name; the ARN counts too on AWS, which makes it shorter than the 2048 of the API model.
const MAX_LENGTH: usize = 1011;

/// Refuses names that Parameter Store refuses for a new parameter.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(name: &str) -> Result<(), ServiceError> {
    let invalid =
        |why: &str| Err(ServiceError::client("ValidationException", format!("Parameter name `{name}`: {why}")));
    if name.is_empty() || name.len() > MAX_LENGTH {
        return invalid("must have 1 to 1011 characters.");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte)) {
        return invalid("only a mix of letters, numbers and the symbols . - _ / is allowed.");
    }
    if name.contains('/') && !name.starts_with('/') {
        return invalid("must be a fully qualified name: one with levels starts with a slash.");
    }
    let levels: Vec<&str> = name.trim_start_matches('/').split('/').collect();
    if levels.iter().any(|level| level.is_empty()) {
        return invalid("no level may be empty, and no slash may stand at the end.");
    }
    if levels.len() > MAX_LEVELS {
        let text =
            format!("Parameter name `{name}` has {} levels; a hierarchy can have at most {MAX_LEVELS}.", levels.len());
        return Err(ServiceError::client("HierarchyLevelLimitExceededException", text));
    }
    let first = levels.first().map(|level| level.to_ascii_lowercase()).unwrap_or_default();
    if first.starts_with("aws") {
        let text = format!("No access to reserved parameter name: {name}.");
        return Err(ServiceError::client("AccessDeniedException", text));
    }
    if first.starts_with("ssm") {
        return invalid("can't be prefixed with \"ssm\" (case-insensitive).");
    }
    Ok(())
}

/// Which version of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    Latest,
    Number(u64),
    Label(String),
}

/// A reference to a parameter: `name`, `name:3`, `name:label`, or the ARN of one with or without a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) selector: Selector,
}

impl Reference {
    /// Reads a reference. ARNs of other accounts and Regions are not found rather than refused: nothing is shared here.
    pub(super) fn parse(text: &str) -> Self {
        let (text, hierarchical) =
            match text.strip_prefix("arn:aws:ssm:").and_then(|rest| rest.split_once(":parameter/")) {
                Some((_, name)) => (name, true),
                None => (text, false),
            };
        let (name, selector) = match text.split_once(':') {
            Some((name, selector)) => {
                let number = selector.parse().map(Selector::Number);
                (name, number.unwrap_or_else(|_| Selector::Label(selector.to_owned())))
            }
            None => (text, Selector::Latest),
        };
        // In an ARN the leading slash of a hierarchy is the one after `parameter`.
        let name = if hierarchical && name.contains('/') { format!("/{name}") } else { name.to_owned() };
        Self { name, selector }
    }
}

/// Where a parameter of that name lives for a caller: public ones belong to no account.
pub(super) fn home(scope: &Scope, name: &str) -> Scope {
    let account = if name.starts_with("/aws/") { "*" } else { &scope.account };
    Scope { account: account.to_owned(), region: scope.region.clone() }
}

/// The ARN of a parameter; public ones have no account.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    let account = if name.starts_with("/aws/") { "" } else { &scope.account };
    format!("arn:aws:ssm:{}:{account}:parameter/{}", scope.region, name.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_names() {
        for good in ["a", "/golden/debian-12/x86_64/candidate", "A.b-c_d"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let fifteen = "/a".repeat(15);
        assert_eq!(check(&fifteen), Ok(()));
        for (bad, code) in [
            ("", "ValidationException"),
            ("a/b", "ValidationException"),
            ("/a//b", "ValidationException"),
            ("/a/", "ValidationException"),
            ("a b", "ValidationException"),
            ("a:1", "ValidationException"),
            ("/ssm/x", "ValidationException"),
            ("/AWS/service/x", "AccessDeniedException"),
            (&format!("{fifteen}/a"), "HierarchyLevelLimitExceededException"),
            (&"a".repeat(1012), "ValidationException"),
        ] {
            assert_eq!(check(bad).unwrap_err().code, code, "{bad}");
        }
    }

    #[test]
    fn references() {
        let of = |text: &str| Reference::parse(text);
        let reference = |name: &str, selector| Reference { name: name.into(), selector };
        assert_eq!(of("/a/b"), reference("/a/b", Selector::Latest));
        assert_eq!(of("/a/b:3"), reference("/a/b", Selector::Number(3)));
        assert_eq!(of("a:prod"), reference("a", Selector::Label("prod".into())));
        assert_eq!(of("arn:aws:ssm:us-east-1:1:parameter/a/b:2"), reference("/a/b", Selector::Number(2)));
        assert_eq!(of("arn:aws:ssm:us-east-1:1:parameter/a"), reference("a", Selector::Latest));
    }
}
