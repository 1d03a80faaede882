//! The files beside the ledger, and what happens when somebody removes them.

use super::*;

#[test]
fn removing_the_lock_file_lets_nobody_in() {
    let folder = folder();
    let (first, second) = (open(&folder), open(&folder));
    let path = folder.path().join("ledger.db.lock");
    run(first.write(&[change(planned("launch", "fedi"))])).unwrap();
    let guard = run(first.lock("smm daemon")).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = run(second.lock("smm publish")).err();
    assert!(matches!(&refused, Some(LedgerError::Busy(why)) if why.contains("another smm")), "{refused:?}");
    // The other has made the file anew; whoever holds the ledger takes it back before it claims.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run(first.claim(&request("fedi"))).unwrap().len(), 1);
    let holder = std::fs::read_to_string(&path).unwrap();
    assert!(holder.starts_with("smm daemon"), "{holder}");
    drop(guard);
    assert!(run(second.lock("smm publish")).is_ok(), "it is free again");
}

#[test]
fn another_process_is_kept_out_by_the_ledgers_file_itself() {
    let folder = folder();
    let ledger = open(&folder);
    // As another process would hold it, whose lock file was removed.
    let other = std::fs::File::open(folder.path().join("ledger.db")).unwrap();
    other.lock().unwrap();
    let refused = run(ledger.lock("smm daemon")).err();
    assert!(matches!(&refused, Some(LedgerError::Busy(why)) if why.contains("cannot be named")), "{refused:?}");
    other.unlock().unwrap();
    assert!(run(ledger.lock("smm daemon")).is_ok());
    // Closing it here would drop the locks that SQLite has on it in this process.
    std::mem::forget(other);
}

#[test]
fn whoever_lost_its_lock_sends_nothing_more() {
    let folder = folder();
    let ledger = open(&folder);
    let path = folder.path().join("ledger.db.lock");
    let row = planned("launch", "fedi");
    run(ledger.write(&[change(row.clone())])).unwrap();
    let _guard = run(ledger.lock("smm daemon")).unwrap();
    // Somebody that knows of the one file alone has taken its place.
    std::fs::remove_file(&path).unwrap();
    let other = lock::private(&path).unwrap();
    other.lock().unwrap();
    let refused = run(ledger.claim(&request("fedi"))).unwrap_err();
    assert!(matches!(&refused, LedgerError::Gone(why) if why.contains("nothing more is sent")), "{refused}");
    let refused = run(ledger.write(&[change(sending(Delivery { version: 1, ..row }))])).unwrap_err();
    assert!(matches!(refused, LedgerError::Gone(_)), "{refused}");
}

#[test]
fn a_bell_that_was_removed_is_made_again() {
    let folder = folder();
    let ledger = open(&folder);
    let bell = ledger.bell().unwrap();
    std::fs::remove_file(&bell).unwrap();
    run(ledger.ring()).unwrap();
    assert!(std::fs::metadata(&bell).unwrap().len() > 0);
}
