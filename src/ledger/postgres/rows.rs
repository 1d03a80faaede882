//! Deliveries as they are read, and the history.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Object};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::Trouble;
use super::schema;
use crate::ledger::standing::{Columns, Gathering, settled_states};
use crate::ledger::{About, LedgerError, Query, Result, Tally};
use crate::model::{AccountName, CalendarName, Delivery, DeliveryId, Event, Standings, State};

/// The columns that [`delivery_of`] reads.
pub(super) const COLUMNS: &str = "row, state, version, fence, owner";

/// Reads the deliveries of a query.
pub(super) async fn deliveries(session: &Object, query: &Query) -> std::result::Result<Vec<Delivery>, Trouble> {
    let mut sql = format!("SELECT {COLUMNS} FROM deliveries WHERE true");
    let mut values: Vec<Box<dyn ToSql + Sync + Send>> = Vec::new();
    let mut narrow = |column: &str, value: Box<dyn ToSql + Sync + Send>| {
        values.push(value);
        let _ = write!(sql, " AND {column} ${}", values.len());
    };
    if let Some(calendar) = &query.calendar {
        narrow("calendar =", Box::new(calendar.as_str().to_owned()));
    }
    if let Some(post) = &query.post {
        narrow("post =", Box::new(post.as_str().to_owned()));
    }
    if let Some(account) = &query.account {
        narrow("account =", Box::new(account.as_str().to_owned()));
    }
    if let Some(start) = &query.id_start {
        // `g` is the first letter after the hex digits.
        narrow("id >=", Box::new(start.to_ascii_lowercase()));
        narrow("id <", Box::new(start.to_ascii_lowercase() + "g"));
    }
    if let Some(ids) = &query.ids {
        values.push(Box::new(ids.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let _ = write!(sql, " AND id = ANY(${})", values.len());
    }
    if !query.states.is_empty() {
        let states: Vec<&'static str> = query.states.iter().map(|state| state.as_str()).collect();
        values.push(Box::new(states));
        let _ = write!(sql, " AND state = ANY(${})", values.len());
    }
    match query.latest {
        None => sql.push_str(" ORDER BY due, id"),
        Some(count) => {
            values.push(Box::new(i64::try_from(count).unwrap_or(i64::MAX)));
            let _ = write!(sql, " ORDER BY due DESC, id DESC LIMIT ${}", values.len());
        }
    }
    let statement = session.prepare_cached(&sql).await?;
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    let rows = session.query(&statement, &values).await?;
    rows.iter().map(|row| Ok(delivery_of(row)?)).collect()
}

/// Rows that are read at once: what the server sends is kept until the last of them is there.
const PAGE: i64 = 5_000;

/// Reads how the deliveries of a calendar stand, page by page. A row whose time is changed meanwhile may be missed, or read
/// twice: whatever is written for it then is stale, and the comparison is made anew.
pub(super) async fn standings(session: &Object, calendar: &CalendarName) -> std::result::Result<Standings, Trouble> {
    let statement = session
        .prepare_cached(&format!(
            "SELECT id, post, occurrence, account, network, state, version,
                 CASE WHEN state NOT IN ({}) THEN row END, due
             FROM deliveries WHERE calendar = $1 AND (due, id) > ($2, $3)
             ORDER BY due, id LIMIT $4",
            settled_states()
        ))
        .await?;
    let mut all = Gathering::default();
    // Before every time that a calendar can name.
    let (mut due, mut id) = (DateTime::UNIX_EPOCH - TimeDelta::days(1_000_000), String::new());
    loop {
        let rows = session.query(&statement, &[&calendar.as_str(), &due, &id, &PAGE]).await?;
        for row in &rows {
            all.add(&Columns {
                id: row.get(0),
                post: row.get(1),
                occurrence: row.get(2),
                account: row.get(3),
                network: row.get(4),
                state: row.get(5),
                version: unsigned(row.get(6))?,
                row: row.get(7),
            })?;
        }
        let Some(last) = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(PAGE)) else { return Ok(all.done()) };
        (due, id) = (last.get(8), last.get(0));
    }
}

/// Reads one delivery.
pub(super) async fn delivery(
    session: &impl GenericClient,
    id: DeliveryId,
) -> std::result::Result<Option<Delivery>, Trouble> {
    let statement = session.prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries WHERE id = $1")).await?;
    let row = session.query_opt(&statement, &[&id.to_string()]).await?;
    Ok(row.as_ref().map(delivery_of).transpose()?)
}

/// The database's clock.
pub(super) async fn time(session: &Object) -> std::result::Result<DateTime<Utc>, Trouble> {
    let statement = session.prepare_cached("SELECT clock_timestamp()").await?;
    Ok(session.query_one(&statement, &[]).await?.get(0))
}

/// Lengthens the leases of `owner` that last. One that is over stays over: somebody may be taking its delivery just now.
pub(super) async fn renew(session: &Object, owner: &str, lease: Duration) -> std::result::Result<(), Trouble> {
    let statement = session
        .prepare_cached(
            "UPDATE deliveries SET lease_until = clock_timestamp() + $2::float8 * interval '1 second'
             WHERE state IN ('claimed', 'sending') AND owner = $1 AND lease_until > clock_timestamp()",
        )
        .await?;
    session.execute(&statement, &[&owner, &lease.as_secs_f64()]).await?;
    Ok(())
}

/// The database, and what is in it.
pub(super) async fn about(session: &Object, place: &str) -> std::result::Result<About, Trouble> {
    let mut about = About::new("PostgreSQL", place);
    let row = session
        .query_one(
            "SELECT (SELECT value FROM meta WHERE key = 'version'),
                 (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
                  WHERE relnamespace = to_regnamespace($1) AND relkind = 'r')",
            &[&schema::NAME],
        )
        .await?;
    about.version = row.get::<_, &str>(0).parse().unwrap_or(0);
    about.bytes = row.get::<_, Option<i64>>(1).map(unsigned).transpose()?;
    for row in session.query("SELECT state, count(*) FROM deliveries GROUP BY state", &[]).await? {
        about.states.insert(state_of(row.get(0))?, unsigned(row.get(1))?);
    }
    Ok(about)
}

/// Counts them by account and state.
pub(super) async fn tally(session: &Object) -> std::result::Result<Vec<Tally>, Trouble> {
    let statement = session
        .prepare_cached(
            "SELECT account, network, state, count(*), min(ready) FROM deliveries GROUP BY account, network, state",
        )
        .await?;
    let tally_of = |row: &Row| -> Result<Tally> {
        Ok(Tally {
            account: AccountName::new(row.get::<_, &str>(0)),
            network: row.get(1),
            state: state_of(row.get(2))?,
            count: unsigned(row.get(3))?,
            ready: row.get(4),
        })
    };
    session.query(&statement, &[]).await?.iter().map(|row| Ok(tally_of(row)?)).collect()
}

/// The rows whose lease has lapsed, by the database's clock.
pub(super) async fn lapsed(session: &Object) -> std::result::Result<Vec<Delivery>, Trouble> {
    let statement = session
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM deliveries
             WHERE state IN ('claimed', 'sending') AND lease_until <= clock_timestamp() ORDER BY due, id"
        ))
        .await?;
    let rows = session.query(&statement, &[]).await?;
    rows.iter().map(|row| Ok(delivery_of(row)?)).collect()
}

/// A delivery of [`COLUMNS`]. The columns beside the row are newer than what is in it.
pub(super) fn delivery_of(row: &Row) -> Result<Delivery> {
    let mut delivery: Delivery = serde_json::from_str(row.get(0))?;
    delivery.state = state_of(row.get(1))?;
    delivery.version = unsigned(row.get(2))?;
    delivery.fence = unsigned(row.get(3))?;
    delivery.owner = row.get(4);
    Ok(delivery)
}

/// Reads the history: of one delivery oldest first, of all newest first.
pub(super) async fn events(
    session: &Object,
    delivery: Option<DeliveryId>,
    limit: usize,
) -> std::result::Result<Vec<Event>, Trouble> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = if let Some(delivery) = delivery {
        let statement = session
            .prepare_cached(
                "SELECT at, delivery, kind, state, detail, actor FROM events WHERE delivery = $1 ORDER BY seq LIMIT $2",
            )
            .await?;
        session.query(&statement, &[&delivery.to_string(), &limit]).await?
    } else {
        let statement = session
            .prepare_cached("SELECT at, delivery, kind, state, detail, actor FROM events ORDER BY seq DESC LIMIT $1")
            .await?;
        session.query(&statement, &[&limit]).await?
    };
    rows.iter().map(|row| Ok(event_of(row)?)).collect()
}

/// An event of `at, delivery, kind, state, detail, actor`.
pub(super) fn event_of(row: &Row) -> Result<Event> {
    Ok(Event {
        at: row.get(0),
        delivery: id_of(row.get(1))?,
        kind: row.get(2),
        state: state_of(row.get(3))?,
        detail: row.get(4),
        actor: row.get(5),
    })
}

fn state_of(text: &str) -> Result<State> {
    State::parse(text)
        .ok_or_else(|| LedgerError::Corrupt(format!("the ledger holds a state that smm does not know: `{text}`")))
}

pub(super) fn id_of(text: &str) -> Result<DeliveryId> {
    text.parse().map_err(|error| LedgerError::Corrupt(format!("the ledger holds a wrong id: {error}")))
}

/// The server's integers have a sign; no counter comes near the end of either kind.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A counter of the server's.
pub(super) fn unsigned(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| LedgerError::Corrupt(format!("the ledger holds a negative count ({value})")))
}

/// A text that the server can keep: it has no NUL.
pub(super) fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
