//! The tables, as numbered migrations in a schema of their own. A migration that was once released is never changed: the
//! next one is added.

use deadpool_postgres::{GenericClient, Object};

use super::error::Trouble;
use crate::ledger::LedgerError;

/// The schema that all is in.
pub(super) const NAME: &str = "smm";

/// In order; `meta.version` is how many of them the database has seen.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_first.sql"), include_str!("migrations/0002_queue.sql")];

/// Two processes that make the tables at once take turns (the letters `smm1`).
const TURN: i64 = 0x736d_6d31;

/// Whether the tables are there, in a version that this smm reads.
pub(super) async fn is_there(session: &impl GenericClient, place: &str) -> std::result::Result<bool, Trouble> {
    let seen = version(session).await?;
    let known = MIGRATIONS.len();
    match seen {
        0 => Ok(false),
        seen if seen > known => Err(LedgerError::Newer(format!(
            "the ledger at {place} was written by a newer smm (its version is {seen}, this smm knows {known}); update smm"
        ))
        .into()),
        seen if seen < known => Err(LedgerError::Storage(format!(
            "the ledger at {place} is of an earlier smm; run a command that writes, such as `smm publish`, to bring it up"
        ))
        .into()),
        _ => Ok(true),
    }
}

/// Brings the tables to the present version, all in one transaction. Others that do the same are waited for.
pub(super) async fn migrate(session: &mut Object, place: &str) -> std::result::Result<(), Trouble> {
    if version(session).await? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = session.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TURN]).await?;
    let seen = version(&transaction).await?;
    if seen > MIGRATIONS.len() {
        is_there(&transaction, place).await?;
    }
    if seen == 0 {
        let statement = transaction
            .prepare(
                "SELECT n.oid IS NOT NULL, EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid)
                 FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1",
            )
            .await?;
        let row = transaction.query_one(&statement, &[&NAME]).await?;
        let (made, foreign): (bool, bool) = (row.get(0), row.get(1));
        if foreign {
            return Err(LedgerError::Storage(format!(
                "the database at {place} has a schema `{NAME}` that is not a ledger of smm; name another database"
            ))
            .into());
        }
        if !made {
            transaction.batch_execute(&format!("CREATE SCHEMA {NAME}")).await?;
        }
    }
    for migration in MIGRATIONS.iter().skip(seen) {
        transaction.batch_execute(migration).await?;
    }
    transaction
        .execute(
            "INSERT INTO meta (key, value) VALUES ('version', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            &[&MIGRATIONS.len().to_string()],
        )
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// How many migrations the database has seen.
async fn version(session: &impl GenericClient) -> std::result::Result<usize, Trouble> {
    // Asked of the catalogue's tables: what the session remembers of names may be from before somebody made them.
    let there: bool = session
        .query_one(
            "SELECT EXISTS (
                 SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relname = 'meta'
             )",
            &[&NAME],
        )
        .await?
        .get(0);
    if !there {
        return Ok(0);
    }
    let row = session.query_opt(&format!("SELECT value FROM {NAME}.meta WHERE key = 'version'"), &[]).await?;
    let text: String = row.map(|row| row.get(0)).unwrap_or_default();
    Ok(text.parse().unwrap_or(0))
}
