//! A look before the first call, where the ledger may not know what others have sent: a job of a forge runs on a machine of
//! its own each time, with a ledger that is empty. Whoever runs it again would announce a release twice.
//!
//! Only what announces a release is looked for: it is the one kind of post that is made anew from facts at hand. A ledger
//! that several processes share knows all that was sent, so nothing is looked for there.

use chrono::{DateTime, TimeDelta, Utc};

use super::Engine;
use super::core::Rules;
use super::links::Link;
use crate::adapter::{Fault, RepeatSafety, Verdict};
use crate::model::{Delivery, Frozen, Receipt};
use crate::trial::Guard;

/// What a look before the first call has found.
pub(super) enum Before {
    /// It is not there, or the call itself tells: the network keeps one of a name.
    Nothing,
    /// It is there.
    Out(Receipt),
    /// It may be there.
    Perhaps(String),
}

impl Engine {
    /// Whether the ledger cannot know that a delivery was sent before: it is this machine's own, and nothing is in it. Nor
    /// has a person looked.
    pub(super) fn is_new(&self, row: &Delivery) -> bool {
        let untold = row.attempts == 0 && row.generation == 0 && !row.released;
        untold && self.ledger.is_exclusive() && Guard::Forgotten.holds()
    }

    /// Looks whether a part is there that was sent at `since` at the earliest. Changes nothing there.
    pub(super) async fn look_before(
        &self,
        frozen: &Frozen,
        link: &Link,
        rules: &Rules,
        since: DateTime<Utc>,
    ) -> Result<Before, Fault> {
        if rules.class == RepeatSafety::None {
            // Nothing tells; whether it is sent all the same was decided by the one who asked for it.
            return Ok(Before::Nothing);
        }
        let since = since.min(self.now()) - SKEW;
        let looked = tokio::select! {
            biased;
            looked = link.api.reconcile(frozen, since) => looked?,
            () = self.clock.wait(self.settings().timeout) => {
                return Err(Fault::NotSent("no answer in time to the question whether it is there already".to_owned()));
            }
        };
        Ok(match looked {
            Verdict::Done(receipt) => Before::Out(receipt),
            Verdict::NotDone => Before::Nothing,
            Verdict::CannotTell { why } => match rules.class {
                RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => Before::Nothing,
                _ => Before::Perhaps(why),
            },
        })
    }
}

/// So far may the clock of whoever stamped the release be ahead.
const SKEW: TimeDelta = TimeDelta::minutes(10);
