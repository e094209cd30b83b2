//! Pictures of the whole database, for tests that try the same thing thousands of times: taking one, comparing two and
//! going back to one cost next to nothing, because rows that did not change are shared.

use super::store::{Scope, Store};
use rusqlite::{Connection, params};
use serde_json::Value;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a row is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) kind: String,
    pub(crate) id: String,
}

impl Key {
    pub(crate) fn new(scope: &Scope, kind: &str, id: &str) -> Self {
        let Scope { account, region } = scope.clone();
        Self { account, region, kind: kind.to_owned(), id: id.to_owned() }
    }
}

/// A document as it was at a time.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: Arc<Key>,
    body: String,
    print: u64,
    value: OnceLock<Value>,
}

impl Row {
    fn new(key: Arc<Key>, body: String) -> Self {
        let mut hasher = DefaultHasher::new();
        (&key, &body).hash(&mut hasher);
        Self { key, body, print: hasher.finish(), value: OnceLock::new() }
    }

    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    /// The document, read once however many pictures it is in.
    pub(crate) fn value(&self) -> &Value {
        self.value.get_or_init(|| serde_json::from_str(&self.body).unwrap())
    }
}

type Rows = BTreeMap<Arc<Key>, Arc<Row>>;

/// Everything that a database held at a time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    rows: Arc<Rows>,
    /// The sum of the rows' prints: equal pictures have equal ones.
    print: u64,
}

impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Row>, &Arc<Row>)| Arc::ptr_eq(a, b) || (a.key == b.key && a.body == b.body);
        Arc::ptr_eq(&self.rows, &other.rows)
            || (self.print == other.print
                && self.rows.len() == other.rows.len()
                && self.rows.values().zip(other.rows.values()).all(same))
    }
}

impl Picture {
    /// A number that tells pictures apart.
    pub(crate) fn print(&self) -> u64 {
        self.print
    }

    /// All rows, by account, Region, kind and id.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// The rows that are in one of the two pictures only, or differ, as they are in this one and in the other.
    pub(crate) fn differences<'a>(&'a self, other: &'a Self) -> Vec<(Option<&'a Row>, Option<&'a Row>)> {
        let (mut here, mut there) = (self.rows.values().peekable(), other.rows.values().peekable());
        let mut found = Vec::new();
        loop {
            let order = match (here.peek(), there.peek()) {
                (None, None) => return found,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {
                    here.next();
                    there.next();
                    continue;
                }
                (Some(a), Some(b)) => a.key.cmp(&b.key),
            };
            let one = if order == Ordering::Greater { None } else { here.next() };
            let two = if order == Ordering::Less { None } else { there.next() };
            if one.map(|row| &row.body) != two.map(|row| &row.body) {
                found.push((one.map(|row| &**row), two.map(|row| &**row)));
            }
        }
    }

    fn put(&mut self, key: Key, body: String) {
        if is_passing(&key) {
            return;
        }
        let rows = Arc::make_mut(&mut self.rows);
        let known = rows.get_key_value(&key).map(|(known, row)| (Arc::clone(known), row.body == body, row.print));
        let key = match known {
            Some((_, true, _)) => return,
            Some((known, false, print)) => {
                self.print = self.print.wrapping_sub(print);
                known
            }
            None => Arc::new(key),
        };
        let row = Row::new(Arc::clone(&key), body);
        self.print = self.print.wrapping_add(row.print);
        rows.insert(key, Arc::new(row));
    }

    fn delete(&mut self, key: &Key) {
        if let Some(row) = Arc::make_mut(&mut self.rows).remove(key) {
            self.print = self.print.wrapping_sub(row.print);
        }
    }
}

/// Whether a row is of no account: tokens that the SDK draws by chance for each call are never used again.
fn is_passing(key: &Key) -> bool {
    key.kind == "client-token" && key.id.starts_with("ModifyLaunchTemplate/")
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Changes(RefCell<Vec<(Key, Option<String>)>>);

impl Changes {
    pub(super) fn put(&self, scope: &Scope, kind: &str, id: &str, body: String) {
        self.0.borrow_mut().push((Key::new(scope, kind, id), Some(body)));
    }

    pub(super) fn delete(&self, scope: &Scope, kind: &str, id: &str) {
        self.0.borrow_mut().push((Key::new(scope, kind, id), None));
    }
}

/// The picture of now, once somebody has asked for one.
#[derive(Debug, Default)]
pub(super) struct Gallery(Mutex<Option<Picture>>);

impl Gallery {
    /// Follows what a transaction has changed.
    pub(super) fn apply(&self, changes: Changes) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(picture) = now.as_mut() else { return };
        for (key, body) in changes.0.into_inner() {
            match body {
                Some(body) => picture.put(key, body),
                None => picture.delete(&key),
            }
        }
    }
}

impl Store {
    /// Everything in it. From the first one on, what others write to the same file is not seen.
    pub(crate) fn picture(&self) -> Picture {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.gallery.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.get_or_insert_with(|| read(&connection).unwrap()).clone()
    }

    /// Puts everything back as it was: readers who are behind see it at once, too.
    pub(crate) fn restore(&self, then: &Picture) {
        let now = self.picture();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut connection, &now, then).unwrap();
        *self.gallery.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(then.clone());
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Picture> {
    let mut statement = connection.prepare_cached("SELECT account, region, kind, id, body FROM document")?;
    let mut rows = statement.query([])?;
    let mut picture = Picture::default();
    while let Some(row) = rows.next()? {
        let key = Key { account: row.get(0)?, region: row.get(1)?, kind: row.get(2)?, id: row.get(3)? };
        picture.put(key, row.get(4)?);
    }
    Ok(picture)
}

fn write(connection: &mut Connection, now: &Picture, then: &Picture) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.prepare_cached("DELETE FROM past")?.execute([])?;
    for (now, then) in now.differences(then) {
        let Some(Key { account, region, kind, id }) = then.or(now).map(|row| &*row.key) else { continue };
        match then {
            Some(then) => transaction
                .prepare_cached("INSERT OR REPLACE INTO document VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![account, region, kind, id, then.body])?,
            None => transaction
                .prepare_cached("DELETE FROM document WHERE account=?1 AND region=?2 AND kind=?3 AND id=?4")?
                .execute(params![account, region, kind, id])?,
        };
    }
    transaction.commit()
}

mod tests {
    use super::*;
    use crate::local::store::StoreError;

    fn put(store: &Store, id: &str, body: &str) {
        let scope = Scope { account: "1".into(), region: "r".into() };
        let done: Result<(), StoreError> = store.write(|tx| tx.put(&scope, "k", id, &body));
        done.unwrap();
    }

    fn get(store: &Store, id: &str) -> Option<String> {
        let scope = Scope { account: "1".into(), region: "r".into() };
        store.read(|tx| tx.get(&scope, "k", id)).unwrap()
    }

    #[test]
    fn a_picture_shows_what_was_and_the_store_goes_back_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        put(&store, "a", "1");
        let first = store.picture();
        put(&store, "a", "2");
        put(&store, "b", "3");
        let second = store.picture();
        assert!(first != second && first.print() != second.print());
        let told: Vec<_> = first.differences(&second).into_iter().map(|(a, b)| (a.is_some(), b.is_some())).collect();
        assert_eq!(told, [(true, true), (false, true)]);
        store.restore(&first);
        assert!(store.picture() == first);
        assert_eq!((get(&store, "a").as_deref(), get(&store, "b")), (Some("1"), None));
        store.restore(&second);
        assert_eq!((get(&store, "a").as_deref(), get(&store, "b").as_deref()), (Some("2"), Some("3")));
    }

    #[test]
    fn the_same_content_is_the_same_picture_and_what_failed_is_not_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        put(&store, "a", "1");
        let first = store.picture();
        put(&store, "a", "2");
        put(&store, "a", "1");
        let scope = Scope { account: "1".into(), region: "r".into() };
        let failed: Result<(), StoreError> = store.write(|tx| {
            tx.put(&scope, "k", "a", &"9")?;
            Err(rusqlite::Error::InvalidQuery.into())
        });
        failed.unwrap_err();
        assert!(store.picture() == first && store.picture().print() == first.print());
        let read_again = Store::open(&folder.path().join("db")).unwrap().picture();
        assert!(read_again == first, "what is followed is what is written");
    }
}
