//! Who is next.
//!
//! For each account one look into an index over its planned rows: the cost follows the number of accounts served, not
//! the number of rows that wait.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::EVERY;
use super::instant::{instant, micros};
use super::rows;
use crate::ledger::{ClaimRequest, LedgerError, Result};
use crate::model::{AccountName, Delivery, DeliveryId, Event, State};
use crate::trial::Guard;

/// The earliest due row of an account that is ready. Due rows that wait for a retry are stepped over. (`+calendar`: the
/// index over the account's planned rows is the one to use, whatever the calendars are.)
pub(super) const FIRST_READY: &str = "SELECT due, id, ready FROM deliveries
     WHERE state = 'planned' AND account = ?1 AND due <= ?2 AND (not_before IS NULL OR not_before <= ?2)
         AND (?3 IS NULL OR +calendar IN (SELECT value FROM json_each(?3)))
     ORDER BY due, id LIMIT 1";

/// The earliest due row of an account that is ready and not overdue: of those there are few.
pub(super) const FIRST_ON_TIME: &str = "SELECT due, id FROM deliveries
     WHERE state = 'planned' AND account = ?1 AND ready BETWEEN ?4 AND ?2
         AND (?3 IS NULL OR +calendar IN (SELECT value FROM json_each(?3)))
     ORDER BY +due, +id LIMIT 1";

/// When the first row of an account is ready, of those that are ready at `?3` or later.
pub(super) const NEXT_READY: &str =
    "SELECT ready FROM deliveries WHERE state = 'planned' AND account = ?1 AND ready >= ?3
     AND (?2 IS NULL OR +calendar IN (SELECT value FROM json_each(?2))) ORDER BY ready LIMIT 1";

/// When the `?3 + 1`th last of the posts began that an account has begun after `?2`.
pub(super) const BEGUN: &str = "SELECT max(at) AS begun FROM intents WHERE part = 0 AND account = ?1 AND at > ?2
     GROUP BY delivery ORDER BY begun DESC LIMIT 1 OFFSET ?3";

/// Accounts that a worker has a delivery of.
pub(super) const BUSY: &str = "SELECT DISTINCT account FROM deliveries WHERE state IN ('claimed', 'sending')";

/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// Claims what is ready.
pub(super) fn claim(conn: &Connection, request: &ClaimRequest) -> Result<Vec<Delivery>> {
    refuse_half(conn)?;
    let now = micros(request.now) + if Guard::Early.holds() { 0 } else { DAY };
    let free = free(conn, request)?;
    let mut ready: Vec<(i64, String)> = Vec::new();
    if let Some(only) = &request.only {
        let mut first: BTreeMap<AccountName, (i64, String)> = BTreeMap::new();
        for row in planned(conn, only)? {
            let Some(&from) = free.get(&row.account) else { continue };
            if from.max(row.ready) > now
                || (row.ready < overdue(request, now) && calm(conn, &row.account, request, now)? > now)
            {
                continue;
            }
            let candidate = (row.due, row.id);
            let best = first.entry(row.account).or_insert_with(|| candidate.clone());
            if candidate < *best {
                *best = candidate;
            }
        }
        ready.extend(first.into_values());
    } else {
        let calendars = calendars(request)?;
        for (account, _) in free.iter().filter(|&(_, &from)| from <= now) {
            ready.extend(first_ready(conn, account, request, now, calendars.as_deref())?);
        }
    }
    ready.sort_unstable();
    ready.truncate(request.limit);
    ready.into_iter().map(|(_, id)| claim_one(conn, request, &id)).collect()
}

/// The row of an account that is claimed at `now`, with its due time.
fn first_ready(
    conn: &Connection,
    account: &AccountName,
    request: &ClaimRequest,
    now: i64,
    calendars: Option<&str>,
) -> Result<Option<(i64, String)>> {
    let first: Option<(i64, String, i64)> = conn
        .prepare_cached(FIRST_READY)?
        .query_row(params![account.as_str(), now, calendars], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((due, id, ready)) = first else { return Ok(None) };
    let limit = overdue(request, now);
    if ready >= limit || calm(conn, account, request, now)? <= now {
        return Ok(Some((due, id)));
    }
    Ok(conn
        .prepare_cached(FIRST_ON_TIME)?
        .query_row(params![account.as_str(), now, calendars, limit], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// What was ready before this is overdue at `now`.
fn overdue(request: &ClaimRequest, now: i64) -> i64 {
    now.saturating_sub(seconds(request.burst.overdue))
}

/// From when on an account may take up what is overdue: it has begun as many posts lately as it may.
fn calm(conn: &Connection, account: &AccountName, request: &ClaimRequest, now: i64) -> Result<i64> {
    let within = seconds(request.burst.within);
    let begun: Option<i64> = conn
        .prepare_cached(BEGUN)?
        .query_row(params![account.as_str(), now.saturating_sub(within), request.burst.posts.max(1) - 1], |row| {
            row.get(0)
        })
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
    let free = free(conn, request)?;
    let mut next: Option<i64> = None;
    let mut consider = |at: i64| next = Some(next.map_or(at, |best| best.min(at)));
    if let Some(only) = &request.only {
        for row in planned(conn, only)? {
            if let Some(&from) = free.get(&row.account) {
                let at = row.ready.max(from);
                // When it is taken up in time, a burst does not matter.
                if row.ready >= overdue(request, at.max(now)) {
                    consider(at);
                } else {
                    consider(at.max(calm(conn, &row.account, request, now)?));
                }
            }
        }
    } else {
        let calendars = calendars(request)?;
        let mut statement = conn.prepare_cached(NEXT_READY)?;
        let mut first = |account: &AccountName, least: i64| {
            statement.query_row(params![account.as_str(), calendars, least], |row| row.get::<_, i64>(0)).optional()
        };
        for (account, &from) in &free {
            let Some(ready) = first(account, i64::MIN)? else { continue };
            let (at, limit) = (ready.max(from), overdue(request, from.max(now)));
            let calm = if ready < limit { calm(conn, account, request, now)? } else { i64::MIN };
            if calm <= at.max(now) {
                consider(at);
                continue;
            }
            consider(calm);
            if let Some(ready) = first(account, limit)? {
                consider(ready.max(from));
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

/// The accounts that a claim may take from, each with the time from which its spacing and its network allow it.
fn free(conn: &Connection, request: &ClaimRequest) -> Result<BTreeMap<AccountName, i64>> {
    let paused = names(conn, "SELECT account FROM pauses")?;
    if paused.contains(EVERY) {
        return Ok(BTreeMap::new());
    }
    let busy = names(conn, BUSY)?;
    let mut statement = conn.prepare_cached("SELECT last_sent, hold_off FROM accounts WHERE name = ?")?;
    let mut free = BTreeMap::new();
    for (account, &spacing) in &request.accounts {
        if paused.contains(account.as_str()) || busy.contains(account.as_str()) {
            continue;
        }
        let (last, hold_off): (Option<i64>, Option<i64>) = statement
            .query_row([account.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or_default();
        let spaced = last.map_or(i64::MIN, |last| last.saturating_add(seconds(spacing)));
        free.insert(account.clone(), spaced.max(hold_off.unwrap_or(i64::MIN)));
    }
    Ok(free)
}

fn names(conn: &Connection, sql: &str) -> Result<BTreeSet<String>> {
    let mut statement = conn.prepare_cached(sql)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names)
}

struct Planned {
    account: AccountName,
    due: i64,
    ready: i64,
    id: String,
}

fn planned(conn: &Connection, only: &[DeliveryId]) -> Result<Vec<Planned>> {
    let mut statement =
        conn.prepare_cached("SELECT account, due, ready FROM deliveries WHERE id = ? AND state = 'planned'")?;
    let mut found = Vec::new();
    for id in only {
        let id = id.to_string();
        let row = statement
            .query_row([&id], |row| Ok((AccountName::new(row.get::<_, String>(0)?), row.get(1)?, row.get(2)?)))
            .optional()?;
        found.extend(row.map(|(account, due, ready)| Planned { account, due, ready, id }));
    }
    Ok(found)
}
