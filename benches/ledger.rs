//! Four durable writes for each delivery (planned, claimed, intent, receipt), beside bare `SQLite` with as many commits.
//!
//!     cargo bench --bench ledger
//!     SMM_POSTGRES=postgres://… cargo bench --bench ledger
//!
//! With the address of a `PostgreSQL`, a database that may be written into, the same is done there too.
//!
//! Once one delivery after the other, once 64 at a time on 64 accounts, as a full minute has them. Both run in turn on the
//! same disk (below the build folder), and the median of three is told with the ratio: figures of one run compare with
//! each other, not with those of another machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use smm::ledger::{self, ClaimRequest, Ledger, OpenMode, Write, Written};
use smm::model::{
    AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin, PostId, Receipt,
    State,
};

const ROUNDS: usize = 3;
const GROUP: usize = 64;

fn main() {
    // `cargo test --benches` only wants to see it run.
    let deliveries = if std::env::args().any(|arg| arg == "--bench") { 1_280 } else { GROUP };
    for group in [1, GROUP] {
        // A group needs one commit where single deliveries need 64: more of them, for a time that can be read.
        let count = if group == 1 { deliveries / 4 } else { deliveries * 4 };
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        for _ in 0..ROUNDS {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
            bare.push(seconds(|| floor(folder.path(), count, group)));
            ours.push(seconds(|| run("sqlite", folder.path(), count, group)));
        }
        tell("SQLite", count, group, median(ours), median(bare));
        let Ok(url) = std::env::var("SMM_POSTGRES") else { continue };
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        for _ in 0..ROUNDS {
            bare.push(seconds(|| floor_of_postgres(&url, count, group)));
            ours.push(seconds(|| run(&url, folder.path(), count, group)));
        }
        tell("PostgreSQL", count, group, median(ours), median(bare));
    }
}

fn tell(what: &str, count: usize, group: usize, ours: f64, bare: f64) {
    let rate = |seconds: f64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    print(&format!(
        "{group:>3} at a time: {:>7.0} deliveries/s, bare {what} {:>7.0}/s, ratio {:.2}\n",
        rate(ours),
        rate(bare),
        ours / bare
    ));
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn print(text: &str) {
    print!("{text}");
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_577_836_800, 0).expect("the first day of 2020")
}

fn planned(number: usize, account: &str) -> Delivery {
    let post = PostId::new(format!("post-{number}"));
    let due = start() + TimeDelta::milliseconds(i64::try_from(number).unwrap_or(0));
    Delivery::planned(
        CalendarName::new("bench"),
        post.clone(),
        OccurrenceName::once(&post),
        AccountName::new(account),
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
    delivery.intent = Some(Intent {
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
    });
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

/// The ledger's own road.
fn run(setting: &str, folder: &Path, count: usize, group: usize) {
    /// A database is not new in each round, so its posts are.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let begin = NUMBER.fetch_add(count, Ordering::SeqCst);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ledger = ledger::open(setting, folder, OpenMode::ReadWrite).expect("a ledger");
    let accounts: Vec<String> = (0..group).map(|index| format!("account-{index}")).collect();
    let request = ClaimRequest {
        owner: "bench".to_owned(),
        now: start() + TimeDelta::days(1),
        accounts: accounts.iter().map(|name| (AccountName::new(name), 0)).collect::<BTreeMap<_, _>>(),
        limit: group,
        only: None,
        calendars: Vec::new(),
        burst: smm::ledger::Burst::default(),
    };
    runtime.block_on(async {
        for first in (begin..begin + count).step_by(group) {
            let rows = accounts.iter().enumerate().map(|(index, name)| planned(first + index, name));
            let writes: Vec<Write> = rows.map(|row| change(row, 0, "planned")).collect();
            done(&ledger.write(&writes).await.expect("a write"));
            let claimed = ledger.claim(&request).await.expect("a claim");
            assert_eq!(claimed.len(), group);
            let rows = each(&ledger, claimed, sending).await;
            each(&ledger, rows, published).await;
        }
    });
}

/// Changes every row by a request of its own, all at the same time: the ledger makes one commit of what waits.
async fn each(ledger: &Arc<dyn Ledger>, rows: Vec<Delivery>, next: fn(Delivery) -> Delivery) -> Vec<Delivery> {
    let tasks = rows.into_iter().map(|row| {
        let ledger = Arc::clone(ledger);
        async move {
            let expect = row.version;
            let mut row = next(row);
            done(&ledger.write(&[change(row.clone(), expect, "changed")]).await.expect("a write"));
            row.version = expect + 1;
            row
        }
    });
    let local = tokio::task::LocalSet::new();
    let handles: Vec<_> = tasks.map(|task| local.spawn_local(task)).collect();
    local
        .run_until(async {
            let mut rows = Vec::with_capacity(handles.len());
            for handle in handles {
                rows.push(handle.await.expect("a task"));
            }
            rows
        })
        .await
}

fn done(answers: &[Written]) {
    assert!(answers.iter().all(|answer| *answer == Written::Done), "{answers:?}");
}

/// The same number of commits, rows and bytes without anything else.
fn floor(folder: &Path, count: usize, group: usize) {
    let mut conn = rusqlite::Connection::open(folder.join("bare.db")).expect("a file");
    conn.pragma_update(None, "journal_mode", "wal").expect("write-ahead logging");
    conn.pragma_update(None, "synchronous", "full").expect("durable commits");
    conn.execute_batch("CREATE TABLE rows (id TEXT PRIMARY KEY, step INTEGER, row TEXT) STRICT").expect("a table");
    for first in (0..count).step_by(group) {
        for step in 0..4 {
            let commit = conn.transaction().expect("a transaction");
            for number in first..first + group {
                let row = planned(number, "fedi");
                let text = serde_json::to_string(&row).expect("JSON");
                commit
                    .prepare_cached("INSERT OR REPLACE INTO rows (id, step, row) VALUES (?, ?, ?)")
                    .and_then(|mut insert| insert.execute(rusqlite::params![row.id.to_string(), step, text]))
                    .expect("a row");
            }
            commit.commit().expect("a commit");
        }
    }
}

/// The same in `PostgreSQL`.
fn floor_of_postgres(url: &str, count: usize, group: usize) {
    const PUT: &str = "INSERT INTO smm_bench (id, step, row) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET step = excluded.step, row = excluded.row";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the server answers");
        let connection = tokio::spawn(connection);
        let table = "DROP TABLE IF EXISTS smm_bench; CREATE TABLE smm_bench (id text PRIMARY KEY, step int, row text)";
        client.batch_execute(table).await.expect("a table");
        let put = client.prepare(PUT).await.expect("a statement");
        for first in (0..count).step_by(group) {
            for step in 0..4_i32 {
                let commit = client.transaction().await.expect("a transaction");
                for number in first..first + group {
                    let row = planned(number, "fedi");
                    let text = serde_json::to_string(&row).expect("JSON");
                    commit.execute(&put, &[&row.id.to_string(), &step, &text]).await.expect("a row");
                }
                commit.commit().await.expect("a commit");
            }
        }
        client.batch_execute("DROP TABLE smm_bench").await.expect("removed");
        drop(client);
        connection.await.expect("a task").expect("the server has not hung up");
    });
}
