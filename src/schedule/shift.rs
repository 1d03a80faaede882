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

#[cfg(test)]
mod tests {
    use super::super::tests::{World, cron, late, once, utc};
    use super::*;
    use crate::model::{LateThen, State};
    use crate::time::parse_hours;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Gives account `a` hours in UTC.
    fn dark(world: &mut World, hours: &str) {
        let account = world.calendar.accounts.get_mut(&AccountName::new("a")).unwrap();
        account.blackout =
            crate::time::merge_hours(hours.split(';').flat_map(|one| parse_hours(one).unwrap()).collect());
        account.timezone = Some("UTC".to_owned());
    }

    fn jitter(world: &mut World, minutes: u64) {
        let account = world.calendar.accounts.get_mut(&AccountName::new("a")).unwrap();
        account.jitter = Some(Duration::from_mins(minutes));
    }

    #[test]
    fn a_time_in_blackout_hours_is_moved_to_their_end() {
        let mut world = World::known(
            "2026-11-01T00:00:00Z",
            vec![once("p", "2026-12-01T23:30:00"), once("q", "2026-12-01T21:59:00")],
        );
        dark(&mut world, "22:00-07:00");
        assert_eq!(world.run(), ["added p/a 02 07:00 planned Blackout", "added q/a 01 21:59 planned"]);
        let row = world.row("p");
        assert_eq!(row.civil, utc("2026-12-01T23:30:00Z").naive_utc(), "its nominal time stays");
        assert_eq!(
            row.reason.as_ref().unwrap().message,
            "moved from Tue 2026-12-01 23:30 to Wed 2026-12-02 07:00 by the blackout hours of a"
        );
        // Other hours move what is planned, and none move it back.
        dark(&mut world, "23:00-08:00");
        assert_eq!(world.run(), ["moved p/a 02 08:00 planned Blackout"]);
        dark(&mut world, "mon 00:00-00:01");
        assert_eq!(world.run(), ["moved p/a 01 23:30 planned"]);
        // Out of the hours, and then into the past: a person is asked.
        dark(&mut world, "22:00-07:00");
        world.run();
        world.calendar.accounts.get_mut(&AccountName::new("a")).unwrap().blackout.clear();
        assert_eq!(world.at("2026-12-02T03:00:00Z"), ["held p/a 01 23:30 held Late", "held q/a 01 21:59 held Late"]);
    }

    #[test]
    fn blackout_hours_are_no_lateness() {
        let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T21:50:00")]);
        dark(&mut world, "22:00-07:00");
        world.run();
        for quiet in ["2026-12-01T21:59:59Z", "2026-12-01T22:00:00Z", "2026-12-02T06:59:59Z", "2026-12-02T07:05:00Z"] {
            assert_eq!(world.at(quiet), [""; 0], "{quiet}: ten minutes of its grace were used up by 22:00");
        }
        assert_eq!(world.at("2026-12-02T07:05:01Z"), ["held p/a 01 21:50 held Late"]);
        // It is looked at again just then.
        let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T21:50:00")]);
        dark(&mut world, "22:00-07:00");
        let ids = [crate::model::PostId::new("p")];
        let again = super::super::schedule(
            &world.calendar,
            &ids,
            &crate::model::Standings::default(),
            &world.record,
            world.now,
        )
        .again;
        assert_eq!(again, Some(utc("2026-12-02T07:05:01Z")));
        // A time within counts from the end of the hours.
        let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T23:00:00")]);
        dark(&mut world, "22:00-07:00");
        world.run();
        assert_eq!(world.at("2026-12-02T07:15:00Z"), [""; 0]);
        assert_eq!(world.at("2026-12-02T07:15:01Z"), ["held p/a 02 07:00 held Late"]);
    }

    #[test]
    fn what_the_engine_put_off_follows_the_setting() {
        let mut world = World::known("2026-12-01T00:00:00Z", vec![once("p", "2026-12-01T21:55:00")]);
        world.run();
        dark(&mut world, "22:00-07:00");
        world.now = utc("2026-12-01T22:01:00Z");
        world.row("p").not_before = Some(utc("2026-12-02T07:00:00Z"));
        world.row("p").reason = Some(Reason::new(ReasonCode::Blackout, "the blackout hours of a last until then"));
        assert_eq!(world.run(), [""; 0]);
        dark(&mut world, "22:00-22:05");
        assert_eq!(world.run(), ["edited p/a 01 21:55 planned"]);
        assert_eq!(world.row("p").not_before, None);
    }

    #[test]
    fn of_a_series_one_time_goes_out_for_all_in_the_same_hours() {
        let mut world = World::known("2026-12-01T20:30:00Z", vec![cron("s", "0 * * * *")]);
        dark(&mut world, "22:00-06:30");
        assert_eq!(world.run(), ["added s@2026-12-01T21:00:00/a 01 21:00 planned"]);
        world.state("s@2026-12-01T21:00:00", State::Published);
        assert_eq!(world.at("2026-12-01T21:00:01Z"), ["added s@2026-12-02T06:00:00/a 02 06:30 planned Blackout"]);
        for now in ["2026-12-01T22:00:01Z", "2026-12-02T03:00:00Z", "2026-12-02T06:29:59Z"] {
            assert_eq!(world.at(now), [""; 0], "{now}");
        }
        assert_eq!(world.at("2026-12-02T06:30:01Z"), ["added s@2026-12-02T07:00:00/a 02 07:00 planned"]);
        // One at their very end serves for all of them.
        let mut world = World::known("2026-12-01T21:30:00Z", vec![cron("s", "0 * * * *")]);
        dark(&mut world, "22:00-07:00");
        assert_eq!(world.run(), ["added s@2026-12-02T07:00:00/a 02 07:00 planned"]);
    }

    #[test]
    fn accounts_of_one_series_have_their_own_times() {
        let mut both = cron("s", "0 23 * * *");
        both.to.push(AccountName::new("b"));
        let mut world = World::known("2026-12-01T20:00:00Z", vec![both]);
        dark(&mut world, "22:00-07:00");
        assert_eq!(
            world.run(),
            [
                "added s@2026-12-01T23:00:00/a 02 07:00 planned Blackout",
                "added s@2026-12-01T23:00:00/b 01 23:00 planned"
            ]
        );
        let out = |world: &mut World, occurrence: &str, account: &str| {
            let row = world
                .rows
                .iter_mut()
                .find(|row| row.occurrence.as_str() == occurrence && row.account.as_str() == account);
            row.unwrap().state = State::Published;
        };
        out(&mut world, "s@2026-12-01T23:00:00", "b");
        let next = ["added s@2026-12-02T23:00:00/b 02 23:00 planned"];
        assert_eq!(world.at("2026-12-01T23:00:01Z"), next, "the one of the night is still ahead of the other");
        let next = ["added s@2026-12-02T23:00:00/a 03 07:00 planned Blackout"];
        assert_eq!(world.at("2026-12-02T07:00:00Z"), next);
        out(&mut world, "s@2026-12-01T23:00:00", "a");
        // Down for days: one catches up, each at its own time.
        let after = world.at("2026-12-05T12:00:00Z");
        let planned: Vec<&String> = after.iter().filter(|line| line.contains("planned")).collect();
        assert_eq!(
            planned,
            [
                "added s@2026-12-05T23:00:00/a 06 07:00 planned Blackout",
                "added s@2026-12-05T23:00:00/b 05 23:00 planned"
            ]
        );
        assert_eq!(after.iter().filter(|line| line.contains("held")).count(), 2, "{after:?}");
    }

    #[test]
    fn long_downtime_in_a_dark_series_is_bounded_work() {
        let mut world = World::known("2020-01-01T12:00:00Z", vec![cron("s", "* * * * * *")]);
        world.calendar.posts[0].late = late(LateThen::Skip);
        dark(&mut world, "fri 18:00-mon 08:00");
        world.run();
        // In the middle of a weekend of 223,200 seconds.
        assert!(world.at("2026-12-05T12:00:00Z").len() < 60);
        assert_eq!(world.row("s@2026-12-07T08:00:00").due, utc("2026-12-07T08:00:00Z"));
    }

    #[test]
    fn jitter_is_the_same_every_time_and_bounded() {
        let posts: Vec<_> = (0..200).map(|n| once(&format!("p{n}"), "2026-12-01T09:00:00")).collect();
        let mut world = World::known("2026-11-01T00:00:00Z", posts);
        jitter(&mut world, 5);
        world.run();
        let later: Vec<i64> =
            world.rows.iter().map(|row| (row.due - utc("2026-12-01T09:00:00Z")).num_seconds()).collect();
        assert!(later.iter().all(|later| (0..=300).contains(later)), "never early, never more than it says");
        assert!(later.iter().any(|later| *later < 30) && later.iter().any(|later| *later > 270), "all of it is used");
        let mut other = World::known("2026-11-15T00:00:00Z", world.calendar.posts.clone());
        jitter(&mut other, 5);
        other.run();
        assert_eq!(
            other.rows.iter().map(|row| row.due).collect::<Vec<_>>(),
            world.rows.iter().map(|row| row.due).collect::<Vec<_>>(),
            "another daemon, another day: the same"
        );
        // Not past the grace.
        let mut short = World::known("2026-11-01T00:00:00Z", world.calendar.posts.clone());
        jitter(&mut short, 60);
        short.run();
        assert!(short.rows.iter().all(|row| row.due <= utc("2026-12-01T09:15:00Z")));
        // Not into blackout hours, and from their end on.
        dark(&mut short, "09:02-10:00");
        short.run();
        assert!(short.rows.iter().all(|row| row.due < utc("2026-12-01T09:02:00Z")));
        dark(&mut short, "08:00-10:00");
        short.run();
        assert!(
            short
                .rows
                .iter()
                .all(|row| { row.due >= utc("2026-12-01T10:00:00Z") && row.due <= utc("2026-12-01T10:15:00Z") })
        );
    }

    #[test]
    fn jitter_never_reaches_the_next_time() {
        let mut world = World::known("2026-12-01T00:00:00Z", vec![cron("s", "* * * * *")]);
        jitter(&mut world, 10);
        let mut last = world.now;
        for _ in 0..300 {
            world.run();
            let row = world.rows.iter().find(|row| row.state == State::Planned).unwrap().clone();
            let asked = row.civil.and_utc();
            assert!(row.due > last && row.due >= asked && row.due < asked + TimeDelta::minutes(1), "{row:?}");
            (last, world.now) = (row.due, row.due);
            world.state(row.occurrence.as_str(), State::Published);
        }
    }

    proptest! {
        /// Whatever the rule, the zone, the hours and the jitter: in the light, never early, each later than the last, and
        /// what is left out lies in hours that another time stands for.
        #[test]
        fn a_shifted_series_is_never_early_never_dark_and_only_rises(
            rule in prop::sample::select(vec!["0 * * * *", "30 2 * * *", "*/20 * * * *", "0 23 * * *", "15 0,12 * * mon-fri"]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut", "America/New_York"]),
            hours in prop::sample::select(vec!["22:00-07:00", "sat-sun", "fri 18:00-mon 08:00", "02:00-03:00", "00:00-23:50"]),
            jitter in prop::sample::select(vec![0_u64, 3, 60]),
            days in 0_i64..365,
        ) {
            use super::super::occurrence::Series;
            let mut world = World::known("2026-01-01T00:00:00Z", vec![cron("s", rule)]);
            dark(&mut world, hours);
            world.calendar.zone = Zone::parse(zone).unwrap();
            let account = world.calendar.accounts.get_mut(&AccountName::new("a")).unwrap();
            account.jitter = (jitter > 0).then(|| Duration::from_mins(jitter));
            account.timezone = Some(zone.to_owned());
            let account = &world.calendar.accounts[&AccountName::new("a")];
            let blackout = Blackout::of(account).unwrap();
            let plain = Series::new(&world.calendar.posts[0], &world.calendar.zone).unwrap();
            let series = plain.shifted(Shift::of(&world.calendar.name, account));
            let start = utc("2026-01-01T00:00:00Z").naive_utc() + TimeDelta::days(days);
            let (mut after, mut last) = (start, DateTime::<Utc>::MIN_UTC);
            for _ in 0..25 {
                let found = series.next_after(after).unwrap();
                let asked = plain.at(found.nominal).due;
                prop_assert!(found.due >= asked, "never early: {:?}", found);
                prop_assert!(found.due > last && found.nominal > after, "rises: {:?}", found);
                prop_assert!(!blackout.covers(found.due), "in the light: {:?}", found);
                let most = blackout.end(asked) + TimeDelta::minutes(15);
                prop_assert!(found.due <= most, "no later than its grace: {:?}", found);
                // What it stands for beside its own was dark, all of it up to here.
                let mut left_out = plain.next_after(after).unwrap();
                while left_out.nominal < found.nominal {
                    prop_assert!(blackout.covers(left_out.due), "{:?} is lost", left_out);
                    prop_assert!(blackout.end(left_out.due) >= asked, "{:?} is lost", left_out);
                    left_out = plain.next_after(left_out.nominal).unwrap();
                }
                (after, last) = (found.nominal, found.due);
            }
        }
    }
}
