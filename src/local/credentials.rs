//! Who calls: the environment's own keys, sessions of roles, and what a request's signature proves.
//!
//! One secret per state folder, made at random and kept in the state, is what all keys are derived from. An access key id of an
//! account carries its digits; a role's session has a token that carries who it is and until when, sealed with that secret, so
//! that no session has to be kept.

use super::sigv4::{self, Authorization, Flaw, hmac};
use super::store::{Scope, Store};
use super::wire::{Caller, RoleSession};
use super::{LocalError, random};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Prefix of access key ids of accounts: with the twelve digits they have the usual length of 20.
const KEY_PREFIX: &str = "AKIALOCL";
/// The same of temporary credentials, which begin with other letters on AWS, too.
const TEMPORARY_PREFIX: &str = "ASIA";
/// Kind and id of the document with the secret.
const SECRET: (&str, &str) = ("local-secret", "keys");
/// Hexadecimal digits of the secret.
const DIGITS: usize = 64;

/// The keys of an environment.
pub(super) struct Keys(String);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Temporary credentials.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: String,
}

/// What a session token carries.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    key: String,
    account: String,
    role: String,
    session: String,
    /// Seconds since 1970.
    until: i64,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denial {
    /// It has no signature.
    Missing,
    /// Its signature lacks something; says what.
    Incomplete(String),
    /// Its access key or session token is none of this environment.
    Unknown,
    /// The signature is not this request's with this key.
    Mismatch,
    /// It was signed at a time too far from now; says how far.
    Stale(String),
    /// Its session has ended.
    Expired,
}

impl From<Flaw> for Denial {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Missing => Self::Missing,
            Flaw::Incomplete(text) => Self::Incomplete(text),
            Flaw::Mismatch => Self::Mismatch,
        }
    }
}

impl Keys {
    /// The keys of a state; made when it has none yet.
    ///
    /// # Errors
    /// When the state cannot be read or written, or there are no random numbers.
    pub(super) fn of(store: &Store) -> Result<Self, LocalError> {
        let nobody = Scope { account: "*".to_owned(), region: "*".to_owned() };
        let (kind, id) = SECRET;
        store.write(|tx| {
            if let Some(secret) = tx.get::<String>(&nobody, kind, id)? {
                return Ok(Self(secret));
            }
            let secret = random::hex(DIGITS).map_err(|error| LocalError::Machine(error.message))?;
            tx.put(&nobody, kind, id, &secret)?;
            Ok(Self(secret))
        })
    }

    /// Keys that are the same in every environment, so that unit tests can sign before there is one.
    #[cfg(test)]
    pub(super) fn known() -> Self {
        Self("known".to_owned())
    }

    /// Access key id and secret of an account.
    pub(super) fn account(&self, account: &str) -> (String, String) {
        let key = format!("{KEY_PREFIX}{account}");
        let secret = self.secret(&key);
        (key, secret)
    }

    /// Credentials of a role's session.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub(super) fn session(
        &self,
        account: &str,
        session: &RoleSession,
        until: OffsetDateTime,
    ) -> Result<Temporary, super::wire::ServiceError> {
        let key = format!("{TEMPORARY_PREFIX}{}", random::hex(16)?.to_ascii_uppercase());
        let token = Token {
            key: key.clone(),
            account: account.to_owned(),
            role: session.role.clone(),
            session: session.name.clone(),
            until: until.unix_timestamp(),
        };
        let text = serde_json::json!(token).to_string();
        let seal = hmac(self.0.as_bytes(), text.as_bytes());
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(seal));
        Ok(Temporary { secret: self.secret(&key), key, token })
    }

    /// The secret that belongs to an access key id: 40 characters, as on AWS.
    fn secret(&self, key: &str) -> String {
        URL_SAFE_NO_PAD.encode(&hmac(self.0.as_bytes(), format!("secret of {key}").as_bytes())[..30])
    }

    /// What a session token carries, if this environment has made it.
    fn opened(&self, token: &str) -> Option<Token> {
        let (text, seal) = token.split_once('.')?;
        let (text, seal) = (URL_SAFE_NO_PAD.decode(text).ok()?, URL_SAFE_NO_PAD.decode(seal).ok()?);
        if !sigv4::is_mac(self.0.as_bytes(), &text, &seal) {
            return None;
        }
        serde_json::from_slice(&text).ok()
    }

    /// Who has made a request, proved by its signature.
    ///
    /// # Errors
    /// Why nobody has.
    pub(super) fn caller<B: AsRef<[u8]>>(
        &self,
        authorization: &Authorization,
        request: &Request<B>,
        now: OffsetDateTime,
    ) -> Result<Caller, Denial> {
        let key = authorization.key.as_str();
        let token = request.headers().get("x-amz-security-token");
        let (account, session) = match (key.strip_prefix(KEY_PREFIX), token) {
            (Some(account), None) if is_account(account) => (account.to_owned(), None),
            (None, Some(token)) => {
                let token = token.to_str().ok().and_then(|token| self.opened(token)).filter(|token| token.key == key);
                let token = token.ok_or(Denial::Unknown)?;
                if token.until <= now.unix_timestamp() {
                    return Err(Denial::Expired);
                }
                (token.account, Some(RoleSession { role: token.role, name: token.session }))
            }
            _ => return Err(Denial::Unknown),
        };
        authorization.verify(request, &self.secret(key))?;
        let scope = Scope { account, region: authorization.region.clone() };
        Ok(Caller { scope, now, session })
    }
}

fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

/// Access key id and secret for `account` in environments of unit tests.
#[cfg(test)]
#[must_use]
pub fn credentials(account: &str) -> (String, String) {
    Keys::known().account(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn signed(key: &str, secret: &str, token: Option<&str>) -> Request<Bytes> {
        let mut request = Request::post("/").body(Bytes::from_static(b"{}")).unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("x-amz-security-token", token.parse().unwrap());
        }
        sigv4::sign(&mut request, (key, secret), ("eu-west-1", "ec2"), NOW);
        request
    }

    fn caller(keys: &Keys, request: &Request<Bytes>, now: OffsetDateTime) -> Result<Caller, Denial> {
        keys.caller(&Authorization::of(request.headers()).unwrap(), request, now)
    }

    fn role() -> RoleSession {
        RoleSession { role: "deploy".into(), name: "amiforge".into() }
    }

    #[test]
    fn keys_carry_the_account_and_are_of_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| Store::open(&folder.path().join(name)).unwrap();
        let (first, second) = (Keys::of(&store("a")).unwrap(), Keys::of(&store("b")).unwrap());
        let (key, secret) = first.account("111122223333");
        assert_eq!((key.len(), secret.len()), (20, 40));
        assert_eq!(Keys::of(&store("a")).unwrap().account("111122223333"), (key.clone(), secret.clone()));
        assert_ne!(second.account("111122223333").1, secret);
        let request = signed(&key, &secret, None);
        let who = caller(&first, &request, NOW).unwrap();
        assert_eq!((&*who.scope.account, &*who.scope.region, who.session), ("111122223333", "eu-west-1", None));
        assert_eq!(caller(&second, &request, NOW), Err(Denial::Mismatch));
        // The secret of one account opens no other.
        let request = signed(&first.account("444455556666").0, &secret, None);
        assert_eq!(caller(&first, &request, NOW), Err(Denial::Mismatch));
    }

    #[test]
    fn the_secret_is_its_users_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        Keys::of(&Store::open(&path).unwrap()).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        Store::open(&path).unwrap();
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn foreign_keys_are_unknown() {
        let keys = Keys::known();
        for key in ["AKIAIOSFODNN7EXAMPLE", "AKIALOCL1234", "AKIALOCL11112222333x", "ASIA0123456789ABCDEF"] {
            assert_eq!(caller(&keys, &signed(key, "secret", None), NOW), Err(Denial::Unknown), "{key}");
        }
    }

    #[test]
    fn a_session_is_its_roles_until_it_ends() {
        let keys = Keys::known();
        let until = NOW + time::Duration::hours(1);
        let Temporary { key, secret, token } = keys.session("111122223333", &role(), until).unwrap();
        let request = signed(&key, &secret, Some(&token));
        let who = caller(&keys, &request, NOW).unwrap();
        assert_eq!((&*who.scope.account, who.session), ("111122223333", Some(role())));
        assert_eq!(caller(&keys, &request, until), Err(Denial::Expired));
        assert_eq!(caller(&keys, &signed(&key, "other", Some(&token)), NOW), Err(Denial::Mismatch));
    }

    #[test]
    fn a_token_that_was_changed_is_none() {
        let keys = Keys::known();
        let made = keys.session("111122223333", &role(), NOW + time::Duration::hours(1)).unwrap();
        let other = keys.session("444455556666", &role(), NOW + time::Duration::hours(1)).unwrap();
        let (_, seal) = made.token.split_once('.').unwrap();
        let (text, _) = other.token.split_once('.').unwrap();
        for token in ["", "x", &format!("{text}.{seal}"), &other.token] {
            assert_eq!(
                caller(&keys, &signed(&made.key, &made.secret, Some(token)), NOW),
                Err(Denial::Unknown),
                "{token}"
            );
        }
        // A long-lived key goes with no token.
        let (key, secret) = keys.account("111122223333");
        assert_eq!(caller(&keys, &signed(&key, &secret, Some(&made.token)), NOW), Err(Denial::Unknown));
    }
}
