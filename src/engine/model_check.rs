//! The core against a truthful server that loses, drops and refuses: whatever happens, no part is out twice and every
//! state is true.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::core::{Input, Next, open_part, step};
use super::samples::*;
use crate::adapter::{Fault, Refusal, RepeatSafety, Verdict};
use crate::model::{Delivery, State};

/// What a server does with one call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    KeptAndLost,
    DroppedAndLost,
    NotSent,
    Refused(Refusal),
    Killed { kept: bool },
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Answered),
        3 => Just(Fate::KeptAndLost),
        3 => Just(Fate::DroppedAndLost),
        1 => Just(Fate::NotSent),
        1 => prop_oneof![
            Just(Refusal::Busy), Just(Refusal::Invalid), Just(Refusal::RateLimited), Just(Refusal::Credentials)
        ].prop_map(Fate::Refused),
        1 => any::<bool>().prop_map(|kept| Fate::Killed { kept }),
    ];
    prop::collection::vec(fate, 0..12)
}

fn classes() -> impl Strategy<Value = RepeatSafety> {
    prop_oneof![
        Just(RepeatSafety::ContentAddressed),
        Just(RepeatSafety::ChosenId),
        Just(WINDOW),
        Just(RepeatSafety::Key { window_seconds: 100 }),
        Just(RepeatSafety::TwoStep),
        Just(RepeatSafety::LookUp),
        Just(RepeatSafety::None),
    ]
}

/// A server that keeps the parts that reached it: by their key only where its class promises that.
struct Server {
    class: RepeatSafety,
    kept: Vec<(String, DateTime<Utc>)>,
}

impl Server {
    fn keep(&mut self, key: &str, now: DateTime<Utc>) {
        let known = |window: Option<TimeDelta>| {
            self.kept.iter().any(|(kept, at)| kept == key && window.is_none_or(|window| now < *at + window))
        };
        let deduplicated = match self.class {
            RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => known(None),
            RepeatSafety::Key { window_seconds } => {
                known(Some(TimeDelta::seconds(i64::try_from(window_seconds).expect("small"))))
            }
            _ => false,
        };
        if !deduplicated {
            self.kept.push((key.to_owned(), now));
        }
    }

    fn count(&self, key: &str) -> usize {
        self.kept.iter().filter(|(kept, _)| kept == key).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever a truthful server and the process's death do: no part is out twice, and every state is true.
    #[test]
    fn never_twice_and_never_a_lie(class in classes(), fates in fates(), parts in 1_u16..4) {
        let rules = rules(class);
        let mut server = Server { class, kept: Vec::new() };
        let mut fates = fates.into_iter();
        let mut now = start();
        let mut row = planned();
        for _ in 0..200 {
            now = now.max(row.ready_at());
            row = match row.state {
                State::Planned => Delivery { state: State::Claimed, owner: Some("me".into()), ..row },
                State::Claimed => step(&row, &intent(&row, parts), &rules, now).0,
                State::Sending => {
                    let key = row.intent.as_ref().expect("an intent").frozen.key.clone();
                    let part = open_part(&row);
                    let fate = fates.next().unwrap_or(Fate::Answered);
                    if matches!(fate, Fate::Answered | Fate::KeptAndLost | Fate::Killed { kept: true }) {
                        server.keep(&key, now);
                    }
                    let input = match fate {
                        Fate::Answered => Input::Answered(receipt(part)),
                        Fate::KeptAndLost | Fate::DroppedAndLost => Input::Faulted(Fault::Unknown("lost".into())),
                        Fate::NotSent => Input::Faulted(Fault::NotSent("refused".into())),
                        Fate::Refused(refusal) => said(refusal),
                        Fate::Killed { .. } => Input::OwnerLost,
                    };
                    step(&row, &input, &rules, now).0
                }
                State::Unknown => {
                    let Some(at) = next_look(&row) else { break };
                    now = now.max(at);
                    let part = open_part(&row);
                    let there = server.count(&row.intent.as_ref().expect("an intent").frozen.key) > 0;
                    let verdict = if there { Verdict::Done(receipt(part)) } else { Verdict::NotDone };
                    let (row, _, next) = step(&row, &Input::Looked(verdict), &rules, now);
                    if next == Next::Repeat { step(&row, &repeat(), &rules, now).0 } else { row }
                }
                _ => break,
            };
        }
        for part in 0..parts {
            let count = server.count(&format!("key-{part}"));
            prop_assert!(count <= 1, "part {part} is out {count} times");
            let known = row.receipts.iter().any(|receipt| receipt.part == part);
            let open = row.intent.as_ref().is_some_and(|intent| intent.frozen.part == part);
            prop_assert!(known == (count == 1) || open, "part {part}: the ledger says {known}, the server has {count}");
        }
        prop_assert!(!matches!(row.state, State::Planned | State::Claimed | State::Sending), "{:?}", row.state);
        if row.state == State::Published {
            prop_assert_eq!(row.receipts.len(), usize::from(parts));
        }
    }
}
