//! A snapshot to show.

use chrono::{DateTime, TimeDelta};

use crate::engine::{Holdings, Lateness, Readiness, Snapshot};
use crate::ledger::Tally;
use crate::model::{AccountName, State};

/// Two accounts; one has published two posts, one of them late.
pub(super) fn snapshot() -> Snapshot {
    let since = DateTime::from_timestamp(1_764_579_600, 0).expect("a time");
    let fedi = (AccountName::new("fedi"), "other".to_owned());
    let tally = |state, count| Tally {
        account: fedi.0.clone(),
        network: fedi.1.clone(),
        state,
        count,
        ready: since + TimeDelta::milliseconds(60_500),
    };
    let mut late = Lateness { sum: 700_000.5, ..Lateness::default() };
    late.counts[3] = 1;
    late.counts[11] = 1;
    Snapshot {
        readiness: Readiness { trouble: None, turned: Some(since) },
        since,
        accounts: vec![(AccountName::new("bsky"), "some".to_owned()), fedi.clone()],
        late: [(fedi.clone(), late)].into(),
        tokens: vec![((AccountName::new("bsky"), "some".to_owned()), TimeDelta::milliseconds(90_500))],
        ledger: Some(Holdings { deliveries: vec![tally(State::Planned, 4), tally(State::Failed, 3)], untold: 2 }),
    }
}
