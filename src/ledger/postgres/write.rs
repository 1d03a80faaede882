//! Stores rows: each over the version that its writer has read, all of a batch in one transaction.
//!
//! Rows are locked in the order of their ids, so two batches never wait for each other in a circle. What waits together is
//! stored together ([`together`]), in two flights of statements: the first begins, locks and reads, the second writes,
//! checks and commits. When a row of it cannot be stored as it is, all is taken back, and each writer's batch is stored by itself
//! ([`write()`]), where a row that is refused is taken back alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object, Transaction};

use super::ask::Committing;
use super::error::Trouble;
use super::rows::{id_of, signed};
use super::store::{Row, store, store_and_commit};
use crate::ledger::{Write, Written};
use crate::model::{DeliveryId, Intent};
use crate::trial::Guard;

type Result<T> = std::result::Result<T, Trouble>;

/// What a row was like when it was locked.
pub(super) struct Present {
    version: i64,
    /// The open intent, with its number.
    pub(super) open: Option<(i64, Intent)>,
}

/// When an intent begins, and its number.
pub(super) type Began = Option<(i64, DateTime<Utc>)>;

/// What a batch came to.
pub(super) struct Batch {
    /// In the order of the writes.
    pub(super) answers: Vec<Written>,
    /// The highest number of its intents, with when that one begins.
    pub(super) sent: Began,
}

/// How a batch is to be stored.
pub(super) struct Terms {
    /// A row that somebody takes is his for so long.
    pub(super) lease: Duration,
    /// Every intent has a higher number.
    pub(super) known: i64,
}

/// What many batches came to that were stored together.
pub(super) struct Together {
    /// Of each batch; `None`: it has to be stored by itself.
    pub(super) answers: Vec<Option<Vec<Written>>>,
    /// See [`Batch::sent`].
    pub(super) sent: Began,
    /// The number of an intent was there before: the database was set back beneath us. Nothing was stored.
    pub(super) older: bool,
}

/// Stores the batches of many writers in one transaction, which it begins and commits. No two rows of them are the same
/// delivery's.
pub(super) async fn together(
    session: &Object,
    committing: &Committing,
    batches: &[&[Write]],
    terms: &Terms,
) -> Result<Together> {
    let all = || batches.iter().enumerate().flat_map(|(at, batch)| batch.iter().map(move |write| (at, write)));
    let ids: Vec<String> = all().map(|(_, write)| write.delivery.id.to_string()).collect();
    // One writer waits for a row that somebody else has locked; many do not wait for what is the trouble of one.
    let (lock, open) = (statement(session, batches.len() > 1).await?, session.prepare_cached(OPEN).await?);
    let ((), locked, open) = tokio::try_join!(
        biased;
        session.batch_execute("BEGIN"),
        async { session.query(&lock, &[&ids]).await },
        async { session.query(&open, &[&ids]).await },
    )?;
    let present = present(&locked, &open)?;
    let mut alone: BTreeSet<usize> = BTreeSet::new();
    if batches.len() > 1 {
        let missing = |write: &Write| write.expect > 0 && !present.contains_key(&write.delivery.id);
        alone.extend(all().filter(|(_, write)| missing(write)).map(|(at, _)| at));
    }
    let mut stale = BTreeSet::new();
    let mut rows = Vec::new();
    for (_, write) in all().filter(|(at, _)| !alone.contains(at)) {
        match row(write, present.get(&write.delivery.id)) {
            Some(row) => rows.push(row),
            None => {
                stale.insert(write.delivery.id);
            }
        }
    }
    let (lost, sent) = match store_and_commit(session, committing, &rows, terms).await {
        Ok(stored) => stored,
        Err(trouble) if trouble.is_check() || trouble.is_older() => {
            let older = trouble.is_older();
            return Ok(Together { answers: vec![None; batches.len()], sent: None, older });
        }
        Err(trouble) => return Err(trouble),
    };
    let answer = |write: &Write| {
        let id = &write.delivery.id;
        if stale.contains(id) || lost.contains(id) { Written::Stale } else { Written::Done }
    };
    let answers = batches.iter().enumerate();
    let answers = answers.map(|(at, batch)| (!alone.contains(&at)).then(|| batch.iter().map(answer).collect()));
    Ok(Together { answers: answers.collect(), sent, older: false })
}

/// Stores one writer's rows.
pub(super) async fn write(transaction: &mut Transaction<'_>, writes: &[Write], terms: &Terms) -> Result<Batch> {
    let mut sent = None;
    let mut answers: Vec<Written> = vec![Written::Stale; writes.len()];
    let mut left: Vec<usize> = (0..writes.len()).collect();
    // A row that comes a second time is looked at when the first has been stored.
    while !left.is_empty() {
        let mut seen = BTreeSet::new();
        let (round, later): (Vec<usize>, Vec<usize>) =
            left.into_iter().partition(|&index| seen.insert(writes[index].delivery.id));
        let ids: Vec<String> = round.iter().map(|&index| writes[index].delivery.id.to_string()).collect();
        let locked = transaction.query(&statement(&*transaction, false).await?, &[&ids]).await?;
        let open = transaction.query(&transaction.prepare_cached(OPEN).await?, &[&ids]).await?;
        let present = present(&locked, &open)?;
        let fits = |index: &usize| {
            let write = &writes[*index];
            Some((*index, row(write, present.get(&write.delivery.id))?))
        };
        let (risky, plain): (Vec<_>, Vec<_>) = round.iter().filter_map(fits).partition(|(_, row)| row.new.is_some());
        let (indices, plain): (Vec<usize>, Vec<Row<'_>>) = plain.into_iter().unzip();
        let stored = store(transaction, &plain, terms).await?;
        for index in indices {
            let id = writes[index].delivery.id;
            if !stored.lost.contains(&id) && !stored.refused.contains_key(&id) {
                answers[index] = Written::Done;
            }
        }
        for (index, row) in risky {
            let (answer, began) = write_risky(transaction, row, terms).await?;
            answers[index] = answer;
            sent = sent.max(began);
        }
        left = later;
    }
    Ok(Batch { answers, sent })
}

/// Stores a row that comes to hold an intent. What is refused in the middle is taken back, and the rest of the batch stays.
async fn write_risky(transaction: &mut Transaction<'_>, row: Row<'_>, terms: &Terms) -> Result<(Written, Began)> {
    let id = row.write.delivery.id;
    let rows = [row];
    for _ in 0..2 {
        let part = transaction.savepoint("part").await?;
        let mut stored = store(&part, &rows, terms).await?;
        if stored.lost.is_empty() && stored.refused.is_empty() {
            part.commit().await?;
            return Ok((Written::Done, stored.sent));
        }
        part.rollback().await?;
        match stored.refused.remove(&id) {
            Some(Refused::Out(out)) => return Ok((out, None)),
            // The other one has just come to its end.
            Some(Refused::Ended) => {}
            Some(Refused::Stale) | None => break,
        }
    }
    Ok((Written::Stale, None))
}

/// Why a row with an intent was not stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refused {
    /// Somebody brings it, or has brought it.
    Out(Written),
    /// Somebody was bringing it, and is not any more.
    Ended,
    /// Its lease is over, or its account is busy.
    Stale,
}

/// Locks rows in the order of their ids; gives those that are there. `$1` ids.
const LOCK: &str = "SELECT id, version FROM deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// The same, without waiting: a row that somebody else has locked is not among those that it gives.
const LOCK_FREE: &str = "SELECT id, version FROM deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";

/// The open intents of rows: a statement of its own, so that it sees what those had written that the lock has waited for.
const OPEN: &str = "SELECT delivery, seq, intent FROM intents WHERE delivery = ANY($1) AND open ORDER BY seq";

async fn statement(client: &impl GenericClient, is_free: bool) -> Result<tokio_postgres::Statement> {
    Ok(client.prepare_cached(if is_free { LOCK_FREE } else { LOCK }).await?)
}

fn present(locked: &[tokio_postgres::Row], open: &[tokio_postgres::Row]) -> Result<BTreeMap<DeliveryId, Present>> {
    let mut present = BTreeMap::new();
    for row in locked {
        present.insert(id_of(row.get(0))?, Present { version: row.get(1), open: None });
    }
    for row in open {
        if let Some(there) = present.get_mut(&id_of(row.get(0))?) {
            there.open = Some((row.get(1), serde_json::from_str(row.get(2))?));
        }
    }
    Ok(present)
}

/// A row that is to be stored; `None` when its writer has read another version than there is.
fn row<'a>(write: &'a Write, present: Option<&'a Present>) -> Option<Row<'a>> {
    if present.map_or(0, |there| there.version) != signed(write.expect) && (present.is_none() || Guard::Fence.holds()) {
        return None;
    }
    let open = present.and_then(|present| present.open.as_ref());
    let new = write.delivery.intent.as_deref().filter(|intent| open.is_none_or(|(_, open)| open != *intent));
    Some(Row { write, present, new })
}
