//! What an account does to the times of its posts: nothing goes out in its blackout hours, and all of it a little later
//! than on the dot where it has jitter. Never earlier.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::Calendar;
use crate::model::{Account, AccountName, CalendarName, DeliveryId, Late, OccurrenceName, Reason, ReasonCode};
use crate::time::{Blackout, Zone};

/// How an account shifts times.
#[derive(Debug, Clone)]
pub(super) struct Shift<'a> {
    calendar: &'a CalendarName,
    account: &'a AccountName,
    blackout: Option<Blackout>,
    /// Seconds.
    jitter: i64,
}

impl<'a> Shift<'a> {
    /// `None`: the account leaves times as they are.
    pub(super) fn of(calendar: &'a CalendarName, account: &'a Account) -> Option<Self> {
        let blackout = Blackout::of(account);
        let jitter = account.jitter.map_or(0, |jitter| i64::try_from(jitter.as_secs()).unwrap_or(0));
        (blackout.is_some() || jitter > 0).then_some(Self { calendar, account: &account.name, blackout, jitter })
    }

    /// The blackout hours.
    pub(super) fn blackout(&self) -> Option<&Blackout> {
        self.blackout.as_ref()
    }

    /// The first instant from `due` on that is outside of the blackout hours.
    pub(super) fn light(&self, due: DateTime<Utc>) -> DateTime<Utc> {
        self.blackout.as_ref().map_or(due, |blackout| blackout.end(due))
    }

    /// `due`, which is outside of the blackout hours, with the jitter of this occurrence: never past its grace, into the
    /// next blackout hours, or onto `next`, the time that follows.
    pub(super) fn jittered(
        &self,
        occurrence: &OccurrenceName,
        late: Late,
        due: DateTime<Utc>,
        next: impl FnOnce() -> Option<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        if self.jitter == 0 {
            return due;
        }
        let before = |end: DateTime<Utc>| (end - due).num_seconds().saturating_sub(1);
        let grace = i64::try_from(late.grace_seconds).unwrap_or(i64::MAX);
        let mut most = self.jitter.min(grace);
        if let Some(blackout) = &self.blackout {
            most = most.min(before(blackout.start(due)));
        }
        if let Some(next) = next() {
            most = most.min(before(next));
        }
        let Ok(most) = u64::try_from(most) else { return due };
        let bytes = DeliveryId::derive(self.calendar, occurrence, self.account).derive_bytes("jitter", 0, 0);
        let drawn = u64::from_be_bytes(bytes[..8].try_into().unwrap_or_default()) % most.saturating_add(1);
        let later = i64::try_from(drawn).ok().and_then(TimeDelta::try_seconds);
        later.and_then(|later| due.checked_add_signed(later)).unwrap_or(due)
    }
}

/// Why a delivery is due at the end of blackout hours: `asked` was inside, `end` is their end.
pub(super) fn reason(zone: &Zone, account: &AccountName, asked: DateTime<Utc>, end: DateTime<Utc>) -> Reason {
    let shown = |at: DateTime<Utc>| zone.civil(at).format("%a %Y-%m-%d %H:%M");
    Reason::new(
        ReasonCode::Blackout,
        format!("moved from {} to {} by the blackout hours of {account}", shown(asked), shown(end)),
    )
}

/// When a post that is asked for at `asked` may be due for an account: at the end of its blackout hours where it is
/// within them, with why.
pub fn due_for(
    calendar: &Calendar,
    account: &Account,
    occurrence: &OccurrenceName,
    late: Late,
    asked: DateTime<Utc>,
) -> (DateTime<Utc>, Option<Reason>) {
    let Some(shift) = Shift::of(&calendar.name, account) else { return (asked, None) };
    let end = shift.light(asked);
    let due = shift.jittered(occurrence, late, end, || None);
    (due, (end > asked).then(|| reason(&calendar.zone, &account.name, asked, end)))
}
