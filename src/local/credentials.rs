//! Who calls: access keys that carry an account, and the scope of a request's signature.

use super::DEFAULT_ACCOUNT;
use super::wire::ServiceError;

/// Prefix of access key ids that carry an account: with the twelve digits they have the usual length of 20.
const KEY_PREFIX: &str = "AKIALOCL";

/// The same of temporary credentials, which begin with other letters on AWS, too.
const TEMPORARY_PREFIX: &str = "ASIALOCL";

/// Access key id and secret for `account`: calls signed with them are made by that account. Signatures are not verified,
/// so the secret is no secret.
#[must_use]
pub fn credentials(account: &str) -> (String, String) {
    (format!("{KEY_PREFIX}{account}"), "local-environment".to_owned())
}

/// Access key id and secret of the same form as a role's.
pub(super) fn temporary(account: &str) -> (String, String) {
    (format!("{TEMPORARY_PREFIX}{account}"), credentials(account).1)
}

/// The account that an access key id stands for.
fn account_of(key: &str) -> &str {
    key.strip_prefix(KEY_PREFIX)
        .or_else(|| key.strip_prefix(TEMPORARY_PREFIX))
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or(DEFAULT_ACCOUNT)
}

/// What a request's signature says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// Account of the access key.
    pub(super) account: String,
    /// Region of the credential scope.
    pub(super) region: String,
    /// Service of the credential scope.
    pub(super) service: String,
}

/// Reads `Authorization: AWS4-HMAC-SHA256 Credential=KEY/date/REGION/SERVICE/aws4_request, …`.
///
/// Only the header is read. A signature in the query string (a presigned URL) is refused on purpose: a web page could
/// make a browser send such a request to the loopback port, but it cannot make it send the header.
///
/// # Errors
/// The services' own codes for a request without, or with an unreadable, signature.
pub(super) fn signature(headers: &http::HeaderMap) -> Result<Signature, ServiceError> {
    let Some(header) = headers.get(http::header::AUTHORIZATION) else {
        return Err(ServiceError::new(
            403,
            "MissingAuthenticationToken",
            "Missing Authentication Token: the request has no Authorization header. The local environment takes any \
             credentials, but requests must be signed, because account, Region and service stand in the signature.",
        ));
    };
    header.to_str().ok().and_then(read).ok_or_else(|| {
        ServiceError::new(
            400,
            "IncompleteSignature",
            "The Authorization header cannot be read. Expected: AWS4-HMAC-SHA256 \
             Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=..., Signature=...",
        )
    })
}

fn read(header: &str) -> Option<Signature> {
    let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
    let scope = fields.split(',').find_map(|field| field.trim().strip_prefix("Credential="))?;
    // An access key id has no slash, but count from the right all the same: the scope is what has a fixed form.
    let mut parts = scope.rsplitn(5, '/');
    if parts.next()? != "aws4_request" {
        return None;
    }
    let (service, region, date, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if [service, region, date, key].iter().any(|part| part.is_empty()) {
        return None;
    }
    Some(Signature { account: account_of(key).to_owned(), region: region.to_owned(), service: service.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_scope(scope: &str) -> Option<Signature> {
        read(&format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=ab"))
    }

    #[test]
    fn keys_carry_the_account() {
        let (key, _) = credentials("111122223333");
        assert_eq!(key.len(), 20);
        let signature = read_scope(&format!("{key}/20260101/eu-west-1/ec2/aws4_request")).unwrap();
        assert_eq!(
            (&*signature.account, &*signature.region, &*signature.service),
            ("111122223333", "eu-west-1", "ec2")
        );
    }

    #[test]
    fn keys_of_roles_carry_the_account_too() {
        let signature =
            read_scope(&format!("{}/20260101/eu-west-1/ec2/aws4_request", temporary("111122223333").0)).unwrap();
        assert_eq!(signature.account, "111122223333");
    }

    #[test]
    fn other_keys_mean_the_default_account() {
        for key in ["AKIAIOSFODNN7EXAMPLE", "AKIALOCL1234", "AKIALOCL11112222333x"] {
            let signature = read_scope(&format!("{key}/20260101/us-east-1/ssm/aws4_request")).unwrap();
            assert_eq!(signature.account, DEFAULT_ACCOUNT);
        }
    }

    #[test]
    fn unreadable_signatures_are_refused() {
        for scope in ["", "K/20260101/us-east-1/ssm", "K/20260101//ssm/aws4_request", "/d/r/s/aws4_request"] {
            assert_eq!(read_scope(scope), None, "{scope}");
        }
        assert_eq!(read("Bearer Credential=K/d/r/s/aws4_request"), None);
        let mut headers = http::HeaderMap::new();
        assert_eq!(signature(&headers).unwrap_err().code, "MissingAuthenticationToken");
        headers.insert("authorization", "nonsense".parse().unwrap());
        assert_eq!(signature(&headers).unwrap_err().code, "IncompleteSignature");
    }
}
