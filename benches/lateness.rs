//! How late posts arrive at their server, beside a bare timer with a bare commit.
//!
//!     cargo bench --bench lateness
//!
//! `smm daemon` is a process of its own with its ledger on the disk of the build folder; the server is in this process and
//! writes down when each post arrives. Once 1,000 posts of one account, one at a time, 25 of them in a second; once 1,000
//! posts that are due at the same moment on 100 accounts, ten each. An idle machine is meant: look at the load before.
//! Figures to hold: the 99th percentile of the first under 10 ms plus one commit, all of the second within 3 s, none early.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};

use process::Daemon;

#[path = "../tests/support/process.rs"]
mod process;

/// Time from the daemon's start to the first post.
const AHEAD: TimeDelta = TimeDelta::seconds(4);
/// Between two posts of the first part: longer than one takes, so that none waits for another.
const APART: TimeDelta = TimeDelta::milliseconds(40);
const ACCOUNTS: usize = 100;

fn main() {
    // `cargo test --benches` only wants to see it run.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let (count, accounts) = if is_bench { (1_000, ACCOUNTS) } else { (20, 5) };
    bare(count.min(250));
    let late = run(count, 1, |number| APART * i32::try_from(number).unwrap_or(i32::MAX));
    print(&format!("one at a time:  {}\n", late.told()));
    let late = run(count, accounts, |_| TimeDelta::zero());
    print(&format!("all at once:    {}, on {accounts} accounts\n", late.told()));
}

/// A timer for each, then one durable commit, as the least that a scheduler can do.
fn bare(count: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let conn = rusqlite::Connection::open(folder.path().join("bare.db")).expect("a file");
    conn.pragma_update(None, "journal_mode", "wal").expect("write-ahead logging");
    conn.pragma_update(None, "synchronous", "full").expect("durable commits");
    conn.execute_batch("CREATE TABLE rows (row TEXT) STRICT").expect("a table");
    let apart = APART.to_std().expect("a time ahead");
    let (mut woken, mut written) = (Late::default(), Late::default());
    process::wait(async {
        let start = tokio::time::Instant::now() + apart;
        for number in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            let due = start + apart * number;
            tokio::time::sleep_until(due).await;
            let awake = tokio::time::Instant::now();
            conn.execute("INSERT INTO rows (row) VALUES (?)", ["x".repeat(1_000)]).expect("a row");
            woken.0.push(milliseconds(awake - due));
            written.0.push(milliseconds(awake.elapsed()));
        }
    });
    print(&format!("bare timer:     {}\none bare commit: {}\n", woken.told(), written.told()));
}

/// Lateness of each post, in milliseconds; negative: early.
#[derive(Default)]
struct Late(Vec<f64>);

impl Late {
    fn told(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
        let early = sorted.iter().filter(|late| **late < 0.0).count();
        format!(
            "median {:>7.2} ms, 99th percentile {:>7.2} ms, longest {:>7.2} ms, {early} of {} early",
            at(50),
            at(99),
            at(100),
            sorted.len()
        )
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A daemon with so many posts over so many accounts, `after` telling when each is due; ends when all have arrived.
fn run(count: usize, accounts: usize, after: impl Fn(usize) -> TimeDelta) -> Late {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let server = Server::start();
    // Ledgers keep microseconds.
    let first = DateTime::from_timestamp_millis((Utc::now() + AHEAD).timestamp_millis()).expect("a time");
    let due: Vec<DateTime<Utc>> = (0..count).map(|number| first + after(number)).collect();
    let mut calendar = "name = \"bench\"\ntimezone = \"UTC\"\n".to_owned();
    for (number, due) in due.iter().enumerate() {
        let (account, due) = (number % accounts, due.format("%Y-%m-%dT%H:%M:%S%.3fZ"));
        let _ = write!(
            calendar,
            "\n[[posts]]\nid = \"p{number:04}\"\nat = {due}\nto = [\"a{account}\"]\ntext = \"Acme {number} is out\"\n"
        );
    }
    std::fs::write(folder.path().join("calendar.toml"), calendar).expect("a calendar");
    let mut config = String::new();
    for account in 0..accounts {
        let _ = write!(config, "[accounts.a{account}]\nnetwork = \"mastodon\"\nserver = \"{}\"\n\n", server.url);
    }
    std::fs::write(folder.path().join("smm.toml"), config).expect("smm.toml");
    let daemon = Daemon::start(smm(folder.path(), accounts));
    daemon.says("ready");
    assert!(Utc::now() < first, "it was ready before anything was due");
    let end = Instant::now() + (due[count - 1] - Utc::now()).to_std().unwrap_or_default() + Duration::from_mins(1);
    while server.arrived().len() < count && Instant::now() < end {
        process::pause(50);
    }
    // A second arrival of one would still come.
    process::pause(200);
    daemon.stops();
    let arrived = server.arrived();
    assert_eq!(arrived.len(), count, "each post arrives, once");
    let mut late = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (number, at) in &arrived {
        let before = last.insert(number % accounts, due[*number]);
        assert!(before <= Some(due[*number]), "the posts of an account in the order of their times");
        let micros = (*at - due[*number]).num_microseconds().unwrap_or(i64::MAX);
        late.insert(*number, f64::from(i32::try_from(micros).unwrap_or(i32::MAX)) / 1e3);
    }
    assert_eq!(late.len(), count, "no post arrives twice");
    Late(late.into_values().collect())
}

fn smm(folder: &Path, accounts: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smm"));
    command.env_clear().current_dir(folder).env("STATE_DIRECTORY", folder.join("state")).env("HOME", folder);
    for account in 0..accounts {
        command.env(format!("SMM_A{account}_TOKEN"), format!("token-{account}"));
    }
    command
}

type Arrived = Arc<Mutex<Vec<(usize, DateTime<Utc>)>>>;

/// Answers as a Mastodon does, and keeps the number of each post with the moment of its arrival.
struct Server {
    url: String,
    arrived: Arrived,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    fn start() -> Self {
        let arrived = Arrived::default();
        let router = Router::new()
            .route("/api/v1/accounts/verify_credentials", get(who))
            .route("/api/v2/instance", get(instance))
            .route("/api/v1/statuses", post(arrives))
            .with_state(Arc::clone(&arrived));
        let (url, serving) = process::serve(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
            (url, serving)
        });
        Self { url, arrived, serving }
    }

    fn arrived(&self) -> Vec<(usize, DateTime<Utc>)> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn who(headers: HeaderMap) -> impl IntoResponse {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = token.rsplit('-').next().unwrap_or_default();
    json(format!(r#"{{"id": "{number}", "username": "acme", "acct": "acme{number}"}}"#))
}

async fn instance() -> impl IntoResponse {
    json(r#"{"version": "4.6.6", "api_versions": {"mastodon": 9}}"#.to_owned())
}

async fn arrives(State(arrived): State<Arrived>, body: String) -> impl IntoResponse {
    let at = Utc::now();
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let text = body["status"].as_str().expect("a text");
    let number: usize = text.split(' ').nth(1).and_then(|number| number.parse().ok()).expect("the post's number");
    arrived.lock().unwrap_or_else(PoisonError::into_inner).push((number, at));
    json(format!(r#"{{"id": "{number}", "url": "https://fedi.example/@acme/{number}"}}"#))
}

fn json(body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn print(text: &str) {
    print!("{text}");
}
