//! Alerts and who was told. Errands are made when a target is asked about, not when an alert is raised: a ledger does not
//! know beforehand whom `smm.toml` names.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::instant::{instant, micros, micros_up};
use super::rows::parse_id;
use crate::ledger::{Alert, Errand, Raised, Result, TellRequest, Told};
use crate::model::DeliveryId;

/// The columns that [`alert`] reads, from its first on.
pub(super) const COLUMNS: &str =
    "alerts.key, alerts.at, alerts.tell_at, alerts.delivery, alerts.kind, alerts.message, alerts.help";

/// Errands that may be handed out.
pub(super) const READY: &str = "SELECT errands.alert, errands.attempts, errands.error,
         alerts.key, alerts.at, alerts.tell_at, alerts.delivery, alerts.kind, alerts.message, alerts.help
     FROM errands JOIN alerts ON alerts.seq = errands.alert
     WHERE errands.target = ?1 AND errands.told_at IS NULL AND errands.again <= ?2
     ORDER BY alerts.at, alerts.seq LIMIT ?3";

/// The first time at which an errand may be handed out.
pub(super) const NEXT: &str = "SELECT again FROM errands WHERE target = ? AND told_at IS NULL ORDER BY again LIMIT 1";

/// Raises an alert, unless its key is there.
pub(super) fn raise(conn: &Connection, alert: &Alert) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO alerts (key, at, tell_at, delivery, kind, message, help) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute(params![
        alert.key,
        micros(alert.at),
        micros_up(alert.tell_at),
        alert.delivery.map(|id| id.to_string()),
        alert.kind,
        alert.message,
        alert.help,
    ])?;
    Ok(())
}

/// Withdraws the alerts about a delivery that are not to be told at `now` yet.
pub(super) fn withdraw(conn: &Connection, id: &str, now: DateTime<Utc>) -> Result<()> {
    conn.prepare_cached("DELETE FROM alerts WHERE delivery = ? AND tell_at > ?")?.execute(params![id, micros(now)])?;
    Ok(())
}

/// Remembers targets.
pub(super) fn meet(conn: &Connection, targets: &[String], now: DateTime<Utc>) -> Result<()> {
    for target in targets {
        conn.prepare_cached(
            "INSERT INTO targets (name, since, made) VALUES (?, ?, 0)
             ON CONFLICT (name) DO UPDATE SET since = excluded.since WHERE since > excluded.since",
        )?
        .execute(params![target, micros(now)])?;
    }
    Ok(())
}

/// Makes the errands of a target for the alerts that were raised since it was last asked about. `false`: never met.
pub(super) fn make(conn: &Connection, target: &str) -> Result<bool> {
    let Some((since, made)) = known(conn, target)? else { return Ok(false) };
    let last: Option<i64> = conn.prepare_cached("SELECT max(seq) FROM alerts")?.query_row([], |row| row.get(0))?;
    if let Some(last) = last.filter(|last| *last > made) {
        conn.prepare_cached(
            "INSERT INTO errands (target, alert, attempts, again)
             SELECT ?1, seq, 0, tell_at FROM alerts WHERE seq > ?2 AND at >= ?3",
        )?
        .execute(params![target, made, since])?;
        conn.prepare_cached("UPDATE targets SET made = ? WHERE name = ?")?.execute(params![last, target])?;
    }
    Ok(true)
}

/// Since when a target is there, and up to which alert its errands are made.
fn known(conn: &Connection, target: &str) -> Result<Option<(i64, i64)>> {
    Ok(conn
        .prepare_cached("SELECT since, made FROM targets WHERE name = ?")?
        .query_row([target], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Hands out errands.
pub(super) fn tell(conn: &Connection, request: &TellRequest) -> Result<Vec<Errand>> {
    if !make(conn, &request.target)? {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    let mut statement = conn.prepare_cached(READY)?;
    let mut rows = statement.query(params![request.target, micros(request.now), limit])?;
    while let Some(row) = rows.next()? {
        let errand = Errand {
            alert: alert(row, 3)?,
            target: request.target.clone(),
            attempts: row.get(1)?,
            told_at: None,
            error: row.get(2)?,
        };
        found.push((row.get::<_, i64>(0)?, errand));
    }
    let mut hand_out = conn.prepare_cached("UPDATE errands SET again = ? WHERE target = ? AND alert = ?")?;
    for (seq, _) in &found {
        hand_out.execute(params![micros_up(request.until), request.target, seq])?;
    }
    Ok(found.into_iter().map(|(_, errand)| errand).collect())
}

/// Stores how telling went. Of an alert that was withdrawn meanwhile there is nothing to store.
pub(super) fn told(conn: &Connection, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()> {
    if !make(conn, target)? {
        return Ok(());
    }
    let mut statement = conn.prepare_cached(
        "UPDATE errands SET attempts = attempts + 1, again = coalesce(?3, again), told_at = ?4, error = ?5
         WHERE target = ?1 AND told_at IS NULL AND alert = (SELECT seq FROM alerts WHERE key = ?2)",
    )?;
    for key in keys {
        match told {
            Told::Yes => statement.execute(params![target, key, None::<i64>, micros(now), None::<&str>])?,
            Told::NotYet { again, error } => {
                statement.execute(params![target, key, micros_up(*again), None::<i64>, error])?
            }
        };
    }
    Ok(())
}

/// When the next alert is to be told.
pub(super) fn next_tell(conn: &Connection, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
    let mut next: Option<i64> = None;
    for target in targets {
        let Some((since, made)) = known(conn, target)? else { continue };
        let open: Option<i64> = conn.prepare_cached(NEXT)?.query_row([target], |row| row.get(0)).optional()?;
        let new: Option<i64> = conn
            .prepare_cached("SELECT min(tell_at) FROM alerts WHERE seq > ? AND at >= ?")?
            .query_row([made, since], |row| row.get(0))?;
        next = next.into_iter().chain(open).chain(new).min();
    }
    next.map(instant).transpose()
}

/// The errands that have failed so far.
pub(super) fn untold(conn: &Connection, targets: &[String]) -> Result<Vec<Errand>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT errands.attempts, errands.error, {COLUMNS} FROM errands JOIN alerts ON alerts.seq = errands.alert
         WHERE errands.target = ? AND errands.told_at IS NULL AND errands.attempts > 0 ORDER BY alerts.at, alerts.seq"
    ))?;
    let mut found = Vec::new();
    for target in targets {
        let mut rows = statement.query([target])?;
        while let Some(row) = rows.next()? {
            found.push(Errand {
                alert: alert(row, 2)?,
                target: target.clone(),
                attempts: row.get(0)?,
                told_at: None,
                error: row.get(1)?,
            });
        }
    }
    Ok(found)
}

/// The alerts about a delivery, with who was told.
pub(super) fn about(conn: &Connection, id: DeliveryId) -> Result<Vec<Raised>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT seq, {COLUMNS} FROM alerts WHERE delivery = ? ORDER BY at, seq"))?;
    let mut knowing =
        conn.prepare_cached("SELECT target, told_at FROM errands WHERE alert = ? AND told_at IS NOT NULL")?;
    let mut found = Vec::new();
    let mut rows = statement.query([id.to_string()])?;
    while let Some(row) = rows.next()? {
        let mut raised = Raised { alert: alert(row, 1)?, told: std::collections::BTreeMap::new() };
        let mut targets = knowing.query([row.get::<_, i64>(0)?])?;
        while let Some(target) = targets.next()? {
            raised.told.insert(target.get(0)?, instant(target.get(1)?)?);
        }
        found.push(raised);
    }
    Ok(found)
}

/// Reads an alert from [`COLUMNS`], which begin at `first`.
pub(super) fn alert(row: &Row<'_>, first: usize) -> Result<Alert> {
    Ok(Alert {
        key: row.get(first)?,
        at: instant(row.get(first + 1)?)?,
        tell_at: instant(row.get(first + 2)?)?,
        delivery: row.get::<_, Option<String>>(first + 3)?.as_deref().map(parse_id).transpose()?,
        kind: row.get(first + 4)?,
        message: row.get(first + 5)?,
        help: row.get(first + 6)?,
    })
}
