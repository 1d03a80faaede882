//! What is `SQLite`'s own: durability, permissions, groups, the cost of a claim. The behaviour is in the suite.

mod copies;
mod disk;
mod files;
mod upgrade;

use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use rusqlite::Connection;

use super::*;
use crate::model::{Frozen, Intent, Late, OccurrenceName, Origin, State};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &tempfile::TempDir) -> SqliteLedger {
    SqliteLedger::open(&folder.path().join("ledger.db"), OpenMode::ReadWrite).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn planned(post: &str, account: &str) -> Delivery {
    Delivery::planned(
        CalendarName::new("acme"),
        PostId::new(post),
        OccurrenceName::new(post),
        AccountName::new(account),
        "some-network",
        Origin::Calendar,
        now(),
        now().naive_utc(),
        Late::default(),
    )
}

fn change(delivery: Delivery) -> Write {
    let event = Event {
        at: now(),
        delivery: delivery.id,
        kind: "planned".to_owned(),
        state: delivery.state,
        detail: String::new(),
        actor: "smm".to_owned(),
    };
    {
        let expect = delivery.version;
        Write::new(delivery, expect, event)
    }
}

fn intent() -> Intent {
    Intent {
        frozen: Frozen { part: 0, key: "key".to_owned(), request: serde_json::Value::Null },
        binding: Binding {
            network: "some-network".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: "1".to_owned(),
            handle: "@acme".to_owned(),
        },
        attempt: 1,
        first_at: now(),
        at: now(),
    }
}

fn pragma(conn: &Connection, name: &str) -> Result<String> {
    Ok(conn.query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| row.get(0))?)
}

#[test]
fn a_commit_that_returns_is_on_the_disk() {
    let ledger = open(&folder());
    let writer = ledger.writer().unwrap();
    let settings = run(writer.run(|conn| Ok((pragma(conn, "synchronous")?, pragma(conn, "journal_mode")?)))).unwrap();
    assert_eq!(settings, ("2".to_owned(), "wal".to_owned()));
    assert_eq!(run(writer.run(|conn| pragma(conn, "foreign_keys"))).unwrap(), "1");
    // Versions before 3.51.3 could damage the file when the log was begun anew; 3.52.0 was withdrawn.
    assert!(rusqlite::version_number() >= 3_053_000, "{}", rusqlite::version());
}

#[test]
fn nobody_else_may_read_it() {
    let folder = folder();
    let path = folder.path().join("deep/state/ledger.db");
    drop(SqliteLedger::open(&path, OpenMode::ReadWrite).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&lock::beside(&path, ".bell")), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    for how in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        let refused = SqliteLedger::open(&path, how).unwrap_err().to_string();
        assert!(refused.contains("its mode is 640") && refused.contains("chmod 600"), "{refused}");
    }
}

#[test]
fn a_newer_ledger_and_other_files_are_left_alone() {
    let folder = folder();
    let path = folder.path().join("ledger.db");
    drop(open(&folder));
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    for how in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        assert!(matches!(SqliteLedger::open(&path, how), Err(LedgerError::Newer(_))));
    }
    let other = folder.path().join("other.db");
    drop(lock::private(&other).unwrap());
    let conn = Connection::open(&other).unwrap();
    conn.execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    drop(conn);
    let before = std::fs::read(&other).unwrap();
    let refused = SqliteLedger::open(&other, OpenMode::ReadWrite).unwrap_err().to_string();
    assert!(refused.contains("another program"), "{refused}");
    assert_eq!(std::fs::read(&other).unwrap(), before);
    let text = folder.path().join("notes.txt");
    drop(lock::private(&text).unwrap());
    std::fs::write(&text, "not a database, only a text that is long enough\n".repeat(100)).unwrap();
    assert!(matches!(SqliteLedger::open(&text, OpenMode::ReadWrite), Err(LedgerError::Corrupt(_))));
    assert!(matches!(SqliteLedger::open(folder.path(), OpenMode::ReadWrite), Err(LedgerError::Storage(_))));
}

#[test]
fn readers_make_nothing_and_work_beside_a_writer() {
    let folder = folder();
    let path = folder.path().join("state/ledger.db");
    let empty = SqliteLedger::open(&path, OpenMode::ReadOnly).unwrap();
    assert_eq!(run(empty.deliveries(&Query::default())), Ok(vec![]));
    assert_eq!(run(empty.calendar(&CalendarName::new("acme"))), Ok(CalendarRecord::default()));
    assert!(!path.parent().unwrap().exists(), "nothing was made");
    let writer = SqliteLedger::open(&path, OpenMode::ReadWrite).unwrap();
    let guard = run(writer.lock("smm daemon")).unwrap();
    let reader = SqliteLedger::open(&path, OpenMode::ReadOnly).unwrap();
    run(writer.write(&[change(planned("launch", "fedi"))])).unwrap();
    assert_eq!(run(reader.deliveries(&Query::default())).unwrap().len(), 1);
    for refused in [
        run(reader.write(&[change(planned("other", "fedi"))])).map(drop),
        run(reader.ring()),
        run(reader.lock("smm status")).map(drop),
    ] {
        assert!(refused.unwrap_err().to_string().contains("for reading only"));
    }
    drop(guard);
}

#[test]
fn the_lock_names_its_holder() {
    let folder = folder();
    let (first, second) = (open(&folder), open(&folder));
    let guard = run(first.lock("smm daemon on host")).unwrap();
    let Err(LedgerError::Busy(message)) = run(second.lock("smm publish")) else { panic!("two hold the lock") };
    let expected = format!("smm daemon on host (process {}, since 20", std::process::id());
    assert!(message.contains(&expected), "{message}");
    drop(guard);
    assert!(run(second.lock("smm publish")).is_ok());
}

#[test]
fn a_group_is_one_transaction_and_a_failure_is_its_own() {
    let folder = folder();
    let ledger = open(&folder);
    let path = folder.path().join("ledger.db");
    let writer = ledger.writer().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel::<()>();
    let put = |post: &str| {
        let write = change(planned(post, "fedi"));
        move |conn: &Connection| rows::write(conn, &[write], true)
    };
    let fails = put("fails");
    let checks = put("last");
    let outcomes = run(async {
        tokio::join!(
            writer.run(move |_| {
                began.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            }),
            // From here on all wait for the next group together.
            async { begun.recv().unwrap() },
            writer.run(put("first")),
            writer.run(move |conn| {
                fails(conn)?;
                Err::<(), _>(LedgerError::Storage("on purpose".to_owned()))
            }),
            writer.run(move |conn| {
                let seen = rows::deliveries(&Connection::open(path)?, &Query::default())?;
                assert!(seen.is_empty(), "the group is not committed yet");
                checks(conn)
            }),
            async { go.send(()).unwrap() },
        )
    });
    assert_eq!((outcomes.2, outcomes.4), (Ok(vec![Written::Done]), Ok(vec![Written::Done])));
    assert_eq!(outcomes.3, Err(LedgerError::Storage("on purpose".to_owned())));
    let posts: Vec<_> = run(ledger.deliveries(&Query::default())).unwrap();
    let mut posts: Vec<_> = posts.iter().map(|row| row.post.as_str()).collect();
    posts.sort_unstable();
    assert_eq!(posts, ["first", "last"]);
}

#[test]
fn a_full_disk_is_told_and_passes() {
    let folder = folder();
    let ledger = open(&folder);
    let writer = ledger.writer().unwrap();
    let limit = |pages: i64| {
        run(writer.run(move |conn| {
            Ok(conn.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?)
        }))
    };
    let held = limit(1).unwrap();
    let mut large = planned("large", "fedi");
    large.plan = Some(serde_json::Value::String("x".repeat(1_000_000)));
    let mut small = planned("small", "fedi");
    small.intent = Some(Box::new(intent()));
    small.state = State::Sending;
    let refused = run(ledger.write(&[change(large.clone())])).unwrap_err().to_string();
    assert!(refused.contains("the disk is full"), "{refused} ({held} pages)");
    assert_eq!(run(ledger.deliveries(&Query::default())), Ok(vec![]));
    limit(1_000_000).unwrap();
    assert_eq!(run(ledger.write(&[change(large), change(small)])), Ok(vec![Written::Done, Written::Done]));
}

#[test]
fn nothing_is_sent_over_a_failed_disk() {
    let ledger = open(&folder());
    let mut row = planned("launch", "fedi");
    run(ledger.write(&[change(row.clone())])).unwrap();
    ledger.writer().unwrap().doubt().store(true, Ordering::SeqCst);
    row.version = 1;
    row.state = State::Sending;
    row.intent = Some(Box::new(intent()));
    let refused = run(ledger.write(&[change(row.clone())])).unwrap_err().to_string();
    assert!(refused.contains("nothing more is sent"), "{refused}");
    // What was sent before may still be recorded.
    row.intent = None;
    row.state = State::Published;
    assert_eq!(run(ledger.write(&[change(row)])), Ok(vec![Written::Done]));
}

#[test]
fn a_claim_looks_into_an_index() {
    let ledger = open(&folder());
    for (sql, index) in [
        (claim::NEXT, "deliveries_next (due<?)"),
        (claim::FIRST_READY, "deliveries_planned_due"),
        (claim::FROZEN, "deliveries_planned_frozen"),
        (claim::NEXT_READY, "deliveries_planned_ready"),
        (claim::BUSY, "deliveries_busy"),
        (rows::OF_OTHERS, "deliveries_busy"),
        (alerts::NEXT, "errands_open"),
    ] {
        let plan = plan_of(&ledger, sql);
        let sorts = plan.contains("TEMP B-TREE FOR ORDER BY") && sql != rows::OF_OTHERS;
        assert!(plan.contains(index) && !sorts, "{sql}\n{plan}");
    }
    // These sort, but only the few rows that a range of the index has.
    for (sql, index) in [
        (claim::FIRST_ON_TIME, "deliveries_planned_ready (account=? AND ready>? AND ready<?)"),
        (claim::BEGUN, "intents_begun (account=? AND at>?)"),
        (claim::AGAIN, "intents_begun (account=? AND at>?)"),
        (alerts::READY, "errands_open (target=? AND again<?)"),
    ] {
        let plan = plan_of(&ledger, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
    }
}

/// How `SQLite` would answer a question.
fn plan_of(ledger: &SqliteLedger, sql: &'static str) -> String {
    run(ledger.reader.run(move |conn| {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(row.get::<_, String>(3)?);
        }
        Ok(lines.join("\n"))
    }))
    .unwrap()
}

fn request(account: &str) -> ClaimRequest {
    ClaimRequest {
        owner: "worker".to_owned(),
        now: now(),
        accounts: [(AccountName::new(account), 0)].into(),
        calendars: Vec::new(),
        limit: 10,
        only: None,
        burst: crate::ledger::Burst::default(),
    }
}

/// A row whose intent is about to be written.
fn sending(mut row: Delivery) -> Delivery {
    row.state = State::Sending;
    row.intent = Some(Box::new(intent()));
    row
}

#[test]
fn the_history_cannot_be_changed() {
    let folder = folder();
    let ledger = open(&folder);
    let mut row = planned("launch", "fedi");
    row.intent = Some(Box::new(intent()));
    row.state = State::Sending;
    run(ledger.write(&[change(row)])).unwrap();
    let conn = Connection::open(folder.path().join("ledger.db")).unwrap();
    for sql in ["DELETE FROM events", "UPDATE events SET actor = 'nobody'", "DELETE FROM intents"] {
        assert!(conn.execute(sql, []).is_err(), "{sql}");
    }
    let secrets: i64 =
        conn.query_row("SELECT length(value) FROM meta WHERE key = 'instance'", [], |row| row.get(0)).unwrap();
    assert_eq!(secrets, 32, "the ledger has a name of its own");
}
