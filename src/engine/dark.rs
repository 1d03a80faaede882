//! Blackout hours, as the engine minds them: nothing is claimed for an account that is in them, and no intent is written.

use chrono::{DateTime, Utc};

use crate::model::{Account, Delivery};
use crate::time::Blackout;

/// The end of the blackout hours that a delivery is in now. `None`: it may go out.
pub(super) fn until(row: &Delivery, account: &Account, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if row.any_hour { None } else { account_until(account, now) }
}

/// The end of the blackout hours that an account is in now.
pub(super) fn account_until(account: &Account, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    Blackout::of(account).map(|hours| hours.end(now)).filter(|end| *end > now)
}

/// The present as the late rule counts it: blackout hours since a delivery's time are no lateness.
pub(super) fn counted(row: &Delivery, blackout: Option<&Blackout>, now: DateTime<Utc>) -> DateTime<Utc> {
    blackout.map_or(now, |hours| row.due + hours.outside(row.due, now))
}
