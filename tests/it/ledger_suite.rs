//! Every ledger passes the same suite.

use std::sync::Arc;

use smm::ledger::suite::{self, Store};
use smm::ledger::{self, Ledger, OpenMode};

struct File(tempfile::TempDir);

impl Store for File {
    fn open(&self) -> Arc<dyn Ledger> {
        ledger::open("sqlite", self.0.path(), OpenMode::ReadWrite).expect("a ledger")
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self(tempfile::tempdir().expect("a folder")))
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "shown when it fails: the last name is that of the case")]
fn sqlite_passes_the_suite() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (name, case) in suite::all().iter().chain(suite::exclusive()) {
        eprintln!("{name}");
        runtime.block_on(case(Box::new(File(tempfile::tempdir().unwrap()))));
    }
}
