//! The tables, as numbered migrations. A migration that was once released is never changed: the next one is added.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::ledger::{LedgerError, Result};

/// In order; the file's `user_version` is how many of them it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_alerts.sql"),
    include_str!("migrations/0003_queue.sql"),
];

/// `smm1`: tells a ledger from any other `SQLite` file.
const APPLICATION: i64 = 0x736d_6d31;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing in it yet.
    Empty,
    /// A ledger that this version reads and writes as it is.
    Current,
    /// A ledger of an earlier version.
    Older,
}

/// Looks what a file is; refuses what is no ledger or one of a newer version.
pub(super) fn kind(conn: &Connection, path: &Path) -> Result<Kind> {
    // One look at one moment: somebody may be making the ledger just now.
    conn.execute_batch("SAVEPOINT kind")?;
    let marks = marks(conn);
    conn.execute_batch("RELEASE kind")?;
    let (application, version, tables) = marks?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(Kind::Empty);
    }
    if application != APPLICATION {
        return Err(LedgerError::Storage(format!(
            "`{}` is a database of another program, not a ledger of smm; give another path as `ledger` in smm.toml",
            path.display()
        )));
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    match version {
        _ if version > known => Err(LedgerError::Newer(format!(
            "the ledger `{}` was written by a newer smm (its version is {version}, this smm knows {known}); update smm",
            path.display()
        ))),
        _ if version == known => Ok(Kind::Current),
        _ => Ok(Kind::Older),
    }
}

/// Whose file it is, its version, and how many tables it has.
fn marks(conn: &Connection) -> Result<(i64, i64, i64)> {
    Ok((
        conn.pragma_query_value(None, "application_id", |row| row.get(0))?,
        conn.pragma_query_value(None, "user_version", |row| row.get(0))?,
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    ))
}

/// Which version of the tables it has; 0: none yet.
pub(super) fn version(conn: &Connection) -> Result<u32> {
    let seen: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(u32::try_from(seen).unwrap_or(0))
}

/// Brings a file to the present version. Another process that does the same at the same time is waited for.
pub(super) fn migrate(conn: &mut Connection, path: &Path) -> Result<()> {
    if kind(conn, path)? == Kind::Current {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    kind(&transaction, path)?;
    let seen: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(seen).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}
