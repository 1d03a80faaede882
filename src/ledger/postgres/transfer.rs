//! A whole ledger as records, and back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object, Transaction};
use tokio_postgres::Row;

use super::accounts::EVERY;
use super::error::Trouble;
use super::instant::{down, up};
use super::rows::{self, id_of, plain};
use super::{accounts, alerts, calendars, store};
use crate::ledger::{CalendarRecord, LedgerError, Record, Telling, Write};
use crate::model::{AccountName, CalendarName, Delivery, DeliveryId, Intent, OccurrenceName, Receipt};

type Result<T> = std::result::Result<T, Trouble>;

/// The mark of a ledger that an import has begun in and not completed: a key of `meta`.
const HALF: &str = "importing";

/// A kind of record, in the order of a transfer.
#[derive(Debug, Clone, Copy)]
enum Section {
    Calendars,
    Accounts,
    Paused,
    Adopted,
    Deliveries,
    Intents,
    Receipts,
    Variations,
    Posts,
    Events,
    Targets,
    Alerts,
}

impl Section {
    const ALL: [Self; 12] = [
        Self::Calendars,
        Self::Accounts,
        Self::Paused,
        Self::Adopted,
        Self::Deliveries,
        Self::Intents,
        Self::Receipts,
        Self::Variations,
        Self::Posts,
        Self::Events,
        Self::Targets,
        Self::Alerts,
    ];

    /// All of it, in its order, without a limit.
    fn sql(self) -> &'static str {
        match self {
            Self::Calendars => "SELECT name FROM calendars ORDER BY name",
            Self::Accounts => {
                "SELECT name FROM accounts UNION SELECT account FROM pauses WHERE account <> '*' ORDER BY 1"
            }
            Self::Paused => "SELECT since, reason FROM pauses WHERE account = '*'",
            Self::Adopted => "SELECT value::timestamptz FROM meta WHERE key = 'adopted'",
            Self::Deliveries => "SELECT row, state, version, fence, owner FROM deliveries ORDER BY seq",
            Self::Intents => "SELECT delivery, generation, open, intent FROM intents ORDER BY seq",
            Self::Receipts => {
                "SELECT delivery, generation, network, uid, receipt FROM receipts
                 ORDER BY at, calendar, occurrence, network, uid, part, generation"
            }
            Self::Variations => "SELECT calendar, series, occurrence, variation FROM variations ORDER BY seq",
            Self::Posts => "SELECT calendar, post FROM posts ORDER BY calendar, id",
            Self::Events => "SELECT at, delivery, kind, state, detail, actor FROM events ORDER BY seq",
            Self::Targets => "SELECT name, since FROM targets ORDER BY name",
            Self::Alerts => "SELECT key, at, tell_at, delivery, kind, message, help FROM alerts ORDER BY seq",
        }
    }

    async fn record(self, session: &Object, row: &Row) -> Result<Record> {
        Ok(match self {
            Self::Calendars => {
                let name = CalendarName::new(row.get::<_, String>(0));
                // Whether the ledger was adopted is a record of its own.
                let known = CalendarRecord { adopted: None, ..calendars::calendar(session, &name).await? };
                Record::Calendar { name, known }
            }
            Self::Accounts => {
                let name = AccountName::new(row.get::<_, String>(0));
                let known = accounts::account(session, &name).await?;
                Record::Account { name, known: Box::new(known) }
            }
            Self::Paused => Record::Paused { since: row.get(0), reason: row.get(1) },
            Self::Adopted => Record::Adopted { at: row.get(0) },
            Self::Deliveries => Record::Delivery(Box::new(rows::delivery_of(row)?)),
            Self::Intents => Record::Intent {
                delivery: id_of(row.get(0))?,
                generation: small(row.get(1))?,
                open: row.get(2),
                intent: Box::new(serde_json::from_str(row.get(3))?),
            },
            Self::Receipts => Record::Receipt {
                delivery: id_of(row.get(0))?,
                generation: small(row.get(1))?,
                network: row.get(2),
                uid: row.get(3),
                receipt: serde_json::from_str(row.get(4))?,
            },
            Self::Variations => Record::Variation {
                calendar: CalendarName::new(row.get::<_, String>(0)),
                series: row.get(1),
                occurrence: OccurrenceName::new(row.get::<_, String>(2)),
                variation: small(row.get(3))?,
            },
            Self::Posts => Record::Post {
                calendar: CalendarName::new(row.get::<_, String>(0)),
                post: serde_json::from_str(row.get(1))?,
            },
            Self::Events => Record::Event(rows::event_of(row)?),
            Self::Targets => Record::Target { name: row.get(0), since: row.get(1) },
            Self::Alerts => {
                let alert = alerts::alert(row)?;
                let tellings = tellings(session, &alert.key, alert.tell_at).await?;
                Record::Alert { alert, tellings }
            }
        })
    }
}

/// Reads up to `limit` records after the first `skip`.
pub(super) async fn export(session: &Object, skip: u64, limit: usize) -> Result<Vec<Record>> {
    let mut skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for section in Section::ALL {
        if found.len() >= limit {
            break;
        }
        if skip > 0 {
            let count = session.prepare_cached(&format!("SELECT count(*) FROM ({}) all_of_it", section.sql())).await?;
            let count: i64 = session.query_one(&count, &[]).await?.get(0);
            if skip >= count {
                skip -= count;
                continue;
            }
        }
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let some = session.prepare_cached(&format!("{} LIMIT $1 OFFSET $2", section.sql())).await?;
        for row in &session.query(&some, &[&left, &skip]).await? {
            found.push(section.record(session, row).await?);
        }
        skip = 0;
    }
    Ok(found)
}

/// How far the telling of an alert is. A telling that nobody has tried is not one.
async fn tellings(session: &Object, key: &str, tell_at: DateTime<Utc>) -> Result<Vec<Telling>> {
    let statement = session
        .prepare_cached(
            "SELECT target, attempts, told_at, again, error FROM tellings
             WHERE alert = $1 AND (attempts > 0 OR again <> $2) ORDER BY target",
        )
        .await?;
    let rows = session.query(&statement, &[&key, &tell_at]).await?;
    rows.iter()
        .map(|row| {
            Ok(Telling {
                target: row.get(0),
                attempts: small(row.get(1))?,
                told_at: row.get(2),
                again: row.get(3),
                error: row.get(4),
            })
        })
        .collect()
}

fn small(value: i64) -> Result<u32> {
    u32::try_from(value)
        .map_err(|_| LedgerError::Corrupt(format!("the ledger holds a count that cannot be ({value})")).into())
}

/// Nothing is claimed from a ledger into which only a part of another was taken: it may not know of posts that are out.
pub(super) fn refuse_half(is_half: bool) -> Result<()> {
    if is_half {
        return Err(LedgerError::Storage(
            "an import into this ledger was not completed, so nothing is sent from it; drop its schema `smm` and import \
             again"
                .to_owned(),
        )
        .into());
    }
    Ok(())
}

/// Whether an import was begun and not completed.
pub(super) const IS_HALF: &str = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'importing')";

async fn is_half(session: &impl GenericClient) -> Result<bool> {
    let statement = session.prepare_cached(IS_HALF).await?;
    Ok(session.query_one(&statement, &[]).await?.get(0))
}

/// Takes records in.
pub(super) async fn import(transaction: &Transaction<'_>, records: &[Record]) -> Result<()> {
    let mut half = is_half(transaction).await?;
    // Those of one kind that follow each other are taken together.
    for records in records.chunk_by(|one, next| std::mem::discriminant(one) == std::mem::discriminant(next)) {
        let Some(record) = records.first() else { continue };
        match record {
            Record::Head { format: 1, .. } if !half => {
                begin(transaction).await?;
                half = true;
            }
            Record::Head { format: 1, .. } => {
                return Err(LedgerError::Storage(
                    "an earlier import into this ledger was cut short; drop its schema `smm` and begin again"
                        .to_owned(),
                )
                .into());
            }
            Record::Head { format, smm, .. } => {
                return Err(LedgerError::Newer(format!(
                    "the transfer was written by smm {smm} in a newer form ({format}); update smm"
                ))
                .into());
            }
            Record::End { .. } => {
                transaction.execute("DELETE FROM meta WHERE key = $1", &[&HALF]).await?;
                half = false;
            }
            _ => {
                if !half {
                    begin(transaction).await?;
                    half = true;
                }
                take_all(transaction, records).await?;
            }
        }
    }
    Ok(())
}

/// Takes records of one kind.
async fn take_all(transaction: &Transaction<'_>, records: &[Record]) -> Result<()> {
    let mut deliveries = Vec::new();
    let mut events = Vec::new();
    let mut intents = Intents::default();
    let mut receipts = Receipts::default();
    for record in records {
        match record {
            Record::Delivery(delivery) => deliveries.push(write_of(delivery)),
            Record::Event(event) => events.push(event),
            Record::Intent { delivery, generation, open, intent } => {
                intents.push(*delivery, *generation, *open, intent)?;
            }
            Record::Receipt { delivery, generation, network, uid, receipt } => {
                receipts.push(*delivery, *generation, network, uid, receipt)?;
            }
            other => take(transaction, other).await?,
        }
    }
    // Whoever had them is not here: their leases are over.
    store::insert(transaction, &deliveries.iter().collect::<Vec<_>>(), Duration::ZERO).await?;
    intents.add(transaction).await?;
    receipts.add(transaction).await?;
    if !events.is_empty() {
        store::add_events(transaction, &events).await?;
    }
    Ok(())
}

/// A delivery as it is written.
fn write_of(delivery: &Delivery) -> Write {
    let event = crate::model::Event {
        at: delivery.due,
        delivery: delivery.id,
        kind: String::new(),
        state: delivery.state,
        detail: String::new(),
        actor: String::new(),
    };
    Write::new(delivery.clone(), delivery.version.saturating_sub(1), event)
}

/// Intents of another ledger, as columns.
#[derive(Default)]
struct Intents {
    delivery: Vec<String>,
    network: Vec<String>,
    uid: Vec<String>,
    part: Vec<i32>,
    generation: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    open: Vec<bool>,
    intent: Vec<String>,
}

impl Intents {
    fn push(&mut self, delivery: DeliveryId, generation: u32, open: bool, intent: &Intent) -> Result<()> {
        self.delivery.push(delivery.to_string());
        self.network.push(intent.binding.network.clone());
        self.uid.push(intent.binding.uid.clone());
        self.part.push(i32::from(intent.frozen.part));
        self.generation.push(i64::from(generation));
        self.at.push(down(intent.at));
        self.open.push(open);
        self.intent.push(serde_json::to_string(intent)?);
        Ok(())
    }

    async fn add(&self, transaction: &Transaction<'_>) -> Result<()> {
        let Self { delivery, network, uid, part, generation, at, open, intent } = self;
        if delivery.is_empty() {
            return Ok(());
        }
        let statement = transaction
            .prepare_cached(
                "INSERT INTO intents (delivery, account, calendar, occurrence, network, uid, part, generation, at, open,
                     intent)
                 SELECT d.id, d.account, d.calendar, d.occurrence, new.network, new.uid, new.part, new.generation, new.at,
                     new.open, new.intent
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[], $7::bool[],
                     $8::text[]) WITH ORDINALITY
                     AS new (delivery, network, uid, part, generation, at, open, intent, place)
                 JOIN deliveries d ON d.id = new.delivery ORDER BY new.place",
            )
            .await?;
        let added =
            transaction.execute(&statement, &[delivery, network, uid, part, generation, at, open, intent]).await?;
        whole(added, delivery, "an intent")
    }
}

/// Receipts of another ledger, as columns.
#[derive(Default)]
struct Receipts {
    delivery: Vec<String>,
    network: Vec<String>,
    uid: Vec<String>,
    part: Vec<i32>,
    generation: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    receipt: Vec<String>,
}

impl Receipts {
    fn push(
        &mut self,
        delivery: DeliveryId,
        generation: u32,
        network: &str,
        uid: &str,
        receipt: &Receipt,
    ) -> Result<()> {
        self.delivery.push(delivery.to_string());
        self.network.push(network.to_owned());
        self.uid.push(uid.to_owned());
        self.part.push(i32::from(receipt.part));
        self.generation.push(i64::from(generation));
        self.at.push(down(receipt.at));
        self.receipt.push(serde_json::to_string(receipt)?);
        Ok(())
    }

    async fn add(&self, transaction: &Transaction<'_>) -> Result<()> {
        let Self { delivery, network, uid, part, generation, at, receipt } = self;
        if delivery.is_empty() {
            return Ok(());
        }
        let statement = transaction
            .prepare_cached(
                "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
                 SELECT d.calendar, d.occurrence, new.network, new.uid, new.part, new.generation, d.id, new.at, new.receipt
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[], $7::text[])
                     WITH ORDINALITY AS new (delivery, network, uid, part, generation, at, receipt, place)
                 JOIN deliveries d ON d.id = new.delivery ORDER BY new.place",
            )
            .await?;
        let added = transaction.execute(&statement, &[delivery, network, uid, part, generation, at, receipt]).await?;
        whole(added, delivery, "a receipt")
    }
}

/// Refuses what belongs to a delivery that is not there.
fn whole(added: u64, deliveries: &[String], what: &str) -> Result<()> {
    if added == deliveries.len() as u64 {
        return Ok(());
    }
    Err(LedgerError::Corrupt(format!("{what} of a delivery that is not in the transfer")).into())
}

async fn begin(transaction: &Transaction<'_>) -> Result<()> {
    let filled: bool = transaction.query_one("SELECT EXISTS (SELECT 1 FROM deliveries)", &[]).await?.get(0);
    if filled {
        return Err(LedgerError::Storage(
            "this ledger has deliveries already; only a new one can take in another".to_owned(),
        )
        .into());
    }
    transaction.execute("INSERT INTO meta (key, value) VALUES ($1, '1')", &[&HALF]).await?;
    Ok(())
}

/// Takes a record of which there are few.
async fn take(transaction: &Transaction<'_>, record: &Record) -> Result<()> {
    match record {
        Record::Head { .. }
        | Record::End { .. }
        | Record::Delivery(_)
        | Record::Intent { .. }
        | Record::Receipt { .. }
        | Record::Event(_) => {}
        Record::Calendar { name, known } => {
            calendars::put_calendar(transaction, name, known).await?;
            if let Some(at) = known.adopted {
                calendars::put_adopted(transaction, at).await?;
            }
        }
        Record::Adopted { at } => calendars::put_adopted(transaction, *at).await?,
        Record::Account { name, known } => accounts::take(transaction, name, known).await?,
        Record::Paused { since, reason } => {
            transaction
                .execute(
                    "INSERT INTO pauses (account, since, reason) VALUES ($1, $2, $3)
                     ON CONFLICT (account) DO UPDATE SET since = excluded.since, reason = excluded.reason",
                    &[&EVERY, &down(*since), &plain(reason)],
                )
                .await?;
        }
        Record::Variation { calendar, series, occurrence, variation } => {
            transaction
                .execute(
                    "INSERT INTO variations (calendar, series, occurrence, variation) VALUES ($1, $2, $3, $4)",
                    &[&calendar.as_str(), series, &occurrence.as_str(), &i64::from(*variation)],
                )
                .await?;
        }
        Record::Post { calendar, post } => calendars::put_post(transaction, calendar, post).await?,
        Record::Target { name, since } => alerts::meet(transaction, std::slice::from_ref(name), *since).await?,
        Record::Alert { alert, tellings } => {
            alerts::add(transaction, alert).await?;
            for telling in tellings {
                take_telling(transaction, &alert.key, alert.tell_at, telling).await?;
            }
        }
    }
    Ok(())
}

async fn take_telling(
    transaction: &Transaction<'_>,
    key: &str,
    tell_at: DateTime<Utc>,
    telling: &Telling,
) -> Result<()> {
    let met: bool = transaction
        .query_one("SELECT EXISTS (SELECT 1 FROM targets WHERE name = $1)", &[&telling.target])
        .await?
        .get(0);
    if !met {
        return Err(LedgerError::Corrupt(format!(
            "an alert for `{}`, which is no target of the ledger",
            telling.target
        ))
        .into());
    }
    transaction
        .execute(
            "INSERT INTO tellings (alert, target, attempts, again, told_at, error) VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                &key,
                &telling.target,
                &i64::from(telling.attempts),
                &up(telling.again.unwrap_or(tell_at)),
                &telling.told_at.map(down),
                &telling.error.as_deref().map(plain),
            ],
        )
        .await?;
    Ok(())
}
