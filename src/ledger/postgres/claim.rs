//! Who is next: for each account one look into an index over its planned rows.
//!
//! A claim is two statements in one transaction, on their way together with its beginning and its commit. The first locks
//! the rows of accounts that have something ready; those that another claim holds are stepped over. The second begins after
//! the locks are held, so it sees all that earlier holders have committed: it asks again whether each account is free, and
//! only then takes its earliest row. So two claims at the very same moment never take two rows of one account, and never
//! the second before the first.

use chrono::{DateTime, Utc};
use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;

use super::ask::{Committing, commit_with};
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

/// How far a claim of a few looks ahead in the queue of all accounts, beyond what it asks for, before it asks each account.
const AHEAD: i64 = 32;

/// The present of who asks (`$1`), never later than the database's own, and the accounts: `$2` names, `$3` their spacing in
/// seconds.
macro_rules! asked {
    ($($which:literal)?) => {
        concat!(
            "present AS MATERIALIZED (SELECT least($1::timestamptz, clock_timestamp()) AS now),
             served AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS served (name, spacing)",
            $($which,)?
            ")"
        )
    };
}

/// Whether a claim may take from the account `a`.
macro_rules! is_free {
    () => {
        "NOT EXISTS (SELECT 1 FROM pauses p WHERE p.account IN ('*', a.name))
             AND (a.hold_off IS NULL OR a.hold_off <= present.now)
             AND (a.last_sent IS NULL OR a.last_sent + served.spacing * interval '1 second' <= present.now)
             AND NOT EXISTS (
                 SELECT 1 FROM deliveries b WHERE b.account = a.name AND b.state IN ('claimed', 'sending')
             )"
    };
}

/// How many posts the account `a` has begun lately; `$5` the seconds of the [`crate::ledger::Burst`].
macro_rules! begun {
    () => {
        "SELECT count(DISTINCT i.delivery) FROM intents i
         WHERE i.account = a.name AND i.part = 0 AND i.at > present.now - $5::float8 * interval '1 second'"
    };
}

/// Whether the row `d` may be taken of an account that has begun `f.begun` posts. `$6` calendars, `$7` ids, each `NULL` for
/// all; `$4` posts of the burst, `$8` the seconds after which a row is overdue. What counts against a row are the others.
macro_rules! may_go {
    () => {
        "d.due <= present.now AND d.ready <= present.now
             AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
             AND (f.begun < greatest($4::bigint, 1) OR d.frozen
                 OR d.ready >= present.now - $8::float8 * interval '1 second'
                 OR f.begun = greatest($4::bigint, 1) AND EXISTS (
                     SELECT 1 FROM intents i WHERE i.delivery = d.id AND i.part = 0
                         AND i.at > present.now - $5::float8 * interval '1 second'
                 ))"
    };
}

/// The accounts that are free, and the earliest row of each that may be taken.
macro_rules! first {
    ($($which:literal)?) => {
        concat!(
            asked!($($which)?),
            ", free AS MATERIALIZED (
                 SELECT a.name, (",
            begun!(),
            ") AS begun FROM served JOIN accounts a USING (name) CROSS JOIN present WHERE ",
            is_free!(),
            "), first AS MATERIALIZED (
                 SELECT f.name, d.id, d.version, d.due FROM free f CROSS JOIN present CROSS JOIN LATERAL (
                     SELECT d.id, d.version, d.due FROM deliveries d
                     WHERE d.state = 'planned' AND d.account = f.name AND ",
            may_go!(),
            " ORDER BY d.due, d.id LIMIT 1
                 ) d
             )"
        )
    };
}

/// The accounts that this transaction has locked, with blanks between: what the next statement takes from. None of a ledger
/// into which only a part of another was taken.
macro_rules! locked {
    () => {
        "set_config('smm.locked', CASE WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'importing')"
    };
}

/// Locks the first accounts of those that have a row which may be taken.
const LOCK: &str = concat!(
    "WITH ",
    first!(),
    " SELECT ",
    locked!(),
    " THEN coalesce(string_agg(name, ' '), '') ELSE '' END, true) <> '' FROM (
          SELECT a.name FROM accounts a JOIN first USING (name) ORDER BY first.due, first.id LIMIT $9
          FOR NO KEY UPDATE OF a SKIP LOCKED
      ) locked"
);

/// The same, of the next `$10` rows of all accounts; none when they are fewer than wanted. (Every row has a version: see
/// the index.)
const LOCK_NEXT: &str = concat!(
    "WITH ",
    asked!(),
    " SELECT ",
    locked!(),
    " AND count(DISTINCT name) >= $9::bigint THEN string_agg(name, ' ') ELSE '' END, true) <> '' FROM (
          SELECT a.name FROM (
              SELECT account, due, id, ready, calendar, frozen FROM deliveries WHERE state = 'planned' AND version > 0
              ORDER BY due, id LIMIT $10
          ) d CROSS JOIN LATERAL (SELECT ($3::bigint[])[array_position($2::text[], d.account)] AS spacing) served
          JOIN accounts a ON a.name = d.account CROSS JOIN present
          CROSS JOIN LATERAL (SELECT (",
    begun!(),
    ") AS begun) f WHERE served.spacing IS NOT NULL AND ",
    may_go!(),
    " AND ",
    is_free!(),
    " ORDER BY d.due, d.id LIMIT $9 FOR NO KEY UPDATE OF a SKIP LOCKED
      ) locked"
);

/// Takes the first row of each account that is locked. It begins after they are, so it sees all that was committed until
/// then.
const TAKE: &str = concat!(
    "WITH ",
    first!(" WHERE name = ANY (string_to_array(current_setting('smm.locked', true), ' '))"),
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
/// allow. What is overdue waits for the burst; what is not does not, and neither does what is left of a post that is partly
/// out. A post that is itself among the latest waits for one less.
const NEXT: &str = concat!(
    "WITH ",
    asked!(),
    ", free AS MATERIALIZED (
         SELECT a.name, greatest(a.last_sent + served.spacing * interval '1 second', a.hold_off) AS since, lately.until
         FROM served JOIN accounts a USING (name) CROSS JOIN present CROSS JOIN LATERAL (
             SELECT ARRAY(
                 SELECT max(i.at) + $5::float8 * interval '1 second' FROM intents i
                 WHERE i.account = a.name AND i.part = 0 AND i.at > present.now - $5::float8 * interval '1 second'
                 GROUP BY i.delivery ORDER BY 1 DESC
             ) AS until
         ) lately
         WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE p.account IN ('*', a.name))
             AND NOT EXISTS (
                 SELECT 1 FROM deliveries b WHERE b.account = a.name AND b.state IN ('claimed', 'sending')
             )
     ), spent AS MATERIALIZED (
         SELECT *, until[greatest($4::bigint, 1)] AS spent_until, until[greatest($4::bigint, 1) + 1] AS own_until FROM free
     ), candidates AS (
         SELECT greatest(d.ready, f.since, f.spent_until) AS at FROM spent f CROSS JOIN LATERAL (
             SELECT d.ready FROM deliveries d WHERE d.state = 'planned' AND d.account = f.name
                 AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
             ORDER BY d.ready LIMIT 1
         ) d
         UNION ALL
         SELECT greatest(d.ready, f.since) FROM spent f CROSS JOIN present CROSS JOIN LATERAL (
             SELECT d.ready FROM deliveries d WHERE d.state = 'planned' AND d.account = f.name
                 AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
                 AND d.ready >= greatest(present.now, f.since) - $8::float8 * interval '1 second'
             ORDER BY d.ready LIMIT 1
         ) d WHERE f.spent_until IS NOT NULL
         UNION ALL
         SELECT greatest(d.ready, f.since) FROM spent f JOIN deliveries d ON d.account = f.name
         WHERE f.spent_until IS NOT NULL AND d.state = 'planned' AND d.frozen
             AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
         UNION ALL
         SELECT greatest(d.ready, f.since, f.own_until) FROM spent f CROSS JOIN present CROSS JOIN LATERAL (
             SELECT i.delivery FROM intents i
             WHERE i.account = f.name AND i.part = 0 AND i.at > present.now - $5::float8 * interval '1 second'
             GROUP BY i.delivery ORDER BY max(i.at) DESC LIMIT greatest($4::bigint, 1)
         ) own JOIN deliveries d ON d.id = own.delivery
         WHERE f.spent_until IS NOT NULL AND d.state = 'planned'
             AND ($6::text[] IS NULL OR d.calendar = ANY($6)) AND ($7::text[] IS NULL OR d.id = ANY($7))
     )
     SELECT min(at) FROM candidates"
);

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
    fn values<'a>(&'a self, more: &[&'a (dyn ToSql + Sync)]) -> Vec<&'a (dyn ToSql + Sync)> {
        let Self { now, names, spacings, posts, within, calendars, only, overdue, .. } = self;
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![now, names, spacings, posts, within, calendars, only, overdue];
        values.extend_from_slice(more);
        values
    }
}

/// Claims what is ready, in a transaction that it begins and commits.
pub(super) async fn claim(
    session: &Object,
    committing: &Committing,
    request: &ClaimRequest,
    lease: f64,
) -> Result<Vec<Delivery>> {
    let asked = Asked::new(request);
    let (half, all) = (session.prepare_cached(transfer::IS_HALF).await?, session.prepare_cached(LOCK).await?);
    let (next, take) = (session.prepare_cached(LOCK_NEXT).await?, session.prepare_cached(TAKE).await?);
    let ahead = asked.limit.saturating_add(AHEAD);
    // A claim of a few need not ask each of many accounts: who is first in the queue of all is first in its own.
    let mut few = asked.only.is_none() && usize::try_from(ahead).is_ok_and(|ahead| ahead < asked.names.len());
    let mut looks = 0;
    loop {
        let more: &[&(dyn ToSql + Sync)] = if few { &[&asked.limit, &ahead] } else { &[&asked.limit] };
        let (lock, lock_values) = (if few { &next } else { &all }, asked.values(more));
        let take_values = asked.values(&[&request.owner, &lease]);
        let statements = async {
            tokio::try_join!(
                biased;
                session.batch_execute("BEGIN"),
                session.query_one(&half, &[]),
                session.query_one(lock, &lock_values),
                session.query(&take, &take_values),
            )
        };
        let ((), half, locked, taken) = commit_with(session, committing, statements).await?;
        transfer::refuse_half(half.get(0))?;
        if !taken.is_empty() {
            return taken.iter().map(|row| Ok(rows::delivery_of(row)?)).collect();
        }
        let locked: bool = locked.get(0);
        looks += 1;
        if !few && (!locked || looks >= LOOKS) {
            return Ok(Vec::new());
        }
        // Those at the head of the queue are too few, or others were faster with each: there may be more behind.
        few = false;
    }
}

/// When the next claim can succeed. An account that is busy is left out: the end of its call is what wakes the worker.
pub(super) async fn next_ready(session: &Object, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
    let asked = Asked::new(request);
    let statement = session.prepare_cached(NEXT).await?;
    Ok(session.query_one(&statement, &asked.values(&[])).await?.get(0))
}
