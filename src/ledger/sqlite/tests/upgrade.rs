//! A ledger of the first version, brought to the present one.

use super::*;

/// Makes a ledger as the first version did, with a delivery that was sent and one that waits.
fn first_version(path: &Path) -> Connection {
    drop(lock::private(path).unwrap());
    let conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(include_str!("../migrations/0001_first.sql")).unwrap();
    conn.pragma_update(None, "application_id", 0x736d_6d31).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    let sent = sending(Delivery { version: 2, ..planned("launch", "fedi") });
    let waits = Delivery { version: 1, ..planned("waits", "bsky") };
    for row in [&sent, &waits] {
        conn.execute(
            "INSERT INTO deliveries VALUES (?, 'acme', ?, ?, ?, 'some-network', 'calendar', ?, NULL, ?, ?, ?, 0, NULL, ?)",
            rusqlite::params![
                row.id.to_string(),
                row.post.as_str(),
                row.occurrence.as_str(),
                row.account.as_str(),
                now().timestamp_micros(),
                now().timestamp_micros(),
                row.state.as_str(),
                i64::try_from(row.version).unwrap(),
                serde_json::to_string(row).unwrap(),
            ],
        )
        .unwrap();
    }
    conn.execute(
        "INSERT INTO intents (delivery, calendar, occurrence, network, uid, part, generation, attempt, key, at, open, intent)
         VALUES (?, 'acme', 'launch', 'some-network', '1', 0, 0, 1, 'key', ?, 1, ?)",
        rusqlite::params![sent.id.to_string(), now().timestamp_micros(), serde_json::to_string(&intent()).unwrap()],
    )
    .unwrap();
    conn.execute("INSERT INTO accounts (name, last_sent) VALUES ('fedi', ?)", [now().timestamp_micros()]).unwrap();
    conn.execute_batch("COMMIT").unwrap();
    conn
}

fn is_upgraded(path: &Path) {
    let ledger = SqliteLedger::open(path, OpenMode::ReadWrite).unwrap();
    let rows = run(ledger.deliveries(&Query::default())).unwrap();
    assert_eq!(rows.iter().map(|row| row.state).filter(|state| *state == State::Sending).count(), 1, "{rows:?}");
    assert_eq!(rows.len(), 2);
    let record = run(ledger.account(&AccountName::new("fedi"))).unwrap();
    assert_eq!((record.last_sent, record.hold_off), (Some(now()), None));
    let of = run(ledger
        .reader
        .run(|conn| Ok(conn.query_row("SELECT account FROM intents", [], |row| row.get::<_, String>(0))?)));
    assert_eq!(of.unwrap(), "fedi", "posts that began before count as well");
    // The guard holds what was open before, and what is new works.
    let other = planned("launch", "fediverse");
    run(ledger.write(&[change(other.clone())])).unwrap();
    let answer = run(ledger.write(&[change(sending(Delivery { version: 1, ..other }))])).unwrap();
    assert!(matches!(answer.as_slice(), [Written::AlreadyOut { .. }]), "{answer:?}");
    run(ledger.hold_off(&AccountName::new("bsky"), now(), "it asks to wait")).unwrap();
    run(ledger.meet(&["mail".to_owned()], now())).unwrap();
}

#[test]
fn a_ledger_of_the_first_version_is_brought_up_to_date() {
    let folder = folder();
    let path = folder.path().join("ledger.db");
    drop(first_version(&path));
    let refused = SqliteLedger::open(&path, OpenMode::ReadOnly).unwrap_err().to_string();
    assert!(refused.contains("older smm"), "who only reads changes nothing: {refused}");
    is_upgraded(&path);
    drop(SqliteLedger::open(&path, OpenMode::ReadOnly).unwrap());
}

/// Copies the files as they are on the disk at this moment: what a killed process leaves.
fn leave(path: &Path, to: &Path) {
    std::fs::create_dir(to.parent().unwrap()).unwrap();
    for ending in ["", "-wal"] {
        let (from, to) = (lock::beside(path, ending), lock::beside(to, ending));
        if from.exists() {
            std::fs::copy(from, &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

#[test]
fn an_upgrade_that_is_killed_leaves_the_first_version_or_the_present_one() {
    let folder = folder();
    let path = folder.path().join("ledger.db");
    let conn = first_version(&path);
    // A cache of a page or two, so that what is not committed reaches the disk.
    conn.pragma_update(None, "cache_size", 1).unwrap();
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let statements: Vec<_> = include_str!("../migrations/0002_alerts.sql").split_inclusive(";\n").collect();
    assert!(statements.len() > 8);
    for (step, statement) in statements.iter().enumerate() {
        conn.execute_batch(statement).unwrap();
        let left = folder.path().join(format!("left-{step}/ledger.db"));
        leave(&path, &left);
        is_upgraded(&left);
    }
    conn.pragma_update(None, "user_version", 2).unwrap();
    conn.execute_batch("COMMIT").unwrap();
    let left = folder.path().join("left/ledger.db");
    leave(&path, &left);
    is_upgraded(&left);
}
