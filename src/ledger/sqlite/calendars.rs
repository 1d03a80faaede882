//! What is known of calendars: when they were first seen, their series, which text an occurrence has, and the posts that
//! `smm post` wrote.

use chrono::{DateTime, NaiveDateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::instant::{instant, micros, micros_up};
use crate::ledger::{CalendarRecord, LedgerError, Result, SeriesRecord, StoredPost};
use crate::model::{CalendarName, Delivery, PostId};

/// Civil times as text: sorted as they pass, and read by people.
const CIVIL: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// What is known of a calendar.
pub(super) fn calendar(conn: &Connection, name: &CalendarName) -> Result<CalendarRecord> {
    let first_seen: Option<Option<i64>> = conn
        .prepare_cached("SELECT first_seen FROM calendars WHERE name = ?")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()?;
    let mut record = CalendarRecord {
        first_seen: first_seen.flatten().map(instant).transpose()?,
        adopted: adopted(conn)?,
        ..CalendarRecord::default()
    };
    let mut statement = conn.prepare_cached("SELECT name, rule, watermark FROM series WHERE calendar = ?")?;
    let mut rows = statement.query([name.as_str()])?;
    while let Some(row) = rows.next()? {
        let watermark: String = row.get(2)?;
        let watermark = NaiveDateTime::parse_from_str(&watermark, CIVIL).map_err(|error| {
            LedgerError::Corrupt(format!("the ledger holds a wrong civil time `{watermark}`: {error}"))
        })?;
        record.series.insert(row.get(0)?, SeriesRecord { rule: row.get(1)?, watermark });
    }
    Ok(record)
}

/// When a person last adopted the ledger.
fn adopted(conn: &Connection) -> Result<Option<DateTime<Utc>>> {
    let micros: Option<i64> = conn
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'adopted'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    micros.map(instant).transpose()
}

/// A person has adopted the ledger. The latest time is what counts.
pub(super) fn adopt(conn: &Connection, now: DateTime<Utc>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta (key, value) VALUES ('adopted', ?1)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value
             WHERE CAST(value AS INTEGER) < CAST(excluded.value AS INTEGER)",
    )?
    .execute([micros_up(now).to_string()])?;
    Ok(())
}

/// Stores what is known of a calendar, save whether the ledger was adopted: that is [`adopt`]'s. What is the same is not written again.
pub(super) fn put_calendar(conn: &Connection, name: &CalendarName, record: &CalendarRecord) -> Result<()> {
    let known = calendar(conn, name)?;
    conn.prepare_cached(
        "INSERT INTO calendars (name, first_seen) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET first_seen = excluded.first_seen WHERE first_seen IS NOT excluded.first_seen",
    )?
    .execute(params![name.as_str(), record.first_seen.map(micros)])?;
    for (series, what) in &record.series {
        if known.series.get(series) != Some(what) {
            conn.prepare_cached("INSERT OR REPLACE INTO series (calendar, name, rule, watermark) VALUES (?, ?, ?, ?)")?
                .execute(params![name.as_str(), series, what.rule, what.watermark.format(CIVIL).to_string()])?;
        }
    }
    for series in known.series.keys().filter(|series| !record.series.contains_key(*series)) {
        conn.prepare_cached("DELETE FROM series WHERE calendar = ? AND name = ?")?
            .execute(params![name.as_str(), series])?;
    }
    Ok(())
}

/// The variation of an occurrence.
pub(super) fn variation(conn: &Connection, delivery: &Delivery, count: u32) -> Result<u32> {
    let count = count.max(1);
    let calendar = delivery.calendar.as_str();
    let occurrence = delivery.occurrence.as_str();
    let settled: Option<u32> = conn
        .prepare_cached("SELECT variation FROM variations WHERE calendar = ? AND occurrence = ?")?
        .query_row([calendar, occurrence], |row| row.get(0))
        .optional()?;
    if let Some(settled) = settled {
        // Texts may have been taken away since.
        return Ok(settled % count);
    }
    // The name before `@` stays when the post is renamed; no id has an `@` in it.
    let series = occurrence.split_once('@').map_or(occurrence, |(series, _)| series);
    let last: Option<u32> = conn
        .prepare_cached("SELECT variation FROM variations WHERE calendar = ? AND series = ? ORDER BY seq DESC LIMIT 1")?
        .query_row([calendar, series], |row| row.get(0))
        .optional()?;
    let next = last.map_or(0, |last| (last % count + 1) % count);
    conn.prepare_cached("INSERT INTO variations (calendar, series, occurrence, variation) VALUES (?, ?, ?, ?)")?
        .execute(params![calendar, series, occurrence, next])?;
    Ok(next)
}

/// Stores a post.
pub(super) fn put_post(conn: &Connection, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO posts (calendar, id, post) VALUES (?, ?, ?)")?.execute(params![
        calendar.as_str(),
        post.post.id.as_str(),
        serde_json::to_string(post)?
    ])?;
    Ok(())
}

/// Stores a post unless there is one under its id, and gives the one that there is.
pub(super) fn keep_post(conn: &Connection, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost> {
    conn.prepare_cached("INSERT OR IGNORE INTO posts (calendar, id, post) VALUES (?, ?, ?)")?.execute(params![
        calendar.as_str(),
        post.post.id.as_str(),
        serde_json::to_string(post)?
    ])?;
    Ok(self::post(conn, calendar, &post.post.id)?.unwrap_or_else(|| post.clone()))
}

/// Reads a post.
pub(super) fn post(conn: &Connection, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
    let text: Option<String> = conn
        .prepare_cached("SELECT post FROM posts WHERE calendar = ? AND id = ?")?
        .query_row([calendar.as_str(), id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().map(serde_json::from_str).transpose()?)
}
