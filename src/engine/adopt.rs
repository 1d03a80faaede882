//! Taking a ledger as it is although it is older than what this machine had seen of it.

use chrono::{DateTime, Utc};

use super::{PersonCommand, person};
use crate::ledger::{Ledger, LedgerError, Query, Write, Written};
use crate::model::{Delivery, State};

/// Rows stored in one transaction.
const GROUP: usize = 1_000;

/// Times that rows are read anew when somebody else wrote meanwhile.
const TRIES: usize = 5;

/// Holds everything that was due by now and not known to be out, whatever calendar it is of: the ledger before may have
/// brought it out. Then the ledger is adopted. Cut short in between, it is still older, and this is done again. Gives what
/// is held.
pub async fn adopt(ledger: &dyn Ledger, now: DateTime<Utc>, actor: &str) -> Result<Vec<Delivery>, LedgerError> {
    let held = hold(ledger, now, actor).await?;
    ledger.adopt(now).await?;
    Ok(held)
}

/// The rows that [`adopt`] would hold, as they are.
pub async fn doubted(ledger: &dyn Ledger, now: DateTime<Utc>) -> Result<Vec<Delivery>, LedgerError> {
    let states = vec![State::Planned, State::Claimed, State::Held];
    let mut rows = ledger.deliveries(&Query { states, ..Query::default() }).await?;
    rows.retain(|row| person(row, &PersonCommand::Doubt, now, "").is_ok());
    Ok(rows)
}

async fn hold(ledger: &dyn Ledger, now: DateTime<Utc>, actor: &str) -> Result<Vec<Delivery>, LedgerError> {
    let mut held = Vec::new();
    for _ in 0..TRIES {
        let rows = doubted(ledger, now).await?;
        if rows.is_empty() {
            return Ok(held);
        }
        for group in rows.chunks(GROUP) {
            let writes: Vec<Write> = group
                .iter()
                .filter_map(|row| {
                    let (delivery, event) = person(row, &PersonCommand::Doubt, now, actor).ok()?;
                    Some(Write::new(delivery, row.version, event))
                })
                .collect();
            let written = ledger.write(&writes).await?;
            let done = writes.into_iter().zip(written).filter(|(_, written)| *written == Written::Done);
            held.extend(done.map(|(write, _)| write.delivery));
        }
    }
    Err(LedgerError::Busy("others keep changing deliveries; stop them, and adopt the ledger then".to_owned()))
}
