//! Killed at each fail point, on every kind of network, over any ledger: each post is out at most once, none is lost, and
//! what the ledger says is true.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use smm::model::State;

use crate::process::ends;
use crate::stand::{Kind, Planned, Stand, brief};

/// A point, and the kills that it takes, run after run: where, and when it is there for the nth time.
#[derive(Debug)]
pub(crate) struct Case {
    pub point: &'static str,
    pub kills: &'static [(&'static str, u32)],
    /// What cannot come to this point over a shared ledger, and why.
    pub never_shared: &'static [(Kind, &'static str)],
}

const fn case(point: &'static str, kills: &'static [(&'static str, u32)]) -> Case {
    Case { point, kills, never_shared: &[] }
}

/// Why nothing is repeated there for who is not told what the client chose.
const NOT_WITNESSED: &str = "without a lock nobody can say that the sender is dead, so an empty look proves nothing";

/// Each fail point of the program, in the order of its list.
pub(crate) const CASES: &[Case] = &[
    case("claim", &[("claim", 1), ("claim", 2)]),
    case("claimed", &[("claimed", 1), ("claimed", 2)]),
    case("prepared", &[("prepared", 1)]),
    case("intent", &[("intent", 1), ("intent", 3)]),
    case("intent-written", &[("intent-written", 1), ("intent-written", 2), ("intent-written", 3)]),
    case("send", &[("send", 1), ("send", 2), ("send", 3)]),
    case("answered", &[("answered", 1), ("answered", 2), ("answered", 3)]),
    case("evidence-written", &[("evidence-written", 1), ("evidence-written", 2)]),
    case("recorded", &[("recorded", 1), ("recorded", 2), ("recorded", 3)]),
    case("look", &[("send", 1), ("look", 1), ("look", 1)]),
    case("looked", &[("answered", 1), ("looked", 1), ("looked", 1)]),
    Case {
        point: "repeat-written",
        kills: &[("intent-written", 1), ("repeat-written", 1)],
        never_shared: &[(Kind::Key, NOT_WITNESSED), (Kind::LookUp, NOT_WITNESSED)],
    },
    case("apply", &[("apply", 1)]),
    case("applied", &[("applied", 1)]),
];

/// Kills over one kind of network, then lets it come to rest.
pub(crate) fn killed(case: &Case, kind: Kind, mut stand: Stand) {
    let point = case.point;
    let now = Utc::now();
    stand.calendar(vec![
        Planned::new("first", now).picture(),
        Planned::new("story", now + TimeDelta::milliseconds(1)).parts(6),
        Planned::new("last", now + TimeDelta::milliseconds(2)).parts(3),
    ]);
    for (at, times) in case.kills {
        let mut daemon = stand.daemon_until(&format!("{at}:{times}:kill"));
        // A lease or two may have to lapse before it comes there.
        let status = ends(&mut daemon.child, Duration::from_mins(1));
        let said = daemon.said();
        assert_eq!(status.signal(), Some(9), "{point}, {kind:?}: at {at} for the {times}. time, {status}: {said:?}");
        // What is out is known, or it is open: never denied.
        let rows = stand.rows();
        if !rows.is_empty() {
            stand.check(&rows);
        }
    }
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_mins(2));
    daemon.stops();
    stand.check(&rows);
    for row in &rows {
        // Where a third time, or another sender, could be a second post, a person decides.
        let for_a_person = matches!(kind, Kind::Key | Kind::LookUp)
            && row.unknown.as_ref().is_some_and(|unknown| {
                unknown.looks >= 2 && (unknown.repeated || stand.is_shared() && !unknown.witnessed)
            });
        assert!(row.state == State::Published || for_a_person, "{point}, {kind:?}: {:#?}", brief(&rows));
    }
}
