//! Who is next.
//!
//! A claim of a few looks at the head of the queue of all accounts. Where that does not say all, there is for each account
//! one look into an index over its planned rows: the cost follows the number of accounts served, not the number of rows
//! that wait.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::EVERY;
use super::instant::{instant, micros};
use super::rows;
use crate::ledger::{ClaimRequest, LedgerError, Result};
use crate::model::{AccountName, Delivery, DeliveryId, Event, State};
use crate::trial::Guard;

/// The next rows of all accounts.
pub(super) const NEXT: &str = "SELECT account, due, id, ready, frozen, calendar FROM deliveries
     WHERE state = 'planned' AND due <= ?1 ORDER BY due, id LIMIT ?2";

/// How far a claim looks ahead in them, beyond what it asks for, before it asks each account.
const AHEAD: usize = 32;

/// The earliest due row of an account that is ready. Due rows that wait for a retry are stepped over. (`+calendar`: the
/// index over the account's planned rows is the one to use, whatever the calendars are.)
pub(super) const FIRST_READY: &str = "SELECT due, id, ready, frozen FROM deliveries
     WHERE state = 'planned' AND account = ?1 AND due <= ?2 AND (not_before IS NULL OR not_before <= ?2)
         AND (?3 IS NULL OR +calendar IN (SELECT value FROM json_each(?3)))
     ORDER BY due, id LIMIT 1";

/// The earliest due row of an account that is ready and not overdue: of those there are few.
pub(super) const FIRST_ON_TIME: &str = "SELECT due, id FROM deliveries
     WHERE state = 'planned' AND account = ?1 AND ready BETWEEN ?4 AND ?2
         AND (?3 IS NULL OR +calendar IN (SELECT value FROM json_each(?3)))
     ORDER BY +due, +id LIMIT 1";

/// The rows of an account that are partly out: of those there are few.
pub(super) const FROZEN: &str = "SELECT due, id, ready FROM deliveries
     WHERE state = 'planned' AND frozen = 1 AND account = ?1
         AND (?2 IS NULL OR +calendar IN (SELECT value FROM json_each(?2)))
     ORDER BY due, id";

/// The rows of an account that were begun after `?3`, and wait to be tried again.
pub(super) const AGAIN: &str = "SELECT due, id, ready FROM deliveries
     WHERE id IN (SELECT delivery FROM intents WHERE part = 0 AND account = ?1 AND at > ?3) AND state = 'planned'
         AND (?2 IS NULL OR +calendar IN (SELECT value FROM json_each(?2)))
     ORDER BY due, id";

/// When the first row of an account is ready, of those that are ready at `?3` or later.
pub(super) const NEXT_READY: &str =
    "SELECT ready FROM deliveries WHERE state = 'planned' AND account = ?1 AND ready >= ?3
     AND (?2 IS NULL OR +calendar IN (SELECT value FROM json_each(?2))) ORDER BY ready LIMIT 1";

/// When the `?3 + 1`th last of the posts other than `?4` began that an account has begun after `?2`.
pub(super) const BEGUN: &str = "SELECT max(at) AS begun FROM intents
     WHERE part = 0 AND account = ?1 AND at > ?2 AND delivery <> ?4
     GROUP BY delivery ORDER BY begun DESC LIMIT 1 OFFSET ?3";

/// Accounts that a worker has a delivery of.
pub(super) const BUSY: &str = "SELECT DISTINCT account FROM deliveries WHERE state IN ('claimed', 'sending')";

/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// A planned row, as far as a claim looks at it.
struct Planned {
    account: AccountName,
    due: i64,
    id: String,
    ready: i64,
    frozen: bool,
}

/// Claims what is ready.
pub(super) fn claim(conn: &Connection, request: &ClaimRequest) -> Result<Vec<Delivery>> {
    refuse_half(conn)?;
    let now = micros(request.now) + if Guard::Early.holds() { 0 } else { DAY };
    let Some(mut accounts) = Accounts::new(conn, request)? else { return Ok(Vec::new()) };
    let mut first: Vec<(i64, String)> = Vec::new();
    if let Some(only) = &request.only {
        let mut rows = planned(conn, only)?;
        rows.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
        for row in rows {
            if accounts.may_take(conn, &row, now)? {
                accounts.taken.insert(row.account);
                first.push((row.due, row.id));
            }
        }
    } else if let Some(next) = next_of_all(conn, &mut accounts, now)? {
        first = next;
    } else {
        let calendars = calendars(request)?;
        for account in request.accounts.keys() {
            if accounts.free_from(conn, account)?.is_some_and(|from| from <= now) {
                first.extend(first_ready(conn, account, request, now, calendars.as_deref())?);
            }
        }
        first.sort_unstable();
    }
    first.truncate(request.limit);
    first.into_iter().map(|(_, id)| claim_one(conn, request, &id)).collect()
}

/// The rows that are claimed at `now`, by the head of the queue of all accounts; `None` when that does not tell.
fn next_of_all(conn: &Connection, accounts: &mut Accounts<'_>, now: i64) -> Result<Option<Vec<(i64, String)>>> {
    let request = accounts.request;
    let ahead = request.limit.saturating_add(AHEAD);
    if ahead >= request.accounts.len() {
        // As few looks as there are accounts tell it all.
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(NEXT)?;
    let mut rows = statement.query(params![now, i64::try_from(ahead).unwrap_or(i64::MAX)])?;
    let (mut seen, mut found) = (0, Vec::new());
    while let Some(row) = rows.next()? {
        seen += 1;
        let next = Planned {
            account: AccountName::new(row.get::<_, String>(0)?),
            due: row.get(1)?,
            id: row.get(2)?,
            ready: row.get(3)?,
            frozen: row.get(4)?,
        };
        let calendar = row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?;
        let is_ours = request.calendars.is_empty() || request.calendars.iter().any(|ours| ours.as_str() == calendar);
        if is_ours && accounts.may_take(conn, &next, now)? {
            accounts.taken.insert(next.account);
            found.push((next.due, next.id));
            if found.len() == request.limit {
                return Ok(Some(found));
            }
        }
    }
    Ok((seen < ahead).then_some(found))
}

/// What a claim has found out about accounts so far.
struct Accounts<'a> {
    request: &'a ClaimRequest,
    paused: BTreeSet<String>,
    busy: BTreeSet<String>,
    /// From when on they are free; `None`: not at all.
    free: BTreeMap<AccountName, Option<i64>>,
    /// Those that this claim has taken a row of.
    taken: BTreeSet<AccountName>,
}

impl<'a> Accounts<'a> {
    /// Nothing found out yet; `None`: all of them are paused.
    fn new(conn: &Connection, request: &'a ClaimRequest) -> Result<Option<Self>> {
        let paused = names(conn, "SELECT account FROM pauses")?;
        if paused.contains(EVERY) {
            return Ok(None);
        }
        let busy = names(conn, BUSY)?;
        Ok(Some(Self { request, paused, busy, free: BTreeMap::new(), taken: BTreeSet::new() }))
    }

    /// From when on its spacing and its network allow a claim of an account; `None`: it is not served, or not free.
    fn free_from(&mut self, conn: &Connection, account: &AccountName) -> Result<Option<i64>> {
        if let Some(known) = self.free.get(account) {
            return Ok(*known);
        }
        let spacing = self.request.accounts.get(account);
        let spacing =
            spacing.filter(|_| !self.paused.contains(account.as_str()) && !self.busy.contains(account.as_str()));
        let from = match spacing {
            None => None,
            Some(&spacing) => {
                let (last, hold_off): (Option<i64>, Option<i64>) = conn
                    .prepare_cached("SELECT last_sent, hold_off FROM accounts WHERE name = ?")?
                    .query_row([account.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?
                    .unwrap_or_default();
                let spaced = last.map_or(i64::MIN, |last| last.saturating_add(seconds(spacing)));
                Some(spaced.max(hold_off.unwrap_or(i64::MIN)))
            }
        };
        self.free.insert(account.clone(), from);
        Ok(from)
    }

    /// Whether a row may be claimed at `now`.
    fn may_take(&mut self, conn: &Connection, row: &Planned, now: i64) -> Result<bool> {
        Ok(!self.taken.contains(&row.account)
            && self.free_from(conn, &row.account)?.is_some_and(|from| from.max(row.ready) <= now)
            && (row.frozen
                || row.ready >= overdue(self.request, now)
                || calm(conn, &row.account, &row.id, self.request, now)? <= now))
    }
}

/// The row of an account that is claimed at `now`, with its due time.
fn first_ready(
    conn: &Connection,
    account: &AccountName,
    request: &ClaimRequest,
    now: i64,
    calendars: Option<&str>,
) -> Result<Option<(i64, String)>> {
    let first: Option<(i64, String, i64, bool)> = conn
        .prepare_cached(FIRST_READY)?
        .query_row(params![account.as_str(), now, calendars], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((due, id, ready, frozen)) = first else { return Ok(None) };
    let limit = overdue(request, now);
    if frozen || ready >= limit || calm(conn, account, &id, request, now)? <= now {
        return Ok(Some((due, id)));
    }
    let on_time: Option<(i64, String)> = conn
        .prepare_cached(FIRST_ON_TIME)?
        .query_row(params![account.as_str(), now, calendars, limit], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let begun = begun(conn, account, request, now, calendars)?;
    let begun =
        begun.into_iter().filter(|row| row.due.max(row.ready).max(row.calm) <= now).map(|row| (row.due, row.id));
    Ok(begun.chain(on_time).min())
}

/// A planned row that is no new post.
struct BegunRow {
    due: i64,
    id: String,
    ready: i64,
    /// From when on it may go, for the account's other posts.
    calm: i64,
}

/// The rows of an account that are partly out, and those that were begun lately and wait to be tried again.
fn begun(
    conn: &Connection,
    account: &AccountName,
    request: &ClaimRequest,
    now: i64,
    calendars: Option<&str>,
) -> Result<Vec<BegunRow>> {
    let mut found = Vec::new();
    let since = now.saturating_sub(seconds(request.burst.within));
    let mut statement = conn.prepare_cached(FROZEN)?;
    let mut rows = statement.query(params![account.as_str(), calendars])?;
    while let Some(row) = rows.next()? {
        found.push(BegunRow { due: row.get(0)?, id: row.get(1)?, ready: row.get(2)?, calm: i64::MIN });
    }
    let mut statement = conn.prepare_cached(AGAIN)?;
    let mut rows = statement.query(params![account.as_str(), calendars, since])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(1)?;
        let calm = calm(conn, account, &id, request, now)?;
        found.push(BegunRow { due: row.get(0)?, id, ready: row.get(2)?, calm });
    }
    Ok(found)
}

/// What was ready before this is overdue at `now`.
fn overdue(request: &ClaimRequest, now: i64) -> i64 {
    now.saturating_sub(seconds(request.burst.overdue))
}

/// From when on an account may take up a row that is overdue: it has begun as many other posts lately as it may.
fn calm(conn: &Connection, account: &AccountName, id: &str, request: &ClaimRequest, now: i64) -> Result<i64> {
    let within = seconds(request.burst.within);
    let since = now.saturating_sub(within);
    let begun: Option<i64> = conn
        .prepare_cached(BEGUN)?
        .query_row(params![account.as_str(), since, request.burst.posts.max(1) - 1, id], |row| row.get(0))
        .optional()?;
    Ok(begun.map_or(i64::MIN, |begun| begun.saturating_add(within)))
}

fn seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

/// Nothing is claimed from a ledger into which only a part of another was taken: it may not know of posts that are out.
fn refuse_half(conn: &Connection) -> Result<()> {
    if super::transfer::is_half(conn)? {
        return Err(LedgerError::Storage(
            "an import into this ledger was not completed, so nothing is sent from it; remove its file and import again"
                .to_owned(),
        ));
    }
    Ok(())
}

fn claim_one(conn: &Connection, request: &ClaimRequest, id: &str) -> Result<Delivery> {
    let mut delivery = rows::delivery(conn, id)?
        .ok_or_else(|| LedgerError::Corrupt(format!("the ledger's delivery {id} has gone in the middle of a claim")))?;
    delivery.state = State::Claimed;
    delivery.owner = Some(request.owner.clone());
    delivery.fence += 1;
    delivery.version += 1;
    rows::store(conn, &delivery, id)?;
    rows::add_event(
        conn,
        &Event {
            at: request.now,
            delivery: delivery.id,
            kind: "claimed".to_owned(),
            state: State::Claimed,
            detail: format!("by {}", request.owner),
            actor: "smm".to_owned(),
        },
    )?;
    Ok(delivery)
}

/// When the next claim can succeed. An account that is busy is left out: the end of its call is what wakes the worker.
pub(super) fn next_ready(conn: &Connection, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
    let now = micros(request.now);
    let Some(mut accounts) = Accounts::new(conn, request)? else { return Ok(None) };
    let mut next: Option<i64> = None;
    let mut consider = |at: i64| next = Some(next.map_or(at, |best| best.min(at)));
    if let Some(only) = &request.only {
        for row in planned(conn, only)? {
            if let Some(from) = accounts.free_from(conn, &row.account)? {
                let at = row.ready.max(from);
                // When it is taken up in time, a burst does not matter.
                if row.frozen || row.ready >= overdue(request, at.max(now)) {
                    consider(at);
                } else {
                    consider(at.max(calm(conn, &row.account, &row.id, request, now)?));
                }
            }
        }
    } else {
        let calendars = calendars(request)?;
        let mut statement = conn.prepare_cached(NEXT_READY)?;
        let mut first = |account: &AccountName, least: i64| {
            statement.query_row(params![account.as_str(), calendars, least], |row| row.get::<_, i64>(0)).optional()
        };
        for account in request.accounts.keys() {
            let Some(from) = accounts.free_from(conn, account)? else { continue };
            let Some(ready) = first(account, i64::MIN)? else { continue };
            let (at, limit) = (ready.max(from), overdue(request, from.max(now)));
            let calm = if ready < limit { calm(conn, account, "", request, now)? } else { i64::MIN };
            if calm <= at.max(now) {
                consider(at);
                continue;
            }
            consider(calm);
            if let Some(ready) = first(account, limit)? {
                consider(ready.max(from));
            }
            for row in begun(conn, account, request, now, calendars.as_deref())? {
                consider(row.ready.max(from).max(row.calm));
            }
        }
    }
    next.map(instant).transpose()
}

/// The names of the worker's calendars as a JSON list; `None`: all.
fn calendars(request: &ClaimRequest) -> Result<Option<String>> {
    if request.calendars.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::to_string(&request.calendars)?))
}

fn names(conn: &Connection, sql: &str) -> Result<BTreeSet<String>> {
    let mut statement = conn.prepare_cached(sql)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names)
}

fn planned(conn: &Connection, only: &[DeliveryId]) -> Result<Vec<Planned>> {
    let mut statement =
        conn.prepare_cached("SELECT account, due, ready, frozen FROM deliveries WHERE id = ? AND state = 'planned'")?;
    let mut found = Vec::new();
    for id in only {
        let id = id.to_string();
        let row = statement
            .query_row([&id], |row| {
                Ok((AccountName::new(row.get::<_, String>(0)?), row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        found.extend(row.map(|(account, due, ready, frozen)| Planned { account, due, id, ready, frozen }));
    }
    Ok(found)
}
