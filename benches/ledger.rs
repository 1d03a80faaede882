//! Claims and settlements per second, beside a raw loop of the same commits on the same disk.
//!
//!     cargo bench --bench ledger
//!     SMM_POSTGRES=postgres://… cargo bench --bench ledger
//!
//! A delivery costs three durable steps: its claim, its intent, its receipt. Workers take turns at that over 100 accounts,
//! each claiming one or ten at a time and handing in every step of every delivery by itself, as the daemon does. The raw
//! loop claims as many in one commit and writes an intent and a receipt for each: in `SQLite`, which has one writer, those
//! that come together in one commit; in `PostgreSQL` each in a commit of its own, on a connection for each worker. Both run
//! in turn on the same disk, and the median of three is told with the ratio: figures of one run compare with each other,
//! not with those of another machine. The figure to hold is half of the raw loop.
//!
//! `PostgreSQL` is the server whose address is given (of a database that may be written into), or one that is started for
//! this where it is installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use smm::ledger::{self, ClaimRequest, Ledger, OpenMode, Write, Written};
use smm::model::{
    AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin, PostId, Receipt,
    State,
};
use tokio::task::JoinSet;

use postgres::Postgres;

#[path = "../tests/support/postgres.rs"]
mod postgres;

const ROUNDS: usize = 3;
const ACCOUNTS: usize = 100;

/// How the work is shared out.
#[derive(Clone, Copy)]
struct Shape {
    workers: usize,
    /// Asked for in one claim.
    claim: usize,
    /// Deliveries in all.
    count: usize,
}

fn main() {
    // `cargo test --benches` only wants to see it run.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let (rounds, part) = if is_bench { (ROUNDS, 1) } else { (1, 20) };
    let shapes = [(1, 1, 200), (8, 1, 400), (1, 10, 500), (8, 10, 1_000)];
    let shapes = shapes.map(|(workers, claim, count)| Shape { workers, claim, count: count / part });
    for shape in shapes {
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
            raw.push(raw_sqlite(folder.path(), shape));
            ours.push(run("sqlite", folder.path(), shape));
        }
        tell("SQLite", shape, median(ours), median(raw));
    }
    let given = std::env::var("SMM_POSTGRES").ok();
    let server = (given.is_none() && Postgres::programs().is_some()).then(|| Postgres::start(&[]));
    let Some(url) = given.or_else(|| server.as_ref().map(|server| server.url("postgres"))) else {
        return print("PostgreSQL: not installed, and SMM_POSTGRES gives no address\n");
    };
    for shape in shapes {
        let (mut ours, mut raw) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
            raw.push(raw_postgres(&url, shape));
            ours.push(run(&url, folder.path(), shape));
        }
        tell("PostgreSQL", shape, median(ours), median(raw));
    }
}

fn tell(what: &str, shape: Shape, ours: f64, raw: f64) {
    let Shape { workers, claim, count } = shape;
    let rate = |seconds: f64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    print(&format!(
        "{what:>10}, {workers} workers, claims of {claim:>2}: {:>6.0} claimed and settled/s, raw loop {:>6.0}/s, ratio {:.2}\n",
        rate(ours),
        rate(raw),
        raw / ours
    ));
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn print(text: &str) {
    print!("{text}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_577_836_800, 0).expect("the first day of 2020")
}

fn planned(calendar: &CalendarName, number: usize, account: &AccountName) -> Delivery {
    let post = PostId::new(format!("post-{number}"));
    let due = start() + TimeDelta::milliseconds(i64::try_from(number).unwrap_or(0));
    Delivery::planned(
        calendar.clone(),
        post.clone(),
        OccurrenceName::once(&post),
        account.clone(),
        "mastodon",
        Origin::Calendar,
        due,
        due.naive_utc(),
        Late::default(),
    )
}

fn change(delivery: Delivery, expect: u64, kind: &str) -> Write {
    let event = Event {
        at: start(),
        delivery: delivery.id,
        kind: kind.to_owned(),
        state: delivery.state,
        detail: String::new(),
        actor: "smm".to_owned(),
    };
    Write::new(delivery, expect, event)
}

fn sending(mut delivery: Delivery) -> Delivery {
    delivery.state = State::Sending;
    delivery.attempts = 1;
    delivery.intent = Some(Box::new(Intent {
        frozen: Frozen {
            part: 0,
            key: delivery.id.to_string(),
            request: serde_json::json!({"status": "Acme 2.0 is out.", "language": "en", "visibility": "public"}),
        },
        binding: Binding {
            network: "mastodon".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: "1".to_owned(),
            handle: "@acme@fedi.example".to_owned(),
        },
        attempt: 1,
        first_at: start(),
        at: start(),
    }));
    delivery
}

fn published(mut delivery: Delivery) -> Delivery {
    delivery.state = State::Published;
    delivery.intent = None;
    delivery.published_at = Some(start());
    delivery.receipts = vec![Receipt {
        part: 0,
        id: "117".to_owned(),
        url: Some("https://fedi.example/@acme/117".to_owned()),
        at: start(),
        data: serde_json::Value::Null,
    }];
    delivery
}

/// The ledger's own road. Gives the seconds that the work took, without making the rows.
fn run(setting: &str, folder: &Path, shape: Shape) -> f64 {
    let runtime = runtime();
    let ledger = ledger::open(setting, folder, OpenMode::ReadWrite).expect("a ledger");
    let accounts: Vec<AccountName> = (0..ACCOUNTS).map(|index| AccountName::new(format!("account-{index}"))).collect();
    // A server's database is not new in each round, so its calendar is.
    let calendar = CalendarName::new(format!("bench-{}", Utc::now().timestamp_micros()));
    let request = ClaimRequest {
        owner: "bench".to_owned(),
        now: start() + TimeDelta::days(1),
        accounts: accounts.iter().map(|name| (name.clone(), 0)).collect::<BTreeMap<_, _>>(),
        limit: shape.claim,
        only: None,
        calendars: vec![calendar.clone()],
        burst: smm::ledger::Burst::default(),
    };
    runtime.block_on(tokio::task::LocalSet::new().run_until(async {
        let rows = (0..shape.count).map(|number| planned(&calendar, number, &accounts[number % ACCOUNTS]));
        let writes: Vec<Write> = rows.map(|row| change(row, 0, "planned")).collect();
        for writes in writes.chunks(500) {
            done(&ledger.write(writes).await.expect("a write"));
        }
        let begin = Instant::now();
        let mut workers = JoinSet::new();
        for _ in 0..shape.workers {
            workers.spawn_local(work(Arc::clone(&ledger), request.clone()));
        }
        let settled: usize = workers.join_all().await.into_iter().sum();
        assert_eq!(settled, shape.count);
        begin.elapsed().as_secs_f64()
    }))
}

/// Claims and settles until there is nothing left. Gives how many.
async fn work(ledger: Arc<dyn Ledger>, request: ClaimRequest) -> usize {
    let mut settled = 0;
    loop {
        let claimed = ledger.claim(&request).await.expect("a claim");
        if claimed.is_empty() {
            // Others may have accounts whose next row comes after theirs.
            if ledger.next_ready(&request).await.expect("an answer").is_none() {
                return settled;
            }
            tokio::task::yield_now().await;
            continue;
        }
        let mut tasks = JoinSet::new();
        for row in claimed {
            tasks.spawn_local(settle(Arc::clone(&ledger), row));
        }
        settled += tasks.join_all().await.len();
    }
}

/// The intent and the receipt of one delivery.
async fn settle(ledger: Arc<dyn Ledger>, row: Delivery) {
    let expect = row.version;
    let mut row = sending(row);
    done(&ledger.write(&[change(row.clone(), expect, "intent")]).await.expect("a write"));
    row.version = expect + 1;
    let row = published(row);
    done(&ledger.write(&[change(row, expect + 1, "receipt")]).await.expect("a write"));
}

fn done(answers: &[Written]) {
    assert!(answers.iter().all(|answer| *answer == Written::Done), "{answers:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What the raw loops store for a delivery.
fn text(number: usize) -> String {
    let row = planned(&CalendarName::new("bench"), number, &AccountName::new("fedi"));
    serde_json::to_string(&row).expect("JSON")
}

/// The same commits, rows and bytes without anything else.
fn raw_sqlite(folder: &Path, shape: Shape) -> f64 {
    let mut conn = rusqlite::Connection::open(folder.join("raw.db")).expect("a file");
    conn.pragma_update(None, "journal_mode", "wal").expect("write-ahead logging");
    conn.pragma_update(None, "synchronous", "full").expect("durable commits");
    let table = "CREATE TABLE rows (id INTEGER PRIMARY KEY, step INTEGER, row TEXT) STRICT;
         CREATE INDEX open ON rows (step, id) WHERE step < 3";
    conn.execute_batch(table).expect("a table");
    let rows = conn.transaction().expect("a transaction");
    for number in 0..shape.count {
        let row = text(number);
        rows.execute("INSERT INTO rows (step, row) VALUES (0, ?)", [row]).expect("a row");
    }
    rows.commit().expect("a commit");
    let begin = Instant::now();
    let together = shape.workers * shape.claim;
    for _ in (0..shape.count).step_by(together) {
        for step in 0..3 {
            let commit = conn.transaction().expect("a transaction");
            let claimed: Vec<(i64, String)> = commit
                .prepare_cached("SELECT id, row FROM rows WHERE step = ? ORDER BY id LIMIT ?")
                .and_then(|mut open| {
                    let found = open.query_map([step, i64::try_from(together).unwrap_or(i64::MAX)], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?;
                    found.collect()
                })
                .expect("rows");
            for (id, row) in claimed {
                commit
                    .prepare_cached("UPDATE rows SET step = ?, row = ? WHERE id = ?")
                    .and_then(|mut update| update.execute(rusqlite::params![step + 1, row, id]))
                    .expect("a row");
            }
            commit.commit().expect("a commit");
        }
    }
    begin.elapsed().as_secs_f64()
}

/// The same in `PostgreSQL`.
fn raw_postgres(url: &str, shape: Shape) -> f64 {
    runtime().block_on(tokio::task::LocalSet::new().run_until(async {
        let client = connect(url).await;
        client
            .batch_execute(
                "DROP TABLE IF EXISTS raw_loop;
                 CREATE TABLE raw_loop (id bigint PRIMARY KEY, step int NOT NULL, row text NOT NULL);
                 CREATE INDEX ON raw_loop (id) WHERE step = 0",
            )
            .await
            .expect("a table");
        let rows: Vec<String> = (0..shape.count).map(text).collect();
        client
            .execute(
                "INSERT INTO raw_loop SELECT n, 0, t FROM unnest($1::text[]) WITH ORDINALITY AS r (t, n)",
                &[&rows],
            )
            .await
            .expect("rows");
        let mut clients = Vec::new();
        for _ in 0..shape.workers {
            clients.push(connect(url).await);
        }
        let begin = Instant::now();
        let mut workers = JoinSet::new();
        for client in clients {
            workers.spawn_local(raw_worker(client, shape.claim));
        }
        let settled: usize = workers.join_all().await.into_iter().sum();
        assert_eq!(settled, shape.count);
        let seconds = begin.elapsed().as_secs_f64();
        client.batch_execute("DROP TABLE raw_loop").await.expect("removed");
        seconds
    }))
}

async fn raw_worker(client: tokio_postgres::Client, claim: usize) -> usize {
    const CLAIM: &str = "UPDATE raw_loop SET step = 1 WHERE id IN (
         SELECT id FROM raw_loop WHERE step = 0 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, row";
    let claiming = client.prepare(CLAIM).await.expect("a statement");
    let settling = client.prepare("UPDATE raw_loop SET step = $2, row = $3 WHERE id = $1").await.expect("a statement");
    let mut settled = 0;
    loop {
        let limit = i64::try_from(claim).unwrap_or(i64::MAX);
        let claimed = client.query(&claiming, &[&limit]).await.expect("rows");
        if claimed.is_empty() {
            return settled;
        }
        for row in &claimed {
            let (id, row): (i64, String) = (row.get(0), row.get(1));
            for step in 2..4_i32 {
                client.execute(&settling, &[&id, &step, &row]).await.expect("a row");
            }
            settled += 1;
        }
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the server answers");
    tokio::task::spawn_local(async move { connection.await.expect("the server has not hung up") });
    client
}
