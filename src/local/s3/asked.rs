//! What a request says.

use super::super::wire::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A request to S3.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a>(pub(super) &'a Value);

impl<'a> Asked<'a> {
    pub(super) fn bucket(self) -> &'a str {
        self.0["Bucket"].as_str().unwrap_or_default()
    }

    pub(super) fn key(self) -> &'a str {
        self.0["Key"].as_str().unwrap_or_default()
    }

    /// A header, by its name in small letters.
    pub(super) fn header(self, name: &str) -> Option<&'a str> {
        self.0["Headers"][name].as_str()
    }

    /// Headers whose names begin like this.
    pub(super) fn headers(self, begin: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.0["Headers"].as_object().into_iter().flatten();
        all.filter_map(move |(name, value)| {
            Some((name.as_str(), value.as_str()?)).filter(|(name, _)| name.starts_with(begin))
        })
    }

    /// A member of the query.
    pub(super) fn query(self, name: &str) -> Option<&'a str> {
        self.0["Query"][name].as_str()
    }

    /// The body as it came.
    pub(super) fn body(self) -> Vec<u8> {
        STANDARD.decode(self.0["Body"].as_str().unwrap_or_default()).unwrap_or_default()
    }

    /// Refuses what asks for a version or a part of an object.
    pub(super) fn whole(self) -> Result<(), ServiceError> {
        match ["versionId", "partNumber"].into_iter().find(|name| self.query(name).is_some()) {
            None => Ok(()),
            Some(name) => Err(lacks(&format!("`{name}`"))),
        }
    }
}

/// The error for a wish that S3 can fulfil and the local environment cannot.
pub(super) fn lacks(what: &str) -> ServiceError {
    ServiceError::new(501, "NotImplemented", format!("{what} is not in the local environment."))
}
