//! State of the local environment: JSON documents in one SQLite file, keyed by account, Region, kind and id.
//!
//! SQLite and not redb, because two processes (a run and `local serve`) must share the file: SQLite's write-ahead log
//! with a busy timeout is made for that, redb locks the file for one process.

use super::past::{self, Lag, Then};
#[cfg(test)]
use super::picture::Changes;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where a document lives: account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Twelve digits; `*` for what belongs to no account (public parameters).
    pub account: String,
    /// Region name.
    pub region: String,
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused.
    #[error("the state database of the local environment: {0}")]
    Database(#[from] rusqlite::Error),
    /// The lock file could not be had.
    #[error("the state database of the local environment cannot be opened, because {path} cannot be locked: {source}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It could not be kept from other users of the machine.
    #[error("the state database of the local environment, {path}, cannot be made or kept from other users: {source}")]
    Private {
        /// The database.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A document in it does not have the expected form.
    #[error(
        "the state database of the local environment holds a {kind} `{id}` that this version cannot read: {source}"
    )]
    Document {
        /// Kind of the document.
        kind: String,
        /// Its id.
        id: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The state database. Every access is one transaction; writers queue across processes.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Mutex<Connection>,
    lag: Mutex<Option<Lag>>,
    #[cfg(test)]
    pub(super) gallery: super::picture::Gallery,
}

/// One transaction. Reads see its writes; dropped without [`Store::write`] returning `Ok`, nothing happened.
#[derive(Debug)]
pub struct Transaction<'a> {
    inner: rusqlite::Transaction<'a>,
    /// The time, and that as of which those read who are behind, where what is changed has to be kept for them.
    times: Option<(i64, i64)>,
    /// The time as of which it reads, for one who is behind.
    horizon: Option<i64>,
    #[cfg(test)]
    changes: Changes,
}

/// Statements that are kept ready: more than there are.
const STATEMENTS: usize = 64;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS document (
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (account, region, kind, id)
) WITHOUT ROWID;
";

impl Store {
    /// Opens the database at `path`, creating it when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened or is not such a database, or the lock file beside it cannot be locked.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Turning a new file into one with a write-ahead log is the one thing for which SQLite does not wait for its turn.
        let _turn = turn(&path.with_extension("lock"))?;
        make_private(path)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Without this every new bound of a range has its statement planned anew, a tenth of the time of a call.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch(past::SCHEMA)?;
        Ok(Self {
            connection: Mutex::new(connection),
            lag: Mutex::default(),
            #[cfg(test)]
            gallery: super::picture::Gallery::default(),
        })
    }

    /// Lets readers [behind](past::behind) see what was some time ago; `None` ends that.
    pub(super) fn set_lag(&self, lag: Option<Lag>) {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    /// That time, if there is one.
    pub(super) fn lag(&self) -> Option<Duration> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|lag| lag.time)
    }

    /// Runs `work` in a transaction that may write. Nothing is kept when it fails.
    ///
    /// # Errors
    /// What `work` returns, or a database error.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transact(TransactionBehavior::Immediate, work)
    }

    /// Runs `work` on one consistent view.
    ///
    /// # Errors
    /// What `work` returns, or a database error.
    pub fn read<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    fn transact<T, E: From<StoreError>>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic in another transaction has rolled that one back; the connection itself is sound.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(behavior).map_err(StoreError::from)?;
        let lag = self.lag.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let times = lag.map(|lag| lag.times());
        // Who changes something builds on what is; only who reads can be behind.
        let reads = matches!(behavior, TransactionBehavior::Deferred) && past::is_behind();
        let transaction = Transaction {
            inner: transaction,
            times,
            horizon: times.map(|(_, then)| then).filter(|_| reads),
            #[cfg(test)]
            changes: Changes::default(),
        };
        let value = work(&transaction)?;
        transaction.inner.commit().map_err(StoreError::from)?;
        #[cfg(test)]
        self.gallery.apply(transaction.changes);
        Ok(value)
    }
}

impl Transaction<'_> {
    /// The document of that kind and id.
    ///
    /// # Errors
    /// A database error, or a document that cannot be read.
    pub fn get<T: DeserializeOwned>(&self, scope: &Scope, kind: &str, id: &str) -> Result<Option<T>, StoreError> {
        if let Some(horizon) = self.horizon {
            match past::of(&self.inner, scope, (kind, id), horizon)? {
                Then::Same => {}
                Then::Nothing => return Ok(None),
                Then::Other(body) => return parse(kind, id, &body).map(Some),
            }
        }
        let body: Option<String> = self
            .inner
            .prepare_cached("SELECT body FROM document WHERE account=?1 AND region=?2 AND kind=?3 AND id=?4")?
            .query_row(params![scope.account, scope.region, kind, id], |row| row.get(0))
            .optional()?;
        body.map(|body| parse(kind, id, &body)).transpose()
    }

    /// All documents of that kind whose id starts with `prefix`, ordered by id.
    ///
    /// # Errors
    /// A database error, or a document that cannot be read.
    pub fn list<T: DeserializeOwned>(
        &self,
        scope: &Scope,
        kind: &str,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let mut documents = Vec::new();
        self.each(scope, kind, prefix, None, |id, value| {
            documents.push((id, value));
            ControlFlow::Continue(())
        })?;
        Ok(documents)
    }

    /// Hands over the documents that [`Transaction::list`] lists, one after the other, from the one that follows the id `after`, until
    /// `take` has enough: for lists of which only a part is kept.
    ///
    /// # Errors
    /// A database error, or a document that cannot be read.
    pub fn each<T: DeserializeOwned>(
        &self,
        scope: &Scope,
        kind: &str,
        prefix: &str,
        after: Option<&str>,
        mut take: impl FnMut(String, T) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut statement = self.inner.prepare_cached(
            "SELECT id, body FROM document WHERE account=?1 AND region=?2 AND kind=?3 AND id>=?4 AND id<?5 AND id>?6 ORDER BY id",
        )?;
        // Every id is behind the empty text.
        let (after, end) = (after.unwrap_or_default(), end_of(prefix));
        let mut rows = statement.query(params![scope.account, scope.region, kind, prefix, end, after])?;
        if let Some(horizon) = self.horizon.filter(|_| past::lags(kind)) {
            let mut then = rows.mapped(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<BTreeMap<_, _>, _>>()?;
            for (of, id, body) in past::all(&self.inner, scope, prefix, horizon)? {
                if of == kind {
                    past::overlay(&mut then, id, body);
                }
            }
            for (id, body) in then.into_iter().filter(|(id, _)| id.as_str() > after) {
                let value = parse(kind, &id, &body)?;
                if take(id, value).is_break() {
                    break;
                }
            }
            return Ok(());
        }
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            let value = parse(kind, &id, row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
            if take(id, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// All documents whose id starts with `prefix`, of whichever kind: kind, id and document, ordered by id and kind.
    /// For what works on every document alike, such as tags.
    ///
    /// # Errors
    /// A database error, or a document that cannot be read.
    pub fn list_any(
        &self,
        scope: &Scope,
        prefix: &str,
    ) -> Result<Vec<(String, String, serde_json::Value)>, StoreError> {
        let mut statement = self.inner.prepare_cached(
            "SELECT kind, id, body FROM document WHERE account=?1 AND region=?2 AND substr(id, 1, length(?3))=?3",
        )?;
        let rows = statement.query_map(params![scope.account, scope.region, prefix], |row| {
            Ok(((row.get::<_, String>(1)?, row.get::<_, String>(0)?), row.get::<_, String>(2)?))
        })?;
        let mut rows = rows.collect::<Result<BTreeMap<_, _>, _>>()?;
        if let Some(horizon) = self.horizon {
            for (kind, id, body) in past::all(&self.inner, scope, prefix, horizon)? {
                past::overlay(&mut rows, (id, kind), body);
            }
        }
        rows.into_iter()
            .map(|((id, kind), body)| {
                let value = parse(&kind, &id, &body)?;
                Ok((kind, id, value))
            })
            .collect()
    }

    /// Every scope that has documents of that kind, or had until just now.
    ///
    /// # Errors
    /// A database error.
    pub fn scopes(&self, kind: &str) -> Result<Vec<Scope>, StoreError> {
        let mut statement =
            self.inner.prepare_cached("SELECT DISTINCT account, region FROM document WHERE kind=?1 ORDER BY 1, 2")?;
        let rows = statement.query_map(params![kind], |row| Ok(Scope { account: row.get(0)?, region: row.get(1)? }))?;
        let mut scopes = rows.collect::<Result<Vec<_>, _>>()?;
        if let Some(horizon) = self.horizon {
            scopes.extend(past::scopes(&self.inner, kind, horizon)?);
            scopes.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
            scopes.dedup();
        }
        Ok(scopes)
    }

    /// Writes a document, replacing one of the same id.
    ///
    /// # Errors
    /// A database error.
    pub fn put<T: Serialize>(&self, scope: &Scope, kind: &str, id: &str, value: &T) -> Result<(), StoreError> {
        let body = serde_json::to_string(value).map_err(|source| StoreError::Document {
            kind: kind.to_owned(),
            id: id.to_owned(),
            source,
        })?;
        self.keep(scope, kind, id)?;
        self.inner.prepare_cached("INSERT OR REPLACE INTO document VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            scope.account,
            scope.region,
            kind,
            id,
            body
        ])?;
        #[cfg(test)]
        self.changes.put(scope, kind, id, body);
        Ok(())
    }

    /// Removes a document; whether there was one.
    ///
    /// # Errors
    /// A database error.
    pub fn delete(&self, scope: &Scope, kind: &str, id: &str) -> Result<bool, StoreError> {
        self.keep(scope, kind, id)?;
        let count = self
            .inner
            .prepare_cached("DELETE FROM document WHERE account=?1 AND region=?2 AND kind=?3 AND id=?4")?
            .execute(params![scope.account, scope.region, kind, id])?;
        #[cfg(test)]
        self.changes.delete(scope, kind, id);
        Ok(count > 0)
    }

    /// Keeps a document that is about to change, for those who are behind.
    fn keep(&self, scope: &Scope, kind: &str, id: &str) -> Result<(), StoreError> {
        match self.times {
            Some(times) if past::lags(kind) => past::keep(&self.inner, scope, (kind, id), times),
            _ => Ok(()),
        }
    }
}

/// A text that stands behind every id that starts with `prefix`, and before all that follow: no id has Unicode's last character.
fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// Makes the file if it is not there, readable by its user only: the secret behind the environment's keys is in it. SQLite gives
/// the files that it makes beside it the same permissions. One that belongs to another user is left as it is.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Private { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let own = mode & !0o077;
    if mode == own {
        return Ok(());
    }
    match file.set_permissions(Permissions::from_mode(own)) {
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Waits for the turn to open; it ends when the file is closed, at the latest with the process.
fn turn(path: &Path) -> Result<File, StoreError> {
    let locked = File::options().create(true).truncate(false).write(true).open(path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    locked.map_err(|source| StoreError::Lock { path: path.to_owned(), source })
}

fn parse<T: DeserializeOwned>(kind: &str, id: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Document {
        kind: kind.to_owned(),
        id: id.to_owned(),
        source,
    })
}
