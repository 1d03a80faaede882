//! What is known of calendars: when they were first seen, their series, which text an occurrence has, and the posts that
//! `smm post` wrote.

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object, Transaction};

use super::error::Trouble;
use super::instant::{down, up};
use crate::ledger::{CalendarRecord, SeriesRecord, StoredPost};
use crate::model::{CalendarName, Delivery, PostId};

type Result<T> = std::result::Result<T, Trouble>;

/// When a person last took the ledger although it was older than what had been seen: a key of `meta`.
pub(super) const ADOPTED: &str = "adopted";

/// What is known of a calendar.
pub(super) async fn calendar(session: &Object, name: &CalendarName) -> Result<CalendarRecord> {
    let statement = session
        .prepare_cached(
            "SELECT (SELECT first_seen FROM calendars WHERE name = $1),
                 (SELECT value::timestamptz FROM meta WHERE key = 'adopted')",
        )
        .await?;
    let row = session.query_one(&statement, &[&name.as_str()]).await?;
    let mut record = CalendarRecord { first_seen: row.get(0), adopted: row.get(1), ..CalendarRecord::default() };
    let statement = session.prepare_cached("SELECT name, rule, watermark FROM series WHERE calendar = $1").await?;
    for row in session.query(&statement, &[&name.as_str()]).await? {
        record.series.insert(row.get(0), SeriesRecord { rule: row.get(1), watermark: row.get(2) });
    }
    Ok(record)
}

/// Stores what is known of a calendar. Of two that do it at once neither takes back what the other knows: the first sight
/// stays the first, and a rule that both have seen keeps the later watermark.
pub(super) async fn put_calendar(
    transaction: &Transaction<'_>,
    name: &CalendarName,
    record: &CalendarRecord,
) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO calendars AS known (name, first_seen) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET first_seen = least(known.first_seen, excluded.first_seen)",
            &[&name.as_str(), &record.first_seen.map(down)],
        )
        .await?;
    let names: Vec<&str> = record.series.keys().map(String::as_str).collect();
    let rules: Vec<&str> = record.series.values().map(|series| series.rule.as_str()).collect();
    let watermarks: Vec<_> = record.series.values().map(|series| series.watermark).collect();
    transaction
        .execute(
            "INSERT INTO series AS known (calendar, name, rule, watermark)
             SELECT $1, name, rule, watermark
             FROM unnest($2::text[], $3::text[], $4::timestamp[]) AS new (name, rule, watermark) ORDER BY name
             ON CONFLICT (calendar, name) DO UPDATE SET rule = excluded.rule,
                 watermark = CASE WHEN known.rule = excluded.rule THEN greatest(known.watermark, excluded.watermark)
                     ELSE excluded.watermark END
             WHERE (known.rule, known.watermark) IS DISTINCT FROM (excluded.rule, excluded.watermark)",
            &[&name.as_str(), &names, &rules, &watermarks],
        )
        .await?;
    transaction
        .execute("DELETE FROM series WHERE calendar = $1 AND NOT name = ANY($2)", &[&name.as_str(), &names])
        .await?;
    Ok(())
}

/// Keeps when a person took the ledger as it is. The latest time is what counts.
pub(super) async fn put_adopted(session: &impl GenericClient, now: DateTime<Utc>) -> Result<()> {
    session
        .execute(
            "INSERT INTO meta (key, value) VALUES ($1, $2::timestamptz::text)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value
                 WHERE meta.value::timestamptz < excluded.value::timestamptz",
            &[&ADOPTED, &up(now)],
        )
        .await?;
    Ok(())
}

/// The variation of an occurrence. Two occurrences of a series take turns, so that each has the text after the other's.
pub(super) async fn variation(transaction: &Transaction<'_>, delivery: &Delivery, count: u32) -> Result<u32> {
    let count = i64::from(count.max(1));
    let (calendar, occurrence) = (delivery.calendar.as_str(), delivery.occurrence.as_str());
    // The name before `@` stays when the post is renamed; no id has an `@` in it.
    let series = occurrence.split_once('@').map_or(occurrence, |(series, _)| series);
    transaction
        .execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[&format!("smm {calendar} {series}")])
        .await?;
    let settled = transaction
        .query_opt(
            "SELECT variation FROM variations WHERE calendar = $1 AND occurrence = $2",
            &[&calendar, &occurrence],
        )
        .await?;
    let number: i64 = if let Some(row) = settled {
        // Texts may have been taken away since.
        row.get::<_, i64>(0) % count
    } else {
        let last = transaction
            .query_opt(
                "SELECT variation FROM variations WHERE calendar = $1 AND series = $2 ORDER BY seq DESC LIMIT 1",
                &[&calendar, &series],
            )
            .await?;
        let next = last.map_or(0, |row| (row.get::<_, i64>(0) % count + 1) % count);
        transaction
            .execute(
                "INSERT INTO variations (calendar, series, occurrence, variation) VALUES ($1, $2, $3, $4)",
                &[&calendar, &series, &occurrence, &next],
            )
            .await?;
        next
    };
    Ok(u32::try_from(number).unwrap_or(0))
}

/// Stores a post.
pub(super) async fn put_post(session: &impl GenericClient, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
    session
        .execute(
            "INSERT INTO posts (calendar, id, post) VALUES ($1, $2, $3)
             ON CONFLICT (calendar, id) DO UPDATE SET post = excluded.post",
            &[&calendar.as_str(), &post.post.id.as_str(), &serde_json::to_string(post)?],
        )
        .await?;
    Ok(())
}

/// Stores a post unless there is one under its id, and gives the one that there is.
pub(super) async fn keep_post(
    session: &impl GenericClient,
    calendar: &CalendarName,
    post: &StoredPost,
) -> Result<StoredPost> {
    let (calendar, id) = (calendar.as_str(), post.post.id.as_str());
    let text = serde_json::to_string(post)?;
    session
        .execute(
            "INSERT INTO posts (calendar, id, post) VALUES ($1, $2, $3) ON CONFLICT (calendar, id) DO NOTHING",
            &[&calendar, &id, &text],
        )
        .await?;
    // A question of its own: it sees what another session has committed while the insertion waited for it.
    let row = session.query_opt("SELECT post FROM posts WHERE calendar = $1 AND id = $2", &[&calendar, &id]).await?;
    Ok(row.map(|row| serde_json::from_str(row.get(0))).transpose()?.unwrap_or_else(|| post.clone()))
}

/// Reads a post.
pub(super) async fn post(session: &Object, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
    let statement = session.prepare_cached("SELECT post FROM posts WHERE calendar = $1 AND id = $2").await?;
    let row = session.query_opt(&statement, &[&calendar.as_str(), &id.as_str()]).await?;
    Ok(row.map(|row| serde_json::from_str(row.get(0))).transpose()?)
}
