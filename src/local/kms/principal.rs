//! Who wants to use a key, and in whose hands, as policies and grants name it.

use super::super::store::Scope;
use super::super::wire::Caller;

/// Somebody who wants to use keys. Without IAM an account is one caller: what is said of its root holds for all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::local) struct Principal {
    /// Its account, and the Region in which it asks.
    pub(super) scope: Scope,
    /// Its ARN, as denials name it.
    arn: String,
    role: Option<Role>,
    /// Whether EC2 uses the key, in its name.
    through_ec2: bool,
}

/// The role in whose name it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// The name alone: sessions do not know the path of their role, and names are unique in an account whatever the path.
    Name(String),
    /// Path and name.
    Path(String),
}

impl Principal {
    /// Who calls KMS itself.
    pub(super) fn of(caller: &Caller) -> Self {
        let role = caller.session.as_ref().map(|session| Role::Name(session.role.clone()));
        Self { scope: caller.scope.clone(), arn: caller.principal(), role, through_ec2: false }
    }

    /// Who calls EC2, which then uses keys in its name.
    pub(in crate::local) fn of_ec2(caller: &Caller) -> Self {
        Self { through_ec2: true, ..Self::of(caller) }
    }

    /// A role in whose name a service calls EC2: its path and name.
    pub(in crate::local) fn of_role(scope: &Scope, path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let arn = format!("arn:aws:sts::{}:assumed-role/{name}/service", scope.account);
        Self { scope: scope.clone(), arn, role: Some(Role::Path(path.to_owned())), through_ec2: true }
    }

    /// The same in another Region.
    pub(in crate::local) fn at(&self, region: &str) -> Self {
        let scope = Scope { region: region.to_owned(), ..self.scope.clone() };
        Self { scope, ..self.clone() }
    }

    /// Its account.
    pub(in crate::local) fn account(&self) -> &str {
        &self.scope.account
    }

    /// Its account and Region.
    pub(in crate::local) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Its ARN.
    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    /// Whether a policy or a grant that names `name` means it.
    pub(super) fn is(&self, name: &str) -> bool {
        let account = self.account();
        if name == account || name == self.arn || name == root(account) {
            return true;
        }
        let named = name.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
        match (&self.role, named) {
            (Some(Role::Path(path)), Some(named)) => named == path,
            (Some(Role::Name(name)), Some(named)) => named.rsplit('/').next() == Some(name.as_str()),
            _ => false,
        }
    }

    /// The value of a condition key when it does `operation`, empty when it has none; nothing for keys that are not known here.
    pub(super) fn condition(&self, key: &str, operation: &str) -> Option<String> {
        match key.to_ascii_lowercase().as_str() {
            "kms:calleraccount" => Some(self.account().to_owned()),
            "kms:viaservice" if self.through_ec2 => Some(format!("ec2.{}.amazonaws.com", self.scope.region)),
            // It belongs to requests for grants alone; EC2 makes them for what it attaches.
            "kms:grantisforawsresource" if operation == "CreateGrant" => Some(self.through_ec2.to_string()),
            "kms:viaservice" | "kms:grantisforawsresource" => Some(String::new()),
            _ => None,
        }
    }
}

/// The ARN of an account.
pub(super) fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Whether an ARN is that of somebody who can get a grant: an account, a user, a role, a session of a role, a federated user.
/// Whether there is such a one is not looked up.
pub(super) fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, resource] = parts[..] else { return false };
    let whose = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let filled = |rest: &str| rest.split('/').all(|part| !part.is_empty());
    let good = match (service, resource.split_once('/')) {
        ("iam", None) => resource == "root",
        ("iam", Some(("user" | "role", name))) | ("sts", Some(("federated-user", name))) => filled(name),
        ("sts", Some(("assumed-role", session))) => filled(session) && session.split('/').count() == 2,
        _ => false,
    };
    partition.starts_with("aws") && whose && good
}

/// The account of a principal's ARN.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::wire::RoleSession;

    const ROLE: &str = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";

    fn scope() -> Scope {
        Scope { account: "111122223333".into(), region: "eu-west-1".into() }
    }

    #[test]
    fn a_principal_is_its_account_itself_and_its_role() {
        let session = RoleSession { role: "deploy".into(), name: "s".into() };
        let caller = Caller { session: Some(session), ..Caller::of(scope(), time::OffsetDateTime::UNIX_EPOCH) };
        let session = Principal::of(&caller);
        for name in [
            "111122223333",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/deploy",
            "arn:aws:iam::111122223333:role/path/deploy",
            "arn:aws:sts::111122223333:assumed-role/deploy/s",
        ] {
            assert!(session.is(name), "{name}");
        }
        for name in [
            "444455556666",
            "arn:aws:iam::111122223333:role/other",
            "arn:aws:iam::444455556666:role/deploy",
            "arn:aws:iam::111122223333:user/deploy",
        ] {
            assert!(!session.is(name), "{name}");
        }
        let service = Principal::of_role(&scope(), ROLE);
        assert!(service.is(&format!("arn:aws:iam::111122223333:role/{ROLE}")));
        assert!(!service.is("arn:aws:iam::111122223333:role/AWSServiceRoleForAutoScaling"), "its path is known");
    }

    #[test]
    fn grants_go_to_principals_only() {
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/path/ada",
            &format!("arn:aws:iam::111122223333:role/{ROLE}"),
            "arn:aws:sts::111122223333:assumed-role/deploy/session",
            "arn:aws:sts::111122223333:federated-user/ada",
        ] {
            assert!(is_arn(arn), "{arn}");
            assert_eq!(account_of(arn), Some("111122223333"));
        }
        for text in [
            "111122223333",
            "*",
            "ec2.amazonaws.com",
            "arn:aws:iam::1111:root",
            "arn:aws:iam::111122223333:group/all",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:sts::111122223333:assumed-role/deploy",
            "arn:aws:s3:::bucket",
        ] {
            assert!(!is_arn(text), "{text}");
        }
    }
}
