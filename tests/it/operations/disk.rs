//! Full disks, and ledgers that are taken away.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use smm::adapter::suite::{Act, Rule};
use smm::model::State;

use super::{Site, pause, post};

/// A small disk for the state folder; unmounted with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, said loudly: this user may not mount.
    fn mount(site: &Site) -> Option<Self> {
        let place = site.env.path().join("state");
        std::fs::create_dir_all(&place).expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs"]).arg(&place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place));
        }
        eprintln!("SKIPPED: only root can mount a small disk");
        None
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
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
    let Some(disk) = SmallDisk::mount(&site) else { return };
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
fn an_answer_that_comes_on_a_full_disk_is_kept_until_there_is_room() {
    let site = Site::new("mastodon");
    let Some(disk) = SmallDisk::mount(&site) else { return };
    let (method, path) = site.fake.publish_call().expect("HTTP");
    site.fake.front().expect("HTTP").rule(Rule::new(Act::Wait(Duration::from_millis(800))).on(method, path));
    site.calendar(&post("once", Utc::now(), ""));
    let daemon = site.daemon();
    site.asked(method, path, 1);
    disk.fill();
    daemon.says("cannot be written down");
    pause(500);
    assert_eq!(site.until("once", &[State::Sending]).receipts.len(), 0);
    disk.free();
    let row = site.until("once", &[State::Published]);
    assert_eq!(row.attempts, 1);
    daemon.stops();
    assert_eq!(site.out(), ["Text of once"]);
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
    assert_eq!(daemon.child.wait().expect("ended").code(), Some(1));
    assert_eq!(site.out(), ["Text of before"]);
}
