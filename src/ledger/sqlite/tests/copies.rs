//! Copies that are made while the ledger is in use.

use super::*;

#[test]
fn a_copy_is_whole_and_a_ledger() {
    let folder = folder();
    let ledger = open(&folder);
    let row = planned("launch", "fedi");
    run(ledger.write(&[change(row.clone())])).unwrap();
    run(ledger.write(&[change(sending(Delivery { version: 1, ..row }))])).unwrap();
    let copy = folder.path().join("copy/ledger.db");
    std::fs::create_dir(copy.parent().unwrap()).unwrap();
    // Somebody is in the middle of a transaction.
    let writer = Connection::open(folder.path().join("ledger.db")).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO meta VALUES ('half', 'done')").unwrap();
    run(ledger.backup(&copy)).unwrap();
    drop(writer);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> =
        std::fs::read_dir(copy.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["ledger.db"], "nothing else is left");
    let copied = SqliteLedger::open(&copy, OpenMode::ReadWrite).unwrap();
    let all = |ledger: &SqliteLedger| run(ledger.export(0, 1000)).unwrap();
    assert_eq!(all(&copied), all(&ledger));
    let checked: String =
        Connection::open(&copy).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
    let refused = run(ledger.backup(&copy)).unwrap_err().to_string();
    assert!(refused.contains("is there already"), "{refused}");
    let refused = run(ledger.backup(&folder.path().join("nowhere/ledger.db"))).unwrap_err().to_string();
    assert!(refused.contains("nowhere"), "{refused}");
}

#[test]
fn there_is_nothing_to_copy_of_no_ledger() {
    let folder = folder();
    let none = SqliteLedger::open(&folder.path().join("none.db"), OpenMode::ReadOnly).unwrap();
    let refused = run(none.backup(&folder.path().join("copy.db"))).unwrap_err().to_string();
    assert!(refused.contains("there is no ledger"), "{refused}");
    assert!(!folder.path().join("copy.db").exists());
}
