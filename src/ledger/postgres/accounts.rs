//! What is known of accounts: who they are, whether they are paused or held off, their servers' limits.

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object};

use super::error::Trouble;
use super::instant::{down, up};
use super::rows::plain;
use crate::ledger::AccountRecord;
use crate::model::{AccountName, Binding, LimitOverrides};

type Result<T> = std::result::Result<T, Trouble>;

/// Stands for all accounts among the pauses; no account can be called so.
pub(super) const EVERY: &str = "*";

/// What is known of an account.
pub(super) async fn account(session: &Object, name: &AccountName) -> Result<AccountRecord> {
    let statement = session
        .prepare_cached(
            "SELECT a.binding, a.last_sent, a.limits, a.limits_at, a.hold_off, a.hold_why, p.since, p.reason
             FROM (SELECT $1::text AS name) asked LEFT JOIN accounts a USING (name)
             LEFT JOIN pauses p ON p.account = asked.name",
        )
        .await?;
    let row = session.query_one(&statement, &[&name.as_str()]).await?;
    let (binding, limits): (Option<&str>, Option<&str>) = (row.get(0), row.get(2));
    let limits: Option<LimitOverrides> = limits.map(serde_json::from_str).transpose()?;
    Ok(AccountRecord {
        binding: binding.map(serde_json::from_str).transpose()?,
        paused: row.get::<_, Option<_>>(6).zip(row.get(7)),
        last_sent: row.get(1),
        limits: limits.zip(row.get(3)),
        hold_off: row.get::<_, Option<_>>(4).zip(row.get(5)),
    })
}

/// Takes in what another ledger knew of an account.
pub(super) async fn take(session: &impl GenericClient, name: &AccountName, known: &AccountRecord) -> Result<()> {
    let binding = known.binding.as_ref().map(serde_json::to_string).transpose()?;
    let limits = known.limits.as_ref().map(|(limits, _)| serde_json::to_string(limits)).transpose()?;
    let limits_at = known.limits.as_ref().map(|(_, at)| down(*at));
    let hold_off = known.hold_off.as_ref().map(|(until, _)| up(*until));
    let hold_why = known.hold_off.as_ref().map(|(_, why)| plain(why));
    session
        .execute(
            "INSERT INTO accounts (name, binding, last_sent, limits, limits_at, hold_off, hold_why)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET binding = excluded.binding, last_sent = excluded.last_sent,
                 limits = excluded.limits, limits_at = excluded.limits_at, hold_off = excluded.hold_off,
                 hold_why = excluded.hold_why",
            &[&name.as_str(), &binding, &known.last_sent.map(up), &limits, &limits_at, &hold_off, &hold_why],
        )
        .await?;
    pause(session, Some(name), known.paused.as_ref()).await
}

/// Binds an account that is not bound yet; gives the binding that holds. Of two that do it at once the first one wins.
pub(super) async fn bind(session: &Object, name: &AccountName, new: &Binding) -> Result<Binding> {
    let statement = session
        .prepare_cached(
            "INSERT INTO accounts AS known (name, binding) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET binding = coalesce(known.binding, excluded.binding) RETURNING binding",
        )
        .await?;
    let row = session.query_one(&statement, &[&name.as_str(), &serde_json::to_string(new)?]).await?;
    Ok(serde_json::from_str(row.get(0))?)
}

/// Forgets who an account is; gives the binding that held.
pub(super) async fn unbind(session: &Object, name: &AccountName) -> Result<Option<Binding>> {
    let row = session
        .query_opt(
            "WITH old AS (SELECT name, binding FROM accounts WHERE name = $1 FOR UPDATE)
             UPDATE accounts SET binding = NULL FROM old WHERE accounts.name = old.name RETURNING old.binding",
            &[&name.as_str()],
        )
        .await?;
    let text: Option<String> = row.and_then(|row| row.get(0));
    Ok(text.as_deref().map(serde_json::from_str).transpose()?)
}

/// Stores limits.
pub(super) async fn put_limits(
    session: &Object,
    name: &AccountName,
    limits: &LimitOverrides,
    at: DateTime<Utc>,
) -> Result<()> {
    session
        .execute(
            "INSERT INTO accounts (name, limits, limits_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET limits = excluded.limits, limits_at = excluded.limits_at",
            &[&name.as_str(), &serde_json::to_string(limits)?, &down(at)],
        )
        .await?;
    Ok(())
}

/// Pauses or resumes an account, or all of them.
pub(super) async fn pause(
    session: &impl GenericClient,
    name: Option<&AccountName>,
    paused: Option<&(DateTime<Utc>, String)>,
) -> Result<()> {
    let name = name.map_or(EVERY, AccountName::as_str);
    match paused {
        Some((since, reason)) => {
            session
                .execute(
                    "INSERT INTO pauses (account, since, reason) VALUES ($1, $2, $3)
                     ON CONFLICT (account) DO UPDATE SET since = excluded.since, reason = excluded.reason",
                    &[&name, &down(*since), &plain(reason)],
                )
                .await?
        }
        None => session.execute("DELETE FROM pauses WHERE account = $1", &[&name]).await?,
    };
    Ok(())
}

/// Whether everything is paused.
pub(super) async fn paused(session: &Object) -> Result<Option<(DateTime<Utc>, String)>> {
    let statement = session.prepare_cached("SELECT since, reason FROM pauses WHERE account = $1").await?;
    let row = session.query_opt(&statement, &[&EVERY]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

/// Claims nothing for an account before `until`, unless it was told so already for longer.
pub(super) async fn hold_off(session: &Object, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
    session
        .execute(
            "INSERT INTO accounts AS known (name, hold_off, hold_why) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET hold_off = excluded.hold_off, hold_why = excluded.hold_why
                 WHERE known.hold_off IS NULL OR known.hold_off < excluded.hold_off",
            &[&name.as_str(), &up(until), &plain(why)],
        )
        .await?;
    Ok(())
}

/// Holds an account off no more.
pub(super) async fn hold_on(session: &Object, name: &AccountName) -> Result<()> {
    session.execute("UPDATE accounts SET hold_off = NULL, hold_why = NULL WHERE name = $1", &[&name.as_str()]).await?;
    Ok(())
}
