//! Stores rows: each over the version that its writer has read, all of a batch in one transaction.
//!
//! Rows are locked in the order of their ids, so two batches never wait for each other in a circle. What is simply moved
//! on is stored in one statement for all; a row with an intent or receipts is looked at by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::age;
use super::error::Trouble;
use super::instant::{down, up};
use super::rows::{id_of, plain, signed};
use crate::ledger::{Write, Written};
use crate::model::{Binding, Delivery, DeliveryId, Event, Intent, Receipt};
use crate::trial::Guard;

type Result<T> = std::result::Result<T, Trouble>;

/// What a row was like when it was locked.
struct Present {
    version: i64,
    /// The open intent, with its number.
    open: Option<(i64, Intent)>,
}

/// What a batch came to.
pub(super) struct Batch {
    /// In the order of the writes.
    pub(super) answers: Vec<Written>,
    /// The highest number of its intents, with when that one begins.
    pub(super) sent: Option<(i64, DateTime<Utc>)>,
}

/// How a batch is to be stored.
pub(super) struct Terms {
    /// A row that somebody takes is his for so long.
    pub(super) lease: Duration,
    /// Every intent has a higher number.
    pub(super) known: i64,
}

/// Stores rows.
pub(super) async fn write(transaction: &mut Transaction<'_>, writes: &[Write], terms: &Terms) -> Result<Batch> {
    let mut sent = None;
    let mut answers: Vec<Option<Written>> = vec![None; writes.len()];
    let mut left: Vec<usize> = (0..writes.len()).collect();
    // A row that comes a second time is looked at when the first has been stored.
    while !left.is_empty() {
        let mut seen = BTreeSet::new();
        let (round, later): (Vec<usize>, Vec<usize>) =
            left.into_iter().partition(|&index| seen.insert(writes[index].delivery.id));
        write_round(transaction, writes, &round, terms, &mut answers, &mut sent).await?;
        left = later;
    }
    let done: Vec<&Write> = writes
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| **answer == Some(Written::Done))
        .map(|(write, _)| write)
        .collect();
    let events: Vec<&Event> = done.iter().map(|write| &write.event).collect();
    add_events(transaction, &events).await?;
    move_alerts(transaction, &done).await?;
    Ok(Batch { answers: answers.into_iter().map(|answer| answer.unwrap_or(Written::Stale)).collect(), sent })
}

async fn write_round(
    transaction: &mut Transaction<'_>,
    writes: &[Write],
    round: &[usize],
    terms: &Terms,
    answers: &mut [Option<Written>],
    sent: &mut Option<(i64, DateTime<Utc>)>,
) -> Result<()> {
    let present = lock(transaction, writes, round).await?;
    let mut new = Vec::new();
    let mut moved = Vec::new();
    let mut special = Vec::new();
    for &index in round {
        let write = &writes[index];
        let there = present.get(&write.delivery.id);
        if there.map_or(0, |there| there.version) != signed(write.expect) && (there.is_none() || Guard::Fence.holds()) {
            answers[index] = Some(Written::Stale);
            continue;
        }
        let is_plain = write.delivery.intent.is_none()
            && write.delivery.receipts.is_empty()
            && there.is_none_or(|there| there.open.is_none());
        match (is_plain, there) {
            (false, _) => special.push(index),
            (true, None) => new.push(index),
            (true, Some(_)) => moved.push(index),
        }
    }
    for (indices, is_new) in [(new, true), (moved, false)] {
        let rows: Vec<&Write> = indices.iter().map(|&index| &writes[index]).collect();
        let stored = if is_new {
            insert(transaction, &rows, terms.lease).await?
        } else {
            update(transaction, &rows, terms.lease, Begins::Nothing).await?
        };
        for index in indices {
            let done = stored.contains(&writes[index].delivery.id);
            answers[index] = Some(if done { Written::Done } else { Written::Stale });
        }
    }
    for index in special {
        let id = writes[index].delivery.id;
        let (answer, began) = write_special(transaction, &writes[index], present.get(&id), terms).await?;
        answers[index] = Some(answer);
        *sent = (*sent).max(began);
    }
    Ok(())
}

/// Locks the rows that are there, and reads what the decision rests on.
async fn lock(
    transaction: &Transaction<'_>,
    writes: &[Write],
    round: &[usize],
) -> Result<BTreeMap<DeliveryId, Present>> {
    let ids: Vec<String> = round.iter().map(|&index| writes[index].delivery.id.to_string()).collect();
    let statement = transaction
        .prepare_cached("SELECT id, version FROM deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .await?;
    let rows = transaction.query(&statement, &[&ids]).await?;
    let mut present = BTreeMap::new();
    for row in &rows {
        present.insert(id_of(row.get(0))?, Present { version: row.get(1), open: None });
    }
    if present.is_empty() {
        return Ok(present);
    }
    // A statement of its own, so that it sees what those had written that the lock has waited for.
    let statement = transaction
        .prepare_cached("SELECT delivery, seq, intent FROM intents WHERE delivery = ANY($1) AND open ORDER BY seq")
        .await?;
    for row in &transaction.query(&statement, &[&ids]).await? {
        if let Some(there) = present.get_mut(&id_of(row.get(0))?) {
            there.open = Some((row.get(1), serde_json::from_str(row.get(2))?));
        }
    }
    Ok(present)
}

/// The columns of rows, as lists.
#[derive(Default)]
struct Columns {
    id: Vec<String>,
    calendar: Vec<String>,
    post: Vec<String>,
    occurrence: Vec<String>,
    account: Vec<String>,
    network: Vec<String>,
    due: Vec<DateTime<Utc>>,
    ready: Vec<DateTime<Utc>>,
    state: Vec<&'static str>,
    version: Vec<i64>,
    fence: Vec<i64>,
    owner: Vec<Option<String>>,
    row: Vec<String>,
}

impl Columns {
    /// In the order of ids, so that rows of two batches meet in the same order.
    fn of(writes: &[&Write]) -> Result<Self> {
        let mut sorted: Vec<&Write> = writes.to_vec();
        sorted.sort_by_key(|write| write.delivery.id.to_string());
        let mut columns = Self::default();
        for write in sorted {
            let row = &write.delivery;
            columns.id.push(row.id.to_string());
            columns.calendar.push(row.calendar.as_str().to_owned());
            columns.post.push(row.post.as_str().to_owned());
            columns.occurrence.push(row.occurrence.as_str().to_owned());
            columns.account.push(row.account.as_str().to_owned());
            columns.network.push(row.network.clone());
            columns.due.push(up(row.due));
            columns.ready.push(up(row.ready_at()));
            columns.state.push(row.state.as_str());
            columns.version.push(signed(write.expect + 1));
            columns.fence.push(signed(row.fence));
            columns.owner.push(row.owner.as_deref().map(|owner| plain(owner).into_owned()));
            columns.row.push(serde_json::to_string(row)?);
        }
        Ok(columns)
    }
}

/// Adds rows. One that somebody else has added meanwhile is not among those that it gives.
pub(super) async fn insert(
    transaction: &Transaction<'_>,
    writes: &[&Write],
    lease: Duration,
) -> Result<BTreeSet<DeliveryId>> {
    if writes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let columns = Columns::of(writes)?;
    let statement = transaction
        .prepare_cached(
            "INSERT INTO accounts (name) SELECT DISTINCT name FROM unnest($1::text[]) AS new (name) ORDER BY name
             ON CONFLICT (name) DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&columns.account]).await?;
    let statement = transaction
        .prepare_cached(
            "INSERT INTO deliveries (id, calendar, post, occurrence, account, network, due, ready, state, version, fence,
                 owner, row, lease_until)
             SELECT *, CASE WHEN state IN ('claimed', 'sending')
                 THEN clock_timestamp() + $14 * interval '1 second' END
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::text[])
                 AS new (id, calendar, post, occurrence, account, network, due, ready, state, version, fence, owner, row)
             ORDER BY id
             ON CONFLICT (id) DO NOTHING RETURNING id",
        )
        .await?;
    let stored = transaction
        .query(
            &statement,
            &[
                &columns.id,
                &columns.calendar,
                &columns.post,
                &columns.occurrence,
                &columns.account,
                &columns.network,
                &columns.due,
                &columns.ready,
                &columns.state,
                &columns.version,
                &columns.fence,
                &columns.owner,
                &columns.row,
                &lease.as_secs_f64(),
            ],
        )
        .await?;
    stored.iter().map(|row| Ok(id_of(row.get(0))?)).collect()
}

/// What begins with an update, and so what it has to find.
#[derive(Debug, Clone, Copy)]
enum Begins {
    Nothing,
    /// The call of a claimed row: its lease must last.
    Call,
    /// A repeat, decided at this time: it was not claimed, so nobody else may be at work on its account nor have begun a
    /// call there since. (What began before was seen by whoever decided, and with it the spacing.) The account's row is
    /// locked by now, so no claim can come between.
    Repeat(DateTime<Utc>),
}

/// Moves rows on that are locked. Gives those that were.
async fn update(
    transaction: &Transaction<'_>,
    writes: &[&Write],
    lease: Duration,
    begins: Begins,
) -> Result<BTreeSet<DeliveryId>> {
    if writes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let repeat = match begins {
        Begins::Repeat(at) => Some(up(at)),
        Begins::Nothing | Begins::Call => None,
    };
    let leased = !matches!(begins, Begins::Nothing);
    let columns = Columns::of(writes)?;
    let statement = transaction
        .prepare_cached(
            "UPDATE deliveries d SET due = new.due, ready = new.ready, state = new.state, version = new.version,
                 fence = new.fence, owner = new.owner, row = new.row,
                 lease_until = CASE WHEN new.state IN ('claimed', 'sending')
                     THEN coalesce(d.lease_until, clock_timestamp() + $8 * interval '1 second') END
             FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[],
                 $7::text[], $9::text[]) AS new (id, due, ready, state, version, fence, owner, row)
             WHERE d.id = new.id AND (NOT $10 OR d.lease_until IS NULL OR d.lease_until > clock_timestamp())
                 AND ($11::timestamptz IS NULL OR NOT EXISTS (
                     SELECT 1 FROM deliveries b
                     WHERE b.account = d.account AND b.id <> d.id AND b.state IN ('claimed', 'sending')
                 ) AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.name = d.account AND a.last_sent > $11))
             RETURNING d.id",
        )
        .await?;
    let stored = transaction
        .query(
            &statement,
            &[
                &columns.id,
                &columns.due,
                &columns.ready,
                &columns.state,
                &columns.version,
                &columns.fence,
                &columns.owner,
                &lease.as_secs_f64(),
                &columns.row,
                &leased,
                &repeat,
            ],
        )
        .await?;
    stored.iter().map(|row| Ok(id_of(row.get(0))?)).collect()
}

/// A row that has, had or comes to hold an intent, or that has receipts.
struct Special<'a> {
    write: &'a Write,
    present: Option<&'a Present>,
    /// The intent that it comes to hold.
    new: Option<&'a Intent>,
}

/// When an intent begins, and its number.
type Began = Option<(i64, DateTime<Utc>)>;

async fn write_special(
    transaction: &mut Transaction<'_>,
    write: &Write,
    present: Option<&Present>,
    terms: &Terms,
) -> Result<(Written, Began)> {
    let open = present.and_then(|present| present.open.as_ref());
    let new = write.delivery.intent.as_deref().filter(|intent| open.is_none_or(|(_, open)| open != *intent));
    // What is refused in the middle is taken back, and the rest of the batch stays.
    let part = transaction.savepoint("part").await?;
    let mut began = None;
    let answer = store_special(&part, &Special { write, present, new }, terms, &mut began).await?;
    if answer == Written::Done {
        part.commit().await?;
        Ok((answer, began))
    } else {
        part.rollback().await?;
        Ok((answer, None))
    }
}

async fn store_special(part: &Transaction<'_>, row: &Special<'_>, terms: &Terms, began: &mut Began) -> Result<Written> {
    let next = &row.write.delivery;
    let open = row.present.and_then(|present| present.open.as_ref());
    if row.present.is_none() && !insert(part, &[row.write], terms.lease).await?.contains(&next.id) {
        return Ok(Written::Stale);
    }
    if let Some((seq, intent)) = open
        && next.intent.as_deref() != Some(intent)
    {
        let statement = part.prepare_cached("UPDATE intents SET open = false WHERE seq = $1").await?;
        part.execute(&statement, &[seq]).await?;
    }
    if let Some(intent) = row.new {
        // The unique index decides a race: whoever comes second waits here for the first to commit.
        let number = match add_intent(part, next, intent).await? {
            Some(number) => number,
            None => match already_out(part, next, intent).await? {
                Some(out) => return Ok(out),
                // The other one has just come to its end.
                None => match add_intent(part, next, intent).await? {
                    Some(number) => number,
                    None => return Ok(Written::Stale),
                },
            },
        };
        if age::goes_back(number, terms.known) {
            return Err(age::older().into());
        }
        *began = Some((number, down(intent.at)));
    }
    let begins = match row.new.filter(|_| Guard::Fence.holds()) {
        None => Begins::Nothing,
        Some(intent) if open.is_some() => Begins::Repeat(intent.at),
        Some(_) => Begins::Call,
    };
    if row.present.is_some() && !update(part, &[row.write], terms.lease, begins).await?.contains(&next.id) {
        return Ok(Written::Stale);
    }
    // After the index has let us through: a statement that sees what was committed until then.
    if let Some(intent) = row.new
        && let Some(out) = already_out(part, next, intent).await?
    {
        return Ok(out);
    }
    if !next.receipts.is_empty() {
        let binding = match open {
            Some((_, intent)) => Some(intent.binding.clone()),
            None => binding_of(part, next).await?,
        };
        for receipt in &next.receipts {
            add_receipt(part, next, receipt, binding.as_ref()).await?;
        }
    }
    Ok(Written::Done)
}

/// The guard: one part of one occurrence reaches one identity once, whatever the account is called. A receipt of this
/// very delivery counts too; an open intent of its own does not, since settling it is what an attempt may be for.
async fn already_out(part: &Transaction<'_>, next: &Delivery, intent: &Intent) -> Result<Option<Written>> {
    let statement = part
        .prepare_cached(
            "SELECT delivery, receipt FROM receipts WHERE calendar = $1 AND occurrence = $2 AND network = $3 AND uid = $4
                 AND part = $5 AND generation = $6
             UNION ALL
             SELECT delivery, NULL FROM intents WHERE calendar = $1 AND occurrence = $2 AND network = $3 AND uid = $4
                 AND part = $5 AND generation = $6 AND open AND delivery <> $7
             LIMIT 1",
        )
        .await?;
    let found = part
        .query_opt(
            &statement,
            &[
                &next.calendar.as_str(),
                &next.occurrence.as_str(),
                &intent.binding.network,
                &intent.binding.uid,
                &i32::from(intent.frozen.part),
                &i64::from(next.generation),
                &next.id.to_string(),
            ],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let receipt: Option<&str> = row.get(1);
    Ok(Some(Written::AlreadyOut { by: id_of(row.get(0))?, receipt: receipt.map(serde_json::from_str).transpose()? }))
}

/// Adds an intent and gives its number; `None` when another one is open for the same part, occurrence and identity.
async fn add_intent(part: &Transaction<'_>, next: &Delivery, intent: &Intent) -> Result<Option<i64>> {
    let statement = part
        .prepare_cached(
            "WITH added AS (
                 INSERT INTO intents (delivery, account, calendar, occurrence, network, uid, part, generation, at, open,
                     intent)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, $10)
                 ON CONFLICT DO NOTHING RETURNING seq
             ), noted AS (
                 UPDATE accounts SET last_sent = greatest(last_sent, $11) WHERE name = $2 AND EXISTS (SELECT 1 FROM added)
             )
             SELECT seq FROM added",
        )
        .await?;
    let added = part
        .query_opt(
            &statement,
            &[
                &next.id.to_string(),
                &next.account.as_str(),
                &next.calendar.as_str(),
                &next.occurrence.as_str(),
                &intent.binding.network,
                &intent.binding.uid,
                &i32::from(intent.frozen.part),
                &i64::from(next.generation),
                &down(intent.at),
                &serde_json::to_string(intent)?,
                &up(intent.at),
            ],
        )
        .await?;
    Ok(added.map(|row| row.get(0)))
}

/// Whose receipts these are when the row had no open intent: a person has said that it is out.
async fn binding_of(part: &Transaction<'_>, next: &Delivery) -> Result<Option<Binding>> {
    let statement =
        part.prepare_cached("SELECT intent FROM intents WHERE delivery = $1 ORDER BY seq DESC LIMIT 1").await?;
    if let Some(row) = part.query_opt(&statement, &[&next.id.to_string()]).await? {
        return Ok(Some(serde_json::from_str::<Intent>(row.get(0))?.binding));
    }
    let statement = part.prepare_cached("SELECT binding FROM accounts WHERE name = $1").await?;
    let row = part.query_opt(&statement, &[&next.account.as_str()]).await?;
    let text: Option<String> = row.and_then(|row| row.get(0));
    Ok(text.as_deref().map(serde_json::from_str).transpose()?)
}

async fn add_receipt(
    part: &Transaction<'_>,
    next: &Delivery,
    receipt: &Receipt,
    binding: Option<&Binding>,
) -> Result<()> {
    // An account that was never bound has sent nothing; its name stands in for its identity (no network's id has a
    // space in it).
    let stand_in = format!("name {}", next.account);
    let uid = binding.map_or(stand_in.as_str(), |binding| binding.uid.as_str());
    let network = binding.map_or(next.network.as_str(), |binding| binding.network.as_str());
    // What is there stays: a row that another delivery brought out carries that delivery's receipt, and a part that went
    // out before a person said "post again" keeps its generation.
    let statement = part
        .prepare_cached(
            "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
             WHERE NOT EXISTS (
                 SELECT 1 FROM receipts WHERE calendar = $1 AND occurrence = $2 AND network = $3 AND uid = $4
                     AND part = $5 AND delivery = $7 AND receipt = $9
             )
             ON CONFLICT DO NOTHING",
        )
        .await?;
    part.execute(
        &statement,
        &[
            &next.calendar.as_str(),
            &next.occurrence.as_str(),
            &network,
            &uid,
            &i32::from(receipt.part),
            &i64::from(next.generation),
            &next.id.to_string(),
            &down(receipt.at),
            &serde_json::to_string(receipt)?,
        ],
    )
    .await?;
    Ok(())
}

/// Takes in an intent of another ledger.
pub(super) async fn take_intent(
    transaction: &Transaction<'_>,
    row: &Delivery,
    generation: u32,
    intent: &Intent,
    open: bool,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO intents (delivery, account, calendar, occurrence, network, uid, part, generation, at, open, intent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &row.id.to_string(),
                &row.account.as_str(),
                &row.calendar.as_str(),
                &row.occurrence.as_str(),
                &intent.binding.network,
                &intent.binding.uid,
                &i32::from(intent.frozen.part),
                &i64::from(generation),
                &down(intent.at),
                &open,
                &serde_json::to_string(intent)?,
            ],
        )
        .await?;
    Ok(())
}

/// Takes in a receipt of another ledger.
pub(super) async fn take_receipt(
    transaction: &Transaction<'_>,
    row: &Delivery,
    generation: u32,
    network: &str,
    uid: &str,
    receipt: &Receipt,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &row.calendar.as_str(),
                &row.occurrence.as_str(),
                &network,
                &uid,
                &i32::from(receipt.part),
                &i64::from(generation),
                &row.id.to_string(),
                &down(receipt.at),
                &serde_json::to_string(receipt)?,
            ],
        )
        .await?;
    Ok(())
}

/// Adds lines to the history, in their order.
pub(super) async fn add_events(transaction: &Transaction<'_>, events: &[&Event]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO events (at, delivery, kind, state, detail, actor)
             SELECT at, delivery, kind, state, detail, actor
             FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
                 AS new (at, delivery, kind, state, detail, actor, place)
             ORDER BY place",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &events.iter().map(|event| down(event.at)).collect::<Vec<_>>(),
                &events.iter().map(|event| event.delivery.to_string()).collect::<Vec<_>>(),
                &events.iter().map(|event| plain(&event.kind)).collect::<Vec<_>>(),
                &events.iter().map(|event| event.state.as_str()).collect::<Vec<_>>(),
                &events.iter().map(|event| plain(&event.detail)).collect::<Vec<_>>(),
                &events.iter().map(|event| plain(&event.actor)).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

/// Withdraws the alerts that nobody needs any more, then raises the new ones.
async fn move_alerts(transaction: &Transaction<'_>, writes: &[&Write]) -> Result<()> {
    let settled: Vec<&&Write> = writes.iter().filter(|write| write.withdraws()).collect();
    if !settled.is_empty() {
        let statement = transaction
            .prepare_cached(
                "DELETE FROM alerts USING unnest($1::text[], $2::timestamptz[]) AS settled (delivery, at)
                 WHERE alerts.delivery = settled.delivery AND alerts.tell_at > settled.at",
            )
            .await?;
        let ids: Vec<String> = settled.iter().map(|write| write.delivery.id.to_string()).collect();
        let times: Vec<DateTime<Utc>> = settled.iter().map(|write| down(write.event.at)).collect();
        transaction.execute(&statement, &[&ids, &times]).await?;
    }
    for alert in writes.iter().filter_map(|write| write.alert.as_ref()) {
        super::alerts::add(transaction, alert).await?;
    }
    Ok(())
}
