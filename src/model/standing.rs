//! How deliveries stand: what a comparison with their calendar has to know of them, and nothing that is long. A ledger may
//! hold a hundred thousand of them, and all are looked at whenever somebody edits.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{AccountName, CalendarName, Delivery, DeliveryId, Late, OccurrenceName, Origin, PostId, Reason, State};

/// What a ledger knows of a calendar's deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// Those of the calendar's posts that it may still change, or that may become late; earliest due first.
    pub open: Vec<Standing>,
    /// Those of which it is enough that they are there, as [`Standing::is_settled`] says, whoever has put them there;
    /// earliest due first.
    pub settled: Vec<Settled>,
}

/// A delivery that its calendar has no say in any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its post, as it was last called.
    pub post: PostId,
    /// Its occurrence.
    pub occurrence: OccurrenceName,
    /// Its account.
    pub account: AccountName,
}

/// How a delivery stands. Its fields mean what those of [`Delivery`] do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub id: DeliveryId,
    /// The post.
    pub post: PostId,
    /// The occurrence.
    pub occurrence: OccurrenceName,
    /// The account.
    pub account: AccountName,
    /// The account's network.
    pub network: Arc<str>,
    /// When it is due.
    pub due: DateTime<Utc>,
    /// The civil time that `due` was derived from.
    pub civil: NaiveDateTime,
    /// What happens when its time has gone by.
    pub late: Late,
    /// Where it is in its life.
    pub state: State,
    /// Why. In a box: most have none.
    pub reason: Option<Box<Reason>>,
    /// Not claimed before this.
    pub not_before: Option<DateTime<Utc>>,
    /// The late rule no longer applies.
    pub released: bool,
    /// Goes out in blackout hours too.
    pub any_hour: bool,
    /// Something irreversible was sent for it ([`Delivery::is_frozen`]).
    pub frozen: bool,
    /// The version that was read; 0: it is not stored yet.
    pub version: u64,
}

impl Standings {
    /// Of the rows of one calendar. What `smm post` has put into the ledger follows none.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Delivery>) -> Self {
        let mut all = Self::default();
        for row in rows {
            if Standing::is_settled(row.state) {
                let (post, occurrence, account) = (row.post.clone(), row.occurrence.clone(), row.account.clone());
                all.settled.push(Settled { post, occurrence, account });
            } else if row.origin == Origin::Calendar {
                all.open.push(Standing::of(row));
            }
        }
        all
    }

    /// The posts of all of them, some more than once.
    pub fn posts(&self) -> impl Iterator<Item = &PostId> {
        self.open.iter().map(|row| &row.post).chain(self.settled.iter().map(|row| &row.post))
    }
}

impl Standing {
    /// Whether a delivery in this state is none of its calendar's business, whatever else is known of it, and cannot
    /// become late. One that was cancelled may come back, since its post may.
    pub fn is_settled(state: State) -> bool {
        matches!(state, State::Published | State::Failed | State::Missed | State::Unknown)
    }

    /// Of a row.
    pub fn of(row: &Delivery) -> Self {
        Self {
            id: row.id,
            post: row.post.clone(),
            occurrence: row.occurrence.clone(),
            account: row.account.clone(),
            network: row.network.as_str().into(),
            due: row.due,
            civil: row.civil,
            late: row.late,
            state: row.state,
            reason: row.reason.clone().map(Box::new),
            not_before: row.not_before,
            released: row.released,
            any_hour: row.any_hour,
            frozen: row.is_frozen(),
            version: row.version,
        }
    }

    /// The row that it stands for, when it is not stored yet.
    pub fn row(&self, calendar: &CalendarName) -> Delivery {
        let mut row = Delivery::planned(
            calendar.clone(),
            self.post.clone(),
            self.occurrence.clone(),
            self.account.clone(),
            &*self.network,
            Origin::Calendar,
            self.due,
            self.civil,
            self.late,
        );
        self.lay_over(&mut row);
        row
    }

    /// Gives a row what its calendar decides of it.
    pub fn lay_over(&self, row: &mut Delivery) {
        row.post.clone_from(&self.post);
        self.network.as_ref().clone_into(&mut row.network);
        row.due = self.due;
        row.civil = self.civil;
        row.late = self.late;
        row.state = self.state;
        row.reason = self.reason.as_deref().cloned();
        row.not_before = self.not_before;
        row.released = self.released;
    }
}
