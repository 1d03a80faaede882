//! Who is next: for each account one look into an index over its planned rows.
//!
//! A claim is two statements in one transaction. The first locks the rows of accounts that have something ready; those that
//! another claim holds are stepped over. The second begins after the locks are held, so it sees all that earlier holders
//! have committed: it asks again whether each account is free, and only then takes its earliest row. So two claims at the
//! very same moment never take two rows of one account, and never the second before the first.

use chrono::{DateTime, Utc};
use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;

use super::error::Trouble;
use super::instant::down;
use super::{rows, transfer};
use crate::ledger::ClaimRequest;
use crate::model::{AccountName, Delivery};

type Result<T> = std::result::Result<T, Trouble>;

/// A hundred years: no spacing is longer.
const LONGEST: u64 = 100 * 366 * 24 * 3600;

/// Looks at accounts again that others were faster with.
const LOOKS: usize = 3;

/// The accounts that a claim may take from, each with whether its [`crate::ledger::Burst`] is spent. `$1` the present of
/// who asks, `$2` names, `$3` their spacing in seconds, `$4` posts and `$5` seconds of the burst. The present is never
/// later than the database's own.
macro_rules! free {
    () => {
        "present AS MATERIALIZED (SELECT least($1::timestamptz, clock_timestamp()) AS now),
         served AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS served (name, spacing)),
         free AS MATERIALIZED (
             SELECT a.name, (
                 SELECT count(DISTINCT i.delivery) >= greatest($4::bigint, 1) FROM intents i
                 WHERE i.account = a.name AND i.part = 0 AND i.at > present.now - $5::float8 * interval '1 second'
             ) AS spent
             FROM served JOIN accounts a USING (name) CROSS JOIN present
             WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE p.account IN ('*', a.name))
                 AND (a.hold_off IS NULL OR a.hold_off <= present.now)
                 AND (a.last_sent IS NULL OR a.last_sent + served.spacing * interval '1 second' <= present.now)
                 AND NOT EXISTS (
                     SELECT 1 FROM deliveries b WHERE b.account = a.name AND b.state IN ('claimed', 'sending')
                 )
         )"
    };
}

/// The earliest row that is ready, of each free account. `$6` calendars, `$7` ids, each `NULL` for all; `$8` the seconds
/// after which a row is overdue.
macro_rules! first {
    () => {
        "first AS MATERIALIZED (
             SELECT f.name, d.id, d.version, d.due FROM free f CROSS JOIN present CROSS JOIN LATERAL (
                 SELECT d.id, d.version, d.due FROM deliveries d
                 WHERE d.state = 'planned' AND d.account = f.name AND d.due <= present.now AND d.ready <= present.now
                     AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
                     AND (NOT f.spent OR d.ready >= present.now - $8::float8 * interval '1 second')
                 ORDER BY d.due, d.id LIMIT 1
             ) d
         )"
    };
}

const LOCK: &str = concat!(
    "WITH ",
    free!(),
    ", ",
    first!(),
    " SELECT a.name FROM accounts a JOIN first USING (name) ORDER BY first.due, first.id LIMIT $9
      FOR NO KEY UPDATE OF a SKIP LOCKED"
);

const TAKE: &str = concat!(
    "WITH ",
    free!(),
    ", ",
    first!(),
    ", taken AS MATERIALIZED (
         SELECT d.id FROM first JOIN deliveries d ON d.id = first.id AND d.version = first.version
         WHERE d.state = 'planned' FOR UPDATE OF d SKIP LOCKED
     ), claimed AS (
         UPDATE deliveries d SET state = 'claimed', owner = $9, fence = fence + 1, version = version + 1,
             lease_until = clock_timestamp() + $10::float8 * interval '1 second'
         FROM taken WHERE d.id = taken.id RETURNING d.row, d.state, d.version, d.fence, d.owner, d.due, d.id
     ), noted AS (
         INSERT INTO events (at, delivery, kind, state, detail, actor)
         SELECT $1, id, 'claimed', 'claimed', 'by ' || $9, 'smm' FROM claimed ORDER BY due, id
     )
     SELECT row, state, version, fence, owner FROM claimed ORDER BY due, id"
);

/// When a claim can succeed, by account: at the first ready time that the account's spacing, its hold-off and its burst
/// allow. What is overdue waits for the burst, what is not does not.
const NEXT: &str = "WITH present AS MATERIALIZED (SELECT least($1::timestamptz, clock_timestamp()) AS now),
     served AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS served (name, spacing)),
     free AS MATERIALIZED (
         SELECT a.name, greatest(a.last_sent + served.spacing * interval '1 second', a.hold_off) AS since, (
             SELECT begun.at + $5::float8 * interval '1 second' FROM (
                 SELECT max(i.at) AS at FROM intents i
                 WHERE i.account = a.name AND i.part = 0 AND i.at > present.now - $5::float8 * interval '1 second'
                 GROUP BY i.delivery
             ) begun ORDER BY begun.at DESC OFFSET greatest($4::bigint - 1, 0) LIMIT 1
         ) AS spent_until
         FROM served JOIN accounts a USING (name) CROSS JOIN present
         WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE p.account IN ('*', a.name))
             AND NOT EXISTS (
                 SELECT 1 FROM deliveries b WHERE b.account = a.name AND b.state IN ('claimed', 'sending')
             )
     )
     SELECT min(least(greatest(any_row.ready, f.since, f.spent_until), CASE WHEN on_time.ready IS NOT NULL THEN greatest(on_time.ready, f.since) END))
     FROM free f CROSS JOIN present
     CROSS JOIN LATERAL (
         SELECT d.ready FROM deliveries d WHERE d.state = 'planned' AND d.account = f.name
             AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
         ORDER BY d.ready LIMIT 1
     ) any_row
     LEFT JOIN LATERAL (
         SELECT d.ready FROM deliveries d WHERE d.state = 'planned' AND d.account = f.name
             AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
             AND d.ready >= greatest(present.now, f.since) - $8::float8 * interval '1 second'
         ORDER BY d.ready LIMIT 1
     ) on_time ON f.spent_until IS NOT NULL";

/// A request as the statements take it.
struct Asked {
    now: DateTime<Utc>,
    names: Vec<String>,
    spacings: Vec<i64>,
    posts: i64,
    within: f64,
    calendars: Option<Vec<String>>,
    only: Option<Vec<String>>,
    overdue: f64,
    limit: i64,
}

impl Asked {
    fn new(request: &ClaimRequest) -> Self {
        let seconds = |seconds: u64| u32::try_from(seconds.min(LONGEST)).map_or(f64::from(u32::MAX), f64::from);
        Self {
            now: down(request.now),
            names: request.accounts.keys().map(AccountName::to_string).collect(),
            spacings: request.accounts.values().map(|&spacing| rows::signed(spacing.min(LONGEST))).collect(),
            posts: i64::from(request.burst.posts),
            within: seconds(request.burst.within),
            calendars: (!request.calendars.is_empty())
                .then(|| request.calendars.iter().map(ToString::to_string).collect()),
            only: request.only.as_ref().map(|only| only.iter().map(ToString::to_string).collect()),
            overdue: seconds(request.burst.overdue),
            limit: i64::try_from(request.limit).unwrap_or(i64::MAX),
        }
    }

    /// `$1` to `$8`, and more.
    fn values<'a>(
        &'a self,
        names: &'a Vec<String>,
        spacings: &'a Vec<i64>,
        more: &[&'a (dyn ToSql + Sync)],
    ) -> Vec<&'a (dyn ToSql + Sync)> {
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&self.now, names, spacings, &self.posts, &self.within, &self.calendars, &self.only, &self.overdue];
        values.extend_from_slice(more);
        values
    }
}

/// Claims what is ready.
pub(super) async fn claim(transaction: &Transaction<'_>, request: &ClaimRequest, lease: f64) -> Result<Vec<Delivery>> {
    transfer::refuse_half(transaction).await?;
    let asked = Asked::new(request);
    for _ in 0..LOOKS {
        let statement = transaction.prepare_cached(LOCK).await?;
        let locked =
            transaction.query(&statement, &asked.values(&asked.names, &asked.spacings, &[&asked.limit])).await?;
        if locked.is_empty() {
            break;
        }
        let names: Vec<String> = locked.iter().map(|row| row.get(0)).collect();
        let spacings: Vec<i64> = names
            .iter()
            .map(|name| {
                let at = asked.names.iter().position(|asked| asked == name);
                at.and_then(|at| asked.spacings.get(at)).copied().unwrap_or(0)
            })
            .collect();
        let statement = transaction.prepare_cached(TAKE).await?;
        let taken = transaction.query(&statement, &asked.values(&names, &spacings, &[&request.owner, &lease])).await?;
        if !taken.is_empty() {
            return taken.iter().map(|row| Ok(rows::delivery_of(row)?)).collect();
        }
        // Others were faster with each of them: there may be more behind.
    }
    Ok(Vec::new())
}

/// When the next claim can succeed. An account that is busy is left out: the end of its call is what wakes the worker.
pub(super) async fn next_ready(session: &Object, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
    let asked = Asked::new(request);
    let statement = session.prepare_cached(NEXT).await?;
    Ok(session.query_one(&statement, &asked.values(&asked.names, &asked.spacings, &[])).await?.get(0))
}
