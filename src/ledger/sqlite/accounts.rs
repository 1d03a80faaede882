//! What is known of accounts: who they are, whether they are paused, their servers' limits.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::instant::{instant, micros, micros_up};
use crate::ledger::{AccountRecord, LedgerError, Result};
use crate::model::{AccountName, Binding, LimitOverrides};

/// Stands for all accounts among the pauses; no account can be called so.
pub(super) const EVERY: &str = "*";

/// What is known of an account.
pub(super) fn account(conn: &Connection, name: &AccountName) -> Result<AccountRecord> {
    type Columns = (Option<String>, Option<i64>, Option<String>, Option<i64>, Option<i64>, Option<String>);
    let row: Option<Columns> = conn
        .prepare_cached(
            "SELECT binding, last_sent, limits, limits_at, hold_off, hold_why FROM accounts WHERE name = ?",
        )?
        .query_row([name.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    let (binding, last_sent, limits, limits_at, hold_off, hold_why) = row.unwrap_or_default();
    Ok(AccountRecord {
        binding: binding.as_deref().map(serde_json::from_str).transpose()?,
        paused: paused(conn, Some(name))?,
        last_sent: last_sent.map(instant).transpose()?,
        limits: match (limits, limits_at) {
            (Some(limits), Some(at)) => Some((serde_json::from_str(&limits)?, instant(at)?)),
            _ => None,
        },
        hold_off: hold_off
            .map(|until| Ok::<_, LedgerError>((instant(until)?, hold_why.unwrap_or_default())))
            .transpose()?,
    })
}

/// Who an account is bound to.
pub(super) fn binding(conn: &Connection, name: &AccountName) -> Result<Option<Binding>> {
    let text: Option<Option<String>> = conn
        .prepare_cached("SELECT binding FROM accounts WHERE name = ?")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    Ok(text.flatten().as_deref().map(serde_json::from_str).transpose()?)
}

/// Binds an account that is not bound yet; gives the binding that holds.
pub(super) fn bind(conn: &Connection, name: &AccountName, new: &Binding) -> Result<Binding> {
    if let Some(old) = binding(conn, name)? {
        return Ok(old);
    }
    conn.prepare_cached(
        "INSERT INTO accounts (name, binding) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET binding = excluded.binding",
    )?
    .execute(params![name.as_str(), serde_json::to_string(new)?])?;
    Ok(new.clone())
}

/// Forgets who an account is; gives the binding that held.
pub(super) fn unbind(conn: &Connection, name: &AccountName) -> Result<Option<Binding>> {
    let old = binding(conn, name)?;
    conn.prepare_cached("UPDATE accounts SET binding = NULL WHERE name = ?")?.execute([name.as_str()])?;
    Ok(old)
}

/// Lets nothing be claimed for an account before `until`, unless it was told so already for longer.
pub(super) fn hold_off(conn: &Connection, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO accounts (name, hold_off, hold_why) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET hold_off = excluded.hold_off, hold_why = excluded.hold_why
             WHERE hold_off IS NULL OR hold_off < excluded.hold_off",
    )?
    .execute(params![name.as_str(), micros_up(until), why])?;
    Ok(())
}

/// Lets an account be claimed for again.
pub(super) fn hold_on(conn: &Connection, name: &AccountName) -> Result<()> {
    conn.prepare_cached(
        "UPDATE accounts SET hold_off = NULL, hold_why = NULL WHERE name = ? AND hold_off IS NOT NULL",
    )?
    .execute([name.as_str()])?;
    Ok(())
}

/// Stores limits.
pub(super) fn put_limits(
    conn: &Connection,
    name: &AccountName,
    limits: &LimitOverrides,
    at: DateTime<Utc>,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO accounts (name, limits, limits_at) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET limits = excluded.limits, limits_at = excluded.limits_at",
    )?
    .execute(params![name.as_str(), serde_json::to_string(limits)?, micros(at)])?;
    Ok(())
}

/// Pauses or resumes an account, or all of them.
pub(super) fn pause(
    conn: &Connection,
    name: Option<&AccountName>,
    paused: Option<(DateTime<Utc>, String)>,
) -> Result<()> {
    let name = name.map_or(EVERY, AccountName::as_str);
    match paused {
        Some((since, reason)) => conn
            .prepare_cached("INSERT OR REPLACE INTO pauses (account, since, reason) VALUES (?, ?, ?)")?
            .execute(params![name, micros(since), reason])?,
        None => conn.prepare_cached("DELETE FROM pauses WHERE account = ?")?.execute([name])?,
    };
    Ok(())
}

/// Whether an account (`None`: everything) is paused.
pub(super) fn paused(conn: &Connection, name: Option<&AccountName>) -> Result<Option<(DateTime<Utc>, String)>> {
    let row: Option<(i64, String)> = conn
        .prepare_cached("SELECT since, reason FROM pauses WHERE account = ?")?
        .query_row([name.map_or(EVERY, AccountName::as_str)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(since, reason)| Ok((instant(since)?, reason))).transpose()
}
