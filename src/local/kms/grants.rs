//! The operations on grants. They hold at once: a grant token is needed by nobody but `RetireGrant`.

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::grant::{Grant, Token};
use super::key::Key;
use super::material::Spec;
use super::policy::{self, Verdict};
use super::principal::{Principal, account_of, is_arn};
use super::{dry, find, input};
use serde_json::{Value, json};

/// What a grant can allow, whatever the key is for.
const MANAGING: [&str; 3] = ["CreateGrant", "RetireGrant", "DescribeKey"];
/// The same for keys that encrypt.
const ENCRYPTING: [&str; 8] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];
/// The same for keys that sign.
const SIGNING: [&str; 3] = ["GetPublicKey", "Sign", "Verify"];
/// The same for keys that the local environment does not have.
const OF_OTHERS: [&str; 3] = ["DeriveSharedSecret", "GenerateMac", "VerifyMac"];
/// Grants of a key.
const MOST: usize = 50_000;
/// Pairs of a constraint.
const MOST_PAIRS: usize = 8;
const CONSTRAINTS: [&str; 2] = ["EncryptionContextEquals", "EncryptionContextSubset"];

/// What `CreateGrant` asks for.
struct Asked<'a> {
    key: &'a str,
    name: Option<&'a str>,
    grantee: &'a str,
    retiring: Option<&'a str>,
    operations: Vec<&'a str>,
    constraints: Value,
    dry: bool,
}

impl<'a> Asked<'a> {
    fn parse(input: &Input<'a>) -> Result<Self, ServiceError> {
        let name = input.limited("Name", 1..=256)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":/_-".contains(c);
        if name.is_some_and(|name| !name.chars().all(allowed)) {
            return Err(input.invalid("Name", "It must match the pattern ^[a-zA-Z0-9:/_-]+$."));
        }
        for token in input.texts("GrantTokens")? {
            Token::read(token)?;
        }
        let grantee = principal(input, "GranteePrincipal")?.ok_or_else(|| input.missing("GranteePrincipal"))?;
        Ok(Self {
            key: input.required("KeyId")?,
            name,
            grantee,
            retiring: principal(input, "RetiringPrincipal")?,
            operations: operations(input)?,
            constraints: constraints(input)?,
            dry: input.flag("DryRun")?.unwrap_or(false),
        })
    }

    /// Refuses what the key is not for.
    fn fits(&self, key: &Key) -> Result<(), ServiceError> {
        let refused = |text: String| Err(ServiceError::client("ValidationException", text));
        let own: &[&str] = if key.spec == Spec::Symmetric { &ENCRYPTING } else { &SIGNING };
        let wrong = self.operations.iter().find(|one| !own.contains(one) && !MANAGING.contains(one));
        if let Some(wrong) = wrong {
            let usage = key.spec.usage();
            return refused(format!("The operation {wrong} is not valid for {}, whose usage is {usage}.", key.arn()));
        }
        if !self.constraints.is_null() && key.spec != Spec::Symmetric {
            return refused(format!("Grant constraints are not valid for {}: it does not encrypt.", key.arn()));
        }
        Ok(())
    }

    fn grant(&self, caller: &Caller, key: &Key) -> Result<Grant, ServiceError> {
        Ok(Grant {
            id: Grant::new_id()?,
            key: key.id.clone(),
            name: self.name.map(str::to_owned),
            grantee: self.grantee.to_owned(),
            retiring: self.retiring.map(str::to_owned),
            operations: self.operations.iter().map(|one| (*one).to_owned()).collect(),
            constraints: self.constraints.clone(),
            issuer: caller.scope.account.clone(),
            created_at: caller.now.unix_timestamp(),
        })
    }
}

/// A member that is the ARN of a principal.
fn principal<'a>(input: &Input<'a>, name: &str) -> Result<Option<&'a str>, ServiceError> {
    let Some(text) = input.limited(name, 1..=256)? else { return Ok(None) };
    if !text.chars().all(|c| c.is_alphanumeric() || "_+=,.@:/-".contains(c)) {
        return Err(input.invalid(name, "It must match the pattern ^[\\w+=,.@:/-]+$."));
    }
    if is_arn(text) {
        return Ok(Some(text));
    }
    Err(ServiceError::client("InvalidArnException", format!("ARN does not refer to a valid principal: {text}")))
}

/// The operations, each once.
fn operations<'a>(input: &Input<'a>) -> Result<Vec<&'a str>, ServiceError> {
    let mut found: Vec<&str> = Vec::new();
    for one in input.texts("Operations")? {
        let known = [&MANAGING[..], &ENCRYPTING, &SIGNING, &OF_OTHERS].concat();
        if !known.contains(&one) {
            return Err(input.invalid("Operations", &format!("`{one}` is not one of: {}.", known.join(", "))));
        }
        if !found.contains(&one) {
            found.push(one);
        }
    }
    if found.is_empty() { Err(input.missing("Operations")) } else { Ok(found) }
}

fn constraints(input: &Input<'_>) -> Result<Value, ServiceError> {
    let Some(given) = input.object("Constraints")? else { return Ok(Value::Null) };
    let mut read = json!({});
    for name in CONSTRAINTS {
        let pairs = given.map(name)?;
        if pairs.len() > MOST_PAIRS {
            return Err(
                given.invalid(name, &format!("It has {} pairs; at most {MOST_PAIRS} are allowed.", pairs.len()))
            );
        }
        if !pairs.is_empty() {
            read[name] = json!(pairs);
        }
    }
    Ok(if read == json!({}) { Value::Null } else { read })
}

/// `CreateGrant`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let asked = Asked::parse(&input(request))?;
    local.store.write(|tx| {
        let key = find::by_id(tx, caller, asked.key, "CreateGrant")?;
        key.usable()?;
        asked.fits(&key)?;
        let known = Grant::of_key(tx, &key)?;
        covered(caller, &key, &known, &asked)?;
        let grant = asked.grant(caller, &key)?;
        // With a name, a request that is repeated gives the same grant.
        let same = known.iter().find(|one| grant.name.is_some() && one.is_same(&grant));
        if same.is_none() && known.len() >= MOST {
            let text = format!("{} has {MOST} grants already.", key.arn());
            return Err(ServiceError::client("LimitExceededException", text));
        }
        if asked.dry {
            return Err(dry());
        }
        if same.is_none() {
            grant.put(tx, &key.scope())?;
        }
        let grant = same.unwrap_or(&grant);
        Ok(json!({ "GrantId": grant.id, "GrantToken": Token::of(&key.scope(), grant)? }))
    })
}

/// Refuses a grant that allows more than the one by which its maker may make it.
fn covered(caller: &Caller, key: &Key, known: &[Grant], asked: &Asked<'_>) -> Result<(), ServiceError> {
    let who = Principal::of(caller);
    if policy::verdict(&key.policy, &who, "CreateGrant") == Verdict::Allowed {
        return Ok(());
    }
    let mut own = known.iter().filter(|one| one.opens(&who, "CreateGrant"));
    let covers = |one: &Grant| asked.operations.iter().all(|wanted| one.operations.iter().any(|has| has == wanted));
    if own.any(covers) { Ok(()) } else { Err(find::denied(&who, &key.arn(), "CreateGrant")) }
}

/// Most rows of a page, and how many there are when nothing is said.
const PAGE: (i64, usize) = (100, 50);

/// `ListGrants`: those of a key.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (name, id) = (input.required("KeyId")?, input.limited("GrantId", 1..=128)?);
    let grantee = input.limited("GranteePrincipal", 1..=256)?;
    let size = input.page_size("Limit", 1..=PAGE.0, PAGE.1)?;
    let rows = local.store.read(|tx| {
        let key = find::by_id(tx, caller, name, "ListGrants")?;
        let all = Grant::of_key(tx, &key)?;
        let wanted = |grant: &&Grant| {
            id.is_none_or(|id| id == grant.id) && grantee.is_none_or(|grantee| grantee == grant.grantee)
        };
        let row = |grant: &Grant| (grant.id.clone(), grant.entry(&key.scope()));
        Ok::<_, ServiceError>(all.iter().filter(wanted).map(row).collect())
    })?;
    answer(&input, "ListGrants", size, rows)
}

/// `ListRetirableGrants`: those that a principal of the caller's account is to retire, whoever has the key.
pub(super) fn list_retirable(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let retiring = principal(&input, "RetiringPrincipal")?.ok_or_else(|| input.missing("RetiringPrincipal"))?;
    let size = input.page_size("Limit", 1..=PAGE.0, PAGE.1)?;
    if account_of(retiring) != Some(&caller.scope.account) {
        return Err(find::denied(&Principal::of(caller), retiring, "ListRetirableGrants"));
    }
    let mut rows: Vec<(String, Value)> = local.store.read(|tx| {
        let all = Grant::all(tx, &caller.scope.region)?;
        let wanted = all.iter().filter(|(_, grant)| grant.retiring.as_deref() == Some(retiring));
        let row = |(scope, grant): &(Scope, Grant)| {
            (format!("{}:{}:{}", scope.account, grant.key, grant.id), grant.entry(scope))
        };
        Ok::<_, ServiceError>(wanted.map(row).collect())
    })?;
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    answer(&input, "ListRetirableGrants", size, rows)
}

fn answer(input: &Input<'_>, operation: &str, size: usize, rows: Vec<(String, Value)>) -> Result<Value, ServiceError> {
    let (grants, next) = paging::page(input, operation, size, rows)?;
    let mut answer = json!({ "Grants": grants, "Truncated": next.is_some() });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    Ok(answer)
}

/// `RevokeGrant`: the grant ends; who owns the key decides that.
pub(super) fn revoke(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let (name, id) = (input.required("KeyId")?, input.required("GrantId")?);
    let is_dry = input.flag("DryRun")?.unwrap_or(false);
    local.store.write(|tx| {
        let key = find::by_id(tx, caller, name, "RevokeGrant")?;
        let grant = Grant::find(tx, &key.scope(), &key.id, id)?;
        if is_dry {
            return Err(dry());
        }
        Ok(grant.delete(tx, &key.scope())?)
    })?;
    Ok(json!({}))
}

/// `RetireGrant`: who has the grant, or is named for it, does not need it any more.
pub(super) fn retire(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let token = input.limited("GrantToken", 1..=8192)?;
    let (name, id) = (input.limited("KeyId", 1..=2048)?, input.limited("GrantId", 1..=128)?);
    let is_dry = input.flag("DryRun")?.unwrap_or(false);
    let who = Principal::of(caller);
    local.store.write(|tx| {
        let (scope, grant) = match (token, name, id) {
            (Some(token), None, None) => by_token(tx, caller, token)?,
            (None, Some(name), Some(id)) => {
                let (scope, key) = find::by_arn(&caller.scope, name)?;
                let grant = Grant::find(tx, &scope, &key, id)?;
                (scope, grant)
            }
            _ => {
                let text = "You must specify either a grant token, or a key ARN and a grant ID.";
                return Err(ServiceError::client("ValidationException", text));
            }
        };
        if !grant.is_retired_by(&who) {
            let key = super::key::arn(&scope, &format!("key/{}", grant.key));
            return Err(find::denied(&who, &key, "RetireGrant"));
        }
        if is_dry {
            return Err(dry());
        }
        Ok(grant.delete(tx, &scope)?)
    })?;
    Ok(json!({}))
}

fn by_token(tx: &Transaction<'_>, caller: &Caller, token: &str) -> Result<(Scope, Grant), ServiceError> {
    let Token { scope, key, grant } = Token::read(token)?;
    if scope.region != caller.scope.region {
        let text = format!("The grant token is of the Region {}.", scope.region);
        return Err(ServiceError::client("InvalidGrantTokenException", text));
    }
    let grant = Grant::find(tx, &scope, &key, &grant)?;
    Ok((scope, grant))
}
