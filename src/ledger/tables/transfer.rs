//! Tables as records, and back.

use super::{Effect, KeptAlert, KeptErrand, KeptIntent, KeptReceipt, Tables};
use crate::ledger::{LedgerError, Record, Result, Telling};
use crate::model::DeliveryId;

impl Tables {
    /// Everything, in the order of [`Record`].
    pub(in crate::ledger) fn export(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(
            self.calendars.iter().map(|(name, known)| Record::Calendar { name: name.clone(), known: known.clone() }),
        );
        records.extend(
            self.accounts
                .iter()
                .map(|(name, known)| Record::Account { name: name.clone(), known: Box::new(known.clone()) }),
        );
        records
            .extend(self.paused.iter().map(|(since, reason)| Record::Paused { since: *since, reason: reason.clone() }));
        records.extend(self.adopted.map(|at| Record::Adopted { at }));
        records.extend(self.deliveries.values().map(|row| Record::Delivery(Box::new(row.clone()))));
        records.extend(self.intents.iter().map(|kept| Record::Intent {
            delivery: kept.delivery,
            generation: kept.effect.generation,
            open: kept.open,
            intent: Box::new(kept.intent.clone()),
        }));
        records.extend(self.receipts.iter().map(|kept| Record::Receipt {
            delivery: kept.delivery,
            generation: kept.effect.generation,
            network: kept.effect.network.clone(),
            uid: kept.effect.uid.clone(),
            receipt: kept.receipt.clone(),
        }));
        records.extend(self.variations.iter().map(|(calendar, occurrence, variation)| {
            let name = occurrence.as_str();
            Record::Variation {
                calendar: calendar.clone(),
                series: name.split_once('@').map_or(name, |(series, _)| series).to_owned(),
                occurrence: occurrence.clone(),
                variation: *variation,
            }
        }));
        records.extend(
            self.posts
                .iter()
                .map(|((calendar, _), post)| Record::Post { calendar: calendar.clone(), post: Box::new(post.clone()) }),
        );
        records.extend(self.events.iter().map(|kept| Record::Event(kept.event.clone())));
        records.extend(self.targets.iter().map(|(name, since)| Record::Target { name: name.clone(), since: *since }));
        records.extend(self.alerts.iter().map(|kept| Record::Alert {
            alert: kept.alert.clone(),
            tellings: kept.errands.iter().map(|(target, errand)| errand.telling(target)).collect(),
        }));
        records
    }

    /// Takes records in.
    pub(in crate::ledger) fn import(&mut self, records: &[Record]) -> Result<()> {
        for record in records {
            self.take(record)?;
        }
        Ok(())
    }

    fn take(&mut self, record: &Record) -> Result<()> {
        match record {
            Record::Head { .. } if self.importing || !self.deliveries.is_empty() => {
                return Err(LedgerError::Storage("the ledger holds deliveries already, or a part of them".to_owned()));
            }
            Record::Head { .. } => self.importing = true,
            _ if !self.importing => {
                return Err(LedgerError::Storage("an import begins with what it is".to_owned()));
            }
            Record::End { .. } => self.importing = false,
            Record::Calendar { name, known } => {
                self.calendars.insert(name.clone(), known.clone());
            }
            Record::Account { name, known } => {
                self.accounts.insert(name.clone(), (**known).clone());
            }
            Record::Paused { since, reason } => self.paused = Some((*since, reason.clone())),
            Record::Adopted { at } => self.adopted = Some(*at),
            Record::Delivery(row) => {
                self.deliveries.insert(row.id, (**row).clone());
            }
            Record::Intent { delivery, generation, open, intent } => {
                let (network, uid) = (&intent.binding.network, &intent.binding.uid);
                let effect = self.effect_of(*delivery, network, uid, intent.frozen.part, *generation)?;
                self.sequence += 1;
                self.last_intent = self.last_intent.max(Some(intent.at));
                let (order, intent) = (self.next_order(), (**intent).clone());
                self.intents.push(KeptIntent { order, delivery: *delivery, effect, open: *open, intent });
            }
            Record::Receipt { delivery, generation, network, uid, receipt } => {
                let effect = self.effect_of(*delivery, network, uid, receipt.part, *generation)?;
                let order = self.next_order();
                self.receipts.push(KeptReceipt { order, delivery: *delivery, effect, receipt: receipt.clone() });
            }
            Record::Variation { calendar, occurrence, variation, .. } => {
                self.variations.push((calendar.clone(), occurrence.clone(), *variation));
            }
            Record::Post { calendar, post } => {
                self.posts.insert((calendar.clone(), post.post.id.clone()), (**post).clone());
            }
            Record::Event(event) => self.add_event(event.clone()),
            Record::Target { name, since } => {
                self.targets.insert(name.clone(), *since);
            }
            Record::Alert { alert, tellings } => {
                let errands = tellings.iter().map(|telling| (telling.target.clone(), telling.into())).collect();
                let order = self.next_order();
                self.alerts.push(KeptAlert { order, alert: alert.clone(), errands });
            }
        }
        Ok(())
    }

    pub(in crate::ledger) fn effect_of(
        &self,
        id: DeliveryId,
        network: &str,
        uid: &str,
        part: u16,
        generation: u32,
    ) -> Result<Effect> {
        let row = self
            .deliveries
            .get(&id)
            .ok_or_else(|| LedgerError::Corrupt(format!("a record of the delivery {id}, which did not come before")))?;
        Ok(Effect {
            calendar: row.calendar.clone(),
            occurrence: row.occurrence.clone(),
            network: network.to_owned(),
            uid: uid.to_owned(),
            part,
            generation,
        })
    }
}

impl KeptErrand {
    pub(in crate::ledger) fn telling(&self, target: &str) -> Telling {
        Telling {
            target: target.to_owned(),
            attempts: self.attempts,
            told_at: self.told_at,
            again: self.again,
            error: self.error.clone(),
        }
    }
}

impl From<&Telling> for KeptErrand {
    fn from(telling: &Telling) -> Self {
        Self {
            attempts: telling.attempts,
            again: telling.again,
            told_at: telling.told_at,
            error: telling.error.clone(),
        }
    }
}
