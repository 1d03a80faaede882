//! Alerts: raised, handed out to one teller at a time, kept until each target was told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object, Transaction};
use tokio_postgres::{Row, Statement};

use super::error::Trouble;
use super::instant::{down, up};
use super::rows::{id_of, plain, unsigned};
use crate::ledger::{Alert, Errand, Raised, TellRequest, Told};
use crate::model::DeliveryId;

type Result<T> = std::result::Result<T, Trouble>;

/// The columns of an alert.
const ALERT: &str = "alerts.key, alerts.at, alerts.tell_at, alerts.delivery, alerts.kind, alerts.message, alerts.help";

/// Raises an alert; one whose key is there already is left as it is.
pub(super) async fn add(client: &impl GenericClient, alert: &Alert) -> Result<()> {
    Raising::of(client, std::iter::once(alert)).await?.run(client).await?;
    Ok(())
}

/// Alerts that are about to be raised, as columns.
pub(super) struct Raising {
    statement: Statement,
    key: Vec<String>,
    at: Vec<DateTime<Utc>>,
    tell_at: Vec<DateTime<Utc>>,
    delivery: Vec<Option<String>>,
    kind: Vec<String>,
    message: Vec<String>,
    help: Vec<String>,
}

impl Raising {
    /// Gets them ready.
    pub(super) async fn of(client: &impl GenericClient, alerts: impl Iterator<Item = &Alert>) -> Result<Self> {
        let statement = client
            .prepare_cached(
                "INSERT INTO alerts (key, at, tell_at, delivery, kind, message, help)
                 SELECT key, at, tell_at, delivery, kind, message, help
                 FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                     $7::text[]) WITH ORDINALITY AS new (key, at, tell_at, delivery, kind, message, help, place)
                 ORDER BY place
                 ON CONFLICT (key) DO NOTHING",
            )
            .await?;
        let (key, at, tell_at, delivery) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (kind, message, help) = (Vec::new(), Vec::new(), Vec::new());
        let mut raising = Self { statement, key, at, tell_at, delivery, kind, message, help };
        for alert in alerts {
            raising.key.push(plain(&alert.key).into_owned());
            raising.at.push(down(alert.at));
            raising.tell_at.push(up(alert.tell_at));
            raising.delivery.push(alert.delivery.map(|id| id.to_string()));
            raising.kind.push(plain(&alert.kind).into_owned());
            raising.message.push(plain(&alert.message).into_owned());
            raising.help.push(plain(&alert.help).into_owned());
        }
        Ok(raising)
    }

    /// Raises them, in their order.
    pub(super) async fn run(&self, client: &impl GenericClient) -> std::result::Result<u64, tokio_postgres::Error> {
        let Self { statement, key, at, tell_at, delivery, kind, message, help } = self;
        if key.is_empty() {
            return Ok(0);
        }
        client.execute(statement, &[key, at, tell_at, delivery, kind, message, help]).await
    }
}

/// Remembers since when targets are there.
pub(super) async fn meet(session: &impl GenericClient, targets: &[String], now: DateTime<Utc>) -> Result<()> {
    session
        .execute(
            "INSERT INTO targets (name, since) SELECT DISTINCT name, $2::timestamptz FROM unnest($1::text[]) AS new (name)
             ORDER BY name
             ON CONFLICT (name) DO UPDATE SET since = excluded.since WHERE targets.since > excluded.since",
            &[&targets, &down(now)],
        )
        .await?;
    Ok(())
}

/// Hands out alerts. Two that ask at once get different ones: whoever comes second finds the time moved.
pub(super) async fn tell(transaction: &Transaction<'_>, request: &TellRequest) -> Result<Vec<Errand>> {
    let statement = transaction
        .prepare_cached(&format!(
            "WITH handed AS (
                 INSERT INTO tellings (alert, target, attempts, again)
                 SELECT alerts.key, $1, 0, $3
                 FROM alerts JOIN targets ON targets.name = $1 AND alerts.at >= targets.since
                 LEFT JOIN tellings t ON t.target = $1 AND t.alert = alerts.key
                 WHERE alerts.tell_at <= $2 AND t.told_at IS NULL AND (t.again IS NULL OR t.again <= $2)
                 ORDER BY alerts.at, alerts.seq LIMIT $4
                 ON CONFLICT (target, alert) DO UPDATE SET again = excluded.again
                     WHERE tellings.told_at IS NULL AND tellings.again <= $2
                 RETURNING alert, attempts, error
             )
             SELECT {ALERT}, handed.attempts, NULL::timestamptz, handed.error
             FROM handed JOIN alerts ON alerts.key = handed.alert ORDER BY alerts.at, alerts.seq"
        ))
        .await?;
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let rows =
        transaction.query(&statement, &[&request.target, &down(request.now), &up(request.until), &limit]).await?;
    rows.iter().map(|row| errand(row, &request.target)).collect()
}

/// Stores how telling went.
pub(super) async fn told(
    transaction: &Transaction<'_>,
    target: &str,
    keys: &[String],
    told: &Told,
    now: DateTime<Utc>,
) -> Result<()> {
    let (again, at, error) = match told {
        Told::Yes => (down(now), Some(down(now)), None),
        Told::NotYet { again, error } => (up(*again), None, Some(plain(error))),
    };
    // Told is told: a late "not yet" of another teller does not take it back.
    transaction
        .execute(
            "INSERT INTO tellings (alert, target, attempts, again, told_at, error)
             SELECT alerts.key, $1, 1, $3, $4, $5 FROM alerts JOIN targets ON targets.name = $1
             WHERE alerts.key = ANY($2) AND alerts.at >= targets.since ORDER BY alerts.key
             ON CONFLICT (target, alert) DO UPDATE SET attempts = tellings.attempts + 1, again = excluded.again,
                 told_at = excluded.told_at, error = excluded.error
             WHERE tellings.told_at IS NULL",
            &[&target, &keys, &again, &at, &error],
        )
        .await?;
    Ok(())
}

/// When the next alert is to be told.
pub(super) async fn next_tell(session: &Object, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
    let statement = session
        .prepare_cached(
            "SELECT min(greatest(alerts.tell_at, t.again))
             FROM targets JOIN alerts ON alerts.at >= targets.since
             LEFT JOIN tellings t ON t.target = targets.name AND t.alert = alerts.key
             WHERE targets.name = ANY($1) AND t.told_at IS NULL",
        )
        .await?;
    Ok(session.query_one(&statement, &[&targets]).await?.get(0))
}

/// The errands that have failed so far.
pub(super) async fn untold(session: &Object, targets: &[String]) -> Result<Vec<Errand>> {
    let statement = session
        .prepare_cached(&format!(
            "SELECT {ALERT}, t.attempts, t.told_at, t.error, t.target
             FROM tellings t JOIN alerts ON alerts.key = t.alert JOIN targets ON targets.name = t.target
             WHERE t.target = ANY($1) AND t.told_at IS NULL AND t.attempts > 0
             ORDER BY array_position($1, t.target), alerts.at, alerts.seq"
        ))
        .await?;
    let rows = session.query(&statement, &[&targets]).await?;
    rows.iter().map(|row| errand(row, row.get(10))).collect()
}

/// The alerts about a delivery, with who was told.
pub(super) async fn about(session: &Object, delivery: DeliveryId) -> Result<Vec<Raised>> {
    let statement = session
        .prepare_cached(&format!(
            "SELECT {ALERT}, t.target, t.told_at FROM alerts
             LEFT JOIN tellings t ON t.alert = alerts.key AND t.told_at IS NOT NULL
             WHERE alerts.delivery = $1 ORDER BY alerts.at, alerts.seq, t.target"
        ))
        .await?;
    let mut found: Vec<Raised> = Vec::new();
    for row in &session.query(&statement, &[&delivery.to_string()]).await? {
        let alert = alert(row)?;
        if found.last().is_none_or(|last| last.alert.key != alert.key) {
            found.push(Raised { alert, told: BTreeMap::new() });
        }
        if let (Some(last), Some(target)) = (found.last_mut(), row.get::<_, Option<String>>(7)) {
            last.told.insert(target, row.get(8));
        }
    }
    Ok(found)
}

/// An alert of its columns, in their order.
pub(super) fn alert(row: &Row) -> Result<Alert> {
    let delivery: Option<&str> = row.get(3);
    Ok(Alert {
        key: row.get(0),
        at: row.get(1),
        tell_at: row.get(2),
        delivery: delivery.map(id_of).transpose()?,
        kind: row.get(4),
        message: row.get(5),
        help: row.get(6),
    })
}

fn errand(row: &Row, target: &str) -> Result<Errand> {
    Ok(Errand {
        alert: alert(row)?,
        target: target.to_owned(),
        attempts: u32::try_from(unsigned(row.get(7))?).unwrap_or(u32::MAX),
        told_at: row.get(8),
        error: row.get(9),
    })
}
