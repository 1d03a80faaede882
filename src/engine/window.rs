//! How long a network surely remembers a key, by a clock that nobody sets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Engine;
use crate::adapter::RepeatSafety;
use crate::model::{Delivery, DeliveryId, State};

/// When the intents were written that this process has under way or in doubt: as the row says, and by
/// [`Clock::elapsed`](crate::time::Clock::elapsed) before that.
#[derive(Debug, Default)]
pub(super) struct Begun(Mutex<HashMap<DeliveryId, (DateTime<Utc>, Duration)>>);

impl Begun {
    fn with<T>(&self, of: impl FnOnce(&mut HashMap<DeliveryId, (DateTime<Utc>, Duration)>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An intent is written; `elapsed`: from before it.
    pub(super) fn keep(&self, row: &Delivery, elapsed: Duration) {
        if let Some(intent) = &row.intent {
            self.with(|begun| begun.insert(row.id, (intent.first_at, elapsed)));
        }
    }

    /// Forgets it, unless it is in doubt.
    pub(super) fn left(&self, row: &Delivery) {
        if row.state != State::Unknown {
            self.with(|begun| begun.remove(&row.id));
        }
    }

    /// How long ago its intent was written, where this process has written it.
    fn age(&self, row: &Delivery, elapsed: Duration) -> Option<Duration> {
        let first_at = row.intent.as_ref()?.first_at;
        let (at, then) = self.with(|begun| begun.get(&row.id).copied())?;
        (at == first_at).then(|| elapsed.saturating_sub(then))
    }
}

impl Engine {
    /// The class of a row, where the time that has passed counts against a key's window whatever the clock shows: one that
    /// was set back would make the key look younger than it is.
    pub(super) fn aged(&self, row: &Delivery, class: RepeatSafety) -> RepeatSafety {
        let RepeatSafety::Key { window_seconds } = class else { return class };
        let age = self.begun.age(row, self.clock.elapsed()).unwrap_or_default();
        if age >= Duration::from_secs(window_seconds / 10 * 9) {
            RepeatSafety::Key { window_seconds: 0 }
        } else {
            class
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::{Input, Next, may_repeat, step};
    use super::super::samples::{WINDOW, after, lost, rules, sending};
    use super::*;
    use crate::adapter::Verdict;

    #[test]
    fn only_the_intent_that_it_knows_has_an_age() {
        let (begun, row) = (Begun::default(), sending(1, &rules(WINDOW)));
        let at = Duration::from_secs;
        assert_eq!(begun.age(&row, at(50)), None);
        begun.keep(&row, at(10));
        assert_eq!(begun.age(&row, at(50)), Some(at(40)));
        let mut other = row.clone();
        other.intent.as_mut().expect("an intent").first_at = after(7);
        assert_eq!(begun.age(&other, at(50)), None, "its next part's");
        let unknown = lost(&rules(WINDOW));
        begun.left(&unknown);
        assert_eq!(begun.age(&unknown, at(50)), Some(at(40)), "in doubt");
        begun.left(&Delivery { state: State::Published, ..row.clone() });
        assert_eq!(begun.age(&row, at(50)), None);
    }

    /// An aged key is looked up twice, as where there is none.
    #[test]
    fn a_key_that_is_too_old_is_none() {
        let old = rules(RepeatSafety::Key { window_seconds: 0 });
        let row = lost(&old);
        let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &old, after(121));
        assert_eq!(next, Next::Look(Some(after(241))));
        assert!(!may_repeat(&row, &old, after(121)));
        assert!(may_repeat(&row, &rules(WINDOW), after(121)), "by the clock it would do");
        assert_eq!(step(&row, &Input::Looked(Verdict::NotDone), &old, after(241)).2, Next::Repeat);
    }
}
