//! A whole ledger as records, and back.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, params};

use super::accounts::EVERY;
use super::instant::{instant, micros, micros_up};
use super::rows::{self, parse_id};
use super::{accounts, alerts, calendars};
use crate::ledger::{LedgerError, Record, Result, Telling};
use crate::model::{AccountName, CalendarName, OccurrenceName};

/// The mark of a ledger that an import has begun in and not completed.
const HALF: &str = "importing";

/// A kind of record, in the order of a transfer: how many there are, and some of them.
struct Section {
    count: &'static str,
    /// Takes a limit and an offset.
    query: &'static str,
    read: fn(&Connection, &Row<'_>) -> Result<Record>,
}

const SECTIONS: [Section; 11] = [
    Section {
        count: "SELECT count(*) FROM calendars",
        query: "SELECT name FROM calendars ORDER BY name LIMIT ? OFFSET ?",
        read: |conn, row| {
            let name = CalendarName::new(row.get::<_, String>(0)?);
            // Whether the ledger was adopted is a record of its own.
            let known = crate::ledger::CalendarRecord { adopted: None, ..calendars::calendar(conn, &name)? };
            Ok(Record::Calendar { name, known })
        },
    },
    Section {
        count: "SELECT count(*) FROM (SELECT name FROM accounts UNION SELECT account FROM pauses WHERE account <> '*')",
        query: "SELECT name FROM accounts UNION SELECT account FROM pauses WHERE account <> '*'
                ORDER BY 1 LIMIT ? OFFSET ?",
        read: |conn, row| {
            let name = AccountName::new(row.get::<_, String>(0)?);
            let known = accounts::account(conn, &name)?;
            Ok(Record::Account { name, known: Box::new(known) })
        },
    },
    Section {
        count: "SELECT count(*) FROM pauses WHERE account = '*'",
        query: "SELECT since, reason FROM pauses WHERE account = '*' LIMIT ? OFFSET ?",
        read: |_, row| Ok(Record::Paused { since: instant(row.get(0)?)?, reason: row.get(1)? }),
    },
    Section {
        count: "SELECT count(*) FROM meta WHERE key = 'adopted'",
        query: "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'adopted' LIMIT ? OFFSET ?",
        read: |_, row| Ok(Record::Adopted { at: instant(row.get(0)?)? }),
    },
    Section {
        count: "SELECT count(*) FROM deliveries",
        query: "SELECT row FROM deliveries ORDER BY rowid LIMIT ? OFFSET ?",
        read: |_, row| Ok(Record::Delivery(Box::new(serde_json::from_str(&row.get::<_, String>(0)?)?))),
    },
    Section {
        count: "SELECT count(*) FROM intents",
        query: "SELECT delivery, generation, open, intent FROM intents ORDER BY seq LIMIT ? OFFSET ?",
        read: |_, row| {
            Ok(Record::Intent {
                delivery: parse_id(&row.get::<_, String>(0)?)?,
                generation: row.get(1)?,
                open: row.get(2)?,
                intent: Box::new(serde_json::from_str(&row.get::<_, String>(3)?)?),
            })
        },
    },
    Section {
        count: "SELECT count(*) FROM receipts",
        query: "SELECT delivery, generation, network, uid, receipt FROM receipts
                ORDER BY at, calendar, occurrence, network, uid, part, generation LIMIT ? OFFSET ?",
        read: |_, row| {
            Ok(Record::Receipt {
                delivery: parse_id(&row.get::<_, String>(0)?)?,
                generation: row.get(1)?,
                network: row.get(2)?,
                uid: row.get(3)?,
                receipt: serde_json::from_str(&row.get::<_, String>(4)?)?,
            })
        },
    },
    Section {
        count: "SELECT count(*) FROM variations",
        query: "SELECT calendar, series, occurrence, variation FROM variations ORDER BY seq LIMIT ? OFFSET ?",
        read: |_, row| {
            Ok(Record::Variation {
                calendar: CalendarName::new(row.get::<_, String>(0)?),
                series: row.get(1)?,
                occurrence: OccurrenceName::new(row.get::<_, String>(2)?),
                variation: row.get(3)?,
            })
        },
    },
    Section {
        count: "SELECT count(*) FROM posts",
        query: "SELECT calendar, post FROM posts ORDER BY calendar, id LIMIT ? OFFSET ?",
        read: |_, row| {
            Ok(Record::Post {
                calendar: CalendarName::new(row.get::<_, String>(0)?),
                post: serde_json::from_str(&row.get::<_, String>(1)?)?,
            })
        },
    },
    Section {
        count: "SELECT count(*) FROM events",
        query: "SELECT at, delivery, kind, state, detail, actor FROM events ORDER BY seq LIMIT ? OFFSET ?",
        read: |_, row| Ok(Record::Event(rows::event(row)?)),
    },
    Section {
        count: "SELECT (SELECT count(*) FROM targets) + (SELECT count(*) FROM alerts)",
        query: "SELECT * FROM (
                    SELECT 0 AS kind, 0 AS seq, name, since FROM targets
                    UNION ALL SELECT 1, seq, NULL, NULL FROM alerts
                ) ORDER BY kind, seq, name LIMIT ? OFFSET ?",
        read: |conn, row| {
            if row.get::<_, i64>(0)? == 0 {
                return Ok(Record::Target { name: row.get(2)?, since: instant(row.get(3)?)? });
            }
            told(conn, row.get(1)?)
        },
    },
];

/// Reads up to `limit` records after the first `skip`.
pub(super) fn export(conn: &Connection, mut skip: u64, limit: usize) -> Result<Vec<Record>> {
    // All sections as of one moment.
    conn.execute_batch("SAVEPOINT export")?;
    let mut read = || -> Result<Vec<Record>> {
        let mut found = Vec::new();
        for section in &SECTIONS {
            let count: i64 = conn.prepare_cached(section.count)?.query_row([], |row| row.get(0))?;
            let count = u64::try_from(count).unwrap_or(0);
            if skip >= count {
                skip -= count;
                continue;
            }
            let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
            let mut statement = conn.prepare_cached(section.query)?;
            let mut rows = statement.query(params![left, i64::try_from(skip).unwrap_or(i64::MAX)])?;
            while let Some(row) = rows.next()? {
                found.push((section.read)(conn, row)?);
            }
            if found.len() >= limit {
                break;
            }
            skip = 0;
        }
        Ok(found)
    };
    let found = read();
    conn.execute_batch("RELEASE export")?;
    found
}

/// An alert with how far its telling is.
fn told(conn: &Connection, seq: i64) -> Result<Record> {
    let alert = conn
        .prepare_cached(&format!("SELECT {} FROM alerts WHERE seq = ?", alerts::COLUMNS))?
        .query_row([seq], |row| Ok(alerts::alert(row, 0)))??;
    // An errand that nobody has tried is made again by itself.
    let mut statement = conn.prepare_cached(
        "SELECT target, attempts, told_at, again, error FROM errands JOIN alerts ON alerts.seq = errands.alert
         WHERE alert = ? AND (attempts > 0 OR again <> tell_at) ORDER BY target",
    )?;
    let mut rows = statement.query([seq])?;
    let mut tellings = Vec::new();
    while let Some(row) = rows.next()? {
        tellings.push(Telling {
            target: row.get(0)?,
            attempts: row.get(1)?,
            told_at: row.get::<_, Option<i64>>(2)?.map(instant).transpose()?,
            again: row.get::<_, Option<i64>>(3)?.map(instant).transpose()?,
            error: row.get(4)?,
        });
    }
    Ok(Record::Alert { alert, tellings })
}

/// An import was begun and not completed.
pub(super) fn is_half(conn: &Connection) -> Result<bool> {
    let found = conn.prepare_cached("SELECT 1 FROM meta WHERE key = ?")?.exists([HALF])?;
    Ok(found)
}

/// Takes records in.
pub(super) fn import(conn: &Connection, records: &[Record]) -> Result<()> {
    for record in records {
        let half = is_half(conn)?;
        match record {
            Record::Head { format: 1, .. } if !half => begin(conn)?,
            Record::Head { format: 1, .. } => {
                return Err(LedgerError::Storage(
                    "an earlier import into this ledger was cut short; remove its file and begin again".to_owned(),
                ));
            }
            Record::Head { format, smm, .. } => {
                return Err(LedgerError::Newer(format!(
                    "the transfer was written by smm {smm} in a newer form ({format}); update smm"
                )));
            }
            _ if !half => {
                return Err(LedgerError::Storage("an import begins with its head; this one has none".to_owned()));
            }
            Record::End { .. } => {
                conn.prepare_cached("DELETE FROM meta WHERE key = ?")?.execute([HALF])?;
            }
            _ => take(conn, record)?,
        }
    }
    Ok(())
}

fn begin(conn: &Connection) -> Result<()> {
    if conn.prepare_cached("SELECT 1 FROM deliveries LIMIT 1")?.exists([])? {
        return Err(LedgerError::Storage(
            "this ledger has deliveries already; only a new one can take in another".to_owned(),
        ));
    }
    conn.prepare_cached("INSERT INTO meta (key, value) VALUES (?, '1')")?.execute([HALF])?;
    Ok(())
}

fn take(conn: &Connection, record: &Record) -> Result<()> {
    match record {
        Record::Head { .. } | Record::End { .. } => {}
        Record::Calendar { name, known } => {
            calendars::put_calendar(conn, name, known)?;
            if let Some(at) = known.adopted {
                calendars::adopt(conn, at)?;
            }
        }
        Record::Adopted { at } => calendars::adopt(conn, *at)?,
        Record::Account { name, known } => {
            conn.prepare_cached("INSERT OR IGNORE INTO accounts (name, last_sent) VALUES (?, ?)")?
                .execute(params![name.as_str(), known.last_sent.map(micros_up)])?;
            if let Some(binding) = &known.binding {
                accounts::bind(conn, name, binding)?;
            }
            if let Some((limits, at)) = &known.limits {
                accounts::put_limits(conn, name, limits, *at)?;
            }
            if let Some((until, why)) = &known.hold_off {
                accounts::hold_off(conn, name, *until, why)?;
            }
            accounts::pause(conn, Some(name), known.paused.clone())?;
        }
        Record::Paused { since, reason } => {
            conn.prepare_cached("INSERT OR REPLACE INTO pauses (account, since, reason) VALUES (?, ?, ?)")?
                .execute(params![EVERY, micros(*since), reason])?;
        }
        Record::Delivery(delivery) => rows::store(conn, delivery, &delivery.id.to_string())?,
        Record::Intent { delivery, generation, open, intent } => {
            let id = delivery.to_string();
            let row = rows::delivery(conn, &id)?.ok_or_else(|| orphan("an intent", &id))?;
            rows::add_intent(conn, &row, *generation, intent, *open, &id)?;
        }
        Record::Receipt { delivery, generation, network, uid, receipt } => {
            let id = delivery.to_string();
            let row = rows::delivery(conn, &id)?.ok_or_else(|| orphan("a receipt", &id))?;
            conn.prepare_cached(
                "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                row.calendar.as_str(),
                row.occurrence.as_str(),
                network,
                uid,
                receipt.part,
                generation,
                id,
                micros(receipt.at),
                serde_json::to_string(receipt)?,
            ])?;
        }
        Record::Variation { calendar, series, occurrence, variation } => {
            conn.prepare_cached(
                "INSERT INTO variations (calendar, series, occurrence, variation) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![calendar.as_str(), series, occurrence.as_str(), variation])?;
        }
        Record::Post { calendar, post } => calendars::put_post(conn, calendar, post)?,
        Record::Event(event) => rows::add_event(conn, event)?,
        Record::Target { name, since } => alerts::meet(conn, std::slice::from_ref(name), *since)?,
        Record::Alert { alert, tellings } => {
            alerts::raise(conn, alert)?;
            for telling in tellings {
                take_telling(conn, &alert.key, alert.tell_at, telling)?;
            }
        }
    }
    Ok(())
}

fn take_telling(conn: &Connection, key: &str, tell_at: DateTime<Utc>, telling: &Telling) -> Result<()> {
    if !alerts::make(conn, &telling.target)? {
        return Err(LedgerError::Corrupt(format!(
            "an alert for `{}`, which is no target of the ledger",
            telling.target
        )));
    }
    conn.prepare_cached(
        "UPDATE errands SET attempts = ?, told_at = ?, again = ?, error = ?
         WHERE target = ? AND alert = (SELECT seq FROM alerts WHERE key = ?)",
    )?
    .execute(params![
        telling.attempts,
        telling.told_at.map(micros),
        micros_up(telling.again.unwrap_or(tell_at)),
        telling.error,
        telling.target,
        key,
    ])?;
    Ok(())
}

fn orphan(what: &str, id: &str) -> LedgerError {
    LedgerError::Corrupt(format!("{what} of the delivery {id}, which is not in the transfer"))
}
