//! Two daemons on one embedded ledger: one publishes, whatever the start looked like.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;

use crate::process::pause;
use crate::stand::{Kind, Planned, Stand};
use crate::support::Run;

/// The one that has ended by itself, and the one that has not.
fn loser(mut pair: [Child; 2]) -> (Child, Child) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let ended = pair.iter_mut().position(|child| child.try_wait().expect("a child of ours").is_some());
        let [first, second] = pair;
        match ended {
            Some(0) => return (first, second),
            Some(_) => return (second, first),
            None if Instant::now() > end => {
                for mut child in [first, second] {
                    let _ = child.kill();
                    let _ = child.wait();
                }
                panic!("both of them publish");
            }
            None => pair = [first, second],
        }
        pause(5);
    }
}

#[test]
fn started_at_once_one_wins_and_the_other_names_it() {
    let mut stand = Stand::new(&[Kind::Key]);
    stand.calendar(vec![Planned::new("once", Utc::now()), Planned::new("twice", Utc::now())]);
    for start in 0..20 {
        let pair = [(); 2].map(|()| {
            let mut command = stand.command();
            command.arg("daemon").stdout(Stdio::null()).stderr(Stdio::piped());
            command.spawn().expect("smm starts")
        });
        let (lost, mut won) = loser(pair);
        let run = Run::from(lost.wait_with_output().expect("ended"));
        assert_eq!(run.status, 1, "start {start}: {run:?}");
        // Killed, so that the next start meets a lock file that nobody holds.
        let alive = won.try_wait().expect("a child of ours").is_none();
        let holder = format!("process {}", won.id());
        let _ = won.kill();
        let _ = won.wait();
        assert!(alive, "start {start}: neither publishes: {run:?}");
        assert!(run.stderr.contains("another smm publishes"), "start {start}: {run:?}");
        assert!(run.stderr.contains(&holder) || run.stderr.contains("another process"), "start {start}: {run:?}");
    }
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    stand.check(&rows);
}
