//! Accounts that are easily taken for each other.

use std::time::Duration;

use chrono::Utc;
use smm::model::State;

use crate::stand::{Kind, Planned, Stand, brief};

/// Two servers give the same number to two people: each of them gets the post.
#[test]
fn one_number_on_two_servers_is_two_people() {
    let mut stand =
        Stand::new(&[Kind::Key, Kind::Key, Kind::LookUp, Kind::ChosenId, Kind::ChosenId, Kind::Files, Kind::Files]);
    stand.calendar(vec![Planned::new("news", Utc::now()), Planned::new("story", Utc::now()).parts(2)]);
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    stand.check(&rows);
    for net in &stand.nets {
        let out = stand.held(net);
        let once = ["Part 1 of news", "Part 1 of story", "Part 2 of story"];
        assert_eq!(out.keys().collect::<Vec<_>>(), once, "on {}: {:#?}", net.account, brief(&rows));
    }
    assert!(rows.iter().all(|row| row.state == State::Published), "{:#?}", brief(&rows));
}
