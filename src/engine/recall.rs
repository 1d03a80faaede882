//! What is known of a call although its process has ended before the ledger knew: the evidence that it has left.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Engine;
use super::core::{self, Input};
use super::record::Halt;
use crate::ledger::{Attempt, LedgerError, Query};
use crate::model::{Delivery, State};

impl Engine {
    /// What a row whose process is gone is to be told.
    pub(super) fn recall(&self, row: &Delivery) -> Input {
        let brought = Attempt::of(row).and_then(|attempt| self.evidence.find(&attempt));
        let Some(brought) = brought.filter(|_| row.state == State::Sending) else { return Input::OwnerLost };
        let input = brought.into_result().map_or_else(Input::Faulted, Input::Answered);
        let rules = self.rules(self.connector.repeat(&row.network));
        // An answer that the core cannot take has ended a task before. It must not end every start from then on.
        match catch_unwind(AssertUnwindSafe(|| core::step(row, &input, &rules, self.now()))) {
            Ok(_) => {
                tracing::info!(delivery = %row.id.short(), "what its call brought was kept, and is recorded now");
                input
            }
            Err(_) => Input::OwnerLost,
        }
    }

    /// Settles the unknowns whose answer was kept: somebody else has taken them over, and could not know it.
    pub(super) async fn recall_unknown(&self) -> Result<(), LedgerError> {
        let states = vec![State::Unknown];
        for row in self.ledger.deliveries(&Query { states, ..Query::default() }).await? {
            let Some(brought) = Attempt::of(&row).and_then(|attempt| self.evidence.find(&attempt)) else { continue };
            let witnessed = row.unknown.as_ref().is_some_and(|unknown| unknown.witnessed);
            let input = match brought.into_result() {
                Ok(receipt) if receipt.part == core::open_part(&row) => Input::AnsweredLate(receipt),
                Err(fault) if !witnessed => Input::Witnessed(fault.to_string()),
                _ => continue,
            };
            match self.advance(&row, &input, &self.rules(self.connector.repeat(&row.network))).await {
                Ok(_) | Err(Halt::Stale) => {}
                Err(Halt::Ledger(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Forgets evidence of which the ledger knows.
    pub(super) async fn tidy_evidence(&self) -> Result<(), LedgerError> {
        let states = vec![State::Sending, State::Unknown];
        let rows = self.ledger.deliveries(&Query { states, ..Query::default() }).await?;
        let open: BTreeSet<Attempt> = rows.iter().filter_map(Attempt::of).collect();
        self.evidence.tidy(&open);
        Ok(())
    }
}
