//! The ledger on a real PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smm::ledger::suite::{self, Store};
use smm::ledger::{Ledger, OpenMode, Opening};

use crate::postgres::Postgres;

/// A database of a server.
struct Database {
    server: Arc<Postgres>,
    url: String,
    state: tempfile::TempDir,
    lease: Duration,
}

impl Database {
    fn new(server: Arc<Postgres>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("case_{}", COUNT.fetch_add(1, Ordering::SeqCst));
        server.database(&name);
        let (url, state) = (server.url(&name), tempfile::tempdir().expect("a folder"));
        Self { server, url, state, lease: Duration::from_secs(3) }
    }

    fn opening(&self) -> Opening<'_> {
        let mut opening = Opening::new(&self.url, self.state.path(), OpenMode::ReadWrite);
        opening.lease = self.lease;
        opening
    }
}

#[async_trait::async_trait]
impl Store for Database {
    fn open(&self) -> Arc<dyn Ledger> {
        self.opening().open().expect("a ledger")
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self::new(Arc::clone(&self.server)))
    }

    fn lease(&self) -> Duration {
        self.lease
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Every case of the behaviour suite, each in a database of its own.
pub fn passes_the_suite() {
    let server = Arc::new(Postgres::start(&[]));
    for (name, case) in suite::all().iter().chain(suite::shared()).chain(suite::clocked()) {
        eprintln!("{name}");
        let store = Box::new(Database::new(Arc::clone(&server)));
        crate::run(case(store));
    }
}

/// A ledger in a file.
struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
}

#[async_trait::async_trait]
impl Store for File {
    fn open(&self) -> Arc<dyn Ledger> {
        Opening::new("sqlite", self.0.path(), OpenMode::ReadWrite).open().expect("a ledger")
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self::new())
    }
}

/// From SQLite to PostgreSQL and back, with every record compared.
pub fn moves_to_the_server_and_back() {
    let server = Arc::new(Postgres::start(&[]));
    crate::run(suite::moves_there_and_back(Box::new(File::new()), Box::new(Database::new(server))));
}
