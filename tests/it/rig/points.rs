//! Killed at each fail point, over the ledger in a file.

use smm::trial::POINTS;

use crate::points::{CASES, killed};
use crate::stand::{Kind, Stand};

/// One test for each point, and one that holds them to the shared table.
macro_rules! points {
    ($($name:ident $point:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                killed_at($point);
            }
        )+

        #[test]
        fn every_point_has_its_test() {
            assert_eq!([$($point),+][..], POINTS[..], "each fail point has a test here, in the order of the list");
        }
    };
}

points! {
    claim "claim",
    claimed "claimed",
    prepared "prepared",
    intent "intent",
    intent_written "intent-written",
    send "send",
    answered "answered",
    evidence_written "evidence-written",
    recorded "recorded",
    look "look",
    looked "looked",
    repeat_written "repeat-written",
    apply "apply",
    applied "applied",
}

fn killed_at(point: &str) {
    let case = CASES.iter().find(|case| case.point == point).expect("it is in the table");
    // Each kind on a thread of its own: most of the time is waiting.
    std::thread::scope(|scope| {
        let runs = Kind::ALL.map(|kind| (kind, scope.spawn(move || killed(case, kind, Stand::new(&[kind])))));
        for (kind, run) in runs {
            assert!(run.join().is_ok(), "killed at {point}, on {kind:?}");
        }
    });
}

#[test]
fn every_point_is_killed_at_over_both_ledgers() {
    let table: Vec<&str> = CASES.iter().map(|case| case.point).collect();
    assert_eq!(table, POINTS, "the table is the program's list");
    for case in CASES {
        let never = case.never_shared;
        assert!(never.len() < Kind::ALL.len(), "{}: nothing comes there over a shared ledger", case.point);
        assert!(never.iter().all(|(_, why)| why.len() > 40), "{}: why not is told", case.point);
        assert!(case.kills.iter().any(|(at, _)| *at == case.point), "{}: nothing is killed there", case.point);
    }
}
