//! Full disks, and ledgers that are taken away.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use smm::adapter::suite::{Act, Rule};
use smm::model::State;

use super::{Site, pause, post};
use crate::process::ends;
use crate::support::TestEnv;

/// A small disk for the state folder; unmounted with the value.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// `None`, said loudly: this user may not mount.
    pub(crate) fn mount(env: &TestEnv) -> Option<Self> {
        let place = env.path().join("state");
        std::fs::create_dir_all(&place).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs"]).arg(&place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place));
        }
        let required = std::env::var_os("SMM_REAL_REQUIRED").is_some_and(|value| value == "1");
        assert!(!required, "only root can mount a small disk");
        eprintln!("SKIPPED: only root can mount a small disk");
        None
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        // No more than there is room for: a daemon may make and give up its ballast meanwhile.
        for (size, most) in [(64 * 1024, 256), (4096, 4096), (1, 4096)] {
            let block = vec![0; size];
            let _ = (0..most).take_while(|_| file.write_all(&block).is_ok()).count();
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_nothing_is_sent_and_later_everything() {
    let site = Site::new("mastodon");
    let Some(disk) = SmallDisk::mount(&site.env) else { return };
    site.calendar(&post("before", Utc::now(), ""));
    let daemon = site.daemon();
    daemon.says("published");
    disk.fill();
    let now = Utc::now();
    site.calendar(&format!("{}{}", post("before", now, ""), post("during", now, "")));
    let line = daemon.says("the ledger does not answer");
    assert!(line["error"].as_str().is_some_and(|error| error.contains("full")), "{line}");
    pause(1500);
    assert_eq!(site.out(), ["Text of before"]);
    disk.free();
    site.until("during", &[State::Published]);
    assert_eq!(site.out().len(), 2);
    daemon.stops();
}

#[test]
fn an_answer_that_comes_on_a_full_disk_is_recorded_and_nothing_more_is_begun() {
    let site = Site::new("mastodon");
    let Some(disk) = SmallDisk::mount(&site.env) else { return };
    let (method, path) = site.fake.publish_call().expect("HTTP");
    site.fake.front().expect("HTTP").rule(Rule::new(Act::Wait(Duration::from_millis(800))).on(method, path));
    site.calendar(&post("once", Utc::now(), ""));
    let daemon = site.daemon();
    site.asked(method, path, 1);
    disk.fill();
    // The ballast makes room for it, and nothing more is begun.
    let row = site.until("once", &[State::Published]);
    assert_eq!(row.attempts, 1);
    let now = Utc::now();
    site.calendar(&format!("{}{}", post("once", now, ""), post("more", now, "")));
    pause(1000);
    assert_eq!(site.out(), ["Text of once"]);
    disk.free();
    site.until("more", &[State::Published]);
    daemon.stops();
    assert_eq!(site.out(), ["Text of once", "Text of more"]);
}

#[test]
fn a_daemon_whose_ledger_was_taken_away_sends_nothing_more() {
    let site = Site::new("mastodon");
    site.calendar(&post("before", Utc::now(), ""));
    let mut daemon = site.daemon();
    daemon.says("published");
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(site.env.path().join("state/smm").join(name));
    }
    let now = Utc::now();
    site.calendar(&format!("{}{}", post("before", now, ""), post("after", now, "")));
    daemon.says("removed or replaced");
    assert_eq!(ends(&mut daemon.child, Duration::from_secs(20)).code(), Some(1));
    assert_eq!(site.out(), ["Text of before"]);
}
