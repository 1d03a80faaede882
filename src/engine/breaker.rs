//! A circuit breaker: when an account's network does not answer several times in a row, it is left alone for a while. Pure:
//! from what there is and what has happened to what there is then, and what to do.
//!
//! There is one for each account, and an account is on one host: two accounts on a host that is down each find it out by
//! themselves. It opens after [`STRIKES`] outcomes in a row that were lost, ambiguous or a "come later" without a time.
//! While it is open nothing is claimed for the account. Then one *read* is tried, who-am-I through a fresh link: a post is
//! never what tries whether a network is back. When the read works, posts go out again; the first that is lost opens it
//! once more, for longer, and the first that is answered closes it for good.

use chrono::{DateTime, TimeDelta, Utc};

/// Lost outcomes in a row that open it.
pub(super) const STRIKES: u32 = 5;

/// No wait is longer.
const CAP: TimeDelta = TimeDelta::minutes(15);

/// The breaker of one account. The default is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// Lost outcomes in a row.
    strikes: u32,
    /// How often it has opened since the last post that was answered.
    times: u32,
    /// Since when nothing was answered.
    since: Option<DateTime<Utc>>,
    /// Nothing is claimed before this, and then a read is tried.
    open: Option<DateTime<Utc>>,
}

/// What has come of asking the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No answer, or one that says nothing.
    Lost,
    /// A read was answered.
    Read,
    /// A call that changes something was answered, be it with a no.
    Answered,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// Nothing is claimed until then, and then only a read is tried.
    Open {
        /// Until when.
        until: DateTime<Utc>,
        /// Since when nothing was answered.
        since: DateTime<Utc>,
        /// It is the first time: somebody has to be told.
        first: bool,
    },
    /// The account is served again.
    Close {
        /// Until when it would have been open.
        until: DateTime<Utc>,
    },
}

impl Breaker {
    /// One that an earlier process has left open until then.
    pub(super) fn left_open(until: DateTime<Utc>) -> Self {
        Self { strikes: STRIKES, times: 1, since: Some(until), open: Some(until) }
    }

    /// Whether only a read may be tried.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The next state. `base`: the first step of the back-off; `share` of the longest wait, from 0 to 1, is what is waited.
    pub(super) fn step(&self, outcome: Outcome, base: TimeDelta, share: f64, now: DateTime<Utc>) -> (Self, Then) {
        match (outcome, self.open) {
            // One more look that was under way says nothing new.
            (Outcome::Lost, Some(until)) if now < until => (self.clone(), Then::Nothing),
            (Outcome::Lost, _) => {
                let strikes = self.strikes.saturating_add(1);
                let since = self.since.unwrap_or(now);
                if strikes < STRIKES && self.open.is_none() {
                    return (Self { strikes, since: Some(since), ..self.clone() }, Then::Nothing);
                }
                let times = self.times.saturating_add(1);
                let until = now + wait(times, base, share);
                let next = Self { strikes, times, since: Some(since), open: Some(until) };
                (next, Then::Open { until, since, first: self.times == 0 })
            }
            (Outcome::Read, Some(until)) => {
                (Self { strikes: STRIKES - 1, open: None, ..self.clone() }, Then::Close { until })
            }
            (Outcome::Read, None) => (self.clone(), Then::Nothing),
            (Outcome::Answered, Some(until)) => (Self::default(), Then::Close { until }),
            (Outcome::Answered, None) => (Self::default(), Then::Nothing),
        }
    }
}

/// Full jitter: anything up to the doubled step, but never less than a tenth of the first. It begins at four times the
/// back-off's first step: so many attempts have failed before.
fn wait(times: u32, base: TimeDelta, share: f64) -> TimeDelta {
    let doubled = base.checked_mul(2 << times.min(20)).unwrap_or(CAP).min(CAP);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "at most 15 minutes of milliseconds"
    )]
    let jittered = TimeDelta::milliseconds((doubled.num_milliseconds() as f64 * share.clamp(0.0, 1.0)) as i64);
    jittered.max(base / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: TimeDelta = TimeDelta::seconds(5);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a time")
    }

    /// A breaker after these outcomes, a second apart, with what the last one led to.
    fn after(outcomes: &[Outcome]) -> (Breaker, Then) {
        let mut state = (Breaker::default(), Then::Nothing);
        for (second, outcome) in (0..).zip(outcomes) {
            state = state.0.step(*outcome, BASE, 1.0, at(second));
        }
        state
    }

    #[test]
    fn it_opens_after_five_in_a_row() {
        use Outcome::{Answered, Lost, Read};
        assert_eq!(after(&[Lost; 4]).1, Then::Nothing);
        assert_eq!(after(&[Lost, Lost, Lost, Lost, Answered, Lost, Lost, Lost, Lost]).1, Then::Nothing);
        let opened = Then::Open { until: at(4 + 20), since: at(0), first: true };
        assert_eq!(after(&[Lost; 5]).1, opened);
        // A read that works says nothing of posts that are lost.
        assert_eq!(
            after(&[Lost, Lost, Lost, Read, Lost, Lost]).1,
            Then::Open { until: at(25), since: at(0), first: true }
        );
    }

    #[test]
    fn it_waits_longer_each_time_up_to_a_quarter_of_an_hour() {
        let (mut breaker, mut then) = after(&[Outcome::Lost; 5]);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let Then::Open { until, .. } = then else { panic!("it stays open: {then:?}") };
            let early = breaker.step(Outcome::Lost, BASE, 1.0, until - TimeDelta::seconds(1));
            assert_eq!(early, (breaker.clone(), Then::Nothing), "a look that ends while it is open");
            (breaker, then) = breaker.step(Outcome::Lost, BASE, 1.0, until);
            let Then::Open { until: next, first, since } = then else { panic!("it stays open: {then:?}") };
            assert!(!first && since == at(0), "told once");
            waits.push((next - until).num_seconds());
        }
        assert_eq!(waits, [40, 80, 160, 320, 640, 900]);
        assert_eq!(wait(1, BASE, 0.0), TimeDelta::milliseconds(500), "never at once");
        assert_eq!(wait(u32::MAX, BASE, 0.5), TimeDelta::seconds(450));
    }

    #[test]
    fn a_read_lets_posts_through_and_an_answer_closes_it() {
        let (open, _) = after(&[Outcome::Lost; 5]);
        let (half, then) = open.step(Outcome::Read, BASE, 1.0, at(24));
        assert_eq!(then, Then::Close { until: at(24) });
        assert!(!half.is_open());
        let (again, then) = half.step(Outcome::Lost, BASE, 1.0, at(25));
        assert_eq!(then, Then::Open { until: at(25 + 40), since: at(0), first: false }, "one is enough then");
        assert!(again.is_open());
        let (closed, _) = half.step(Outcome::Answered, BASE, 1.0, at(25));
        assert_eq!(closed, Breaker::default());
    }
}
