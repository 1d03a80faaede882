//! The ledger on a real PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smm::ledger::suite::{self, Store};
use smm::ledger::{Ledger, OpenMode, Opening};

use crate::postgres::Postgres;

/// A database of a server.
struct Database {
    url: String,
    state: tempfile::TempDir,
    lease: Duration,
}

impl Database {
    fn new(server: &Postgres) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("case_{}", COUNT.fetch_add(1, Ordering::SeqCst));
        server.database(&name);
        Self { url: server.url(&name), state: tempfile::tempdir().expect("a folder"), lease: Duration::from_secs(60) }
    }

    fn opening(&self) -> Opening<'_> {
        let mut opening = Opening::new(&self.url, self.state.path(), OpenMode::ReadWrite);
        opening.lease = self.lease;
        opening
    }
}

impl Store for Database {
    fn open(&self) -> Arc<dyn Ledger> {
        self.opening().open().expect("a ledger")
    }
}

/// Every case of the behaviour suite, each in a database of its own.
pub fn passes_the_suite() {
    let server = Postgres::start(&[]);
    for (name, case) in suite::all() {
        eprintln!("{name}");
        let store = Box::new(Database::new(&server));
        crate::run(case(store));
    }
}
