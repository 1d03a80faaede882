//! Deliveries with their intents, receipts and events.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::alerts;
use super::instant::{instant, micros, micros_up};
use crate::ledger::standing::{Columns, Gathering, settled_states};
use crate::ledger::{LedgerError, Query, Result, Tally, Write, Written};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, Intent, Receipt, Standings, State,
};

/// Reads the deliveries of a query.
pub(super) fn deliveries(conn: &Connection, query: &Query) -> Result<Vec<Delivery>> {
    let mut sql = "SELECT row FROM deliveries WHERE 1".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(calendar) = &query.calendar {
        sql.push_str(" AND calendar = ?");
        values.push(Box::new(calendar.as_str().to_owned()));
    }
    if let Some(post) = &query.post {
        sql.push_str(" AND post = ?");
        values.push(Box::new(post.as_str().to_owned()));
    }
    if let Some(account) = &query.account {
        sql.push_str(" AND account = ?");
        values.push(Box::new(account.as_str().to_owned()));
    }
    if let Some(ids) = &query.ids {
        sql.push_str(" AND id IN (SELECT value FROM json_each(?))");
        values.push(Box::new(serde_json::to_string(ids)?));
    }
    if let Some(start) = &query.id_start {
        // `g` is the first letter after the hex digits.
        sql.push_str(" AND id >= ? AND id < ?");
        values.push(Box::new(start.to_ascii_lowercase()));
        values.push(Box::new(start.to_ascii_lowercase() + "g"));
    }
    if !query.states.is_empty() {
        sql.push_str(" AND state IN (");
        for (index, state) in query.states.iter().enumerate() {
            sql.push_str(if index == 0 { "?" } else { ", ?" });
            values.push(Box::new(state.as_str()));
        }
        sql.push(')');
    }
    match query.latest {
        None => sql.push_str(" ORDER BY due, id"),
        Some(count) => {
            sql.push_str(" ORDER BY due DESC, id DESC LIMIT ?");
            values.push(Box::new(i64::try_from(count).unwrap_or(i64::MAX)));
        }
    }
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

/// Reads how the deliveries of a calendar stand.
pub(super) fn standings(conn: &Connection, calendar: &CalendarName) -> Result<Standings> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT id, post, occurrence, account, network, state, version,
             CASE WHEN state NOT IN ({}) THEN row END
         FROM deliveries WHERE calendar = ? ORDER BY due, id",
        settled_states()
    ))?;
    let mut rows = statement.query([calendar.as_str()])?;
    let mut all = Gathering::default();
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, LedgerError>(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?);
        all.add(&Columns {
            id: text(0)?,
            post: text(1)?,
            occurrence: text(2)?,
            account: text(3)?,
            network: text(4)?,
            state: text(5)?,
            version: u64::try_from(row.get::<_, i64>(6)?).unwrap_or_default(),
            row: row.get_ref(7)?.as_str_or_null().map_err(rusqlite::Error::from)?,
        })?;
    }
    Ok(all.done())
}

/// Claimed and sending deliveries of others than `owner`.
pub(super) const OF_OTHERS: &str = "SELECT row FROM deliveries
     WHERE state IN ('claimed', 'sending') AND owner IS NOT ? ORDER BY due, id";

/// What others than `owner` have: dead, since an exclusive ledger has one publisher.
pub(super) fn of_others(conn: &Connection, owner: &str) -> Result<Vec<Delivery>> {
    let mut statement = conn.prepare_cached(OF_OTHERS)?;
    let mut rows = statement.query([owner])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

/// Reads one delivery.
pub(super) fn delivery(conn: &Connection, id: &str) -> Result<Option<Delivery>> {
    let row: Option<String> =
        conn.prepare_cached("SELECT row FROM deliveries WHERE id = ?")?.query_row([id], |row| row.get(0)).optional()?;
    row.as_deref().map(read).transpose()
}

/// Counts them by account and state, by columns alone: no row is read whole.
pub(super) fn tally(conn: &Connection) -> Result<Vec<Tally>> {
    let mut statement = conn.prepare_cached(
        "SELECT account, network, state, count(*), min(ready) FROM deliveries GROUP BY account, network, state",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let word: String = row.get(2)?;
        let state = State::parse(&word).ok_or_else(|| {
            LedgerError::Corrupt(format!("the ledger holds a state that smm does not know: `{word}`"))
        })?;
        found.push(Tally {
            account: AccountName::new(row.get::<_, String>(0)?),
            network: row.get(1)?,
            state,
            count: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            ready: instant(row.get(4)?)?,
        });
    }
    Ok(found)
}

fn read(row: &str) -> Result<Delivery> {
    Ok(serde_json::from_str(row)?)
}

/// Stores rows. `intents`: whether rows that come to hold an intent may be written.
pub(super) fn write(conn: &Connection, writes: &[Write], intents: bool) -> Result<Vec<Written>> {
    writes.iter().map(|write| write_one(conn, write, intents)).collect()
}

fn write_one(conn: &Connection, write: &Write, intents: bool) -> Result<Written> {
    let mut next = write.delivery.clone();
    let id = next.id.to_string();
    let present: Option<i64> = conn
        .prepare_cached("SELECT version FROM deliveries WHERE id = ?")?
        .query_row([&id], |row| row.get(0))
        .optional()?;
    if present.unwrap_or(0) != counter(write.expect) {
        return Ok(Written::Stale);
    }
    let open = if present.is_some() { open_intent(conn, &id)? } else { None };
    let new = next.intent.as_deref().filter(|intent| open.as_ref().is_none_or(|(_, open)| open != *intent));
    if let Some(intent) = new {
        if !intents {
            return Err(in_doubt());
        }
        if let Some(out) = already_out(conn, &next, intent, &id)? {
            return Ok(out);
        }
        if open.is_some() && is_busy(conn, &next, intent, &id)? {
            return Ok(Written::Stale);
        }
    }
    next.version = write.expect + 1;
    store(conn, &next, &id)?;
    if let Some((seq, intent)) = &open
        && next.intent.as_deref() != Some(intent)
    {
        conn.prepare_cached("UPDATE intents SET open = 0 WHERE seq = ?")?.execute([seq])?;
    }
    if let Some(intent) = new {
        add_intent(conn, &next, next.generation, intent, true, &id)?;
        sent(conn, &next, intent)?;
    }
    if !next.receipts.is_empty() {
        let binding = match open {
            Some((_, intent)) => Some(intent.binding),
            None => binding_of(conn, &next, &id)?,
        };
        for receipt in &next.receipts {
            add_receipt(conn, &next, receipt, binding.as_ref(), &id)?;
        }
    }
    add_event(conn, &write.event)?;
    if write.withdraws() {
        alerts::withdraw(conn, &id, write.event.at)?;
    }
    if let Some(alert) = &write.alert {
        alerts::raise(conn, alert)?;
    }
    Ok(Written::Done)
}

/// An error of the disk has left it open what it holds.
pub(super) fn in_doubt() -> LedgerError {
    LedgerError::Gone(
        "the disk has failed under the ledger, so nothing more is sent; see to the disk, then start smm again"
            .to_owned(),
    )
}

/// Writes the row and the columns that queries use: the only place that does.
pub(super) fn store(conn: &Connection, delivery: &Delivery, id: &str) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO deliveries (id, calendar, post, occurrence, account, network, origin, due, not_before, ready,
             state, version, fence, owner, row, frozen)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET calendar = excluded.calendar, post = excluded.post,
             occurrence = excluded.occurrence, account = excluded.account, network = excluded.network,
             origin = excluded.origin, due = excluded.due, not_before = excluded.not_before, ready = excluded.ready,
             state = excluded.state, version = excluded.version, fence = excluded.fence, owner = excluded.owner,
             row = excluded.row, frozen = excluded.frozen",
    )?
    .execute(params![
        id,
        delivery.calendar.as_str(),
        delivery.post.as_str(),
        delivery.occurrence.as_str(),
        delivery.account.as_str(),
        delivery.network,
        match delivery.origin {
            crate::model::Origin::Calendar => "calendar",
            crate::model::Origin::Command => "command",
        },
        micros_up(delivery.due),
        delivery.not_before.map(micros_up),
        micros_up(delivery.ready_at()),
        delivery.state.as_str(),
        counter(delivery.version),
        counter(delivery.fence),
        delivery.owner,
        serde_json::to_string(delivery)?,
        delivery.is_frozen(),
    ])?;
    Ok(())
}

/// `SQLite`'s integers have a sign; no counter comes near the end of either kind.
fn counter(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn open_intent(conn: &Connection, id: &str) -> Result<Option<(i64, Intent)>> {
    let found: Option<(i64, String)> = conn
        .prepare_cached("SELECT seq, intent FROM intents WHERE delivery = ? AND open = 1 ORDER BY seq DESC LIMIT 1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(seq, intent)| Ok((seq, serde_json::from_str(&intent)?))).transpose()
}

/// The guard: one part of one occurrence reaches one identity once, whatever the account is called. A receipt of this
/// very delivery counts too; an open intent of its own does not, since settling it is what an attempt may be for.
fn already_out(conn: &Connection, next: &Delivery, intent: &Intent, id: &str) -> Result<Option<Written>> {
    let key = params![
        next.calendar.as_str(),
        next.occurrence.as_str(),
        intent.binding.network,
        intent.binding.uid,
        intent.frozen.part,
        next.generation,
    ];
    let receipt: Option<(String, String)> = conn
        .prepare_cached(
            "SELECT delivery, receipt FROM receipts WHERE calendar = ? AND occurrence = ? AND network = ? AND uid = ?
                 AND part = ? AND generation = ?",
        )?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((by, receipt)) = receipt {
        return Ok(Some(Written::AlreadyOut { by: parse_id(&by)?, receipt: Some(serde_json::from_str(&receipt)?) }));
    }
    let by: Option<String> = conn
        .prepare_cached(
            "SELECT delivery FROM intents WHERE calendar = ?1 AND occurrence = ?2 AND network = ?3 AND uid = ?4
                 AND part = ?5 AND generation = ?6 AND open = 1 AND delivery <> ?7 LIMIT 1",
        )?
        .query_row(
            params![
                next.calendar.as_str(),
                next.occurrence.as_str(),
                intent.binding.network,
                intent.binding.uid,
                intent.frozen.part,
                next.generation,
                id,
            ],
            |row| row.get(0),
        )
        .optional()?;
    by.map(|by| Ok(Written::AlreadyOut { by: parse_id(&by)?, receipt: None })).transpose()
}

/// Whether somebody is at work on a row's account, or has begun a call there after an intent was decided.
fn is_busy(conn: &Connection, next: &Delivery, intent: &Intent, id: &str) -> Result<bool> {
    let busy = conn
        .prepare_cached(
            "SELECT 1 FROM deliveries WHERE account = ?1 AND id <> ?2 AND state IN ('claimed', 'sending')
             UNION ALL
             SELECT 1 FROM accounts WHERE name = ?1 AND last_sent > ?3",
        )?
        .exists(params![next.account.as_str(), id, micros_up(intent.at)])?;
    Ok(busy)
}

/// Adds an intent of a delivery.
pub(super) fn add_intent(
    conn: &Connection,
    delivery: &Delivery,
    generation: u32,
    intent: &Intent,
    open: bool,
    id: &str,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO intents (delivery, account, calendar, occurrence, network, uid, part, generation, attempt, key, at,
             open, intent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        id,
        delivery.account.as_str(),
        delivery.calendar.as_str(),
        delivery.occurrence.as_str(),
        intent.binding.network,
        intent.binding.uid,
        intent.frozen.part,
        generation,
        intent.attempt,
        intent.frozen.key,
        micros(intent.at),
        open,
        serde_json::to_string(intent)?,
    ])?;
    Ok(())
}

/// An account has begun a call: spacing counts from here.
fn sent(conn: &Connection, next: &Delivery, intent: &Intent) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO accounts (name, last_sent) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET last_sent = max(coalesce(last_sent, excluded.last_sent), excluded.last_sent)",
    )?
    .execute(params![next.account.as_str(), micros_up(intent.at)])?;
    Ok(())
}

/// Whose receipts these are when the row had no open intent: a person has said that it is out.
fn binding_of(conn: &Connection, next: &Delivery, id: &str) -> Result<Option<Binding>> {
    let latest: Option<String> = conn
        .prepare_cached("SELECT intent FROM intents WHERE delivery = ? ORDER BY seq DESC LIMIT 1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    if let Some(latest) = latest {
        return Ok(Some(serde_json::from_str::<Intent>(&latest)?.binding));
    }
    super::accounts::binding(conn, &next.account)
}

fn add_receipt(
    conn: &Connection,
    next: &Delivery,
    receipt: &Receipt,
    binding: Option<&Binding>,
    id: &str,
) -> Result<()> {
    // An account that was never bound has sent nothing; its name stands in for its identity (no network's id has a
    // space in it).
    let stand_in = format!("name {}", next.account);
    let uid = binding.map_or(stand_in.as_str(), |binding| binding.uid.as_str());
    let network = binding.map_or(next.network.as_str(), |binding| binding.network.as_str());
    let text = serde_json::to_string(receipt)?;
    // What is there stays: a row that another delivery brought out carries that delivery's receipt, and a part that went
    // out before a person said "post again" keeps its generation.
    conn.prepare_cached(
        "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
         WHERE NOT EXISTS (
             SELECT 1 FROM receipts WHERE calendar = ?1 AND occurrence = ?2 AND network = ?3 AND uid = ?4 AND part = ?5
                 AND (generation = ?6 OR (delivery = ?7 AND receipt = ?9))
         )",
    )?
    .execute(params![
        next.calendar.as_str(),
        next.occurrence.as_str(),
        network,
        uid,
        receipt.part,
        next.generation,
        id,
        micros(receipt.at),
        text,
    ])?;
    Ok(())
}

/// Adds a line to the history.
pub(super) fn add_event(conn: &Connection, event: &Event) -> Result<()> {
    conn.prepare_cached("INSERT INTO events (at, delivery, kind, state, detail, actor) VALUES (?, ?, ?, ?, ?, ?)")?
        .execute(params![
            micros(event.at),
            event.delivery.to_string(),
            event.kind,
            event.state.as_str(),
            event.detail,
            event.actor,
        ])?;
    Ok(())
}

/// Reads the history: of one delivery oldest first, of all newest first.
pub(super) fn events(conn: &Connection, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
    const COLUMNS: &str = "SELECT at, delivery, kind, state, detail, actor FROM events";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    if let Some(delivery) = delivery {
        let mut statement = conn.prepare_cached(&format!("{COLUMNS} WHERE delivery = ? ORDER BY seq LIMIT ?"))?;
        let mut rows = statement.query(params![delivery.to_string(), limit])?;
        while let Some(row) = rows.next()? {
            found.push(event(row)?);
        }
    } else {
        let mut statement = conn.prepare_cached(&format!("{COLUMNS} ORDER BY seq DESC LIMIT ?"))?;
        let mut rows = statement.query([limit])?;
        while let Some(row) = rows.next()? {
            found.push(event(row)?);
        }
    }
    Ok(found)
}

/// Reads a line of the history from its columns.
pub(super) fn event(row: &Row<'_>) -> Result<Event> {
    let state: String = row.get(3)?;
    Ok(Event {
        at: instant(row.get(0)?)?,
        delivery: parse_id(&row.get::<_, String>(1)?)?,
        kind: row.get(2)?,
        state: State::parse(&state).ok_or_else(|| {
            LedgerError::Corrupt(format!("the ledger holds a state that smm does not know: `{state}`"))
        })?,
        detail: row.get(4)?,
        actor: row.get(5)?,
    })
}

pub(super) fn parse_id(text: &str) -> Result<DeliveryId> {
    text.parse().map_err(|error| LedgerError::Corrupt(format!("the ledger holds a wrong id: {error}")))
}
