//! What an operation sees of a request and answers: parsed parameters in, a value or a service error out.

use super::store::{Scope, StoreError};

/// An error as the service answers it. Each protocol renders it its own way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// Error code, for example `InvalidAMIID.NotFound`.
    pub code: String,
    /// Message.
    pub message: String,
}

impl ServiceError {
    /// An error with that status, code and message.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// An error that is the caller's (HTTP 400).
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::new(500, "InternalFailure", error.to_string())
    }
}

/// Who calls, where: taken from the request's signature scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account and Region.
    pub scope: Scope,
    /// The time of the request.
    pub now: time::OffsetDateTime,
    /// The role in whose name the call is made, if it is.
    pub session: Option<RoleSession>,
}

/// A session of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// Name of the role, without path.
    pub role: String,
    /// Name of the session.
    pub name: String,
}

impl Caller {
    /// The account itself.
    #[must_use]
    pub fn of(scope: Scope, now: time::OffsetDateTime) -> Self {
        Self { scope, now, session: None }
    }

    /// The ARN under which its calls are recorded (`createdBy`, `LastModifiedUser`).
    #[must_use]
    pub fn principal(&self) -> String {
        let account = &self.scope.account;
        match &self.session {
            None => user(account),
            Some(RoleSession { role, name }) => format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        }
    }
}

/// The ARN of the one user of an account.
#[must_use]
pub fn user(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/local")
}

/// One operation of a service. The request is JSON in the service's own wire names: the body of rest-json and awsJson1.1
/// (rest-json query and path parameters merged in); for EC2 the query string unflattened (`Filter.1.Value.2=x` becomes
/// `{"Filter":[{"Value":[…,"x"]}]}`). The answer is JSON in wire names; for EC2 it is rendered as XML, arrays as `<item>`s.
pub type Operation = fn(&super::Local, &Caller, &serde_json::Value) -> Result<serde_json::Value, ServiceError>;
