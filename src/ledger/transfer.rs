//! A whole ledger as records, one line of JSON each: to move from one kind to another, and to read it without `smm`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountRecord, Alert, CalendarRecord, StoredPost};
use crate::model::{AccountName, CalendarName, Delivery, DeliveryId, Event, Intent, OccurrenceName, Receipt};

/// One record. The ledger itself gives and takes what is between [`Record::Head`] and [`Record::End`]; whoever moves it
/// adds the two. The order in a transfer is that of the variants, and within each the order in which it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// First: what this is.
    Head {
        /// The transfer's own version.
        format: u32,
        /// `smm`'s version.
        smm: String,
        /// When it was written.
        at: DateTime<Utc>,
    },
    /// A calendar and its series.
    Calendar {
        /// Its name.
        name: CalendarName,
        /// What is known of it.
        known: CalendarRecord,
    },
    /// An account.
    Account {
        /// Its name.
        name: AccountName,
        /// What is known of it.
        known: Box<AccountRecord>,
    },
    /// Everything is paused.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// A person has adopted the ledger: see [`CalendarRecord::adopted`].
    Adopted {
        /// When.
        at: DateTime<Utc>,
    },
    /// A delivery, whole.
    Delivery(Box<Delivery>),
    /// An intent of a delivery.
    Intent {
        /// Of which.
        delivery: DeliveryId,
        /// The delivery's generation then.
        generation: u32,
        /// Its outcome is not known.
        open: bool,
        /// What was about to be sent.
        intent: Box<Intent>,
    },
    /// What is out.
    Receipt {
        /// Of which delivery.
        delivery: DeliveryId,
        /// Its generation.
        generation: u32,
        /// The network.
        network: String,
        /// The identity that has it.
        uid: String,
        /// What the network answered.
        receipt: Receipt,
    },
    /// Which of a series' texts an occurrence has.
    Variation {
        /// The calendar.
        calendar: CalendarName,
        /// The series.
        series: String,
        /// The occurrence.
        occurrence: OccurrenceName,
        /// The text's number, from 0.
        variation: u32,
    },
    /// A post of `smm post`.
    Post {
        /// Its calendar.
        calendar: CalendarName,
        /// The post.
        post: Box<StoredPost>,
    },
    /// A line of the history.
    Event(Event),
    /// A target that alerts are told to.
    Target {
        /// Its name.
        name: String,
        /// It is told nothing that was raised before.
        since: DateTime<Utc>,
    },
    /// An alert, with how far its telling is.
    Alert {
        /// The alert.
        alert: Alert,
        /// By target, in the order of their names. A target that was not tried yet is not in it.
        tellings: Vec<Telling>,
    },
    /// Last: how many records came before. A transfer without it is cut short.
    End {
        /// So many.
        records: u64,
    },
}

/// How far the telling of an alert to one target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The target's name in `smm.toml`.
    pub target: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Told since; `None`: not yet.
    pub told_at: Option<DateTime<Utc>>,
    /// Not handed out before this.
    pub again: Option<DateTime<Utc>>,
    /// Why the last attempt did not work.
    pub error: Option<String>,
}

/// The version of transfers that this smm writes and reads.
pub const FORMAT: u32 = 1;

impl Record {
    /// Its place in a transfer.
    fn rank(&self) -> u8 {
        match self {
            Self::Head { .. } => 0,
            Self::Calendar { .. } => 1,
            Self::Account { .. } => 2,
            Self::Paused { .. } => 3,
            Self::Adopted { .. } => 4,
            Self::Delivery(_) => 5,
            Self::Intent { .. } => 6,
            Self::Receipt { .. } => 7,
            Self::Variation { .. } => 8,
            Self::Post { .. } => 9,
            Self::Event(_) => 10,
            Self::Target { .. } => 11,
            Self::Alert { .. } => 12,
            Self::End { .. } => 13,
        }
    }
}

/// Looks whether a transfer is whole, before anything of it is taken.
#[derive(Debug, Default)]
pub struct Check {
    at: Option<DateTime<Utc>>,
    rank: u8,
    records: u64,
    deliveries: u64,
    ended: bool,
}

/// A transfer that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// When it was written.
    pub at: DateTime<Utc>,
    /// How many records it has between its first and its last.
    pub records: u64,
    /// How many of them are deliveries.
    pub deliveries: u64,
}

impl Check {
    /// The next record. `Err` says what is wrong with it.
    pub fn take(&mut self, record: &Record) -> Result<(), String> {
        if self.ended {
            return Err("something comes after its end; was another transfer appended?".to_owned());
        }
        match record {
            Record::Head { format, at, .. } if *format == FORMAT && self.at.is_none() => self.at = Some(*at),
            Record::Head { format, smm, .. } if *format != FORMAT => {
                return Err(format!(
                    "it is of version {format}, written by smm {smm}; this smm reads version {FORMAT}: use one that is as new"
                ));
            }
            Record::Head { .. } => return Err("it begins twice".to_owned()),
            _ if self.at.is_none() => return Err("its beginning is missing".to_owned()),
            Record::End { records } if *records == self.records => self.ended = true,
            Record::End { records } => {
                return Err(format!("it had {records} records when it was written, and has {} now", self.records));
            }
            other => {
                if other.rank() < self.rank {
                    return Err("its records are not in their order".to_owned());
                }
                self.records += 1;
                self.deliveries += u64::from(matches!(other, Record::Delivery(_)));
            }
        }
        self.rank = record.rank();
        Ok(())
    }

    /// At the end of the file.
    pub fn finish(self) -> Result<Whole, String> {
        match self.at {
            Some(at) if self.ended => Ok(Whole { at, records: self.records, deliveries: self.deliveries }),
            Some(_) => Err(format!("it is cut short: its end is missing after {} records", self.records)),
            None => Err("it is empty".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Record {
        Record::Head { format: FORMAT, smm: "0".to_owned(), at: DateTime::UNIX_EPOCH }
    }

    fn paused() -> Record {
        Record::Paused { since: DateTime::UNIX_EPOCH, reason: String::new() }
    }

    fn target() -> Record {
        Record::Target { name: "oncall".to_owned(), since: DateTime::UNIX_EPOCH }
    }

    fn check(records: &[Record]) -> Result<Whole, String> {
        let mut check = Check::default();
        records.iter().try_for_each(|record| check.take(record))?;
        check.finish()
    }

    #[test]
    fn only_a_whole_transfer_is_taken() {
        let end = |records| Record::End { records };
        let whole = [head(), paused(), target(), target(), end(3)];
        assert_eq!(check(&whole), Ok(Whole { at: DateTime::UNIX_EPOCH, records: 3, deliveries: 0 }));
        assert_eq!(check(&[head(), end(0)]).map(|whole| whole.records), Ok(0));
        for cut in 0..whole.len() {
            assert!(check(&whole[..cut]).is_err(), "cut after {cut}");
        }
        for (wrong, what) in [
            (vec![paused(), end(1)], "beginning"),
            (vec![head(), head(), end(0)], "twice"),
            (vec![head(), target(), paused(), end(2)], "order"),
            (vec![head(), paused(), end(2)], "had 2 records"),
            (vec![head(), paused(), end(1), paused()], "after its end"),
            (vec![Record::Head { format: 9, smm: "9.9".to_owned(), at: DateTime::UNIX_EPOCH }], "version 9"),
        ] {
            let error = check(&wrong).expect_err(what);
            assert!(error.contains(what), "{error}");
        }
    }
}
