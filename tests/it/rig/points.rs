//! Killed at each fail point, on every kind of network: each post is out at most once, none is lost, and what the ledger
//! says is true.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use smm::model::State;
use smm::trial::POINTS;

use crate::process::ends;
use crate::stand::{Kind, Planned, Stand, brief};

/// A run is killed at this point, when it is there for the nth time.
type Kill = (&'static str, u32);

/// One test for each point, with the kills that it takes, run after run; and one that holds the list to the program's own.
macro_rules! points {
    ($($name:ident $point:literal $kills:expr),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                killed_at($point, &$kills);
            }
        )+

        #[test]
        fn every_point_has_its_test() {
            assert_eq!([$($point),+][..], POINTS[..], "each fail point has a test here, in the order of the list");
        }
    };
}

points! {
    claim "claim" [("claim", 1), ("claim", 2)],
    claimed "claimed" [("claimed", 1), ("claimed", 2)],
    prepared "prepared" [("prepared", 1)],
    intent "intent" [("intent", 1), ("intent", 3)],
    intent_written "intent-written" [("intent-written", 1), ("intent-written", 2), ("intent-written", 3)],
    send "send" [("send", 1), ("send", 2), ("send", 3)],
    answered "answered" [("answered", 1), ("answered", 2), ("answered", 3)],
    evidence_written "evidence-written" [("evidence-written", 1), ("evidence-written", 2)],
    recorded "recorded" [("recorded", 1), ("recorded", 2), ("recorded", 3)],
    look "look" [("send", 1), ("look", 1), ("look", 1)],
    looked "looked" [("answered", 1), ("looked", 1), ("looked", 1)],
    repeat_written "repeat-written" [("intent-written", 1), ("repeat-written", 1)],
    apply "apply" [("apply", 1)],
    applied "applied" [("applied", 1)],
}

fn killed_at(point: &str, kills: &[Kill]) {
    // Each kind on a thread of its own: most of the time is waiting.
    std::thread::scope(|scope| {
        let runs: Vec<_> = Kind::ALL.into_iter().map(|kind| (kind, scope.spawn(move || run(kind, kills)))).collect();
        for (kind, run) in runs {
            assert!(run.join().is_ok(), "killed at {point}, on {kind:?}");
        }
    });
}

fn run(kind: Kind, kills: &[Kill]) {
    let mut stand = Stand::new(&[kind]);
    let now = Utc::now();
    stand.calendar(vec![
        Planned::new("first", now).picture(),
        Planned::new("story", now + TimeDelta::milliseconds(1)).parts(6),
        Planned::new("last", now + TimeDelta::milliseconds(2)),
    ]);
    for (point, times) in kills {
        let mut daemon = stand.daemon_until(&format!("{point}:{times}:kill"));
        let status = ends(&mut daemon.child, Duration::from_secs(30));
        assert_eq!(
            status.signal(),
            Some(9),
            "at {point} for the {times}. time, it ended by {status}: {:?}",
            daemon.said()
        );
        if stand.env.path().join("state/smm/ledger.db").exists() {
            // What is out is known, or it is open: never denied.
            let rows = stand.rows();
            if !rows.is_empty() {
                stand.check(&rows);
            }
        }
    }
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_mins(1));
    daemon.stops();
    stand.check(&rows);
    for row in &rows {
        // Twice sent, twice killed, twice looked for in vain: where a third time could be a second post, a person decides.
        let for_a_person = matches!(kind, Kind::Key | Kind::LookUp)
            && row.unknown.as_ref().is_some_and(|unknown| unknown.repeated && unknown.looks >= 2);
        assert!(row.state == State::Published || for_a_person, "{:#?}", brief(&rows));
    }
}
