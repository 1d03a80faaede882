//! A disk that is full: what came of a call is written all the same, and nothing is begun.

use std::process::{Command, Stdio};

use super::*;
use crate::model::Receipt;

/// A small disk of its own.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`: this user may not mount one.
    fn mount(size: &str) -> Option<Self> {
        let folder = folder();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "smm-test"]).arg(folder.path());
        let done = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        done.then_some(Self(folder))
    }

    /// Writes until there is no room. Gives the file.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_the_ballast_makes_room_for_what_came_of_a_call() {
    let Some(disk) = SmallDisk::mount("12m") else {
        // The same is tried end to end by the tests of operations, which say it loudly when they cannot.
        tracing::warn!("SKIPPED: only root can mount a small disk");
        return;
    };
    let path = disk.0.path().join("ledger.db");
    let ballast = disk.0.path().join("ledger.db.ballast");
    let ledger = SqliteLedger::open(&path, OpenMode::ReadWrite).unwrap();
    let guard = run(ledger.lock("smm daemon")).unwrap();
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), 4 * 1024 * 1024);
    assert_eq!(std::fs::metadata(&ballast).unwrap().permissions().mode() & 0o777, 0o600);
    run(ledger.write(&[change(planned("launch", "fedi")), change(planned("next", "bsky"))])).unwrap();
    let mut claimed = run(ledger.claim(&request("fedi"))).unwrap();
    let sent = sending(claimed.remove(0));
    assert_eq!(run(ledger.write(&[change(sent.clone())])), Ok(vec![Written::Done]));
    let filler = disk.fill();
    // Larger than what the log has room for by chance.
    let mut published = Delivery { version: sent.version + 1, intent: None, state: State::Published, ..sent };
    published.published_at = Some(now());
    let data = serde_json::Value::String("x".repeat(500_000));
    published.receipts.push(Receipt { part: 0, id: "1".to_owned(), url: None, at: now(), data });
    assert_eq!(run(ledger.write(&[change(published.clone())])), Ok(vec![Written::Done]));
    assert!(!ballast.exists(), "it was given up");
    assert_eq!(run(ledger.delivery(published.id)).unwrap().unwrap().state, State::Published);
    // The room that is left is for results alone.
    let next = Delivery { version: 1, ..planned("next", "bsky") };
    for refused in
        [run(ledger.claim(&request("bsky"))).map(drop), run(ledger.write(&[change(sending(next))])).map(drop)]
    {
        let Err(LedgerError::Full(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("the disk") && why.contains("full"), "{why}");
    }
    assert!(!ballast.exists(), "no half of it eats up the room");
    std::fs::remove_file(filler).unwrap();
    assert_eq!(run(ledger.claim(&request("bsky"))).unwrap().len(), 1, "it goes on by itself");
    assert!(ballast.exists());
    // Who does not publish leaves the publisher's ballast alone.
    let other = SqliteLedger::open(&path, OpenMode::ReadWrite).unwrap();
    let filler = disk.fill();
    let mut large = planned("large", "fedi");
    large.plan = Some(serde_json::Value::String("x".repeat(3_000_000)));
    assert!(matches!(run(other.write(&[change(large)])), Err(LedgerError::Full(_))));
    assert!(ballast.exists());
    std::fs::remove_file(filler).unwrap();
    drop(guard);
    drop((ledger, other));
    let whole: String =
        Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}
