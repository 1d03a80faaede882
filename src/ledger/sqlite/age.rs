//! What the ledger says of itself, for [`crate::ledger::Age`]: which one it is, and how far it has come.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::Connection;

use super::instant::instant;
use super::{calendars, open, schema};
use crate::ledger::{About, Age, LedgerError, Mark, MarkFile, Result};
use crate::model::State;

/// Which ledger it is, and its last intent: one look at one moment.
const MARK: &str = "SELECT (SELECT value FROM meta WHERE key = 'instance'), seq, at
     FROM (SELECT 1) LEFT JOIN (SELECT seq, at FROM intents ORDER BY seq DESC LIMIT 1)";

/// How far the ledger has come.
pub(super) fn mark(conn: &Connection) -> Result<Mark> {
    let (instance, sequence, at): (String, Option<i64>, Option<i64>) =
        conn.prepare_cached(MARK)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let sequence = sequence.and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or(0);
    Ok(Mark { instance, sequence, at: at.map(instant).transpose()? })
}

/// Adopts the ledger. From here on it is another one: what it was a copy of knows nothing of what is sent now.
pub(super) fn adopt(conn: &Connection, now: DateTime<Utc>) -> Result<Mark> {
    calendars::adopt(conn, now)?;
    conn.prepare_cached("UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'instance'")?.execute([])?;
    mark(conn)
}

/// This machine knows the ledger from now on, also one that was written before there were marks, and one that took the
/// place of another from which nothing was sent.
pub(super) fn meet(conn: &Connection, file: &MarkFile) -> Result<()> {
    let (seen, found) = (file.read(), mark(conn)?);
    if found.sequence > 0
        && seen.as_ref().is_none_or(|seen| seen.instance != found.instance)
        && Age::of(seen, found.clone()) == Age::Current
        && let Err(error) = file.replace(&found)
    {
        tracing::warn!(mark = %file.path().display(), %error, "what was seen of the ledger cannot be kept");
    }
    Ok(())
}

/// Raises this machine's mark after each commit that holds an intent.
pub(super) fn watch(file: Arc<MarkFile>) -> impl FnMut(&Connection) + Send {
    let mut seen = 0;
    move |conn| {
        let raised = mark(conn).and_then(|mark| {
            if mark.sequence > seen {
                file.raise(&mark).map_err(|error| LedgerError::Storage(error.to_string()))?;
                seen = mark.sequence;
            }
            Ok(())
        });
        if let Err(error) = raised {
            // It is what notices a restored backup, not what makes a call safe.
            tracing::warn!(mark = %file.path().display(), %error, "what was seen of the ledger cannot be kept");
        }
    }
}

/// The file, and what is in it.
pub(super) fn about(conn: &Connection, path: &Path) -> Result<About> {
    let mut about = About::new("SQLite", path.display().to_string());
    about.bytes = open::size(path);
    if about.bytes.is_none() {
        return Ok(about);
    }
    about.version = schema::version(conn)?;
    let mut statement = conn.prepare_cached("SELECT state, count(*) FROM deliveries GROUP BY state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (word, count): (String, i64) = (row.get(0)?, row.get(1)?);
        let state = State::parse(&word).ok_or_else(|| {
            LedgerError::Corrupt(format!("the ledger holds a state that smm does not know: `{word}`"))
        })?;
        about.states.insert(state, u64::try_from(count).unwrap_or(0));
    }
    Ok(about)
}

#[cfg(test)]
mod tests {
    use super::super::SqliteLedger;
    use crate::ledger::{Age, Ledger, Mark, MarkFile, OpenMode, Query, Write, Written, with_ending};
    use crate::model::{
        AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin, PostId,
        State,
    };

    use std::path::{Path, PathBuf};

    use chrono::{DateTime, TimeDelta, Utc};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a time")
    }

    fn open(path: &Path) -> SqliteLedger {
        SqliteLedger::open(path, OpenMode::ReadWrite).expect("a ledger")
    }

    async fn put(ledger: &SqliteLedger, row: &Delivery) {
        let event = Event {
            at: row.due,
            delivery: row.id,
            kind: "intent".to_owned(),
            state: row.state,
            detail: String::new(),
            actor: "test".to_owned(),
        };
        assert_eq!(ledger.write(&[Write::new(row.clone(), row.version, event)]).await, Ok(vec![Written::Done]));
    }

    /// Begins to send a post.
    async fn send(ledger: &SqliteLedger, post: &str) {
        let (calendar, id, account) = (CalendarName::new("acme"), PostId::new(post), AccountName::new("fedi"));
        let occurrence = OccurrenceName::once(&id);
        let (due, late) = (at(0), Late::default());
        let origin = Origin::Calendar;
        let mut row =
            Delivery::planned(calendar, id, occurrence, account, "some-network", origin, due, due.naive_utc(), late);
        row.state = State::Sending;
        row.attempts = 1;
        row.intent = Some(Box::new(Intent {
            frozen: Frozen { part: 0, key: post.to_owned(), request: serde_json::Value::Null },
            binding: Binding {
                network: "some-network".to_owned(),
                host: "https://fedi.example".to_owned(),
                uid: "1".to_owned(),
                handle: "@acme".to_owned(),
            },
            attempt: 1,
            first_at: due,
            at: due,
        }));
        put(ledger, &row).await;
    }

    /// Copies ledger and log as they are at this moment.
    fn copy(from: &Path, to: &Path, log: bool) {
        std::fs::copy(from, to).expect("a copy");
        let (from, to) = (with_ending(from, "-wal"), with_ending(to, "-wal"));
        if log && from.exists() {
            std::fs::copy(from, to).expect("a copy");
        }
    }

    fn restore(from: &Path, to: &Path) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(to, ending));
        }
        copy(from, to, true);
    }

    fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, copy) = (folder.path().join("ledger.db"), folder.path().join("copy.db"));
        (folder, path, copy)
    }

    #[tokio::test]
    async fn a_restored_copy_is_older_until_it_is_adopted() {
        for log in [true, false] {
            let (_folder, path, backup) = places();
            let ledger = open(&path);
            send(&ledger, "one").await;
            if !log {
                // What is in the log alone is not in the copy: it is made part of the file.
                drop(ledger);
                drop(open(&path));
            }
            copy(&path, &backup, log);
            let ledger = open(&path);
            assert_eq!(ledger.age().await, Ok(Age::Current));
            send(&ledger, "two").await;
            send(&ledger, "three").await;
            assert_eq!(ledger.age().await, Ok(Age::Current));
            drop(ledger);

            restore(&backup, &path);
            let ledger = open(&path);
            let Ok(Age::Older { seen, found }) = ledger.age().await else { panic!("not noticed, log: {log}") };
            assert_eq!((seen.sequence, found.sequence, seen.instance == found.instance), (3, 1, true));
            assert_eq!((seen.at, found.at), (Some(at(0)), Some(at(0))));
            let lock = ledger.lock("smm daemon").await.expect("the lock is to be had");
            // A command that writes, and another start, do not make it current.
            send(&ledger, "four").await;
            drop(lock);
            drop(ledger);
            let ledger = open(&path);
            assert!(matches!(ledger.age().await, Ok(Age::Older { .. })));
            let reader = SqliteLedger::open(&path, OpenMode::ReadOnly).expect("a reader");
            assert!(matches!(reader.age().await, Ok(Age::Older { .. })), "readers know it too");

            ledger.adopt(at(60)).await.expect("adopted");
            assert_eq!(ledger.age().await, Ok(Age::Current));
            assert_eq!(reader.age().await, Ok(Age::Current));
            let calendar = ledger.calendar(&CalendarName::new("never-seen")).await.expect("a record");
            assert_eq!(calendar.adopted, Some(at(60)));
            ledger.adopt(at(60) - TimeDelta::hours(1)).await.expect("adopted");
            let calendar = ledger.calendar(&CalendarName::new("acme")).await.expect("a record");
            assert_eq!(calendar.adopted, Some(at(60)), "never earlier");
            send(&ledger, "five").await;
            assert_eq!(ledger.age().await, Ok(Age::Current));
            drop((ledger, reader));
            // The copy, and whatever else was before the adoption, is older than what was adopted.
            restore(&backup, &path);
            assert!(matches!(open(&path).age().await, Ok(Age::Older { .. })));
        }
    }

    #[tokio::test]
    async fn another_ledger_under_the_same_name_is_older() {
        let (_folder, path, _) = places();
        let ledger = open(&path);
        let lock = ledger.lock("smm publish").await.expect("a lock");
        drop((lock, ledger));
        // Nothing was ever sent from the first one: there is nothing to miss.
        std::fs::remove_file(&path).expect("removed");
        let ledger = open(&path);
        assert_eq!(ledger.age().await, Ok(Age::Current));
        send(&ledger, "one").await;
        drop(ledger);
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_ending(&path, ending));
        }
        let reader = SqliteLedger::open(&path, OpenMode::ReadOnly).expect("a reader");
        assert!(matches!(reader.age().await, Ok(Age::Older { .. })), "there is none at all");
        let ledger = open(&path);
        for post in ["two", "three", "four"] {
            send(&ledger, post).await;
        }
        let Ok(Age::Older { seen, found }) = ledger.age().await else { panic!("not noticed") };
        assert_ne!(seen.instance, found.instance);
    }

    #[tokio::test]
    async fn a_ledger_from_before_there_were_marks_is_known_from_the_first_lock_on() {
        let (_folder, path, backup) = places();
        let mark = MarkFile::new(with_ending(&path, ".mark"));
        let ledger = open(&path);
        send(&ledger, "one").await;
        copy(&path, &backup, true);
        send(&ledger, "two").await;
        drop(ledger);
        std::fs::remove_file(mark.path()).expect("removed");
        let ledger = open(&path);
        assert_eq!(ledger.age().await, Ok(Age::Current));
        drop(ledger.lock("smm publish").await.expect("a lock"));
        drop(ledger);
        assert!(matches!(mark.read(), Some(Mark { sequence: 2, .. })));
        restore(&backup, &path);
        assert!(matches!(open(&path).age().await, Ok(Age::Older { .. })));
    }

    #[tokio::test]
    async fn what_a_mark_says_is_never_ahead_of_the_ledger() {
        let (_folder, path, _) = places();
        let ledger = open(&path);
        let mark = MarkFile::new(with_ending(&path, ".mark"));
        for post in 0..5 {
            send(&ledger, &post.to_string()).await;
            let seen = mark.read().expect("a mark");
            assert_eq!(seen.sequence, post + 1, "raised before the write is answered");
        }
        // A write that is refused raises nothing.
        let refused = Delivery { version: 99, ..ledger.deliveries(&Query::default()).await.expect("rows").remove(0) };
        let event = ledger.events(None, 1).await.expect("events").remove(0);
        assert_eq!(ledger.write(&[Write::new(refused, 99, event)]).await, Ok(vec![Written::Stale]));
        assert_eq!(mark.read().map(|mark| mark.sequence), Some(5));
        let about = ledger.about().await.expect("facts");
        assert_eq!((about.deliveries(), about.states.get(&State::Sending)), (5, Some(&5)));
        assert!(about.version > 0 && about.bytes.is_some_and(|bytes| bytes > 0));
    }
}
