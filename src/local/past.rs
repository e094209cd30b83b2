//! What was a moment ago: EC2 is eventually consistent, and who reads may be behind who writes.
//!
//! With a lag set, every change of a document of EC2 keeps what was there before, and operations of EC2 that run
//! [behind] read what was there that long ago. Changes build on what is: none is lost.

use super::records::AMI;
use super::store::{Scope, StoreError};
use crate::clock::Clock;
use rusqlite::{Connection, OptionalExtension, params};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// A document as it was until a time (microseconds since 1970); no body: it was not there.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS past (
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, until INTEGER NOT NULL, body TEXT,
  PRIMARY KEY (account, region, kind, id, until)
) WITHOUT ROWID;
";

/// How far readers are behind.
#[derive(Debug, Clone)]
pub(super) struct Lag {
    pub(super) clock: Clock,
    pub(super) time: Duration,
}

impl Lag {
    /// The time, and that as of which readers see, in microseconds since 1970.
    pub(super) fn times(&self) -> (i64, i64) {
        let now = self.clock.now();
        (micros(now), micros(now - self.time))
    }
}

fn micros(at: OffsetDateTime) -> i64 {
    // Good until the year 294247.
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// Whether readers of documents of that kind can be behind: EC2's can.
pub(super) fn lags(kind: &str) -> bool {
    kind == AMI || kind.starts_with("ec2-")
}

thread_local! {
    static BEHIND: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` as one who is behind: what it reads of EC2 on this thread is what was there the lag ago.
pub(super) fn behind<T>(work: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            BEHIND.set(self.0);
        }
    }
    let _back = Back(BEHIND.replace(true));
    work()
}

/// Whether this thread is behind.
pub(super) fn is_behind() -> bool {
    BEHIND.get()
}

/// Keeps what is, because it is about to change; the first change of a moment counts. What nobody can see any more goes.
pub(super) fn keep(
    connection: &Connection,
    scope: &Scope,
    (kind, id): (&str, &str),
    (now, horizon): (i64, i64),
) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM past WHERE until<=?1")?.execute(params![horizon])?;
    let sql = "INSERT OR IGNORE INTO past VALUES (?1, ?2, ?3, ?4, ?5, \
               (SELECT body FROM document WHERE account=?1 AND region=?2 AND kind=?3 AND id=?4))";
    connection.prepare_cached(sql)?.execute(params![scope.account, scope.region, kind, id, now])?;
    Ok(())
}

/// What a document was at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// What it is now.
    Same,
    /// Not there.
    Nothing,
    /// With this body.
    Other(String),
}

/// The document at that time.
pub(super) fn of(
    connection: &Connection,
    scope: &Scope,
    (kind, id): (&str, &str),
    horizon: i64,
) -> Result<Then, StoreError> {
    let sql = "SELECT body FROM past WHERE account=?1 AND region=?2 AND kind=?3 AND id=?4 AND until>?5 ORDER BY until LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement
        .query_row(params![scope.account, scope.region, kind, id, horizon], |row| row.get::<_, Option<String>>(0));
    Ok(row.optional()?.map_or(Then::Same, |body| body.map_or(Then::Nothing, Then::Other)))
}

/// The documents at that time that have changed since: kind, id, and no body when it was not there.
pub(super) fn all(
    connection: &Connection,
    scope: &Scope,
    prefix: &str,
    horizon: i64,
) -> Result<Vec<(String, String, Option<String>)>, StoreError> {
    let sql = "SELECT kind, id, body, MIN(until) FROM past WHERE account=?1 AND region=?2 \
               AND substr(id, 1, length(?3))=?3 AND until>?4 GROUP BY kind, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![scope.account, scope.region, prefix, horizon], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The scopes that had documents of that kind and may have none any more.
pub(super) fn scopes(connection: &Connection, kind: &str, horizon: i64) -> Result<Vec<Scope>, StoreError> {
    let sql = "SELECT DISTINCT account, region FROM past WHERE kind=?1 AND until>?2 AND body IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map(params![kind, horizon], |row| Ok(Scope { account: row.get(0)?, region: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a document as it was in the place of what is.
pub(super) fn overlay<K: Ord>(rows: &mut BTreeMap<K, String>, key: K, body: Option<String>) {
    match body {
        Some(body) => drop(rows.insert(key, body)),
        None => drop(rows.remove(&key)),
    }
}
